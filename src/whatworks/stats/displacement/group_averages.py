r"""Averages over markets of the mean outcome of each arm: two-stage designs without a model.

With :math:`\bar Y_c(z)` the mean of arm :math:`z` in market :math:`c` and :math:`\omega_c` what the
market weighs (1: *markets* are averaged; its number of persons: *persons* are),

.. math:: \hat\mu(z,p) = \frac{\sum_{c: p_c=p}\omega_c\bar Y_c(z)}{\sum_{c: p_c=p}\omega_c},\qquad
          \psi_c = \sqrt{\tfrac{C}{C-1}}\;\frac{\omega_c}{\sum\omega}\,(\bar Y_c(z)-\hat\mu(z,p))

so that :math:`\sum_c\psi_c\psi_c'` is the covariance between markets of one share, over their number:
conservative for the draw (Hudgens & Halloran 2008, doi:10.1198/016214508000000292; Jiang, Imai & Malani
2023, arXiv:2011.07677). The two weights are two estimands (Basse & Feller 2018,
doi:10.1080/01621459.2017.1323641).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROUNDING = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmMeans:
    """Mean outcomes of cells, market by market.

    Parameters
    ----------
    mean : ndarray of shape (n_markets, n_cells, q)
        NaN where a market has nobody of that cell.
    mass : ndarray of shape (n_markets,)
        Sum of the weights of each market's units, of all cells.
    """

    mean: Floats
    mass: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Averages:
    """Averages over markets, and the influence of each.

    Parameters
    ----------
    mean : ndarray of shape (n_cells, q)
    influence : ndarray of shape (n_clusters, n_cells, q)
        Clusters are markets, or strata.
    n_markets : ndarray of int, shape (n_cells,)
    """

    mean: Floats
    influence: Floats
    n_markets: Ints


def arm_means(
    outcome: Floats, weight: Floats, cell: Ints, market: Ints, *, n_cells: int, n_markets: int
) -> ArmMeans:
    """Weighted means of every cell in every market.

    Parameters
    ----------
    outcome : ndarray of shape (n, q)
    weight : ndarray of shape (n,)
    cell, market : ndarray of int, shape (n,)
    n_cells, n_markets : int
    """
    key = market * n_cells + cell
    size = n_markets * n_cells
    mass = np.bincount(key, weights=weight, minlength=size)
    found = np.empty((size, outcome.shape[1]))
    # Read from the middle of their range, outcomes that do not vary are exactly alike.
    low = (outcome.min(axis=0) + outcome.max(axis=0)) / 2
    for j in range(outcome.shape[1]):
        total = np.bincount(key, weights=weight * (outcome[:, j] - low[j]), minlength=size)
        mean = np.divide(total, mass, out=np.full(size, np.nan), where=mass > 0)
        found[:, j] = mean + low[j]
    return ArmMeans(
        mean=found.reshape(n_markets, n_cells, -1),
        mass=np.bincount(market, weights=weight, minlength=n_markets).astype(float),
    )


def averages(means: ArmMeans, weight: Floats) -> Averages:
    """Averages over the markets that have each cell.

    Parameters
    ----------
    means : ArmMeans
    weight : ndarray of shape (n_markets,)
        What each market weighs: 1, or its persons.
    """
    there = np.isfinite(means.mean[:, :, 0])
    n = there.sum(axis=0)
    share = np.where(there, weight[:, None], 0.0)
    share = share / share.sum(axis=0)
    values = np.where(there[:, :, None], means.mean, 0.0)
    mean = np.einsum("gc,gcq->cq", share, values)
    apart = np.where(there[:, :, None], values - mean, 0.0)
    apart[np.abs(apart) <= ROUNDING * np.abs(values).max(initial=0.0)] = 0.0
    factor = np.where(n > 1, np.sqrt(n / np.maximum(n - 1, 1)), np.nan)
    return Averages(
        mean=mean,
        influence=factor[:, None] * share[:, :, None] * apart,
        n_markets=n.astype(np.int64),
    )


def averages_within(means: ArmMeans, weight: Floats, stratum: Ints) -> Averages:
    r"""Averages within strata, then over them, each weighing as its markets.

    :math:`\hat\mu(z,p)=\sum_s m_s\hat\mu_s(z,p)`, :math:`m_s` the weight of the stratum. Where every stratum
    has two markets of each cell or more, with the spread among these; else with that of contrasts
    between strata, which is conservative (Imai, King & Nall 2009, doi:10.1214/08-STS274).

    Parameters
    ----------
    means : ArmMeans
        Of strata in each of which every cell is met.
    weight : ndarray of shape (n_markets,)
    stratum : ndarray of int, shape (n_markets,)
        From 0; −1 for a market that is left out.
    """
    inside = stratum >= 0
    there = np.isfinite(means.mean[:, :, 0]) & inside[:, None]
    place = np.maximum(stratum, 0)
    n_strata = int(place.max()) + 1
    held = np.where(there, weight[:, None], 0.0)
    values = np.where(there[:, :, None], means.mean, 0.0)
    size = _by_stratum(held, place, n_strata)
    inner = _by_stratum(held[:, :, None] * values, place, n_strata) / size[:, :, None]
    mass = np.bincount(place, weights=np.where(inside, weight, 0.0), minlength=n_strata)
    mass = mass / mass.sum()
    mean = np.einsum("s,scq->cq", mass, inner)
    number = _by_stratum(there.astype(float), place, n_strata)
    close = ROUNDING * np.abs(values).max(initial=0.0)
    if paired(there, stratum):
        apart = inner - mean
        factor = np.sqrt(n_strata / (n_strata - 1)) if n_strata > 1 else np.nan
        influence = factor * mass[:, None, None] * np.where(np.abs(apart) <= close, 0.0, apart)
    else:
        apart = np.where(there[:, :, None], values - inner[place], 0.0)
        factor = np.sqrt(number / (number - 1))[place] * mass[place][:, None]
        part = factor * held / size[place]
        influence = part[:, :, None] * np.where(np.abs(apart) <= close, 0.0, apart)
    return Averages(mean=mean, influence=influence, n_markets=there.sum(axis=0).astype(np.int64))


def paired(there: Bools, stratum: Ints) -> bool:
    """Whether some stratum has one market only of some cell: no spread is told within it.

    Parameters
    ----------
    there : ndarray of bool, shape (n_markets, n_cells)
        Cells met in each market.
    stratum : ndarray of int, shape (n_markets,)
        From 0; −1 for a market that is left out.
    """
    inside = stratum >= 0
    number = _by_stratum(there[inside].astype(float), stratum[inside], int(stratum.max()) + 1)
    return bool((number < 2).any())


def _by_stratum(values: Floats, stratum: Ints, n_strata: int) -> Floats:
    found = np.zeros((n_strata, *values.shape[1:]))
    np.add.at(found, stratum, values)
    return found


def direct_variance(
    outcome: Floats, assigned: Bools, market: Ints, *, n_all: int
) -> tuple[float, float]:
    r"""Direct effect over the markets of one share, and its variance for the markets of the trial.

    .. math:: \hat V = \Big(1-\frac{C_a}{C}\Big)\frac{s^2_{DE}}{C_a}
              + \frac{1}{C\,C_a}\sum_c\Big(\frac{s^2_{1c}}{n_{1c}}+\frac{s^2_{0c}}{n_{0c}}\Big)

    under stratified interference (Hudgens & Halloran 2008; Imai, Jiang & Malani 2021,
    doi:10.1080/01621459.2020.1775612): smaller than the variance between markets, which answers for
    markets drawn from many.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        Of units of markets of one share.
    assigned : ndarray of bool, shape (n,)
    market : ndarray of int, shape (n,)
    n_all : int
        Markets of the trial, of every share.

    Returns
    -------
    tuple of (float, float)
        NaN variance where a market has fewer than two units of an arm.
    """
    place = np.unique(market, return_inverse=True)[1]
    n_markets = int(place.max()) + 1
    effect, inner = np.zeros(n_markets), np.zeros(n_markets)
    for arm, sign in ((assigned, 1.0), (~assigned, -1.0)):
        n = np.bincount(place[arm], minlength=n_markets)
        mean = np.bincount(place[arm], weights=outcome[arm], minlength=n_markets) / n
        apart = (outcome[arm] - mean[place[arm]]) ** 2
        square = np.bincount(place[arm], weights=apart, minlength=n_markets)
        effect += sign * mean
        inner += square / np.where(n > 1, (n - 1) * n, np.nan)
    between = effect.var(ddof=1) / n_markets if n_markets > 1 else np.nan
    variance = (1 - n_markets / n_all) * between + inner.sum() / (n_all * n_markets)
    return float(effect.mean()), float(variance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Variance within markets and between them.

    Parameters
    ----------
    within, between : float
    """

    within: float
    between: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.within + self.between

    @property
    def intraclass(self) -> float:
        """Part of the variance that is between markets."""
        return self.between / self.total


