r"""Logistic regression with one intercept per group, converged to machine precision.

:math:`\ell(d, \eta) = d\eta - \log(1+e^{\eta})`, with score :math:`d - p` and curvature :math:`p(1-p)`
where :math:`p = 1/(1+e^{-\eta})`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.binary import CERTAIN, BinaryFit, fit_binary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

__all__ = ["CERTAIN", "Logit", "LogitLink", "fit_logit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logit(BinaryFit):
    """A fitted logistic regression.

    Parameters
    ----------
    separated : bool
        True when a treated unit has a fitted probability of 1: covariates tell it from every
        comparison without error. The reverse, a kind of person never treated, separates nobody.
    """

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
    separated = bool((found.linear[treated] > CERTAIN).any())
    return Logit(separated=separated, **{f.name: getattr(found, f.name) for f in fields(found)})
