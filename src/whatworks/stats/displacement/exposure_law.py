r"""Chances of exposures under a known draw of shares among markets, and means they weigh.

A person is exposed by own assignment and by the class of the share met, :math:`s_m=\sum_{m'}W_{mm'}p_{m'}`.
Shares change places within strata; within a market of :math:`n` eligible at share :math:`p`, a simple random
sample of :math:`\lfloor np+U\rfloor` is assigned. Hence a person's chance of an exposure, and that of two
people, hang on their markets only: they are means over draws of shares, by market and by pair of
markets, and no array of people by people is ever made. Where all orders of shares are few they are
enumerated, and chances are exact.

.. math:: \hat\mu_{HT}(d)=\frac1N\sum_i\frac{1\{D_i=d\}Y_i}{\pi_i(d)}

and that of Hájek divides by :math:`\sum_i1\{D_i=d\}/\pi_i(d)`. The variance is that of Aronow & Samii;
products of what is never seen together cannot be estimated, and are bounded (Young's inequality), here at
the level where they arise, which is less conservative than person by person. With :math:`a_{mk}` what a
linear form of the means reads of market :math:`m` in class :math:`k`, a market is never in two classes
at once and :math:`-\sum_{k\ne k'}a_{mk}a_{mk'}\le\sum_ka_{mk}^2`; two markets never in two classes together
add :math:`-2a_{mk}a_{m'k'}\le a_{mk}^2+a_{m'k'}^2`; nobody is in two arms at once. The bounds hold for
every linear form together, so that one matrix serves them all.

References
----------
Aronow & Samii (2017), doi:10.1214/16-AOAS1005.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from math import factorial, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.stats.displacement.redraws import shares_redrawn

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

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
    level : ndarray of shape (n_draws, n_markets)
    same : mapping of (int, int) to ndarray of shape (n_markets,)
        Of two exposures of one class, the lower first: chance that two people of a market are in them.
    """

    exposures: tuple[Exposure, ...]
    likely: tuple[Singles, ...]
    chance: Floats
    level: NDArray[np.int8]
    same: Mapping[tuple[int, int], Floats]

    def together(self, one: int, other: int) -> Floats:
        """Chance that one person of a market is in one exposure, and another in the other, by market.

        NaN where a market has not two people for it.
        """
        found = self.same.get((min(one, other), max(one, other)))
        return np.zeros(self.chance.shape[1]) if found is None else found


