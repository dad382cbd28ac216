r"""Law of who is treated in a small group: a logit for each person, with or without what a group shares.

.. math:: f(z_c|x_c)=\int\prod_i h_i(b)^{z_i}\{1-h_i(b)\}^{1-z_i}\,\phi(b)\,db,\qquad
          \operatorname{logit}h_i(b)=x_i'\gamma+\sigma b,

and without the integral where :math:`\sigma=0`. The integral is taken by adaptive Gauss–Hermite
quadrature: nodes about the mode of each group's integrand, in its own curvature.

References
----------
Pinheiro & Bates (1995), doi:10.1080/10618600.1995.10474663; Tchetgen Tchetgen & VanderWeele (2012),
doi:10.1177/0962280210386779.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from whatworks.stats.displacement.share_law import FittedLaw, certain, solved

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Numbers = NDArray[Any]

NODES: Final = 21
_HALVINGS: Final = 60
_RECENTRED: Final = 50
_STILL: Final = 1e-11


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """People by group.

    Parameters
    ----------
    regressors : ndarray of shape (n, q)
        A constant first.
    treated : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)
        0 … n_groups − 1.
    count : ndarray of shape (n,)
        How many members of the group a row is.
    n_groups : int
    """

    regressors: Floats
    treated: Bools
    group: Ints
    count: Floats
    n_groups: int

    def sums(self, values: Numbers) -> Numbers:
        """Sums of columns (n, k) by group, shape (n_groups, k); real or complex."""
        found = np.empty((self.n_groups, values.shape[1]), dtype=values.dtype)
        for k, column in enumerate(values.T):
            real = np.bincount(self.group, column.real, self.n_groups)
            if np.iscomplexobj(values):
                found[:, k] = real + 1j * np.bincount(self.group, column.imag, self.n_groups)
            else:
                found[:, k] = real
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLaw:
    r"""The law, fitted.

    Parameters
    ----------
    members : Members
    fitted : FittedLaw
        Coefficients, then :math:`\log\sigma` where groups share something.
    nodes, weights : ndarray of shape (n_groups, n_nodes) or None
        Of the integral of each group; None where there is none.
    """

    members: Members
    fitted: FittedLaw
    nodes: Floats | None = None
    weights: Floats | None = None

    @property
    def spread(self) -> float:
        r""":math:`\sigma`; 0 where groups share nothing."""
        return 0.0 if self.nodes is None else float(np.exp(self.fitted.theta[-1]))

    def log_density(self, theta: Numbers) -> Numbers:
        """Logarithm of the probability of who is treated in each group, shape (n_groups,)."""
        sums, _ = self._by_node(theta)
        if self.weights is None:
            return sums[:, 0]
        top = sums.real.max(axis=1)
        total = (self.weights * np.exp(sums - top[:, None])).sum(axis=1)
        return np.asarray(np.log(total) + top)

    def scores(self, theta: Numbers) -> Numbers:
        """Derivative of each group's log-density, shape (n_groups, n_theta)."""
        people = self.members
        sums, missed = self._by_node(theta)
        if self.nodes is None or self.weights is None:
            return people.sums(people.regressors * missed)
        likely = self.weights * np.exp(sums - sums.real.max(axis=1)[:, None])
        likely /= likely.sum(axis=1)[:, None]
        mean = (missed * likely[people.group]).sum(axis=1)
        by_node = people.sums(missed)
        by_sigma = (likely * by_node * self.nodes).sum(axis=1) * np.exp(theta[-1])
        return np.column_stack([people.sums(people.regressors * mean[:, None]), by_sigma])

    def _by_node(self, theta: Numbers) -> tuple[Numbers, Numbers]:
        """Log-density by group and node; what each person's treatment exceeds its chance by, by node."""
        people = self.members
        q = people.regressors.shape[1]
        eta = (people.regressors @ theta[:q])[:, None]
        if self.nodes is not None:
            eta = eta + np.exp(theta[-1]) * self.nodes[people.group]
        sign = np.where(people.treated, 1.0, -1.0)[:, None]
        toward = np.exp(-np.where((sign * eta).real > -600, sign * eta, -600.0))
        count = people.count[:, None]
        return people.sums(-np.log(1 + toward) * count), sign * toward / (1 + toward) * count


