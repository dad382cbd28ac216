"""Markets read off a panel of pathways: who competes there each month, and the share under treatment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_, or_
from typing import Final

import ibis
import numpy as np
import pandas as pd
from ibis import _
from numpy.typing import NDArray

from whatworks.design.comparison import as_names
from whatworks.design.covariates import states_of
from whatworks.design.markets.attach import attached
from whatworks.design.markets.competition import BETWEEN
from whatworks.design.markets.record import (
    COUNTED,
    ELIGIBLE_SEEKERS,
    MARKET_COLUMNS,
    SEEKERS,
    Markets,
)
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, expect, suggestion
from whatworks.ledger import Ledger
from whatworks.months import to_index, to_label
from whatworks.panel.record import Panel
from whatworks.vocabulary import (
    ENTRY_MONTH,
    MARKET,
    MONTH,
    PERSON,
    SATURATION,
    TIGHTNESS,
    TREATED,
    Clock,
    Kind,
    state_column,
)

Floats = NDArray[np.float64]

_SEEN: Final = "seen"
_COUNTED: Final = ("before", "not_seen", "not_seeking", "missing_market")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is read of each person and month.

    Parameters
    ----------
    markets : tuple of str
        Columns of the panel, or attributes of persons, that make a market together.
    seekers, eligible : tuple of str
        States of those who compete (one of them), and of those who could be treated (all of them).
    treatment : str
        Column of the state of those under treatment.
    months : tuple of int
        Months of entry.
    as_of : int or None
        Month whose tightness is read; None for the month before entry.
    """

    markets: tuple[str, ...]
    seekers: tuple[str, ...]
    eligible: tuple[str, ...]
    treatment: str
    months: tuple[int, ...]
    as_of: int | None


def expose(
    design: Design,
    panel: Panel,
    *,
    markets: Sequence[str],
    seekers: Sequence[str] = (Kind.JOBLESSNESS,),
    eligible: Sequence[str] | None = None,
    tightness_as_of: str | None = None,
) -> Design:
    """The design with its markets, and the share of each under treatment, counted in the whole panel.

    The pool of a market in a month of entry is everyone in one of the states ``seekers`` the month
    before, wherever they were then. Its share is that of the eligible of the pool who are under the
    question's treatment in the month itself, newly or since long. Nobody drew it: see `Supply.SATURATION`.

    Parameters
    ----------
    design : Design
        Made from this panel by `compare` or `choose`.
    panel : Panel
    markets : sequence of str
        What makes a market: columns of the panel as they stand the month before entry (``"zone"``), or
        attributes of persons (``"occupation"``), crossed.
    seekers : sequence of str
        States of those who compete for jobs there; one is enough.
    eligible : sequence of str, optional
        States of those of them who could be treated, all at once; by default the question's.
    tightness_as_of : str, optional
        ``YYYY-MM``: month whose tightness holds for all. By default that of the month before each entry,
        which the treatment of others may have moved.

    Returns
    -------
    Design
        ``units`` have their ``market`` and its ``saturation``; ``markets`` the counts by month. Small
        markets keep their counts: they are for methods, and are not to be printed.

    Raises
    ------
    OptionError
        For a column or a state the panel lacks.
    DesignRefused
        For a rollout, or when units have no market the month before entry, or none with a pool.
    """
    expect(design, Design, what="expose", remedy="make one with whatworks.compare")
    expect(panel, Panel, what="expose", remedy="make one with whatworks.expand")
    asked = _asked(design, panel, markets, seekers, eligible, tightness_as_of)
    rows = _rows(panel, asked)
    label = _labels_of_units(design, rows, asked)
    table, steps = _pools(rows, asked)
    if asked.as_of is not None:
        table = _tight_as_of(panel, asked, table)
    found = Markets(
        table=table,
        tightness_before=_before(panel, asked) if table[TIGHTNESS].notna().any() else None,
        competition=None if design.markets is None else design.markets.competition,
        shares_from=COUNTED,
    )
    named = pd.Series(label, dtype=object, index=design.units.index)
    unknown = np.full(label.size, np.nan)
    units = design.units.assign(**{MARKET: named}).assign(**{SATURATION: unknown})
    placed = replace(design, units=units, ledger=design.ledger + steps)
    return attached(placed, found, fill=True)


