r"""Joint test that several effects are nil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

_SINGULAR: Final = 1e-14
_REDUCED: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTest:
    """Wald test of several effects.

    Parameters
    ----------
    statistic : float
    n_effects : int
        Effects tested: those that are known and vary; ``reduced``, the dimensions in which they do.
    p_value : float
        NaN, as the statistic is, where none is left or their covariance cannot be inverted, as with no
        more clusters than effects.
    """

    statistic: float
    n_effects: int
    p_value: float


def joint_test(
    effect: Floats, covariance: Floats, *, df: float = np.inf, reduced: bool = False
) -> JointTest:
    r"""Test that all effects are nil.

    .. math:: W = \hat\theta' \hat V^{-1} \hat\theta \sim \chi^2_q,\qquad
              W\frac{\nu-q+1}{\nu q} \sim F_{q,\nu-q+1}

    the latter, Hotelling's, with :math:`\nu` degrees of freedom of the covariance.

    Parameters
    ----------
    effect : ndarray of shape (q,)
    covariance : ndarray of shape (q, q)
    df : float
        Infinite for the :math:`\chi^2` law.
    reduced : bool
        Test on as many dimensions as the covariance has, rather than on none where that is fewer.

    References
    ----------
    Wald (1943), doi:10.1090/S0002-9947-1943-0012401-3; Hotelling (1931), doi:10.1214/aoms/1177732979.
    """
    known = np.isfinite(effect) & (np.diag(covariance) > 0)
    q = int(known.sum())
    theta, among = effect[known], covariance[np.ix_(known, known)]
    undefined = JointTest(statistic=float("nan"), n_effects=q, p_value=float("nan"))
    if not q or not np.isfinite(among).all():
        return undefined
    size = np.sqrt(np.diag(among))
    correlation = among / np.outer(size, size)
    values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
    if reduced:
        told = values > _REDUCED * values[-1]
        values, vectors, q = values[told], vectors[:, told], int(told.sum())
    if df < q or values[0] < _SINGULAR * values[-1]:
        return undefined
    statistic = float(((vectors.T @ (theta / size)) ** 2 / values).sum())
    if np.isinf(df):
        p_value = float(special.chdtrc(q, statistic))
    else:
        p_value = float(special.fdtrc(q, df - q + 1, statistic * (df - q + 1) / (df * q)))
    return JointTest(statistic=statistic, n_effects=q, p_value=p_value)
