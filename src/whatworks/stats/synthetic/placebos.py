r"""Intervals and p-values by rank among donors, each in turn taken for the treated.

With one treated territory no variance can be estimated. Were the treated territory drawn at random among
all, the rank of its effect among those of the others would be uniform:

.. math:: p(\tau)=\frac{1+\#\{j: |g_j|/s_j\ge|g_1-\tau|/s_1\}}{J+1}

never under :math:`1/(J+1)`. The interval holds the effects :math:`\tau` not rejected at 5 %; with fewer
than nineteen donors it is the whole line, and not given.

References
----------
Abadie, Diamond & Hainmueller (2010), doi:10.1198/jasa.2009.ap08746. Firpo & Possebom (2018),
doi:10.1515/jci-2016-0026, for the inversion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.intervals import Interval

Floats = NDArray[np.float64]

ROUNDING: Final = 1e-9
"""Relative gap under which two statistics are a tie."""


def rank_p_value(statistic: Floats, among: Floats) -> Floats:
    """Share of statistics, one's own included, that reach one's own; NaN where nothing varies.

    Parameters
    ----------
    statistic : ndarray of shape (k,)
    among : ndarray of shape (n, k)
    """
    largest = np.maximum(np.where(np.isnan(among), 0.0, among).max(axis=0, initial=0.0), statistic)
    reach = (among >= statistic * (1 - ROUNDING)).sum(axis=0)
    p = (1.0 + reach) / (among.shape[0] + 1.0)
    return np.asarray(np.where(np.isfinite(statistic) & (largest > 0), p, np.nan))


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebos:
    """Effects that donors would have had, on which the rank of the treated is read.

    Parameters
    ----------
    values : ndarray of shape (n_placebos, n_terms)
    scale : ndarray of shape (n_placebos,)
        What the effects of each are divided by: its error before the start, or one.
    own : float
        The same of the treated.
    """

    values: Floats
    scale: Floats
    own: float

    def combine(self, weights: Floats) -> Placebos:
        """Placebos of linear combinations of terms."""
        w = np.asarray(weights, dtype=float)
        read = np.flatnonzero((w != 0).any(axis=0))
        return replace(self, values=self.values[:, read] @ w[:, read].T)

    def covariance(self) -> Floats:
        """Not known: NaN, shape (n_terms, n_terms)."""
        n = self.values.shape[1]
        return np.full((n, n), np.nan)

    def interval(self, estimate: Floats, *, level: float = 0.95) -> Interval:
        """Effects not rejected, and the p-value of no effect, term by term."""
        among = self._studentised()
        reach = self._reach(among, level)
        own = self.own if self.own > 0 else np.nan
        return Interval(
            low=estimate - reach,
            high=estimate + reach,
            p_value=rank_p_value(np.abs(estimate) / own, among),
        )

    def joint_reach(self, terms: NDArray[np.intp], *, level: float = 0.95) -> float:
        """Half-width of the band that holds several terms at once, from the largest among them."""
        largest = self._studentised()[:, terms].max(axis=1, keepdims=True)
        return float(self._reach(largest, level)[0])

    def _studentised(self) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.abs(self.values) / self.scale[:, None]
        return np.where(np.isnan(ratio), np.inf, ratio)  # no error to divide by: held to be larger

    def _reach(self, among: Floats, level: float) -> Floats:
        n, k = among.shape
        rank = int(np.floor((1 - level) * (n + 1) + ROUNDING))
        if rank == 0 or self.own <= 0:
            return np.full(k, np.nan)
        quantile = np.sort(among, axis=0)[n - rank]
        reach = self.own * quantile
        return np.where(np.isfinite(reach) & (reach > 0), reach, np.nan)