def leave_one_out(design: Design) -> Floats:
    """Share under treatment among the other eligible of each unit's market, shape (n_units,).

    Units are taken to be among the eligible of the pool, as those of a question that asks for the state
    of seekers are. NaN where a unit is alone, or where its market was not counted.
    """
    if design.markets is None:
        raise DesignRefused(
            what="leave_one_out",
            needed="a design with its markets counted",
            found="none",
            remedy="count them with whatworks.expose",
        )
    units = design.units
    table = design.markets.table.set_index([MARKET, MONTH])
    keys = pd.MultiIndex.from_arrays([units[MARKET], units[ENTRY_MONTH]])
    counts = table[[ELIGIBLE_SEEKERS, TREATED]].reindex(keys).to_numpy(dtype=float)
    others = counts[:, 0] - 1
    under = counts[:, 1] - units[TREATED].to_numpy(dtype=float)
    return np.asarray(np.divide(under, others, out=np.full(others.size, np.nan), where=others > 0))


def _asked(
    design: Design,
    panel: Panel,
    markets: Sequence[str],
    seekers: Sequence[str],
    eligible: Sequence[str] | None,
    tightness_as_of: str | None,
) -> _Asked:
    """What to read, checked against what the panel holds."""
    if design.history is None or design.outcomes.clock is Clock.CALENDAR:
        raise DesignRefused(
            what="expose",
            needed="a design by month of entry, made from a panel",
            found="a rollout" if design.outcomes.clock is Clock.CALENDAR else "one of a table",
            remedy="use whatworks.compare; for a table, whatworks.with_markets",
        )
    columns, states = as_names(markets, what="markets"), states_of(panel)
    known = tuple(c for c in panel.table.columns if c not in (PERSON, MONTH))
    _among("markets", columns, (*known, *panel.attributes))
    if not columns:
        raise OptionError(
            what="markets",
            needed="at least one column",
            found="none",
            remedy="write for instance markets=['zone']",
        )
    looking = as_names(seekers, what="seekers")
    could = design.question.eligible if eligible is None else as_names(eligible, what="eligible")
    _among("seekers", looking, states)
    _among("eligible", could, states)
    treatment = state_column(Kind.ACCOMPANIMENT, design.question.treatment)
    _among("treatment", (treatment,), states)
    if tightness_as_of is not None:
        _among("tightness_as_of", (TIGHTNESS,), known)
    as_of = None if tightness_as_of is None else to_index(tightness_as_of, what="tightness_as_of")
    if as_of is not None and not panel.first <= as_of < panel.last:
        raise OptionError(
            what="tightness_as_of",
            needed=f"a month from {to_label(panel.first)}, before {to_label(panel.last)}",
            found=to_label(as_of),
            remedy="choose a month of the panel, before anyone was treated",
        )
    months = np.unique(design.units[ENTRY_MONTH].to_numpy())
    return _Asked(
        markets=columns,
        seekers=looking,
        eligible=could,
        treatment=treatment,
        months=tuple(int(m) for m in months),
        as_of=as_of,
    )


