r"""Augmented means: outcome regressions read over a population, plus the weighted means of their residuals.

.. math:: \hat\theta = \frac{\sum_i a_i[\hat m_1(x_i)-\hat m_0(x_i)]}{\sum_i a_i}
   + \frac{\sum_{d_i=1} b_i\hat e_{1i}}{\sum_{d_i=1} b_i}
   - \frac{\sum_{d_i=0} b_i\hat e_{0i}}{\sum_{d_i=0} b_i}

with :math:`\hat e_{di}=y_i-\hat m_d(x_i)`. For a population weighted by :math:`h(e)`, the efficient score
(Hirano, Imbens & Ridder 2003, doi:10.1111/1468-0262.00442; Li, Morgan & Zaslavsky 2018,
doi:10.1080/01621459.2016.1260466) has :math:`a=h+h'(e)(d-e)` and :math:`b=h/e` among the treated,
:math:`h/(1-e)` among the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tilt:
    """Weights of a population and of its arms, and how they move with the propensity.

    Parameters
    ----------
    target, balance : ndarray of shape (n,)
        a and b.
    target_slope, balance_slope : ndarray of shape (n,)
        Their derivatives in e.
    """

    target: Floats
    balance: Floats
    target_slope: Floats
    balance_slope: Floats

    def times(self, weight: Floats) -> Tilt:
        """The same, each unit counted ``weight`` times."""
        return Tilt(
            target=self.target * weight,
            balance=self.balance * weight,
            target_slope=self.target_slope * weight,
            balance_slope=self.balance_slope * weight,
        )


def tilt(estimand: str, treated: Bools, propensity: Floats) -> Tilt:
    """Weights for the treated, the untreated, everyone, or the overlap population.

    Parameters
    ----------
    estimand : str
        ``"ATT"``, ``"ATC"``, ``"ATE"`` or ``"ATO"``.
    treated : ndarray of bool, shape (n,)
    propensity : ndarray of shape (n,)
        Strictly between 0 and 1.
    """
    d, e = treated.astype(float), propensity
    one, nil = np.ones_like(e), np.zeros_like(e)
    if estimand == Estimand.ATT:
        return Tilt(
            target=d,
            balance=np.where(treated, 1.0, e / (1 - e)),
            target_slope=nil,
            balance_slope=np.where(treated, 0.0, 1 / (1 - e) ** 2),
        )
    if estimand == Estimand.ATC:
        return Tilt(
            target=1 - d,
            balance=np.where(treated, (1 - e) / e, 1.0),
            target_slope=nil,
            balance_slope=np.where(treated, -1 / e**2, 0.0),
        )
    if estimand == Estimand.ATE:
        return Tilt(
            target=one,
            balance=np.where(treated, 1 / e, 1 / (1 - e)),
            target_slope=nil,
            balance_slope=np.where(treated, -1 / e**2, 1 / (1 - e) ** 2),
        )
    return Tilt(
        target=(d - e) ** 2,
        balance=np.where(treated, 1 - e, e),
        target_slope=-2 * (d - e),
        balance_slope=np.where(treated, -one, one),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """Augmented means and their linearisation.

    Parameters
    ----------
    effect : ndarray of shape (n_outcomes,)
    influence : ndarray of shape (n, n_outcomes)
        With predictions and weights taken as known.
    by_target, by_balance : ndarray of shape (n, n_outcomes)
        Derivative of the effect in each unit's a and b.
    """

    effect: Floats
    influence: Floats
    by_target: Floats
    by_balance: Floats


def augmented(
    gap: Floats, residual: Floats, treated: Bools, *, target: Floats, balance: Floats
) -> Augmented:
    r"""Effect of several outcomes over one population.

    Parameters
    ----------
    gap : ndarray of shape (n, n_outcomes)
        :math:`\hat m_1(x_i)-\hat m_0(x_i)`.
    residual : ndarray of shape (n, n_outcomes)
        Outcome less what its own arm's regression predicts.
    treated : ndarray of bool, shape (n,)
    target, balance : ndarray of shape (n,)
        a and b; 0 for units that take no part.
    """
    total = target.sum()
    effect = target @ gap / total
    by_target = (gap - effect) / total
    by_balance = np.zeros_like(gap)
    for arm, sign in ((treated, 1.0), (~treated, -1.0)):
        weight = balance * arm
        mass = weight.sum()
        mean = weight @ residual / mass
        effect = effect + sign * mean
        by_balance[arm] = sign * (residual[arm] - mean) / mass
    influence = target[:, None] * by_target + balance[:, None] * by_balance
    return Augmented(effect=effect, influence=influence, by_target=by_target, by_balance=by_balance)
