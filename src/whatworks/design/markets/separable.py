"""Whether shares vary by themselves, or with strata, covariates, tightness, or what the outcome was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.markets.shares import Shares, by_cell
from whatworks.errors import DisplacementRefused
from whatworks.stats.displacement.separated import association, unexplained
from whatworks.vocabulary import TIGHTNESS, Clock, Supply, Unidentified

if TYPE_CHECKING:
    from whatworks.design.record import Design

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DECIDED: Final = 0.01
"""p-value below which undrawn shares are held to follow the outcome of the month before entry."""


def own_variation(design: Design, shares: Shares, *, method: str, pure_control: bool) -> None:
    """Shares that strata, covariates of markets or tightness do not determine."""
    contrasts = [shares.saturation]
    if pure_control:
        contrasts.append((shares.saturation > 0).astype(float))
    for known in _of_markets(design, shares):
        # A column of its own for every cell determines anything.
        left = [unexplained(c, known.columns, stratum=known.stratum) for c in contrasts]
        if 0 in left:
            raise DisplacementRefused(
                code=Unidentified.P_COLLINEAR,
                what=method,
                needed="shares that vary among markets alike otherwise",
                found=f"shares determined by {known.name}",
                remedy="leave out what determines them where the draw did not depend on it, merge "
                "strata, or bring markets of other shares in the same strata",
            )
    tightness = _tightness(design, shares)
    drawn = Supply.DRAWN_SATURATION in design.supplies
    if tightness is not None and not drawn and _follows(shares.saturation, tightness):
        raise DisplacementRefused(
            code=Unidentified.P_COLLINEAR,
            what=method,
            needed="markets equally tight treated to different shares",
            found="shares that follow tightness from the first market to the last",
            remedy="bring markets where they part, or draw the shares of the next wave",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Something known of cells that may determine their share."""

    name: str
    columns: Floats
    stratum: Ints | None = None


def _of_markets(design: Design, shares: Shares) -> list[_Known]:
    """What is known of cells, by family, then all of it."""
    found: list[_Known] = []
    none = np.empty((shares.saturation.size, 0))
    strata = shares.stratum
    if strata is not None and (strata >= 0).all() and np.unique(strata).size > 1:
        found.append(_Known(name="strata", columns=none, stratum=strata))
    constant = _constant_covariates(design, shares)
    if constant.shape[1]:
        found.append(_Known(name="covariates of markets", columns=constant))
    tightness = _tightness(design, shares)
    if tightness is not None:
        found.append(_Known(name="tightness", columns=tightness[:, None]))
    if len(found) > 1:
        together = _Known(
            name=" and ".join(known.name for known in found),
            columns=np.hstack([known.columns for known in found]),
            stratum=found[0].stratum,
        )
        found.append(together)
    return found


def _constant_covariates(design: Design, shares: Shares) -> Floats:
    """Covariates that do not vary within any cell, by cell."""
    n_cells, columns = shares.saturation.size, []
    for name in design.covariates:
        values = design.units[name].to_numpy(dtype=float)
        of_cell = np.empty(n_cells)
        of_cell[shares.cell] = values
        if np.array_equal(of_cell[shares.cell], values) and np.ptp(of_cell) > 0:
            columns.append(of_cell)
    return np.column_stack(columns) if columns else np.empty((n_cells, 0))


def _tightness(design: Design, shares: Shares) -> Floats | None:
    """Tightness by cell, where it is known for all and varies."""
    if design.markets is None:
        return None
    values = by_cell(design, shares, TIGHTNESS)
    return values if np.isfinite(values).all() and np.ptp(values) > 0 else None


def _follows(share: Floats, tightness: Floats) -> bool:
    """Whether a market tighter than another is never treated to a lower share, or never to a higher."""
    order = np.lexsort((share, tightness))
    rising = np.all(np.diff(share[order]) >= 0)
    order = np.lexsort((-share, tightness))
    return bool(rising or np.all(np.diff(share[order]) <= 0))


def not_decided(design: Design, shares: Shares, method: str) -> None:
    """Undrawn shares that follow the outcome of the month before entry tell that outcome's course."""
    outcomes = design.outcomes
    before = [m for m in outcomes.months if m < 0]
    drawn = Supply.DRAWN_SATURATION in design.supplies
    if drawn or outcomes.clock is not Clock.ENTRY or not before:
        return
    values = outcomes.at(max(before))
    seen = ~np.isnan(values)
    n = np.bincount(shares.market[seen], minlength=shares.names.size)
    if not (n > 0).all():
        return
    past = np.bincount(shares.market[seen], values[seen], shares.names.size) / n
    held, stratum = _means_by_market(design, shares)
    found = association(shares.by_market, past, held, stratum=stratum)
    if found.p_value < DECIDED:
        raise DisplacementRefused(
            code=Unidentified.P_COLLINEAR,
            what=f"{method}: saturation decided by the outcome",
            needed="shares that do not depend on what the outcome was before",
            found=f"shares of {shares.names.size} markets that follow it in the month before entry "
            f"(p below {DECIDED:g}, given strata, covariates and tightness)",
            remedy="hold what decided the shares among the covariates, compare changes instead of levels "
            "(SpilloverDiD), or draw the shares of the next wave",
        )


def _means_by_market(design: Design, shares: Shares) -> tuple[Floats, Ints | None]:
    """Means of covariates and tightness of each market, and its stratum where it has one."""
    n_markets = shares.names.size
    size = np.bincount(shares.market, minlength=n_markets)
    columns = [
        np.bincount(shares.market, design.units[name].to_numpy(dtype=float), n_markets) / size
        for name in design.covariates
    ]
    tightness = _tightness(design, shares)
    if tightness is not None:
        months = np.bincount(shares.of_cell, minlength=n_markets)
        columns.append(np.bincount(shares.of_cell, tightness, n_markets) / months)
    held = np.column_stack(columns) if columns else np.empty((n_markets, 0))
    of_cell, stratum = shares.stratum, np.full(n_markets, -1)
    if of_cell is None or (of_cell < 0).any():
        return held, None
    stratum[shares.of_cell] = of_cell
    return held, stratum if np.array_equal(stratum[shares.of_cell], of_cell) else None
