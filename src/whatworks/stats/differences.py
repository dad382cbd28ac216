r"""Two-by-two differences in differences, and their influence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEffect:
    """One cohort's effects.

    Parameters
    ----------
    effect : ndarray of shape (n_months,)
    influence : ndarray of shape (n_units, n_months)
        Sums to zero within each arm.
    """

    effect: Floats
    influence: Floats


def two_by_two(change: Floats, treated: NDArray[np.bool_], *, weight: Floats) -> CellEffect:
    r"""Mean change of the treated less mean change of the comparison.

    .. math:: \hat\delta = \bar{\Delta y}_{1} - \bar{\Delta y}_{0},\qquad
              \psi_i = \pm\frac{w_i}{W_{d_i}}(\Delta y_i-\bar{\Delta y}_{d_i})

    Parameters
    ----------
    change : ndarray of shape (n_units, n_months)
        Outcome less its value in the base month, of the units of one cohort.
    treated : ndarray of bool, shape (n_units,)
    weight : ndarray of shape (n_units,)

    Returns
    -------
    CellEffect

    References
    ----------
    Sant'Anna & Zhao (2020), §2, without covariates, doi:10.1016/j.jeconom.2020.06.003.
    """
    influence = np.empty_like(change)
    effect = np.zeros(change.shape[1])
    for arm, sign in ((treated, 1.0), (~treated, -1.0)):
        share = weight[arm] / weight[arm].sum()
        mean = share @ change[arm]
        effect += sign * mean
        influence[arm] = sign * share[:, None] * (change[arm] - mean)
    return CellEffect(effect=effect, influence=influence)
