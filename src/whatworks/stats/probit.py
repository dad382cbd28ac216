r"""Probit regression with one intercept per group, converged to machine precision.

:math:`\ell = \log\Phi(q\eta)` with :math:`q = 2d-1`; score :math:`\lambda = q\phi(q\eta)/\Phi(q\eta)` and
curvature :math:`\lambda(\lambda+\eta)`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from whatworks.stats.binary import BinaryFit, fit_binary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CERTAIN = 8.0
"""Linear predictor beyond which a fitted probability is 0 or 1 to machine precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probit(BinaryFit):
    """A fitted probit regression.

    Parameters
    ----------
    separated : bool
        True when a treated unit has a fitted probability of 1: covariates tell it from every
        comparison without error. The reverse, a kind of person never treated, separates nobody.
    """

    separated: bool


class ProbitLink:
    """Quantiles of the normal law."""

    def terms(self, eta: Floats, outcome: Floats) -> tuple[Floats, Floats, Floats]:
        """Log-likelihood, its slope and minus its curvature, each of shape (n,)."""
        sign = 2.0 * outcome - 1.0
        value = log_ndtr(sign * eta)
        score = sign * np.exp(-0.5 * eta * eta - 0.5 * np.log(2 * np.pi) - value)
        return value, score, score * (score + eta)


def fit_probit(
    covariates: Floats, treated: NDArray[np.bool_], *, group: Ints, weight: Floats
) -> Probit:
    """Fit by Newton steps.

    Parameters
    ----------
    covariates : ndarray of shape (n, k)
    treated : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)
        0 … n_groups − 1; every group has treated and comparison rows.
    weight : ndarray of shape (n,)

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, §4.4.
    """
    found = fit_binary(ProbitLink(), covariates, treated, group=group, weight=weight)
    separated = bool((found.linear[treated] > CERTAIN).any())
    return Probit(separated=separated, **{f.name: getattr(found, f.name) for f in fields(found)})
