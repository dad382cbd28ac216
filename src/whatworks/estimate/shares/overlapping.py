"""Who could have met which share of competitors assigned, had the draw gone otherwise: read off a design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.design.markets.shares import Shares
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, DisplacementRefused
from whatworks.stats.displacement.exposure_law import (
    CANNOT,
    Exposure,
    ExposureLaw,
    classes,
    drawn_shares,
    exposure_law,
    met,
)
from whatworks.vocabulary import ELIGIBLE, TREATED, WEIGHT, Unidentified

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST_MARKETS: Final = 3
"""Markets in which an exposure is seen, below which it is not told."""
THIRDS: Final = (1 / 3, 2 / 3)
"""Of the shares met under the draw, at which classes are cut when none are given."""
ARMS: Final = (1, 0, CANNOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Units by market, in the order in which chance takes markets, which labels do not decide.

    Parameters
    ----------
    market, arm : ndarray of int, shape (n_units,)
        Position of the market, and 1, 0 or `CANNOT`.
    place : ndarray of int, shape (n_markets,)
        Position of each market, these in alphabetical order.
    weight : ndarray of shape (n_units,)
    share : ndarray of shape (n_markets,)
    stratum : ndarray of int, shape (n_markets,)
    size : ndarray of shape (n_markets,)
        Eligible people.
    competition : csr_array of shape (n_markets, n_markets)
    source : str
    n_markets : int
    """

    market: Ints
    arm: Ints
    place: Ints
    weight: Floats
    share: Floats
    stratum: Ints
    size: Floats
    competition: csr_array
    source: str
    n_markets: int

    @classmethod
    def of(cls, design: Design, shares: Shares) -> People:
        """Read off a design.

        Raises
        ------
        DesignRefused
            When markets have several shares or strata, or competition does not name them.
        """
        n = shares.names.size
        if shares.saturation.size != n:
            raise DesignRefused(
                what="ExposureMapping",
                needed="one share a market",
                found=f"{shares.saturation.size} shares of {n} markets, by month of entry",
                remedy="keep one month of entry, or make a market of each market in each month",
            )
        units = design.units
        eligible = np.ones(len(units), dtype=bool)
        if ELIGIBLE in units:
            eligible = units[ELIGIBLE].to_numpy(dtype=bool)
        treated, weight = units[TREATED].to_numpy(), units[WEIGHT].to_numpy(dtype=float)
        arm = np.where(eligible, treated, CANNOT).astype(np.int64)
        size = np.bincount(shares.cell, weight * eligible, n).astype(float)
        if shares.stratum is not None and (shares.stratum < 0).any():
            raise DesignRefused(
                what="ExposureMapping",
                needed="markets each in one stratum",
                found=f"{int((shares.stratum < 0).sum())} in several",
                remedy="give the stratum within which shares were drawn",
            )
        some = np.bincount(shares.cell, weight * treated, n)
        y = np.nan_to_num(design.outcomes.values[:, -1])
        total = np.bincount(shares.cell, weight * y, n)
        order = np.lexsort((total, some, size, shares.saturation))
        place = np.empty(n, dtype=np.int64)
        place[order] = np.arange(n)
        stratum = np.zeros(n, dtype=np.int64)
        if shares.stratum is not None:
            first = np.unique(shares.stratum[order], return_index=True)[1]
            stratum = np.argsort(np.argsort(first))[shares.stratum[order]].astype(np.int64)
        matrix, source = _matrix(design, shares)
        return cls(
            market=place[shares.cell],
            arm=arm,
            place=place,
            weight=weight,
            share=shares.saturation[order],
            stratum=stratum,
            size=size[order],
            competition=csr_array(matrix[order][:, order]),
            source=source,
            n_markets=n,
        )


