"""Nearest neighbours with every tie kept, on a line or in a space.

Ties are all used, each with an equal part of the weight (Abadie & Imbens 2006,
doi:10.1111/j.1468-0262.2006.00655.x): the answer depends neither on the order of rows nor on labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.distances import whiten
from whatworks.stats.search import (
    MOST_PAIRS,
    TIE,
    TooManyPairsError,
    in_order,
    nearest,
    nearest_allowed,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

__all__ = [
    "LINE_TIE",
    "MOST_PAIRS",
    "TIE",
    "Pairs",
    "TooManyPairsError",
    "cell_members",
    "first_of_ties",
    "nearest_allowed_in_cells",
    "nearest_in_space",
    "nearest_on_line",
    "pairs_of",
    "whiten",
]


LINE_TIE: Final = 1e-11
"""Scores closer than this, relative to their spread, are equal: what fitting them in another order of
rows moves, and well below the gaps of millions of different scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Who is matched with whom.

    Parameters
    ----------
    treated, comparison : ndarray of int, shape (n_pairs,)
        Positions in the arrays given.
    weight : ndarray of shape (n_pairs,)
        Sums to one over the pairs of a treated unit.
    unmatched : ndarray of int
        Treated positions without any comparison within reach.
    """

    treated: Ints
    comparison: Ints
    weight: Floats
    unmatched: Ints


def nearest_on_line(
    score_treated: Floats,
    score_comparison: Floats,
    *,
    cell_treated: Ints,
    cell_comparison: Ints,
    ratio: int,
    caliper: float = np.inf,
) -> Pairs:
    """Nearest comparisons by distance of scores within cells, with replacement, ties kept.

    One sort of the comparisons, then one search per cell. The matches of a treated unit are a
    contiguous run of sorted comparisons, found by widening on the nearer side until ``ratio`` are
    in; equal distances come in together.

    Parameters
    ----------
    score_treated, score_comparison : ndarray of shape (n_treated,), (n_comparison,)
    cell_treated, cell_comparison : ndarray of int
        Only units of one cell are compared.
    ratio : int
        Comparisons wanted per treated unit.
    caliper : float
        Greatest distance allowed, in units of the score.

    Returns
    -------
    Pairs
    """
    order = _sorted_within(cell_comparison, score_comparison)
    score, cell = score_comparison[order], cell_comparison[order]
    low = np.empty(score_treated.size, dtype=np.int64)
    high = np.empty_like(low)
    rows = np.argsort(cell_treated, kind="stable")
    cells, first = np.unique(cell_treated[rows], return_index=True)
    bounds = np.append(first, rows.size)
    known = score[~np.isnan(score)]  # those no score was fitted for lie in cells of their own
    tie = LINE_TIE * max(float(np.ptp(known)) if known.size else 0.0, 1e-12)
    for which, name in enumerate(cells):
        members = rows[bounds[which] : bounds[which + 1]]
        begin, end = np.searchsorted(cell, [name, name + 1])
        lo, hi = _runs(score[begin:end], score_treated[members], ratio, caliper, tie)
        low[members], high[members] = lo + begin, hi + begin
    return _expand(order, low, high)


def _sorted_within(cell: Ints, score: Floats) -> Ints:
    """Order by cell, then score; one sort when there is one cell."""
    order = np.argsort(score)
    if not cell.size or cell.min() == cell.max():
        return order
    return np.asarray(order[np.argsort(cell[order], kind="stable")])


def _runs(
    score: Floats, targets: Floats, ratio: int, caliper: float, tie: float
) -> tuple[Ints, Ints]:
    """Bounds [low, high) of each target's matches among sorted scores of one cell."""
    fresh = np.ones(score.size, dtype=bool)
    fresh[1:] = np.diff(score) > tie
    starts = np.append(np.flatnonzero(fresh), score.size)
    values = score[starts[:-1]]
    right = np.searchsorted(values, targets)
    left = right - 1
    gap_left, gap_right = _gap(values, targets, left), _gap(values, targets, right)
    found = np.zeros(targets.size, dtype=np.int64)
    radius = np.zeros(targets.size)
    while True:
        nearest = np.minimum(gap_left, gap_right)
        inside = np.isfinite(nearest) & (nearest <= caliper)
        wanted = inside & ((found < ratio) | (nearest <= radius + tie))
        if not wanted.any():
            break
        go_left, go_right = wanted & (gap_left <= gap_right), wanted & (gap_right < gap_left)
        radius[wanted] = np.maximum(radius, nearest)[wanted]
        found[go_left] += (starts[left[go_left] + 1] - starts[left[go_left]]).astype(np.int64)
        found[go_right] += (starts[right[go_right] + 1] - starts[right[go_right]]).astype(np.int64)
        left, right = left - go_left, right + go_right
        gap_left, gap_right = _gap(values, targets, left), _gap(values, targets, right)
    return starts[left + 1], starts[right]


