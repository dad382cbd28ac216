r"""Least squares from sums of products by market, strata absorbed, and its covariance clustered by market.

With :math:`\tilde L` the columns less the means of their stratum, columns are turned to :math:`Z` with
:math:`Z'WZ=I`, and those of a market are :math:`\ell_c=[Z_c,\ 1/\sqrt{N_{s(c)}}]`, :math:`N_s` the weight
of its stratum: the hat matrix between two markets is :math:`Z_cZ_h'W_h`, plus
:math:`11'W_h/N_s` where they share a stratum. A form is :math:`a'\theta+b\,\bar\mu` with
:math:`\bar\mu` the mean of the outcome; the mean of a cell is one.

References
----------
Liang & Zeger (1986), doi:10.1093/biomet/73.1.13; Frisch & Waugh (1933), doi:10.2307/1907330;
Cameron & Miller (2015), doi:10.3368/jhr.50.2.317.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from whatworks.stats.displacement.sums import MarketSums, Means, Rows
from whatworks.stats.threads import one_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLLINEAR: Final = 1e-10
"""Part of a column's variance that others leave, below which it repeats them."""
EXPLAINED: Final = 1e-11
"""Size of a score, in that of outcomes, below which it is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns of a model as combinations of those of the sums.

    Parameters
    ----------
    of : ndarray of shape (K, k)
    n_exposure, n_covariates : int
        The first ones say who is exposed to what, the next are covariates about their means, and the
        last covariates times exposures.
    """

    of: Floats
    n_exposure: int
    n_covariates: int

    @property
    def order(self) -> list[int]:
        """Columns in the order in which one that repeats others is left out: covariates come first."""
        first, k = self.n_exposure, self.of.shape[1]
        after = first + self.n_covariates
        return [*range(first, after), *range(first), *range(after, k)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """What is read off a regression.

    Parameters
    ----------
    coefficients : ndarray of shape (r, k)
    level : ndarray of shape (r,)
        How much of the mean of the outcome is in each.
    """

    coefficients: Floats
    level: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Absorbed:
    """A regression of q outcomes on the columns of a model.

    Parameters
    ----------
    sums : MarketSums
    columns : Columns
    kept : ndarray of int, shape (m,)
        Columns that none before them repeats.
    turn : ndarray of shape (K, m)
        From the columns of the sums to :math:`Z`.
    back : ndarray of shape (m, m)
        Coefficients of columns kept are ``back`` times those of :math:`Z`.
    turned : ndarray of shape (m, q)
        Coefficients of :math:`Z`.
    """

    sums: MarketSums
    columns: Columns
    kept: Ints
    turn: Floats
    back: Floats
    turned: Floats

    @property
    def n_coefficients(self) -> int:
        """Coefficients fitted, strata among them."""
        return int(self.kept.size) + self.sums.n_strata

    @property
    def exposed(self) -> bool:
        """Whether covariates and strata leave every exposure something to tell."""
        exposures = self.kept < self.columns.n_exposure
        return int(exposures.sum()) == self.columns.n_exposure

    def coefficients(self) -> Floats:
        """Of every column, 0 for those not kept, shape (k, q)."""
        found = np.zeros((self.columns.of.shape[1], self.turned.shape[1]))
        found[self.kept] = self.back @ self.turned
        return found

    def read(self, forms: Forms) -> Floats:
        """Values of forms, shape (r, q)."""
        level = np.outer(forms.level, self.sums.outcome_mean)
        return np.asarray(forms.coefficients @ self.coefficients() + level)

    def local(self, forms: Forms) -> tuple[Floats, Floats]:
        """Forms of turned coefficients, shape (r, m), and of the mean of the outcome, shape (r,)."""
        return forms.coefficients[:, self.kept] @ self.back, forms.level

    def base(self) -> Forms:
        """The mean outcome where exposures are nil, strata and covariates at their means."""
        mean = self.sums.mean @ self.columns.of
        first = self.columns.n_exposure
        mean[first : first + self.columns.n_covariates] = 0.0
        return Forms(coefficients=-mean[None, :], level=np.ones(1))

    def scores(self) -> Floats:
        r""":math:`\ell_c'W_c\hat u_c` of every market, shape (n_markets, m + 1, q)."""
        sums = self.sums
        gram, cross = sums.by_weight.gram, sums.by_weight.cross
        found = cross - gram[:, :, :-1] @ (self.turn @ self.turned)
        turned = np.concatenate([self.turn.T @ found[:, :-1], found[:, -1:]], axis=1)
        return without_rounding(turned, self._bound()) * self._edge()[:, :, None]

    def _bound(self) -> Floats:
        """Largest that the score of each market could be, shape (n_markets, m + 1, q)."""
        gram = self.sums.by_weight.gram
        own = np.einsum("ij,gik,kj->gj", self.turn, gram[:, :-1, :-1], self.turn, optimize=True)
        own = np.column_stack([own, gram[:, -1, -1]])
        return np.asarray(np.sqrt(np.abs(own)[:, :, None] * self.sums.outcome_square[:, None, :]))

    def _edge(self) -> Floats:
        r"""1 for turned columns, :math:`1/\sqrt{N_s}` for the constant, shape (n_markets, m + 1)."""
        edge = np.ones((self.sums.stratum.size, self.kept.size + 1))
        edge[:, -1] = self.roots()
        return edge

    def roots(self) -> Floats:
        r""":math:`1/\sqrt{N_{s(c)}}` of each market; of all the weight where it has no one stratum."""
        sums = self.sums
        mass = np.where(sums.stratum >= 0, sums.stratum_mass[sums.stratum], sums.mass)
        return np.asarray(1 / np.sqrt(mass))

    def of_level(self) -> Floats:
        r"""What a mean reads of the constant of each market, :math:`\sqrt{N_s}/N`, shape (n_markets,)."""
        return np.asarray(1 / (self.roots() * self.sums.mass))

    def small_sample(self) -> float:
        r""":math:`\frac{G}{G-1}\frac{n-1}{n-k}`; NaN with one market, or as many coefficients as rows."""
        g, n, k = self.sums.n_markets, self.sums.n, self.n_coefficients
        return g / (g - 1) * (n - 1) / (n - k) if g > 1 and n > k else float("nan")


def without_rounding(values: Floats, bound: Floats) -> Floats:
    """Values, those nil that are no more than rounding beside what they could be."""
    return np.where(np.abs(values) <= EXPLAINED * bound, 0.0, values)


def regress(sums: MarketSums, columns: Columns) -> Absorbed:
    """Fit, leaving out columns that repeat strata or those before them: covariates, then exposures.

    Parameters
    ----------
    sums : MarketSums
    columns : Columns
    """
    of = columns.of
    whole = sums.by_weight.gram[:, :-1, :-1].sum(axis=0)
    gram = of.T @ whole @ of
    cross = of.T @ sums.by_weight.cross[:, :-1].sum(axis=0)
    # In units of their own spread before strata are taken out: what strata determine then shows.
    size = np.sqrt(np.einsum("ik,i->k", of**2, sums.size**2) * sums.mass)
    size = np.where(size > 0, size, 1.0)
    gram, cross = gram / np.outer(size, size), cross / size[:, None]
    kept = _independent(gram, columns.order)
    root = cholesky(gram[np.ix_(kept, kept)], lower=True)
    turn = solve_triangular(root, np.eye(kept.size), lower=True).T
    back = turn / size[kept, None]
    return Absorbed(
        sums=sums,
        columns=columns,
        kept=kept,
        turn=of[:, kept] @ back,
        back=back,
        turned=turn.T @ cross[kept],
    )


def _independent(gram: Floats, order: list[int]) -> Ints:
    """Columns of which something is left beside those before, in their own order."""
    left = gram.copy()
    kept = []
    for j in order:
        if left[j, j] > COLLINEAR:
            kept.append(j)
            left = left - np.outer(left[:, j], left[j]) / left[j, j]
    return np.array(sorted(kept), dtype=np.int64)


@one_thread()
def heteroskedastic(rows: Rows, means: Means, fit: Absorbed, forms: Forms, part: slice) -> Floats:
    r"""Influence of single rows on forms, :math:`w_iu_i\,a'M\tilde x_i`, with the factor of HC1.

    Parameters
    ----------
    rows : Rows
    means : Means
    fit : Absorbed
    forms : Forms
    part : slice
        Rows asked for.

    Returns
    -------
    ndarray of shape (n_rows, r, q)
    """
    stratum, weight = rows.stratum[part], rows.weight[part]
    x = (rows.columns(part, means.centre) - means.columns[stratum]) @ fit.turn
    y = rows.outcome[part] - means.low - means.outcome[stratum]
    residual = y - x @ fit.turned
    reach = np.sqrt(fit.sums.outcome_square.sum(axis=0) / fit.sums.mass)
    residual = without_rounding(residual, np.broadcast_to(reach, residual.shape))
    spare = fit.sums.n - fit.n_coefficients
    factor = np.sqrt(fit.sums.n / spare) if spare > 0 else np.nan
    coefficients, level = fit.local(forms)
    lever = x @ coefficients.T + level / fit.sums.mass
    return np.asarray(factor * (weight[:, None] * lever)[:, :, None] * residual[:, None, :])