def _pairs(
    one: Exposure, other: Exposure, shares: Floats, here: NDArray[np.bool_], size: Floats
) -> Floats:
    """Chance that two people of a market are in two exposures of one class, by market."""
    if CANNOT in (one.arm, other.arm):
        arm = other.arm if one.arm == CANNOT else one.arm
        chance = {1: shares, 0: 1 - shares}.get(arm, np.ones_like(shares))
        return np.asarray((here * chance).mean(axis=0))
    low = np.floor(shares * size + 1e-9)
    part = np.clip(shares * size - low, 0.0, 1.0)

    def among(c: Floats) -> Floats:
        if one.arm != other.arm:
            return np.asarray(c * (size - c))
        c = c if one.arm == 1 else size - c
        return np.asarray(c * (c - 1))

    mean = (1 - part) * among(low) + part * among(np.minimum(low + 1, size))
    ordered = size * (size - 1)
    total = (here * mean).mean(axis=0)
    found = np.full(size.size, np.nan)
    return np.asarray(np.divide(total, ordered, out=found, where=size > 1))


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
    numbered = list(enumerate(exposures))
    same = {
        (k, j): _pairs(one, other, drawn.shares, level == one.level, size)
        for (k, one), (j, other) in combinations_with_replacement(numbered, 2)
        if one.level == other.level
    }
    return ExposureLaw(
        exposures=exposures,
        likely=tuple(likely),
        chance=np.array([one.mean(axis=0, dtype=np.float64) for one in likely]),
        level=level,
        same=same,
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
    covariance = _covariance(law, left=left, own=own) / np.outer(base, base)
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


def _covariance(law: ExposureLaw, *, left: Floats, own: Floats) -> Floats:
    """Covariance of weighted totals, never below that of any linear form in expectation."""
    n, n_markets = left.shape
    found, never = np.zeros((n, n)), np.zeros((n, n_markets))
    for d in range(n):
        here = np.flatnonzero(left[d] != 0)
        by_level: dict[int, Floats] = {}
        for e in range(n):
            joint = _joint(law, d, e, among=here)
            if e >= d:
                found[d, e] = _between(law, d, e, left=left, here=here, joint=joint)
                found[d, e] += _within(law, d, e, left=left, own=own)
                found[e, d] = found[d, e]
            count = ((joint == 0) & (law.chance[e] > 0)).sum(axis=1).astype(float)
            level = law.exposures[e].level
            by_level[level] = np.maximum(by_level.get(level, 0.0), count)
        never[d, here] = sum(by_level.values())
    return found + _bounds(law, never, left=left, own=own)


def _between(law: ExposureLaw, d: int, e: int, *, left: Floats, here: Ints, joint: Floats) -> float:
    """Products of totals of two markets, each seen in its exposure."""
    there = np.flatnonzero(left[e] != 0)
    seen = joint[:, there]
    itself = here[:, None] == there[None, :]
    with np.errstate(divide="ignore"):
        factor = 1 / np.outer(law.chance[d, here], law.chance[e, there]) - 1 / seen
    factor[itself | (seen == 0)] = 0.0
    return float(left[d, here] @ factor @ left[e, there])


def _joint(law: ExposureLaw, d: int, e: int, *, among: Ints) -> Floats:
    """Chance of two exposures in some markets and all others; 1 for a market with itself."""
    one, other = law.likely[d][:, among], law.likely[e]
    joint = np.asarray(one.T @ other, dtype=np.float64) / one.shape[0]
    joint[np.arange(among.size), among] = 1.0
    return np.asarray(joint)


def _within(law: ExposureLaw, d: int, e: int, *, left: Floats, own: Floats) -> float:
    """Products of people of one market, each seen in an exposure of the same class."""
    if law.exposures[d].level != law.exposures[e].level:
        return 0.0
    chance, same = law.chance[d] * law.chance[e], law.together(d, e)
    products = left[d] * left[e] - (own[d] if d == e else 0.0)
    seen = (left[d] != 0) & (left[e] != 0) & (same > 0)
    total = float((products[seen] * (1 / chance[seen] - 1 / same[seen])).sum())
    if d != e:
        return total
    met_own = own[d] != 0
    c = law.chance[d, met_own]
    return total + float((own[d, met_own] * (1 - c) / c**2).sum())


def _bounds(law: ExposureLaw, never: Floats, *, left: Floats, own: Floats) -> Floats:
    """What products never seen together may add at most."""
    levels = np.array([exposure.level for exposure in law.exposures])
    arms = np.array([exposure.arm for exposure in law.exposures])
    n = levels.size
    found = np.zeros((n, n))
    for level in np.unique(levels):
        mine = [int(d) for d in np.flatnonzero(levels == level)]
        elsewhere = (law.chance[levels != level] > 0).any(axis=0)
        times = never[mine].max(axis=0) + elsewhere
        for d in mine:
            found[d, d] += float(times @ _squares(law, d, left=left[d], own=own[d]))
            partners = [e for e in mine if e != d and CANNOT not in (arms[d], arms[e])]
            if partners:
                alone = np.divide(
                    own[d], law.chance[d], out=np.zeros(own.shape[1]), where=own[d] != 0
                )
                found[d, d] += float((1 + times) @ alone)
            for e in (e for e in mine if e > d):
                same = law.together(d, e)
                seen = (left[d] != 0) & (left[e] != 0) & (same > 0)
                product_of = times[seen] * left[d, seen] * left[e, seen] / same[seen]
                found[d, e] += float(product_of.sum())
                found[e, d] = found[d, e]
    return found


def _squares(law: ExposureLaw, d: int, *, left: Floats, own: Floats) -> Floats:
    """Unbiased estimate of each market's squared total in an exposure, not below zero."""
    chance, same = law.chance[d], law.together(d, d)
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = np.where(own != 0, own / chance, 0.0)
        pairs = np.where((own != 0) & (same > 0), (left**2 - own) / same, 0.0)
    return np.asarray(np.maximum(alone + pairs, 0.0))
