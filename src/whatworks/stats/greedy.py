"""Matching without replacement, one unit after another: each takes the nearest still free.

The answer depends on who comes first; among equally near, the first in the data is taken (the
convention of the field's software). On a line a unit finds the nearest free comparison by following
links over those already taken, so that n units cost little more than a sort; in a space each keeps
a list of its nearest, made anew among the free ones when it runs out.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.neighbours import LINE_TIE
from whatworks.stats.search import TIE, in_order, nearest, nearest_allowed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LISTED: Final = 16
"""Nearest kept per unit in a space."""


class Free(Protocol):
    """Comparisons not yet taken, as seen from each unit."""

    def nearest(self, unit: int) -> tuple[float, int] | None:
        """Distance and position of the nearest free comparison, None when none is within reach."""
        ...

    def take(self, comparison: int) -> None:
        """Withdraw a comparison."""
        ...


def in_turn(free: Free, order: Sequence[int], *, ratio: int) -> tuple[Ints, Ints]:
    """Pairs when units choose in a given order; everyone a first match before anyone a second.

    Returns
    -------
    unit, comparison : ndarray of int, shape (n_pairs,)
    """
    unit: list[int] = []
    comparison: list[int] = []
    waiting = list(order)
    for _ in range(ratio):
        served = []
        for one in waiting:
            found = free.nearest(one)
            if found is None:
                continue
            free.take(found[1])
            unit.append(one)
            comparison.append(found[1])
            served.append(one)
        waiting = served
    return np.array(unit, dtype=np.int64), np.array(comparison, dtype=np.int64)


def closest_first(free: Free, n_units: int, *, ratio: int) -> tuple[Ints, Ints]:
    """Pairs when the closest of all pairs still possible is made next.

    Returns
    -------
    unit, comparison : ndarray of int, shape (n_pairs,)
    """
    unit: list[int] = []
    comparison: list[int] = []
    waiting = list(range(n_units))
    for _ in range(ratio):
        heap = [(found[0], one, found[1]) for one in waiting if (found := free.nearest(one))]
        heapq.heapify(heap)
        served = []
        while heap:
            _, one, wanted = heapq.heappop(heap)
            found = free.nearest(one)
            if found is None:
                continue
            if found[1] != wanted:  # taken meanwhile: it waits its new turn
                heapq.heappush(heap, (found[0], one, found[1]))
                continue
            free.take(wanted)
            unit.append(one)
            comparison.append(wanted)
            served.append(one)
        waiting = sorted(served)
    return np.array(unit, dtype=np.int64), np.array(comparison, dtype=np.int64)


class OnLine:
    """Free comparisons by nearness of a score.

    Parameters
    ----------
    units, comparisons : ndarray of shape (n_units,), (n_comparisons,)
        Scores.
    caliper : float
    """

    def __init__(self, units: Floats, comparisons: Floats, *, caliper: float) -> None:
        order = np.argsort(comparisons, kind="stable")
        self._tie = LINE_TIE * max(float(np.ptp(comparisons)), 1e-12)
        fresh = np.diff(comparisons[order], prepend=-np.inf) > self._tie
        values = comparisons[order][fresh]
        which = np.empty(order.size, dtype=np.int64)
        which[order] = np.cumsum(fresh) - 1
        members = np.argsort(which, kind="stable")
        bounds = np.searchsorted(which[members], np.arange(values.size + 1))
        self._units: list[float] = units.tolist()
        self._values: list[float] = values.tolist()
        self._which: list[int] = which.tolist()
        self._members: list[int] = members.tolist()
        self._head: list[int] = bounds[:-1].tolist()
        self._end: list[int] = bounds[1:].tolist()
        self._start: list[int] = np.searchsorted(values, units).tolist()
        # Links to the nearest value not exhausted, on either side; a sentinel stands at both ends.
        self._left = list(range(values.size + 1))
        self._right = list(range(values.size + 1))
        self._caliper = caliper

    def nearest(self, unit: int) -> tuple[float, int] | None:
        """Distance and position of the nearest free comparison, None when none is within reach."""
        at, score = self._start[unit], self._units[unit]
        right = _follow(self._right, at)
        left = _follow(self._left, at) - 1
        far = float("inf")
        gap_right = self._values[right] - score if right < len(self._values) else far
        gap_left = score - self._values[left] if left >= 0 else far
        gap = min(gap_left, gap_right)
        if gap == far or gap > self._caliper:
            return None
        if gap_left + self._tie < gap_right:
            return gap, self._first(left)
        if gap_right + self._tie < gap_left:
            return gap, self._first(right)
        return gap, min(self._first(left), self._first(right))

    def _first(self, value: int) -> int:
        return self._members[self._head[value]]

    def take(self, comparison: int) -> None:
        """Withdraw the first of its value."""
        value = self._which[comparison]
        self._head[value] += 1
        if self._head[value] == self._end[value]:
            self._right[value] = value + 1
            self._left[value + 1] = value


def _follow(links: list[int], at: int) -> int:
    """End of a chain of links, which is shortened on the way."""
    end = at
    while links[end] != end:
        end = links[end]
    while links[at] != end:
        links[at], at = end, links[at]
    return end


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom a unit may be matched with, besides nearness.

    Parameters
    ----------
    caliper : float
        Greatest distance.
    keys : ndarray of shape (n_units, c) and (n_comparisons, c)
    widths : ndarray of shape (c,)
        Greatest difference on each key.
    """

    caliper: float
    keys: tuple[Floats, Floats]
    widths: Floats


