r"""Chances of exposures under a known draw of shares among markets, and means they weigh.

A person is exposed by own assignment and by the class of the share met, :math:`s_m=\sum_{m'}W_{mm'}p_{m'}`.
Shares change places within strata; within a market of :math:`n` eligible at share :math:`p`, a simple random
sample of :math:`\lfloor np+U\rfloor` is assigned. Hence a person's chance of an exposure, and that of two
people, hang on their markets only: they are means over draws of shares, by market and by pair of
markets, and no array of people by people is ever made. Where all orders of shares are few they are
enumerated, and chances are exact.

.. math:: \hat\mu_{HT}(d)=\frac1N\sum_i\frac{1\{D_i=d\}Y_i}{\pi_i(d)}

and that of Hájek divides by :math:`\sum_i1\{D_i=d\}/\pi_i(d)`. The variance is that of Aronow & Samii; where
two markets are never in two exposures together, the product of their totals cannot be estimated and is
bounded by half the sum of their squares (Young's inequality, at the level where such pairs arise, which is
less conservative than person by person).

References
----------
Aronow & Samii (2017), doi:10.1214/16-AOAS1005.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import factorial, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.stats.displacement.redraws import shares_redrawn

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

ELIGIBLE_ARMS: Final = (1, 0)
CANNOT: Final = -1
"""Arm of those who compete and could not be assigned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnShares:
    """Shares under draws of the design.

    Parameters
    ----------
    shares : ndarray of shape (n_draws, n_markets)
    exact : bool
        Whether these are all the orders there are, each as likely.
    """

    shares: Floats
    exact: bool


def drawn_shares(
    share: Floats, stratum: Ints, *, draws: int, rng: np.random.Generator
) -> DrawnShares:
    """All orders of shares within strata when they are no more than ``draws``, else some at random.

    >>> drawn_shares(np.array([0.0, 0.5, 0.5]), np.zeros(3, dtype=int), draws=10,
    ...     rng=np.random.default_rng(0)).shares.tolist()
    [[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]
    """
    rows = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    held = [np.sort(share[r]) for r in rows]
    if prod(_orders(h, most=draws) for h in held) > draws:
        return DrawnShares(shares=shares_redrawn(share, stratum, draws=draws, rng=rng), exact=False)
    every = list(product(*(_arranged(h) for h in held)))
    found = np.empty((len(every), share.size))
    for k, chosen in enumerate(every):
        for r, values in zip(rows, chosen, strict=True):
            found[k, r] = values
    return DrawnShares(shares=found, exact=True)


def _orders(values: Floats, *, most: int) -> int:
    """Number of different orders of some values, or one more than ``most``."""
    counts = np.unique(values, return_counts=True)[1]
    if counts.size > 1 and values.size > most:
        return most + 1
    return factorial(values.size) // prod(factorial(int(n)) for n in counts)


