r"""Ridge correction of synthetic controls that do not fit.

References
----------
Ben-Michael, Feller & Rothstein (2021), §3, doi:10.1080/01621459.2021.1929245.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.synthetic.simplex import simplex_weights

Floats = NDArray[np.float64]

PENALTIES: Final = 20
NARROWEST: Final = 1e-8
"""Smallest penalty tried, relative to the largest."""


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


def chosen_penalty(donors: Floats, target: Floats, *, mass: Floats) -> float:
    """Penalty that best foretells each past period from the others.

    Among twenty, evenly apart in logarithm under the largest eigenvalue of the donors' past, the
    largest whose mean squared error lies within a standard error of the least.

    Parameters
    ----------
    donors : ndarray of shape (n_before, n_donors)
    target : ndarray of shape (n_before,)
    mass : ndarray of shape (n_donors,)

    Returns
    -------
    float
        Infinite where the donors' past does not vary.
    """
    n_before = donors.shape[0]
    share = mass / mass.sum()
    X = donors - (donors @ share)[:, None]
    largest = float(np.linalg.eigvalsh((X * mass) @ X.T)[-1])
    if largest <= 0:
        return float("inf")
    penalties = largest * np.geomspace(1.0, NARROWEST, PENALTIES)
    start = simplex_weights(donors, target, mass=mass) > 0
    wrong = np.empty((n_before, PENALTIES))
    for s in range(n_before):
        others = np.arange(n_before) != s
        w = simplex_weights(donors[others], target[others], mass=mass, start=start)
        wrong[s] = _foretold(X, donors, target, w, others, penalties, mass)
    error = (wrong**2).mean(axis=0)
    best = int(np.argmin(error))
    spread = float((wrong[:, best] ** 2).std(ddof=1) / np.sqrt(n_before))
    return float(penalties[error <= error[best] + spread].max())


def _foretold(
    X: Floats,
    donors: Floats,
    target: Floats,
    w: Floats,
    others: NDArray[np.bool_],
    penalties: Floats,
    mass: Floats,
) -> Floats:
    """Error on the period left out, for every penalty from one eigenvalue decomposition."""
    kept = X[others]
    values, vectors = np.linalg.eigh((kept * mass) @ kept.T)
    short = vectors.T @ (target[others] - donors[others] @ w)
    reach = vectors.T @ ((kept * mass) @ X[~others][0])
    base = float(target[~others][0] - donors[~others][0] @ w)
    corrections = (reach * short)[None, :] / (np.maximum(values, 0.0)[None, :] + penalties[:, None])
    return np.asarray(base - corrections.sum(axis=1))
