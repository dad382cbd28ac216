r"""Difference between those compared and their matches.

Estimand
--------
Average effect of starting now rather than not (yet), by month since entry: on the treated (ATT), on the
untreated (ATC) or on both (ATE), as the question of the design asks. ``target="population"`` is the effect
in the population the units come from, ``"sample"`` that on these very units.

Equation
--------
.. math::

    \hat\tau = \sum_i w_i\sigma_i\Big(y_i - \sum_{j\in M_i} s_{ij}\big(y_j+(x_i-x_j)'\hat\beta_{d_j}\big)\Big)

over the units :math:`i` sought for, :math:`\sigma_i=1` when treated and −1 when not; :math:`s_{ij}` is the
part of :math:`j` among the matches of :math:`i`. :math:`\hat\beta_d=0` without ``bias_adjust``; with it, the
slope of the regression of the matches of arm :math:`d`, each weighted by what it stands for,
:math:`v_j=\sum_iw_is_{ij}`. In a design made of sets (subclasses, cells, full matching) the matches of a
unit are the other arm of its set.

Identification
--------------
Given the covariates and the calendar month, who enters is unrelated to what would have become of
them otherwise; everyone sought for has comparisons within reach (overlap); what some are given takes
nothing from the others (no displacement).

Inference
---------
``errors="person"`` (or ``"market"``): influence of each unit around the regression of matches on
covariates, summed by person (or market), so that a comparison used several times, and a person met
in several months, count once; scaled for the degrees of freedom of the regression, and G/(G−1).
Without bias adjustment the covariates that matching left apart count too: matched on a propensity
alone, they differ by chance. The propensity is taken as known, which overstates that part.

``"matched_set"``: influence of the regression that gives the point, summed by matched set, with factor
G/(G−1)·(N−1)/(N−K); for matching without replacement (Abadie & Spiess 2022), where it is right
whether or not outcomes are linear in the covariates.

``"abadie_imbens"``: independent units, matched with replacement (Abadie & Imbens 2006). The variance of an
outcome given covariates comes from the ``neighbours`` nearest units of the same arm: by propensity when
the design has one, else by Mahalanobis' distance; 0 supposes one variance for all.
``"abadie_imbens_2016"``: the same, counting that the propensity was estimated by logit or probit: for the
ATE this lowers the variance, for the ATT it may lower or raise it. With bias adjustment little is left
of it.

Sampling weights enter all of them. Monthly weights for censoring are taken as known; the variances of
Abadie and Imbens are not defined with them and are refused.

Edge cases
----------
A unit without outcome in a month is left out of that month, and its matched set brought back to one. A
unit censored in a month leaves its part to those of its arm who are still followed, each as many times
as it stands for. A month with fewer than two units sought for, or in which no degree of freedom
is left, has NaN standard errors. With Abadie and Imbens' errors, the covariance of months in which not
the same units are observed is NaN, and so is a band over them. Outcomes that do not vary have NaN
standard errors, intervals and p-values.

References
----------
Abadie & Imbens (2006), doi:10.1111/j.1468-0262.2006.00655.x; (2011), doi:10.1198/jbes.2009.07333;
(2016), doi:10.3982/ECTA11293. Abadie & Spiess (2022), doi:10.1080/01621459.2020.1840383. Sianesi (2004),
doi:10.1162/003465304323023723.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import OptionError, choice
from whatworks.estimate.matched import CLUSTERED, MatchedUnits, matched_curve, shifted
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.options import typed
from whatworks.stats.matched_effects import matched_effect, regressions
from whatworks.stats.matching import Matching
from whatworks.stats.matching_variance import Gaps, abadie_imbens, matched_gaps, same_arm
from whatworks.stats.propensity_variance import estimated_propensity
from whatworks.stats.threads import one_thread
from whatworks.stats.uncertainty import (
    Covariance,
    Influence,
    Uncertainty,
    factor_of_clusters,
)
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Errors = Literal["person", "market", "matched_set", "abadie_imbens", "abadie_imbens_2016"]

ERRORS: Final = (*CLUSTERED, "abadie_imbens", "abadie_imbens_2016")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedDifference:
    """Difference between those compared and their matches, by month since entry.

    Parameters
    ----------
    bias_adjust : bool
        Remove by regression what matching left of covariate differences.
    errors : str
        ``"person"``, ``"market"``, ``"matched_set"``, ``"abadie_imbens"`` or
        ``"abadie_imbens_2016"``.
    target : str
        ``"population"``, or ``"sample"``: the effect on the units at hand, known more precisely.
    neighbours : int
        Units of the same arm from which Abadie and Imbens' errors read the variance of an outcome;
        0 for one variance for all. Read by those errors only.

    Raises
    ------
    OptionError
        On unknown names, fewer than 0 neighbours, or ``"abadie_imbens_2016"`` for the sample.

    Examples
    --------
    >>> MatchedDifference(bias_adjust=True).errors
    'person'
    """

    bias_adjust: bool = False
    errors: Errors = "person"
    target: Literal["population", "sample"] = "population"
    neighbours: int = 1

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.MATCHES})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.errors, ERRORS, what="errors")
        choice(self.target, ("population", "sample"), what="target")
        if self.neighbours < 0:
            raise OptionError(
                what="neighbours",
                needed="0 or more",
                found=str(self.neighbours),
                remedy="write neighbours=1, or 0 for one variance for all",
            )
        if self.errors == "abadie_imbens_2016" and self.target == "sample":
            raise OptionError(
                what="errors='abadie_imbens_2016'",
                needed="target='population', for which it was derived",
                found="target='sample'",
                remedy="choose errors='abadie_imbens' for the sample",
            )

    @one_thread()
    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects at every month of the design.

        Parameters
        ----------
        design : Design
            Matched unit by unit, or in sets.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            One row per month; the term is ``att``, ``atc`` or ``ate``.

        Raises
        ------
        DesignRefused
            When the design has neither matches nor sets, or lacks what the errors need: units that
            are independent, markets, sets that share no unit, a propensity and its equation.
        """
        extra = {"person": set[Supply](), "market": {Supply.MARKETS}}
        lacking = extra.get(self.errors, {Supply.INDEPENDENT_UNITS})
        require(design, self.needs | lacking, method="MatchedDifference")
        columns = MatchedUnits.of(design, errors=self.errors, bias_adjust=self.bias_adjust)
        effect, counts, uncertainty = (
            self._clustered(design, columns)
            if self.errors in CLUSTERED
            else self._independent(design, columns)
        )
        return Estimate(
            method="MatchedDifference",
            options=asdict(self),
            effects=effects_table(
                _terms(design, counts),
                effect,
                uncertainty.covariance(),
                unit=design.outcomes.unit,
                influence=uncertainty if isinstance(uncertainty, Influence) else None,
            ),
            uncertainty=uncertainty,
            ledger=design.ledger,
        )

    def _clustered(self, design: Design, columns: MatchedUnits) -> tuple[Floats, Ints, Uncertainty]:
        """Effects, counts and influences summed by cluster."""
        found = matched_curve(
            design,
            columns,
            errors=self.errors,
            bias_adjust=self.bias_adjust,
            sample=self.target == "sample",
        )
        n = columns.n_clusters
        uncertainty = Influence(
            values=found.sums,
            cluster=np.arange(n),
            factor=factor_of_clusters(n),
            level=cast("Literal['person', 'market', 'matched_set']", self.errors),
        )
        return found.effect, found.counts, uncertainty

    def _independent(
        self, design: Design, columns: MatchedUnits
    ) -> tuple[Floats, Ints, Uncertainty]:
        """Effects, counts and the covariance of independent units."""
        n_months = len(design.outcomes.months)
        effect = np.full(n_months, np.nan)
        counts = np.zeros((n_months, 2), dtype=np.int64)
        covariance = np.full((n_months, n_months), np.nan)
        for which, month in columns.by_pattern(design):
            if not month.own.any():
                continue
            outcomes = shifted(design.outcomes.values, which, month.used)
            counts[which] = [int((month.used & arm).sum()) for arm in columns.arms]
            lending = None
            if self.bias_adjust:
                lending = regressions(outcomes, columns.covariates, month.lent, month.is_treated)
            effect[which] = matched_effect(outcomes, columns.covariates, month, lending)
            found = matched_gaps(outcomes, columns.covariates, month, lending)
            covariance[np.ix_(which, which)] = self._abadie_imbens(found, month, columns)
        return effect, counts, Covariance(matrix=covariance)

    def _abadie_imbens(self, found: Gaps, month: Matching, columns: MatchedUnits) -> Floats:
        """Covariance of the months of one pattern."""
        sample = self.target == "sample"
        near = None
        if self.neighbours:
            near = same_arm(
                month,
                score=columns.score,
                points=columns.points,
                neighbours=self.neighbours,
                sample=sample,
            )
        known = abadie_imbens(found, month, near=near, sample=sample)
        if columns.estimated is None:
            return known
        return known + estimated_propensity(
            found, month, columns.estimated, neighbours=self.neighbours
        )


def _terms(design: Design, counts: Ints) -> list[dict[str, Any]]:
    return [
        {
            "term": design.question.estimand.lower(),
            "cohort": -1,
            "month": month,
            "group": "all",
            "n_treated": int(treated),
            "n_comparison": int(comparison),
        }
        for month, (treated, comparison) in zip(design.outcomes.months, counts, strict=True)
    ]
