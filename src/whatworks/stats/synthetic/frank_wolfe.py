r"""Weights on a simplex by Frank–Wolfe steps that stop early, as published synthetic DiD estimates were made.

The R package ``synthdid`` takes up to a hundred steps from even weights, sets weights under a quarter of
the largest to zero, and goes on from there until a step gains little. Its result is near the optimum and
not at it: on Proposition 99 the effect is −15.604, and −15.605 at the optimum.

References
----------
Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), doi:10.1257/aer.20190159. Frank & Wolfe (1956),
doi:10.1002/nav.3800030109.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GAIN: Final = 1e-5
"""Gain under which steps stop, in standard deviations of a period's change."""
BEFORE_SPARSE: Final = 100
MOST_STEPS: Final = 10_000


def early_stopped_weights(
    donors: Floats, target: Floats, *, penalty: float, least: float, mass: Floats
) -> Floats:
    r"""Weights after the two rounds of steps.

    Parameters
    ----------
    donors, target, penalty, mass
        As in `simplex_weights`.
    least : float
        Fall of the mean squared objective under which steps stop.
    """
    w = _steps(donors, target, mass / mass.sum(), penalty, least, mass, most=BEFORE_SPARSE)
    w = np.where(w <= w.max() / 4, 0.0, w)
    return _steps(donors, target, w / w.sum(), penalty, least, mass, most=MOST_STEPS)


def _steps(
    A: Floats, b: Floats, x: Floats, eta: float, least: float, mass: Floats, *, most: int
) -> Floats:
    fitted = A @ x
    before = np.inf
    for step in range(most):
        gradient = A.T @ (fitted - b) + eta * x / mass
        toward = int(np.argmin(gradient))
        move = -x
        move[toward] += 1.0
        change = A[:, toward] - fitted
        curvature = float(change @ change + eta * (move * move / mass).sum())
        if curvature > 0:
            reach = min(1.0, max(0.0, -float(gradient @ move) / curvature))
            x = x + reach * move
            fitted = fitted + reach * change
        now = float(((fitted - b) ** 2).sum() + eta * (x * x / mass).sum()) / b.size
        if step > 0 and before - now <= least:
            break
        before = now
    return x
