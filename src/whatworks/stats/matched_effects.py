r"""Differences of matched means, their bias correction and their influence by unit.

Notation of `matching`, with :math:`\sigma_k=+1` for a treated unit, −1 for another, and
:math:`\hat m_d(x)=\hat\alpha_d+x'\hat\beta_d` the regression of the matches of arm :math:`d` with weights
:math:`v`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.matching import Matching

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COLLINEAR: Final = 1e-12
"""Share of the largest eigenvalue of covariates' correlations below which they are collinear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRegression:
    """Weighted least squares of every outcome at once on covariates.

    Parameters
    ----------
    centre : ndarray of shape (k,)
        Weighted mean of the covariates.
    level : ndarray of shape (m,)
        Weighted mean of the outcomes.
    slope : ndarray of shape (k, m)
        Of least norm, on covariates scaled to one, where they are collinear.
    inverse : ndarray of shape (k, k)
        Inverse of the weighted covariance of the covariates.
    n, rank : int
        Rows of positive weight, and slopes that they determine.
    """

    centre: Floats
    level: Floats
    slope: Floats
    inverse: Floats
    n: int
    rank: int

    def fitted(self, covariates: Floats) -> Floats:
        """Values on the regression, shape (n, m)."""
        return np.asarray(self.level + (covariates - self.centre) @ self.slope)

    @property
    def factor(self) -> float:
        """n/(n − rank − 1): what makes squared residuals right on average; NaN when none is spare."""
        spare = self.n - self.rank - 1
        return self.n / spare if spare > 0 else float("nan")


def arm_regression(outcomes: Floats, covariates: Floats, weight: Floats) -> ArmRegression:
    """Regress outcomes on covariates with weights.

    Normal equations of centred covariates of unit size, solved, and solved again for what the first
    solution leaves: the digits of an orthogonal method at the price of three products.

    Parameters
    ----------
    outcomes : ndarray of shape (n, m)
    covariates : ndarray of shape (n, k)
    weight : ndarray of shape (n,)
        Positive.
    """
    share = weight / weight.sum()
    centre, level = share @ covariates, share @ outcomes
    centred = covariates - centre
    weighted = (centred * share[:, None]).T
    products = weighted @ centred
    size = np.sqrt(np.diag(products))
    # What is left of a column of equal values is rounding: it is no covariate.
    size = np.where(size > 1e-12 * np.abs(centre), size, np.inf)
    values, vectors = np.linalg.eigh(products / np.outer(size, size))
    kept = values > COLLINEAR * values.max(initial=0.0)
    back = vectors[:, kept] / size[:, None]
    inverse = (back / values[kept]) @ back.T
    slope = inverse @ (weighted @ outcomes)
    slope += inverse @ (weighted @ (outcomes - level - centred @ slope))
    return ArmRegression(
        centre=centre,
        level=level,
        slope=slope,
        inverse=inverse,
        n=share.size,
        rank=int(kept.sum()),
    )


Regressions = Mapping[bool, ArmRegression]


def regressions(outcomes: Floats, covariates: Floats, weight: Floats, arm: Bools) -> Regressions:
    """Regression of each arm whose ``weight`` is not all zero."""
    rows = {side: np.flatnonzero((arm == side) & (weight > 0)) for side in (False, True)}
    return {
        side: arm_regression(outcomes[found], covariates[found], weight[found])
        for side, found in rows.items()
        if found.size
    }


def matched_effect(
    outcomes: Floats, covariates: Floats, month: Matching, fits: Regressions | None
) -> Floats:
    r"""Average effect over the units sought for.

    .. math:: \hat\tau=\sum_k\sigma_k(w_k+v_k)y_k-\sum_d\sigma_d(\bar x_{w,1-d}-\bar x_{v,d})'\hat\beta_d

    the second sum, over the arms that lend, with regressions only (Abadie & Imbens 2011,
    doi:10.1198/jbes.2009.07333): it moves each match to the covariates of the unit it is matched to.

    Parameters
    ----------
    outcomes : ndarray of shape (n, m)
        Finite where the unit counts.
    covariates : ndarray of shape (n, k)
    month : Matching
    fits : mapping of arm to ArmRegression, or None
        Of the matches, weighted by what they lend.

    Returns
    -------
    ndarray of shape (m,)
    """
    weight = month.sign * (month.own + month.lent)
    effect = weight @ outcomes
    if fits is not None:
        for arm, fit in fits.items():
            lending = month.is_treated == arm
            gap = np.where(lending, 0.0, month.own) @ covariates
            gap -= np.where(lending, month.lent, 0.0) @ covariates
            effect += (1.0 if arm else -1.0) * gap @ fit.slope
    return np.asarray(effect)


