r"""Law of the share of a market under treatment given what the market is: the generalised propensity.

For shares strictly between 0 and 1, with :math:`\eta_m=x_m'b`,

.. math:: \operatorname{logit}p_m\sim N(\eta_m,\sigma^2),\qquad p_m\sim N(\eta_m,\sigma^2)
          \quad\text{or}\quad p_m\sim\text{Beta}\{\mu_m\varphi,(1-\mu_m)\varphi\},\ \mu_m=1/(1+e^{-\eta_m}),

fitted by maximum likelihood. The score of a market at share :math:`p` is the density
:math:`r(p,x_m)`. Whether a market is at a share that many have (nobody treated, everyone) has a
probability of its own, a logit.

All functions take complex parameters: derivatives are taken by a complex step, exact to rounding
(Squire & Trapp 1998, doi:10.1137/S003614459631241X).

References
----------
Hirano & Imbens (2004), doi:10.1002/0470090456.ch7; Ferrari & Cribari-Neto (2004),
doi:10.1080/0266476042000214501.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import loggamma, psi

Floats = NDArray[np.float64]
Numbers = NDArray[Any]
"""Real or complex."""

Law = Literal["logit_normal", "beta", "normal"]
LAWS: Final = ("logit_normal", "beta", "normal")
STEP: Final = 1e-30
"""Size of the complex step: its square is below rounding."""
CERTAIN: Final = 25.0
"""Log-odds beyond which regressors tell without error."""
_FAR: Final = 600.0
_MOST_STEPS: Final = 200
_CONVERGED: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLaw:
    """Parameters at the maximum, and the influence of each market on them.

    Parameters
    ----------
    theta : ndarray of shape (q,)
    influence : ndarray of shape (n_markets, q)
    converged : bool
    """

    theta: Floats
    influence: Floats
    converged: bool


def derivative(function: Callable[[Numbers], Numbers], theta: Floats) -> Floats:
    """Derivatives of an analytic function, one last axis per parameter."""
    found = []
    for k in range(theta.size):
        moved = theta.astype(complex)
        moved[k] += 1j * STEP
        found.append(np.imag(function(moved)) / STEP)
    shape = np.shape(function(theta))
    return np.stack(found, axis=-1) if found else np.empty((*shape, 0))


def solved(scores: Callable[[Numbers], Numbers], start: Floats) -> FittedLaw:
    """Root of the sum of scores by Newton's method, and :math:`-J^{-1}s_m` at it.

    Parameters
    ----------
    scores : function
        From parameters to the scores of markets, shape (n_markets, q); analytic.
    start : ndarray of shape (q,)
    """
    theta, n = start.astype(float), scores(start).shape[0]

    def total(at: Numbers) -> Numbers:
        return np.asarray(scores(at).sum(axis=0) / n)

    value, converged = total(theta), False
    for _ in range(_MOST_STEPS):
        if np.abs(value).max() < _CONVERGED:
            converged = True
            break
        step = -np.linalg.lstsq(derivative(total, theta), value, rcond=1e-12)[0]
        size = 1.0
        while size > 1e-6:
            ahead = total(theta + size * step)
            if np.isfinite(ahead).all() and np.linalg.norm(ahead) < np.linalg.norm(value):
                break
            size /= 2
        else:
            converged = bool(np.abs(value).max() < 1e3 * _CONVERGED)
            break
        theta, value = theta + size * step, ahead
    bread = np.linalg.pinv(derivative(total, theta), rcond=1e-12) / n
    return FittedLaw(theta=theta, influence=-scores(theta) @ bread.T, converged=converged)


def fit_share(share: Floats, regressors: Floats, *, law: Law) -> FittedLaw:
    r"""Law of shares strictly between 0 and 1, by maximum likelihood.

    Parameters
    ----------
    share : ndarray of shape (n_markets,)
    regressors : ndarray of shape (n_markets, q)
        A constant among them.
    law : str

    Returns
    -------
    FittedLaw
        Coefficients, then the logarithm of the standard deviation, or of :math:`\varphi`.
    """
    t = share if law == "normal" else np.log(share / (1 - share))
    slopes = np.linalg.lstsq(regressors, t, rcond=1e-12)[0]
    left = t - regressors @ slopes
    spread = float(np.sqrt(left @ left / t.size))
    if law != "beta":

        def normal(theta: Numbers) -> Numbers:
            gap = (t - regressors @ theta[:-1]) / np.exp(theta[-1])
            return np.column_stack([regressors * (gap / np.exp(theta[-1]))[:, None], gap * gap - 1])

        return solved(normal, np.append(slopes, np.log(max(spread, 1e-300))))
    mean = 1 / (1 + np.exp(-regressors @ slopes))
    strayed = max(float(np.mean((share - mean) ** 2)), 1e-12)
    size = float(np.mean(mean * (1 - mean))) / strayed - 1

    def beta(theta: Numbers) -> Numbers:
        mu = 1 / (1 + np.exp(-regressors @ theta[:-1]))
        phi = np.exp(theta[-1])
        one, two = psi(mu * phi), psi((1 - mu) * phi)
        by_mean = phi * (t - one + two) * mu * (1 - mu)
        by_size = phi * (mu * (t - one + two) + np.log1p(-share) - two + psi(phi + 0 * mu))
        return np.column_stack([regressors * by_mean[:, None], by_size])

    return solved(beta, np.append(slopes, np.log(max(size, 1.0))))


def fit_membership(member: NDArray[np.bool_], regressors: Floats) -> FittedLaw:
    """Logit of whether a market is at a share, by maximum likelihood."""
    y = member.astype(float)

    def logit(theta: Numbers) -> Numbers:
        return np.asarray(regressors * (y - chance_of(theta, regressors))[:, None])

    found = solved(logit, np.zeros(regressors.shape[1]))
    return replace(found, converged=found.converged and not certain(regressors @ found.theta))


def chance_of(theta: Numbers, regressors: Floats) -> Numbers:
    """Probability of being at a share, shape (n_markets,)."""
    eta = regressors @ theta
    return np.asarray(1 / (1 + np.exp(-np.where(eta.real > -_FAR, eta, -_FAR))))


def certain(log_odds: Floats) -> bool:
    """Whether some probability is 0 or 1 for every purpose: a likelihood without a maximum."""
    return float(np.abs(log_odds).max(initial=0.0)) > CERTAIN


def density(theta: Numbers, regressors: Floats, share: Floats | float, *, law: Law) -> Numbers:
    """Density of a share in each market, shape (n_markets,).

    Parameters
    ----------
    theta : ndarray of shape (q + 1,)
    regressors : ndarray of shape (n_markets, q)
    share : float or ndarray of shape (n_markets,)
    law : str
    """
    p = np.asarray(share, dtype=float)
    eta = regressors @ theta[:-1]
    if law == "beta":
        mu, phi = 1 / (1 + np.exp(-eta)), np.exp(theta[-1])
        one, two = mu * phi, (1 - mu) * phi
        complete = loggamma(phi + 0 * mu) - loggamma(one) - loggamma(two)
        return np.asarray(np.exp(complete + (one - 1) * np.log(p) + (two - 1) * np.log1p(-p)))
    sigma = np.exp(theta[-1])
    t = p if law == "normal" else np.log(p / (1 - p))
    stretch = 1.0 if law == "normal" else 1 / (p * (1 - p))
    gap = (t - eta) / sigma
    return np.asarray(np.exp(-gap * gap / 2) / (sigma * np.sqrt(2 * np.pi)) * stretch)
