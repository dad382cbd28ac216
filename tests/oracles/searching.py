"""Matches written out by a full search, apart from any way of choosing of ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from whatworks.design.comparison import Chosen, Matches, from_matches
from whatworks.design.parts import Candidates

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Listed:
    """Matches written out; those of one unit share its weight equally."""

    unit: Ints
    match: Ints

    def choose(self, candidates: Candidates) -> Chosen:
        part = 1.0 / np.bincount(self.unit)[self.unit]
        matches = Matches(unit=self.unit, match=self.match, part=part)
        return from_matches(candidates, matches, reason="no_match_in_caliper")


@dataclass(frozen=True)
class Grouped:
    """Sets written out."""

    number: Ints
    weight: Floats

    def choose(self, candidates: Candidates) -> Chosen:
        kept = self.weight > 0
        lost = {"no_comparison": candidates.sought & ~kept}
        return Chosen(weight=self.weight, matched_set=np.where(kept, self.number, -1), lost=lost)


def search(
    points: Floats,
    treated: Bools,
    *,
    arms: tuple[bool, ...],
    ratio: int,
    tolerance: float,
    caliper: float = np.inf,
    cells: Floats | None = None,
) -> Listed:
    """The ``ratio`` nearest of the other arm, and all within ``tolerance`` of the last.

    Parameters
    ----------
    points : ndarray of shape (n, k)
        Nearness is Euclidean in them.
    treated : ndarray of bool, shape (n,)
    arms : tuple of bool
        Arms for which matches are sought.
    ratio : int
    tolerance : float
        Of squared distances.
    caliper : float
    cells : ndarray of shape (n, j), optional
        On which both must agree.
    """
    cells = np.empty((treated.size, 0)) if cells is None else cells
    unit, match = [], []
    for arm in arms:
        mine, theirs = np.flatnonzero(treated == arm), np.flatnonzero(treated != arm)
        distance = cdist(points[mine], points[theirs], "sqeuclidean")
        distance[(cells[mine][:, None] != cells[theirs][None]).any(axis=2)] = np.inf
        distance[distance > caliper**2] = np.inf
        place = min(ratio, theirs.size) - 1
        last = np.partition(distance, place, axis=1)[:, place]
        row, column = np.nonzero((distance <= last[:, None] + tolerance) & np.isfinite(distance))
        unit.append(mine[row])
        match.append(theirs[column])
    return Listed(np.concatenate(unit), np.concatenate(match))
