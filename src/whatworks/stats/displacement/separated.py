r"""Whether the shares of markets vary by themselves, or with what else is known of markets.

With :math:`M_X` the residual maker of the controls :math:`X` (a constant among them), the part of
:math:`p` that nothing else explains is :math:`\|M_X p\|^2 / \|M_1 p\|^2`, and the slope of :math:`p` on
:math:`y` beside :math:`X` is :math:`(y'M_X p)/(y'M_X y)` (Frisch & Waugh 1933, doi:10.2307/1907330).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.intervals import wald

Floats = NDArray[np.float64]

NOTHING: Final = 1e-10
"""Part of a sum of squares that is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """Slope of a share on what markets were like before.

    Parameters
    ----------
    slope, std_error : float
        Classical standard error; NaN where undefined.
    p_value : float
    df : float
    """

    slope: float
    std_error: float
    p_value: float
    df: float


def unexplained(values: Floats, controls: Floats) -> float:
    """Part of the variance of a column that controls leave; NaN when it does not vary.

    Parameters
    ----------
    values : ndarray of shape (n,)
    controls : ndarray of shape (n, k)
        Without a constant: it is always held.
    """
    centred = values - values.mean()
    total = float(centred @ centred)
    if total <= NOTHING * max(1.0, float(values @ values)):
        return float("nan")
    rest = residual(values, controls)
    part = float(rest @ rest) / total
    return 0.0 if part < NOTHING else part


def association(values: Floats, on: Floats, controls: Floats) -> Association:
    """Slope of ``values`` on ``on`` beside controls, by least squares.

    Parameters
    ----------
    values, on : ndarray of shape (n,)
    controls : ndarray of shape (n, k)
        Without a constant.
    """
    y, x = residual(values, controls), residual(on, controls)
    held = np.column_stack([np.ones(values.size), controls])
    df = float(values.size - np.linalg.matrix_rank(_scaled(held)) - 1)
    ssx = float(x @ x)
    centred = on - on.mean()
    if df <= 0 or ssx <= NOTHING * float(centred @ centred):
        return Association(slope=np.nan, std_error=np.nan, p_value=np.nan, df=df)
    slope = float(x @ y) / ssx
    rest = y - slope * x
    error = float(np.sqrt(float(rest @ rest) / df / ssx))
    found = wald(slope, error, df=df)
    return Association(slope=slope, std_error=error, p_value=float(found.p_value), df=df)


def residual(values: Floats, controls: Floats) -> Floats:
    """What a constant and controls, which may be collinear, leave of a column."""
    held = _scaled(np.column_stack([np.ones(values.size), controls]))
    coefficient = np.linalg.lstsq(held, values, rcond=None)[0]
    return np.asarray(values - held @ coefficient)


def _scaled(columns: Floats) -> Floats:
    """Columns of unit length, so that units of measure do not decide what is collinear."""
    length = np.sqrt((columns**2).sum(axis=0))
    return np.asarray(columns / np.where(length > 0, length, 1.0))
