r"""Mean outcomes of each arm within each market, for people alike: the first of two stages.

Of the people of market :math:`m` with covariates :math:`x_i`, sampling weights :math:`w_i` and the
chance :math:`e_i` of being in the arm, the mean outcome that everyone would have in it is

.. math:: \hat\mu_z(m)=\bar y^{\,\omega}_{zm}+(\bar x_m-\bar x^{\,\omega}_{zm})'\hat\beta_z,\qquad
          \omega_i=w_i/e_i,

with means of the arm weighted by :math:`\omega`, slopes :math:`\beta_z` common to markets (least squares
with an intercept per market and arm) and a logit with an intercept per market. It is right when either
of the two is. With :math:`\beta=0` it is inverse-probability weighting, with :math:`\omega=w` regression.
Given the slopes each market's mean rests on its own people only; what estimating the slopes adds is
carried by their influences and the derivatives of the means.

References
----------
Ferracci, Jolivet & van den Berg (2014), doi:10.1162/REST_a_00385; Robins, Rotnitzky & Zhao (1994),
doi:10.1080/01621459.1994.10476818.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whatworks.errors import DesignRefused
from whatworks.stats.gram import inverse
from whatworks.stats.logit import fit_logit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Within = Literal["doubly_robust", "regression", "weighting"]
WITHIN: Final = ("doubly_robust", "regression", "weighting")
COLLINEAR: Final = 1e-11
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketMeans:
    """Means of one arm by market.

    Parameters
    ----------
    mean : ndarray of shape (n_markets,)
        NaN where nobody of the arm is seen.
    slope : ndarray of shape (n_markets, n_common)
        Derivative of each mean in the parameters common to markets.
    """

    mean: Floats
    slope: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who is treated within markets.

    Parameters
    ----------
    chance : ndarray of shape (n,)
        Of being treated; the market's share where it has one arm only.
    apart : ndarray of shape (n, k)
        Covariates less what the market's intercept moves with them.
    influence : ndarray of shape (n_markets, k)
        Of each market on the slopes.
    least : float
        Smallest chance of the arm a person is in, among markets with both.
    """

    chance: Floats
    apart: Floats
    influence: Floats
    least: float


def by_market(values: Floats, market: Ints, n_markets: int) -> Floats:
    """Sums of columns (n, k) by market, shape (n_markets, k)."""
    found = np.empty((n_markets, values.shape[1]))
    for k in range(values.shape[1]):
        found[:, k] = np.bincount(market, values[:, k], n_markets)
    return found


