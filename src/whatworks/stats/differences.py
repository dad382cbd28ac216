r"""Two-by-two differences in differences, their influence, and their average over cohorts."""

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


def average_over_cohorts(
    effects: Floats, influence: Floats, *, indicator: Floats, known: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    r"""Average of cohorts' effects by their share of the treated, the shares being estimated.

    .. math:: \hat\theta = \sum_g \hat p_g\hat\theta_g/\sum_g \hat p_g

    whose influence adds, to the average of the cohorts' influences,
    :math:`\sum_g \hat\theta_g\,\partial(p_g/\sum p)`: shares vary from sample to sample
    (Callaway & Sant'Anna 2021, §4.2, doi:10.1016/j.jeconom.2020.12.001).

    Parameters
    ----------
    effects : ndarray of shape (n_cohorts,)
    influence : ndarray of shape (n_clusters, n_cohorts)
    indicator : ndarray of shape (n_clusters, n_cohorts)
        Weight of each cluster's treated units by cohort, over the total of all clusters.
    known : ndarray of bool, shape (n_cohorts,)
        Cohorts observed in the month.

    Returns
    -------
    effect : ndarray of shape ()
    influence : ndarray of shape (n_clusters,)
    """
    share = indicator.sum(axis=0)[known]
    total = share.sum()
    weights = share / total
    theta = effects[known]
    average = weights @ theta
    # A cluster's part in the estimated shares: its own treated weight less its even share of it.
    deviation = indicator[:, known] @ (theta - average) / total
    return np.asarray(average), np.asarray(influence[:, known] @ weights + deviation)
