"""The one home of intervals and p-values. Undefined inference is NaN, never 0 or 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """Interval and two-sided p-value of each estimate; arrays of one shape."""

    low: Floats
    high: Floats
    p_value: Floats


def wald(
    estimate: ArrayLike, std_error: ArrayLike, *, level: float = 0.95, df: ArrayLike = np.inf
) -> Interval:
    """Wald interval ``estimate ± q · std_error`` and p-value of no effect.

    Parameters
    ----------
    estimate, std_error : array_like
        One shape. A standard error of zero or NaN leaves interval and p-value NaN.
    level : float
        Coverage.
    df : float or array_like
        Degrees of freedom of Student's t; infinite means the normal law, NaN that nothing is told.

    Examples
    --------
    >>> i = wald([1.0, 2.0], [0.5, 0.0])
    >>> i.low.round(3).tolist(), i.p_value.round(4).tolist()
    ([0.02, nan], [0.0455, nan])
    """
    point = np.asarray(estimate, dtype=float)
    error = np.asarray(std_error, dtype=float)
    usable = np.isfinite(error) & (error > 0) & np.isfinite(point)
    error = np.where(usable, error, np.nan)
    degrees = np.asarray(df, dtype=float)
    # Freezing a law costs more than reading it.
    law = stats.norm if np.isinf(degrees).all() else stats.t(degrees)
    q = law.ppf(0.5 + level / 2)
    p = 2 * law.sf(np.abs(point / error))
    low, high = np.asarray(point - q * error), np.asarray(point + q * error)
    return Interval(low=low, high=high, p_value=np.asarray(p))