def _matrix(design: Design, shares: Shares) -> tuple[csr_array, str]:
    """Weights among the markets of the design, in their alphabetical order."""
    competition = None if design.markets is None else design.markets.competition
    if competition is None:
        raise DesignRefused(
            what="ExposureMapping",
            needed="who competes with whom across markets",
            found="no weights",
            remedy="say it, with whatworks.competing",
        )
    places = {name: at for at, name in enumerate(competition.names)}
    lacking = [name for name in shares.names if str(name) not in places]
    rows = np.array([places[str(name)] for name in shares.names if str(name) in places])
    chosen = csr_array(competition.weights)[rows][:, rows]
    outside = np.flatnonzero(np.asarray(chosen.sum(axis=1)).ravel() < 1 - 1e-6)
    if lacking or outside.size:
        raise DesignRefused(
            what="ExposureMapping",
            needed="competition among markets whose share is known",
            found=f"{len(lacking)} markets without weights, {outside.size} that meet competition from "
            "markets without a share",
            remedy="bring units of those markets, or weights among these ones only",
        )
    return csr_array(chosen), competition.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """Exposures seen, and the chances of each.

    Parameters
    ----------
    law : ExposureLaw
    at : ndarray of shape (n_exposures,)
        Share at which each stands: the mean met in its class under the draw; 0 for the pure control.
    level : ndarray of int, shape (n_markets,)
        Class of the share that each market did meet.
    kept : ndarray of bool, shape (n_markets,)
        Markets whose people could have been in all exposures.
    exact : bool
        Whether chances are exact.
    """

    law: ExposureLaw
    at: Floats
    level: Ints
    kept: Bools
    exact: bool


def exposed(
    people: People, *, cuts: Floats, near_zero: float, draws: int, rng: np.random.Generator
) -> Exposed:
    """Chances of the exposures seen, under the draw of the design.

    Raises
    ------
    DisplacementRefused
        ``NO_SATURATION_VARIATION`` where shares met fall in one class.
    DesignRefused
        When most markets had no chance of some exposure.
    """
    drawn = drawn_shares(people.share, people.stratum, draws=draws, rng=rng)
    shares_met = met(drawn.shares, people.competition)
    edges = cuts if cuts.size else _edges(shares_met, near_zero)
    own = met(people.share[None], people.competition)
    level = classes(own, edges, near_zero=near_zero)[0].astype(np.int64)
    law = exposure_law(
        drawn,
        people.competition,
        _seen(people, level),
        edges,
        near_zero=near_zero,
        size=people.size,
    )
    kept = np.asarray((law.chance > 0).all(axis=0))
    if kept.sum() < people.n_markets / 2:
        raise DesignRefused(
            what="ExposureMapping",
            needed="markets half of which or more could have met every class of share",
            found=f"{int(kept.sum())} of {people.n_markets}",
            remedy="widen the classes with cuts= and near_zero=",
        )
    at = [
        0.0 if e.level == 0 else round(float(shares_met[law.level == e.level].mean()), 6)
        for e in law.exposures
    ]
    return Exposed(law=law, at=np.array(at), level=level, kept=kept, exact=drawn.exact)


def _seen(people: People, level: Ints) -> tuple[Exposure, ...]:
    """Exposures seen in enough markets; of the pure control, only those not assigned."""
    found = []
    for k in range(int(level.max()) + 1):
        for arm in ARMS:
            here = (level[people.market] == k) & (people.arm == arm)
            enough = np.unique(people.market[here]).size >= FEWEST_MARKETS
            if enough and not (arm == 1 and k == 0):
                found.append(Exposure(arm=arm, level=k))
    if len({e.level for e in found}) < 2:
        raise DisplacementRefused(
            code=Unidentified.NO_SATURATION_VARIATION,
            what="ExposureMapping",
            needed=f"{FEWEST_MARKETS} markets in each of two classes of the share met",
            found=f"{len({e.level for e in found})} such class",
            remedy="choose other cuts, or bring markets whose competitors are treated less",
        )
    return tuple(found)


def _edges(shares_met: Floats, near_zero: float) -> Floats:
    """Cuts of shares met: between values where they are few, else at their thirds."""
    positive = shares_met[shares_met > near_zero + 1e-12]
    values = np.unique(np.round(positive, 9))
    if values.size <= len(THIRDS) + 1:
        return np.asarray((values[1:] + values[:-1]) / 2)
    told = np.unique(np.round(np.quantile(positive, THIRDS), 3))
    return np.asarray(told[(told > near_zero) & (told < 1)])