def _arranged(values: Floats) -> list[list[float]]:
    """Different orders of some values, the smallest first."""
    if values.size == 1:
        return [[float(values[0])]]
    found = []
    for first in np.unique(values):
        at = int(np.argmax(values == first))
        found += [[float(first), *rest] for rest in _arranged(np.delete(values, at))]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One exposure: own assignment and the class of the share met.

    Parameters
    ----------
    arm : int
        1, 0, or `CANNOT`.
    level : int
        Class, 0 for the pure control.
    """

    arm: int
    level: int


def met(shares: Floats, weights: csr_array) -> Floats:
    r"""Share met by the people of each market: :math:`\sum_{m'}W_{mm'}p_{m'}`, shape of ``shares``."""
    return np.asarray((weights @ shares.T).T)


def classes(share_met: Floats, edges: Floats, *, near_zero: float) -> NDArray[np.int8]:
    """Class of each share met: 0 up to ``near_zero``, then 1 up to the first edge, and so on."""
    found = 1 + np.searchsorted(edges, share_met - 1e-12, side="left")
    found[share_met <= near_zero + 1e-12] = 0
    return found.astype(np.int8)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureLaw:
    """Chances of exposures by market.

    Parameters
    ----------
    exposures : tuple of Exposure
    likely : tuple of ndarray of shape (n_draws, n_markets)
        Of each exposure: chance, in each draw, of who could be in its arm.
    chance : ndarray of shape (n_exposures, n_markets)
    shares : ndarray of shape (n_draws, n_markets)
    level : ndarray of shape (n_draws, n_markets)
    size : ndarray of shape (n_markets,)
        Eligible people of each.
    """

    exposures: tuple[Exposure, ...]
    likely: tuple[Singles, ...]
    chance: Floats
    shares: Floats
    level: NDArray[np.int8]
    size: Floats

    def together(self, one: int, other: int) -> Floats:
        """Chance that one person of a market is in one exposure, and another in the other, by market.

        NaN where a market has not two people for it.
        """
        d, e = self.exposures[one], self.exposures[other]
        if d.level != e.level:
            return np.zeros(self.size.size)
        here = self.level == d.level
        if CANNOT in (d.arm, e.arm):
            arm = e.arm if d.arm == CANNOT else d.arm
            chance = {1: self.shares, 0: 1 - self.shares}.get(arm, np.ones_like(self.shares))
            return np.asarray((here * chance).mean(axis=0))
        n = self.size
        low = np.floor(self.shares * n + 1e-9)
        part = np.clip(self.shares * n - low, 0.0, 1.0)

        def pairs(c: Floats) -> Floats:
            if d.arm != e.arm:
                return np.asarray(c * (n - c))
            c = c if d.arm == 1 else n - c
            return np.asarray(c * (c - 1))

        mean = (1 - part) * pairs(low) + part * pairs(np.minimum(low + 1, n))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(n > 1, (here * mean).mean(axis=0) / (n * (n - 1)), np.nan)


def exposure_law(
    drawn: DrawnShares,
    weights: csr_array,
    exposures: tuple[Exposure, ...],
    edges: Floats,
    *,
    near_zero: float,
    size: Floats,
) -> ExposureLaw:
    """Chances of exposures under the draws."""
    level = classes(met(drawn.shares, weights), edges, near_zero=near_zero)
    likely = []
    for exposure in exposures:
        chance = {1: drawn.shares, 0: 1 - drawn.shares}.get(exposure.arm, 1.0)
        likely.append(((level == exposure.level) * chance).astype(np.float32))
    return ExposureLaw(
        exposures=exposures,
        likely=tuple(likely),
        chance=np.array([one.mean(axis=0, dtype=np.float64) for one in likely]),
        shares=drawn.shares,
        level=level,
        size=size,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureMeans:
    """Means by exposure.

    Parameters
    ----------
    mean : ndarray of shape (n_exposures,)
    covariance : ndarray of shape (n_exposures, n_exposures)
        Positive semi-definite: directions of negative variance, of which estimates of products may leave
        some, are brought to zero, which enlarges the variance of every contrast.
    lifted : float
        Part of the trace that this added.
    influence : ndarray of shape (n_markets, n_exposures)
        What each market adds to each mean, turned and stretched so that its products sum to the covariance:
        it carries the correlation of a market with itself between outcomes.
    """

    mean: Floats
    covariance: Floats
    lifted: float
    influence: Floats


def exposure_means(
    law: ExposureLaw,
    *,
    counts: Floats,
    sums: Floats,
    squares: tuple[Floats, Floats, Floats],
    people: Floats,
    hajek: bool,
) -> ExposureMeans:
    """Means by exposure from sums by market.

    Parameters
    ----------
    law : ExposureLaw
    counts, sums : ndarray of shape (n_exposures, n_markets)
        Weights, and weighted outcomes, of the people seen in each exposure.
    squares : three ndarray of shape (n_exposures, n_markets)
        Sums of squared weights, of these times outcomes, and times squared outcomes.
    people : ndarray of shape (n_exposures,)
        Weights of all who could be in an exposure.
    hajek : bool
    """
    inverse = np.divide(1.0, law.chance, out=np.zeros_like(law.chance), where=law.chance > 0)
    weighed = (counts * inverse).sum(axis=1)
    total = (sums * inverse).sum(axis=1)
    base = weighed if hajek else np.broadcast_to(people, weighed.shape)
    mean = total / base
    level = mean if hajek else np.zeros_like(mean)
    left = sums - level[:, None] * counts
    left[np.abs(left) < 1e-12 * np.abs(sums).max(initial=0.0)] = 0.0
    ones, products, twos = squares
    own = twos - 2 * level[:, None] * products + level[:, None] ** 2 * ones
    own[np.abs(own) < 1e-12 * np.abs(twos).max(initial=0.0)] = 0.0
    n = len(law.exposures)
    covariance = np.empty((n, n))
    for d in range(n):
        for e in range(d, n):
            found = _covariance(law, d, e, left=left, own=own)
            covariance[d, e] = covariance[e, d] = found / (base[d] * base[e])
    return _lifted(mean, covariance, added=(left * inverse / base[:, None]).T)


def _lifted(mean: Floats, covariance: Floats, *, added: Floats) -> ExposureMeans:
    values, vectors = np.linalg.eigh(covariance)
    above = np.maximum(values, 0.0)
    root = (vectors * np.sqrt(above)) @ vectors.T
    size = np.sqrt((added**2).sum(axis=0))
    scaled = added / np.where(size > 0, size, 1.0)
    spread, turn = np.linalg.eigh(scaled.T @ scaled)
    firm = spread > 1e-10
    white = (turn[:, firm] / np.sqrt(spread[firm])) @ turn[:, firm].T
    return ExposureMeans(
        mean=mean,
        covariance=(vectors * above) @ vectors.T,
        lifted=float((above - values).sum() / above.sum()) if above.sum() > 0 else 0.0,
        influence=scaled @ white @ root,
    )


def _covariance(law: ExposureLaw, d: int, e: int, *, left: Floats, own: Floats) -> float:
    """Covariance of two weighted totals; of one with itself, its variance."""
    apart, never = _between(law, d, e, left=left)
    return apart + _within(law, d, e, left=left, own=own, never=never)


def _between(law: ExposureLaw, d: int, e: int, *, left: Floats) -> tuple[float, tuple[Ints, Ints]]:
    """Products of totals of two markets, and with how many others each is never seen together."""
    here, there = (np.flatnonzero(left[k] != 0) for k in (d, e))
    joint = _joint(law, d, e, among=here)
    never = [np.zeros(left.shape[1], dtype=np.int64) for _ in range(2)]
    never[0][here] = ((joint == 0) & (law.chance[e] > 0)).sum(axis=1)
    never[1][there] = never[0][there]
    if d != e:
        back = _joint(law, e, d, among=there)
        never[1][there] = ((back == 0) & (law.chance[d] > 0)).sum(axis=1)
    seen = joint[:, there]
    itself = here[:, None] == there[None, :]
    with np.errstate(divide="ignore"):
        factor = 1 / np.outer(law.chance[d, here], law.chance[e, there]) - 1 / seen
    factor[itself | (seen == 0)] = 0.0
    return float(left[d, here] @ factor @ left[e, there]), (never[0], never[1])


def _joint(law: ExposureLaw, d: int, e: int, *, among: Ints) -> Floats:
    """Chance of two exposures in some markets and all others; 1 for a market with itself."""
    one, other = law.likely[d][:, among], law.likely[e]
    joint = np.asarray(one.T @ other, dtype=np.float64) / one.shape[0]
    joint[np.arange(among.size), among] = 1.0
    return np.asarray(joint)


def _within(
    law: ExposureLaw, d: int, e: int, *, left: Floats, own: Floats, never: tuple[Ints, Ints]
) -> float:
    """Products within markets, and bounds of those never seen together."""
    chance_d, chance_e = law.chance[d], law.chance[e]
    # Squares of a market's total in an exposure, each estimated from those seen in it.
    square = [_squares(law, k, left=left[k], own=own[k]) for k in (d, e)]
    bound = float(never[0] @ square[0] + never[1] @ square[1]) / 2
    if d == e:
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.where(own[d] != 0, own[d] * (1 - chance_d) / chance_d**2, 0.0)
            pairs = left[d] ** 2 - own[d]
            factor = 1 / chance_d**2 - 1 / law.together(d, d)
            second = np.where(own[d] != 0, pairs * np.where(np.isfinite(factor), factor, 0.0), 0.0)
        return float(first.sum() + second.sum()) + bound
    same = law.together(d, e)
    if law.exposures[d].level != law.exposures[e].level:
        # A market is never in two classes at once.
        both = ((chance_d > 0) & (chance_e > 0)).astype(float)
        return -bound - float(both @ (square[0] + square[1])) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = 1 / (chance_d * chance_e) - 1 / same
    met_both = (left[d] != 0) & (left[e] != 0) & np.isfinite(factor)
    crossed = float((left[d] * left[e])[met_both] @ factor[met_both])
    # Nobody is in two arms at once: person by person.
    alone = 0.0
    if CANNOT not in (law.exposures[d].arm, law.exposures[e].arm):
        safe = [np.where(c > 0, c, np.inf) for c in (chance_d, chance_e)]
        alone = float((own[d] / safe[0]).sum() + (own[e] / safe[1]).sum()) / 2
    return crossed - alone - bound


def _squares(law: ExposureLaw, d: int, *, left: Floats, own: Floats) -> Floats:
    """Unbiased estimate of each market's squared total in an exposure, not below zero."""
    chance, same = law.chance[d], law.together(d, d)
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = np.where(own != 0, own / chance, 0.0)
        pairs = np.where((own != 0) & (same > 0), (left**2 - own) / same, 0.0)
    return np.asarray(np.maximum(alone + pairs, 0.0))
