"""How much of an outcome's variance markets share, from a pilot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.uncertainty import sums_by_number

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Two variances.

    Parameters
    ----------
    between : float
        Of what markets share; 0 where their means differ no more than persons do.
    within : float
        Of persons within a market.
    """

    between: float
    within: float

    @property
    def sd(self) -> float:
        """Standard deviation of the outcome."""
        return float(np.sqrt(self.between + self.within))

    @property
    def icc(self) -> float:
        """Part of the variance that markets share; NaN where nothing varies."""
        whole = self.between + self.within
        return self.between / whole if whole > 0 else float("nan")


def components(values: Floats, *, market: Ints, cell: Ints) -> Components:
    r"""Analysis of variance of outcomes around the means of their cells, markets of unequal sizes.

    .. math:: \hat\sigma^2 = MSW,\qquad \hat\tau^2 = \max\{0, (MSB-MSW)/n_0\},\qquad
              n_0 = \Bigl(n-\sum_g n_g^2/n\Bigr)/(G-1)

    Parameters
    ----------
    values : ndarray of shape (n,)
    market : ndarray of int, shape (n,)
        0 to G − 1.
    cell : ndarray of int, shape (n,)
        Arm and share, 0 to K − 1: what the trial itself changes is taken out.

    References
    ----------
    Donner & Koval (1980), doi:10.2307/2530491.

    Examples
    --------
    >>> found = components(np.array([1.0, 1, 3, 3]), market=np.array([0, 0, 1, 1]),
    ...     cell=np.zeros(4, dtype=int))
    >>> found.between, found.within, found.icc
    (2.0, 0.0, 1.0)
    """
    n, n_markets = values.size, int(market.max()) + 1
    rest = values - _means(values, cell)[cell]
    size = np.bincount(market, minlength=n_markets).astype(float)
    means = _means(rest, market)
    within = float(((rest - means[market]) ** 2).sum()) / max(n - n_markets, 1)
    if n_markets < 2:
        return Components(between=float("nan"), within=within)
    centre = float(size @ means) / n
    spread = float(size @ (means - centre) ** 2) / (n_markets - 1)
    usual = (n - float(size @ size) / n) / (n_markets - 1)
    return Components(between=max(0.0, (spread - within) / usual), within=within)


def together(values: Floats, *, market: Ints, cell: Ints, arm: NDArray[np.bool_]) -> float:
    r"""Correlation between two arms of what persons of one market share.

    .. math:: \hat r = \widehat{\mathrm{cov}}_g(\bar y_{1g}, \bar y_{0g})\big/(\hat\tau_1\hat\tau_0)

    over markets that have both, within −1 and 1: means of the two arms have no sampling error in common.
    Where jobs are scarce it is low, for what one arm gets the other does not. 1 where nothing tells it.

    Parameters
    ----------
    values, market, cell
        As `components`.
    arm : ndarray of bool, shape (n,)
    """
    parts = [
        components(values[a], market=_numbered(market[a]), cell=_numbered(cell[a]))
        for a in (arm, ~arm)
    ]
    shared = parts[0].between * parts[1].between
    rest = values - _means(values, cell)[cell]
    counts = [np.bincount(market[a], minlength=int(market.max()) + 1) for a in (arm, ~arm)]
    both = (counts[0] > 0) & (counts[1] > 0)
    if both.sum() < 3 or not shared > 0:
        return 1.0
    means = [
        (np.bincount(market[a], rest[a], minlength=n.size) / np.maximum(n, 1))[both]
        for a, n in zip((arm, ~arm), counts, strict=True)
    ]
    found = float(np.cov(means[0], means[1])[0, 1]) / float(np.sqrt(shared))
    return float(np.clip(found, -1.0, 1.0))


def _numbered(labels: Ints) -> Ints:
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _means(values: Floats, label: Ints) -> Floats:
    n = int(label.max()) + 1
    count = np.bincount(label, minlength=n)
    return np.asarray(
        sums_by_number(values[:, None], label, n_clusters=n)[:, 0] / np.maximum(count, 1)
    )
