r"""Comparisons weighted by nearness: :math:`s_{ij} = K(d_{ij}/h)\,w_j / \sum_l K(d_{il}/h)\,w_l`.

:math:`v_j=\sum_i w_i s_{ij}` is what a comparison stands for (Heckman, Ichimura & Todd 1997,
doi:10.2307/2971733). Distances are held a block at a time, so that memory does not grow with the number
of pairs; pairs are listed only when they are few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.neighbours import cell_members

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCK: Final = 2_000_000
"""Distances held at once."""
MOST_LISTED: Final = 5_000_000
"""Pairs listed at most; beyond, comparisons have weights and no list tells whose."""
NEGLIGIBLE: Final = 39.0
"""Exponent below the nearest's at which a weight of e⁻³⁹ is lost in the last digit of a sum."""

ROUNDING: Final = 1.0 + 1e-9
"""A squared distance this much over 1 is 1, but for its last digits."""


def uniform(square: Floats, nearest: Floats) -> Floats:  # noqa: ARG001 - one signature
    """1 within a distance of 1."""
    return (square <= ROUNDING).astype(float)


def epanechnikov(square: Floats, nearest: Floats) -> Floats:  # noqa: ARG001 - one signature
    """:math:`1-u^2` within a distance of 1, at which it is 0."""
    return np.maximum(1.0 - square, 0.0)


def gaussian(square: Floats, nearest: Floats) -> Floats:
    """:math:`e^{-u^2/2}`, as a share of the nearest's: those far from all keep their weights."""
    below = 0.5 * (square - nearest[:, None])
    return np.where(below <= NEGLIGIBLE, np.exp(-np.minimum(below, NEGLIGIBLE)), 0.0)


Kernel = Callable[[Floats, Floats], Floats]
KERNELS: Final[Mapping[str, Kernel]] = MappingProxyType(
    {"uniform": uniform, "epanechnikov": epanechnikov, "gaussian": gaussian}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Units of one arm.

    Parameters
    ----------
    points : ndarray of shape (n, r)
        In bandwidths: a distance of 1 is one bandwidth.
    keys : ndarray of shape (n, c)
        What calipers confine.
    cell : ndarray of int, shape (n,)
    weight : ndarray of shape (n,)
        Sampling weights.
    """

    points: Floats
    keys: Floats
    cell: Ints
    weight: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom a unit may be compared with, besides the kernel.

    Parameters
    ----------
    distance : float
        Greatest distance, in bandwidths.
    widths : ndarray of shape (c,)
        Greatest difference on each key.
    """

    distance: float
    widths: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothed:
    """What comparisons stand for.

    Parameters
    ----------
    stands_for : ndarray of shape (n_comparisons,)
    matched : ndarray of bool, shape (n_units,)
        Units with a comparison of some weight.
    pairs : tuple of ndarray, or None
        Unit, comparison and part of each pair, when they are few enough to be listed.
    """

    stands_for: Floats
    matched: Bools
    pairs: tuple[Ints, Ints, Floats] | None


def smooth(units: Side, comparisons: Side, *, kernel: str, reach: Reach) -> Smoothed:
    """Weights of comparisons by a kernel of their distance, within cells and calipers.

    Parameters
    ----------
    units, comparisons : Side
    kernel : str
        ``"uniform"``, ``"epanechnikov"`` or ``"gaussian"``.
    reach : Reach
    """
    stands_for = np.zeros(comparisons.weight.size)
    matched = np.zeros(units.weight.size, dtype=bool)
    listed: list[tuple[Ints, Ints, Floats]] = []
    count = 0
    for mine, theirs, nearness in _blocks(units, comparisons, kernel, reach):
        values = nearness * comparisons.weight[theirs]
        total = values.sum(axis=1)
        some = total > 0
        matched[mine[some]] = True
        values[some] /= total[some, None]
        stands_for[theirs] += units.weight[mine] @ values
        if count <= MOST_LISTED:
            unit, comparison = np.nonzero(values)
            count += unit.size
            listed.append((mine[unit], theirs[comparison], values[unit, comparison]))
        if count > MOST_LISTED:
            listed.clear()
    pairs = None
    if count <= MOST_LISTED:
        columns = zip(*listed, strict=True) if listed else ([np.empty(0)],) * 3
        unit, comparison, part = (np.concatenate(list(c)) for c in columns)
        pairs = unit.astype(np.int64), comparison.astype(np.int64), part.astype(float)
    return Smoothed(stands_for=stands_for, matched=matched, pairs=pairs)


def _blocks(
    units: Side, comparisons: Side, kernel: str, reach: Reach
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Units and comparisons of a block, and the kernel between them.

    Both are sorted on the first coordinate: beyond the reach of a kernel, and of a Gaussian's last
    digit, nobody is looked at.
    """
    for rows, others in cell_members(units.cell, comparisons.cell):
        mine = rows[np.argsort(units.points[rows, 0], kind="stable")]
        theirs = others[np.argsort(comparisons.points[others, 0], kind="stable")]
        along = comparisons.points[theirs, 0]
        line = units.points.shape[1] == 1 and not reach.widths.size
        begin = 0
        while begin < mine.size:
            start = units.points[mine[begin], 0]
            low = _window(along, start, start, kernel, line=line)[0]
            end = min(begin + 512, mine.size)
            stop = units.points[mine[end - 1], 0]
            high = _window(along, stop, stop, kernel, line=line)[1]
            low, high = min(low, high), max(low, high)
            end = min(end, begin + max(1, BLOCK // max(high - low, 1)))
            some, window = mine[begin:end], theirs[low:high]
            yield some, window, _between(units, comparisons, some, window, kernel, reach)
            begin = end


def _window(
    along: Floats, first: float, last: float, kernel: str, *, line: bool
) -> tuple[int, int]:
    """Sorted comparisons that units between two coordinates can reach."""
    if kernel != "gaussian":
        reach = 1.0 + 1e-9
    elif line:
        near = np.searchsorted(along, first)
        sides = along[max(near - 1, 0) : near + 1]
        reach = float(np.sqrt(np.min((sides - first) ** 2) + 2 * NEGLIGIBLE)) + 1e-9
    else:
        return 0, along.size
    return (
        int(np.searchsorted(along, first - reach)),
        int(np.searchsorted(along, last + reach, side="right")),
    )


def _between(
    units: Side, comparisons: Side, mine: Ints, theirs: Ints, kernel: str, reach: Reach
) -> Floats:
    square = np.zeros((mine.size, theirs.size))
    for j in range(units.points.shape[1]):
        square += (units.points[mine, j][:, None] - comparisons.points[theirs, j]) ** 2
    for c, width in enumerate(reach.widths):
        apart = np.abs(units.keys[mine, c][:, None] - comparisons.keys[theirs, c]) > width
        square[apart] = np.inf
    if np.isfinite(reach.distance):
        square[square > reach.distance**2 * ROUNDING] = np.inf
    nearest = square.min(axis=1, initial=np.inf)
    return KERNELS[kernel](square, np.where(np.isfinite(nearest), nearest, 0.0))
