r"""Optimal full matching: everyone within reach in a set around one of its members, proven optimal.

Sets in which either one treated or one comparison stands alone, of least total distance to that one
(Rosenbaum 1991, doi:10.1111/j.2517-6161.1991.tb01848.x; Hansen & Klopfer 2006,
doi:10.1198/106186006X137047), are a least edge cover: whoever is not paired joins its nearest, so that

.. math:: \sum_vn_v+\min_M\sum_{(i,j)\in M}(d_{ij}-n_i-n_j)

with :math:`n_v` the distance of v to its nearest and M any matching. Only pairs with
:math:`d_{ij}<n_i+n_j` can lower it: the network that matters is about as large as the data, under any
distance, caliper or cell, and nothing is left out that could change the answer.

With a largest size of sets the reduction does not hold: on a line gaps decide (``line.py``), elsewhere a
linear programme whose vertices are whole numbers, on all pairs allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

from whatworks.stats.flow import LARGEST, Sides, Within
from whatworks.stats.grid import on_grid, step_of
from whatworks.stats.line import degrees_on_line
from whatworks.stats.search import MOST_PAIRS, TooManyPairsError
from whatworks.stats.subclass import rows_numbered

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Edges = tuple[Ints, Ints, Floats]

MOST_ARCS: Final = 2_000_000
"""Pairs allowed beyond which the linear programme takes too long."""


def full_sets(
    points: Sides,
    within: Within,
    *,
    most: tuple[int | None, int | None] = (None, None),
    on_line: bool = False,
) -> tuple[Ints, Ints]:
    """Optimal full matching of two arms.

    Parameters
    ----------
    points : ndarray of shape (n, r) and (m, r)
    within : Within
    most : tuple of (int or None, int or None)
        Most of the first arm around one of the second, and of the second around one of the first.
        As many as these allow are in sets, and of such sets the total distance is least.
    on_line : bool
        ``r`` is 1 and nothing confines pairs.

    Returns
    -------
    number : ndarray of int, shape (n,) and (m,)
        Set of each, from 0; −1 for those in none.

    Raises
    ------
    TooManyPairsError
    """
    sizes = points[0].shape[0], points[1].shape[0]
    if points[0].shape[1] == 1:
        step = step_of(points)
        points = on_grid(points[0], step), on_grid(points[1], step)
    if most == (None, None):
        edges = _least_cover(points, within)
    elif on_line:
        edges = _bounded_on_line(points, most)
    else:
        if sizes[0] * sizes[1] > LARGEST:
            raise TooManyPairsError(sizes[0] * sizes[1])
        edges = _programme(within.distances(points), most)
    row, column, _ = _stars(edges, sizes)
    graph = coo_array((np.ones(row.size), (row, sizes[0] + column)), shape=(sum(sizes),) * 2)
    _, label = connected_components(graph, directed=False)
    inside = np.zeros(sum(sizes), dtype=bool)
    inside[row] = inside[sizes[0] + column] = True
    number = np.full(sum(sizes), -1, dtype=np.int64)
    number[inside] = np.unique(label[inside], return_inverse=True)[1]
    return number[: sizes[0]], number[sizes[0] :]


@dataclass(frozen=True, slots=True)
class _Side:
    """One arm by the different places its units are at.

    Parameters
    ----------
    place : ndarray of int, shape (n,)
        Of each unit.
    members : ndarray of int, shape (n,)
        Units by place.
    start : ndarray of int, shape (n_places + 1,)
        Where the units of a place begin among ``members``.
    """

    place: Ints
    members: Ints
    start: Ints

    @classmethod
    def of(cls, columns: Floats) -> _Side:
        """Places of units from the rows of a matrix."""
        place = rows_numbered(list(columns.T))
        members = np.argsort(place, kind="stable")
        return cls(place, members, np.searchsorted(place[members], np.arange(place.max() + 2)))

    @property
    def first(self) -> Ints:
        """A unit of each place."""
        return np.asarray(self.members[self.start[:-1]])

    @property
    def size(self) -> Ints:
        """Units of each place."""
        return np.diff(self.start)


def _least_cover(points: Sides, within: Within) -> Edges:
    """Edges of least total distance that leave nobody within reach of someone uncovered."""
    step = step_of(points)
    sides = tuple(
        _Side.of(np.column_stack([on_grid(p, step), k]))
        for p, k in zip(points, within.keys, strict=True)
    )
    places = points[0][sides[0].first], points[1][sides[1].first]
    inside = within.rows(sides[0].first, sides[1].first)
    near = _nearest(places, inside), _nearest(places[::-1], inside.turned())
    paired = _gainful(sides, near, *_close(places, inside, near, step_of(places)))
    free = [np.ones(side.place.size, dtype=bool) for side in sides]
    free[0][paired[0]] = free[1][paired[1]] = False
    joined = [_joined(sides[s], sides[1 - s], near[s], free[s]) for s in (0, 1)]
    return (
        np.concatenate([paired[0], joined[0][0], joined[1][1]]),
        np.concatenate([paired[1], joined[0][1], joined[1][0]]),
        np.concatenate([paired[2], joined[0][2], joined[1][2]]),
    )


def _nearest(places: Sides, within: Within) -> tuple[Ints, Floats]:
    """Nearest place of the other side, and its distance: −1 and infinity where none is allowed."""
    n = places[0].shape[0]
    row, column, distance = within.nearest(places, np.arange(n), 1)
    nearest, least = np.full(n, -1, dtype=np.int64), np.full(n, np.inf)
    nearest[row[::-1]], least[row[::-1]] = column[::-1], distance[::-1]
    return nearest, least


def _close(
    places: Sides,
    within: Within,
    near: tuple[tuple[Ints, Floats], tuple[Ints, Floats]],
    step: float,
) -> Edges:
    """Places nearer to each other than their two nearest distances together.

    One of them then lies within twice the nearest distance of the other, so balls find them all.
    """
    keys, width = [], places[1].shape[0]
    for s, (mine, theirs) in enumerate((places, places[::-1])):
        least = near[s][1]
        rows = np.flatnonzero((least > 0) & np.isfinite(least))
        if not rows.size:
            continue
        tree, radius = cKDTree(theirs), 2 * least[rows] + step
        count = tree.query_ball_point(mine[rows], radius, return_length=True)
        if count.sum() > MOST_PAIRS:
            raise TooManyPairsError(int(count.sum()))
        hits = tree.query_ball_point(mine[rows], radius)
        asked = np.repeat(rows, count)
        found = np.concatenate([np.asarray(h, dtype=np.int64) for h in hits])
        keys.append(asked * width + found if s == 0 else found * width + asked)
    both = np.unique(np.concatenate(keys)) if keys else np.empty(0, dtype=np.int64)
    row, column = both // width, both % width
    distance = on_grid(np.sqrt(((places[0][row] - places[1][column]) ** 2).sum(axis=1)), step)
    apart = np.abs(within.keys[0][row] - within.keys[1][column]) > within.widths
    gain = near[0][1][row] + near[1][1][column] - distance
    kept = (gain > step / 2) & (distance <= within.caliper + step) & ~apart.any(axis=1)
    kept &= np.isfinite(gain)
    return row[kept], column[kept], distance[kept]


def _gainful(
    sides: tuple[_Side, ...],
    near: tuple[tuple[Ints, Floats], tuple[Ints, Floats]],
    row: Ints,
    column: Ints,
    distance: Floats,
) -> Edges:
    """The matching of units at close places that lowers the cover most."""
    gain = near[0][1][row] + near[1][1][column] - distance
    many = sides[0].size[row] * sides[1].size[column]
    if many.sum() > MOST_PAIRS:
        raise TooManyPairsError(int(many.sum()))
    arc = np.repeat(np.arange(row.size), many)
    rank = np.arange(arc.size) - np.repeat(np.cumsum(many) - many, many)
    across = sides[1].size[column[arc]]
    unit = sides[0].members[sides[0].start[row[arc]] + rank // across]
    other = sides[1].members[sides[1].start[column[arc]] + rank % across]
    if not arc.size:
        return unit, other, distance[:0]
    units, one = np.unique(unit, return_inverse=True)
    others, two = np.unique(other, return_inverse=True)
    # Each unit may stay unpaired, at a place of its own that gains nothing.
    ceiling = 2 * float(gain.max())
    cost = np.concatenate([ceiling - gain[arc], np.full(units.size, ceiling)])
    columns = np.concatenate([two, others.size + np.arange(units.size)])
    rows = np.concatenate([one, np.arange(units.size)])
    shape = (units.size, others.size + units.size)
    found, match = min_weight_full_bipartite_matching(
        csr_array((cost, (rows, columns)), shape=shape)
    )
    made = match < others.size
    pair = units[found[made]], others[match[made]]
    key = unit * (sides[1].place.size + 1) + other
    order = np.argsort(key)
    at = order[np.searchsorted(key[order], pair[0] * (sides[1].place.size + 1) + pair[1])]
    return pair[0], pair[1], distance[arc[at]]


def _joined(
    mine: _Side, theirs: _Side, near: tuple[Ints, Floats], free: NDArray[np.bool_]
) -> Edges:
    """Units not paired, each with a unit of its nearest place; those of a place share in turn."""
    unit = mine.members[free[mine.members]]
    place = mine.place[unit]
    unit, place = unit[near[0][place] >= 0], place[near[0][place] >= 0]
    target, distance = near[0][place], near[1][place]
    order = np.lexsort((distance, target))
    unit, target, distance = unit[order], target[order], distance[order]
    turn = np.arange(unit.size) - np.searchsorted(target, target)
    other = theirs.members[theirs.start[target] + turn % theirs.size[target]]
    return unit, other, distance


def _bounded_on_line(points: Sides, most: tuple[int | None, int | None]) -> Edges:
    """Sets of limited size on a line."""
    order = [np.argsort(side[:, 0], kind="stable") for side in points]
    n, m = (side.size for side in order)
    around = [m if most[1] is None else most[1], n if most[0] is None else most[0]]
    bounds = [(1, around[0]), (1, around[1])]
    if n * around[0] < m:  # the second arm has more than all sets can hold
        bounds = [(around[0], around[0]), (0, 1)]
    elif m * around[1] < n:
        bounds = [(0, 1), (around[1], around[1])]
    score = np.concatenate([points[s][order[s], 0] for s in (0, 1)])
    by_score = np.argsort(score, kind="stable")
    is_unit = np.arange(n + m) < n
    degree = np.empty(n + m, dtype=np.int64)
    degree[by_score] = degrees_on_line(
        score[by_score], is_unit[by_score], units=bounds[0], others=bounds[1]
    )
    row, column = np.repeat(order[0], degree[:n]), np.repeat(order[1], degree[n:])
    key = np.unique(row * m + column)
    row, column = key // m, key % m
    return row, column, np.abs(points[0][row, 0] - points[1][column, 0])


def _programme(distance: Floats, most: tuple[int | None, int | None]) -> Edges:
    """Sets of limited size on all pairs allowed."""
    row, column = np.nonzero(np.isfinite(distance))
    if row.size > MOST_ARCS:
        raise TooManyPairsError(row.size)
    cost = distance[row, column]
    if not cost.size:
        return row, column, cost
    reached = [np.unique(side, return_inverse=True)[1] for side in (row, column)]
    sizes = [int(side.max(initial=-1)) + 1 for side in reached]
    around = np.repeat([np.inf if n is None else float(n) for n in most[::-1]], sizes)
    n_nodes = around.size
    node = np.concatenate([reached[0], sizes[0] + reached[1]])
    arc = np.tile(np.arange(row.size), 2)
    # First no node above its limit, then none below one match, unless it pays to be alone.
    entries = (
        (np.ones(node.size), node, arc),
        (-np.ones(node.size), n_nodes + node, arc),
        (-np.ones(n_nodes), n_nodes + np.arange(n_nodes), row.size + np.arange(n_nodes)),
    )
    value, at, variable = (np.concatenate(part) for part in zip(*entries, strict=True))
    matrix = csr_array((value, (at, variable)), shape=(2 * n_nodes, row.size + n_nodes))
    limited = np.concatenate([np.isfinite(around), np.ones(n_nodes, dtype=bool)])
    # A node stays in no set only when no set can take it: it costs more than all distances.
    alone = (n_nodes + 1.0) * max(float(cost.max(initial=0.0)), 1.0)
    found = linprog(  # type: ignore[call-overload] # its stubs know no sparse constraints
        np.concatenate([cost, np.full(n_nodes, alone)]),
        A_ub=matrix[np.flatnonzero(limited)],
        b_ub=np.concatenate([around, -np.ones(n_nodes)])[limited],
        bounds=(0.0, 1.0),
        method="highs-ds",
    )
    if not found.success:
        raise ArithmeticError("the programme of a full matching has a solution that was not found")
    used = found.x[: row.size] > 0.5
    return row[used].astype(np.int64), column[used].astype(np.int64), cost[used]


def _stars(edges: Edges, sizes: tuple[int, int]) -> Edges:
    """Edges less those both of whose ends have others, the longest first: what is left are stars."""
    row, column, distance = edges
    if row.size:
        key = np.unique(row * sizes[1] + column, return_index=True)[1]
        row, column, distance = row[key], column[key], distance[key]
    degree = [np.bincount(side, minlength=n) for side, n in zip((row, column), sizes, strict=True)]
    spare = np.flatnonzero((degree[0][row] > 1) & (degree[1][column] > 1))
    kept = np.ones(row.size, dtype=bool)
    for edge in spare[np.argsort(-distance[spare], kind="stable")].tolist():
        one, other = row[edge], column[edge]
        if degree[0][one] > 1 and degree[1][other] > 1:
            kept[edge] = False
            degree[0][one] -= 1
            degree[1][other] -= 1
    return row[kept], column[kept], distance[kept]
