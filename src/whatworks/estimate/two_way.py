"""Regressions on unit and period effects, and what their coefficient of treatment is made of.

`two_way` fits any columns through ``linearmodels``, which holds every observation several times. `static`
fits treatment alone from tables of cohorts by periods, at any size: the two agree to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from linearmodels.panel import PanelOLS
from numpy.typing import NDArray

from whatworks.estimate.rollouts import Rollout
from whatworks.stats.did.bacon import Decomposition, bacon
from whatworks.stats.did.negative_weights import TwoWayWeights, two_way_weights
from whatworks.stats.did.two_way import Swept, Units, regress, sweep
from whatworks.stats.uncertainty import factor_of_clusters

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DUMMIES: Final = 2**27
"""Observations × periods up to which periods are taken out in one step rather than by iteration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoWay:
    """Coefficients of a regression with two sets of effects.

    Parameters
    ----------
    coefficient : ndarray of shape (k,)
    covariance : ndarray of shape (k, k)
        Clustered.
    n_observations, n_clusters : int
    """

    coefficient: Floats
    covariance: Floats
    n_observations: int
    n_clusters: int


def two_way(
    outcome: Floats,
    regressors: Floats,
    *,
    unit: Ints,
    period: Ints,
    cluster: Ints,
    weight: Floats | None = None,
    small_sample: bool = True,
) -> TwoWay:
    r"""Least squares of an outcome on columns, unit effects and period effects.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        One row per unit and period observed.
    regressors : ndarray of shape (n, k)
        Columns that unit and period effects do not explain.
    unit, period, cluster : ndarray of int, shape (n,)
        Numbers. Periods may be finer, such as region by year, as long as a unit has one row in each;
        a unit lies in one cluster.
    weight : ndarray of shape (n,), optional
    small_sample : bool
        Multiply the covariance by :math:`\frac{n-1}{n-K}\,\frac{G}{G-1}` with K the columns and the
        periods: unit effects, nested in clusters, are not counted. It is the factor of ``areg`` in
        Stata and of ``fixest`` in R. Off: the bare sum over clusters.

    Returns
    -------
    TwoWay

    Notes
    -----
    ``linearmodels`` counts unit effects among K when told to; here it is told not to, and the factor is
    written once.
    """
    at = pd.MultiIndex.from_arrays([unit, period], names=["unit", "period"])
    names = [f"x{j}" for j in range(regressors.shape[1])]
    n, n_periods, n_clusters = outcome.size, np.unique(period).size, np.unique(cluster).size
    # One cluster tells nothing of a variance: the points stand, their errors are NaN by the factor.
    summed = cluster if n_clusters > 1 else unit
    fit = PanelOLS(
        pd.DataFrame({"outcome": outcome}, index=at),
        pd.DataFrame(regressors, index=at, columns=names),
        entity_effects=True,
        time_effects=True,
        weights=None if weight is None else pd.DataFrame({"weight": weight}, index=at),
    ).fit(
        cov_type="clustered",
        clusters=pd.DataFrame({"cluster": summed}, index=at),
        debiased=False,
        auto_df=False,
        count_effects=False,
        group_debias=False,
        low_memory=n * n_periods > DUMMIES,
    )
    factor = factor_of_clusters(n_clusters, small_sample=False)
    if small_sample:
        factor = _factor(n, regressors.shape[1] + n_periods, n_clusters)
    return TwoWay(
        coefficient=fit.params.to_numpy(),
        covariance=factor * fit.cov.to_numpy(),
        n_observations=n,
        n_clusters=n_clusters,
    )


def _factor(n: int, counted: int, n_clusters: int) -> float:
    """What the bare sum over clusters is multiplied by; NaN with one cluster."""
    return (n - 1) / (n - counted) * factor_of_clusters(n_clusters)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """A rollout as cohorts by periods, every observation counted, treated or not.

    Parameters
    ----------
    starts : ndarray of int, shape (n_cohorts,)
    since : ndarray of int, shape (n_cohorts, n_periods)
        Periods since the start.
    units : Units
    swept : Swept
    """

    starts: Ints
    since: Ints
    units: Units
    swept: Swept

    @classmethod
    def of(cls, rollout: Rollout) -> LaidOut:
        """Read the units once."""
        starts, cohort = np.unique(rollout.start, return_inverse=True)
        since = rollout.periods[None, :] - starts[:, None]
        units = Units(
            values=rollout.values,
            weight=rollout.weight,
            known=np.ones((rollout.weight.size, 1)),
            cohort=cohort.astype(np.int64),
            used=np.ones(since.shape, dtype=bool),
        )
        return cls(starts=starts, since=since, units=units, swept=sweep(units))

    def weights(self, rollout: Rollout) -> TwoWayWeights:
        """Weights of cohorts and periods in the coefficient of treatment, by their own names."""
        found = two_way_weights(self.swept, self.since >= 0)
        return replace(
            found, cohort=self.starts[found.cohort], period=rollout.periods[found.period]
        )

    def decomposition(self, rollout: Rollout) -> Decomposition | None:
        """Comparisons of two groups that the coefficient averages; None on a panel with gaps."""
        if np.isnan(rollout.values).any():
            return None
        return bacon(
            self.swept.level[0],
            size=self.swept.weight[:, 0],
            start=self.starts,
            periods=rollout.periods,
        )


def static(rollout: Rollout, laid: LaidOut) -> tuple[float, float]:
    """Coefficient of being treated and its standard error, clustered as the rollout is.

    Returns
    -------
    coefficient, std_error : float
        With the factor of `two_way`; NaN where effects explain treatment.
    """
    fit = regress(laid.swept, ((laid.since >= 0) & (laid.swept.count > 0))[None])
    sums = np.zeros(rollout.n_clusters)
    for g, rows in laid.units.blocks():
        own = fit.influence(g, laid.units.read(g, rows))[:, 0]
        sums += np.bincount(rollout.cluster[rows], own, minlength=sums.size)
    n = int(laid.swept.count.sum())
    variance = _factor(n, 1 + rollout.periods.size, rollout.n_clusters) * float(sums @ sums)
    return float(fit.coefficient[0]), float(np.sqrt(variance))
