r"""Difference of weighted means, and its influence when the weights were estimated.

.. math:: \hat\tau = \frac{\sum_i d_iw_if_iy_i}{\sum_i d_iw_if_i}
          - \frac{\sum_i (1-d_i)w_if_iy_i}{\sum_i (1-d_i)w_if_i}

:math:`w` weighs a unit, :math:`f` a unit in a month: 0 where its outcome is not observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.fitted import FittedScore

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedEffect:
    """Effects and their influence.

    Parameters
    ----------
    effect : ndarray of shape (m,)
        NaN where an arm weighs nothing.
    influence : ndarray of shape (n, m)
        Of each unit; sums to zero over units.
    """

    effect: Floats
    influence: Floats


def weighted_difference(
    outcomes: Floats,
    *,
    treated: Bools,
    weight: Floats,
    factor: Floats,
    fitted: Sequence[FittedScore] = (),
) -> WeightedEffect:
    r"""Difference of weighted means of several outcomes, and influences.

    With :math:`r_i=\pm f_i(y_i-\bar y_{d_i})/W_{d_i}`, the influence of a unit is :math:`w_ir_i`, plus what
    the estimation of the weights adds to :math:`\sum_iw_ir_i` (Lunceford & Davidian 2004,
    doi:10.1002/sim.1903; Newey & McFadden 1994, §6).

    Parameters
    ----------
    outcomes : ndarray of shape (n, m)
        Finite; what stands where the factor is 0 is not read.
    treated : ndarray of bool, shape (n,)
    weight : ndarray of shape (n,)
    factor : ndarray of shape (n, m)
    fitted : sequence of FittedScore
        Equations that gave the weights; none when these are known.

    Returns
    -------
    WeightedEffect
    """
    residual = np.zeros_like(outcomes)
    effect = np.zeros(outcomes.shape[1])
    for arm, sign in ((treated, 1.0), (~treated, -1.0)):
        held, among = factor[arm], outcomes[arm]
        total = weight[arm] @ held
        total = np.where(total > 0, total, np.nan)
        mean = (weight[arm] @ (held * among)) / total
        effect += sign * mean
        residual[arm] = sign * held * (among - mean) / total
    influence = weight[:, None] * residual
    for equation in fitted:
        influence += equation.correction(residual)
    return WeightedEffect(effect=effect, influence=influence)
