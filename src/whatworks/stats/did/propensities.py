r"""Probabilities of belonging to a cohort rather than to its comparison, of many pairs at once.

A unit serves as comparison in many contrasts. Its covariates are read once per Newton step for all of
them: with :math:`Z_i` the products :math:`x_{ia}x_{ib}`, the information matrices of all contrasts
are one product :math:`Z'W`, where column :math:`c` of :math:`W` holds :math:`w_ip_{ic}(1-p_{ic})`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.followed import Followed
from whatworks.stats.did.group_time import Contrast

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_STEPS: Final = 40
_SMALL: Final = 1e-9
"""Step, in standardised units, after which the next would be lost in rounding."""
_LONGEST: Final = 2.0
_THIN: Final = 4_000
"""Units per start that a first guess is made of."""
_SINGULAR: Final = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class Propensities:
    """Logistic regressions of contrasts.

    Parameters
    ----------
    coefficients : ndarray of shape (n_contrasts, width)
        Of one, then of covariates as `Followed.regressors` has them.
    inverse : ndarray of shape (n_contrasts, width, width)
        Inverse information.
    converged : ndarray of bool, shape (n_contrasts,)
        False where no step shortens the distance to a maximum: covariates tell arms apart.
    """

    coefficients: Floats
    inverse: Floats
    converged: Bools


def probabilities(eta: Floats) -> Floats:
    """Logistic function, in place."""
    np.negative(eta, out=eta)
    np.minimum(eta, 700.0, out=eta)
    np.exp(eta, out=eta)
    eta += 1.0
    return np.asarray(np.reciprocal(eta, out=eta))


def sides(followed: Followed, contrasts: tuple[Contrast, ...]) -> NDArray[np.int8]:
    """1 where units of a start are the treated of a contrast, −1 its comparison, 0 neither.

    Returns
    -------
    ndarray of shape (n_starts, n_contrasts)
    """
    side = np.zeros((followed.by_start.starts.size, len(contrasts)), dtype=np.int8)
    for k, contrast in enumerate(contrasts):
        side[followed.by_start.compared(contrast), k] = -1
        side[followed.by_start.starts == contrast.cohort, k] = 1
    return side


def fit_propensities(followed: Followed, contrasts: tuple[Contrast, ...]) -> Propensities:
    """Fit all contrasts by Newton steps, begun from the fit of some units of each start.

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, §4.4.
    """
    side = sides(followed, contrasts)
    beta = np.zeros((len(contrasts), followed.width))
    every = max(1, int(followed.by_start.sizes.max()) // _THIN)
    if every > 1:
        guess, _, usable = _newton(followed, side, beta, every=every)
        beta = np.where(usable[:, None], guess, 0.0)
    beta, inverse, converged = _newton(followed, side, beta, every=1)
    return Propensities(coefficients=beta, inverse=inverse, converged=converged)


def _newton(
    followed: Followed, side: NDArray[np.int8], beta: Floats, *, every: int
) -> tuple[Floats, Floats, Bools]:
    n, width = beta.shape
    beta = beta.copy()
    converged = np.zeros(n, dtype=bool)
    inverse = np.full((n, width, width), np.nan)
    alive = np.ones(n, dtype=bool)
    for _ in range(_STEPS):
        asked = np.flatnonzero(alive & ~converged)
        if not asked.size:
            break
        slope, information = _look(followed, side, beta, asked, every=every)
        for k, c in enumerate(asked):
            size = np.abs(information[k]).max()
            if not size > 0 or np.linalg.cond(information[k]) > 1 / _SINGULAR:
                alive[c] = False
                continue
            inverse[c] = np.linalg.inv(information[k])
            step = inverse[c] @ slope[k]
            longest = float(np.abs(step).max())
            beta[c] += step * min(1.0, _LONGEST / longest) if longest > 0 else 0.0
            converged[c] = longest < _SMALL
    return beta, inverse, converged


def _look(
    followed: Followed, side: NDArray[np.int8], beta: Floats, asked: Ints, *, every: int
) -> tuple[Floats, Floats]:
    """Slopes and information of some contrasts, in one reading of the units."""
    width = followed.width
    a, b = np.triu_indices(width)
    slope = np.zeros((asked.size, width))
    packed = np.zeros((asked.size, a.size))
    for place in range(side.shape[0]):
        mine = np.flatnonzero(side[place, asked] != 0)
        if not mine.size:
            continue
        treated = (side[place, asked[mine]] == 1).astype(float)
        for rows in followed.by_start.blocks(place, every=every):
            x = followed.regressors(rows)
            p = probabilities(x @ beta[asked[mine]].T)
            missed = treated - p
            p *= 1.0 - p
            if not followed.even:
                weight = followed.weight[rows][:, None]
                missed *= weight
                p *= weight
            slope[mine] += missed.T @ x
            packed[mine] += p.T @ (x[:, a] * x[:, b])
    information = np.empty((asked.size, width, width))
    information[:, a, b] = packed
    information[:, b, a] = packed
    return slope, information
