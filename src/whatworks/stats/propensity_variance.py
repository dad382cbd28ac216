r"""What the estimation of the propensity does to the variance of a matched effect.

Abadie & Imbens (2016), doi:10.3982/ECTA11293. Notation of `matching_variance`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.fitted import FittedScore
from whatworks.stats.matching import Matching
from whatworks.stats.matching_variance import Gaps
from whatworks.stats.neighbourhoods import Neighbourhoods, near_in_space, near_on_line

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedScore:
    """A propensity and the equation it solves.

    Parameters
    ----------
    fitted : FittedScore
        Likelihood equation of a binary regression, rows as the units.
    propensity : ndarray of shape (n,)
    weight : ndarray of shape (n,)
        Sampling weights.
    points : ndarray of shape (n, k)
        Nearness of covariates is Euclidean in them.
    """

    fitted: FittedScore
    propensity: Floats
    weight: Floats
    points: Floats

    @property
    def rate(self) -> Floats:
        r""":math:`h_i`: derivative of the log-probability of one's own arm, shape (n,)."""
        return self.fitted.score / self.weight

    def regressors(self, rows: Ints) -> Floats:
        """Indicators of groups and covariates of some units."""
        groups = np.arange(self.fitted.n_groups)
        return np.hstack(
            [(self.fitted.group[rows, None] == groups).astype(float), self.fitted.basis[rows]]
        )


def estimated_propensity(
    found: Gaps, month: Matching, estimated: EstimatedScore, *, neighbours: int
) -> Floats:
    r"""Covariance to add to that of Abadie and Imbens (2006), population version.

    .. math:: -\hat c'A^{-1}\hat c+\hat d'A^{-1}\hat d

    with :math:`A` the information on the parameter. When those sought for are of one arm, whose
    probability is :math:`F`, and :math:`h=\partial\log F/\partial\eta`, averages over them of

    .. math::

        c:\ zh\,(\bar\mu_{\mathrm{own}}(F)-\bar\mu_{\mathrm{other}}(F)-\tau)
            + h\,\mathrm{cov}_{\mathrm{own}}(z,y\mid F)
            + \tfrac{F}{1-F}h\,\mathrm{cov}_{\mathrm{other}}(z,y\mid F),\qquad
        d:\ zh\,(y-\mu_{\mathrm{other}}(x)-\tau)

    and when they are of both arms, with :math:`f=\partial p/\partial\eta`,

    .. math:: c:\ \tfrac{f}{p}\mathrm{cov}_{1}(z,y\mid p)+\tfrac{f}{1-p}\mathrm{cov}_0(z,y\mid p),
              \qquad d=0

    (Theorems 1 and 2). Averages of the paper over everyone are written over those sought for, by
    Bayes' rule: a design holds no others. Means and covariances given the score are those of the
    nearest by score, :math:`\mu(x)` that of the nearest in covariates.

    Parameters
    ----------
    found : Gaps
    month : Matching
        By nearness of the score.
    estimated : EstimatedScore
    neighbours : int
        By score, besides one unit; 1 at least.

    Returns
    -------
    ndarray of shape (m, m)
    """
    inverse = estimated.fitted.inverse()
    sought = np.flatnonzero(month.own > 0)
    if np.unique(month.is_treated[sought]).size == 2:
        c = _both_arms(found, month, estimated, max(neighbours, 1))
        return np.asarray(-c.T @ inverse @ c)
    c, d = _one_arm(found, month, estimated, max(neighbours, 1))
    return np.asarray(d.T @ inverse @ d - c.T @ inverse @ c)


def _both_arms(found: Gaps, month: Matching, estimated: EstimatedScore, neighbours: int) -> Floats:
    p = estimated.propensity
    density = np.where(month.is_treated, p, p - 1) * estimated.rate
    sought = np.flatnonzero(month.own > 0)
    total: Floats = np.zeros((estimated.fitted.inverse().shape[0], found.gap.shape[1]))
    for arm in (False, True):
        rows = np.flatnonzero((month.is_treated == arm) & month.used)
        near = near_on_line(p[sought], p[rows], at_least=neighbours + 1)
        share = p[sought] if arm else 1 - p[sought]
        total += near.covariances(
            estimated.regressors(rows),
            found.lending[rows],
            weight=month.own[sought] * density[sought] / share,
        )
    return total


def _one_arm(
    found: Gaps, month: Matching, estimated: EstimatedScore, neighbours: int
) -> tuple[Floats, Floats]:
    arm = bool(month.is_treated[np.argmax(month.own)])
    mine = np.flatnonzero((month.is_treated == arm) & (month.own > 0))
    others = np.flatnonzero((month.is_treated != arm) & (month.lent > 0))
    p = estimated.propensity if arm else 1 - estimated.propensity
    y, y_others = found.sought[mine], found.lending[others]
    own = near_on_line(p[mine], p[mine], at_least=neighbours + 1)
    other = near_on_line(p[mine], p[others], at_least=neighbours + 1)
    weight = month.own[mine] * estimated.rate[mine]
    effect = month.own[mine] @ (y - found.counterfactual[mine])
    level = _leaving_one_out(own, y) - other.means(y_others)[other.target] - effect
    regressors = estimated.regressors(mine)
    c = regressors.T @ (weight[:, None] * level)
    c += own.covariances(regressors, y, weight=weight)
    c += other.covariances(
        estimated.regressors(others), y_others, weight=weight * p[mine] / (1 - p[mine])
    )
    alike = near_in_space(estimated.points[mine], estimated.points[others], at_least=1)
    gap = y - alike.means(y_others)[alike.target] - effect
    return c, regressors.T @ (weight[:, None] * gap)


def _leaving_one_out(near: Neighbourhoods, values: Floats) -> Floats:
    """Mean around each unit without the unit itself."""
    size = near.sizes()[near.target][:, None]
    others = np.where(size > 1, size - 1, np.nan)  # a unit alone in its arm has nobody around it
    return np.asarray((near.means(values)[near.target] * size - values) / others)
