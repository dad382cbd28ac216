"""Whether what others receive moves those who receive nothing: a test that needs no effect to be nil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, choice, expect
from whatworks.estimate.reassigned.two_stage import Assigned
from whatworks.stats.assignments import (
    every_assignment,
    mid_share,
    number_of_assignments,
    share_as_far,
)
from whatworks.stats.displacement.conditional import most_focal, slopes
from whatworks.stats.displacement.redraws import shares_redrawn
from whatworks.vocabulary import ELIGIBLE, MARKET, WEIGHT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOCAL: Final = ("eligible", "ineligible")
STATISTICS: Final = ("studentised", "raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpilloverTest:
    """What the untreated tell of the treatment of others.

    Parameters
    ----------
    month : int
    focal : str
    estimate : float
        Slope of focal outcomes on the share of their market, within strata: from nobody treated to
        everyone, in the outcome's unit.
    std_error : float
        Clustered by market.
    statistic : float
    p_value, p_greater, p_less : float
        Of no spillover, two-sided and of a rise or a fall. Exact: rejects at most as often as it says.
    p_mid : float
        Counting half of the assignments that tie with the one that happened: to be read where few
        are possible, and p-values far apart.
    n_focal, n_markets, n_set_aside : int
        Focal persons, their markets, and markets without any: where all are treated by design, or no
        one was left to be picked.
    n_short : int
        Markets with fewer untreated than the design leaves: in a sample that took them less often than
        the treated, the test is not exact any more.
    n_assignments, n_tried : int
    exact : bool
        Whether all orders of shares were tried.
    """

    month: int
    focal: str
    estimate: float
    std_error: float
    statistic: float
    p_value: float
    p_greater: float
    p_less: float
    p_mid: float
    n_focal: int
    n_markets: int
    n_set_aside: int
    n_short: int
    n_assignments: int
    n_tried: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Focal:
    """Focal persons as sums of their markets, markets in the order of their strata."""

    outcome: Floats
    mass: Floats
    share: Floats
    stratum: Ints
    n: int
    aside: int
    short: int


def spillover_test(
    design: Design,
    *,
    month: int | None = None,
    focal: Literal["eligible", "ineligible"] = "eligible",
    adjusted: bool = True,
    statistic: Literal["studentised", "raw"] = "studentised",
    draws: int = 9_999,
    rng: np.random.Generator | None = None,
) -> SpilloverTest:
    """Test that the share of their market leaves the untreated as they are.

    Parameters
    ----------
    design : Design
        Whose shares were drawn.
    month : int, optional
        By default the primary one of the question.
    focal : str
        ``"eligible"``: of each market, as many of the untreated, picked at random, as any share of its
        stratum would leave; ``"ineligible"``: all who compete and could not be treated.
    adjusted : bool
        Take covariates out of outcomes first, by least squares among focal persons.
    statistic : str
        ``"studentised"``: the slope over its standard error; ``"raw"``: the slope.
    draws : int
        Orders of shares drawn; where no more than that many are possible, all are tried.
    rng : Generator, optional
        By default seeded with 0. It also picks focal persons.

    Returns
    -------
    SpilloverTest

    Raises
    ------
    DesignRefused
        When shares were not drawn, or nobody stays untreated in two markets of one stratum whose shares
        differ.

    Notes
    -----
    The price of a test that holds whatever treatment does to the treated: where three in four may be
    treated, one in four of a pure-control market is read. Effects of assignment of any kind are tested
    with everyone by `whatworks.randomisation`.
    """
    expect(design, Design, what="spillover_test", remedy="give the design of a trial of shares")
    choice(focal, FOCAL, what="focal")
    choice(statistic, STATISTICS, what="statistic")
    chance = np.random.default_rng(0) if rng is None else rng
    at = design.question.primary if month is None else month
    drawn = Assigned.of(design, what="spillover_test")
    picked = _eligible(drawn, at, chance) if focal == "eligible" else _ineligible(drawn)
    read = _summed(drawn, picked, at, adjusted=adjusted)
    coded = np.unique(read.share, return_inverse=True)[1].astype(np.int64)
    possible = number_of_assignments(coded, read.stratum)
    if possible < 2:
        raise DesignRefused(
            what="spillover_test",
            needed="untreated persons in markets of one stratum whose shares differ",
            found=f"{read.n} in {read.share.size} markets, none of which could change shares",
            remedy="bring markets of other shares, or those who compete without being eligible",
        )
    exact = possible <= draws + 1
    if exact:
        names = np.unique(read.share)
        orders = names[np.array(list(every_assignment(coded, read.stratum)))]
    else:
        orders = shares_redrawn(read.share, read.stratum, draws=draws, rng=chance)
    fits = slopes(read.outcome, read.mass, read.stratum, np.vstack([read.share[None], orders]))
    error = np.where(fits.std_error > 0, fits.std_error, np.nan)
    values = fits.slope / error if statistic == "studentised" else fits.slope
    mine, others = float(values[0]), values[1:]
    return SpilloverTest(
        month=at,
        focal=focal,
        estimate=float(fits.slope[0]),
        std_error=float(error[0]),
        statistic=mine,
        p_value=share_as_far(mine, others, exact=exact),
        p_greater=share_as_far(mine, others, exact=exact, side="greater"),
        p_less=share_as_far(mine, others, exact=exact, side="less"),
        p_mid=mid_share(mine, others, exact=exact),
        n_focal=read.n,
        n_markets=int(read.share.size),
        n_set_aside=read.aside,
        n_short=read.short,
        n_assignments=possible,
        n_tried=int(others.size),
        exact=exact,
    )


@dataclass(frozen=True, slots=True)
class _Picked:
    """Units that are focal, the number of their market, and markets that were short of them."""

    units: Ints
    market: Ints
    short: int


def _eligible(drawn: Assigned, month: int, rng: np.random.Generator) -> _Picked:
    """Untreated eligible, as many in each market as its stratum's shares would leave."""
    kept = drawn.share < 1
    could = np.zeros(drawn.n_markets, dtype=np.int64)
    if kept.any():
        could[kept] = most_focal(drawn.size[kept], drawn.share[kept], drawn.stratum[kept])
    untreated = np.flatnonzero(~drawn.treated)
    market = drawn.market[untreated]
    order = np.lexsort((rng.random(untreated.size), market))
    there = np.bincount(market, minlength=drawn.n_markets)
    place = np.arange(untreated.size) - np.repeat(np.cumsum(there) - there, there)
    rows = untreated[order[place < could[market]]]
    rows = rows[drawn.weight(month)[rows] > 0]
    return _Picked(drawn.rows[rows], drawn.market[rows], int((there < could)[kept].sum()))


