r"""Difference of weighted means between those who entered and the others.

Estimand
--------
That of the design's question, by month since entry: the average effect on the treated (``att``), on the
untreated (``atc``), on both (``ate``), or where both overlap (``ato``).

Equation
--------
.. math::

    \hat\tau_h = \frac{\sum_i d_iw_if_{ih}y_{ih}}{\sum_i d_iw_if_{ih}}
               - \frac{\sum_i (1-d_i)w_if_{ih}y_{ih}}{\sum_i (1-d_i)w_if_{ih}}

with :math:`w` the weights of the design and :math:`f_{ih}` 0 where the outcome is not observed, else 1, or
what the unit stands for in that month once others were censored.

Identification
--------------
That of the comparison that gave the weights: given covariates and month, who enters is unrelated to what
would have become of them otherwise, and the arms overlap. Outcomes are missing, or censored, for reasons
unrelated to them given the same.

Inference
---------
Influence of each unit, summed by person (or market); factor G/(G−1). With ``weights_estimated`` it holds
what estimating the weights adds or removes, through the equations that came with the design (stacked
M-estimation: Lunceford & Davidian 2004). Designs that came without any equation the weights move with
(matched, cross-fitted or learned propensities), and factors for censoring, are taken as known.

Edge cases
----------
A unit without outcome in a month is left out of that month's means. A month with fewer than two treated or
comparison clusters has NaN standard errors, and one that lacks an arm a NaN effect. Outcomes that do not
vary have NaN standard errors, intervals and p-values.

References
----------
Lunceford & Davidian (2004), doi:10.1002/sim.1903; Newey & McFadden (1994),
doi:10.1016/S1573-4412(05)80005-4; Hirano, Imbens & Ridder (2003), doi:10.1111/1468-0262.00442.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np

from whatworks.design.record import Design
from whatworks.errors import choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.estimate.weights import weighted_curve
from whatworks.options import typed
from whatworks.stats.uncertainty import Influence, factor_of_clusters
from whatworks.vocabulary import MARKET, PERSON, Supply


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedDifference:
    """Difference of weighted means, by month since entry.

    Parameters
    ----------
    cluster : str
        ``"person"`` or ``"market"``: whose units may be alike.
    weights_estimated : bool
        Account for the estimation of the weights; False takes them as known.

    Raises
    ------
    OptionError
        On an unknown cluster.

    Examples
    --------
    >>> WeightedDifference().cluster
    'person'
    """

    cluster: Literal["person", "market"] = "person"
    weights_estimated: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.WEIGHTS})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.cluster, ("person", "market"), what="cluster")

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects at every month of the design.

        Parameters
        ----------
        design : Design
            Weighted or matched.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            One row per month; the term is the estimand in lower case.

        Raises
        ------
        DesignRefused
            When the design has no weights, or no markets and ``cluster="market"``.
        """
        require(design, self.needs, method="WeightedDifference", cluster=self.cluster)
        labels = design.units[PERSON if self.cluster == "person" else MARKET].to_numpy()
        names, number = np.unique(labels, return_inverse=True)
        curve = weighted_curve(
            design, number.astype(np.int64), weights_estimated=self.weights_estimated
        )
        sums = curve.sums.copy()
        sums[:, curve.few] = np.nan
        uncertainty = Influence(
            values=sums,
            cluster=names if self.cluster == "person" else np.arange(names.size),
            factor=factor_of_clusters(names.size),
            level=self.cluster,
        )
        terms = [
            {
                "term": design.question.estimand.lower(),
                "cohort": -1,
                "month": month,
                "group": "all",
                "n_treated": int(own),
                "n_comparison": int(other),
            }
            for month, (own, other) in zip(design.outcomes.months, curve.counts, strict=True)
        ]
        return Estimate(
            method="WeightedDifference",
            options=asdict(self),
            effects=effects_table(
                terms,
                curve.effect,
                uncertainty.covariance(),
                unit=design.outcomes.unit,
                influence=uncertainty,
            ),
            uncertainty=uncertainty,
            ledger=design.ledger,
        )
