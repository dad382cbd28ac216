r"""A saturation regression fitted again under thousands of assignments, from sums of markets.

With :math:`W` the columns of exposure (`whatworks.stats.displacement.exposures`), strata and covariates
:math:`x` beside them, and :math:`\tilde y,\tilde x` what is left of outcomes and covariates once
strata are taken out,

.. math:: \hat b = (W'M W)^{-1}W'M\tilde y,\qquad
          \psi_c = F(W'MW)^{-1}\sum_{i\in c} w_i (MW)_i \hat u_i,\qquad
          \widehat V = f\sum_c\psi_c\psi_c'

where :math:`M` takes strata and covariates out and :math:`F` holds the forms read. Only :math:`W`
changes with the assignment; of it, everything above reads but its sums over the drawn of each market,
of :math:`w`, :math:`w\tilde y` and :math:`w\tilde x`. The regression itself is fitted again, covariates
included: nothing is residualised once and for all.

References
----------
Crépon et al. (2013), doi:10.1093/qje/qjt001; MacKinnon & Webb (2020),
doi:10.1016/j.jeconom.2020.04.024 (studentised, with the cluster-robust error of each draw);
Wu & Ding (2021), doi:10.1080/01621459.2020.1750415.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import DesignRefused
from whatworks.stats.displacement.exposures import Exposures
from whatworks.stats.uncertainty import sums_by_number

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HELD: Final = 2**20
"""Draws times markets worked on at once."""
LEAST: Final = 1e-10
"""Eigenvalue of a scaled matrix below which its columns determine one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSums:
    """What does not change with the assignment, by market; markets in the order of their strata.

    Parameters
    ----------
    stratum : ndarray of int, shape (n_markets,)
        Never decreasing, from 0.
    mass, y : ndarray of shape (n_markets,)
        Sums of weights, and of weighted outcomes, strata taken out.
    x, xy : ndarray of shape (n_markets, k)
        Of covariates, and of their products with outcomes.
    xx : ndarray of shape (n_markets, k, k)
    inverse : ndarray of shape (k, k)
        Of the sum of ``xx``.
    n : int
        Rows with an outcome.
    """

    stratum: Ints
    mass: Floats
    y: Floats
    x: Floats
    xy: Floats
    xx: Floats
    inverse: Floats
    n: int

    @property
    def n_strata(self) -> int:
        """Number of strata."""
        return int(self.stratum[-1]) + 1

    @property
    def starts(self) -> Ints:
        """First market of each stratum."""
        return np.flatnonzero(np.diff(self.stratum, prepend=-1)).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refits:
    """One regression under each of many assignments.

    Parameters
    ----------
    effect : ndarray of shape (draws, n_forms)
        NaN where an assignment leaves the regression undefined.
    covariance : ndarray of shape (draws, n_forms, n_forms)
        Clustered by market, with the factor G(n−1)/((G−1)(n−k)).
    """

    effect: Floats
    covariance: Floats

    @property
    def t(self) -> Floats:
        """Effects over their standard errors; NaN without one."""
        variance = np.einsum("brr->br", self.covariance)
        return np.asarray(self.effect / np.sqrt(np.where(variance > 0, variance, np.nan)))

    def wald(self, forms: Ints) -> Floats:
        """Squared distance of several forms from zero in their own covariance, shape (draws,)."""
        effect = self.effect[:, forms]
        told = np.isfinite(self.covariance[:, forms[:, None], forms]).all(axis=(1, 2))
        inverse = _inverses(self.covariance[told][:, forms[:, None], forms])
        found = np.full(effect.shape[0], np.nan)
        found[told] = np.einsum("br,brq,bq->b", effect[told], inverse, effect[told])
        return found


