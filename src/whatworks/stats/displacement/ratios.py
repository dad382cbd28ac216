r"""Ratios whose denominator is noisy: the values that the data do not exclude.

A ratio :math:`\rho=a/b` of two estimates is inverted from the test of :math:`a-\rho b=0`,

.. math:: (\hat a-\rho\hat b)^2 \le q^2\,(V_{aa}-2\rho V_{ab}+\rho^2 V_{bb}),

a quadratic in :math:`\rho` (Fieller 1954, doi:10.1111/j.2517-6161.1954.tb00159.x). Where the denominator is
not told from zero the set is the complement of an interval, or the whole line: no interval of bounded
length can cover then (Gleser & Hwang 1987, doi:10.1214/aos/1176350597), and no point is printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

Kind = Literal["interval", "outside", "line", "undefined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioSet:
    """Values of a ratio that are not excluded.

    Parameters
    ----------
    numerator, denominator : float
    kind : str
        ``"interval"``: from ``low`` to ``high``. ``"outside"``: up to ``low``, and from ``high`` on.
        ``"line"``: every value. ``"undefined"``: no error is known.
    low, high : float
        Infinite for the whole line, NaN where undefined.
    """

    numerator: float
    denominator: float
    kind: Kind
    low: float
    high: float

    @property
    def separated(self) -> bool:
        """Whether the denominator is told from zero, so that the set is bounded."""
        return self.kind == "interval" and bool(np.isfinite([self.low, self.high]).all())

    @property
    def point(self) -> float:
        """The ratio of the estimates; NaN where the set is unbounded, for it would say nothing."""
        return self.numerator / self.denominator if self.separated else float("nan")

    def holds(self, value: float) -> bool:
        """Whether a value is in the set; never in one that is undefined."""
        if self.kind == "outside":
            return value <= self.low or value >= self.high
        return self.kind != "undefined" and self.low <= value <= self.high


def ratio_set(
    numerator: float,
    denominator: float,
    covariance: Floats,
    *,
    level: float = 0.95,
    df: float = np.inf,
) -> RatioSet:
    """Set of a ratio, from its two estimates and their covariance.

    Parameters
    ----------
    numerator, denominator : float
    covariance : ndarray of shape (2, 2)
        Of the two, in that order; the numerator may be known exactly.
    level : float
        Coverage.
    df : float
        Degrees of freedom of Student's t; infinite means the normal law.

    Examples
    --------
    >>> found = ratio_set(1.0, 4.0, np.diag([0.04, 0.04]))
    >>> found.kind, round(found.low, 3), round(found.high, 3)
    ('interval', 0.151, 0.354)
    >>> ratio_set(1.0, 0.1, np.diag([0.04, 0.04])).kind
    'outside'
    """
    v_aa, v_ab, v_bb = covariance[0, 0], covariance[0, 1], covariance[1, 1]
    known = np.isfinite([numerator, denominator, v_aa, v_ab, v_bb, df if df < np.inf else 1.0])
    if not known.all() or v_bb <= 0 or v_aa < 0 or df <= 0:
        return _set(numerator, denominator, "undefined", np.nan, np.nan)
    reach = 0.5 + level / 2  # not through a frozen law: there are hundreds of ratios
    q = float(special.ndtri(reach) if np.isinf(df) else special.stdtrit(df, reach)) ** 2
    a = denominator**2 - q * v_bb
    b = numerator * denominator - q * v_ab
    c = numerator**2 - q * v_aa
    spread = b * b - a * c
    if a > 0:
        root = np.sqrt(max(spread, 0.0))
        return _set(numerator, denominator, "interval", (b - root) / a, (b + root) / a)
    if a == 0:
        return _half_line(numerator, denominator, b, c)
    if spread <= 0:
        return _set(numerator, denominator, "line", -np.inf, np.inf)
    root = np.sqrt(spread)
    return _set(numerator, denominator, "outside", (b + root) / a, (b - root) / a)


def _half_line(numerator: float, denominator: float, b: float, c: float) -> RatioSet:
    """Set where the quadratic has lost its square: one end alone is finite."""
    if b == 0:
        return _set(numerator, denominator, "line", -np.inf, np.inf)
    low, high = (c / (2 * b), np.inf) if b > 0 else (-np.inf, c / (2 * b))
    return _set(numerator, denominator, "interval", low, high)


def _set(a: float, b: float, kind: Kind, low: float, high: float) -> RatioSet:
    return RatioSet(
        numerator=float(a), denominator=float(b), kind=kind, low=float(low), high=float(high)
    )