class InSpace:
    """Free comparisons by Euclidean distance of points, confined by keys.

    Parameters
    ----------
    units, comparisons : ndarray of shape (n_units, r), (n_comparisons, r)
    reach : Reach
    """

    def __init__(self, units: Floats, comparisons: Floats, *, reach: Reach) -> None:
        self._units, self._points, self._reach = units, comparisons, reach
        self._free = np.ones(comparisons.shape[0], dtype=bool)
        self._lists: list[list[tuple[float, int]]] = self._nearest_of_all()
        self._full = [len(known) < LISTED for known in self._lists]
        self._place = [0] * len(self._lists)

    def _nearest_of_all(self) -> list[list[tuple[float, int]]]:
        reach = self._reach
        if reach.widths.size:
            near = nearest_allowed(
                self._units,
                self._points,
                keys=reach.keys,
                widths=reach.widths,
                k=LISTED,
                caliper=reach.caliper,
            )
        else:
            near = nearest(self._units, self._points, k=LISTED, caliper=reach.caliper)
        bounds = np.searchsorted(near.query, np.arange(self._units.shape[0] + 1))
        pairs = list(zip(near.distance.tolist(), near.point.tolist(), strict=True))
        return [pairs[a:b] for a, b in pairwise(bounds.tolist())]

    def nearest(self, unit: int) -> tuple[float, int] | None:
        """Distance and position of the nearest free comparison, None when none is within reach."""
        known, place = self._lists[unit], self._place[unit]
        while place < len(known) and not self._free[known[place][1]]:
            place += 1
        self._place[unit] = place
        if place < len(known):
            return known[place]
        if self._full[unit]:
            return None
        self._lists[unit], self._place[unit] = self._among_free(unit), 0
        self._full[unit] = len(self._lists[unit]) < LISTED
        return self._lists[unit][0] if self._lists[unit] else None

    def _among_free(self, unit: int) -> list[tuple[float, int]]:
        """The nearest free comparisons of one unit, by distance then position."""
        allowed = self._free.copy()
        for c, width in enumerate(self._reach.widths):
            allowed &= np.abs(self._reach.keys[1][:, c] - self._reach.keys[0][unit, c]) <= width
        who = np.flatnonzero(allowed)
        distance = np.sqrt(((self._points[who] - self._units[unit]) ** 2).sum(axis=1))
        near = distance <= self._reach.caliper
        who, distance = who[near], distance[near]
        if who.size > LISTED:
            last = np.partition(distance, LISTED - 1)[LISTED - 1]
            near = distance <= last * (1 + TIE) + 1e-12
            who, distance = who[near], distance[near]
        order = in_order(np.zeros_like(who), who, distance)
        return list(zip(distance[order].tolist(), who[order].tolist(), strict=True))

    def take(self, comparison: int) -> None:
        """Withdraw a comparison."""
        self._free[comparison] = False
