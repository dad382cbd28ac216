r"""Exact nearest neighbours in a space of any dimension, every tie found, in bounded memory.

Two searches give the same answer. A tree prunes well where dimensions are few. Beyond, it visits most
of the points, and blocked products are quicker: :math:`|y|^2-2x'y` for a tile at a time in single
precision, of which only the least of each group of points is kept. Groups that could hold a neighbour,
the error of single precision allowed for, are then measured again in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from whatworks.stats.threads import one_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]

TIE: Final = 1e-9
"""Distances closer than this, relative to their size, are equal."""
MOST_PAIRS: Final = 20_000_000
"""Pairs beyond which a list of them no longer fits beside the data."""
FEW_DIMENSIONS: Final = 7
"""Up to this many a tree is the quicker; measured by ``benchmarks/match.py``."""
FEW_POINTS: Final = 256
"""Up to this many points no tree is worth its building."""
QUERIES: Final = 256
POINTS: Final = 1_024
GROUP: Final = 64
"""Shape of a tile, and of the groups whose least distance is kept: a core's own memory holds it."""
TILE: Final = 4_000_000
"""Distances held at once where keys confine them."""
SINGLE: Final = 2.4e-7
"""Twice the rounding of single precision."""


class TooManyPairsError(ValueError):
    """More pairs than can be listed; carries their number."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Neighbours found, by query then by distance then by position.

    Parameters
    ----------
    query, point : ndarray of int, shape (n_pairs,)
    distance : ndarray of shape (n_pairs,)
    """

    query: Ints
    point: Ints
    distance: Floats


def nearest(queries: Floats, points: Floats, *, k: int, caliper: float = np.inf) -> Near:
    """The ``k`` nearest points of each query by Euclidean distance, and all that tie with the last.

    Parameters
    ----------
    queries, points : ndarray of shape (n_queries, r), (n_points, r)
    k : int
    caliper : float
        Greatest distance allowed.

    Raises
    ------
    TooManyPairsError
    """
    if not (queries.shape[0] and points.shape[0]):
        empty = np.empty(0, dtype=np.int64)
        return Near(query=empty, point=empty, distance=np.empty(0))
    k = min(k, points.shape[0])
    few = queries.shape[1] <= FEW_DIMENSIONS and points.shape[0] > FEW_POINTS
    found = _by_tree(queries, points, k) if few else _by_products(queries, points, k)
    return _closest(*found, k=k, caliper=caliper)


