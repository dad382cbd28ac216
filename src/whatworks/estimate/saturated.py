"""Regressions with unit and period effects, one coefficient per cohort and period: what they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import DesignRefused
from whatworks.estimate.cells import Cells
from whatworks.estimate.rollouts import Rollout
from whatworks.ledger import Ledger
from whatworks.stats.did.by_period import ByPeriod, fit_by_period
from whatworks.stats.did.summed import summed_by_cluster
from whatworks.stats.uncertainty import Uncertainty, factor_of_clusters

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturated:
    """A regression fitted with one coefficient per cohort and period.

    Parameters
    ----------
    rollout : Rollout
    fit : ByPeriod
    columns : ndarray of int, shape (n_cells,)
        Coefficients that are effects.
    place : ndarray of int, shape (n_cells,)
        Position of the cohort of each among the cohorts.
    slopes : ndarray of int, shape (n_cells, k)
        Coefficients of the same cohort and period on covariates; none where effects do not vary.
    centred : ndarray of shape (n, k)
        Covariates less the mean of the unit's cohort.
    cohorts : ndarray of int, shape (n_cohorts,)
    mass : ndarray of shape (n_cohorts,)
        Weight of each.
    total : float
        Weight of all units.
    """

    rollout: Rollout
    fit: ByPeriod
    columns: Ints
    place: Ints
    slopes: Ints
    centred: Floats
    cohorts: Ints
    mass: Floats
    total: float

    @property
    def effect(self) -> Floats:
        """Effects by cell, NaN where not determined."""
        return self.fit.coefficient[self.columns]

    def influence(self, rows: Ints) -> Floats:
        """Influence of units on effects, then on cohorts' shares, shape (b, n_cells + n_cohorts)."""
        rollout = self.rollout
        effects = self.fit.influence(self.columns, rows)
        weight = rollout.weight[rows, None]
        mine = weight * (rollout.start[rows, None] == self.cohorts)
        for k, mass in enumerate(self.mass if self.slopes.size else ()):
            cells = np.flatnonzero(self.place == k)
            slope = np.nan_to_num(self.fit.coefficient[self.slopes[cells]])
            effects[:, cells] += (mine[:, [k]] / mass) * (self.centred[rows] @ slope.T)
        shares = (mine - weight * (self.mass / self.total)) / self.total
        return np.hstack([effects, shares])


def fit_saturated(
    rollout: Rollout, *, leads: bool, moderated: bool, anticipation: int
) -> Saturated:
    """Fit on a rollout in which some units are not treated within the periods.

    Parameters
    ----------
    rollout : Rollout
        As `whatworks.estimate.controlled.with_a_control` gives it.
    leads : bool
        Coefficients before the start as well, counted from the last period before it: then only units
        never treated tell the course of time; else all those not treated yet do.
    moderated : bool
        Effects vary with covariates; they are read at the mean of each cohort.
    anticipation : int

    Raises
    ------
    DesignRefused
        When no unit is observed twice.
    """
    if not (np.isfinite(rollout.values).sum(axis=1) > 1).any():
        raise DesignRefused(
            what="a regression with unit effects",
            needed="units observed in several periods",
            found="units seen once each",
            remedy="choose a method for repeated cross-sections, such as CallawaySantAnna",
        )
    cohorts, covariates = rollout.cohorts, rollout.covariates
    n_periods, k = rollout.periods.size, covariates.shape[1]
    mine = rollout.start[:, None] == cohorts
    means = (rollout.weight @ covariates) / rollout.weight.sum()
    centred = _by_cohort(covariates, mine, rollout.weight)
    parts = [np.ones((rollout.start.size, 1)), covariates - means, mine.astype(float)]
    counted = np.vstack(
        [_counted(rollout, int(g), leads=leads, anticipation=anticipation) for g in cohorts]
    )
    common = np.broadcast_to(np.arange(n_periods) > 0, (1 + k, n_periods))
    free = [common, counted]
    if moderated and k:
        parts += [mine[:, [j]] * centred for j in range(cohorts.size)]
        free += [np.repeat(counted, k, axis=0)]
    fit = fit_by_period(
        rollout.values, np.hstack(parts), free=np.vstack(free), weight=rollout.weight
    )
    columns = np.flatnonzero((fit.feature >= 1 + k) & (fit.feature < 1 + k + cohorts.size))
    place = fit.feature[columns] - (1 + k)
    number = np.full((np.vstack(free).shape[0], n_periods), -1)
    number[fit.feature, fit.period] = np.arange(fit.feature.size)
    first = 1 + k + cohorts.size + place * k
    varies = k if moderated else 0
    slopes = number[first[:, None] + np.arange(varies), fit.period[columns][:, None]]
    return Saturated(
        rollout=rollout,
        fit=fit,
        columns=columns,
        place=place,
        slopes=slopes,
        centred=centred,
        cohorts=cohorts,
        mass=rollout.weight @ mine,
        total=float(rollout.weight.sum()),
    )


