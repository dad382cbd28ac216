r"""Binary regression with one intercept per group, climbed by Newton's method to machine precision.

Maximises :math:`\sum_i w_i \ell(d_i, \eta_i)` with :math:`\eta_i = \alpha_{g(i)} + x_i'\beta`, where the
link gives :math:`\ell` and its derivatives. Groups are calendar months, hence many rows and few
groups: the Hessian's block of intercepts is diagonal and is eliminated first, so that a step costs one
pass over the rows. The climb begins at the maximum of a part of the rows, which spares half of the
passes over all of them and changes nothing of where it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import pinvh

from whatworks.stats.threads import one_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_STEPS: Final = 60
CONVERGED: Final = 1e-11
"""Largest mean score left at the end: Newton doubles its digits at each step."""
BLOCK: Final = 8_192
"""Rows per block: what a core keeps near it."""
FAR: Final = 1e3
"""Means this many standard deviations from zero are taken out first: sums would lose digits."""
PART: Final = 16
"""The climb begins on one row in this many."""
FEWEST_FOR_PART: Final = 40_000
"""Rows below which a beginning on a part is not worth its while."""
CERTAIN: Final = 20.0
"""Log-odds beyond which a fitted probability is 0 or 1 for every purpose."""


class Link(Protocol):
    """Log-likelihood of a binary outcome as a function of the linear predictor."""

    def terms(self, eta: Floats, outcome: Floats) -> tuple[Floats, Floats, Floats]:
        """Log-likelihood, its slope and minus its curvature, each of shape (n,)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryFit:
    """A fitted binary regression.

    Parameters
    ----------
    slopes : ndarray of shape (k,)
        On the covariates as given; of least norm where covariates are collinear.
    intercepts : ndarray of shape (n_groups,)
    linear : ndarray of shape (n,)
        Linear predictor of each row, intercept included.
    converged : bool
    centre, spread : ndarray of shape (k,)
        Weighted mean and standard deviation of the covariates, the latter 1 where they are constant.
    information : ndarray of shape (n_groups + k, n_groups + k)
        Minus the second derivative of the log-likelihood, in covariates less their centre over
        their spread.
    """

    slopes: Floats
    intercepts: Floats
    linear: Floats
    converged: bool
    centre: Floats
    spread: Floats
    information: Floats


@one_thread()
def fit_binary(
    link: Link, covariates: Floats, outcome: NDArray[np.bool_], *, group: Ints, weight: Floats
) -> BinaryFit:
    """Fit by Newton steps.

    Parameters
    ----------
    link : Link
    covariates : ndarray of shape (n, k)
    outcome : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)
        0 … n_groups − 1.
    weight : ndarray of shape (n,)

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, §4.4.
    """
    total = weight.sum()
    centre = weight @ covariates / total
    spread = np.sqrt(np.maximum(_second_moment(covariates, centre, weight) / total, 0.0))
    spread = np.where(spread > 0, spread, 1.0)
    shift = np.zeros_like(centre)
    rows = covariates
    if centre.size and float(np.abs(centre / spread).max()) > FAR:
        rows, shift, centre = covariates - centre, centre, np.zeros_like(centre)
    data = _Data(link, rows, centre, spread, outcome.astype(float), group, weight)
    start = data.start()
    if outcome.size >= FEWEST_FOR_PART:
        part = data.every(PART)
        if part.mixes_as(data):
            near, _, reached = _climb(part, part.start())
            start = near if reached else start
    (alpha, beta), terms, converged = _climb(data, start)
    slopes = beta / spread
    intercepts = alpha - centre @ slopes
    linear = rows @ slopes
    linear += intercepts[group] if intercepts.size > 1 else intercepts[0]
    return BinaryFit(
        slopes=slopes,
        intercepts=intercepts - shift @ slopes,
        linear=linear,
        converged=converged,
        centre=centre + shift,
        spread=spread,
        information=terms.information(),
    )


Point = tuple[Floats, Floats]


def _climb(data: _Data, start: Point) -> tuple[Point, _Terms, bool]:
    """Newton steps from a point, shortened where they overshoot: the likelihood is concave."""
    alpha, beta = start
    totals = data.totals()
    terms, step = data.pass_over(alpha, beta), 1.0
    for _ in range(MAX_STEPS):
        if terms.largest_score(totals) < CONVERGED:
            return (alpha, beta), terms, True
        d_alpha, d_beta = terms.step()
        ahead = data.pass_over(alpha + step * d_alpha, beta + step * d_beta)
        if not ahead.likelihood >= terms.likelihood - 1e-9 * abs(terms.likelihood):
            step /= 2
            continue
        alpha, beta, terms, step = alpha + step * d_alpha, beta + step * d_beta, ahead, 1.0
    return (alpha, beta), terms, False


def _second_moment(values: Floats, centre: Floats, weight: Floats) -> Floats:
    """Weighted sum of squares about a centre, in blocks."""
    total = np.zeros_like(centre)
    for begin in range(0, weight.size, BLOCK):
        rows = slice(begin, begin + BLOCK)
        gaps = values[rows] - centre
        total += weight[rows] @ (gaps * gaps)
    return total


