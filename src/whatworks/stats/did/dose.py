r"""Effects of a dose: changes of the treated as a curve of their dose, less the change of the untreated.

For a cohort and a period, with :math:`\psi(d)` a basis of B-splines, :math:`\Delta y` the change since the
base and :math:`\bar{\Delta y}_0` its mean among the untreated,

.. math::

    \widehat{ATT}(d)=\psi(d)'\hat\beta-\bar{\Delta y}_0=\psi(d)'\hat\gamma,\qquad
    \widehat{ACRT}(d)=\psi'(d)'\hat\gamma,\qquad
    \hat\gamma=\hat\beta-\bar{\Delta y}_0\,(1,\dots,1)'

where :math:`\hat\beta` is least squares of :math:`\Delta y` on :math:`\psi(D)` among the treated: the splines
of a basis sum to one everywhere, so that a constant is the same coefficient on each.

References
----------
Callaway, Goodman-Bacon & Sant'Anna (2024), arXiv:2107.02637, §§3–5. de Boor (2001), A Practical Guide to
Splines, doi:10.1007/978-1-4612-6333-3, for the basis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLLINEAR: Final = 1e-10
"""Eigenvalue of the splines' products, relative to the greatest, that counts as zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseBasis:
    """B-splines of a dose, intercept included: they sum to one.

    Parameters
    ----------
    knots : ndarray of shape (n_splines + degree + 1,)
        Not decreasing; the ends stand ``degree`` + 1 times.
    degree : int
    """

    knots: Floats
    degree: int

    @classmethod
    def of(cls, low: float, high: float, *, inside: Floats, degree: int) -> DoseBasis:
        """Splines between two doses, with knots strictly between them."""
        ends = degree + 1
        return cls(knots=np.concatenate([[low] * ends, inside, [high] * ends]), degree=degree)

    @property
    def size(self) -> int:
        """Number of splines."""
        return int(self.knots.size - self.degree - 1)

    def values(self, dose: Floats) -> Floats:
        """Splines at some doses, shape (n, n_splines)."""
        return np.asarray(self._splines()(dose))

    def slopes(self, dose: Floats) -> Floats:
        """Their derivatives, shape (n, n_splines)."""
        return np.asarray(self._splines().derivative()(dose))

    def _splines(self) -> BSpline:
        return BSpline(self.knots, np.eye(self.size), self.degree)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseCurve:
    r"""Changes of one cohort as a curve of the dose, in several periods.

    Parameters
    ----------
    terms : ndarray of shape (n_splines + 2, m)
        :math:`\hat\beta`; the mean change; the mean slope of the curve over the doses received.
    influence : ndarray of shape (m, n, n_splines + 2)
        Of each treated unit on each term.
    """

    terms: Floats
    influence: Floats


def rank_of(basis: Floats, weight: Floats) -> int:
    """Number of splines that the doses received tell apart."""
    root = basis * np.sqrt(weight / weight.sum())[:, None]
    values = np.linalg.eigvalsh(root.T @ root)
    return int((values > COLLINEAR * values.max(initial=0.0)).sum())


def dose_curve(change: Floats, basis: Floats, slopes: Floats, *, weight: Floats) -> DoseCurve:
    r"""Least squares of changes on splines of the dose, every period at once.

    .. math::

        \psi^\beta_i=w_iG^{-1}\psi(D_i)\hat e_i,\quad G=\sum_iw_i\psi(D_i)\psi(D_i)',\qquad
        \psi^{\bar s}_i=\bar s'\psi^\beta_i+\tfrac{w_i}{W}\big(\psi'(D_i)'\hat\beta-\bar s'\hat\beta\big)

    with :math:`\bar s=\sum_iw_i\psi'(D_i)/W`.

    Parameters
    ----------
    change : ndarray of shape (n, m)
    basis, slopes : ndarray of shape (n, n_splines)
        At the doses received; of full rank.
    weight : ndarray of shape (n,)
    """
    share = weight / weight.sum()
    weighted = basis * share[:, None]
    inverse = np.linalg.inv(basis.T @ weighted)
    beta = inverse @ (weighted.T @ change)
    residual = change - basis @ beta
    level = share @ change
    mean_slope = share @ slopes
    along = slopes @ beta
    response = mean_slope @ beta
    by_unit = weighted @ inverse
    influence = np.empty((change.shape[1], change.shape[0], basis.shape[1] + 2))
    influence[:, :, :-2] = residual.T[:, :, None] * by_unit
    influence[:, :, -2] = (share[:, None] * (change - level)).T
    influence[:, :, -1] = (
        residual * (by_unit @ mean_slope)[:, None] + share[:, None] * (along - response)
    ).T
    return DoseCurve(terms=np.vstack([beta, level, response]), influence=influence)
