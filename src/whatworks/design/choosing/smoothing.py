"""From comparisons weighted by nearness to what was chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.nearness import Measured, alone, nobody_near
from whatworks.design.comparison import Chosen, Matches, arms_sought
from whatworks.design.parts import Candidates
from whatworks.stats.kernels import Reach, Side, smooth


def chosen_smooth(
    candidates: Candidates, measured: Measured, *, kernel: str, bandwidth: float
) -> Chosen:
    """What every unit stands for once comparisons are weighted by a kernel of their distance.

    Raises
    ------
    DesignRefused
        When nobody has a comparison within reach.
    """
    n = candidates.treated.size
    matched = np.zeros(n, dtype=bool)
    stands_for = np.zeros(n)
    listed: list[Matches] | None = []
    for arm in arms_sought(candidates):
        mine, theirs = (np.flatnonzero(candidates.treated == side) for side in (arm, not arm))
        found = smooth(
            _side(candidates, measured, mine, bandwidth),
            _side(candidates, measured, theirs, bandwidth),
            kernel=kernel,
            reach=Reach(distance=measured.caliper / bandwidth, widths=measured.widths),
        )
        matched[mine] |= found.matched
        stands_for[theirs] += found.stands_for
        if found.pairs is None:
            listed = None
        elif listed is not None:
            unit, match, part = found.pairs
            listed.append(Matches(unit=mine[unit], match=theirs[match], part=part))
    if not matched.any():
        raise nobody_near(candidates)
    fitted = measured.propensity
    return Chosen(
        weight=np.where(matched, candidates.weight, 0.0) + stands_for,
        matches=None if listed is None else _joined(listed),
        propensity=None if fitted is None else fitted.probability,
        fitted=() if fitted is None or fitted.equation is None else (fitted.equation,),
        lost=alone(measured, "no_match_in_caliper", candidates.sought & ~matched),
    )


def _side(candidates: Candidates, measured: Measured, rows: NDArray[np.int64], h: float) -> Side:
    return Side(
        points=measured.points[rows] / h,
        keys=measured.keys[rows],
        cell=measured.cell[rows],
        weight=candidates.weight[rows],
    )


def _joined(parts: list[Matches]) -> Matches:
    return Matches(
        unit=np.concatenate([p.unit for p in parts]),
        match=np.concatenate([p.match for p in parts]),
        part=np.concatenate([p.part for p in parts]),
    )