@dataclass(frozen=True, slots=True)
class _Terms:
    """Score and information at one point, intercepts apart, in standardised covariates."""

    likelihood: float
    score_group: Floats
    score_slope: Floats
    info_group: Floats
    info_cross: Floats
    info_slope: Floats

    def step(self) -> tuple[Floats, Floats]:
        """Newton step with the diagonal block of intercepts eliminated."""
        safe = np.where(self.info_group > 0, self.info_group, np.inf)
        ratio = self.info_cross / safe[:, None]
        schur = self.info_slope - self.info_cross.T @ ratio
        rhs = self.score_slope - ratio.T @ self.score_group
        d_beta = pinvh(schur, rtol=1e-11) @ rhs if rhs.size else rhs
        d_alpha = (self.score_group - self.info_cross @ d_beta) / safe
        return d_alpha, d_beta

    def information(self) -> Floats:
        """Minus the second derivative, intercepts first."""
        return np.block(
            [[np.diag(self.info_group), self.info_cross], [self.info_cross.T, self.info_slope]]
        )

    def largest_score(self, totals: Floats) -> float:
        """Largest mean score over intercepts and slopes, which is zero at the maximum."""
        both = np.concatenate([self.score_group / totals, self.score_slope / totals.sum()])
        return float(np.abs(both).max())


@dataclass(frozen=True, slots=True)
class _Data:
    link: Link
    covariates: Floats
    centre: Floats
    spread: Floats
    outcome: Floats
    group: Ints
    weight: Floats

    def every(self, step: int) -> _Data:
        """One row in so many."""
        taken = (slice(None, None, step),)
        return replace(
            self,
            covariates=self.covariates[taken],
            outcome=self.outcome[taken],
            group=self.group[taken],
            weight=self.weight[taken],
        )

    def mixes_as(self, whole: _Data) -> bool:
        """Whether the same groups hold both outcomes as among all rows, and none is empty."""
        mine, theirs = self.share(), whole.share()
        if mine.size != theirs.size or np.isnan(mine).any():
            return False
        return bool(np.array_equal((mine > 0) & (mine < 1), (theirs > 0) & (theirs < 1)))

    def totals(self) -> Floats:
        """Weight of each group."""
        return np.bincount(self.group, weights=self.weight).astype(float)

    def share(self) -> Floats:
        """Weighted mean outcome of each group."""
        totals = self.totals()
        ones = np.bincount(self.group, weights=self.weight * self.outcome, minlength=totals.size)
        return np.asarray(ones / np.where(totals > 0, totals, np.nan))

    def start(self) -> Point:
        """Slopes of zero; log-odds of each group's share, which any link finds a fair beginning."""
        share = self.share()
        inside = np.all((share > 0) & (share < 1))
        alpha = np.log(share / (1 - share)) if inside else np.zeros(share.size)
        return alpha, np.zeros(self.covariates.shape[1])

    def pass_over(self, alpha: Floats, beta: Floats) -> _Terms:
        """One pass over the rows in blocks: memory stays that of a block."""
        slopes = beta / self.spread
        shifted = alpha - self.centre @ slopes
        k, n_groups = beta.size, alpha.size
        likelihood = 0.0
        s_group, i_group = np.zeros(n_groups), np.zeros(n_groups)
        s_slope, i_slope = np.zeros(k), np.zeros((k, k))
        cross = np.zeros((n_groups, k))
        for begin in range(0, self.outcome.size, BLOCK):
            rows = slice(begin, begin + BLOCK)
            x, g, w = self.covariates[rows], self.group[rows], self.weight[rows]
            eta = x @ slopes
            eta += shifted[g] if n_groups > 1 else shifted[0]
            value, score, info = self.link.terms(eta, self.outcome[rows])
            likelihood += float(w @ value)
            score *= w
            info *= w
            s_slope += score @ x
            weighted = x * info[:, None]
            i_slope += weighted.T @ x
            if n_groups == 1:
                s_group += score.sum()
                i_group += info.sum()
                cross[0] += info @ x
                continue
            s_group += np.bincount(g, weights=score, minlength=n_groups)
            i_group += np.bincount(g, weights=info, minlength=n_groups)
            for j in range(k):
                cross[:, j] += np.bincount(g, weights=weighted[:, j], minlength=n_groups)
        return self._standardised(likelihood, s_group, s_slope, i_group, cross, i_slope)

    def _standardised(
        self,
        likelihood: float,
        s_group: Floats,
        s_slope: Floats,
        i_group: Floats,
        cross: Floats,
        i_slope: Floats,
    ) -> _Terms:
        """Sums over covariates as given, turned into sums over standardised ones."""
        c, s = self.centre, self.spread
        toward = np.outer(cross.sum(axis=0), c)
        slope = i_slope - toward - toward.T + i_group.sum() * np.outer(c, c)
        return _Terms(
            likelihood,
            s_group,
            (s_slope - s_group.sum() * c) / s,
            i_group,
            (cross - np.outer(i_group, c)) / s,
            slope / np.outer(s, s),
        )
