r"""Logistic regression with one intercept per group, converged to machine precision.

:math:`\ell(d, \eta) = d\eta - \log(1+e^{\eta})`, with score :math:`d - p` and curvature :math:`p(1-p)`
where :math:`p = 1/(1+e^{-\eta})`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.binary import CERTAIN, fit_binary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

__all__ = ["CERTAIN", "Logit", "LogitLink", "fit_logit"]


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


class LogitLink:
    """Log-odds."""

    def terms(self, eta: Floats, outcome: Floats) -> tuple[Floats, Floats, Floats]:
        """Log-likelihood, its slope and minus its curvature, each of shape (n,)."""
        # The probability of what happened, from the sign it would need: one exponential serves all.
        sign = 2.0 * outcome - 1.0
        toward = np.exp(np.minimum(-sign * eta, 700.0))
        missed = toward / (1.0 + toward)
        return -np.log1p(toward), sign * missed, missed / (1.0 + toward)


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
    found = fit_binary(LogitLink(), covariates, treated, group=group, weight=weight)
    return Logit(
        slopes=found.slopes,
        intercepts=found.intercepts,
        linear=found.linear,
        converged=found.converged,
        separated=bool((found.linear[treated] > CERTAIN).any()),
    )
