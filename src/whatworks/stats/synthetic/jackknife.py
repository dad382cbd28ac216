r"""Jackknife over territories, weights of the others kept.

References
----------
Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), Algorithm 3, doi:10.1257/aer.20190159. Clarke,
Pailañir, Athey & Imbens (2024), doi:10.1177/1536867X241297914, for several cohorts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.uncertainty import Influence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALL: Final = 1.0 - 1e-9
"""Weight from which one donor stands for all."""


def changes_without_each(
    values: Floats, paths: Floats, weights: Floats, before: Floats, *, rows: Ints, share: Floats
) -> Floats:
    r"""Change of one cohort's mean path when each territory in turn is left out.

    Without donor :math:`j` the other weights are brought to a sum of one, which moves the synthetic
    outcome by :math:`w_j(\hat y_t-y_{jt})/(1-w_j)`; without a treated one, the others' paths are averaged.

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
    paths : ndarray of shape (m, n_periods)
        Of the cohort's treated territories.
    weights : ndarray of shape (m, n)
    before : ndarray of shape (m, n_periods)
        Weights of periods whose mean gap is taken away.
    rows : ndarray of int, shape (m,)
        Of the treated.
    share : ndarray of shape (m,)
        Of each in the mean; of sum one.

    Returns
    -------
    ndarray of shape (n, n_periods)
        The part of pairs in which a donor has all the weight is left out: such a pair is to be weighted
        anew. Zero for a territory that alone is treated: what the mean would be without it is not known.
    """
    whole = weights > ALL
    odds = share[:, None] * np.where(whole, 0.0, weights / np.where(whole, 1.0, 1.0 - weights))
    synthetic = weights @ values
    change = values * odds.sum(axis=0)[:, None] - odds.T @ synthetic
    # The level taken away moves as well: the same sums over the periods before the start.
    taken = odds * ((before @ values.T) - (before * synthetic).sum(axis=1, keepdims=True))
    change -= taken.sum(axis=0)[:, None]
    mean = share @ paths
    if rows.size > 1:
        change[rows] = (share / (1.0 - share))[:, None] * (mean - paths)
    return np.asarray(change)


def jackknifed(changes: Floats) -> tuple[Floats, float]:
    r"""Influences whose sum of squares, times a factor, is the jackknife variance.

    .. math:: \hat V=\frac{n-1}{n}\sum_i(\hat\theta_{(-i)}-\bar\theta_{(\cdot)})^2

    Parameters
    ----------
    changes : ndarray of shape (n, k)
        Of each term without each territory.

    Returns
    -------
    influence : ndarray of shape (n, k)
    factor : float
    """
    n = changes.shape[0]
    return -(changes - changes.mean(axis=0)) * (n - 1) / n, n / (n - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledInfluence:
    """Influences of territories, some cohorts having one only.

    How effects vary among territories treated together cannot be told from one: terms of such a cohort
    alone are undefined. Averages over several cohorts are not: territories vary there too.

    Parameters
    ----------
    influence : Influence
    lone : ndarray of int, shape (n_terms,)
        Number of the cohort for terms of a cohort of one territory; −1 for others.
    """

    influence: Influence
    lone: Ints

    def combine(self, weights: Floats) -> Influence:
        """Influence of linear combinations; NaN for those that read one territory."""
        w = np.asarray(weights, dtype=float)
        found = self.influence.combine(w)
        values = found.values.copy()
        for k, row in enumerate(w):
            read = np.unique(self.lone[row != 0])
            if read.size == 1 and read[0] >= 0:
                values[:, k] = np.nan
        return Influence(
            values=values, cluster=found.cluster, factor=found.factor, level=found.level
        )

    def covariance(self) -> Floats:
        """Covariance of the terms themselves."""
        return self.combine(np.eye(self.lone.size)).covariance()