def _ineligible(drawn: Assigned) -> _Picked:
    """All who compete and could not be treated."""
    units = drawn.design.units
    if ELIGIBLE not in units or units[ELIGIBLE].all():
        raise DesignRefused(
            what="spillover_test",
            needed="persons who compete and could not be treated",
            found="none",
            remedy="name the column of who could be assigned, with eligible=; or read the untreated "
            "eligible, with focal='eligible'",
        )
    number = {name: k for k, name in enumerate(drawn.names)}
    others = np.flatnonzero(~units[ELIGIBLE].to_numpy(dtype=bool))
    market = units[MARKET].iloc[others].map(number)
    placed = market.notna().to_numpy()
    return _Picked(others[placed], market[placed].to_numpy(dtype=np.int64), 0)


def _summed(drawn: Assigned, picked: _Picked, month: int, *, adjusted: bool) -> _Focal:
    """Outcomes of focal persons by market, covariates taken out."""
    design = drawn.design
    whole = design.units[WEIGHT].to_numpy(dtype=float) * design.outcomes.counted(month)
    weight = whole[picked.units]
    y = np.where(weight > 0, design.outcomes.at(month)[picked.units], 0.0)
    if adjusted and design.covariates:
        x = design.units[list(design.covariates)].to_numpy(dtype=float)[picked.units]
        y = _without(y, x, weight, drawn.stratum[picked.market])
    mass = np.bincount(picked.market, weights=weight, minlength=drawn.n_markets)
    total = np.bincount(picked.market, weights=weight * y, minlength=drawn.n_markets)
    kept = mass > 0
    return _Focal(
        outcome=np.asarray(total[kept], dtype=float),
        mass=np.asarray(mass[kept], dtype=float),
        share=drawn.share[kept],
        stratum=np.unique(drawn.stratum[kept], return_inverse=True)[1].astype(np.int64),
        n=int((weight > 0).sum()),
        aside=int((~kept).sum()),
        short=picked.short,
    )


def _without(y: Floats, x: Floats, weight: Floats, stratum: Ints) -> Floats:
    """Outcomes less what covariates say of them within strata; the shares are not looked at."""
    names = pd.factorize(stratum)[0]
    mass = np.bincount(names, weights=weight)
    root = np.sqrt(weight)
    parts = [
        column - (np.bincount(names, weights=weight * column) / np.where(mass > 0, mass, 1))[names]
        for column in (y, *x.T)
    ]
    centred = np.column_stack(parts[1:])
    slope = np.linalg.lstsq(centred * root[:, None], parts[0] * root, rcond=None)[0]
    return np.asarray(y - x @ slope)
