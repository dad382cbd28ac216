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
Ints = NDArray[np.int64]

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


def unexplained(values: Floats, controls: Floats, *, stratum: Ints | None = None) -> float:
    """Part of the variance of a column that controls and strata leave; NaN when it does not vary.

    Parameters
    ----------
    values : ndarray of shape (n,)
    controls : ndarray of shape (n, k)
        Without a constant: it is always held.
    stratum : ndarray of int, shape (n,), optional
        Numbered from 0; each has a mean of its own.
    """
    centred = values - values.mean()
    total = float(centred @ centred)
    if total <= NOTHING * max(1.0, float(values @ values)):
        return float("nan")
    rest = _left(values, controls, stratum)[0]
    part = float(rest @ rest) / total
    return 0.0 if part < NOTHING else part


def association(
    values: Floats, on: Floats, controls: Floats, *, stratum: Ints | None = None
) -> Association:
    """Slope of ``values`` on ``on`` beside controls and strata, by least squares.

    Parameters
    ----------
    values, on : ndarray of shape (n,)
    controls : ndarray of shape (n, k)
        Without a constant.
    stratum : ndarray of int, shape (n,), optional
    """
    y, spent = _left(values, controls, stratum)
    x, _ = _left(on, controls, stratum)
    df = float(values.size - spent - 1)
    ssx = float(x @ x)
    centred = on - on.mean()
    if df <= 0 or ssx <= NOTHING * float(centred @ centred):
        return Association(slope=np.nan, std_error=np.nan, p_value=np.nan, df=df)
    slope = float(x @ y) / ssx
    rest = y - slope * x
    error = float(np.sqrt(float(rest @ rest) / df / ssx))
    found = wald(slope, error, df=df)
    return Association(slope=slope, std_error=error, p_value=float(found.p_value), df=df)


def _left(values: Floats, controls: Floats, stratum: Ints | None) -> tuple[Floats, int]:
    """What means by stratum and controls, which may be collinear, leave of a column; how many they are."""
    place = np.zeros(values.size, dtype=np.int64) if stratum is None else stratum
    size = np.bincount(place)
    means = size[size > 0].size

    def within(column: Floats) -> Floats:
        sums = np.bincount(place, column)
        return np.asarray(column - (sums / np.maximum(size, 1))[place])

    own = within(values)
    held = np.column_stack([within(c) for c in controls.T]) if controls.shape[1] else controls
    # Columns of unit length, so that units of measure do not decide what is collinear; of those that
    # only strata make vary, rounding is all that is left.
    length = np.sqrt((held**2).sum(axis=0))
    varies = length > np.sqrt(NOTHING * (controls**2).sum(axis=0))
    held = held[:, varies] / length[varies]
    if not held.shape[1]:
        return own, means
    coefficient, _, rank, _ = np.linalg.lstsq(held, own, rcond=1e-10)
    return np.asarray(own - held @ coefficient), means + int(rank)
