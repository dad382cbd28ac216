r"""Confidence sets by inversion, exactly: where enough draws are as far out as what was observed.

At a hypothetical value, a draw lies further out than the estimate when a polynomial of the value, of
degree four at most, is positive. Its real roots cut the line; between two neighbouring roots of all
draws the p-value is constant. Nothing is searched, so that no part of the set can be missed; it may
reach to infinity, or be several intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceSet:
    """Values that are not rejected.

    Parameters
    ----------
    intervals : tuple of (float, float)
        Disjoint, increasing; ends may be infinite. Empty when every value is rejected.
    """

    intervals: tuple[tuple[float, float], ...]

    @property
    def low(self) -> float:
        """Least value of the set; NaN when it is empty."""
        return self.intervals[0][0] if self.intervals else float("nan")

    @property
    def high(self) -> float:
        """Greatest value of the set; NaN when it is empty."""
        return self.intervals[-1][1] if self.intervals else float("nan")

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def connected(self) -> bool:
        """Whether it is one interval."""
        return len(self.intervals) == 1

    def moved(self, *, centre: float, scale: float) -> ConfidenceSet:
        """The set of ``centre − scale · x`` for x in this set, scale positive."""
        turned = [(centre - scale * b, centre - scale * a) for a, b in reversed(self.intervals)]
        return ConfidenceSet(intervals=tuple(turned))


def not_rejected(
    polynomials: Floats, *, always: float, total: float, level: float = 0.95
) -> ConfidenceSet:
    r"""Values :math:`x` where :math:`(\text{always}+\#\{b: f_b(x)\ge0\})/\text{total}>1-\text{level}`.

    Parameters
    ----------
    polynomials : ndarray of shape (B, 5)
        Coefficients of :math:`f_b`, from the constant to the fourth power. One that is zero throughout is
        always met.
    always : float
        Draws counted everywhere.
    total : float
    level : float
    """
    size = np.abs(polynomials).max(axis=1)
    tied = size <= 1e-9
    drawn = polynomials[~tied] / size[~tied, None]
    ends, steps, before = _steps(drawn)
    order = np.argsort(ends, kind="stable")
    ends = ends[order]
    count = always + int(tied.sum()) + before + np.concatenate([[0], np.cumsum(steps[order])])
    kept = count > (1 - level) * total * (1 + 1e-12)
    # Roots that coincide bound intervals of no length: only the last count at a point stands.
    edges = np.concatenate([[-np.inf], ends, [np.inf]])
    real = edges[1:] > edges[:-1]
    kept, low, high = kept[real], edges[:-1][real], edges[1:][real]
    change = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(int)))
    parts = [(float(low[a]), float(high[b - 1])) for a, b in change.reshape(-1, 2)]
    return ConfidenceSet(intervals=tuple(parts))


def _steps(polynomials: Floats) -> tuple[Floats, NDArray[np.int64], int]:
    """Roots where a polynomial changes its sign, +1 or −1 there, and how many are positive at −∞."""
    roots = np.sort(_real_parts(polynomials), axis=1)
    held = np.isfinite(roots)
    first = np.where(held[:, 0], roots[:, 0], 0.0)
    last = np.max(np.where(held, roots, -np.inf), axis=1)
    last = np.where(np.isfinite(last), last, 0.0)
    reach = 1.0 + np.abs(roots, where=held, out=np.zeros_like(roots)).max(axis=1)
    padded = np.where(held, roots, (last + reach)[:, None])
    points = np.column_stack(
        [first - reach, (padded[:, :-1] + padded[:, 1:]) / 2, last + 2 * reach]
    )
    value = np.zeros_like(points)
    for power in range(4, -1, -1):
        value = value * points + polynomials[:, [power]]
    sign = (value >= 0).astype(np.int64)
    step = np.where(held, np.diff(sign, axis=1), 0)
    changing = step != 0
    return roots[changing], step[changing], int(sign[:, 0].sum())


def _real_parts(polynomials: Floats) -> Floats:
    """Real parts of all roots, shape (B, 4), NaN beyond the degree; those of complex roots change no sign."""
    n = polynomials.shape[0]
    found = np.full((n, 4), np.nan)
    degree = np.zeros(n, dtype=int)
    for power in range(1, 5):
        degree[np.abs(polynomials[:, power]) > 1e-13] = power
    for power in range(1, 5):
        rows = np.flatnonzero(degree == power)
        if not rows.size:
            continue
        lead = polynomials[rows, power]
        companion = np.zeros((rows.size, power, power))
        companion[:, np.arange(1, power), np.arange(power - 1)] = 1.0
        companion[:, :, -1] = -polynomials[rows, :power] / lead[:, None]
        found[rows, :power] = np.linalg.eigvals(companion).real
    return found
