r"""Difference in differences between those compared and their matches, or under the design's weights.

Estimand
--------
That of the design's question, by month since entry: the average effect on the treated (``att``), on the
untreated (``atc``), on both (``ate``), or where both overlap (``ato``). On a rollout stacked cohort by
cohort, over cohorts by their share of the treated, then for each.

Equation
--------
With :math:`\Delta y_{ih}=y_{ih}-\bar y_{ib}` the change since the base :math:`b`, the last month observed
before entry or the mean of the last ``base_months`` of them,

.. math:: \hat\tau_h = \sum_i w_i\sigma_i\Big(\Delta y_{ih}-\sum_{j\in M_i}s_{ij}\Delta y_{jh}\Big)
          \qquad\text{or}\qquad
          \hat\tau_h = \frac{\sum_i d_iw_i\Delta y_{ih}}{\sum_id_iw_i}
                     - \frac{\sum_i(1-d_i)w_i\Delta y_{ih}}{\sum_i(1-d_i)w_i}

on a design of matches or sets, in the notation of `MatchedDifference`, and on a weighted or unmatched one.
With ``bias_adjust`` changes are first moved to the covariates of those sought for, by a regression with an
intercept per month of entry.

Identification
--------------
Without treatment, those sought for would have changed as their comparisons did (parallel trends given what
the design aligned); nobody changes before entry (no anticipation); the treatment of some leaves the outcome
of others alone (no displacement). Lasting differences of level between the arms are allowed, those that
fade are not. Matching on past outcomes and then taking differences is the danger: units alike in a month in
which they were not themselves go back to their own level, at a pace of their own (regression to the mean),
and the difference takes it for an effect (Daw & Hatfield 2018; Chabé-Ferret 2017). Match on what explains
trends (ages, places, earlier states), or compare levels with `MatchedDifference` where the whole history is
aligned.

Inference
---------
Those of `MatchedDifference` and `WeightedDifference`, on changes. Matches and sets: influence of each unit
around the regression of matches' changes on covariates and month of entry, summed by person, market or
matched set. Weights: influence of each unit and what estimating the weights adds or removes. A person who
serves several cohorts or months counts once. On a stacked rollout without matches, shares of cohorts are
estimated and their influence is added; without weights either, and with ``small_sample`` off, standard
errors are those of the R package ``did`` for never-treated controls. ``small_sample``: factor G/(G−1), and
degrees of freedom of regressions. By market, Student's t with G−1 degrees of freedom. Weights for censoring
are honoured month by month and taken as known.

Edge cases
----------
A rollout by calendar period is refused: stack it, or use a method of rollouts. An outcome that accumulates
since entry is refused: a lasting gap would be counted every month. A unit not observed in the base is left
out and counted; one not observed in a month is left out of that month. Months before entry are compared
with the same base: effects there should be nil, save on months that were matched upon, where they are by
construction. The base itself is not reported. Irregular periods keep their own distances. A cohort with too
few months before its start is refused. A cohort with fewer than two treated or comparison clusters has NaN
standard errors. Outcomes that do not vary have NaN standard errors.

References
----------
Heckman, Ichimura & Todd (1997), doi:10.2307/2971733; Abadie (2005), doi:10.1111/0034-6527.00321; Abadie &
Imbens (2011), doi:10.1198/jbes.2009.07333; Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001;
Chabé-Ferret (2017), doi:10.2139/ssrn.2914937; Daw & Hatfield (2018), doi:10.1111/1475-6773.12993.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.cells import Cells
from whatworks.estimate.changes import Changes, Cohort
from whatworks.estimate.clustered import ClusteredCurve
from whatworks.estimate.columns import Units
from whatworks.estimate.matched import CLUSTERED, MatchedUnits, matched_curve
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.estimate.weights import adjusted_curve, weighted_curve
from whatworks.options import typed
from whatworks.stats.uncertainty import Influence, factor_of_clusters
from whatworks.vocabulary import ENTRY_MONTH, Supply

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedDiD:
    """Difference between the change of those sought for and that of their comparisons.

    Parameters
    ----------
    base_months : int
        Last months before entry whose mean changes are counted from.
    bias_adjust : bool
        Remove by regression what the design left of covariate differences.
    cluster : str
        ``"person"``, ``"market"`` or ``"matched_set"``.
    small_sample : bool
        Correct for the number of clusters and of coefficients.

    Raises
    ------
    OptionError
        On an unknown cluster, or a base of no month.

    Examples
    --------
    >>> MatchedDiD(cluster="market").base_months
    1
    """

    base_months: int = 1
    bias_adjust: bool = False
    cluster: Literal["person", "market", "matched_set"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.PRE_MONTHS})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.cluster, CLUSTERED, what="cluster")
        if self.base_months < 1:
            raise OptionError(
                what="base_months",
                needed="at least 1",
                found=str(self.base_months),
                remedy="leave it out to count changes from the last month before entry",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects at every month of the design but those of the base.

        Parameters
        ----------
        design : Design
            With months before entry: matched, weighted, or a rollout that `whatworks.stack` laid out.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            One row per month, the term being the estimand in lower case; on a stacked rollout over
            all cohorts (``cohort`` −1), then by cohort. `whatworks.aggregate` reads it where the
            stacked rollout has no matches.

        Raises
        ------
        DesignRefused
            When the design lacks months before entry or what the options need, is a rollout by
            calendar period, or its outcome accumulates.
        """
        if design.outcomes.accumulates:
            raise DesignRefused(
                what="MatchedDiD",
                needed="an outcome of the month itself",
                found=f"{design.outcomes.name!r}, which accumulates since entry",
                remedy="ask for the monthly outcome: a lasting gap would be counted every month",
            )
        adjusting = {Supply.COVARIATES} if self.bias_adjust else set()
        require(design, self.needs | adjusting, method="MatchedDiD", cluster=self.cluster)
        changes = Changes.of(design, base_months=self.base_months, method="MatchedDiD")
        if Supply.MATCHES in design.supplies:
            return self._matched(changes)
        return self._weighted(changes)

    def _matched(self, changes: Changes) -> Estimate:
        """Each unit against its matches, over all and by cohort."""
        design = changes.design
        columns = MatchedUnits.of(design, errors=self.cluster, bias_adjust=self.bias_adjust)
        if self.cluster != "matched_set":
            columns = columns.within(design.units[ENTRY_MONTH].to_numpy())
        parts = [Cohort(name=-1, inside=np.ones(len(design.units), dtype=bool))]
        parts += changes.cohorts if changes.stacked else ()
        curves = [
            matched_curve(
                design,
                columns,
                errors=self.cluster,
                bias_adjust=self.bias_adjust,
                unbiased=self.small_sample,
                among=part.inside,
            )
            for part in parts
        ]
        return self._told(changes, [part.name for part in parts], curves, columns.n_clusters)

    def _weighted(self, changes: Changes) -> Estimate:
        """Weighted means, over all or cohort by cohort."""
        design = changes.design
        units = Units.of(design, cluster=self.cluster)
        curves = [
            adjusted_curve(design, units, unbiased=self.small_sample, among=cohort.inside)
            if self.bias_adjust
            else weighted_curve(design, units.cluster, among=cohort.inside)
            for cohort in changes.cohorts
        ]
        if changes.stacked:
            return self._over_cohorts(changes, units, curves)
        return self._told(changes, [-1], curves, units.n_clusters)

    def _told(
        self,
        changes: Changes,
        names: Sequence[int],
        curves: Sequence[ClusteredCurve],
        n_clusters: int,
    ) -> Estimate:
        """Estimate whose rows are those of the curves, one after the other."""
        design = changes.design
        rows: list[dict[str, Any]] = []
        effects, sums = [], []
        for name, curve in zip(names, curves, strict=True):
            # A month nobody can be observed in (the base, a cohort's window) is no row.
            told = np.flatnonzero((curve.counts > 0).all(axis=1))
            rows += [
                {
                    "term": design.question.estimand.lower(),
                    "cohort": name,
                    "month": design.outcomes.months[k],
                    "group": "all",
                    "n_treated": int(curve.counts[k, 0]),
                    "n_comparison": int(curve.counts[k, 1]),
                }
                for k in told
            ]
            effects.append(curve.effect[told])
            sums.append(np.where(curve.few[told], np.nan, curve.sums[:, told]))
        uncertainty = self._influence(np.hstack(sums), n_clusters)
        return Estimate(
            method="MatchedDiD",
            options=asdict(self),
            effects=effects_table(
                rows,
                np.concatenate(effects),
                uncertainty.covariance(),
                unit=design.outcomes.unit,
                df=self._df(n_clusters),
                influence=uncertainty,
            ),
            uncertainty=uncertainty,
            ledger=changes.ledger,
        )

    def _over_cohorts(
        self, changes: Changes, units: Units, curves: Sequence[ClusteredCurve]
    ) -> Estimate:
        """Cohorts averaged by their estimated shares of the treated, then each of them."""
        names = np.array([cohort.name for cohort in changes.cohorts], dtype=np.int64)
        months = np.array(changes.design.outcomes.months)
        told = [np.flatnonzero((curve.counts > 0).all(axis=1)) for curve in curves]
        counts = np.concatenate([c.counts[k] for c, k in zip(curves, told, strict=True)])
        cohort = np.repeat(names, [k.size for k in told])
        period = cohort + months[np.concatenate(told)]
        share, moved = _shares(changes, units)
        sums = [c.sums[:, k] for c, k in zip(curves, told, strict=True)]
        cells = Cells(
            cohort=cohort,
            period=period,
            effect=np.concatenate([c.effect[k] for c, k in zip(curves, told, strict=True)]),
            n_treated=counts[:, 0],
            n_comparison=counts[:, 1],
            cohorts=names,
            share=share,
            uncertainty=self._influence(np.hstack([*sums, moved]), units.n_clusters),
            last=int(period.max()),
            df=self._df(units.n_clusters),
            term=changes.design.question.estimand.lower(),
        )
        few = np.concatenate([c.few[k] for c, k in zip(curves, told, strict=True)])
        found = estimate_of_cells(
            cells,
            method="MatchedDiD",
            options=asdict(self),
            unit=changes.design.outcomes.unit,
            ledger=changes.ledger,
        )
        return _unsure(found, few)

    def _influence(self, sums: Floats, n_clusters: int) -> Influence:
        return Influence(
            values=sums,
            cluster=np.arange(n_clusters),
            factor=factor_of_clusters(n_clusters, small_sample=self.small_sample),
            level=self.cluster,
        )

    def _df(self, n_clusters: int) -> float:
        return float(n_clusters - 1) if self.cluster == "market" else float("inf")


