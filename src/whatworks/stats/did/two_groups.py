r"""What two-group comparisons fit on the way: odds of being treated, and lines through arms.

Regressors are :math:`z_i=(1, x_i)` with covariates brought to mean zero and spread one, which changes
no effect and keeps products of sums well away from rounding. The odds :math:`p/(1-p)` turn comparisons
into the likeness of the treated; they come from a logistic regression, or from the tilting that makes
the two arms agree exactly (Graham, Pinto & Egel 2012, doi:10.1093/restud/rdr047).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import DesignRefused
from whatworks.stats.balancing import Pull, solve_balance
from whatworks.stats.gram import in_own_units
from whatworks.stats.logit import CERTAIN, fit_logit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TRIMMED: Final = 0.995
"""Comparisons with this propensity or more carry no weight: one of them would stand for 199 treated."""
COLLINEAR: Final = 1e-12
"""Smallest ratio of eigenvalues of a correlation matrix whose inverse still means something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoByTwo:
    r"""Effects of one 2×2 comparison.

    Parameters
    ----------
    effect : ndarray of shape (m,)
    influence : ndarray of shape (n, m)
        Of each row, divided by the number of rows: the variance is the sum of squares of its sums by
        cluster.
    trimmed : int
        Comparisons left without weight because their propensity is 0.995 or more.
    """

    effect: Floats
    influence: Floats
    trimmed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """Odds of being treated, as weights of comparisons.

    Parameters
    ----------
    weight : ndarray of shape (n,)
        Sampling weight times odds; 0 for the treated.
    kept : ndarray of bool, shape (n,)
        False for comparisons whose propensity is too high.
    score : ndarray of shape (n,)
        What a row adds to the equations of the logistic regression, over its regressors.
    inverse : ndarray of shape (k + 1, k + 1)
        Of their derivative.
    """

    weight: Floats
    kept: Bools
    score: Floats
    inverse: Floats

    @property
    def trimmed(self) -> int:
        """Comparisons left without weight."""
        return int((~self.kept).sum())

    @property
    def used(self) -> Floats:
        """Weights of the comparisons kept, shape (n,)."""
        return self.weight * self.kept

    def estimated(self, z: Floats, gradient: Floats) -> Floats:
        """Influence through the estimated odds of what has that gradient in them, (n, m)."""
        return self.score[:, None] * (z @ (self.inverse @ gradient))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A weighted least-squares line of several outcomes.

    Parameters
    ----------
    slopes : ndarray of shape (k + 1, m)
    inverse : ndarray of shape (k + 1, k + 1)
        Of the weighted products of regressors.
    """

    slopes: Floats
    inverse: Floats


def regressors(covariates: Floats, *, weight: Floats) -> Floats:
    """An intercept beside covariates of mean zero and spread one, shape (n, k + 1)."""
    share = weight / weight.sum()
    apart = covariates - share @ covariates
    spread = np.sqrt(share @ apart**2)
    return np.hstack([np.ones((weight.size, 1)), apart / np.where(spread > 0, spread, 1.0)])


def inverted(products: Floats, *, of: str) -> Floats:
    """Inverse of weighted products of regressors.

    Raises
    ------
    DesignRefused
        When regressors are collinear.
    """
    if (np.diag(products) > 0).all():
        size, values, vectors = in_own_units(products)
        if values[0] > COLLINEAR * values[-1]:
            return np.asarray((vectors / values) @ vectors.T / np.outer(size, size))
    raise DesignRefused(
        what="the covariates",
        needed=f"covariates that vary, none a combination of the others, among {of}",
        found="collinear ones",
        remedy="leave one out, or merge the levels that nobody there has",
    )


def fit_line(z: Floats, outcomes: Floats, *, weight: Floats, of: str) -> Line:
    """Line through rows, each counted at its weight.

    Parameters
    ----------
    z : ndarray of shape (n, k + 1)
    outcomes : ndarray of shape (n, m)
    weight : ndarray of shape (n,)
    of : str
        Who the rows are, for the message of a refusal.
    """
    weighted = z * weight[:, None]
    inverse = inverted(weighted.T @ z, of=of)
    return Line(slopes=inverse @ (weighted.T @ outcomes), inverse=inverse)


def odds_by_logit(z: Floats, treated: Bools, *, weight: Floats) -> Odds:
    """Odds from a logistic regression, with what its estimation adds to an influence.

    Raises
    ------
    DesignRefused
        When covariates are collinear, or tell some treated from every comparison.
    """
    inverted((z * weight[:, None]).T @ z, of="the units compared")
    group = np.zeros(treated.size, dtype=np.int64)
    fit = fit_logit(z[:, 1:], treated, group=group, weight=weight)
    if fit.separated or not fit.converged:
        raise DesignRefused(
            what="the propensity of treatment",
            needed="treated and comparison units that covariates cannot tell apart without error",
            found="a treated unit whose probability is 1, or a regression without a maximum",
            remedy="leave out the covariate that defines the treatment, or merge its rare levels",
        )
    odds = np.exp(np.minimum(fit.linear, CERTAIN))
    chance = odds / (1.0 + odds)
    curved = z * (weight * chance / (1.0 + odds))[:, None]
    return Odds(
        weight=np.where(treated, 0.0, weight * odds),
        kept=treated | (chance < TRIMMED),
        score=weight * (treated - chance),
        inverse=inverted(curved.T @ z, of="the units compared"),
    )


def odds_by_tilting(z: Floats, treated: Bools, *, weight: Floats) -> Odds:
    """Odds under which the comparisons' means of covariates are those of the treated.

    Their estimation moves no first-order term of the estimators that use them: ``score`` is zero.

    Raises
    ------
    DesignRefused
        When no weights balance the covariates.
    """
    inverted((z * weight[:, None]).T @ z, of="the units compared")
    nobody = np.zeros(treated.size)
    pull = Pull(up=weight * ~treated, down=nobody, level=weight * treated)
    found = solve_balance(z[:, 1:], group=nobody.astype(np.int64), pull=pull)
    if not found.feasible:
        raise DesignRefused(
            what="the balance of covariates",
            needed="comparisons on every side of the treated's means",
            found="means of the treated that no weights of the comparisons reach",
            remedy="fit odds by regression ('traditional'), or leave out what sets them apart",
        )
    odds = np.exp(np.minimum(found.linear, CERTAIN))
    return Odds(
        weight=found.rising,
        kept=treated | (odds / (1.0 + odds) < TRIMMED),
        score=nobody,
        inverse=np.zeros((z.shape[1], z.shape[1])),
    )