def entry(
    covariates: Floats, treated: Bools, *, market: Ints, weight: Floats, n_markets: int
) -> Entry:
    """Fit the logit of treatment with an intercept per market.

    Parameters
    ----------
    covariates : ndarray of shape (n, k)
    treated : ndarray of bool, shape (n,)
    market : ndarray of int, shape (n,)
    weight : ndarray of shape (n,)
        0 for those not seen.
    n_markets : int

    Raises
    ------
    DesignRefused
        When covariates tell the treated of markets from the others without error.
    """
    k = covariates.shape[1]
    total = np.bincount(market, weight, n_markets)
    some = np.bincount(market, weight * treated, n_markets)
    share = np.divide(some, total, out=np.zeros(n_markets), where=total > 0)
    chance, apart = share[market], np.zeros_like(covariates)
    both = (some > 0) & (some < total)
    influence = np.zeros((n_markets, k))
    rows = np.flatnonzero(both[market] & (weight > 0))
    if not rows.size:
        return Entry(chance=chance, apart=apart, influence=influence, least=float("nan"))
    x, d, w = covariates[rows], treated[rows], weight[rows]
    # Only the few markets of both arms have an intercept.
    place = np.cumsum(both) - 1
    if k:
        fit = fit_logit(x, d, group=place[market[rows]], weight=w)
        if fit.separated or not fit.converged:
            raise DesignRefused(
                what="treatment within markets",
                needed="treated and untreated people whom covariates cannot tell apart without error",
                found="a treated person whose probability is 1, or a regression without a maximum",
                remedy="leave out the covariate that decides treatment, or merge its rare levels",
            )
        chance[rows] = expit(fit.linear)
    e, m = chance[rows], market[rows]
    curve = w * e * (1 - e)
    per = np.where(both, np.bincount(m, curve, n_markets), 1.0)
    centre = by_market(curve[:, None] * x, m, n_markets) / per[:, None]
    gap = x - centre[m]
    apart[rows] = gap
    information = inverse(gap.T @ (curve[:, None] * gap), collinear=COLLINEAR).matrix
    influence = by_market((w * (d - e))[:, None] * gap, m, n_markets) @ information
    least = float(np.where(d, e, 1 - e).min())
    return Entry(chance=chance, apart=apart, influence=influence, least=least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """Least squares of an outcome in one arm, an intercept per market.

    Parameters
    ----------
    slopes : ndarray of shape (k,)
    influence : ndarray of shape (n_markets, k)
    """

    slopes: Floats
    influence: Floats


def slopes_within(
    outcome: Floats, covariates: Floats, *, market: Ints, weight: Floats, n_markets: int
) -> Slopes:
    """Fit on the rows of positive weight."""
    rows = np.flatnonzero(weight > 0)
    m, w, x, y = market[rows], weight[rows], covariates[rows], outcome[rows]
    total = np.maximum(np.bincount(m, w, n_markets), np.finfo(float).tiny)
    x_apart = x - (by_market(w[:, None] * x, m, n_markets) / total[:, None])[m]
    y_apart = y - (np.bincount(m, w * y, n_markets) / total)[m]
    size = np.abs(x).max(axis=0, initial=0.0)
    x_apart[:, np.abs(x_apart).max(axis=0, initial=0.0) <= _ROUNDING * size] = 0.0
    weighted = w[:, None] * x_apart
    bread = inverse(weighted.T @ x_apart, collinear=COLLINEAR).matrix
    slopes = bread @ (weighted.T @ y_apart)
    left = y_apart - x_apart @ slopes
    left[np.abs(left) < _ROUNDING * np.abs(y).max(initial=0.0)] = 0.0
    return Slopes(
        slopes=slopes,
        influence=by_market(weighted * left[:, None], m, n_markets) @ bread,
    )


def market_means(
    outcome: Floats,
    covariates: Floats,
    *,
    in_arm: Bools,
    market: Ints,
    weight: Floats,
    chance: Entry,
    treated: bool,
    slopes: Slopes | None,
    weigh: bool,
    n_markets: int,
) -> MarketMeans:
    """Means of one arm, and how they move with the slopes of outcome and of treatment.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        Finite; not read where the weight is 0.
    covariates : ndarray of shape (n, k)
    in_arm : ndarray of bool, shape (n,)
    market : ndarray of int, shape (n,)
    weight : ndarray of shape (n,)
        Of everyone the mean is over; 0 for those not seen.
    chance : Entry
    treated : bool
        Whether the arm is that of the treated.
    slopes : Slopes or None
        None leaves outcomes as they are.
    weigh : bool
        Whether people of the arm are weighted by the inverse of their chance of being in it.
    n_markets : int

    Returns
    -------
    MarketMeans
        Derivatives in the slopes of the outcome, then in those of treatment, shape (n_markets, 2 k).
    """
    k = covariates.shape[1]
    rows = np.flatnonzero(in_arm & (weight > 0))
    m, x, w = market[rows], covariates[rows], weight[rows]
    e = chance.chance[rows] if treated else 1 - chance.chance[rows]
    part = w / e if weigh else w
    total = np.bincount(m, part, n_markets)
    safe = np.where(total > 0, total, 1.0)
    beta = np.zeros(k) if slopes is None else slopes.slopes
    left = outcome[rows] - x @ beta
    level = np.bincount(m, part * left, n_markets) / safe
    everyone = np.bincount(market, weight, n_markets)
    centre = by_market(weight[:, None] * covariates, market, n_markets)
    centre /= np.where(everyone > 0, everyone, 1.0)[:, None]
    by_beta, by_gamma = np.zeros((n_markets, k)), np.zeros((n_markets, k))
    if slopes is not None:
        by_beta = centre - by_market(part[:, None] * x, m, n_markets) / safe[:, None]
    if weigh and k:
        moved = part * (1 - e) * (left - level[m]) * (-1.0 if treated else 1.0)
        by_gamma = by_market(moved[:, None] * chance.apart[rows], m, n_markets) / safe[:, None]
    mean = np.where(total > 0, level + centre @ beta, np.nan)
    return MarketMeans(mean=mean, slope=np.hstack([by_beta, by_gamma]))
