r"""Ridge correction of synthetic controls that do not fit.

References
----------
Ben-Michael, Feller & Rothstein (2021), §3, doi:10.1080/01621459.2021.1929245.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.synthetic.simplex import simplex_weights

Floats = NDArray[np.float64]

PENALTIES: Final = 20
NARROWEST: Final = 1e-8
"""Smallest penalty tried, relative to the largest."""
ROUNDING: Final = 1e-12
"""Variation, relative to outcomes, that rounding explains."""


def ridge_weights(
    donors: Floats, target: Floats, weights: Floats, *, penalty: float, mass: Floats
) -> Floats:
    r"""Synthetic control weights corrected by a ridge regression of outcomes on past outcomes.

    .. math:: w = w^{sc} + M X(X'MX+\lambda I)^{-1}(x_1-X'w^{sc})

    with :math:`X` the donors' past less their mean by period; weights sum to one and may be negative.

    Parameters
    ----------
    donors : ndarray of shape (n_before, n_donors)
    target : ndarray of shape (n_before,)
    weights : ndarray of shape (n_donors,)
        Of the synthetic control.
    penalty : float
        :math:`\lambda`; infinite leaves the synthetic control as it is.
    mass : ndarray of shape (n_donors,)
    """
    if np.isinf(penalty):
        return weights
    share = mass / mass.sum()
    X = donors - (donors @ share)[:, None]
    gram = (X * mass) @ X.T
    gram[np.diag_indices(len(gram))] += penalty
    short = target - donors @ weights
    return np.asarray(weights + mass * (X.T @ np.linalg.solve(gram, short)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalties:
    r"""Penalties to choose among, and what donors say of each: the same for every treated territory.

    Parameters
    ----------
    penalty : ndarray of shape (n_penalties,)
        Twenty, evenly apart in logarithm under the largest eigenvalue of the donors' past; one, infinite,
        where that past does not vary.
    inverse : ndarray of shape (n_penalties, n_before, n_before)
        :math:`G_\lambda=(X'MX+\lambda I)^{-1}`.
    """

    penalty: Floats
    inverse: Floats

    @classmethod
    def of(cls, donors: Floats, *, mass: Floats) -> Penalties:
        """Penalties for donors' past, shape (n_before, n_donors), of masses (n_donors,)."""
        share = mass / mass.sum()
        X = donors - (donors @ share)[:, None]
        values, vectors = np.linalg.eigh((X * mass) @ X.T)
        if values[-1] <= X.size * (ROUNDING * np.abs(donors).max(initial=0.0)) ** 2:
            return cls(penalty=np.array([np.inf]), inverse=np.zeros((1, *vectors.shape)))
        penalty = values[-1] * np.geomspace(1.0, NARROWEST, PENALTIES)
        inverse = [(vectors / (np.maximum(values, 0.0) + one)) @ vectors.T for one in penalty]
        return cls(penalty=penalty, inverse=np.array(inverse))


def chosen_penalty(
    donors: Floats, target: Floats, *, mass: Floats, among: Penalties, start: Floats
) -> float:
    r"""Penalty that best foretells each past period from the others.

    With :math:`d=x_1-X'w^{sc}_{(-s)}` the shortfall of the synthetic control fitted without period
    :math:`s`, the corrected error in that period is :math:`G_{\lambda,s\cdot}d/G_{\lambda,ss}`, by the
    inverse of a matrix bordered by a row: no ridge is fitted again. The largest penalty is taken whose mean
    squared error lies within a standard error of the least.

    Parameters
    ----------
    donors : ndarray of shape (n_before, n_donors)
    target : ndarray of shape (n_before,)
    mass : ndarray of shape (n_donors,)
    among : Penalties
    start : ndarray of shape (n_donors,)
        Synthetic control weights on all periods, from which the search without one begins.
    """
    if np.isinf(among.penalty[0]):
        return float("inf")
    n_before = donors.shape[0]
    wrong = np.empty((n_before, among.penalty.size))
    for s in range(n_before):
        others = np.arange(n_before) != s
        w = simplex_weights(donors[others], target[others], mass=mass, start=start)
        rows = among.inverse[:, s]
        wrong[s] = rows @ (target - donors @ w) / rows[:, s]
    error = (wrong**2).mean(axis=0)
    best = int(np.argmin(error))
    spread = float((wrong[:, best] ** 2).std(ddof=1) / np.sqrt(n_before))
    return float(among.penalty[error <= error[best] + spread].max())
