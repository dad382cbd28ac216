r"""Mean outcomes in small groups were each member treated with chance α, the others alike.

With :math:`\pi(z_{-i};\alpha)=\prod_{j\ne i}\alpha^{z_j}(1-\alpha)^{1-z_j}`, groups :math:`c` of :math:`n_c`
members and :math:`f` the law of who is treated in them,

.. math:: \hat\mu(z,\alpha)=\frac1C\sum_c\frac1{n_c}\sum_{i\in c}
          \Big[m_i(z,\alpha)+\frac{\pi(Z_{-i};\alpha)1\{Z_i=z\}}{f(Z_c|x_c)}\{Y_i-m_i(Z_i,g_i)\}\Big],

:math:`g_i` the share treated among the others and :math:`m` a regression on own treatment, that share,
their product and covariates; being linear in the share, its mean under the policy is its value at
α. With :math:`m=0` it is the inverse-probability estimator, and divided by the same sum with
:math:`Y=1` that of Hájek. Within a group the weight hangs on own treatment only, so that sums by group
and arm are all that is needed.

References
----------
Tchetgen Tchetgen & VanderWeele (2012), doi:10.1177/0962280210386779; Liu & Hudgens (2014),
doi:10.1080/01621459.2013.844698; Liu, Hudgens & Becker-Dreps (2016), doi:10.1093/biomet/asw047; Liu,
Hudgens, Saul, Clemens, Ali & Emch (2019), doi:10.1002/sta4.214.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlog1py, xlogy

from whatworks.stats.displacement.group_law import GroupLaw, Members
from whatworks.stats.displacement.share_law import derivative
from whatworks.stats.gram import inverse

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Numbers = NDArray[Any]

Means = Literal["doubly_robust", "hajek", "horvitz_thompson"]
MEANS: Final = ("doubly_robust", "hajek", "horvitz_thompson")
_COLLINEAR: Final = 1e-11
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMeans:
    r"""Means by policy.

    Parameters
    ----------
    mean : ndarray of shape (n_policies,)
    influence : ndarray of shape (n_groups, n_policies)
    effective : ndarray of shape (n_policies,)
        Number of groups that would weigh alike to as much, :math:`(\sum\omega)^2/\sum\omega^2`.
    """

    mean: Floats
    influence: Floats
    effective: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Least squares on own treatment, share of others, their product and covariates.

    Parameters
    ----------
    slopes : ndarray of shape (q + 3,)
        Regressors first, then treatment, share, product.
    residual : ndarray of shape (n,)
    influence : ndarray of shape (n_groups, q + 3)
    """

    slopes: Floats
    residual: Floats
    influence: Floats


def others_treated(members: Members) -> Floats:
    """Share treated among the other members of each one's group; 0 for who is alone, shape (n,)."""
    size = np.bincount(members.group, members.count, members.n_groups)[members.group]
    some = np.bincount(members.group, members.count * members.treated, members.n_groups)
    rest = some[members.group] - members.treated
    return np.asarray(np.divide(rest, size - 1, out=np.zeros_like(rest), where=size > 1))


def predicted(outcome: Floats, members: Members, *, seen: Floats) -> Predicted:
    """Fit over those seen, each ``seen`` times."""
    columns = _columns(members, members.treated.astype(float), others_treated(members))
    tilted = columns * seen[:, None]
    bread = inverse(tilted.T @ columns, collinear=_COLLINEAR).matrix
    y = np.where(seen > 0, outcome, 0.0)
    slopes = bread @ (tilted.T @ y)
    left = np.where(seen > 0, y - columns @ slopes, 0.0)
    left[np.abs(left) < _ROUNDING * np.abs(y).max(initial=0.0)] = 0.0
    return Predicted(
        slopes=slopes, residual=left, influence=members.sums(tilted * left[:, None]) @ bread
    )


