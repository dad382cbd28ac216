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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """People by market.

    Parameters
    ----------
    covariates : ndarray of shape (n, k)
    market : ndarray of int, shape (n,)
        0 … n_markets − 1.
    weight : ndarray of shape (n,)
        0 for those not seen.
    n_markets : int
    """

    covariates: Floats
    market: Ints
    weight: Floats
    n_markets: int

    @property
    def k(self) -> int:
        """Number of covariates."""
        return int(self.covariates.shape[1])

    def total(self, values: Floats | Bools, among: Ints | slice = slice(None)) -> Floats:
        """Sums by market of values of some rows, shape (n_markets,)."""
        found = np.bincount(self.market[among], values, self.n_markets)
        return np.asarray(found, dtype=float)

    def totals(self, values: Floats, among: Ints | slice = slice(None)) -> Floats:
        """Sums by market of columns of some rows, shape (n_markets, k)."""
        return by_market(values, self.market[among], self.n_markets)


def by_market(values: Floats, market: Ints, n_markets: int) -> Floats:
    """Sums of columns (n, k) by market, shape (n_markets, k)."""
    found = np.empty((n_markets, values.shape[1]))
    for k in range(values.shape[1]):
        found[:, k] = np.bincount(market, values[:, k], n_markets)
    return found


def entry(sample: Sample, treated: Bools) -> Entry:
    """Fit the logit of treatment with an intercept per market.

    Parameters
    ----------
    sample : Sample
    treated : ndarray of bool, shape (n,)

    Raises
    ------
    DesignRefused
        When covariates tell the treated of markets from the others without error.
    """
    weight, n = sample.weight, sample.n_markets
    total, some = sample.total(weight), sample.total(weight * treated)
    share = np.divide(some, total, out=np.zeros(n), where=total > 0)
    chance, apart = share[sample.market], np.zeros_like(sample.covariates)
    both = (some > 0) & (some < total)
    rows = np.flatnonzero(both[sample.market] & (weight > 0))
    if not rows.size:
        nil = np.zeros((n, sample.k))
        return Entry(chance=chance, apart=apart, influence=nil, least=float("nan"))
    x, d = sample.covariates[rows], treated[rows]
    w, m = weight[rows], sample.market[rows]
    if sample.k:
        # Only markets of both arms have an intercept.
        fit = fit_logit(x, d, group=(np.cumsum(both) - 1)[m], weight=w)
        if fit.separated or not fit.converged:
            raise DesignRefused(
                what="treatment within markets",
                needed="treated and untreated people whom covariates cannot tell apart without error",
                found="a treated person whose probability is 1, or a regression without a maximum",
                remedy="leave out the covariate that decides treatment, or merge its rare levels",
            )
        chance[rows] = expit(fit.linear)
    e = chance[rows]
    curve = w * e * (1 - e)
    per = np.where(both, sample.total(curve, rows), 1.0)
    gap = x - (sample.totals(curve[:, None] * x, rows) / per[:, None])[m]
    apart[rows] = gap
    information = inverse(gap.T @ (curve[:, None] * gap), collinear=COLLINEAR).matrix
    return Entry(
        chance=chance,
        apart=apart,
        influence=sample.totals((w * (d - e))[:, None] * gap, rows) @ information,
        least=float(np.where(d, e, 1 - e).min()),
    )


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


def slopes_within(outcome: Floats, sample: Sample, *, in_arm: Bools) -> Slopes:
    """Fit on the people of one arm."""
    rows = np.flatnonzero(in_arm & (sample.weight > 0))
    x, y = sample.covariates[rows], outcome[rows]
    w, m = sample.weight[rows], sample.market[rows]
    total = np.maximum(sample.total(w, rows), np.finfo(float).tiny)
    x_apart = x - (sample.totals(w[:, None] * x, rows) / total[:, None])[m]
    y_apart = y - (sample.total(w * y, rows) / total)[m]
    size = np.abs(x).max(axis=0, initial=0.0)
    x_apart[:, np.abs(x_apart).max(axis=0, initial=0.0) <= _ROUNDING * size] = 0.0
    weighted = w[:, None] * x_apart
    bread = inverse(weighted.T @ x_apart, collinear=COLLINEAR).matrix
    slopes = bread @ (weighted.T @ y_apart)
    left = y_apart - x_apart @ slopes
    left[np.abs(left) < _ROUNDING * np.abs(y).max(initial=0.0)] = 0.0
    influence = sample.totals(weighted * left[:, None], rows) @ bread
    return Slopes(slopes=slopes, influence=influence)


def market_means(
    outcome: Floats,
    sample: Sample,
    *,
    in_arm: Bools,
    treated: bool = False,
    chance: Entry | None = None,
    slopes: Slopes | None = None,
) -> MarketMeans:
    """Means of one arm, and how they move with the slopes of outcome and of treatment.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        Finite; not read where the weight is 0.
    sample : Sample
        Everyone the means are over.
    in_arm : ndarray of bool, shape (n,)
    treated : bool
        Whether the arm is that of the treated.
    chance : Entry, optional
        Weighs people of the arm by the inverse of their chance of being in it.
    slopes : Slopes, optional
        Without, outcomes are left as they are.

    Returns
    -------
    MarketMeans
        Derivatives in the slopes of the outcome, then in those of treatment, shape (n_markets, 2 k).
    """
    weight, n, k = sample.weight, sample.n_markets, sample.k
    rows = np.flatnonzero(in_arm & (weight > 0))
    x, part, m = sample.covariates[rows], weight[rows], sample.market[rows]
    e = np.ones(rows.size)
    if chance is not None:
        e = chance.chance[rows] if treated else 1 - chance.chance[rows]
        part = part / e
    total = sample.total(part, rows)
    safe = np.where(total > 0, total, 1.0)
    beta = np.zeros(k) if slopes is None else slopes.slopes
    left = outcome[rows] - x @ beta
    level = sample.total(part * left, rows) / safe
    everyone = sample.total(weight)
    centre = sample.totals(weight[:, None] * sample.covariates)
    centre /= np.where(everyone > 0, everyone, 1.0)[:, None]
    by_beta, by_gamma = np.zeros((n, k)), np.zeros((n, k))
    if slopes is not None:
        by_beta = centre - sample.totals(part[:, None] * x, rows) / safe[:, None]
    if chance is not None:
        moved = part * (1 - e) * (left - level[m]) * (-1.0 if treated else 1.0)
        by_gamma = sample.totals(moved[:, None] * chance.apart[rows], rows) / safe[:, None]
    mean = np.where(total > 0, level + centre @ beta, np.nan)
    return MarketMeans(mean=mean, slope=np.hstack([by_beta, by_gamma]))
