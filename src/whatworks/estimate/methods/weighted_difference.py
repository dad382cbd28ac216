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

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.options import typed
from whatworks.stats.uncertainty import Influence, sums_by_number
from whatworks.stats.weighted import weighted_difference
from whatworks.vocabulary import MARKET, PERSON, TREATED, WEIGHT, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CELLS: Final = 8_000_000
"""Units × months held at once."""


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
        extra = {Supply.MARKETS} if self.cluster == "market" else set()
        require(design, self.needs | extra, method="WeightedDifference")
        treated = design.units[TREATED].to_numpy()
        labels = design.units[PERSON if self.cluster == "person" else MARKET].to_numpy()
        names, number = np.unique(labels, return_inverse=True)
        n_months = len(design.outcomes.months)
        effect = np.full(n_months, np.nan)
        counts = np.zeros((n_months, 2), dtype=np.int64)
        sums = np.zeros((names.size, n_months))
        for which, values, factor in _blocks(design):
            found = weighted_difference(
                values,
                treated=treated,
                weight=design.units[WEIGHT].to_numpy(),
                factor=factor,
                fitted=design.fitted if self.weights_estimated else (),
            )
            effect[which] = found.effect
            sums[:, which] = sums_by_number(found.influence, number, n_clusters=names.size)
            for k, arm in enumerate((treated, ~treated)):
                present = factor[arm] > 0
                counts[which, k] = present.sum(axis=0)
                few = _clusters(present, number[arm], n_clusters=names.size) < 2
                sums[:, which[few]] = np.nan
        uncertainty = Influence(
            values=sums,
            cluster=names if self.cluster == "person" else np.arange(names.size),
            factor=names.size / (names.size - 1) if names.size > 1 else float("nan"),
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
            for month, (own, other) in zip(design.outcomes.months, counts, strict=True)
        ]
        return Estimate(
            method="WeightedDifference",
            options=asdict(self),
            effects=effects_table(
                terms,
                effect,
                uncertainty.covariance(),
                unit=design.outcomes.unit,
                influence=uncertainty,
            ),
            uncertainty=uncertainty,
            ledger=design.ledger,
        )


def _blocks(design: Design) -> Iterator[tuple[Ints, Floats, Floats]]:
    """Months a few at a time: which, their outcomes and the factor of each unit in each."""
    outcomes = design.outcomes
    n, n_months = outcomes.values.shape
    width = max(1, CELLS // max(n, 1))
    for begin in range(0, n_months, width):
        which = np.arange(begin, min(begin + width, n_months))
        values = outcomes.values[:, which]
        observed = ~np.isnan(values)
        factor = observed.astype(float)
        if outcomes.weights is not None:
            factor *= outcomes.weights[:, which]
        # Less the outcome of one unit: effects stay, and equal outcomes leave no rounding behind.
        first = values[np.argmax(observed, axis=0), np.arange(which.size)]
        yield which, np.where(observed, values - first, 0.0), factor


def _clusters(present: Bools, number: Ints, *, n_clusters: int) -> Ints:
    """Clusters met in each month, shape (n_months,)."""
    met = sums_by_number(present.astype(float), number, n_clusters=n_clusters)
    return np.asarray((met > 0).sum(axis=0), dtype=np.int64)