def policy_means(
    outcome: Floats,
    law: GroupLaw,
    policies: Floats,
    *,
    treated: bool,
    seen: Floats,
    weigh: Floats,
    how: Means,
    model: Predicted | None,
) -> PolicyMeans:
    """Means of one arm under each policy.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        Not read where ``seen`` is 0.
    law : GroupLaw
    policies : ndarray of shape (n_policies,)
        Chances of being treated, 0 to 1.
    treated : bool
    seen : ndarray of shape (n,)
        How many members with an outcome a row is.
    weigh : ndarray of shape (n_groups,)
        What a group counts for.
    how : str
        One of `MEANS`.
    model : Predicted or None
        With ``doubly_robust``.
    """
    people = law.members
    arm = people.treated == treated
    size = np.bincount(people.group, seen, people.n_groups)
    share = np.where(size > 0, weigh, 0.0)
    share = share / share.sum() / np.where(size > 0, size, 1.0)
    y = np.where(seen > 0, outcome, 0.0)
    if model is not None:
        y = model.residual
    per = people.sums(np.column_stack([seen * arm * y, (seen * arm).astype(float)]))
    policy = _log_policy(people, policies, treated=treated)
    here = (per[:, 1] > 0)[:, None]

    def means(theta: Numbers) -> Numbers:
        ratio = np.where(here, np.exp(policy - law.log_density(theta)[:, None]), 0.0)
        top = (share * per[:, 0]) @ ratio
        return np.asarray(top / ((share * per[:, 1]) @ ratio) if how == "hajek" else top)

    theta = law.fitted.theta
    ratio = np.where(here, np.exp(policy - law.log_density(theta)[:, None]), 0.0)
    mean = means(theta)
    part = ratio * (share * per[:, 1])[:, None]
    # A group that weighs much bends the mean towards itself: it strayed by more than is left of it.
    bent = np.maximum(1 - part / np.maximum(part.sum(axis=0), 1e-300), 1e-3)
    if how == "hajek":
        whole = (share * per[:, 1]) @ ratio
        left = per[:, [0]] - per[:, [1]] * mean
        left[np.abs(left) < _ROUNDING * np.abs(per[:, [0]]).max(initial=0.0)] = 0.0
        influence = share[:, None] * ratio * left / whole / bent
    else:
        influence = share[:, None] * ratio * per[:, [0]] / (bent if model is not None else 1.0)
    if model is not None:
        added, own, by_slopes = _modelled(
            people, model, policies, treated=treated, seen=seen, share=share, ratio=ratio, arm=arm
        )
        mean = mean + added
        influence = influence + own + model.influence @ by_slopes
    if how != "hajek":
        # Of a mean over groups, each adds what it has less its part of the mean.
        influence = influence - (share * size)[:, None] * mean
        flat = np.abs(influence) < _ROUNDING * np.abs(mean) * (share * size)[:, None]
        influence[flat] = 0.0
    influence = influence + law.fitted.influence @ derivative(means, theta).T
    return PolicyMeans(
        mean=mean,
        influence=influence,
        effective=part.sum(axis=0) ** 2 / np.maximum((part**2).sum(axis=0), 1e-300),
    )


def _modelled(
    people: Members,
    model: Predicted,
    policies: Floats,
    *,
    treated: bool,
    seen: Floats,
    share: Floats,
    ratio: Floats,
    arm: Bools,
) -> tuple[Floats, Floats, Floats]:
    """What the regression predicts under policies: means, by group, and derivatives in its slopes."""
    # A prediction is linear in regressors and policy: sums of regressors by group are enough.
    size = np.bincount(people.group, seen, people.n_groups)
    sums = people.sums(people.regressors * seen[:, None])
    own, moved = [], []
    observed = _columns(people, people.treated.astype(float), others_treated(people))
    mine = people.sums(observed * (seen * arm)[:, None])
    for k, alpha in enumerate(policies):
        z = float(treated)
        tail = size[:, None] * np.array([z, alpha, z * alpha])
        at = np.hstack([sums, tail])
        own.append(share * (at @ model.slopes))
        moved.append(share @ at - (share * ratio[:, k]) @ mine)
    by_group = np.column_stack(own)
    return by_group.sum(axis=0), by_group, np.column_stack(moved)


def _columns(members: Members, treated: Floats, others: Floats) -> Floats:
    return np.column_stack([members.regressors, treated, others, treated * others])


def _log_policy(people: Members, policies: Floats, *, treated: bool) -> Floats:
    """Logarithm of the chance of the others' treatment for a member of an arm, by group and policy."""
    size = np.bincount(people.group, people.count, people.n_groups)
    some = np.bincount(people.group, people.count * people.treated, people.n_groups)
    others, rest = some - treated, size - some - (not treated)
    # Groups without anyone of the arm are not read.
    others, rest = np.maximum(others, 0.0)[:, None], np.maximum(rest, 0.0)[:, None]
    return np.asarray(xlogy(others, policies) + xlog1py(rest, -policies))
