r"""Synthetic controls: predictors, what each counts, and outcomes freed of covariates.

References
----------
Abadie, Diamond & Hainmueller (2010), §2.3, doi:10.1198/jasa.2009.ap08746.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from whatworks.stats.synthetic.simplex import simplex_weights

Floats = NDArray[np.float64]

NEGLIGIBLE: Final = 1e-12
CLOSE: Final = (1e-2, 1e-6)
"""When a search of importance ends: in logarithms, and in shares of the donors' distance."""


def standardised(before: Floats, covariates: Floats, mass: Floats) -> Floats:
    """Predictors by inverse variance: past outcomes on one scale, each covariate on its own.

    Parameters
    ----------
    before : ndarray of shape (n, n_before)
    covariates : ndarray of shape (n, k)
    mass : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n, n_before + k)
        Columns that do not vary are left at zero.
    """
    share = mass / mass.sum()
    centred = [block - share @ block for block in (before, covariates)]
    variance = [share @ block**2 for block in centred]
    outcome = variance[0].mean() if variance[0].size else 0.0
    sizes = np.concatenate([np.full(before.shape[1], outcome), variance[1]])
    whole = np.hstack(centred)
    root = np.sqrt(np.where(sizes > 0, sizes, np.inf))
    return np.asarray(whole / root)


def fitted_importance(donors: Floats, target: Floats, *, past: Floats, own: Floats) -> Floats:
    r"""Importance of covariates under which the synthetic past lies nearest to the past.

    .. math:: \hat V=\arg\min_{V}\|y_1-Y_0w(V)\|^2,\qquad
              w(V)=\arg\min_w (x_1-X_0w)'V(x_1-X_0w)

    Searched from three starts (even, by what each covariate foretells of past outcomes, and each mean
    of the two), by Nelder and Mead's simplex on logarithms; the best is kept.

    Parameters
    ----------
    donors : ndarray of shape (k, n)
        Covariates, one column per donor, on comparable scales.
    target : ndarray of shape (k,)
    past : ndarray of shape (n_before, n)
    own : ndarray of shape (n_before,)

    Returns
    -------
    ndarray of shape (k,)
        Of sum one.
    """
    k = target.size
    size = float(((own[:, None] - past) ** 2).mean(axis=1).sum()) or 1.0

    def apart(log_v: Floats) -> float:
        root = np.exp((log_v - log_v.max()) / 2)
        w = simplex_weights(donors * root[:, None], target * root)
        return float(((own - past @ w) ** 2).sum()) / size

    slope = np.linalg.lstsq(
        np.column_stack([np.ones(donors.shape[1]), donors.T]), past.T, rcond=None
    )[0][1:]
    told = np.log(np.maximum((slope**2).sum(axis=1), NEGLIGIBLE))
    starts = [np.zeros(k), told - told.mean(), (told - told.mean()) / 2]
    found = [
        minimize(
            apart,
            x,
            method="Nelder-Mead",
            options={"maxfev": 150 * k, "xatol": CLOSE[0], "fatol": CLOSE[1]},
        )
        for x in starts
    ]
    best = min(found, key=lambda one: float(one.fun)).x
    v = np.exp(best - best.max())
    return np.asarray(v / v.sum())


def residualised(
    values: Floats, covariates: Floats, *, among: NDArray[np.int64], mass: Floats
) -> Floats:
    r"""Outcomes less what covariates foretell of them, by one regression per period.

    .. math:: \tilde y_{it}=y_{it}-(x_i-\bar x)'\hat\beta_t

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
    covariates : ndarray of shape (n, k)
    among : ndarray of int
        Rows the regressions are fitted on; :math:`\bar x` is their mean.
    mass : ndarray of shape (n,)
    """
    share = mass[among] / mass[among].sum()
    apart = covariates - share @ covariates[among]
    root = np.sqrt(share)[:, None]
    design = np.column_stack([np.ones(among.size), apart[among]]) * root
    slope = np.linalg.lstsq(design, values[among] * root, rcond=None)[0][1:]
    return np.asarray(values - apart @ slope)
