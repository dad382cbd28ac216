"""Regressions on unit and period effects, through ``linearmodels``, with the errors economists print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from linearmodels.panel import PanelOLS
from numpy.typing import NDArray

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
        Clustered; NaN with one cluster.
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
    fit = PanelOLS(
        pd.DataFrame({"outcome": outcome}, index=at),
        pd.DataFrame(regressors, index=at, columns=names),
        entity_effects=True,
        time_effects=True,
        weights=None if weight is None else pd.DataFrame({"weight": weight}, index=at),
    ).fit(
        cov_type="clustered",
        clusters=pd.DataFrame({"cluster": cluster}, index=at),
        debiased=False,
        auto_df=False,
        count_effects=False,
        group_debias=False,
        low_memory=n * n_periods > DUMMIES,
    )
    factor = float("nan")
    if n_clusters > 1:
        counted = regressors.shape[1] + n_periods
        factor = (n - 1) / (n - counted) * n_clusters / (n_clusters - 1) if small_sample else 1.0
    return TwoWay(
        coefficient=fit.params.to_numpy(),
        covariance=factor * fit.cov.to_numpy(),
        n_observations=n,
        n_clusters=n_clusters,
    )