def nearest_allowed(
    queries: Floats,
    points: Floats,
    *,
    keys: tuple[Floats, Floats],
    widths: Floats,
    k: int,
    caliper: float = np.inf,
) -> Near:
    """The ``k`` nearest points among those within reach on every key, and all that tie.

    The narrowest key is sorted, so that a block of queries meets a window of points only.

    Parameters
    ----------
    queries, points : ndarray of shape (n_queries, r), (n_points, r)
    keys : ndarray of shape (n_queries, c) and (n_points, c)
    widths : ndarray of shape (c,)
        Greatest difference allowed on each key.
    k : int
    caliper : float

    Raises
    ------
    TooManyPairsError
    """
    spread = np.ptp(keys[1], axis=0) if points.shape[0] else np.ones(widths.size)
    first = int(np.argmin(widths / np.where(spread > 0, spread, 1.0)))
    mine, theirs = (np.argsort(side[:, first], kind="stable") for side in keys)
    asked, offered = keys[0][mine], keys[1][theirs]
    begin, total = 0, 0
    found: list[tuple[Ints, Ints, Floats]] = []
    while begin < mine.size:
        low = int(np.searchsorted(offered[:, first], asked[begin, first] - widths[first]))
        end = min(begin + QUERIES, mine.size)
        high = int(
            np.searchsorted(offered[:, first], asked[end - 1, first] + widths[first], side="right")
        )
        end = min(end, begin + max(1, TILE // max(high - low, 1)))
        rows, window = mine[begin:end], theirs[low:high]
        square = _squares(queries[rows], points[window])
        for c, width in enumerate(widths):
            apart = np.abs(asked[begin:end, None, c] - offered[None, low:high, c]) > width
            square[apart] = np.inf
        query, point, distance = _least(square, k)
        total += query.size
        if total > MOST_PAIRS:
            raise TooManyPairsError(total)
        found.append((rows[query], window[point], distance))
        begin = end
    if not found:
        return nearest(queries[:0], points, k=k)
    query, point, distance = (np.concatenate(side) for side in zip(*found, strict=True))
    return _closest(query, point, distance, k=k, caliper=caliper)


def _squares(queries: Floats, points: Floats) -> Floats:
    """Squared distances of every query to every point, without the cancellation of products."""
    square = np.zeros((queries.shape[0], points.shape[0]))
    for j in range(queries.shape[1]):
        square += (queries[:, None, j] - points[None, :, j]) ** 2
    return square


def _least(square: Floats, k: int) -> tuple[Ints, Ints, Floats]:
    """Pairs no farther than the k-th of each row, the infinitely far left out."""
    if not square.shape[1]:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
    rank = min(k, square.shape[1]) - 1
    reach = np.partition(square, rank, axis=1)[:, rank] * (1 + 4 * TIE) + 1e-24
    query, point = np.nonzero((square <= reach[:, None]) & np.isfinite(square))
    return query, point, np.sqrt(square[query, point])


def in_order(query: Ints, point: Ints, distance: Floats) -> Ints:
    """Order of pairs by query, then distance, then position where distances are equal.

    Equal but for rounding is equal: else the last digit would choose among ties.
    """
    order = np.lexsort((distance, query))
    apart = np.diff(distance[order], prepend=-np.inf) > TIE * distance[order] + 1e-12
    rank = np.cumsum(apart | (np.diff(query[order], prepend=-1) != 0))
    return np.asarray(order[np.lexsort((point[order], rank))])


def _closest(query: Ints, point: Ints, distance: Floats, *, k: int, caliper: float) -> Near:
    """Of measured pairs, those within the k-th distance of their query or tied with it."""
    order = in_order(query, point, distance)
    query, point, distance = query[order], point[order], distance[order]
    fresh = np.flatnonzero(np.diff(query, prepend=-1))
    last = np.minimum(fresh + k, np.append(fresh[1:], query.size)) - 1
    # Of a tied group the last is no farther than rounding from the others.
    reach = np.repeat(distance[last], np.diff(np.append(fresh, query.size)))
    kept = distance <= np.minimum(reach * (1 + TIE) + 1e-12, caliper)
    return Near(query=query[kept], point=point[kept], distance=distance[kept])


def _by_tree(queries: Floats, points: Floats, k: int) -> tuple[Ints, Ints, Floats]:
    """One query of a tree for one neighbour more than asked; balls where that one ties."""
    tree = cKDTree(points)
    ask = min(k + 1, points.shape[0])
    distance, point = (np.reshape(a, (-1, ask)) for a in tree.query(queries, k=ask))
    reach = distance[:, k - 1] * (1 + TIE) + 1e-12
    tied = np.flatnonzero(distance[:, -1] <= reach) if ask > k else np.empty(0, dtype=np.int64)
    clear = np.ones(queries.shape[0], dtype=bool)
    clear[tied] = False
    rows = np.repeat(np.flatnonzero(clear), k)
    found = [rows], [point[clear, :k].ravel()], [distance[clear, :k].ravel()]
    total = rows.size
    for begin in range(0, tied.size, QUERIES):
        some = tied[begin : begin + QUERIES]
        balls = tree.query_ball_point(queries[some], reach[some] * (1 + TIE))
        sizes = np.array([len(b) for b in balls], dtype=np.int64)
        total += int(sizes.sum())
        if total > MOST_PAIRS:
            raise TooManyPairsError(total)
        mine, theirs = np.repeat(some, sizes), np.concatenate(balls).astype(np.int64)
        for part, values in zip(
            found, (mine, theirs, _measured(queries, points, mine, theirs)), strict=True
        ):
            part.append(values)
    return np.concatenate(found[0]), np.concatenate(found[1]), np.concatenate(found[2])


def _measured(queries: Floats, points: Floats, mine: Ints, theirs: Ints) -> Floats:
    """Euclidean distance of pairs."""
    square = np.zeros(mine.size)
    for j in range(queries.shape[1]):
        square += (queries[mine, j] - points[theirs, j]) ** 2
    return np.sqrt(square)


def _by_products(queries: Floats, points: Floats, k: int) -> tuple[Ints, Ints, Floats]:
    """Tiles of products, then the few groups that could hold a neighbour."""
    found: list[tuple[Ints, Ints, Floats]] = []
    total = 0
    with one_thread():
        for rows, groups, reach in _groups_in_reach(queries, points, k):
            for begin in range(0, rows.size, POINTS):
                part = slice(begin, begin + POINTS)
                found.append(_within(queries, points, rows[part], groups[part], reach[part]))
                total += found[-1][0].size
                if total > MOST_PAIRS:
                    raise TooManyPairsError(total)
    query, point, distance = (np.concatenate(side) for side in zip(*found, strict=True))
    return query, point, distance


def _within(
    queries: Floats, points: Floats, rows: Ints, groups: Ints, reach: Floats
) -> tuple[Ints, Ints, Floats]:
    """Pairs of a query and the points of a group no farther than its reach."""
    theirs = groups[:, None] * GROUP + np.arange(GROUP)
    inside = theirs < points.shape[0]
    theirs = np.minimum(theirs, points.shape[0] - 1)
    gaps = points[theirs] - queries[rows][:, None, :]
    distance = np.sqrt(np.einsum("gpk,gpk->gp", gaps, gaps))
    at, which = np.nonzero(inside & (distance <= reach[:, None]))
    return rows[at], theirs[at, which], distance[at, which]


def _groups_in_reach(
    queries: Floats, points: Floats, k: int
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """For a block of queries at a time: queries, groups that could hold a neighbour, and reach."""
    n_points, r = points.shape
    n_groups = -(-n_points // GROUP)
    left = np.zeros((n_groups * GROUP, r + 1), dtype=np.float32)
    left[:n_points, :r] = -2 * points
    left[:n_points, r] = np.einsum("pk,pk->p", points, points)
    left[n_points:, r] = np.finfo(np.float32).max / 4
    own = np.einsum("qk,qk->q", queries, queries)
    product = np.empty((POINTS, QUERIES), dtype=np.float32)
    least = np.empty((n_groups, QUERIES), dtype=np.float32)
    for begin in range(0, queries.shape[0], QUERIES):
        rows = slice(begin, begin + QUERIES)
        right = np.ones((r + 1, QUERIES), dtype=np.float32)
        right[:r, : own[rows].size] = queries[rows].T
        for top in range(0, left.shape[0], POINTS):
            tile = left[top : top + POINTS]
            values = np.matmul(tile, right, out=product[: tile.shape[0]])
            np.minimum.reduce(
                values.reshape(-1, GROUP, QUERIES),
                axis=1,
                out=least[top // GROUP : (top + tile.shape[0]) // GROUP],
            )
        yield _in_reach(least[:, : own[rows].size], own[rows], k, begin, r)


def _in_reach(least: Singles, own: Floats, k: int, begin: int, r: int) -> tuple[Ints, Ints, Floats]:
    """Groups whose least distance is within that of the k-th group, roundings allowed for."""
    rank = min(k, least.shape[0]) - 1
    if k > least.shape[0]:
        bound = np.full(own.size, np.inf)
    elif rank == 0:
        bound = least.min(axis=0).astype(float)
    else:
        bound = np.partition(least, rank, axis=0)[rank].astype(float)
    reach = np.sqrt(np.maximum(bound + own, 0.0))
    slack = (r + 4) * SINGLE * (2 * np.sqrt(own) + reach) ** 2 + 1e-12
    slack[np.isinf(bound)] = 0.0
    groups, rows = np.nonzero(least <= (bound + slack).astype(np.float32))
    widest = np.sqrt(np.maximum(bound + own + slack, 0.0)) * (1 + 1e-6) + 1e-12
    return rows + begin, groups, widest[rows]
