r"""Optimal pairs: as many as can be, and of those the least total distance, proven.

A small problem is solved on all its distances (Jonker & Volgenant 1987, doi:10.1007/BF02278710). A large
one starts from each unit's nearest, and is proven by prices: with :math:`u_i` the price at which unit i is
matched and :math:`v_j\le 0` that of j, no arc left out can help when its distance is at least
:math:`u_i`. Where a unit's list ends sooner, it is lengthened and the problem solved again. The answer
is that of the full problem; only the distances that could matter are ever listed.

Distances are whole multiples of a step of about 2e-10 of the spread (``grid.py``): a total is the least but
for one step a pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial.distance import cdist

from whatworks.stats.grid import on_grid, step_of
from whatworks.stats.search import MOST_PAIRS, TooManyPairsError, nearest, nearest_allowed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Sides = tuple[Floats, Floats]

DENSE: Final = 4_000_000
"""Distances up to which all are written out at once."""
LARGEST: Final = 100_000_000
"""Distances up to which all are, once lists hold a quarter of them."""
FIRST: Final = 16
"""Nearest listed at first."""
SLACK: Final = 1e-9
"""Rounding of prices, relative to the greatest distance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """What pairs are allowed.

    Parameters
    ----------
    caliper : float
        Greatest distance, to one step of the grid.
    keys : ndarray of shape (n, c) for either side
    widths : ndarray of shape (c,)
        Greatest difference on each key.
    """

    caliper: float
    keys: Sides
    widths: Floats

    @classmethod
    def everything(cls, n: int, m: int) -> Within:
        """No confinement."""
        return cls(caliper=np.inf, keys=(np.empty((n, 0)), np.empty((m, 0))), widths=np.empty(0))

    def rows(self, one: Ints, other: Ints) -> Within:
        """The same for some units of either side."""
        return Within(
            caliper=self.caliper,
            keys=(self.keys[0][one], self.keys[1][other]),
            widths=self.widths,
        )

    def turned(self) -> Within:
        """The same with sides exchanged."""
        return Within(caliper=self.caliper, keys=self.keys[::-1], widths=self.widths)

    def distances(self, points: Sides) -> Floats:
        """All distances, infinite where a pair is not allowed."""
        step = step_of(points)
        found = on_grid(cdist(*points), step)
        found[found > self.caliper + step] = np.inf
        for c, width in enumerate(self.widths):
            found[np.abs(self.keys[0][:, None, c] - self.keys[1][None, :, c]) > width] = np.inf
        return found

    def nearest(self, points: Sides, rows: Ints, k: int) -> tuple[Ints, Ints, Floats]:
        """The ``k`` nearest allowed of some rows, and those that tie with the last."""
        asked, step = points[0][rows], step_of(points)
        caliper = self.caliper + step
        if self.widths.size:
            keys = self.keys[0][rows], self.keys[1]
            found = nearest_allowed(
                asked, points[1], keys=keys, widths=self.widths, k=k, caliper=caliper
            )
        else:
            found = nearest(asked, points[1], k=k, caliper=caliper)
        return rows[found.query], found.point, on_grid(found.distance, step)


def members(cells: tuple[Ints, Ints]) -> Iterator[tuple[Ints, Ints]]:
    """Positions of either side in each cell that has both."""
    order = tuple(np.argsort(side, kind="stable") for side in cells)
    for name in np.intersect1d(*cells):
        one, other = (
            rows[slice(*np.searchsorted(side[rows], [name, name + 1]))]
            for side, rows in zip(cells, order, strict=True)
        )
        yield one, other


def pairs_in_cells(
    points: Sides,
    cells: tuple[Ints, Ints],
    *,
    ratio: int = 1,
    within: Within | None = None,
) -> tuple[Ints, Ints]:
    """Optimal pairs in a space, cell by cell.

    Parameters
    ----------
    points : ndarray of shape (n, r) and (m, r)
        Units matched, and their comparisons, each of which serves once.
    cells : ndarray of int, shape (n,) and (m,)
    ratio : int
        Comparisons per unit, at most.
    within : Within, optional

    Returns
    -------
    unit, comparison : ndarray of int, shape (n_pairs,)

    Raises
    ------
    TooManyPairsError
        When the distances that could matter do not fit in memory.
    """
    within = within or Within.everything(points[0].shape[0], points[1].shape[0])
    unit, comparison = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for one, other in members(cells):
        seats = np.repeat(one, ratio)
        inside = within.rows(seats, other)
        row, column = optimal_pairs((points[0][seats], points[1][other]), inside)
        unit.append(seats[row])
        comparison.append(other[column])
    return np.concatenate(unit), np.concatenate(comparison)


