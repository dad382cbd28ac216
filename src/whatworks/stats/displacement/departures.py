r"""Whether several linear forms are nil at once: the Wald test, as a test F.

.. math:: F = \frac{(L\hat\theta)'(L\hat V L')^{+}(L\hat\theta)}{q},\qquad q=\mathrm{rank}(L\hat V L')

referred to :math:`F(q,\nu)`, or to :math:`\chi^2_q/q` without degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaldTest:
    """Statistic F, its degrees of freedom and its probability; NaN where nothing is left to test."""

    statistic: float
    df1: int
    df2: float
    p_value: float


def wald_test(forms: Floats, values: Floats, covariance: Floats, *, df: float = np.inf) -> WaldTest:
    """Test that all forms of the values are nil.

    Parameters
    ----------
    forms : ndarray of shape (n_forms, n_terms)
    values : ndarray of shape (n_terms,)
        Those that no form reads may be undefined.
    covariance : ndarray of shape (n_terms, n_terms)
    df : float
        Of the covariance.

    Examples
    --------
    >>> found = wald_test(np.eye(2), np.array([1.96, 0.0]), np.eye(2))
    >>> found.df1, round(found.statistic, 2), round(found.p_value, 3)
    (2, 1.92, 0.146)
    """
    read = np.flatnonzero((forms != 0).any(axis=0)) if forms.size else np.empty(0, dtype=np.intp)
    apart = forms[:, read] @ values[read]
    among = forms[:, read] @ covariance[np.ix_(read, read)] @ forms[:, read].T
    nothing = WaldTest(statistic=np.nan, df1=0, df2=df, p_value=np.nan)
    if not apart.size or not np.isfinite(among).all() or not np.isfinite(apart).all():
        return nothing
    rank = int(np.linalg.matrix_rank(among, hermitian=True))
    if not rank:
        return nothing
    statistic = float(apart @ np.linalg.pinv(among, hermitian=True) @ apart) / rank
    law = stats.chi2(rank, scale=1 / rank) if np.isinf(df) else stats.f(rank, df)
    return WaldTest(statistic=statistic, df1=rank, df2=df, p_value=float(law.sf(statistic)))
