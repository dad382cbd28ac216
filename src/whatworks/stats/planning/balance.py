"""Balance of what was known before a draw, against what the draw itself would do by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.intervals import wald

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBalance:
    """How a trait goes with what was drawn.

    Parameters
    ----------
    slope : float
        Of the trait on what was drawn, within blocks: the difference between arms where two were drawn.
    std_error : float
        Its standard deviation over all draws the design could have made.
    p_value : float
        Two-sided, normal; NaN where no draw could have changed it.
    """

    slope: float
    std_error: float
    p_value: float


def drawn_balance(trait: Floats, drawn: Floats, block: Ints) -> DrawnBalance:
    r"""Slope of a trait on what was drawn by permutation within blocks, and its design error.

    .. math:: \hat b = \frac{\sum_b\sum_i (a_i-\bar a_b)x_i}{\sum_b (n_b-1)S_{a,b}^2},\qquad
              V = \frac{\sum_b (n_b-1)S_{a,b}^2S_{x,b}^2}{\bigl(\sum_b (n_b-1)S_{a,b}^2\bigr)^2}

    The variance is that of permutations, exactly: no model of persons or markets, as tests by individual
    errors have, which flag too much where whole markets were drawn.

    Parameters
    ----------
    trait, drawn : ndarray of shape (n,)
        What was known before; share or arm drawn.
    block : ndarray of int, shape (n,)
        0 to B − 1.

    Examples
    --------
    >>> found = drawn_balance(np.array([1.0, 3, 2, 4]), np.array([1.0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    >>> found.slope, round(found.std_error, 3)
    (0.0, 1.414)
    """
    n = np.bincount(block).astype(float)
    a = drawn - (np.bincount(block, drawn) / n)[block]
    x = trait - (np.bincount(block, trait) / n)[block]
    spread_a, spread_x = np.bincount(block, a * a), np.bincount(block, x * x)
    free = n > 1
    whole = float(spread_a[free].sum())
    if not whole > 0:
        nothing = float("nan")
        return DrawnBalance(slope=nothing, std_error=nothing, p_value=nothing)
    slope = float(a @ x) / whole
    variance = float((spread_a[free] * spread_x[free] / (n[free] - 1)).sum()) / whole**2
    error = float(np.sqrt(variance))
    return DrawnBalance(
        slope=slope, std_error=error, p_value=float(wald([slope], [error]).p_value[0])
    )
