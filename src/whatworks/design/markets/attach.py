"""What is known of the markets of a design, checked and attached to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.comparison import as_names
from whatworks.design.markets.competition import Competition
from whatworks.design.markets.reading import coded, named, numbers
from whatworks.design.markets.record import (
    BY_DESIGN,
    COUNTED,
    ELIGIBLE_SEEKERS,
    EVERY_MONTH,
    MARKET_COLUMNS,
    SEEKERS,
    SHARES_FROM,
    Markets,
)
from whatworks.design.markets.shares import by_cell, read_shares
from whatworks.design.record import Design
from whatworks.design.tables.table import SAME_SHARE, one_share_each, require
from whatworks.errors import DesignRefused, OptionError, choice, expect
from whatworks.months import to_index
from whatworks.vocabulary import (
    MARKET,
    MONTH,
    SATURATION,
    TIGHTNESS,
    DesignClass,
    Supply,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """What the numbers of a column may be."""

    low: float = 0.0
    high: float = np.inf


_BOUNDS: Final = {
    SEEKERS: _Bounds(),
    ELIGIBLE_SEEKERS: _Bounds(),
    SATURATION: _Bounds(high=1.0),
    TIGHTNESS: _Bounds(),
}


def with_markets(  # noqa: PLR0913 - each argument names the part one column plays
    design: Design,
    table: pd.DataFrame,
    *,
    market: str,
    month: str | None = None,
    seekers: str | None = None,
    eligible: str | None = None,
    saturation: str | None = None,
    tightness: str | None = None,
    tightness_before: bool | None = None,
    moderators: Sequence[str] = (),
    hired_across: float | None = None,
    shares_from: str | None = None,
) -> Design:
    """The design with what is known of its markets, besides its own units.

    Where markets were counted in a panel (`whatworks.expose`), their counts stay for what the table does
    not tell.

    Parameters
    ----------
    design : Design
        Whose units have a market.
    table : DataFrame
        One row per market, or per market and month of entry. Every market of the design must be there;
        others may be, and compete.
    market, month : str
        Columns; months are ``YYYY-MM``, or whole numbers as the design's.
    seekers, eligible : str, optional
        Columns: people who compete there, and of them those who could be treated.
    saturation : str, optional
        Column: share of the eligible under treatment, from 0 to 1. Fills that of the design, or must
        agree with it.
    tightness : str, optional
        Column: vacancies per seeker.
    tightness_before : bool, optional
        Whether it was measured before anyone was assigned.
    moderators : sequence of str
        Further columns that effects may differ by, declared now.
    hired_across : float, optional
        Share of hires that cross the borders of markets.
    shares_from : str, optional
        ``"design"``: shares were drawn; ``"files"``: counted over everyone in whole files;
        ``"sample"``: those of the sample, knowingly.

    Returns
    -------
    Design
        Its seal is lifted: seal it again.

    Raises
    ------
    OptionError
        For an unknown column, a market told twice in a month, numbers outside their bounds, more eligible
        than seekers, or shares other than the design's.
    DesignRefused
        When units have no market, or one that the table does not tell.
    """
    if shares_from is not None:
        choice(shares_from, SHARES_FROM, what="shares_from")
    if hired_across is not None and not 0 <= hired_across <= 1:
        raise _bad("hired_across", "a share from 0 to 1", str(hired_across))
    extra = as_names(moderators, what="moderators")
    told = {
        SEEKERS: seekers,
        ELIGIBLE_SEEKERS: eligible,
        SATURATION: saturation,
        TIGHTNESS: tightness,
    }
    read = _table(table, market=market, month=month, told=told, moderators=extra)
    made = Markets(
        table=read,
        moderators=extra,
        tightness_before=tightness_before,
        competition=None if design.markets is None else design.markets.competition,
        hired_across=np.nan if hired_across is None else float(hired_across),
        shares_from=shares_from,
    )
    if design.markets is not None and design.markets.shares_from == COUNTED:
        _refuse_absent(design, made)
        columns = [name for name, column in told.items() if column is not None]
        made = _completed(design.markets, made, [*columns, *extra])
    return attached(design, made, fill=saturation is not None)


def competing(design: Design, competition: Competition) -> Design:
    """The design with who competes with whom across its markets.

    Parameters
    ----------
    design : Design
        Whose units have a market.
    competition : Competition
        Of all these markets; of others too, which compete.

    Raises
    ------
    DesignRefused
        When units have no market, or one that the competition does not know.
    """
    expect(competition, Competition, what="competition", remedy="make one with Competition.by_...")
    names = _markets_of(design)
    absent = int((~np.isin(names, np.array(competition.names, dtype=object))).sum())
    if absent:
        raise DesignRefused(
            what="competition",
            needed="every market of the design",
            found=f"{absent} of {names.size} that it does not know",
            remedy="write the names of markets alike on both sides, or complete it",
        )
    markets = Markets(table=_bare(design)) if design.markets is None else design.markets
    return replace(
        design,
        markets=replace(markets, competition=competition),
        supplies=design.supplies | {Supply.MARKETS, Supply.COMPETITION},
        seal=None,
    )


def attached(design: Design, markets: Markets, *, fill: bool) -> Design:
    """The design with its markets, their shares in its units where ``fill``."""
    names, there = _refuse_absent(design, markets)
    empty = int((~np.isin(there, names)).sum())
    ledger = design.ledger.add(
        "design",
        "markets",
        unit="markets",
        before=there.size,
        dropped={"market_without_units": empty},
    )
    made = replace(
        design,
        markets=markets,
        ledger=ledger,
        supplies=design.supplies | {Supply.MARKETS},
        seal=None,
    )
    return _filled(made) if fill else made


def _refuse_absent(design: Design, markets: Markets) -> tuple[Texts, Texts]:
    """Names of the markets of the units, and of a table that must tell all of them."""
    names = _markets_of(design).astype(str)
    there = np.unique(markets.table[MARKET].to_numpy(dtype=object).astype(str))
    absent = int((~np.isin(names, there)).sum())
    if absent:
        raise DesignRefused(
            what="the table of markets",
            needed="every market of the design",
            found=f"{absent} of {names.size} that it does not tell",
            remedy="write the names of markets alike in both, or complete the table",
        )
    return names, there


def _completed(known: Markets, more: Markets, told: Sequence[str]) -> Markets:
    """What was counted of markets, and what a table tells besides, which comes first."""
    keys = [MARKET] if (more.table[MONTH] == EVERY_MONTH).all() else [MARKET, MONTH]
    counted = known.table.drop(columns=[name for name in told if name in known.table])
    both = counted.merge(more.table[[*keys, *told]], on=keys, how="left", validate="many_to_one")
    others = more.table[~more.table[MARKET].isin(counted[MARKET])]
    moderators = tuple(dict.fromkeys((*known.moderators, *more.moderators)))
    table = pd.concat([both, others], ignore_index=True)[[*MARKET_COLUMNS, *moderators]]
    return replace(
        more,
        table=table.sort_values([MARKET, MONTH], kind="stable", ignore_index=True),
        moderators=moderators,
        tightness_before=more.tightness_before if TIGHTNESS in told else known.tightness_before,
        shares_from=more.shares_from if SATURATION in told else known.shares_from,
    )


def _filled(design: Design) -> Design:
    """The share of each unit's market and month, in its units."""
    shares, _ = read_shares(design)
    share = by_cell(design, shares, SATURATION)
    lacking = int(np.isnan(share).sum())
    if lacking:
        raise DesignRefused(
            what="the table of markets",
            needed="the share of every market, in every month of entry",
            found=f"{lacking} of {share.size} without",
            remedy="complete the column of the share",
        )
    before = design.units[SATURATION].to_numpy(dtype=float)
    now = share[shares.cell]
    told = ~np.isnan(before)
    differ = int(np.unique(shares.cell[told & (np.abs(before - now) > SAME_SHARE)]).size)
    if differ:
        raise _bad("saturation", "the shares of the design", f"others in {differ} markets")
    source = None if design.markets is None else design.markets.shares_from
    drawn = source == BY_DESIGN and design.design_class is DesignClass.RANDOMISED
    return replace(
        design,
        units=design.units.assign(**{SATURATION: now}),
        supplies=design.supplies
        | {Supply.SATURATION}
        | ({Supply.DRAWN_SATURATION} if drawn else set()),
    )