def market_sums(
    y: Floats, x: Floats, weight: Floats, market: Ints, stratum: Ints
) -> tuple[MarketSums, Floats]:
    """Sums that stay, and the columns of which sums over the drawn are wanted.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Where the weight is zero it is not read.
    x : ndarray of shape (n, k)
        Covariates, no constant and no strata among them.
    weight : ndarray of shape (n,)
        Zero for those without an outcome.
    market : ndarray of int, shape (n,)
        From 0.
    stratum : ndarray of int, shape (n_markets,)
        Never decreasing, from 0.

    Returns
    -------
    sums : MarketSums
    columns : ndarray of shape (n, k + 2)
        Weights, weighted outcomes and covariates, strata taken out.

    Raises
    ------
    DesignRefused
        When covariates determine one another within strata.
    """
    n_markets, n_strata = stratum.size, int(stratum[-1]) + 1
    of_stratum = stratum[market]
    mass = np.bincount(of_stratum, weights=weight, minlength=n_strata)
    both = np.column_stack([np.where(weight > 0, y, 0.0), x])
    means = sums_by_number(both * weight[:, None], of_stratum, n_clusters=n_strata) / mass[:, None]
    both -= means[of_stratum]
    size = np.abs(np.where(weight > 0, y, 0.0)).max()
    both[:, 0][np.abs(both[:, 0]) < 1e-12 * size] = 0.0
    k = x.shape[1]
    columns = np.column_stack([weight, both * weight[:, None]])
    by_market = sums_by_number(columns, market, n_clusters=n_markets)
    products = np.empty((n_markets, k, k + 1))
    for j in range(k):
        found = sums_by_number(both * columns[:, 2 + j : 3 + j], market, n_clusters=n_markets)
        products[:, j] = found
    xx = products[:, :, 1:]
    sums = MarketSums(
        stratum=stratum,
        mass=by_market[:, 0],
        y=by_market[:, 1],
        x=by_market[:, 2:],
        xy=products[:, :, 0],
        xx=xx,
        inverse=_inverse(xx.sum(axis=0)),
        n=int((weight > 0).sum()),
    )
    return sums, columns