def optimal_pairs(points: Sides, within: Within) -> tuple[Ints, Ints]:
    """Most pairs, each unit in one at most, of least total distance."""
    n, m = points[0].shape[0], points[1].shape[0]
    if n > m:
        column, row = optimal_pairs(points[::-1], within.turned())
        return row, column
    if n * m <= DENSE:
        return _dense(within.distances(points))
    return _grown(points, within)


def _dense(distance: Floats) -> tuple[Ints, Ints]:
    allowed = np.isfinite(distance)
    greatest = float(distance[allowed].max(initial=0.0))
    # Dearer than all pairs together: a pair is given up only when one more cannot be made.
    cost = np.where(allowed, distance, (distance.shape[0] + 1) * max(greatest, 1.0))
    row, column = linear_sum_assignment(cost)
    made = allowed[row, column]
    return row[made].astype(np.int64), column[made].astype(np.int64)


def _grown(points: Sides, within: Within) -> tuple[Ints, Ints]:
    """Pairs on lists of nearest that are lengthened until prices prove that nothing is missing."""
    n, m = points[0].shape[0], points[1].shape[0]
    length = np.full(n, min(FIRST, m))
    row, column, cost = within.nearest(points, np.arange(n), int(length[0]))
    while True:
        # A unit alone with a place of its own stands for no match, at a price above all pairs.
        alone = (n + 1) * max(float(cost.max(initial=0.0)), 1.0)
        match, price = _solved(row, column, cost, shape=(n, m), alone=alone)
        listed = np.bincount(row, minlength=n)
        reach = np.zeros(n)
        np.maximum.at(reach, row, cost)
        slack = SLACK * max(float(cost.max(initial=0.0)), 1e-300)
        # A list shorter than asked holds everyone allowed.
        short = (listed >= length) & (length < m) & (reach < price - slack)
        if not short.any():
            made = match < m
            return np.flatnonzero(made), match[made]
        length[short] = np.minimum(4 * length[short], m)
        if 4 * length.sum() > n * m and n * m <= LARGEST:
            return _dense(within.distances(points))
        if length.sum() > MOST_PAIRS:
            raise TooManyPairsError(int(length.sum()))
        kept = ~short[row]
        lists = [(row[kept], column[kept], cost[kept])]
        lists += [
            within.nearest(points, np.flatnonzero(short & (length == k)), int(k))
            for k in np.unique(length[short])
        ]
        row, column, cost = (np.concatenate(part) for part in zip(*lists, strict=True))


def _solved(
    row: Ints, column: Ints, cost: Floats, *, shape: tuple[int, int], alone: float
) -> tuple[Ints, Floats]:
    r"""Least cost assignment over listed arcs, and the price of each row.

    Returns
    -------
    match : ndarray of int, shape (n,)
        Column of each row; ``m + i`` for row i left alone.
    price : ndarray of shape (n,)
        Smallest :math:`u_i` that, with some :math:`v_j\le 0`, proves the assignment.
    """
    n, m = shape
    rows, columns = np.concatenate([row, np.arange(n)]), np.concatenate([column, m + np.arange(n)])
    costs = np.concatenate([cost, np.full(n, alone)])
    # Every row takes one arc, so a constant on all changes nothing; a cost of zero would be no arc.
    graph = csr_array((costs + 1.0, (rows, columns)), shape=(n, m + n))
    found, match = min_weight_full_bipartite_matching(graph)
    taken = np.empty(n, dtype=np.int64)
    taken[found] = match
    return taken, _prices(rows, columns, costs, taken, n_columns=m + n)


def _prices(row: Ints, column: Ints, cost: Floats, match: Ints, *, n_columns: int) -> Floats:
    r"""Prices of rows: what they pay, and what others would pay for their match.

    The least :math:`p\ge 0` with :math:`p_{i'}\ge p_i-(c_{im(i')}-c_{im(i)})` over arcs to taken
    columns; then :math:`u_i=c_{im(i)}+p_i` and :math:`v_{m(i)}=-p_i`.
    """
    n = match.size
    owner = np.full(n_columns, -1, dtype=np.int64)
    owner[match] = np.arange(n)
    paid = np.zeros(n)
    own = column == match[row]
    paid[row[own]] = cost[own]
    rival = owner[column]
    arcs = (rival >= 0) & (rival != row)
    giver, taker = row[arcs], rival[arcs]
    saving = paid[giver] - cost[arcs]
    extra = np.zeros(n)
    for _ in range(n + 1):
        wanted = extra[giver] + saving
        more = wanted > extra[taker] + 1e-15 * (1.0 + np.abs(wanted))
        if not more.any():
            return paid + extra
        np.maximum.at(extra, taker[more], wanted[more])
    raise ArithmeticError("an assignment that is not optimal has no prices")
