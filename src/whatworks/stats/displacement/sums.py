r"""Sums of products by market, strata taken out: all that regressions on saturations need of the rows.

Columns are those of a cell-by-cell regression, :math:`L=[1\{j(i)=j\},\ X,\ 1\{j(i)=j\}(X-\bar X)]`, in
which strata are not written as columns: from each row the (weighted) mean of its stratum is taken away
(Frisch & Waugh 1933; Lovell 1963, doi:10.1080/01621459.1963.10480682). Rows are read in blocks, so that
memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.threads import one_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HELD: Final = 2**22
"""Numbers held at once while rows are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a regression, sorted by market.

    Parameters
    ----------
    cell : ndarray of int, shape (n,)
    n_cells : int
    covariates : ndarray of shape (n, p)
    outcome : ndarray of shape (n, q)
        Outcomes seen on the same rows.
    weight : ndarray of shape (n,)
        Positive.
    market : ndarray of int, shape (n,)
        From 0, not decreasing; not every number need be met.
    n_markets : int
    stratum : ndarray of int, shape (n,)
        From 0; all 0 without strata.
    interacted : bool
        Whether covariates, less their means, are multiplied by the cells.
    """

    cell: Ints
    n_cells: int
    covariates: Floats
    outcome: Floats
    weight: Floats
    market: Ints
    n_markets: int
    stratum: Ints
    interacted: bool = False

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.cell.size)

    @property
    def even(self) -> bool:
        """Whether all rows weigh alike."""
        return bool(np.ptp(self.weight) == 0) if self.n else True

    @property
    def width(self) -> int:
        """Number of columns."""
        p = self.covariates.shape[1]
        return int(self.n_cells + p + (self.n_cells * p if self.interacted else 0))

    def centre(self) -> Floats:
        """Weighted means of covariates, shape (p,)."""
        return np.asarray(self.weight @ self.covariates / self.weight.sum())

    def blocks(self) -> Iterator[slice]:
        """Rows of whole markets, as many as may be held."""
        ends = np.searchsorted(self.market, np.arange(self.n_markets), side="right")
        most = max(1, HELD // (self.width + self.outcome.shape[1] + 1))
        start = 0
        for end in ends.tolist():
            if end - start >= most or (end == self.n and end > start):
                yield slice(start, end)
                start = end

    def columns(self, rows: slice, centre: Floats) -> Floats:
        """Columns of some rows, strata still in them, shape (n_rows, width)."""
        cell, x = self.cell[rows], self.covariates[rows] - centre
        made = np.zeros((cell.size, self.width))
        made[np.arange(cell.size), cell] = 1.0
        p = x.shape[1]
        made[:, self.n_cells : self.n_cells + p] = x
        if self.interacted:
            after = self.n_cells + p
            inside = made[:, : self.n_cells]
            made[:, after:] = (inside[:, :, None] * x[:, None, :]).reshape(cell.size, -1)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """Products of rows of one market summed with some weight, strata taken out.

    Parameters
    ----------
    gram : ndarray of shape (n_markets, K + 1, K + 1)
        Of the columns, then of a constant.
    cross : ndarray of shape (n_markets, K + 1, q)
        With outcomes.
    """

    gram: Floats
    cross: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSums:
    """What a regression needs of its rows.

    Parameters
    ----------
    n, n_markets, n_strata : int
        Rows, and markets and strata that have some.
    mass : float
        Sum of weights.
    stratum_mass : ndarray of shape (S,)
    stratum : ndarray of int, shape (n_markets,)
        Of each market; −1 for one without rows, or with rows of several strata.
    mean : ndarray of shape (K,)
        Of columns; ``size``, the root of their mean square about it.
    outcome_mean : ndarray of shape (q,)
    outcome_square : ndarray of shape (n_markets, q)
        Sums of squares of outcomes, strata taken out.
    by_weight : Products
    plain, squared : Products or None
        Without weights, and with their squares; None where rows weigh alike or nobody asked.
    """

    n: int
    n_markets: int
    n_strata: int
    mass: float
    stratum_mass: Floats
    stratum: Ints
    mean: Floats
    size: Floats
    outcome_mean: Floats
    outcome_square: Floats
    by_weight: Products
    plain: Products | None = None
    squared: Products | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """Weighted means by stratum of columns and outcomes, and what outcomes are read from."""

    centre: Floats
    low: Floats
    columns: Floats
    outcome: Floats
    mass: Floats


def means_of(rows: Rows) -> Means:
    """Weighted means of columns and outcomes in each stratum; zero in a stratum without rows."""
    centre = rows.centre()
    # Read from the middle of their range, outcomes that do not vary are exactly nothing.
    low = (rows.outcome.min(axis=0) + rows.outcome.max(axis=0)) / 2
    n_strata = int(rows.stratum.max()) + 1
    mass = np.bincount(rows.stratum, weights=rows.weight, minlength=n_strata).astype(float)
    columns = np.zeros((n_strata, rows.width))
    outcome = np.zeros((n_strata, low.size))
    for block in rows.blocks():
        stratum, weight = rows.stratum[block], rows.weight[block]
        for values, sums in (
            (rows.columns(block, centre), columns),
            (rows.outcome[block] - low, outcome),
        ):
            for j in range(values.shape[1]):
                sums[:, j] += np.bincount(
                    stratum, weights=weight * values[:, j], minlength=n_strata
                )
    there = np.where(mass > 0, mass, 1.0)[:, None]
    return Means(centre, low, columns / there, outcome / there, mass)


@one_thread()
def market_sums(rows: Rows, *, squares: bool = False) -> MarketSums:
    """Sums of products of rows by market.

    Parameters
    ----------
    rows : Rows
    squares : bool
        Also without weights and with their squares, where rows do not weigh alike: CR2 needs them.
    """
    means = means_of(rows)
    squares = squares and not rows.even
    g, k, q = rows.n_markets, rows.width, rows.outcome.shape[1]
    kinds = 3 if squares else 1
    gram, cross = np.zeros((kinds, g, k + 1, k + 1)), np.zeros((kinds, g, k + 1, q))
    square = np.zeros((g, q))
    spread = np.zeros(k)
    overall = means.mass @ means.columns / means.mass.sum()
    for block in rows.blocks():
        stratum, weight = rows.stratum[block], rows.weight[block]
        columns = rows.columns(block, means.centre)
        spread += weight @ (columns - overall) ** 2
        x = np.column_stack([columns - means.columns[stratum], np.ones(weight.size)])
        y = rows.outcome[block] - means.low - means.outcome[stratum]
        market = rows.market[block]
        starts = np.flatnonzero(np.diff(market, prepend=-1))
        for start, end in zip(starts, [*starts[1:], market.size], strict=True):
            here, xs, ys = market[start], x[start:end], y[start:end]
            w = weight[start:end, None]
            square[here] = (w * ys**2).sum(axis=0)
            for kind, scaled in enumerate((xs * w, xs, xs * w**2)[:kinds]):
                gram[kind, here], cross[kind, here] = scaled.T @ xs, scaled.T @ ys
    made = [Products(gram=gram[i], cross=cross[i]) for i in range(kinds)]
    mass = float(means.mass.sum())
    stratum_of = _stratum_of(rows)
    return MarketSums(
        n=rows.n,
        n_markets=int(np.unique(rows.market).size),
        n_strata=int((means.mass > 0).sum()),
        mass=mass,
        stratum_mass=means.mass,
        stratum=stratum_of,
        mean=overall,
        size=np.sqrt(spread / mass),
        outcome_mean=means.low + means.mass @ means.outcome / mass,
        outcome_square=square,
        by_weight=made[0],
        plain=made[1] if squares else None,
        squared=made[2] if squares else None,
    )


def _stratum_of(rows: Rows) -> Ints:
    """Stratum of each market; −1 where it has none, or several."""
    low = np.full(rows.n_markets, np.iinfo(np.int64).max)
    high = np.full(rows.n_markets, -1)
    np.minimum.at(low, rows.market, rows.stratum)
    np.maximum.at(high, rows.market, rows.stratum)
    return np.where(low == high, high, -1)
