"""Power of a two-sided test and the smallest effect it would detect, from a standard error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]


def power(
    effect: ArrayLike,
    std_error: ArrayLike,
    *,
    level: float = 0.05,
    df: float = np.inf,
    spread: ArrayLike = 1.0,
) -> Floats:
    r"""Probability that a two-sided test of no effect rejects.

    .. math:: \Gamma = F\!\left(\frac{|\beta|/s - c}{r}\right) + F\!\left(\frac{-|\beta|/s - c}{r}\right)

    with :math:`s` the standard error that will be printed, :math:`c` the critical value, and :math:`r` the
    spread of the estimate over that standard error: less than 1 where clustered errors are conservative
    (Cruces, Tortarolo & Vazquez-Bare 2025, World Bank Policy Research Working Paper 11059, eq. 10, where
    r = 1).

    Parameters
    ----------
    effect, std_error : array_like
        One shape, one unit.
    level : float
        Size of the test.
    df : float
        Degrees of freedom of the test; infinite means the normal law.
    spread : array_like
        :math:`r`.

    Examples
    --------
    >>> round(float(power(2.8, 1.0)), 3), round(float(power(0.0, 1.0)), 3)
    (0.8, 0.05)
    """
    law = stats.norm if np.isinf(df) else stats.t(df)
    critical = float(law.isf(level / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.abs(np.asarray(effect, dtype=float)) / np.asarray(std_error, dtype=float)
    spread = np.asarray(spread, dtype=float)
    return np.asarray(law.cdf((away - critical) / spread) + law.cdf((-away - critical) / spread))


def detectable(
    std_error: ArrayLike, *, target: float = 0.8, level: float = 0.05, df: float = np.inf
) -> Floats:
    r"""Smallest effect detected with a given power: :math:`(c_{\alpha/2}+c_{1-\gamma})\,s`.

    Bloom (1995), doi:10.1177/0193841X9501900504.

    Parameters
    ----------
    std_error : array_like
    target : float
        Power sought.
    level, df : float
        As `power`.

    Examples
    --------
    >>> round(float(detectable(1.0)), 3)
    2.802
    """
    law = stats.norm if np.isinf(df) else stats.t(df)
    return np.asarray((law.isf(level / 2) + law.ppf(target)) * np.asarray(std_error, dtype=float))


def noncentrality(n_restrictions: int, *, target: float = 0.8, level: float = 0.05) -> float:
    r"""Noncentrality at which a :math:`\chi^2` test of several restrictions has a given power.

    Jiang, Imai & Malani (2023), doi:10.1111/biom.13782: their :math:`s^2(q,\alpha,\beta)`.

    >>> round(noncentrality(1), 3), round(noncentrality(3), 3)
    (7.849, 10.903)
    """
    critical = float(stats.chi2.isf(level, n_restrictions))

    def short_of(length: float) -> float:
        return float(stats.ncx2.sf(critical, n_restrictions, length)) - target

    return float(optimize.brentq(short_of, 1e-9, 1e4, xtol=1e-12))