def _among(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise OptionError(
                what=what,
                needed="columns and states that the panel holds",
                found=repr(name),
                remedy=suggestion(name, known) or "map it in the sources file",
            )


def _rows(panel: Panel, asked: _Asked) -> ibis.Table:
    """Per person and month of entry: where they were and what they were the month before."""
    table = panel.table.filter(_[MONTH].between(asked.months[0] - 1, asked.months[-1]))
    of_persons = [n for n in asked.markets if n not in panel.table.columns]
    if of_persons:
        people = panel.persons.select(PERSON, *of_persons)
        table = table.left_join(people, PERSON).select(table, *(people[n] for n in of_persons))
    seeking = reduce(or_, [table[s] > 0 for s in asked.seekers])
    could = reduce(and_, [ibis.coalesce(table[s] > 0, False) for s in asked.eligible], _true())
    month = table.select(
        PERSON,
        MONTH,
        seeking=seeking.cast("int32"),
        could=could.cast("int32"),
        under=ibis.coalesce(table[asked.treatment] > 0, False).cast("int32"),
        tight=table[TIGHTNESS] if TIGHTNESS in table.columns else ibis.null("float64"),
        **{f"m{k}": table[name].cast("string") for k, name in enumerate(asked.markets)},
    )
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    told = ("seeking", "could", "tight", *(f"m{k}" for k in range(len(asked.markets))))
    before = month.select(PERSON, MONTH, "under", **{n: month[n].lag(1).over(order) for n in told})
    return before.filter(before[MONTH].isin(list(asked.months)))


def _true() -> ibis.BooleanValue:
    return ibis.literal(True)  # noqa: FBT003 - the neutral element of a chain of ands


def _parts(asked: _Asked) -> list[str]:
    return [f"m{k}" for k in range(len(asked.markets))]


def _named(parts: pd.DataFrame, asked: _Asked) -> NDArray[np.object_]:
    """Name of each market: its parts joined; None where one is not known."""
    columns = [parts[name] for name in _parts(asked)]
    known = np.all([column.notna().to_numpy() for column in columns], axis=0)
    joined = reduce(lambda left, right: left + BETWEEN + right, (c.astype(str) for c in columns))
    found: NDArray[np.object_] = joined.to_numpy(dtype=object, copy=True)
    found[~known] = None
    return found


def _labels_of_units(design: Design, rows: ibis.Table, asked: _Asked) -> NDArray[np.object_]:
    """Market of each unit the month before its entry."""
    keys = [PERSON, ENTRY_MONTH]
    wanted = design.units[keys].drop_duplicates().rename(columns={ENTRY_MONTH: MONTH})
    found = (
        ibis.memtable(wanted)
        .inner_join(rows, [PERSON, MONTH])
        .select(PERSON, MONTH, *_parts(asked))
    )
    told = found.execute()
    told[MARKET] = _named(told, asked)
    by_unit = told.set_index([PERSON, MONTH])[MARKET]
    index = pd.MultiIndex.from_frame(design.units[keys])
    label: NDArray[np.object_] = by_unit.reindex(index).to_numpy(dtype=object)
    lacking = int(pd.isna(label).sum())
    if lacking:
        raise DesignRefused(
            what="expose",
            needed="a market for every unit, the month before entry",
            found=f"{lacking} of {label.size} units without",
            remedy="name columns known for all, or ask for one of them among the question's covariates, "
            "which leaves out and counts those of whom it is not known",
        )
    return label


def _pools(rows: ibis.Table, asked: _Asked) -> tuple[pd.DataFrame, Ledger]:
    """Counts by market and month, and what was left out of them."""
    placed = reduce(and_, [rows[name].notnull() for name in _parts(asked)])
    seen, seeking = rows["seeking"].notnull(), ibis.coalesce(rows["seeking"] > 0, False)
    kinds = rows.mutate(seen=seen, looks=seeking, placed=placed)
    counted = kinds.aggregate(
        before=kinds.count(),
        not_seen=(~kinds.seen).cast("int64").sum(),
        not_seeking=(kinds.seen & ~kinds.looks).cast("int64").sum(),
        missing_market=(kinds.looks & ~kinds.placed).cast("int64").sum(),
    ).execute()
    numbers = {name: int(counted[name].iloc[0] or 0) for name in _COUNTED}
    pool = kinds.filter(kinds.looks & kinds.placed)
    sums = (
        pool.group_by([MONTH, *_parts(asked)])
        .aggregate(
            **{
                SEEKERS: pool.count(),
                ELIGIBLE_SEEKERS: pool.could.sum(),
                TREATED: (pool.could * pool.under).sum(),
                TIGHTNESS: pool.tight.mean(),
            }
        )
        .execute()
    )
    counts = {n: sums[n].to_numpy(dtype=float) for n in (SEEKERS, ELIGIBLE_SEEKERS, TREATED)}
    share = np.divide(
        counts[TREATED],
        counts[ELIGIBLE_SEEKERS],
        out=np.full(len(sums), np.nan),
        where=counts[ELIGIBLE_SEEKERS] > 0,
    )
    table = pd.DataFrame(
        {
            MARKET: pd.Series(_named(sums, asked), dtype=object),
            MONTH: sums[MONTH].to_numpy(dtype=np.int64),
            **counts,
            SATURATION: share,
            TIGHTNESS: sums[TIGHTNESS].to_numpy(dtype=float, na_value=np.nan),
        }
    )
    before = numbers.pop("before")
    ledger = Ledger().add("design", "pools", unit="person_months", before=before, dropped=numbers)
    ordered = table.sort_values([MARKET, MONTH], kind="stable", ignore_index=True)
    return ordered[list(MARKET_COLUMNS)], ledger


def _tight_as_of(panel: Panel, asked: _Asked, table: pd.DataFrame) -> pd.DataFrame:
    """Tightness of one month for all: the mean over those who sought a job there then."""
    then = replace(asked, months=((asked.as_of or 0) + 1,), as_of=None)
    pool, _ledger = _pools(_rows(panel, then), then)
    told = pool.set_index(MARKET)[TIGHTNESS]
    return table.assign(**{TIGHTNESS: told.reindex(table[MARKET]).to_numpy()})


def _before(panel: Panel, asked: _Asked) -> bool:
    """Whether nobody had been under the treatment when tightness was measured."""
    last = asked.months[-1] - 1 if asked.as_of is None else asked.as_of
    under = panel.table.filter((_[asked.treatment] > 0) & (_[MONTH] <= last))
    return int(under.count().execute()) == 0
