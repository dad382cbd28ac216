r"""Balance of covariates between arms: the one home of the standardised difference.

:math:`\mathrm{SMD} = (\bar x_1 - \bar x_0)/s_1` where :math:`s_1` is the standard deviation among the
treated *before* any choice of comparisons, so that a change of the SMD is a change of means
(Stuart 2010, doi:10.1214/09-STS313).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Weighted mean and variance of each covariate, shape (k,) each."""

    mean: Floats
    variance: Floats


def moments(values: Floats, *, weight: Floats) -> Moments:
    r"""Weighted mean and variance: unbiased for numbers, :math:`\bar x(1-\bar x)` for 0/1 columns.

    :math:`s^2 = \frac{1}{1-\sum \tilde w_i^2}\sum \tilde w_i (x_i-\bar x)^2` with weights
    :math:`\tilde w` that sum to one; :math:`1/(n-1)` when they are equal.

    Parameters
    ----------
    values : ndarray of shape (n, k)
    weight : ndarray of shape (n,)
    """
    share = weight / weight.sum()
    mean = share @ values
    second = share @ (values * values)
    spare = 1.0 - float(share @ share)
    variance = (
        np.maximum(second - mean**2, 0.0) / spare if spare > 0 else np.full(mean.shape, np.nan)
    )
    binary = np.array([bool(((x == 0) | (x == 1)).all()) for x in values.T], dtype=bool)
    variance = np.where(binary, mean * (1 - mean), variance)
    return Moments(mean=np.asarray(mean), variance=np.asarray(variance))


def standardised_difference(
    mean_treated: Floats, mean_comparison: Floats, *, variance_treated: Floats
) -> Floats:
    """Difference of means in standard deviations of the treated; NaN where these are zero.

    A covariate that is constant and equal in both arms differs by zero.
    """
    gap = mean_treated - mean_comparison
    spread = np.sqrt(np.where(variance_treated > 1e-300, variance_treated, np.nan))
    return np.asarray(np.where(np.abs(gap) < 1e-12, 0.0, gap / spread))


def effective_size(weight: Floats) -> float:
    """Kish's effective sample size, (Σw)² / Σw².

    >>> effective_size(np.array([1.0, 1.0, 2.0]))
    2.6666666666666665
    """
    total = float(weight.sum())
    return total * total / float(weight @ weight) if total > 0 else float("nan")