def fit_groups(members: Members, *, shared: bool) -> GroupLaw:
    """Fit by maximum likelihood.

    Parameters
    ----------
    members : Members
    shared : bool
        Whether groups share an intercept of their own. Where the data show none (treatment within
        groups is no more alike than chance has it) the law is that without.

    Returns
    -------
    GroupLaw
    """
    law = GroupLaw(
        members=members,
        fitted=FittedLaw(theta=np.zeros(0), influence=np.zeros((0, 0)), converged=False),
    )
    alone = solved(law.scores, np.zeros(members.regressors.shape[1]))
    told = certain(members.regressors @ alone.theta)
    law = replace(law, fitted=replace(alone, converged=alone.converged and not told))
    if not shared or not law.fitted.converged or not _alike(law):
        return law
    theta = _climbed(law, np.append(alone.theta, np.log(0.5)))
    for _ in range(_RECENTRED):
        law = _centred(law, theta)
        found = solved(law.scores, theta)
        moved = float(np.abs(found.theta - theta).max())
        theta = found.theta
        if moved < _STILL:
            break
    law = _centred(law, theta)
    return replace(law, fitted=solved(law.scores, theta))


def _alike(law: GroupLaw) -> bool:
    """Whether the likelihood rises as groups begin to share something: its curvature at zero."""
    people, theta = law.members, law.fitted.theta
    chance = 1 / (1 + np.exp(-(people.regressors @ theta)))
    gap = people.sums(((people.treated - chance) * people.count)[:, None])[:, 0]
    noise = float((people.count * chance * (1 - chance)).sum())
    return float(gap @ gap) > noise


def _climbed(law: GroupLaw, start: Floats) -> Floats:
    """A place near the maximum, from where Newton's steps lead to it."""
    fixed = _centred(law, start)

    def height(theta: Floats) -> tuple[float, Floats]:
        total = -fixed.log_density(theta).sum() / law.members.n_groups
        slope = -fixed.scores(theta).sum(axis=0) / law.members.n_groups
        return float(total), np.asarray(slope)

    found = minimize(height, start, jac=True, method="BFGS", options={"gtol": 1e-7})
    return np.asarray(found.x, dtype=float)


def _centred(law: GroupLaw, theta: Floats) -> GroupLaw:
    """The law with nodes about the mode of each group's integrand."""
    people = law.members
    q = people.regressors.shape[1]
    eta, sigma = people.regressors @ theta[:q], float(np.exp(theta[-1]))
    mode = np.zeros(people.n_groups)
    curve = np.ones(people.n_groups)
    for _ in range(_HALVINGS):
        chance = 1 / (1 + np.exp(-(eta + sigma * mode[people.group])))
        gap = ((people.treated - chance) * people.count)[:, None]
        bend = (chance * (1 - chance) * people.count)[:, None]
        slope = sigma * people.sums(gap)[:, 0] - mode
        curve = 1 + sigma**2 * people.sums(bend)[:, 0]
        step = slope / curve
        mode += np.clip(step, -1.0, 1.0)
        if float(np.abs(step).max()) < 1e-13:
            break
    points, mass = np.polynomial.hermite_e.hermegauss(NODES)
    width = 1 / np.sqrt(curve)
    nodes = mode[:, None] + width[:, None] * points
    # Density of the intercept over that which the quadrature integrates against.
    weights = width[:, None] * mass * np.exp((points**2 - nodes**2) / 2) / np.sqrt(2 * np.pi)
    return replace(law, nodes=nodes, weights=weights)
