r"""Joint tests of effects that shares identify, on the scale of Fisher's F.

References
----------
Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004; Wald (1943),
doi:10.1090/S0002-9947-1943-0012401-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from whatworks.stats.displacement.absorbed import Forms
from whatworks.stats.displacement.small_sample import Adjusted

Floats = NDArray[np.float64]

SINGULAR: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class FTest:
    """Joint test of several forms, on the scale of Fisher's F.

    Parameters
    ----------
    statistic, df, df_residual : float
        ``df_residual`` is infinite where the law is that of chi-square over ``df``.
    """

    statistic: float
    df: float
    df_residual: float

    @property
    def p_value(self) -> float:
        """Probability of a statistic as large were all forms nil; NaN where it is undefined."""
        if not np.isfinite(self.statistic) or not self.df_residual > 0:
            return float("nan")
        if np.isinf(self.df_residual):
            return float(special.chdtrc(self.df, self.statistic * self.df))
        return float(special.fdtrc(self.df, self.df_residual, self.statistic))


def wald(value: Floats, covariance: Floats, *, df: float = np.inf) -> FTest:
    r"""Test that all forms are nil: :math:`Q/q` with :math:`Q=\hat\theta'\hat V^{-1}\hat\theta`.

    Parameters
    ----------
    value : ndarray of shape (q,)
    covariance : ndarray of shape (q, q)
    df : float
        Of the covariance: markets less one, or infinite.
    """
    q = value.size
    variance = np.diag(covariance)
    nan = float("nan")
    undefined = FTest(statistic=nan, df=float(q), df_residual=df)
    if not q or not np.isfinite(covariance).all() or not (variance > 0).all():
        return undefined
    size = np.sqrt(variance)
    values, vectors = np.linalg.eigh(covariance / np.outer(size, size))
    if values[0] < SINGULAR * values[-1]:
        return undefined
    form = float(((vectors.T @ (value / size)) ** 2 / values).sum())
    return FTest(statistic=form / q, df=float(q), df_residual=df)


def wald_of_forms(
    forms: Floats, values: Floats, covariance: Floats, *, df: float = np.inf
) -> FTest:
    r"""Test that all forms of the values are nil, some of which may follow from others.

    :math:`F=(L\hat\theta)'(L\hat V L')^{+}(L\hat\theta)/q`, :math:`q=\mathrm{rank}(L\hat V L')`.

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
    >>> found = wald_of_forms(np.eye(2), np.array([1.96, 0.0]), np.eye(2))
    >>> found.df, round(found.statistic, 2), round(found.p_value, 3)
    (2.0, 1.92, 0.146)
    """
    read = np.flatnonzero((forms != 0).any(axis=0)) if forms.size else np.empty(0, dtype=np.intp)
    apart = forms[:, read] @ values[read]
    among = forms[:, read] @ covariance[np.ix_(read, read)] @ forms[:, read].T
    nothing = FTest(statistic=float("nan"), df=0.0, df_residual=df)
    if not apart.size or not np.isfinite(among).all() or not np.isfinite(apart).all():
        return nothing
    rank = int(np.linalg.matrix_rank(among, hermitian=True))
    if not rank:
        return nothing
    statistic = float(apart @ np.linalg.pinv(among, hermitian=True) @ apart) / rank
    return FTest(statistic=statistic, df=float(rank), df_residual=df)


def hotelling(found: Adjusted, forms: Forms, value: Floats, *, outcome: int = 0) -> FTest:
    r"""Joint test of forms by Hotelling's approximation to the law of their covariance (HTZ).

    :math:`\eta=q(q+1)/\sum_{s,t}\mathrm{Var}(D_{st})` and
    :math:`\frac{\eta-q+1}{\eta q}Q\sim F(q,\eta-q+1)` (Pustejovsky & Tipton 2018, §3.2).

    Parameters
    ----------
    found : Adjusted
        By CR2 or CR3.
    forms : Forms
        q of them, linearly independent.
    value : ndarray of shape (q,)
        What they are found to be.
    outcome : int
        Which of the outcomes of the regression.
    """
    influence = found.influence(forms)[:, :, outcome]
    q = value.size
    within = found.within
    nan = float("nan")
    if within is None or not np.isfinite(influence).all():
        return FTest(statistic=nan, df=float(q), df_residual=nan)
    plain = wald(value, influence.T @ influence)
    if not np.isfinite(plain.statistic):
        return FTest(statistic=nan, df=float(q), df_residual=nan)
    form = plain.statistic * q
    eta = within.parts(found.local(forms)).degrees()
    residual = eta - q + 1
    return FTest(
        statistic=residual / (eta * q) * form if residual > 0 else nan,
        df=float(q),
        df_residual=residual,
    )