def components(outcome: Floats, assigned: Bools, share: Floats, market: Ints) -> Components:
    r"""Components of the variance in markets that have both arms, as planning needs them.

    Within: the mean over markets and arms of the variance of an arm. Between: the mean over arms and
    shares of the variance of the means of markets, less :math:`\overline{1/n_1-1/n}` times that within
    (Jiang, Imai & Malani 2023, §4).

    Parameters
    ----------
    outcome : ndarray of shape (n,)
    assigned : ndarray of bool, shape (n,)
    share : ndarray of shape (n,)
    market : ndarray of int, shape (n,)
    """
    place = np.unique(market, return_inverse=True)[1]
    n_markets = int(place.max()) + 1
    shares = np.zeros(n_markets)
    shares[place] = share
    size = np.bincount(place, minlength=n_markets)
    within, between, counts = [], [], []
    for arm in (assigned, ~assigned):
        n = np.bincount(place[arm], minlength=n_markets)
        mean = np.bincount(place[arm], weights=outcome[arm], minlength=n_markets) / n
        apart = (outcome[arm] - mean[place[arm]]) ** 2
        within.append(np.bincount(place[arm], weights=apart, minlength=n_markets) / (n - 1))
        between += [mean[shares == t].var(ddof=1) for t in np.unique(shares)]
        counts.append(n)
    inside = float(np.mean(within))
    outside = float(np.mean(between)) - float(np.mean(1 / counts[0] - 1 / size)) * inside
    return Components(within=inside, between=outside)