def _table(
    table: pd.DataFrame,
    *,
    market: str,
    month: str | None,
    told: dict[str, str | None],
    moderators: tuple[str, ...],
) -> pd.DataFrame:
    """The table of markets, in our names, sorted."""
    names, place = named(table, market)
    read: dict[str, object] = {MARKET: np.array(names, dtype=object)[place]}
    read[MONTH] = np.full(len(table), EVERY_MONTH) if month is None else _months(table, month)
    for name in MARKET_COLUMNS[2:]:
        column = told.get(name)
        read[name] = np.full(len(table), np.nan)
        if column is not None:
            read[name] = _bounded(numbers(table, column), column, _BOUNDS[name])
    read[SATURATION] = one_share_each(np.asarray(read[SATURATION], dtype=float))
    require(table, moderators)
    taken = [name for name in moderators if name in MARKET_COLUMNS]
    if taken:
        raise _bad("moderators", "names other than those of markets", repr(taken[0]))
    for name in moderators:
        plain = pd.api.types.is_numeric_dtype(table[name])
        read[name] = numbers(table, name) if plain else _texts(table[name])
    made = pd.DataFrame(read).sort_values([MARKET, MONTH], kind="stable", ignore_index=True)
    twice = int(made.duplicated([MARKET, MONTH]).sum())
    if twice:
        raise _bad(
            "the table of markets",
            "one row per market" + ("" if month is None else " and month"),
            f"{twice} repeated",
        )
    over = int((made[ELIGIBLE_SEEKERS] > made[SEEKERS]).sum())
    if over:
        raise _bad("eligible", "at most the seekers of the market", f"more in {over} rows")
    # Names and categories stay objects, as the labels of units are.
    texts = [str(name) for name in made if not pd.api.types.is_numeric_dtype(made[name])]
    return made.astype(dict.fromkeys(texts, object))


