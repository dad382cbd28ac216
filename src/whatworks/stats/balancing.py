r"""Weights that balance covariates exactly, as the minimum of one convex function.

Each unit tilts its sampling weight by :math:`e^{\eta_i}` or :math:`e^{-\eta_i}`, with
:math:`\eta_i=\alpha_{g(i)}+x_i'\beta`, and the parameters minimise

.. math:: \sum_i a_i e^{\eta_i} + b_i e^{-\eta_i} - c_i \eta_i.

At the minimum :math:`\sum_i (a_ie^{\eta_i}-b_ie^{-\eta_i}-c_i)\,z_i=0`: the weights balance every
covariate, and every group. Entropy balancing and covariate-balancing propensity scores differ in
:math:`a, b, c` only (Hainmueller 2012, doi:10.1093/pan/mpr025; Imai & Ratkovic 2014,
doi:10.1111/rssb.12027; Zhao 2019, doi:10.1214/18-AOS1698).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import pinvh

from whatworks.stats.fitted import FittedScore

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_STEPS: Final = 100
BALANCED: Final = 1e-9
"""Largest gap left at a solution, in the units of the covariates as given to the solver."""
SETTLING: Final = 1e-10
"""Gap below which a step that does not divide it by four ends the descent: rounding is reached."""
STEEPEST: Final = 20.0
"""Largest change of a log-weight in one step."""
FARTHEST: Final = 300.0
"""Log-weights beyond which no weights balance: the descent has no bottom."""
BLOCK: Final = 8_192
"""Rows per block: what a core keeps near it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    r"""What pulls each unit's log-weight, shape (n,) each; zero or more, but for ``level``.

    Parameters
    ----------
    up : ndarray
        :math:`a`: sampling weight of units weighted by :math:`e^{\eta}`.
    down : ndarray
        :math:`b`: sampling weight of units weighted by :math:`e^{-\eta}`.
    level : ndarray
        :math:`c`: what the tilted weights must add up to.
    """

    up: Floats
    down: Floats
    level: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced:
    r"""The minimum, or where the descent stopped.

    Parameters
    ----------
    linear : ndarray of shape (n,)
        :math:`\eta`.
    rising, falling : ndarray of shape (n,)
        :math:`a e^{\eta}` and :math:`b e^{-\eta}`.
    gap : ndarray of shape (k,)
        What is left of the difference of means of each covariate, signed: positive where the
        weights leave too much of it.
    feasible : bool
        False when no weights balance the covariates.
    """

    linear: Floats
    rising: Floats
    falling: Floats
    gap: Floats
    feasible: bool

    def fitted(self, basis: Floats, *, group: Ints, pull: Pull, slope: Floats) -> FittedScore:
        """The estimating equation behind the weights, slope as asked."""
        return FittedScore(
            basis=basis,
            group=group,
            score=pull.level - self.rising + self.falling,
            curvature=self.rising + self.falling,
            slope=slope,
        )


def solve_balance(covariates: Floats, *, group: Ints, pull: Pull) -> Balanced:
    r"""Minimise by Newton steps on the slopes, intercepts solved exactly at each.

    Given :math:`\beta`, with :math:`A=\sum_g a e^{x'\beta}`, :math:`B=\sum_g b e^{-x'\beta}` and
    :math:`C=\sum_g c` over a group, :math:`e^{\alpha}=\frac{C+\sqrt{C^2+4AB}}{2A}`.

    Parameters
    ----------
    covariates : ndarray of shape (n, k)
        On one scale, about standard deviations.
    group : ndarray of int, shape (n,)
        0 … n_groups − 1; in each group some unit can be tilted.
    pull : Pull

    Returns
    -------
    Balanced
    """
    problem = _Problem.of(covariates, group, pull)
    here = problem.at(np.zeros(covariates.shape[1]), np.zeros(problem.group.size))
    for _ in range(MAX_STEPS):
        ahead = problem.onward(here)
        if ahead is None:
            break
        ended = here.largest_gap < SETTLING and ahead.largest_gap > here.largest_gap / 4
        here = ahead if ahead.largest_gap < here.largest_gap or not ended else here
        if ended or here.largest_gap == 0 or np.abs(here.slanted).max(initial=0.0) > FARTHEST:
            break
    linear = covariates @ here.beta + here.alpha[group]
    rising, falling = np.zeros(linear.size), np.zeros(linear.size)
    rising[problem.rows], falling[problem.rows] = here.rising, here.falling
    return Balanced(
        linear=linear,
        rising=rising,
        falling=falling,
        gap=here.gap,
        feasible=bool(here.largest_gap < BALANCED),
    )


