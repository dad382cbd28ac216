"""Who is assigned, who takes part, and who gets the jobs there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatworks.worlds.jobs.options import TakeUp
from whatworks.worlds.jobs.truth import participation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def rank_within(group: Ints, key: Floats) -> Ints:
    """Rank from 0 of each key in its group, smallest first."""
    order = np.lexsort((key, group))
    size = np.bincount(group) if group.size else np.zeros(0, dtype=np.int64)
    rank = np.empty(group.size, dtype=np.int64)
    rank[order] = np.arange(group.size) - np.repeat(np.cumsum(size) - size, size)
    return rank


def assign(
    saturation: Floats,
    market: Ints,
    eligible: Bools,
    rng: np.random.Generator,
    *,
    leaning: Floats | None = None,
) -> Bools:
    r"""Assign each market's share of its eligible, rounded up or down by chance.

    At random, or those of the largest ``leaning`` + Gumbel.
    """
    count = np.bincount(market, eligible, minlength=saturation.size)
    places = np.floor(saturation * count + rng.random(saturation.size))
    drawn = rng.random(market.size)
    # A uniform is minus the log of a standard exponential: in the order of a Gumbel.
    key = drawn if leaning is None else np.log(-np.log1p(-drawn)) - leaning
    key = np.where(eligible, key, np.inf)
    return np.asarray(eligible & (rank_within(market, key) < np.minimum(places, count)[market]))


def take_part(
    take_up: TakeUp | None, *, x: Floats, eligible: Bools, treated: Bools, rng: np.random.Generator
) -> Bools:
    """Who takes part: of the assigned and, where help is found elsewhere, of the other eligible."""
    if take_up is None:
        return treated
    willing = rng.random(x.size)
    one, zero = (participation(take_up, x, assigned=told) for told in (True, False))
    return np.asarray(eligible & (willing < np.where(treated, one, zero)))


def jobs_there(
    place: Ints, *, base: Floats, weight: Floats, time: Floats, displacement: Floats
) -> Floats:
    r"""Jobs of each place, :math:`(1-d)\sum(1-e^{-w_it})+d\sum(1-e^{-e^{bx_i}t})`, not yet whole."""
    at = time[place]
    with_help, without = (
        np.bincount(place, -np.expm1(-w * at), minlength=time.size) for w in (weight, base)
    )
    return np.asarray((1 - displacement) * with_help + displacement * without)


def whole(value: Floats, rng: np.random.Generator) -> Floats:
    """Round up or down by chance, right on average."""
    return np.asarray(np.floor(value + rng.random(value.size)))


def hire(place: Ints, *, jobs: Floats, weight: Floats, rng: np.random.Generator) -> Bools:
    r"""Give each place's jobs to the largest :math:`\log w_i+\text{Gumbel}_i` (Plackett–Luce)."""
    key = np.log(weight) + rng.gumbel(size=weight.size)
    return hired_above(place, key, jobs=jobs)[0]


def hired_above(place: Ints, key: Floats, *, jobs: Floats) -> tuple[Bools, Floats]:
    """Who is hired, the largest keys of each place, and the bars to pass.

    Returns
    -------
    chosen : ndarray of bool, shape (n,)
    bars : ndarray of shape (2, n_places)
        The smallest key hired, infinite where nobody is: what someone else had to pass; and the
        largest key not hired, minus infinite where everybody is: what one of the hired had to.
    """
    chosen = np.asarray(rank_within(place, -key) < jobs[place])
    bars = np.stack([np.full(jobs.size, np.inf), np.full(jobs.size, -np.inf)])
    np.minimum.at(bars[0], place[chosen], key[chosen])
    np.maximum.at(bars[1], place[~chosen], key[~chosen])
    return chosen, bars