def _shares(changes: Changes, units: Units) -> tuple[Floats, Floats]:
    """Share of each cohort among the treated, and each cluster's influence on it."""
    treated = np.where(units.treated, units.sampling, 0.0)
    total = treated.sum()
    share = np.empty(len(changes.cohorts))
    moved = np.empty((units.n_clusters, share.size))
    for k, cohort in enumerate(changes.cohorts):
        mine = treated * cohort.inside
        share[k] = mine.sum() / total
        apart = mine - treated * share[k]
        moved[:, k] = np.bincount(units.cluster, apart, minlength=units.n_clusters) / total
    return share, moved


def _unsure(estimate: Estimate, few: Bools) -> Estimate:
    """The estimate without the errors of cohorts that have no variance of their own.

    Over all cohorts a lone unit counts by how far its cohort is from the others: that is known.
    """
    n_overall = len(estimate.effects) - few.size
    alone = np.concatenate([np.zeros(n_overall, dtype=bool), few])
    lone = int((~few).sum()) == 0 and np.unique(estimate.effects["cohort"]).size == 2
    alone[:n_overall] |= lone
    if not alone.any():
        return estimate
    told = ["std_error", "conf_low", "conf_high", "band_low", "band_high", "p_value"]
    effects = estimate.effects.copy()
    effects.loc[alone, told] = np.nan
    values = cast("Influence", estimate.uncertainty).values.copy()
    values[:, alone] = np.nan
    uncertainty = replace(cast("Influence", estimate.uncertainty), values=values)
    return replace(estimate, effects=effects, uncertainty=uncertainty)
