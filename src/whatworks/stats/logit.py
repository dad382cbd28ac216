r"""Logistic regression with one intercept per group, converged to machine precision.

Maximises :math:`\sum_i w_i [d_i \eta_i - \log(1+e^{\eta_i})]` with
:math:`\eta_i = \alpha_{g(i)} + x_i'\beta` by Newton's method. Groups are calendar months, hence many
rows and few groups: the Hessian's block of intercepts is diagonal and is eliminated first, so that a
step costs one pass over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import pinvh
from scipy.special import expit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_STEPS: Final = 60
CONVERGED: Final = 1e-11
"""Largest mean score left at the end: Newton doubles its digits at each step."""
BLOCK: Final = 32_768
"""Rows per block: what a core keeps near it."""
CERTAIN: Final = 20.0
"""Log-odds beyond which a fitted probability is 0 or 1 for every purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logit:
    """A fitted logistic regression.

    Parameters
    ----------
    slopes : ndarray of shape (k,)
        On the covariates as given; of least norm where covariates are collinear.
    intercepts : ndarray of shape (n_groups,)
    linear : ndarray of shape (n,)
        Linear predictor of each row, intercept included.
    converged : bool
    separated : bool
        True when a treated unit has a fitted probability of 1: covariates tell it from every
        comparison without error. The reverse, a kind of person never treated, separates nobody.
    """

    slopes: Floats
    intercepts: Floats
    linear: Floats
    converged: bool
    separated: bool


def fit_logit(
    covariates: Floats, treated: NDArray[np.bool_], *, group: Ints, weight: Floats
) -> Logit:
    """Fit by Newton steps.

    Parameters
    ----------
    covariates : ndarray of shape (n, k)
    treated : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)
        0 … n_groups − 1; every group has treated and comparison rows.
    weight : ndarray of shape (n,)

    Returns
    -------
    Logit

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, §4.4.
    """
    centre = np.average(covariates, axis=0, weights=weight)
    spread = np.sqrt(np.average((covariates - centre) ** 2, axis=0, weights=weight))
    spread = np.where(spread > 0, spread, 1.0)
    n_groups = int(group.max()) + 1
    totals: Floats = np.bincount(group, weights=weight, minlength=n_groups).astype(float)
    share = np.bincount(group, weights=weight * treated, minlength=n_groups) / totals
    alpha = np.log(share / (1 - share)) if np.all((share > 0) & (share < 1)) else np.zeros(n_groups)
    beta = np.zeros(covariates.shape[1])
    data = _Data(covariates, centre, spread, treated.astype(float), group, weight, n_groups)
    terms, step, converged = data.pass_over(alpha, beta), 1.0, False
    for _ in range(MAX_STEPS):
        d_alpha, d_beta = terms.step()
        ahead = data.pass_over(alpha + step * d_alpha, beta + step * d_beta)
        if ahead.likelihood < terms.likelihood - 1e-9 * abs(terms.likelihood):
            step /= 2  # overshot: the likelihood is concave, a shorter step climbs
            continue
        alpha, beta, terms, step = alpha + step * d_alpha, beta + step * d_beta, ahead, 1.0
        if terms.largest_score(totals) < CONVERGED:
            converged = True
            break
    slopes = beta / spread
    linear = alpha[group] + (covariates - centre) @ slopes
    return Logit(
        slopes=slopes,
        intercepts=alpha - centre @ slopes,
        linear=linear,
        converged=converged,
        separated=bool((linear[treated] > CERTAIN).any()),
    )


@dataclass(frozen=True, slots=True)
class _Terms:
    """Score and information at one point, intercepts apart."""

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

    def largest_score(self, totals: Floats) -> float:
        """Largest mean score over intercepts and slopes, which is zero at the maximum."""
        both = np.concatenate([self.score_group / totals, self.score_slope / totals.sum()])
        return float(np.abs(both).max())


@dataclass(frozen=True, slots=True)
class _Data:
    covariates: Floats
    centre: Floats
    spread: Floats
    treated: Floats
    group: Ints
    weight: Floats
    n_groups: int

    def pass_over(self, alpha: Floats, beta: Floats) -> _Terms:
        """One pass over the rows in blocks: memory stays that of a block."""
        k = beta.size
        likelihood = 0.0
        s_group, i_group = np.zeros(self.n_groups), np.zeros(self.n_groups)
        s_slope, i_slope = np.zeros(k), np.zeros((k, k))
        cross = np.zeros((self.n_groups, k))
        for start in range(0, self.treated.size, BLOCK):
            rows = slice(start, start + BLOCK)
            x = (self.covariates[rows] - self.centre) / self.spread
            g, d, w = self.group[rows], self.treated[rows], self.weight[rows]
            eta = alpha[g] + x @ beta
            p = expit(eta)
            likelihood += float(w @ (d * eta - np.logaddexp(0, eta)))
            score, info = w * (d - p), w * p * (1 - p)
            s_group += np.bincount(g, weights=score, minlength=self.n_groups)
            i_group += np.bincount(g, weights=info, minlength=self.n_groups)
            s_slope += x.T @ score
            weighted = x * info[:, None]
            i_slope += x.T @ weighted
            for j in range(k):
                cross[:, j] += np.bincount(g, weights=weighted[:, j], minlength=self.n_groups)
        return _Terms(likelihood, s_group, s_slope, i_group, cross, i_slope)
