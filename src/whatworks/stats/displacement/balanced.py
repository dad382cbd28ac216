r"""Balance of a two-stage design with the design's own errors, and what each market weighs in it.

Every covariate :math:`x` is regressed on assignment and on being in a treated market, within strata,

.. math:: x_i = \beta Z_i + \delta 1\{p_{c(i)} > 0\} + \mu_{s(c)} + u_i,

with errors clustered by market (CR1), since shares are drawn by market: tests that take people for
independent find imbalance that the draw does not show. Over all covariates,
:math:`F = \frac{G-k}{k(G-1)} b'\hat V^{-1} b \sim F(k, G-k)` (Hotelling). The weight of market :math:`g` in
:math:`\hat\delta` is :math:`\sum_{i\in g} w_i r_i^2 / \sum_i w_i r_i^2`, :math:`r` what assignment and
strata leave of :math:`1\{p>0\}` (Bell & McCaffrey 2002; Frisch & Waugh 1933, doi:10.2307/1907330).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from whatworks.stats.uncertainty import sums_by_number

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FLAT = 1e-10
"""Part of a column's square that is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignBalance:
    """Contrasts of covariates between arms, clustered by market.

    Parameters
    ----------
    difference, std_error : ndarray of shape (n_exposures, k)
        NaN where the exposure does not vary within strata, given the others.
    joint : ndarray of shape (n_exposures,)
        p-value of all covariates at once; NaN where it cannot be told.
    df : float
        Markets less one.
    leverage : ndarray of shape (n_markets, n_exposures)
        Part of each market in what identifies each contrast; columns sum to one.
    """

    difference: Floats
    std_error: Floats
    joint: Floats
    df: float
    leverage: Floats


def balance_of_design(
    values: Floats, exposure: Floats, *, stratum: Ints, market: Ints, weight: Floats
) -> DesignBalance:
    """Contrasts of covariates on exposures, within strata.

    Parameters
    ----------
    values : ndarray of shape (n, k)
    exposure : ndarray of shape (n, n_exposures)
    stratum, market : ndarray of int, shape (n,)
        Numbered from 0.
    weight : ndarray of shape (n,)
    """
    n, k = values.shape
    n_markets, m = int(market.max()) + 1, exposure.shape[1]
    x = _within(values, stratum, weight)
    d = _within(exposure, stratum, weight)
    own = _own(d, weight, scale=(weight[:, None] * exposure**2).sum(axis=0))
    difference, error = np.full((m, k), np.nan), np.full((m, k), np.nan)
    joint, leverage = np.full(m, np.nan), np.full((n_markets, m), np.nan)
    told = np.flatnonzero(~np.isnan(own).any(axis=0))
    spent = told.size + int(stratum.max()) + 1
    factor = n_markets / max(n_markets - 1, 1) * (n - 1) / max(n - spent, 1)
    fitted = np.zeros_like(x)
    mass = (weight[:, None] * own**2).sum(axis=0)
    for j in told:
        difference[j] = (weight * own[:, j]) @ x / mass[j]
    if told.size:
        fitted = d[:, told] @ difference[told]
    residual = x - fitted
    for j in told:
        part = weight * own[:, j] ** 2 / mass[j]
        leverage[:, j] = np.bincount(market, part, n_markets)
        pulls = (weight * own[:, j] / mass[j])[:, None] * residual
        influence = sums_by_number(pulls, market, n_clusters=n_markets) * np.sqrt(factor)
        covariance = influence.T @ influence
        error[j] = np.sqrt(np.diag(covariance))
        joint[j] = _joint(difference[j], covariance, n_markets)
    return DesignBalance(
        difference=difference,
        std_error=np.where(error > 0, error, np.nan),
        joint=joint,
        df=float(n_markets - 1),
        leverage=leverage,
    )


def _within(columns: Floats, stratum: Ints, weight: Floats) -> Floats:
    """Columns less their weighted means by stratum."""
    n_strata = int(stratum.max()) + 1
    mass = np.bincount(stratum, weight, n_strata)
    mass = np.where(mass > 0, mass, 1.0)
    centred = np.empty_like(columns)
    for j, column in enumerate(columns.T):
        means = np.bincount(stratum, weight * column, n_strata) / mass
        centred[:, j] = column - means[stratum]
    return centred


def _own(d: Floats, weight: Floats, *, scale: Floats) -> Floats:
    """What the other exposures leave of each; NaN where it is nothing."""
    found = np.full_like(d, np.nan)
    for j in range(d.shape[1]):
        others = np.delete(d, j, axis=1)
        root = np.sqrt(weight)[:, None]
        varies = (weight[:, None] * others**2).sum(axis=0) > _FLAT * np.delete(scale, j)
        others = others[:, varies]
        rest = d[:, j]
        if others.shape[1]:
            rest = rest - others @ np.linalg.lstsq(others * root, rest * root[:, 0])[0]
        if float(weight @ rest**2) > _FLAT * scale[j]:
            found[:, j] = rest
    return found


def _joint(difference: Floats, covariance: Floats, n_markets: int) -> float:
    """p-value of Hotelling's test; NaN with as many covariates as markets, or when they are collinear."""
    scale = np.sqrt(np.diag(covariance))
    varies = scale > 0
    k = int(varies.sum())
    if k == 0 or k >= n_markets:
        return float("nan")
    t = difference[varies] / scale[varies]
    correlation = covariance[np.ix_(varies, varies)] / np.outer(scale[varies], scale[varies])
    if np.linalg.matrix_rank(correlation, hermitian=True) < k:
        return float("nan")
    statistic = float(t @ np.linalg.solve(correlation, t))
    ratio = (n_markets - k) / (k * (n_markets - 1)) * statistic
    return float(stats.f.sf(ratio, k, n_markets - k))