@dataclass(frozen=True, slots=True)
class _Point:
    """The function and its slope where the intercepts suit the slopes."""

    beta: Floats
    alpha: Floats
    slanted: Floats
    rising: Floats
    falling: Floats
    value: float
    gradient: Floats
    gap: Floats

    @property
    def largest_gap(self) -> float:
        return float(np.abs(self.gap).max(initial=0.0))


@dataclass(frozen=True, slots=True)
class _Problem:
    """The units that can be tilted, and what the others ask of them."""

    rows: Ints
    covariates: Floats
    group: Ints
    up: Floats
    down: Floats
    asked_group: Floats
    asked_slope: Floats

    @classmethod
    def of(cls, covariates: Floats, group: Ints, pull: Pull) -> _Problem:
        tilted = (pull.up > 0) | (pull.down > 0)
        rows = np.flatnonzero(tilted)
        whole = bool(tilted.all())
        return cls(
            rows=rows,
            covariates=covariates if whole else covariates[rows],
            group=group if whole else group[rows],
            up=pull.up[rows],
            down=pull.down[rows],
            asked_group=np.bincount(group, weights=pull.level).astype(float),
            asked_slope=pull.level @ covariates,
        )

    def by_group(self, values: Floats) -> Floats:
        if self.asked_group.size == 1:
            return np.array([values.sum()])
        sums = np.bincount(self.group, weights=values, minlength=self.asked_group.size)
        return sums.astype(float)

    def at(self, beta: Floats, slanted: Floats) -> _Point:
        """One point; ``slanted`` is x'β of the tilted units."""
        with np.errstate(all="ignore"):  # a step too far overflows, and is then shortened
            grown = np.exp(slanted)
            rising, falling = self.up * grown, self.down / grown
            above, below = self.by_group(rising), self.by_group(falling)
            asked = self.asked_group
            root = np.sqrt(asked**2 + 4 * above * below)
            factor = np.where(asked > 0, (asked + root) / (2 * above), 2 * below / (root - asked))
            each = factor[self.group] if factor.size > 1 else factor[0]
            rising, falling = rising * each, falling / each
            gradient = (rising - falling) @ self.covariates - self.asked_slope
            mass = float(rising.sum() + falling.sum())
            alpha = np.log(factor)
            value = mass - float(asked @ alpha) - float(self.asked_slope @ beta)
            gap = gradient / mass
        return _Point(beta, alpha, slanted, rising, falling, value, gradient, gap)

    def onward(self, here: _Point) -> _Point | None:
        """The next point, or None when no step leads lower."""
        direction = -pinvh(self.curvature(here), rtol=1e-11) @ here.gradient
        downhill = float(here.gradient @ direction)
        slant = self.covariates @ direction
        steepest = float(np.abs(slant).max(initial=0.0))
        step = min(1.0, STEEPEST / steepest) if steepest > 0 else 1.0
        rounding = 1e-13 * (abs(here.value) + float(here.rising.sum() + here.falling.sum()))
        for _ in range(40):
            ahead = self.at(here.beta + step * direction, here.slanted + step * slant)
            if ahead.value <= here.value + 1e-4 * step * downhill + rounding:
                return ahead
            step /= 2
        return None

    def curvature(self, here: _Point) -> Floats:
        """Second derivative in the slopes once the intercepts follow, shape (k, k)."""
        k, n_groups = self.covariates.shape[1], self.asked_group.size
        weight = here.rising + here.falling
        within, cross = np.zeros((k, k)), np.zeros((n_groups, k))
        for begin in range(0, weight.size, BLOCK):
            rows = slice(begin, begin + BLOCK)
            weighted = self.covariates[rows] * weight[rows, None]
            within += weighted.T @ self.covariates[rows]
            if n_groups == 1:
                cross += weighted.sum(axis=0)
                continue
            for j in range(k):
                cross[:, j] += np.bincount(
                    self.group[rows], weights=weighted[:, j], minlength=n_groups
                )
        return np.asarray(within - cross.T @ (cross / self.by_group(weight)[:, None]))
