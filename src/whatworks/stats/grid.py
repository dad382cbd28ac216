"""Distances as whole multiples of a small power of two, so that ties are ties.

Along a line several divisions have one total distance, and the last digit of a score, which depends on the
order in which a computer adds, would choose among them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FINENESS: Final = 2.0**-32
"""Step of the grid, relative to the spread of the points."""


def step_of(points: tuple[Floats, Floats]) -> float:
    """Step of the grid on which points of two arms are compared.

    Parameters
    ----------
    points : ndarray of shape (n, r) and (m, r)
    """
    n = sum(side.shape[0] for side in points)
    mean = sum(side.sum(axis=0) for side in points) / n
    spread = float(np.sqrt(sum(((side - mean) ** 2).sum() for side in points) / n))
    # A power of two, lest the grid itself follow the last digit of the spread.
    return float(2.0 ** np.round(np.log2(spread)) * FINENESS) if spread > 0 else FINENESS


def on_grid(values: Floats, step: float) -> Floats:
    """Nearest multiples of the step."""
    return np.asarray(np.round(values / step) * step)
