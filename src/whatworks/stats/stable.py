r"""Weights of least variance that balance covariates to within a tolerance.

Zubizarreta (2015), doi:10.1080/01621459.2015.1023805. Minimise :math:`\frac12\sum_i w_i^2/q_i` over
:math:`w_i\ge\varepsilon q_i` such that :math:`\sum_{i\in g}w_i=t_g` in every group and
:math:`|\sum_i w_ix_{ij}-m_j|\le\lambda_j`. Its dual is a convex function of few variables,

.. math:: \min_{\alpha,\beta}\ \sum_i \big(w_i\eta_i-\tfrac{w_i^2}{2q_i}\big) - t'\alpha - m'\beta
          + \sum_j\lambda_j|\beta_j|,\qquad \eta_i=\alpha_{g(i)}+x_i'\beta,

with :math:`w_i=q_i\max(\varepsilon,\eta_i)`. It is quadratic between a finite number of
kinks, so that Newton steps with an exact inner problem end at the minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import pinvh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_STEPS: Final = 200
SOLVED: Final = 1e-9
"""Largest violation of a constraint left at a solution, as a share of the total weight."""
SETTLING: Final = 1e-13
MAX_SWEEPS: Final = 5_000
BLOCK: Final = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Stable:
    r"""The solution, or where the descent stopped.

    Parameters
    ----------
    weight : ndarray of shape (n,)
    free : ndarray of bool, shape (n,)
        Weights above the least.
    multiplier : ndarray of shape (k,)
        :math:`\beta`: zero for covariates whose balance does not bind; where no weights are within
        tolerance, a direction that tells why.
    gap : ndarray of shape (k,)
        :math:`(\sum_i w_ix_{ij}-m_j)/\sum t`.
    feasible : bool
        False when no weights are within tolerance.
    """

    weight: Floats
    free: NDArray[np.bool_]
    multiplier: Floats
    gap: Floats
    feasible: bool


def stable_weights(
    covariates: Floats,
    *,
    group: Ints,
    weight: Floats,
    totals: Floats,
    sums: Floats,
    tolerance: Floats,
    least: float = 0.0,
) -> Stable:
    r"""Weights of least variance about the sampling weights.

    Parameters
    ----------
    covariates : ndarray of shape (n, k)
        Of the units to be weighted, on one scale.
    group : ndarray of int, shape (n,)
        0 … n_groups − 1.
    weight : ndarray of shape (n,)
        :math:`q`, above 0.
    totals : ndarray of shape (n_groups,)
        :math:`t`, above 0.
    sums : ndarray of shape (k,)
        :math:`m`.
    tolerance : ndarray of shape (k,)
        :math:`\lambda/\sum t`.
    least : float
        :math:`\varepsilon`.

    Returns
    -------
    Stable
    """
    mass = float(totals.sum())
    problem = _Dual(covariates, group, weight, totals, sums, tolerance * mass, least)
    start = totals / np.bincount(group, weights=weight, minlength=totals.size)
    here = problem.at(start, np.zeros(sums.size))
    # By weak duality minus the dual never passes the cost of weights within tolerance, and these cost
    # most when each group's total rests on its lightest unit.
    dearest = float((totals**2).sum() / (2 * weight.min()))
    for _ in range(MAX_STEPS):
        if problem.unsolved(here) < SETTLING * mass or -here.value > dearest * (1 + 1e-6):
            break
        ahead = problem.onward(here)
        if ahead is None:
            break
        here = ahead
    return Stable(
        weight=here.tilted,
        free=here.free,
        multiplier=here.beta,
        gap=here.slope_gradient / mass,
        feasible=bool(problem.unsolved(here) < SOLVED * mass),
    )


@dataclass(frozen=True, slots=True)
class _Point:
    alpha: Floats
    beta: Floats
    tilted: Floats
    free: NDArray[np.bool_]
    value: float
    group_gradient: Floats
    slope_gradient: Floats


@dataclass(frozen=True, slots=True)
class _Dual:
    covariates: Floats
    group: Ints
    weight: Floats
    totals: Floats
    sums: Floats
    penalty: Floats
    least: float

    def at(self, alpha: Floats, beta: Floats) -> _Point:
        eta = self.covariates @ beta + alpha[self.group]
        free = eta > self.least
        ratio = np.where(free, eta, self.least)
        tilted = self.weight * ratio
        value = float(tilted @ (eta - ratio / 2)) - float(self.totals @ alpha)
        value -= float(self.sums @ beta)
        return _Point(
            alpha=alpha,
            beta=beta,
            tilted=tilted,
            free=free,
            value=value + float(self.penalty @ np.abs(beta)),
            group_gradient=np.bincount(self.group, weights=tilted, minlength=alpha.size)
            - self.totals,
            slope_gradient=tilted @ self.covariates - self.sums,
        )

    def unsolved(self, here: _Point) -> float:
        """Largest departure from the conditions of a minimum."""
        gradient = here.slope_gradient
        pushed = gradient + self.penalty * np.sign(here.beta)
        idle = np.maximum(np.abs(gradient) - self.penalty, 0.0)
        off = np.where(here.beta != 0, np.abs(pushed), idle)
        return max(float(off.max(initial=0.0)), float(np.abs(here.group_gradient).max(initial=0.0)))

    def onward(self, here: _Point) -> _Point | None:
        """The next point, or None when no step leads lower."""
        own, cross, within = self.curvature(here)
        ratio = cross / own[:, None]
        schur = within - cross.T @ ratio
        reduced = here.slope_gradient - ratio.T @ here.group_gradient
        beta = _lasso(schur, reduced - schur @ here.beta, self.penalty, start=here.beta)
        d_beta = beta - here.beta
        d_alpha = -(here.group_gradient + cross @ d_beta) / own
        promised = float(here.group_gradient @ d_alpha + here.slope_gradient @ d_beta)
        promised += float(self.penalty @ (np.abs(beta) - np.abs(here.beta)))
        rounding = 1e-14 * (abs(here.value) + float(here.tilted.sum()))
        step = 1.0
        for _ in range(50):
            # The whole step lands on its zeros exactly; a part of it cannot.
            to = beta if step == 1.0 else here.beta + step * d_beta
            ahead = self.at(here.alpha + step * d_alpha, to)
            if ahead.value <= here.value + 1e-4 * step * promised + rounding:
                return ahead
            step /= 2
        return None

    def curvature(self, here: _Point) -> tuple[Floats, Floats, Floats]:
        """Second derivatives at units of positive weight: groups, groups × slopes, slopes."""
        k, n_groups = self.sums.size, self.totals.size
        active = np.where(here.free, self.weight, 0.0)
        within, cross = np.zeros((k, k)), np.zeros((n_groups, k))
        for begin in range(0, active.size, BLOCK):
            rows = slice(begin, begin + BLOCK)
            weighted = self.covariates[rows] * active[rows, None]
            within += weighted.T @ self.covariates[rows]
            for j in range(k):
                cross[:, j] += np.bincount(
                    self.group[rows], weights=weighted[:, j], minlength=n_groups
                )
        own = np.bincount(self.group, weights=active, minlength=n_groups)
        # A group all of whose weights are zero for now has no curvature, and must come back.
        whole = np.bincount(self.group, weights=self.weight, minlength=n_groups)
        return np.maximum(own, 1e-6 * whole), cross, within


def _lasso(curvature: Floats, linear: Floats, penalty: Floats, *, start: Floats) -> Floats:
    r"""Minimum of :math:`\frac12 b'Sb + r'b + \sum_j\lambda_j|b_j|`, exactly on its support."""
    if not penalty.any():
        return np.asarray(-pinvh(curvature, rtol=1e-11) @ linear)
    beta = start.copy()
    size = np.diag(curvature)
    usable = np.flatnonzero(size > 1e-12 * size.max(initial=0.0))
    slope = curvature @ beta + linear
    for _ in range(MAX_SWEEPS):
        moved = 0.0
        for j in usable:
            raw = beta[j] - slope[j] / size[j]
            new = np.sign(raw) * max(abs(raw) - penalty[j] / size[j], 0.0)
            change = new - beta[j]
            if change:
                slope += curvature[:, j] * change
                beta[j] = new
                moved = max(moved, abs(change) * np.sqrt(size[j]))
        if moved <= 1e-13 * np.sqrt(size.max(initial=0.0)) * np.abs(beta).max(initial=1e-300):
            break
    support = np.flatnonzero(beta)
    among = curvature[np.ix_(support, support)]
    right = -(linear[support] + penalty[support] * np.sign(beta[support]))
    polished = beta.copy()
    polished[support] = pinvh(among, rtol=1e-11) @ right
    same = bool((np.sign(polished) == np.sign(beta)).all())
    return polished if same else beta