def _gap(values: Floats, targets: Floats, position: Ints) -> Floats:
    """Distance to the group at a position, infinite outside."""
    known = (position >= 0) & (position < values.size)
    gaps = np.full(targets.size, np.inf)
    gaps[known] = np.abs(values[position[known]] - targets[known])
    return gaps


def _expand(order: Ints, low: Ints, high: Ints, *, most: int = MOST_PAIRS) -> Pairs:
    """Pairs from runs of sorted comparisons."""
    counts = np.maximum(high - low, 0)
    if counts.sum() > most:
        raise TooManyPairsError(int(counts.sum()))
    treated = np.repeat(np.arange(low.size), counts)
    offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    comparison = order[np.repeat(low, counts) + offset]
    return Pairs(
        treated=treated,
        comparison=comparison,
        weight=1.0 / counts[treated],
        unmatched=np.flatnonzero(counts == 0),
    )


def nearest_in_space(
    points_treated: Floats,
    points_comparison: Floats,
    *,
    cell_treated: Ints,
    cell_comparison: Ints,
    ratio: int,
    caliper: float = np.inf,
) -> Pairs:
    """Nearest comparisons by Euclidean distance of points within cells, ties kept.

    Points whitened by a covariance make this the Mahalanobis distance.

    Parameters
    ----------
    points_treated, points_comparison : ndarray of shape (n, k)
    cell_treated, cell_comparison : ndarray of int
    ratio : int
    caliper : float
        Greatest distance allowed.

    Returns
    -------
    Pairs
    """
    treated: list[Ints] = []
    comparison: list[Ints] = []
    for mine, theirs in cell_members(cell_treated, cell_comparison):
        near = nearest(points_treated[mine], points_comparison[theirs], k=ratio, caliper=caliper)
        treated.append(mine[near.query])
        comparison.append(theirs[near.point])
    return pairs_of(treated, comparison, n_treated=points_treated.shape[0])


def nearest_allowed_in_cells(
    points: tuple[Floats, Floats],
    cell: tuple[Ints, Ints],
    *,
    keys: tuple[Floats, Floats],
    widths: Floats,
    ratio: int,
    caliper: float = np.inf,
) -> Pairs:
    """Nearest comparisons among those no farther than a width on each key, ties kept.

    Parameters
    ----------
    points : ndarray of shape (n_treated, r) and (n_comparison, r)
    cell : ndarray of int, shape (n_treated,) and (n_comparison,)
    keys : ndarray of shape (n_treated, c) and (n_comparison, c)
    widths : ndarray of shape (c,)
    ratio : int
    caliper : float
    """
    treated: list[Ints] = []
    comparison: list[Ints] = []
    for mine, theirs in cell_members(*cell):
        near = nearest_allowed(
            points[0][mine],
            points[1][theirs],
            keys=(keys[0][mine], keys[1][theirs]),
            widths=widths,
            k=ratio,
            caliper=caliper,
        )
        treated.append(mine[near.query])
        comparison.append(theirs[near.point])
    return pairs_of(treated, comparison, n_treated=points[0].shape[0])


def first_of_ties(points: tuple[Floats, Floats], pairs: Pairs, *, ratio: int) -> Pairs:
    """Of pairs with ties, ``ratio`` per treated unit: the nearest, then the first in the data."""
    gaps = points[0][pairs.treated] - points[1][pairs.comparison]
    distance = np.sqrt(np.einsum("pk,pk->p", gaps, gaps))
    order = in_order(pairs.treated, pairs.comparison, distance)
    rows = pairs.treated[order]
    fresh = np.flatnonzero(np.diff(rows, prepend=-1))
    rank = np.arange(rows.size) - np.repeat(fresh, np.diff(np.append(fresh, rows.size)))
    kept = order[rank < ratio]
    return pairs_of([pairs.treated[kept]], [pairs.comparison[kept]], n_treated=points[0].shape[0])


def cell_members(cell_treated: Ints, cell_comparison: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Positions of both sides in each cell that has both, in increasing order."""
    by_mine = np.argsort(cell_treated, kind="stable")
    by_theirs = np.argsort(cell_comparison, kind="stable")
    mine, theirs = cell_treated[by_mine], cell_comparison[by_theirs]
    for name in np.intersect1d(mine, theirs):
        begin, end = np.searchsorted(mine, [name, name + 1])
        first, last = np.searchsorted(theirs, [name, name + 1])
        yield by_mine[begin:end], by_theirs[first:last]


def pairs_of(treated: list[Ints], comparison: list[Ints], *, n_treated: int) -> Pairs:
    """Pairs from what was found cell by cell, each match with an equal part."""
    rows = np.concatenate(treated) if treated else np.empty(0, dtype=np.int64)
    others = np.concatenate(comparison) if comparison else np.empty(0, dtype=np.int64)
    counts = np.bincount(rows, minlength=n_treated)
    return Pairs(
        treated=rows,
        comparison=others,
        weight=1.0 / counts[rows],
        unmatched=np.flatnonzero(counts == 0),
    )
