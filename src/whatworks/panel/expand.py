"""One verb, `expand`: stays become a row per person and month."""

from __future__ import annotations

from typing import Final

import ibis
from ibis import _

from whatworks.errors import OptionError
from whatworks.months import to_index
from whatworks.panel.record import Panel
from whatworks.panel.schemas import check_panel
from whatworks.sources.records import Coverage
from whatworks.spells.record import Spells
from whatworks.vocabulary import CODE, DAYS, END, KIND, MONTH, PERSON, START, state_column

_NUMBER: Final = "panel number"
"""A person's number in the making; no attribute can have this name."""


def expand(spells: Spells, *, first: str, last: str) -> Panel:
    """Lay spells out by person and month.

    Parameters
    ----------
    spells : Spells
        Reconciled stays.
    first, last : str
        Window, ``YYYY-MM``, both included.

    Returns
    -------
    Panel
        ``n_persons × n_months`` rows, held by the engine.

    Raises
    ------
    OptionError
        When the window ends before it starts.

    Notes
    -----
    A state holds in a month when a spell covers at least one of its days. A month outside the
    coverage of every source of a kind is null for that kind, not zero.
    """
    begin, stop = to_index(first), to_index(last)
    if stop < begin:
        raise OptionError(
            what="the panel's window",
            needed="a last month not before the first",
            found=f"{first} to {last}",
            remedy="exchange the two or correct one of them",
        )
    records = spells.records
    con = records.connection
    numbered = records.persons.mutate(
        **{_NUMBER: ibis.row_number().over(ibis.window(order_by=PERSON)).cast("int64")}
    )
    persons = con.create_table(
        ibis.util.gen_name("persons"),
        numbered.drop(PERSON).rename({PERSON: _NUMBER}).relocate(PERSON),
        temp=True,
    )
    keys = numbered.select(PERSON, _NUMBER)
    active = _active_months(spells, keys, begin=begin, stop=stop)
    table = con.create_table(
        ibis.util.gen_name("panel"),
        _grid(persons, active, spells, begin=begin, stop=stop),
        temp=True,
    )
    n_persons = int(persons.count().execute())
    n_spells = int(spells.table.count().execute())
    outside = n_spells - int(_inside(spells.table, begin=begin, stop=stop).count().execute())
    ledger = spells.ledger.add(
        "panel", "window", unit="spells", before=n_spells, dropped={"outside_window": outside}
    )
    return check_panel(
        Panel(
            connection=con,
            table=table,
            persons=persons,
            states=records.codes,
            attributes=records.attributes,
            first=begin,
            last=stop,
            n_persons=n_persons,
            coverage=records.coverage,
            operator_declared=records.operator_declared,
            mapping_hash=records.mapping_hash,
            ledger=ledger,
        )
    )


def _month_of(date: ibis.Value) -> ibis.Value:
    return (date.year() * 12 + date.month() - 1).cast("int32")


def _inside(spells: ibis.Table, *, begin: int, stop: int) -> ibis.Table:
    """Spells with at least one day in the window, their bounds as months clipped to it."""
    months = spells.mutate(
        from_month=ibis.greatest(_month_of(_[START]), begin),
        to_month=ibis.least(_month_of(_[END]), stop),
    )
    return months.filter(_.from_month <= _.to_month)


def _active_months(spells: Spells, keys: ibis.Table, *, begin: int, stop: int) -> ibis.Table:
    """One row per person and month in which anything was seen; a column per state."""
    inside = _inside(spells.table, begin=begin, stop=stop).join(keys, PERSON)
    long = inside.select(
        _NUMBER,
        KIND,
        CODE,
        DAYS,
        month=ibis.range(inside.from_month, inside.to_month + 1).unnest().cast("int32"),
    )
    columns = {}
    for kind, codes in spells.records.codes.items():
        of_kind = long[KIND] == kind
        columns[state_column(kind)] = of_kind.cast("int32").max()
        for code in codes:
            chosen = (of_kind & (long[CODE] == code)).ifelse(long[DAYS], 0)
            columns[state_column(kind, code)] = chosen.max().cast("int32")
    return long.group_by([_NUMBER, "month"]).aggregate(**columns)


def _covered(coverage: tuple[Coverage, ...], kind: str) -> ibis.Value:
    """Whether some source sees this kind in the month of the row."""
    seen: ibis.Value = ibis.literal(False)  # noqa: FBT003 - the start of a chain of ors
    for c in coverage:
        if c.kind == kind:
            seen = seen | _[MONTH].between(c.first, c.last)
    return seen


def _grid(
    persons: ibis.Table, active: ibis.Table, spells: Spells, *, begin: int, stop: int
) -> ibis.Table:
    """Every person and month; zero where nothing was seen, null where nobody looked."""
    every = persons.select(PERSON, month=ibis.range(begin, stop + 1).unnest().cast("int32"))
    joined = every.left_join(
        active, (every[PERSON] == active[_NUMBER]) & (every[MONTH] == active[MONTH])
    )
    columns: dict[str, ibis.Value] = {}
    for kind, codes in spells.records.codes.items():
        covered = _covered(spells.records.coverage, kind)
        for name in (state_column(kind), *(state_column(kind, code) for code in codes)):
            columns[name] = covered.ifelse(ibis.coalesce(_[name], 0), ibis.null("int32"))
    return joined.select(PERSON, MONTH, **columns)