def matched_influence(
    outcomes: Floats,
    covariates: Floats,
    month: Matching,
    lending: Regressions,
    *,
    bias_adjust: bool,
    sample: bool,
    unbiased: bool,
) -> Floats:
    r"""Influence of each unit on the effect, to be summed by cluster.

    .. math::

        \psi_k = w_k\big(\sigma_k(y_k-\hat m_{1-d_k}(x_k))-\hat\tau\big)
               + \sigma_kv_k\big(1+\delta_{d_k}'S_{d_k}^{-1}(x_k-\bar x_{d_k})\big)(y_k-\hat m_{d_k}(x_k))

    :math:`\delta_d` is what matching left between the covariates of those sought for and of their
    matches (zero without bias adjustment) and :math:`S_d` the covariance of the matches' covariates:
    the estimation of :math:`\hat\beta_d` counts. Without bias adjustment, what matching left in the
    covariates of each unit, times :math:`\hat\beta_d`, counts besides. With ``sample``, the effect is
    that on these very units: the first term is :math:`w_k\sigma_k` times the residual of unit k around
    its own arm.

    Parameters
    ----------
    outcomes, covariates, month
        As for `matched_effect`.
    lending : mapping of arm to ArmRegression
        Of the matches, weighted by what they lend.
    bias_adjust : bool
    sample : bool
        Effect on the units of the sample rather than in the population they come from.
    unbiased : bool
        Scale each part for the degrees of freedom it spends.

    Returns
    -------
    ndarray of shape (n, m)
    """
    influence = np.zeros_like(outcomes)
    for side, fit in lending.items():
        rows = np.flatnonzero((month.is_treated == side) & (month.lent > 0))
        weight = month.sign[rows] * month.lent[rows]
        if bias_adjust:
            sought = np.where(month.is_treated == side, 0.0, month.own)
            left = sought @ covariates / sought.sum() - fit.centre
            weight = weight * (1 + (covariates[rows] - fit.centre) @ (fit.inverse @ left))
        weight = weight * np.sqrt(fit.factor) if unbiased else weight
        influence[rows] = weight[:, None] * (outcomes[rows] - fit.fitted(covariates[rows]))
    if sample:
        around = regressions(outcomes, covariates, month.own, month.is_treated)
    else:
        around = {not side: fit for side, fit in lending.items()}
    gaps = {side: np.flatnonzero((month.is_treated == side) & (month.own > 0)) for side in around}
    mean, n_sought = np.zeros(outcomes.shape[1]), int((month.own > 0).sum())
    if not sample:
        for side, rows in gaps.items():
            gap = outcomes[rows] - around[side].fitted(covariates[rows])
            mean += (month.sign[rows] * month.own[rows]) @ gap
    for side, rows in gaps.items():
        spent = around[side].factor if sample else _bessel(n_sought)
        scale = np.sqrt(spent) if unbiased else 1.0
        gap = outcomes[rows] - around[side].fitted(covariates[rows])
        gap = month.sign[rows, None] * gap - mean
        influence[rows] += (scale * month.own[rows])[:, None] * gap
    if not bias_adjust:
        for side, fit in lending.items():
            told = covariates @ fit.slope
            _add_imbalance(influence, told, month.before or month, lending=side)
            _add_censoring(influence, told - fit.centre @ fit.slope, month, lending=side)
    # Of outcomes that nothing tells apart, what is left is rounding.
    noise = 1e-12 * np.abs(outcomes).max(axis=0, initial=0.0)
    influence[:, np.linalg.norm(influence, axis=0) <= noise] = 0.0
    return influence


def _add_censoring(influence: Floats, told: Floats, month: Matching, *, lending: bool) -> None:
    """What covariates tell of outcomes and censoring moved: who remains differs by chance."""
    if month.before is not None:
        as_match, as_own = month.lent - month.before.lent, month.own - month.before.own
        moved = month.sign * np.where(month.is_treated == lending, as_match, as_own)
        influence += moved[:, None] * told


def _add_imbalance(influence: Floats, told: Floats, month: Matching, *, lending: bool) -> None:
    """What covariates tell of outcomes and matching left in them, unit by unit.

    Matched on a score, two units alike in it differ in their covariates by chance, and an effect that
    is not adjusted moves with that chance. Each unit is held against those it is matched with or to;
    their own mean being estimated, the difference is scaled to have the variance of one unit.
    """
    sought = np.flatnonzero((month.is_treated != lending) & (month.own > 0))
    gap = told[sought] - month.links.means(told)[sought]
    weight = month.sign[sought] * month.own[sought]
    weight /= np.sqrt(1 + month.links.concentration()[sought])
    influence[sought] += weight[:, None] * gap
    lent = np.flatnonzero((month.is_treated == lending) & (month.lent > 0))
    mean = month.links.returned(month.own[:, None] * told)[lent] / month.lent[lent, None]
    weight = month.sign[lent] * month.lent[lent]
    weight /= np.sqrt(1 + month.squares[lent] / month.lent[lent] ** 2)
    influence[lent] += weight[:, None] * (told[lent] - mean)


def _bessel(n: int) -> float:
    return n / (n - 1) if n > 1 else float("nan")
