r"""Variances of matched effects for independent units, by Abadie and Imbens.

Notation of `matching` and `matched_effects`. With :math:`a_k=y_k-x_k'\hat\beta_{1-d_k}` for a unit sought
for, :math:`b_k=y_k-x_k'\hat\beta_{d_k}` for a match (:math:`\hat\beta=0` without bias adjustment) and
:math:`g_i=\sigma_i(a_i-\sum_js_{ij}b_j)-\hat\tau`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.matched_effects import Regressions
from whatworks.stats.matching import Matching
from whatworks.stats.neighbourhoods import Neighbourhoods, near_in_space, near_on_line

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    r"""Each unit against its matches.

    Parameters
    ----------
    sought : ndarray of shape (n, m)
        :math:`a_k`.
    lending : ndarray of shape (n, m)
        :math:`b_k`.
    counterfactual : ndarray of shape (n, m)
        :math:`\sum_j s_{ij}b_j`.
    gap : ndarray of shape (n, m)
        :math:`g_i`.
    """

    sought: Floats
    lending: Floats
    counterfactual: Floats
    gap: Floats


def matched_gaps(
    outcomes: Floats, covariates: Floats, month: Matching, fits: Regressions | None
) -> Gaps:
    """Gaps of every unit; ``fits`` as for `matched_effects.matched_effect`."""
    lending = sought = outcomes
    if fits is not None:
        moved = {arm: covariates @ fit.slope for arm, fit in fits.items()}
        if len(moved) == 1:  # one arm lends: both sides are moved by its regression
            lending = sought = outcomes - next(iter(moved.values()))
        else:
            treated = month.is_treated[:, None]
            lending = outcomes - np.where(treated, moved[True], moved[False])
            sought = outcomes - np.where(treated, moved[False], moved[True])
    counterfactual = month.links.means(lending)
    gap = sought - counterfactual
    gap *= month.sign[:, None]
    gap -= month.own @ gap
    return Gaps(sought=sought, lending=lending, counterfactual=counterfactual, gap=gap)


def abadie_imbens(
    found: Gaps, month: Matching, *, near: Mapping[bool, Neighbourhoods] | None, sample: bool
) -> Floats:
    r"""Covariance of matched effects, with replacement (Abadie & Imbens 2006, Theorem 7).

    .. math::

        \hat V_{\mathrm{population}} = \sum_iw_i^2g_i^2
             +\sum_k\Big(v_k^2+2w_kv_k-\sum_iw_i^2s_{ik}^2\Big)\hat\sigma_k^2,\qquad
        \hat V_{\mathrm{sample}} = \sum_k(w_k+v_k)^2\hat\sigma_k^2

    :math:`\hat\sigma_k^2` is the variance of outcomes among the unit and its nearest of the same arm, or,
    without neighbourhoods, one for all,
    :math:`\tfrac12\sum_iw_i\sum_js_{ij}(\sigma_i(a_i-b_j)-\hat\tau)^2`.

    Parameters
    ----------
    found : Gaps
    month : Matching
    near : mapping of arm to Neighbourhoods, or None
        Positions are those of the units of the arm, in order; None for one variance for all.
    sample : bool
        Of the effect on these very units, rather than in the population they come from.

    Returns
    -------
    ndarray of shape (m, m)
        Off the diagonal, cross-products take the place of squares.

    References
    ----------
    Abadie & Imbens (2006), doi:10.1111/j.1468-0262.2006.00655.x; Abadie, Drukker, Herr & Imbens (2004),
    doi:10.1177/1536867X0400400307, for one variance for all.
    """
    own, lent = month.own, month.lent
    weight = (own + lent) ** 2 if sample else lent**2 + 2 * own * lent - month.squares
    if (own > 0).sum() < 2:
        return np.full((found.gap.shape[1],) * 2, np.nan)
    spread = np.zeros((found.gap.shape[1],) * 2)
    if near is None:
        spread = np.maximum(weight, 0.0).sum() * _one_for_all(found, month)
    else:
        for arm, places in near.items():
            rows = np.flatnonzero((month.is_treated == arm) & month.used)
            mine = found.lending[rows]
            spread += places.covariances(mine, mine, weight=np.maximum(weight[rows], 0.0))
    if sample:
        return spread
    sought = np.flatnonzero(own > 0)
    centred = found.gap[sought]
    centred *= own[sought, None]
    return np.asarray(centred.T @ centred + spread)


def _one_for_all(found: Gaps, month: Matching) -> Floats:
    """Half the mean square of pairs' gaps: matches' own products stand for a sum over pairs."""
    own, lent = month.own[:, None], month.lent[:, None]
    around = (found.gap * own).T @ found.gap
    around -= (found.counterfactual * own).T @ found.counterfactual
    around += (found.lending * lent).T @ found.lending
    return np.asarray(around / 2)


def same_arm(
    month: Matching, *, score: Floats | None, points: Floats, neighbours: int, sample: bool
) -> Mapping[bool, Neighbourhoods]:
    """Nearest units of the same arm among those used, by score or, without one, in space.

    Only arms whose variances are read: those that lend, and for the sample both.

    Parameters
    ----------
    month : Matching
    score : ndarray of shape (n,) or None
    points : ndarray of shape (n, k)
        Nearness is Euclidean in them.
    neighbours : int
        Besides the unit itself.
    sample : bool
    """
    near = {}
    for arm in (False, True):
        rows = np.flatnonzero((month.is_treated == arm) & month.used)
        if not sample and not (month.lent[rows] > 0).any():
            continue
        if score is None:
            mine = points[rows]
            near[arm] = near_in_space(mine, mine, at_least=neighbours + 1)
        else:
            mine = score[rows]
            near[arm] = near_on_line(mine, mine, at_least=neighbours + 1)
    return near
