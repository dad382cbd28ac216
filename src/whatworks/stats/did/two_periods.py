r"""Two groups and two periods, units seen in both: effects on the treated and their influence.

The outcome is the change :math:`\Delta y` from one period to the other, several changes at once;
:math:`z=(1,x)`, :math:`\hat m(x)=z'\hat\beta` the line of the comparisons' changes and
:math:`\omega=w\,p/(1-p)` the comparisons' weight. Every function takes and gives the same things.

References
----------
Sant'Anna & Zhao (2020), doi:10.1016/j.jeconom.2020.06.003. Abadie (2005),
doi:10.1111/0034-6527.00321. Heckman, Ichimura & Todd (1997), doi:10.2307/2971733.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.two_groups import (
    TwoByTwo,
    fit_line,
    odds_by_logit,
    odds_by_tilting,
    regressors,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COMPARISONS = "the comparisons"


def traditional(change: Floats, *, treated: Bools, covariates: Floats, weight: Floats) -> TwoByTwo:
    r"""Doubly robust: logistic odds, least-squares line.

    .. math:: \hat\theta = \frac{\sum_{d=1} w(\Delta y-\hat m)}{\sum_{d=1} w}
                         - \frac{\sum_{d=0}\omega(\Delta y-\hat m)}{\sum_{d=0}\omega}

    Parameters
    ----------
    change : ndarray of shape (n, m)
    treated : ndarray of bool, shape (n,)
    covariates : ndarray of shape (n, k)
    weight : ndarray of shape (n,)
        Sampling weights.

    Returns
    -------
    TwoByTwo

    Raises
    ------
    DesignRefused
        When covariates are collinear among the comparisons, or separate the arms.
    """
    z = regressors(covariates, weight=weight)
    odds = odds_by_logit(z, treated, weight=weight)
    mine, theirs = weight * treated, odds.used
    line = fit_line(z[~treated], change[~treated], weight=weight[~treated], of=COMPARISONS)
    residual = change - z @ line.slopes
    ours, alike = mine / mine.sum(), theirs / theirs.sum()
    level, gap = ours @ residual, alike @ residual
    # Regressors of the treated that the weighted comparisons do not reach.
    reach = line.inverse @ ((ours - alike) @ z)
    moved = z.T @ (alike[:, None] * (residual - gap))
    influence = ours[:, None] * (residual - level) - alike[:, None] * (residual - gap)
    influence -= (weight * ~treated * (z @ reach))[:, None] * residual
    influence -= odds.estimated(z, moved)
    return TwoByTwo(effect=level - gap, influence=influence, trimmed=odds.trimmed)


def improved(change: Floats, *, treated: Bools, covariates: Floats, weight: Floats) -> TwoByTwo:
    r"""Doubly robust in inference too: odds by tilting, line weighted by the odds.

    .. math:: \hat\theta = \frac{\sum_i \{w_id_i-\omega_i\}(\Delta y_i-\hat m_i)}{\sum_i w_id_i}

    Estimating odds and line moves nothing to first order, whichever of the two models is right.
    Arguments and result are those of `traditional`; also refused when no weights balance the arms.
    """
    z = regressors(covariates, weight=weight)
    odds = odds_by_tilting(z, treated, weight=weight)
    mine = weight * treated
    among = ~treated
    line = fit_line(z[among], change[among], weight=odds.weight[among], of=COMPARISONS)
    residual = change - z @ line.slopes
    total = mine.sum()
    share = (mine - odds.used) / total
    effect = share @ residual
    influence = share[:, None] * residual - np.outer(mine / total, effect)
    return TwoByTwo(effect=effect, influence=influence, trimmed=odds.trimmed)


def regression(change: Floats, *, treated: Bools, covariates: Floats, weight: Floats) -> TwoByTwo:
    r"""Outcome regression: the treated's mean change less what the comparisons' line says of them.

    .. math:: \hat\theta = \frac{\sum_{d=1} w(\Delta y-\hat m)}{\sum_{d=1} w}

    Arguments and result are those of `traditional`.
    """
    z = regressors(covariates, weight=weight)
    among = ~treated
    line = fit_line(z[among], change[among], weight=weight[among], of=COMPARISONS)
    residual = change - z @ line.slopes
    share = weight * treated / (weight * treated).sum()
    effect = share @ residual
    along = weight * among * (z @ (line.inverse @ (share @ z)))
    influence = share[:, None] * (residual - effect) - along[:, None] * residual
    return TwoByTwo(effect=effect, influence=influence)


def standardised_inverse_probability(
    change: Floats, *, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    r"""Inverse probability weighting with weights brought to one in each arm (Hájek).

    .. math:: \hat\theta = \frac{\sum_{d=1} w\Delta y}{\sum_{d=1} w}
                         - \frac{\sum_{d=0}\omega\Delta y}{\sum_{d=0}\omega}

    Arguments and result are those of `traditional`.
    """
    z = regressors(covariates, weight=weight)
    odds = odds_by_logit(z, treated, weight=weight)
    ours, alike = weight * treated, odds.used
    ours, alike = ours / ours.sum(), alike / alike.sum()
    level, other = ours @ change, alike @ change
    apart = alike[:, None] * (change - other)
    influence = ours[:, None] * (change - level) - apart - odds.estimated(z, z.T @ apart)
    return TwoByTwo(effect=level - other, influence=influence, trimmed=odds.trimmed)


def inverse_probability(
    change: Floats, *, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    r"""Inverse probability weighting as Abadie (2005) wrote it: weights do not sum to one.

    .. math:: \hat\theta = \frac{\sum_i (w_id_i-\omega_i)\Delta y_i}{\sum_i w_id_i}

    Arguments and result are those of `traditional`. Adding a constant to every change moves the
    effect: prefer `standardised_inverse_probability`.
    """
    z = regressors(covariates, weight=weight)
    odds = odds_by_logit(z, treated, weight=weight)
    mine = weight * treated
    total = mine.sum()
    share = (mine - odds.used) / total
    effect = share @ change
    influence = share[:, None] * change - np.outer(mine / total, effect)
    influence -= odds.estimated(z, z.T @ ((odds.used / total)[:, None] * change))
    return TwoByTwo(effect=effect, influence=influence, trimmed=odds.trimmed)
