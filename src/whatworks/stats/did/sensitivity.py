r"""Effects when trends were not parallel: intervals that hold for every trend of a set.

Two sets. *Relative magnitudes*: from one period to the next the difference in trends moves, after the
start, at most :math:`\bar M` times as much as its largest move before,

.. math:: \Delta^{RM}(\bar M)=\Big\{\delta:\ |\delta_{t+1}-\delta_t|\le
          \bar M\max_{s<0}|\delta_{s+1}-\delta_s|\ \ \forall t\ge0\Big\}.

*Smoothness*: its slope changes by at most :math:`M` from one period to the next,

.. math:: \Delta^{SD}(M)=\big\{\delta:\ |(\delta_{t+1}-\delta_t)-(\delta_t-\delta_{t-1})|\le M\big\}.

Intervals by inverting the hybrid of the conditional and the least favourable test (`conditional_test`);
under smoothness, those of fixed length (`fixed_length`) are shorter and are the ones to prefer.
Constraints that read no effect after the start are left out of the test, as in the paper.

References
----------
Rambachan & Roth (2023), doi:10.1093/restud/rdad018.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.conditional_test import (
    FIRST_STAGE,
    Moments,
    compatible,
    least_favourable,
    moments,
)
from whatworks.stats.did.event_study import EventStudy
from whatworks.stats.did.fixed_length import Frontier

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

GRID: Final = 1_000
"""Effects tried before the ends are found by halving."""
REACH: Final = 6.0
"""Standard errors beyond the estimated set that are tried first."""
_HALVINGS: Final = 30
_WIDENINGS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Robust:
    r"""Intervals by how far trends may depart from parallel.

    Parameters
    ----------
    departure : ndarray of shape (n,)
        :math:`\bar M` or :math:`M`.
    low, high : ndarray of shape (n,)
        The smallest and the largest effect compatible; NaN when none is.
    """

    departure: Floats
    low: Floats
    high: Floats


def relative_magnitudes(study: EventStudy, mbar: Floats, *, size: float = 0.05) -> Robust:
    r"""Hybrid intervals under :math:`\Delta^{RM}(\bar M)`.

    The set is a union over the move before the start that is the largest, and its sign: an effect is
    kept when one of them keeps it.

    Parameters
    ----------
    study : EventStudy
    mbar : ndarray of shape (n,)
    size : float
        One less coverage.
    """
    return _intervals(study, mbar, lambda m: by_magnitude(study, m, size=size), _reach_of_moves)


def smooth_conditional(study: EventStudy, m: Floats, *, size: float = 0.05) -> Robust:
    r"""Hybrid intervals under :math:`\Delta^{SD}(M)`; parameters as in `relative_magnitudes`."""
    return _intervals(study, m, lambda v: by_smoothness(study, v, size=size), _reach_of_bends)


def smooth_fixed_length(study: EventStudy, m: Floats, *, size: float = 0.05) -> Robust:
    r"""Shortest intervals of fixed length under :math:`\Delta^{SD}(M)`; parameters as above."""
    frontier = Frontier.of(study)
    found = [frontier.interval(float(v), size=size) for v in m]
    low, high = (np.array([f[k] for f in found]) for k in (0, 1))
    return Robust(departure=m, low=low, high=high)


def breakdown_magnitude(study: EventStudy, *, most: float = 8.0, size: float = 0.05) -> float:
    r"""Largest :math:`\bar M` up to which zero is excluded; infinite beyond ``most``.

    Zero when zero is compatible already with trends that stay as they were at the base.
    """

    def excluded(mbar: float) -> bool:
        return not bool(by_magnitude(study, mbar, size=size)(np.zeros(1))[0])

    return _breakdown(excluded, most)


def breakdown_smoothness(study: EventStudy, *, most: float, size: float = 0.05) -> float:
    """Largest :math:`M` up to which the interval of fixed length excludes zero."""
    frontier = Frontier.of(study)

    def excluded(m: float) -> bool:
        low, high = frontier.interval(m, size=size)
        return low > 0 or high < 0

    return _breakdown(excluded, most)


def _breakdown(excluded: Callable[[float], bool], most: float) -> float:
    """First departure that lets zero in, looked for along a grid, then by halving."""
    tried = np.linspace(0.0, most, 81)
    last = 0.0
    for departure in tried:
        if excluded(float(departure)):
            last = float(departure)
            continue
        if departure == 0.0:
            return 0.0
        low, high = last, float(departure)
        for _ in range(12):
            middle = (low + high) / 2
            low, high = (middle, high) if excluded(middle) else (low, middle)
        return low
    return float("inf")


def by_magnitude(
    study: EventStudy, mbar: float, *, size: float = 0.05
) -> Callable[[Floats], Bools]:
    r"""Test of each effect under :math:`\Delta^{RM}(\bar M)`, true where it is kept."""
    moves = _differences(study)
    before, after = moves[: study.n_pre], moves[study.n_pre :]
    tests: list[tuple[Moments, float]] = []
    for largest in before:
        critical = float("nan")
        for sign in (1.0, -1.0):
            rows = np.stack([after, -after]) - sign * mbar * largest
            tested = moments(rows, _spread(rows, study), 0.0, study.weights)
            if np.isnan(critical):  # the law of the other sign is this one's, mirrored
                critical = least_favourable(tested.read, study.covariance, size=FIRST_STAGE * size)
            tests.append((tested, critical))
    return _kept_by_any(study, tests, size)


def by_smoothness(study: EventStudy, m: float, *, size: float = 0.05) -> Callable[[Floats], Bools]:
    r"""Hybrid test of each effect under :math:`\Delta^{SD}(M)`, true where it is kept."""
    bends = np.diff(_differences(study), axis=0)[study.n_pre - 1 :]
    rows = np.stack([bends, -bends])
    tested = moments(rows, _spread(rows, study), m, study.weights)
    critical = least_favourable(tested.read, study.covariance, size=FIRST_STAGE * size)
    return _kept_by_any(study, [(tested, critical)], size)


def _kept_by_any(
    study: EventStudy, tests: list[tuple[Moments, float]], size: float
) -> Callable[[Floats], Bools]:
    def kept(theta: Floats) -> Bools:
        found = np.zeros(theta.size, dtype=bool)
        for tested, critical in tests:
            left = np.flatnonzero(~found)
            found[left] = compatible(
                theta[left],
                tested,
                study.estimate,
                study.covariance,
                critical=critical,
                size=size,
            )
        return found

    return kept


def _intervals(
    study: EventStudy,
    departure: Floats,
    test: Callable[[float], Callable[[Floats], Bools]],
    reach: Callable[[EventStudy, float], float],
) -> Robust:
    ends = [_ends(test(float(m)), study.effect, reach(study, float(m))) for m in departure]
    low, high = (np.array([end[k] for end in ends]) for k in (0, 1))
    return Robust(departure=departure, low=low, high=high)


def _ends(kept: Callable[[Floats], Bools], centre: float, reach: float) -> tuple[float, float]:
    """Smallest and largest effect kept, first on a grid and then by halving."""
    for _ in range(_WIDENINGS):
        grid = np.linspace(centre - reach, centre + reach, GRID)
        found = np.flatnonzero(kept(grid))
        if not found.size:
            return float("nan"), float("nan")
        if found[0] > 0 and found[-1] < GRID - 1:
            break
        reach *= 2
    else:
        return -float("inf"), float("inf")
    inside = np.array([grid[found[0]], grid[found[-1]]])
    outside = np.array([grid[found[0] - 1], grid[found[-1] + 1]])
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        holds = kept(middle)
        inside, outside = np.where(holds, middle, inside), np.where(holds, outside, middle)
    return float(inside[0]), float(inside[1])


def _differences(study: EventStudy) -> Floats:
    """Moves from one period to the next, the base in its place; shape (n_effects, n_effects)."""
    k = study.estimate.size
    levels = np.insert(np.eye(k), study.n_pre, 0.0, axis=0)
    return np.diff(levels, axis=0)


def _spread(rows: Floats, study: EventStudy) -> Floats:
    variance = np.einsum("ijk,kl,ijl->ij", rows, study.covariance, rows)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _reach_of_moves(study: EventStudy, mbar: float) -> float:
    before = _differences(study)[: study.n_pre]
    error = np.sqrt(np.einsum("ik,kl,il->i", before, study.covariance, before))
    largest = float((np.abs(before @ study.estimate) + REACH * error).max())
    tail = np.abs(np.cumsum(study.weights[::-1])).sum()
    return REACH * study.std_error + mbar * float(tail) * largest


def _reach_of_bends(study: EventStudy, m: float) -> float:
    last = float(abs(study.estimate[study.n_pre - 1]))
    last += REACH * float(np.sqrt(study.covariance[study.n_pre - 1, study.n_pre - 1]))
    path = np.abs(np.cumsum(np.cumsum(study.weights[::-1]))[::-1])
    far = float(np.abs(study.weights @ np.arange(1.0, study.n_post + 1)))
    return REACH * study.std_error + m * float(path.sum()) + far * last
