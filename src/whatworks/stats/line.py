r"""Optimal pairs and degrees on a line, where who goes to whom is decided by what crosses each gap.

Distances along a line add up over the gaps between neighbouring scores. With :math:`F_k` the units still
without a match (if negative, the comparisons taken in advance) when gap k is crossed, the total distance is
:math:`\sum_k g_k|F_k|`, and each score moves F by as many as it asks for or gives: the least total is a
shortest path of one number. One sweep finds it, keeping the convex function of F as its breakpoints; one
sweep back reads it (a flow on a path; Ahuja, Magnanti & Orlin 1993, Network Flows).

A caliper limits single distances, which gaps do not see. Where the free optimum breaks it, units are
matched in order: of two pairs that cross, uncrossing lengthens neither the sum nor the longest.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.grid import on_grid, step_of
from whatworks.stats.search import TooManyPairsError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bounds = tuple[int, float]

MOST_STEPS: Final = 1_000_000_000
"""Allowed pairs beyond which matching in order does not fit in memory."""


@dataclass(slots=True)
class _Convex:
    """A convex function of a whole number, by its breakpoints on either side of its least.

    Parameters
    ----------
    left, right : heaps of (key, change of slope)
        A breakpoint lies at ``shifts[0] - key`` on the left, at ``shifts[1] + key`` on the right.
    shifts : list of float
        What applies to all of a side. At first only 0 is allowed: slopes beyond are infinite.
    """

    left: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, np.inf)])
    right: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, np.inf)])
    shifts: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def step(self, low: float, high: float) -> None:
        """Least over a step from ``low`` to ``high``."""
        self.shifts[0] += low
        self.shifts[1] += high

    def least(self) -> float:
        """Lowest place at which the function is least."""
        return self.shifts[0] - self.left[0][0]

    def add_gap(self, gap: float) -> None:
        """Add ``gap`` times the absolute value."""
        heapq.heappush(self.left, (self.shifts[0], gap))
        self._pour(self.left, self.right, gap)
        heapq.heappush(self.right, (-self.shifts[1], gap))
        self._pour(self.right, self.left, gap)

    def _pour(
        self, source: list[tuple[float, float]], target: list[tuple[float, float]], amount: float
    ) -> None:
        """Carry breakpoints worth ``amount`` of slope to the other side of the least."""
        across = self.shifts[0] - self.shifts[1]
        while amount > 0:
            key, slope = source[0]
            taken = min(slope, amount)
            heapq.heappush(target, (across - key, taken))
            amount -= taken
            if taken < slope:
                source[0] = (key, slope - taken)
            else:
                heapq.heappop(source)


def degrees_on_line(score: Floats, is_unit: Bools, *, units: Bounds, others: Bounds) -> Ints:
    """How many matches each has, at the least total distance.

    Parameters
    ----------
    score : ndarray of shape (n,)
        Increasing.
    is_unit : ndarray of bool, shape (n,)
    units, others : tuple of (int, int)
        Fewest and most matches of a unit, and of each of the others. Some total must suit both.

    Returns
    -------
    ndarray of int, shape (n,)
    """
    gaps = np.diff(score).tolist()
    steps = [units if unit else (-others[1], -others[0]) for unit in is_unit.tolist()]
    least = [0.0]
    path = _Convex()
    for step, gap in zip(steps, [*gaps, 0.0], strict=True):
        path.step(*step)
        if gap > 0:
            path.add_gap(gap)
        least.append(path.least())
    degree = np.empty(score.size, dtype=np.int64)
    crossing = 0.0
    for k in range(score.size - 1, -1, -1):
        low, high = steps[k]
        before = min(max(least[k], crossing - high), crossing - low)
        degree[k] = abs(round(crossing - before))
        crossing = before
    return degree


def pairs_on_line(
    units: Floats, others: Floats, *, ratio: int = 1, caliper: float = np.inf
) -> tuple[Ints, Ints]:
    """As many pairs as can be, and of those the least total distance; each other serves once.

    Parameters
    ----------
    units, others : ndarray of shape (n,), (m,)
        Scores.
    ratio : int
        Pairs of a unit, at most.
    caliper : float
        Greatest distance of a pair, to one step of the grid.

    Returns
    -------
    unit, other : ndarray of int, shape (n_pairs,)

    Raises
    ------
    TooManyPairsError
        When the caliper binds and allows more pairs than can be weighed.
    """
    step = step_of((units[:, None], others[:, None]))
    units, others = on_grid(units, step), on_grid(others, step)
    mine, theirs = np.argsort(units, kind="stable"), np.argsort(others, kind="stable")
    score = np.concatenate([units[mine], others[theirs]])
    is_unit = np.arange(score.size) < mine.size
    order = np.argsort(score, kind="stable")
    enough = ratio * mine.size <= theirs.size
    bounds = ((ratio, ratio), (0, 1)) if enough else ((0, ratio), (1, 1))
    degree = np.empty(score.size, dtype=np.int64)
    degree[order] = degrees_on_line(score[order], is_unit[order], units=bounds[0], others=bounds[1])
    unit, other = np.repeat(mine, degree[is_unit]), theirs[degree[~is_unit] > 0]
    if (np.abs(units[unit] - others[other]) <= caliper + step).all():
        return unit, other
    seats = np.repeat(mine, ratio)
    row, column = _in_order(units[seats], others[theirs], caliper + step)
    return seats[row], theirs[column]


def _in_order(units: Floats, others: Floats, caliper: float) -> tuple[Ints, Ints]:
    r"""Pairs within a caliper by recursion over units in order and the others before them.

    With :math:`D_{ij}` the least cost of the first i units matched among the first j others,
    :math:`D_{ij}=\min(D_{i-1,j}+M,\ \min_{j'\le j}D_{i-1,j'-1}+|u_i-o_{j'}|)`, where M, the price of
    no match, is above all distances together.
    """
    low = np.searchsorted(others, units - caliper)
    high = np.searchsorted(others, units + caliper, side="right")
    steps = int((high - low).sum())
    if steps > MOST_STEPS:
        raise TooManyPairsError(steps)
    alone = (units.size + 1) * caliper
    begin, cost = 0, np.zeros(1)
    traces = []
    for unit, first, last in zip(units.tolist(), low.tolist(), high.tolist(), strict=True):
        # Beyond the last of the others that were within reach of anyone before, nothing changes.
        cost = cost[min(first - begin, cost.size - 1) :]
        before = np.concatenate([cost, np.full(last - first + 1 - cost.size, cost[-1])])
        distance = np.abs(others[first:last] - unit)
        distance[distance > caliper] = np.inf
        taken = before[:-1] + distance
        offered = before + alone
        offered[1:] = np.minimum(offered[1:], taken)
        cost = np.minimum.accumulate(offered)
        fresh = np.concatenate([[False], cost[1:] < cost[:-1]])
        matched = np.concatenate([[False], taken < before[1:] + alone]) & fresh
        traces.append((first, np.packbits(fresh), np.packbits(matched)))
        begin = first
    return _read_back(traces, high)


def _read_back(
    traces: list[tuple[int, NDArray[np.uint8], NDArray[np.uint8]]], high: Ints
) -> tuple[Ints, Ints]:
    """Pairs from the last unit to the first, by where the least cost fell."""
    row, column = [], []
    place = int(high[-1]) if high.size else 0
    for i in range(len(traces) - 1, -1, -1):
        first, fresh, matched = traces[i]
        place = min(place, int(high[i]))
        falls = np.flatnonzero(np.unpackbits(fresh, count=place - first + 1))
        if not falls.size:
            continue
        at = int(falls[-1])
        place = first + at
        if np.unpackbits(matched, count=at + 1)[at]:
            row.append(i)
            column.append(place - 1)
            place -= 1
    return np.array(row[::-1], dtype=np.int64), np.array(column[::-1], dtype=np.int64)
