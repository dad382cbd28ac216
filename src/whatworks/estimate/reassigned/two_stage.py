"""A draw in two stages as a design shows it: shares of markets within strata, then persons within markets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, choice
from whatworks.options import typed
from whatworks.stats.assignments import number_of_assignments
from whatworks.stats.displacement.redraws import (
    NUMBERS,
    Numbers,
    numbers_redrawn,
    shares_redrawn,
    sums_over_drawn,
)
from whatworks.stats.uncertainty import sums_by_number
from whatworks.vocabulary import (
    ELIGIBLE,
    MARKET,
    SATURATION,
    STRATUM,
    TREATED,
    WEIGHT,
    Supply,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoStage:
    """How treatment was given out when shares were drawn first, and persons then.

    Shares are held to be as likely in any other order among the markets of a stratum of the design
    (among all of them where it has none); then, in each market, persons are drawn among the eligible at
    its share.

    Parameters
    ----------
    numbers : str
        How many are drawn in a market: ``"rounded"``, the share of its eligible, rounded up or down by
        chance; ``"coin"``, each by a coin of its own.

    Notes
    -----
    The eligible are those the design holds. Where it holds a sample in which the assigned are more (or
    fewer) than their share, the numbers drawn again are those of the share, not of the sample.

    Examples
    --------
    >>> TwoStage().numbers
    'rounded'
    """

    numbers: Numbers = "rounded"

    def __post_init__(self) -> None:
        typed(self)
        choice(self.numbers, NUMBERS, what="numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """The eligible of a design, market by market, in an order that neither rows nor labels decide.

    Parameters
    ----------
    design : Design
    rows : ndarray of int, shape (n_eligible,)
        Units, those of one market together.
    market : ndarray of int, shape (n_eligible,)
        Number of each one's market, never decreasing; strata follow one another.
    share : ndarray of shape (n_markets,)
    stratum : ndarray of int, shape (n_markets,)
        Never decreasing, from 0.
    names : ndarray of object, shape (n_markets,)
    """

    design: Design
    rows: Ints
    market: Ints
    share: Floats
    stratum: Ints
    names: NDArray[np.object_]

    @classmethod
    def of(cls, design: Design, *, what: str, drawn: bool = True) -> Assigned:
        """Read a design whose shares were drawn; with ``drawn=False`` also one whose shares were not.

        Raises
        ------
        DesignRefused
            When they were not, when the design was matched, or when units of one market have different
            shares or strata.
        """
        _accept(design, what=what, drawn=drawn)
        units = design.units
        could = _eligible(units)
        kept = np.flatnonzero(could)
        label, names = pd.factorize(units[MARKET].to_numpy(dtype=object)[kept])
        share = _of_market(units[SATURATION].to_numpy(dtype=float)[kept], label, what, "share")
        told = units[STRATUM].notna().all()
        block = pd.factorize(units[STRATUM].to_numpy(dtype=object)[kept])[0] if told else 0 * label
        stratum = _of_market(block.astype(float), label, what, "stratum").astype(np.int64)
        order, ranked = _in_own_order(design, kept, label, stratum)
        rank = np.empty(order.size, dtype=np.int64)
        rank[order] = np.arange(order.size)
        inside = _within(design, kept, rank[label])
        return cls(
            design=design,
            rows=kept[inside],
            market=rank[label][inside],
            share=share[order],
            stratum=ranked[order],
            names=np.asarray(names, dtype=object)[order],
        )

    @property
    def n_markets(self) -> int:
        """Number of markets."""
        return int(self.share.size)

    @property
    def size(self) -> Ints:
        """Eligible units of each market."""
        return np.bincount(self.market, minlength=self.n_markets)

    @property
    def first(self) -> Ints:
        """First row of each market."""
        return np.searchsorted(self.market, np.arange(self.n_markets)).astype(np.int64)

    @property
    def treated(self) -> Bools:
        """Whether each was assigned."""
        return np.asarray(self.design.units[TREATED].to_numpy()[self.rows], dtype=np.bool_)

    @property
    def shares(self) -> Floats:
        """Positive shares, increasing."""
        return np.unique(self.share[self.share > 0])

    @property
    def covariates(self) -> Floats:
        """Covariates of each, shape (n_eligible, k)."""
        values = self.design.units[list(self.design.covariates)].to_numpy(dtype=float)
        return np.asarray(values[self.rows])

    @property
    def coded(self) -> Ints:
        """Share of each market as a number from 0."""
        return np.unique(self.share, return_inverse=True)[1].astype(np.int64)

    @property
    def n_assignments(self) -> int:
        """Orders of shares among markets that were possible."""
        return number_of_assignments(self.coded, self.stratum)

    def arms(self) -> Bools:
        """Whether each positive share has some assigned, and some not, shape (n_shares, 2).

        By design: all are assigned at a share of one, and both arms are there below.
        """
        shares = self.shares
        return np.column_stack([shares > 0, shares < 1])

    def markets_at(self) -> Ints:
        """Number of markets at each positive share."""
        return np.array([(self.share == p).sum() for p in self.shares], dtype=np.int64)

    def orders(self, draws: int, rng: np.random.Generator) -> Floats:
        """Orders of shares at random, shape (draws, n_markets)."""
        return shares_redrawn(self.share, self.stratum, draws=draws, rng=rng)

    def weight(self, month: int) -> Floats:
        """What each counts for in one month; 0 without an outcome."""
        design = self.design
        whole = design.units[WEIGHT].to_numpy(dtype=float) * design.outcomes.counted(month)
        return np.asarray(whole[self.rows])

    def observed(self, columns: Floats) -> Floats:
        """Sums over the assigned of each market, shape (1, n_markets, q)."""
        mine = columns * self.treated[:, None]
        return sums_by_number(mine, self.market, n_clusters=self.n_markets)[None]

    def redrawn(
        self, columns: Floats, share: Floats, *, numbers: Numbers, rng: np.random.Generator
    ) -> Floats:
        """Sums over persons drawn again at each market's share, shape (draws, n_markets, q).

        The first column is that of weights: where all weigh one, its sum is their number.
        """
        number = numbers_redrawn(share, self.size, rule=numbers, rng=rng)
        if not (columns[:, 0] == 1).all():
            return sums_over_drawn(columns, self.first, number, rng=rng)
        rest = sums_over_drawn(columns[:, 1:], self.first, number, rng=rng)
        return np.concatenate([number[..., None].astype(float), rest], axis=2)

    def under(self, share: Floats, numbers: Numbers, rng: np.random.Generator) -> Design:
        """The design had these shares been drawn, and persons again within."""
        units, design = self.design.units, self.design
        number = numbers_redrawn(share[None], self.size, rule=numbers, rng=rng)[0]
        order = np.lexsort((rng.random(self.rows.size), self.market))
        place = np.arange(self.rows.size) - self.first[self.market]
        drawn = np.zeros(len(units), dtype=np.bool_)
        drawn[self.rows[order]] = place < number[self.market]
        told = dict(zip(self.names, share, strict=True))
        now = units[MARKET].map(told).to_numpy(dtype=float)
        units = units.assign(**{TREATED: drawn, SATURATION: now})
        markets = design.markets
        if markets is not None:
            written = {str(name): p for name, p in told.items()}
            table = markets.table.assign(saturation=markets.table[MARKET].map(written))
            markets = replace(markets, table=table)
        return replace(design, units=units, markets=markets, seal=None)


def _accept(design: Design, *, what: str, drawn: bool) -> None:
    share = Supply.DRAWN_SATURATION if drawn else Supply.SATURATION
    missing = {Supply.MARKETS, share} - design.supplies
    if missing:
        raise DesignRefused(
            what=what,
            needed="a design in which the share of each market was drawn at random",
            found="one that supplies " + (", ".join(sorted(design.supplies)) or "none of these"),
            remedy="name market= and saturation=, with randomised=True if shares really were drawn",
        )
    if Supply.WEIGHTS in design.supplies:
        raise DesignRefused(
            what=what,
            needed="the design before its comparisons were chosen",
            found="a matched or weighted one",
            remedy="start from the unmatched design",
        )


def _eligible(units: pd.DataFrame) -> Bools:
    if ELIGIBLE not in units:
        return np.ones(len(units), dtype=np.bool_)
    return np.asarray(units[ELIGIBLE].to_numpy(), dtype=np.bool_)


def _of_market(values: Floats, market: NDArray[np.intp], what: str, name: str) -> Floats:
    """One value per market, refused where units of one differ."""
    own = np.zeros(int(market.max()) + 1)
    own[market] = values
    if not np.array_equal(own[market], values):
        raise DesignRefused(
            what=what,
            needed=f"one {name} for all units of a market",
            found="markets with several",
            remedy=f"give the {name} as it was when markets were drawn",
        )
    return own


def _in_own_order(
    design: Design, kept: Ints, label: NDArray[np.intp], stratum: Ints
) -> tuple[Ints, Ints]:
    """Markets by stratum, both by what they hold; and each market's stratum, numbered in that order."""
    held = np.nan_to_num(design.outcomes.values[kept]).sum(axis=1)
    n = stratum.size
    sums, size = np.bincount(label, weights=held, minlength=n), np.bincount(label, minlength=n)
    blocks = int(stratum.max()) + 1
    of_block = [np.bincount(stratum, weights=v, minlength=blocks) for v in (size, sums)]
    place = np.empty(blocks, dtype=np.int64)
    place[np.lexsort(of_block)] = np.arange(blocks)
    ranked = place[stratum]
    return np.lexsort((size, sums, ranked)).astype(np.int64), ranked


def _within(design: Design, kept: Ints, market: Ints) -> Ints:
    """Units by market, and within by what they hold: ties are alike in everything that is read."""
    units = design.units
    keys = [units[name].to_numpy(dtype=float)[kept] for name in (*design.covariates, WEIGHT)]
    keys += list(np.nan_to_num(design.outcomes.values[kept], nan=np.inf).T)
    return np.lexsort((*keys, market)).astype(np.int64)