def refitted(sums: MarketSums, exposures: Exposures, drawn: Floats, level: Ints) -> Refits:
    """The regression under each assignment.

    Parameters
    ----------
    sums : MarketSums
    exposures : Exposures
    drawn : ndarray of shape (draws, n_markets, k + 2)
        Sums over those drawn of the columns of `market_sums`.
    level : ndarray of int, shape (draws, n_markets)
        Exposure of each market: 0 for the pure control, else 1 and more.
    """
    draws, n_markets = level.shape
    r = exposures.forms.shape[0]
    effect, covariance = np.empty((draws, r)), np.empty((draws, r, r))
    step = max(1, HELD // n_markets)
    for begin in range(0, draws, step):
        here = slice(begin, begin + step)
        effect[here], covariance[here] = _block(sums, exposures, drawn[here], level[here])
    n_clusters = int((sums.mass > 0).sum())
    spent = exposures.n_columns + sums.x.shape[1] + sums.n_strata
    if n_clusters < 2 or sums.n <= spent:
        return Refits(effect=effect, covariance=np.full_like(covariance, np.nan))
    factor = n_clusters / (n_clusters - 1) * (sums.n - 1) / (sums.n - spent)
    return Refits(effect=effect, covariance=covariance * factor)


def _block(
    sums: MarketSums, exposures: Exposures, drawn: Floats, level: Ints
) -> tuple[Floats, Floats]:
    """Effects and the sum of products of influences, for some draws."""
    fit = _solved(sums, exposures, drawn, level)
    psi = _influences(sums, exposures, fit, drawn, level)
    return fit.b @ exposures.forms.T, np.einsum("bcr,bcq->brq", psi, psi)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Coefficients of exposure and covariates, and what the influences need, by draw.

    ``mean`` holds the means of exposure by stratum, ``pi`` its coefficients on covariates, ``turn``
    the forms through the inverse.
    """

    b: Floats
    g: Floats
    mean: Floats
    pi: Floats
    turn: Floats


def _solved(sums: MarketSums, exposures: Exposures, drawn: Floats, level: Ints) -> _Fit:
    """Normal equations of exposure, strata and covariates taken out."""
    held, whole = drawn[..., 0], np.broadcast_to(sums.mass, level.shape)
    masses, moments, crossed = [], [], []
    for at, of_treated in zip(exposures.level, exposures.of_treated, strict=True):
        here = level == at
        masses.append(np.where(here, held if of_treated else whole, 0.0))
        if of_treated:
            found = np.einsum("bc,bcj->bj", here, drawn[..., 1:])
        else:
            found = here @ np.column_stack([sums.y, sums.x])
        moments.append(found[:, 0])
        crossed.append(found[:, 1:])
    of_stratum = np.stack([np.add.reduceat(m, sums.starts, axis=1) for m in masses], axis=2)
    mean = of_stratum / np.add.reduceat(sums.mass, sums.starts)[:, None]
    gram = -np.swapaxes(of_stratum, 1, 2) @ mean
    totals = np.stack([m.sum(axis=1) for m in masses], axis=1)
    for k, of_k in enumerate(exposures.of_treated):
        for m, level_m in enumerate(exposures.level):
            if level_m == exposures.level[k]:
                gram[:, k, m] += totals[:, k if of_k else m]
    with_x = np.stack(crossed, axis=2)
    pi = sums.inverse @ with_x
    x_y = sums.inverse @ sums.xy.sum(axis=0)
    gram -= np.swapaxes(with_x, 1, 2) @ pi
    inverse = _inverses(gram)
    b = np.einsum("bkl,bl->bk", inverse, np.stack(moments, axis=1) - x_y @ with_x)
    return _Fit(
        b=b,
        g=x_y - np.einsum("bjk,bk->bj", pi, b),
        mean=mean,
        pi=pi,
        turn=inverse @ exposures.forms.T,
    )


def _influences(
    sums: MarketSums, exposures: Exposures, fit: _Fit, drawn: Floats, level: Ints
) -> Floats:
    """Influence of each market on each form, shape (draws, n_markets, n_forms)."""
    treated, x_treated = drawn[..., 0], drawn[..., 2:]
    beta, delta = _of_market(exposures, fit.b[..., None], level)
    away = np.einsum("bsk,bk->bs", fit.mean, fit.b)[:, sums.stratum]
    shift = delta[..., 0] - away
    left = sums.y - beta[..., 0] * treated - shift * sums.mass - fit.g @ sums.x.T
    left_treated = drawn[..., 1] - (beta[..., 0] + shift) * treated
    left_treated -= np.einsum("bcj,bj->bc", x_treated, fit.g)
    own, common = _of_market(exposures, fit.turn, level)
    common = common - (fit.mean @ fit.turn)[:, sums.stratum]
    psi = own * left_treated[..., None] + common * left[..., None]
    if sums.x.shape[1]:
        left_x = sums.xy - beta * x_treated - shift[..., None] * sums.x
        left_x -= np.tensordot(fit.g, sums.xx, axes=(1, 2))
        psi -= left_x @ (fit.pi @ fit.turn)
    return np.asarray(psi)


def _of_market(exposures: Exposures, column: Floats, level: Ints) -> tuple[Floats, Floats]:
    """What a market's treated have of their own, and what all of it have, of values by column.

    Parameters
    ----------
    column : ndarray of shape (draws, n_columns, q)

    Returns
    -------
    own, common : ndarray of shape (draws, n_markets, q)
    """
    shape = (column.shape[0], exposures.n_levels + 1, column.shape[2])
    own, common = np.zeros(shape), np.zeros(shape)
    own[:, exposures.level[exposures.of_treated]] = column[:, exposures.of_treated]
    common[:, exposures.level[~exposures.of_treated]] = column[:, ~exposures.of_treated]
    draw = np.arange(column.shape[0])[:, None]
    return own[draw, level], common[draw, level]


def _inverse(matrix: Floats) -> Floats:
    """Inverse of the products of covariates, strata taken out."""
    found = _inverses(matrix[None])[0]
    if not np.isfinite(found).all():
        raise DesignRefused(
            what="the regression",
            needed="covariates that vary within strata and do not determine one another",
            found=f"{matrix.shape[0]} of a lower rank",
            remedy="leave out the covariate that repeats others, or that strata tell",
        )
    return np.asarray(found)


def _inverses(matrices: Floats) -> Floats:
    """Inverses of symmetric matrices, NaN where columns determine one another."""
    size = np.sqrt(np.einsum("bkk->bk", matrices).clip(min=0.0))
    usable = (size > 0).all(axis=1)
    scale = np.where(size > 0, size, 1.0)
    even = matrices / (scale[:, :, None] * scale[:, None, :])
    even[~usable] = np.eye(matrices.shape[1])
    if matrices.shape[1]:
        usable &= np.linalg.eigvalsh(even)[:, 0] > LEAST
    even[~usable] = np.eye(matrices.shape[1])
    found = np.linalg.inv(even) / (scale[:, :, None] * scale[:, None, :])
    found[~usable] = np.nan
    return np.asarray(found)
