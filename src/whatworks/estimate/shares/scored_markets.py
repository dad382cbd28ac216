"""Markets whose share under treatment nobody drew: what they are, the law of their shares, their means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.markets.identified import require_shares
from whatworks.design.markets.shares import Shares, by_cell
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, DisplacementRefused
from whatworks.estimate.shares.responses import ASSIGNED, INELIGIBLE, UNASSIGNED
from whatworks.ledger import Ledger
from whatworks.stats.displacement.common_support import explained, imbalance, nearest, supported
from whatworks.stats.displacement.dose_response import Scored, scored
from whatworks.stats.displacement.market_means import (
    MarketMeans,
    Sample,
    Within,
    by_market,
    entry,
    market_means,
    slopes_within,
)
from whatworks.stats.displacement.share_law import Law
from whatworks.vocabulary import ELIGIBLE, TIGHTNESS, TREATED, WEIGHT, Unidentified

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST_MARKETS: Final = 40
FEWEST_AT_A_SHARE: Final = 5
"""Markets without anyone treated, or treated in full, for these to be a share of their own."""
LEAST_SUPPORT: Final = 1 / 3
"""Share of markets that must be like some market seen near a share."""
METHOD: Final = "SaturationScore"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredMarkets:
    """What is read of a design once for all months.

    Parameters
    ----------
    shares : Shares
    treated, eligible : ndarray of bool, shape (n_units,)
    weight : ndarray of shape (n_units,)
    covariates : ndarray of shape (n_units, k)
    size : ndarray of shape (n_cells,)
        Weight of the eligible of each cell: a market, or a market in a month of entry.
    regressors : ndarray of shape (n_cells, q)
        A constant, then what markets are.
    names : tuple of str
        Of the regressors but the constant.
    """

    shares: Shares
    treated: Bools
    eligible: Bools
    weight: Floats
    covariates: Floats
    size: Floats
    regressors: Floats
    names: tuple[str, ...]

    @classmethod
    def of(cls, design: Design) -> ScoredMarkets:
        """Read off a design.

        Raises
        ------
        DisplacementRefused
            ``TOO_FEW_MARKETS``, and as `require_shares`.
        DesignRefused
            When a market has nobody eligible, or a column of markets is known for some only.
        """
        timed = design.markets is not None and bool(
            np.isfinite(design.markets.table[TIGHTNESS].to_numpy(dtype=float)).any()
        )
        shares = require_shares(design, method=METHOD, pure_control=False, by_tightness=timed)
        if shares.names.size < FEWEST_MARKETS:
            raise DisplacementRefused(
                code=Unidentified.TOO_FEW_MARKETS,
                what=METHOD,
                needed=f"at least {FEWEST_MARKETS} markets whose share was not drawn",
                found=f"{shares.names.size}",
                remedy="bring further markets, or draw shares: methods for drawn shares do with fewer",
            )
        units = design.units
        eligible = np.ones(len(units), dtype=bool)
        if ELIGIBLE in units:
            eligible = units[ELIGIBLE].to_numpy(dtype=bool)
        weight = units[WEIGHT].to_numpy(dtype=float)
        size = np.bincount(shares.cell, weight * eligible, shares.saturation.size).astype(float)
        if not (size > 0).all():
            raise DesignRefused(
                what=METHOD,
                needed="someone in every market who could have been treated",
                found=f"{int((size == 0).sum())} markets without",
                remedy="leave those markets out before",
            )
        covariates = units[list(design.covariates)].to_numpy(dtype=float)
        means = by_market((weight * eligible)[:, None] * covariates, shares.cell, size.size)
        regressors, names = _of_markets(design, shares, means / size[:, None])
        return cls(
            shares=shares,
            treated=units[TREATED].to_numpy(),
            eligible=eligible,
            weight=weight,
            covariates=covariates,
            size=size,
            regressors=regressors,
            names=names,
        )


def _of_markets(design: Design, shares: Shares, means: Floats) -> tuple[Floats, tuple[str, ...]]:
    """A constant, and what markets are, each column that varies in its standard deviations."""
    n = shares.saturation.size
    named = list(zip(design.covariates, means.T, strict=True))
    if design.markets is not None:
        for name in (TIGHTNESS, *design.markets.moderators):
            found = by_cell(design, shares, name)
            if np.isfinite(found).any():
                named.append((name, found))
    unknown = [name for name, column in named if not np.isfinite(column).all()]
    if unknown:
        raise DesignRefused(
            what=f"{METHOD}: {unknown[0]!r} of markets",
            needed="a number for every market",
            found="markets without",
            remedy="complete the table of markets, or leave those markets out before",
        )
    told, names = [np.ones(n)], []
    for name, column in named:
        centred = column - column.mean()
        spread = float(np.sqrt(centred @ centred / n))
        if spread > 1e-10 * float(np.abs(column).max()):
            told.append(centred / spread)
            names.append(name)
    return np.column_stack(told), tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laws:
    """Laws of the share: strictly between, at (almost) zero, and at one.

    Parameters
    ----------
    inside : Scored
    none, full : Scored or None
        None where too few markets are there.
    at : ndarray of shape (n_at,)
        Shares at which responses are told, strictly between 0 and 1.
    count : ndarray of shape (n_cells,)
        What a cell counts for.
    overlap : DataFrame
        ``saturation, n_markets, supported, explained``.
    balance : DataFrame
        ``covariate, before, after``.
    """

    inside: Scored
    none: Scored | None
    full: Scored | None
    at: Floats
    count: Floats
    overlap: pd.DataFrame
    balance: pd.DataFrame

    def ledger(self, known: ScoredMarkets, ledger: Ledger) -> Ledger:
        """The ledger, and units of markets at a share that too few have."""
        told = [law.members for law in (self.inside, self.none, self.full) if law is not None]
        out = int((~np.any(told, axis=0))[known.shares.cell].sum())
        if not out:
            return ledger
        return ledger.add(
            "estimate",
            "shares",
            unit="units",
            before=known.weight.size,
            dropped={"share_of_few_markets": out},
        )


def laws_of_shares(
    known: ScoredMarkets, at: Floats, *, law: Law, near_zero: float, by_persons: bool
) -> Laws:
    """Fit laws of the share, and look whether markets alike are seen at different shares.

    Raises
    ------
    DisplacementRefused
        ``P_COLLINEAR`` where they are not.
    """
    p, columns = known.shares.saturation, known.regressors
    members = (p > near_zero) & (p < 1)
    inside = scored(p, columns, members, law=law)
    fewest = max(FEWEST_AT_A_SHARE, columns.shape[1] + 3)  # a regression on what markets are
    at_ends = [
        scored(p, columns, end, law=None) if end.sum() >= fewest else None
        for end in (p <= near_zero, p == 1)
    ]
    told = explained(inside)
    if not all(one is None or one.converged for one in (inside, *at_ends)):
        raise _no_overlap("a law of the share without a maximum", told)
    count = known.size if by_persons else np.ones(p.size)
    rows: list[tuple[float, int, float]] = []
    for one, where in zip((inside, *at_ends), (at, np.zeros(1), np.ones(1)), strict=True):
        if one is None:
            continue
        near = np.bincount(nearest(p, where)[one.members], minlength=where.size)
        alike = supported(one, where, weight=count)
        rows += [(float(t), int(n), float(s)) for t, n, s in zip(where, near, alike, strict=True)]
    worst = min(rows, key=lambda row: row[2])
    if worst[2] < LEAST_SUPPORT:
        raise _no_overlap(
            f"{worst[1]} markets near the share {worst[0]:g}, like {worst[2]:.0%} of all", told
        )
    before, after = imbalance(inside, weight=count)
    overlap = pd.DataFrame(sorted(rows), columns=["saturation", "n_markets", "supported"])
    return Laws(
        inside=inside,
        none=at_ends[0],
        full=at_ends[1],
        at=at,
        count=count,
        overlap=overlap.assign(explained=told),
        balance=pd.DataFrame({"covariate": known.names, "before": before, "after": after}),
    )


def _no_overlap(found: str, told: float) -> DisplacementRefused:
    return DisplacementRefused(
        code=Unidentified.P_COLLINEAR,
        what=f"{METHOD}: overlap of shares",
        needed=f"markets near each share that are like at least {LEAST_SUPPORT:.0%} of all",
        found=f"{found}; what markets are explains {told:.0%} of their shares",
        remedy="ask for fewer or other shares with at=, keep to kinds of markets seen at different "
        "shares, or draw the shares of the next wave",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmMeans:
    """Means of an arm by market at one month.

    Parameters
    ----------
    means : MarketMeans
    common : ndarray of shape (n_cells, 2 k)
        Influence of each cell on the slopes that markets share.
    units : ndarray of int, shape (n_cells,)
    least : float
        Smallest chance of the arm that anyone is in; NaN for those who have no choice.
    """

    means: MarketMeans
    common: Floats
    units: Ints
    least: float


def arm_means(
    known: ScoredMarkets, design: Design, month: int, *, within: Within
) -> dict[str, ArmMeans]:
    """First stage at one month: each arm that is seen."""
    y, weight = design.outcomes.at(month), known.weight * design.outcomes.counted(month)
    if not weight.any():
        return {}
    y = np.where(weight > 0, y, 0.0)
    middle = float(weight @ y / weight.sum())  # about it, outcomes lose no digits to what all have
    y = y - middle
    k = known.covariates.shape[1]
    sample = Sample(
        covariates=known.covariates,
        market=known.shares.cell,
        weight=weight * known.eligible,
        n_markets=known.size.size,
    )
    nil = np.zeros((sample.n_markets, k))
    chance = entry(sample, known.treated) if within != "regression" else None
    found: dict[str, ArmMeans] = {}
    for arm, rows in (
        (ASSIGNED, known.eligible & known.treated),
        (UNASSIGNED, known.eligible & ~known.treated),
        (INELIGIBLE, ~known.eligible),
    ):
        seen = rows & (weight > 0)
        if not seen.any():
            continue
        units = np.bincount(known.shares.cell[seen], minlength=sample.n_markets).astype(np.int64)
        if arm == INELIGIBLE:
            means = market_means(y, replace(sample, weight=weight * rows), in_arm=rows)
            common, least = np.hstack([nil, nil]), float("nan")
        else:
            slopes = slopes_within(y, sample, in_arm=rows) if within != "weighting" else None
            treated = arm == ASSIGNED
            means = market_means(
                y, sample, in_arm=rows, treated=treated, chance=chance, slopes=slopes
            )
            parts = (slopes, chance)
            common = np.hstack([nil if part is None else part.influence for part in parts])
            least = float("nan") if chance is None else chance.least
        means = replace(means, mean=means.mean + middle)
        found[arm] = ArmMeans(means=means, common=common, units=units, least=least)
    return found
