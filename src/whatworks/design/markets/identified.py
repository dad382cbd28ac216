"""The one door of methods on displacement: whether shares of markets can tell what others lost.

Every refusal is typed (`whatworks.vocabulary.Unidentified`), says what was found in counts of markets,
and what would lift it. What weakens an answer without forbidding it (cells of one arm, too few markets
for p-values) is told by the `Shares` the door returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.markets.separable import not_decided, own_variation
from whatworks.design.markets.shares import FEWEST_MARKETS, Shares, read_shares
from whatworks.errors import DesignRefused, DisplacementRefused
from whatworks.vocabulary import MARKET, TIGHTNESS, TREATED, Supply, Unidentified

if TYPE_CHECKING:
    from whatworks.design.record import Design

Floats = NDArray[np.float64]

LEAK: Final = 0.25
"""Share of hires across borders above which a market is not where its seekers compete."""
_DECIMALS: Final = 6


def require_shares(
    design: Design,
    *,
    method: str,
    pure_control: bool = True,
    fewest: int = FEWEST_MARKETS,
    by_tightness: bool = False,
    across: bool = False,
) -> Shares:
    """Shares of the markets of a design, when they can answer; else a typed refusal.

    Parameters
    ----------
    design : Design
    method : str
        Who asks, for the message.
    pure_control : bool
        Markets in which nobody is under treatment are needed: for spillovers, totals and net effects.
        Direct effects and slopes do without.
    fewest : int
        Markets needed on either side: without and with anyone under treatment; or, where the pure
        control is not needed and there is none, of the most even split by share.
    by_tightness : bool
        The method tells effects apart by tightness.
    across : bool
        The method reads competition across markets.

    Returns
    -------
    Shares
        ``one_armed`` lists the cells of one arm; ``p_values`` is False with fewer than six markets on a
        side, where randomisation alone gives a probability.

    Raises
    ------
    DisplacementRefused
        ``ONE_MARKET``, ``NO_SATURATION_VARIATION``, ``NO_PURE_CONTROL``, ``TOO_FEW_MARKETS``,
        ``SATURATION_FROM_SAMPLE``, ``P_COLLINEAR`` (also when undrawn shares follow the outcome of the
        month before entry), ``POST_TREATMENT_TIGHTNESS``, ``BOUNDARY_LEAK``.
    DesignRefused
        When shares are missing, outside 0 to 1, several in a market, or contradicted by who is assigned.
    """
    _placed(design, method)
    shares, several = read_shares(design)
    _as_designed(design, shares, method=method, several=several)
    _varying(shares, method=method, pure_control=pure_control)
    if min(shares.sides) < fewest:
        raise _few(shares, method=method, fewest=fewest)
    _not_of_sample(design, shares, method)
    own_variation(design, shares, method=method, pure_control=pure_control)
    not_decided(design, shares, method)
    if by_tightness:
        _tightness_before(design, method)
    _closed(design, method, across=across)
    return shares


def why_not(
    design: Design,
    *,
    method: str,
    pure_control: bool = True,
    by_tightness: bool = False,
    across: bool = False,
) -> DesignRefused | None:
    """The refusal that `require_shares` would raise, or None when shares can answer."""
    try:
        require_shares(
            design,
            method=method,
            pure_control=pure_control,
            by_tightness=by_tightness,
            across=across,
        )
    except DesignRefused as refusal:
        return refusal
    return None


def _placed(design: Design, method: str) -> None:
    """Every unit in a market, of several."""
    unplaced = int(design.units[MARKET].isna().sum())
    n_units = len(design.units)
    if 0 < unplaced < n_units:
        raise DesignRefused(
            what=method,
            needed="a market for every unit",
            found=f"{unplaced} of {n_units} units without",
            remedy="say where they compete, or leave those units out before",
        )
    n_markets = 0 if unplaced else int(design.units[MARKET].nunique())
    if n_markets < 2:
        raise DisplacementRefused(
            code=Unidentified.ONE_MARKET,
            what=method,
            needed="several markets, treated to different shares",
            found="no market named" if unplaced else "one market",
            remedy="bring further territories, some of them without anyone treated; in one market "
            "only the break-even displacement can be told",
        )


def _as_designed(design: Design, shares: Shares, *, method: str, several: int) -> None:
    """Refuse shares that are not shares, and assigned units where the design assigned nobody."""
    unknown = int(np.isnan(shares.saturation).sum())
    if unknown == shares.saturation.size:
        raise DisplacementRefused(
            code=Unidentified.NO_SATURATION_VARIATION,
            what=method,
            needed="the share of each market under treatment",
            found="no share of any market",
            remedy="name the column of the share drawn, with saturation=; or count it in whole files, "
            "with whatworks.expose",
        )
    if several:
        raise DesignRefused(
            what=method,
            needed="one saturation per market (and month of entry)",
            found=f"{several} markets with several",
            remedy="give the share the design drew for each market",
        )
    if unknown:
        raise DesignRefused(
            what=method,
            needed="the share of every market",
            found=f"{unknown} of {shares.saturation.size} without",
            remedy="complete them, or leave the units of those markets out before",
        )
    outside = int((~((shares.saturation >= 0) & (shares.saturation <= 1))).sum())
    if outside:
        raise DesignRefused(
            what=method,
            needed="saturations from 0 to 1",
            found=f"{outside} outside",
            remedy="divide percentages by 100",
        )
    treated = design.units[TREATED].to_numpy()
    stray = int((treated & (shares.saturation == 0)[shares.cell]).sum())
    if stray:
        raise DesignRefused(
            what=method,
            needed="nobody assigned where the share is zero",
            found=f"{stray} assigned units in such markets",
            remedy="use assignment, not take-up, as the treatment; correct the share of those markets",
        )
    barred = int((treated & ~shares.eligible).sum())
    if barred:
        raise DesignRefused(
            what=method,
            needed="nobody assigned among those who could not be",
            found=f"{barred} assigned units said not to be eligible",
            remedy="correct the column of eligible",
        )
    left = int((~treated & shares.eligible & (shares.saturation == 1)[shares.cell]).sum())
    if left and Supply.DRAWN_SATURATION in design.supplies:
        raise DesignRefused(
            what=method,
            needed="every eligible unit assigned where the share drawn is one",
            found=f"{left} unassigned units in such markets",
            remedy="use assignment, not take-up, as the treatment; say who could not be assigned with "
            "eligible=; correct the share of those markets",
        )


def _varying(shares: Shares, *, method: str, pure_control: bool) -> None:
    if shares.levels.size < 2:
        raise DisplacementRefused(
            code=Unidentified.NO_SATURATION_VARIATION,
            what=method,
            needed="markets treated to different shares",
            found=f"{shares.names.size} markets, all of one share",
            remedy="bring markets treated less, or not at all; the next wave can draw shares with "
            "the planning tools",
        )
    if pure_control and shares.levels[0] > 0:
        raise DisplacementRefused(
            code=Unidentified.NO_PURE_CONTROL,
            what=method,
            needed="markets in which nobody is under treatment",
            found=f"{shares.names.size} markets, all with some",
            remedy="bring pure-control markets: without them what others lose counts as a gain; "
            "direct effects and slopes by share can be told without",
        )


def _few(shares: Shares, *, method: str, fewest: int) -> DisplacementRefused:
    one, other = shares.sides
    none = shares.levels[0] == 0
    asked = (
        "markets without anyone assigned, and as many with"
        if none
        else "markets of low and high share"
    )
    found = (
        f"{one} without and {other} with" if none else f"{one} and {other} at the most even split"
    )
    return DisplacementRefused(
        code=Unidentified.TOO_FEW_MARKETS,
        what=method,
        needed=f"at least {fewest} {asked}",
        found=found,
        remedy="bring further markets; with six on either side p-values can be told, below that "
        "those of randomisation only",
    )


def _not_of_sample(design: Design, shares: Shares, method: str) -> None:
    """Shares drawn come in levels, each of several markets; those of a sample follow its every count."""
    said = design.markets is not None and design.markets.shares_from is not None
    inside = (shares.saturation > 0) & (shares.saturation < 1)
    size = shares.n_units.sum(axis=1)
    told = inside & (size > 0)
    if said or not told.any():
        return
    share = shares.saturation[told]
    counts = np.unique(share, return_counts=True)[1]
    if counts.min() >= FEWEST_MARKETS:
        return
    sample = shares.n_units[told, 1] / size[told]
    if not np.all(np.abs(sample - share) <= _rounding(share)):
        return
    raise DisplacementRefused(
        code=Unidentified.SATURATION_FROM_SAMPLE,
        what=method,
        needed="the share of each market by design, or counted in whole files",
        found=f"that of the rows themselves in all {int(told.sum())} markets treated in part",
        remedy="give the share that was drawn; or say where these come from, with "
        "whatworks.with_markets(..., shares_from='design', 'files' or 'sample'): a survey that draws "
        "its arms at different rates shows other shares than those that were assigned",
    )


def _rounding(share: Floats) -> float:
    """Half a unit of the last decimal the shares are written with, at most six."""
    for decimals in range(2, _DECIMALS + 1):
        if np.all(np.abs(np.round(share, decimals) - share) < 1e-12):
            return 0.5 * 10.0**-decimals + 1e-12
    return 1e-9


def _tightness_before(design: Design, method: str) -> None:
    markets = design.markets
    if markets is None or not np.isfinite(markets.table[TIGHTNESS].to_numpy(dtype=float)).any():
        raise DesignRefused(
            what=method,
            needed="the tightness of markets",
            found="none",
            remedy="give it with whatworks.with_markets(design, table, market=..., tightness=...)",
        )
    if markets.tightness_before is not True:
        said = "measured after" if markets.tightness_before is False else "nobody said when"
        raise DisplacementRefused(
            code=Unidentified.POST_TREATMENT_TIGHTNESS,
            what=method,
            needed="tightness measured before anyone was assigned",
            found=f"tightness, {said}",
            remedy="give that of the month before assignment, and say tightness_before=True: the "
            "treatment itself moves tightness",
        )


def _closed(design: Design, method: str, *, across: bool) -> None:
    crossing = np.nan if design.markets is None else design.markets.hired_across
    if crossing > LEAK and not across:
        raise DisplacementRefused(
            code=Unidentified.BOUNDARY_LEAK,
            what=method,
            needed=f"markets that keep at least {1 - LEAK:.0%} of their hires within their borders",
            found=f"{crossing:.0%} of hires across them",
            remedy="enlarge the markets, or say who competes across them with whatworks.competing and "
            "use a method that reads it",
        )