def _by_cohort(covariates: Floats, mine: Bools, weight: Floats) -> Floats:
    """Covariates less the mean of the unit's cohort; 0 for those of no cohort."""
    weighed = weight[:, None] * mine
    means = (weighed.T @ covariates) / weighed.sum(axis=0)[:, None]
    return np.asarray(np.where(mine.any(axis=1, keepdims=True), covariates - mine @ means, 0.0))


def _counted(rollout: Rollout, cohort: int, *, leads: bool, anticipation: int) -> Bools:
    """Periods in which a cohort has a coefficient."""
    since = rollout.periods >= cohort - anticipation
    if not leads:
        return np.asarray(since)
    base = np.flatnonzero(~since)[-1]
    return np.asarray(np.arange(since.size) != base)


def saturated_cells(
    saturated: Saturated, *, anticipation: int, small_sample: bool, compared_until: Ints
) -> Cells:
    r"""Effects by cohort and period with their uncertainty.

    With ``small_sample`` the covariance is multiplied by
    :math:`\frac{G}{G-1}\,\frac{N-1}{N-K}`, :math:`N` the observations and :math:`K` the coefficients
    other than unit effects, which are nested in clusters, and one for the constant.

    Parameters
    ----------
    saturated : Saturated
    anticipation : int
    small_sample : bool
    compared_until : ndarray of int, shape (n,)
        First period in which a unit no longer tells what would have happened without treatment.
    """
    rollout, fit = saturated.rollout, saturated.fit
    n_cells, cohorts = saturated.columns.size, saturated.cohorts
    seen = np.isfinite(rollout.values)
    where = fit.period[saturated.columns]
    cohort, period = cohorts[saturated.place], rollout.periods[where]
    told = [
        (
            int((seen[:, t] & (rollout.start == g)).sum()),
            int((seen[:, t] & (compared_until > p)).sum()),
        )
        for g, t, p in zip(cohort, where, period, strict=True)
    ]
    uncertainty: Uncertainty = summed_by_cluster(
        saturated.influence,
        n_terms=n_cells + cohorts.size,
        cluster=rollout.cluster,
        n_clusters=rollout.n_clusters,
        factor=_factor(rollout.n_clusters, fit, small_sample=small_sample),
        level=rollout.level,
    )
    known = np.flatnonzero(np.isfinite(saturated.effect) & (np.array(told).min(axis=1) > 0))
    if known.size < n_cells:
        read = np.concatenate([known, np.arange(n_cells, n_cells + cohorts.size)])
        uncertainty = uncertainty.combine(np.eye(n_cells + cohorts.size)[read])
    return Cells(
        cohort=cohort[known],
        period=period[known],
        effect=saturated.effect[known],
        n_treated=np.array([told[k][0] for k in known], dtype=np.int64),
        n_comparison=np.array([told[k][1] for k in known], dtype=np.int64),
        cohorts=cohorts,
        share=saturated.mass / saturated.total,
        uncertainty=uncertainty,
        last=int(rollout.periods[-1]),
        anticipation=anticipation,
        df=rollout.df,
    )


def ledger_of_cells(saturated: Saturated, cells: Cells) -> Ledger:
    """Ledger with the effects that the data do not determine counted."""
    return saturated.rollout.ledger.add(
        "estimate",
        "effects_by_cohort",
        unit="effects",
        before=saturated.columns.size,
        dropped={"not_determined": saturated.columns.size - cells.effect.size},
    )


def _factor(n_clusters: int, fit: ByPeriod, *, small_sample: bool) -> float:
    r""":math:`\frac{G}{G-1}\,\frac{N-1}{N-K}`, or 1 without; NaN where it is not defined."""
    factor = factor_of_clusters(n_clusters, small_sample=small_sample)
    if not small_sample:
        return factor
    spare = fit.n_observations - fit.rank - 1
    return factor * (fit.n_observations - 1) / spare if spare > 0 else float("nan")
