"""Nearest neighbours with every tie kept, on a line or in a space.

Ties are all used, each with an equal part of the weight (Abadie & Imbens 2006,
doi:10.1111/j.1468-0262.2006.00655.x): the answer depends neither on the order of rows nor on labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TIE: Final = 1e-9
"""Distances closer than this, relative to the spread of scores, are equal."""


MOST_PAIRS: Final = 20_000_000
"""Pairs beyond which a list of them no longer fits beside the data."""


class TooManyPairsError(ValueError):
    """More pairs than can be listed; carries their number."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


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
    order = np.lexsort((score_comparison, cell_comparison))
    score, cell = score_comparison[order], cell_comparison[order]
    low = np.empty(score_treated.size, dtype=np.int64)
    high = np.empty_like(low)
    rows = np.argsort(cell_treated, kind="stable")
    cells, first = np.unique(cell_treated[rows], return_index=True)
    bounds = np.append(first, rows.size)
    tie = TIE * max(float(np.ptp(score_comparison)) if score_comparison.size else 0.0, 1e-12)
    for which, name in enumerate(cells):
        members = rows[bounds[which] : bounds[which + 1]]
        begin, end = np.searchsorted(cell, [name, name + 1])
        lo, hi = _runs(score[begin:end], score_treated[members], ratio, caliper, tie)
        low[members], high[members] = lo + begin, hi + begin
    return _expand(order, low, high)


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

    Points whitened by a covariance make this the Mahalanobis distance. One tree per cell.

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
    for name in np.unique(cell_treated):
        mine, theirs = np.flatnonzero(cell_treated == name), np.flatnonzero(cell_comparison == name)
        if theirs.size == 0:
            continue
        tree = KDTree(points_comparison[theirs])
        k = min(ratio, theirs.size)
        reach = tree.query(points_treated[mine], k=k)[0][:, -1]
        inside = np.minimum(reach * (1 + TIE) + 1e-12, caliper)
        hits = tree.query_radius(points_treated[mine], inside)
        sizes = np.array([h.size for h in hits], dtype=np.int64)
        treated.append(np.repeat(mine, sizes))
        comparison.append(theirs[np.concatenate(hits).astype(np.int64)])
    rows = np.concatenate(treated) if treated else np.empty(0, dtype=np.int64)
    others = np.concatenate(comparison) if comparison else np.empty(0, dtype=np.int64)
    counts = np.bincount(rows, minlength=points_treated.shape[0])
    return Pairs(
        treated=rows,
        comparison=others,
        weight=1.0 / counts[rows],
        unmatched=np.flatnonzero(counts == 0),
    )


def whiten(points: Floats, *, weight: Floats) -> Floats:
    """Coordinates in which Euclidean distance is Mahalanobis' under the overall covariance.

    Parameters
    ----------
    points : ndarray of shape (n, k)
    weight : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n, r)
        ``r`` is the rank of the covariance: collinear covariates count once.

    References
    ----------
    Rubin (1980), doi:10.2307/2529981.
    """
    centred = points - np.average(points, axis=0, weights=weight)
    total = weight.sum()
    covariance = (centred * weight[:, None]).T @ centred / (total - total / weight.size)
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    kept = values > values.max(initial=0.0) * 1e-12
    return np.asarray(centred @ (vectors[:, kept] / np.sqrt(values[kept])))
