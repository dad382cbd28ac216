"""The draw itself: shares among markets of a stratum, then persons within each market."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import choice
from whatworks.options import typed
from whatworks.planning.keyed import numbers, uniform
from whatworks.planning.trial import Trial

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_PAIR = "\x1e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a draw is made.

    Parameters
    ----------
    market, person : str
        Columns that name them.
    similar_on : tuple of str
        Numbers known of markets, before anything is drawn, on which markets of a stratum are alike.
    within : tuple of str
        Columns of markets whose values markets of a stratum share, as far as counts allow.
    rounding : str
        Of the number assigned in a market, share × eligible: ``"random"``, up with a probability equal to
        its fraction, so that everybody's chance is the share exactly; or ``"nearest"``, half up.

    Examples
    --------
    >>> Rules(similar_on=("size", "tightness")).rounding
    'random'
    """

    market: str = "market"
    person: str = "person_id"
    similar_on: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    rounding: Literal["random", "nearest"] = "random"

    def __post_init__(self) -> None:
        typed(self)
        choice(self.rounding, ("random", "nearest"), what="rounding")


def draw_shares(names: tuple[str, ...], stratum: Ints, *, trial: Trial, seed: str) -> Floats:
    """Share of each market: every full stratum has each share as often as the trial says.

    Markets are put in the order of their numbers, and shares are dealt in the order of the trial. Of a
    stratum that is not a whole number of rounds, shares of the last round are drawn without replacement.
    """
    mark = numbers(seed, "market", names)
    share = np.empty(len(names))
    slots = np.repeat(np.array(trial.shares), trial.per_stratum)
    for s in np.unique(stratum):
        mine = np.flatnonzero(stratum == s)
        rounds, rest = divmod(mine.size, slots.size)
        label = [f"{s}{_PAIR}{k}" for k in range(slots.size)]
        last = np.sort(np.argsort(numbers(seed, "slot", label), kind="stable")[:rest])
        dealt = np.concatenate([np.tile(slots, rounds), slots[last]])
        share[mine[np.argsort(mark[mine], kind="stable")]] = dealt
    return share


def draw_persons(
    persons: tuple[str, ...],
    market: Ints,
    *,
    names: tuple[str, ...],
    share: Floats,
    rules: Rules,
    seed: str,
) -> Bools:
    """Who is assigned: in each market the lowest numbers, as many as its share says.

    Parameters
    ----------
    persons : tuple of str
    market : ndarray of int, shape (n_persons,)
        Number of each person's market among ``names``.
    names : tuple of str
    share : ndarray of shape (n_markets,)
    rules : Rules
    seed : str
    """
    n = np.bincount(market, minlength=len(names))
    wanted = n * share
    count = np.floor(wanted + 1e-9)
    part = np.maximum(wanted - count, 0.0)
    up = part >= 0.5 if rules.rounding == "nearest" else uniform(seed, "rounding", names) < part
    count = count.astype(np.int64) + (up & (part > 1e-9))
    order = np.lexsort((numbers(seed, "person", persons), market))
    first = np.cumsum(n) - n
    rank = np.empty(market.size, dtype=np.int64)
    rank[order] = np.arange(market.size) - first[market[order]]
    return np.asarray(rank < count[market])


def draw_late(persons: tuple[str, ...], share: Floats, *, seed: str) -> Bools:
    """Who is assigned among those who arrive later: whose number is below the share of their market.

    One by one, whatever the order and the batches in which they arrive, so that nobody can wait for a
    better draw; counts are then those of independent draws.

    Parameters
    ----------
    persons : tuple of str
    share : ndarray of shape (n_persons,)
        Of each person's market.
    seed : str
    """
    return np.asarray(uniform(seed, "late", persons) < share)