def _months(table: pd.DataFrame, column: str) -> Ints:
    """Months as whole numbers, read from labels where they are texts."""
    require(table, (column,))
    if pd.api.types.is_numeric_dtype(table[column]):
        values = numbers(table, column)
        if not (values % 1 == 0).all():
            raise _bad(f"column {column!r}", "whole months on every row", "something else")
        return values.astype(np.int64)
    labels, place = named(table, column)
    return np.array([to_index(label, what=f"column {column!r}") for label in labels])[place]


def _bounded(values: Floats, column: str, bounds: _Bounds) -> Floats:
    """Numbers within their bounds, or not known."""
    outside = int(((values < bounds.low) | (values > bounds.high)).sum())
    if outside:
        needed = "not negative" if np.isinf(bounds.high) else f"from 0 to {bounds.high:g}"
        raise _bad(f"column {column!r}", f"numbers {needed}", f"{outside} rows outside")
    return values


def _texts(column: pd.Series) -> NDArray[np.object_]:
    return np.array([None if pd.isna(value) else str(value) for value in column], dtype=object)


def _markets_of(design: Design) -> NDArray[np.object_]:
    """Names of the markets of the units."""
    lacking = int(design.units[MARKET].isna().sum())
    if lacking:
        raise DesignRefused(
            what="markets",
            needed="a market for every unit",
            found=f"{lacking} of {len(design.units)} units without",
            remedy="name its column with Design.from_cross_section(..., market=), or read it off the "
            "panel with whatworks.expose",
        )
    return coded(design.units[MARKET])[0]


def _bare(design: Design) -> pd.DataFrame:
    """A table of markets that says nothing but their names, and the shares of the units."""
    shares, several = read_shares(design)
    single = not several and np.unique(shares.month).size == 1
    known = {name: np.full(shares.names.size, np.nan) for name in MARKET_COLUMNS[2:]}
    if single:
        known[SATURATION] = shares.saturation[np.argsort(shares.of_cell, kind="stable")]
    return pd.DataFrame(
        {
            MARKET: shares.names,
            MONTH: np.full(shares.names.size, EVERY_MONTH),
            **known,
        }
    )


def _bad(what: str, needed: str, found: str) -> OptionError:
    return OptionError(
        what=what, needed=needed, found=found, remedy="correct it; see whatworks.with_markets"
    )
