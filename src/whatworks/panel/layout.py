"""Parts → rows: every person and month, zero where nothing was seen, null where nobody looked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import and_, or_

import ibis

from whatworks.panel.parts import (
    END_DAY,
    MILLIONTHS,
    START_DAY,
    STATE,
    Columns,
    Parts,
)
from whatworks.sources.records import Coverage
from whatworks.spells.calendar import day_number, month_end
from whatworks.spells.overlaps import MILLION, ROW_END, ROW_START
from whatworks.vocabulary import (
    COMMUNE,
    DAYS,
    DEPARTEMENT,
    FIRST,
    KIND,
    LAST,
    MEASURE,
    MONTH,
    PERSON,
    SCHEME,
    SOURCE,
    TIGHTNESS,
    VALUE,
    ZONE,
    intensity_column,
    measure_column,
    scheme_column,
    state_column,
)

_MONTH_END = "month_end_day"


def lay_out(parts: Parts, columns: Columns, *, begin: int, stop: int) -> ibis.Table:
    """Rows of the persons of ``parts`` for the months ``begin`` to ``stop``, both included.

    Parameters
    ----------
    parts : Parts
    columns : Columns
    begin, stop : int

    Returns
    -------
    ibis.Table
        As `Panel.table`, in no order.

    Notes
    -----
    Each part is laid out by months and brought to one row per person and month on its own; the grid
    of all persons and months then takes them side by side.
    """
    window = (begin, stop)
    grid = parts.persons.select(PERSON, month=ibis.range(begin, stop + 1).unnest())
    rows = grid.mutate(month=grid[MONTH].cast("int32"))
    sides = [_states(parts.stays, columns, window)]
    if columns.schemes:
        sides.append(_schemes(parts.stays, columns, window))
    if parts.doses is not None and columns.intensities:
        sides.append(_doses(parts.doses, columns, window))
    if parts.measures is not None and columns.measures:
        sides.append(_measures(parts.measures, columns, window))
    if parts.blind is not None:
        sides.append(_blind(parts.blind, columns, window))
    if parts.places is not None:
        sides.append(_by_month(parts.places, window).select(PERSON, MONTH, COMMUNE))
    for side in sides:
        new = [side[c] for c in side.columns if c not in (PERSON, MONTH)]
        keys = [rows[PERSON] == side[PERSON], rows[MONTH] == side[MONTH]]
        rows = rows.left_join(side, keys).select(rows, *new)
    if parts.places is not None and columns.geography is not None:
        rows = _territories(rows, columns)
    return rows.select(**dict(_finished(rows, columns, blind=parts.blind is not None)))


def column_types(columns: Columns, *, places: bool) -> dict[str, str]:
    """Name and type of every column of a panel, in order."""
    types = {PERSON: "int64", MONTH: "int32"}
    for kind, codes in columns.states.items():
        types |= dict.fromkeys((kind, *(state_column(kind, c) for c in codes)), "int32")
    types |= {scheme_column(*s): "string" for s in columns.numbered if s in columns.schemes}
    types |= {intensity_column(*s): "float64" for s in columns.numbered if s in columns.intensities}
    types |= {measure_column(name): "float64" for name in columns.measures}
    if places:
        types[COMMUNE] = "string"
        if columns.geography is not None:
            types |= {ZONE: "string", DEPARTEMENT: "string"}
            if columns.geography.tightness is not None:
                types[TIGHTNESS] = "float64"
    return types


def _by_month(table: ibis.Table, window: tuple[int, int]) -> ibis.Table:
    """A row per month of each interval ``first .. last`` inside the window."""
    begin, stop = window
    inside = table.filter((table[FIRST] <= stop) & (table[LAST] >= begin))
    months = ibis.range(
        ibis.greatest(inside[FIRST], begin), ibis.least(inside[LAST], stop) + 1
    ).unnest()
    # Spark lays out no array inside another expression: the type is set one step later.
    long = inside.select(*(c for c in table.columns if c not in (FIRST, LAST)), month=months)
    return long.mutate(month=long[MONTH].cast("int32"))


def _with_month_end(long: ibis.Table, window: tuple[int, int]) -> ibis.Table:
    """Rows with the last day of their month, as a number: reckoned once for each month."""
    months = ibis.range(window[0], window[1] + 1).unnest().name(MONTH).as_table()
    days = months.select(
        month=months[MONTH].cast("int32"),
        **{_MONTH_END: day_number(month_end(months[MONTH].cast("int32")))},
    )
    return long.join(days, MONTH)


def _states(stays: ibis.Table, columns: Columns, window: tuple[int, int]) -> ibis.Table:
    """Per state, the length of the longest stay of the month."""
    long = _with_month_end(_by_month(stays.drop(SCHEME), window), window)
    so_far = ibis.least(long[END_DAY], long[_MONTH_END]) - long[START_DAY] + 1
    valued = long.select(PERSON, MONTH, STATE, value=ibis.coalesce(long[DAYS], so_far))
    return valued.group_by([PERSON, MONTH]).aggregate(
        **{
            state_column(*state): (valued[STATE] == n).ifelse(valued[VALUE], 0).max().cast("int32")
            for n, state in enumerate(columns.numbered)
        }
    )


def _schemes(stays: ibis.Table, columns: Columns, window: tuple[int, int]) -> ibis.Table:
    """Per state, the schemes of the month, sorted."""
    told = _by_month(
        stays.filter(stays[SCHEME].notnull()).select(PERSON, STATE, SCHEME, FIRST, LAST), window
    )
    return told.group_by([PERSON, MONTH]).aggregate(
        **{
            scheme_column(*state): told[SCHEME]
            .collect(where=told[STATE] == n, distinct=True)
            .sort()
            .join("+")
            .nullif("")
            for n, state in enumerate(columns.numbered)
            if state in columns.schemes
        }
    )


def _doses(doses: ibis.Table, columns: Columns, window: tuple[int, int]) -> ibis.Table:
    """Per state, the dose of the month, in millionths.

    What a dose amounts to by the end of a month is a whole number of millionths, and a month has the
    difference: the months of a stay add up to its dose exactly.
    """
    long = _with_month_end(_by_month(doses, window), window)

    def told_by(day: ibis.Value) -> ibis.Value:
        """Millionths of the row up to the end of a day."""
        so_far = long[MILLIONTHS] * (day - long[ROW_START] + 1)
        return so_far // (long[ROW_END] - long[ROW_START] + 1)

    month_before = long[_MONTH_END] - _days_in_month(long[MONTH])
    upto = told_by(ibis.least(long[END_DAY], long[_MONTH_END]))
    part = upto - told_by(ibis.greatest(long[START_DAY] - 1, month_before))
    split = long.select(PERSON, MONTH, STATE, part=part.cast("int64"))
    return split.group_by([PERSON, MONTH]).aggregate(
        **{
            intensity_column(*state): (split[STATE] == n).ifelse(split.part, 0).sum().cast("int64")
            for n, state in enumerate(columns.numbered)
            if state in columns.intensities
        }
    )


def _days_in_month(month: ibis.Value) -> ibis.Value:
    return day_number(month_end(month)) - day_number(month_end(month - 1))


def _measures(measures: ibis.Table, columns: Columns, window: tuple[int, int]) -> ibis.Table:
    told = measures.filter(measures[MONTH].between(*window))
    return told.group_by([PERSON, MONTH]).aggregate(
        **{
            measure_column(name): (told[MEASURE] == name)
            .ifelse(told[VALUE], ibis.null("float64"))
            .max()
            for name in columns.measures
        }
    )


def _blind(blind: ibis.Table, columns: Columns, window: tuple[int, int]) -> ibis.Table:
    """Per source and kind, whether the source does not see the person in the month."""
    long = _by_month(blind, window)
    return long.group_by([PERSON, MONTH]).aggregate(
        **{
            _unseen_column(c): ((long[SOURCE] == c.source) & (long[KIND] == c.kind)).max()
            for c in columns.coverage
        }
    )


def _unseen_column(coverage: Coverage) -> str:
    return f"{coverage.kind} unseen by {coverage.source}"


def _territories(rows: ibis.Table, columns: Columns) -> ibis.Table:
    """Rows with the territories of their commune, and how tight the market is there that month."""
    geography = columns.geography
    if geography is None:
        return rows
    communes = geography.communes
    rows = rows.left_join(communes, rows[COMMUNE] == communes[COMMUNE]).select(
        rows, communes[ZONE], communes[DEPARTEMENT]
    )
    if geography.tightness is None:
        return rows
    tight = geography.tightness
    keys = [rows[geography.level] == tight["place"], rows[MONTH] == tight[MONTH]]
    return rows.left_join(tight, keys).select(rows, **{TIGHTNESS: tight[VALUE]})


def _finished(
    rows: ibis.Table, columns: Columns, *, blind: bool
) -> Iterator[tuple[str, ibis.Value]]:
    """Columns of the panel, in order: what was not told is zero where a source sees, else null."""
    types = column_types(columns, places=COMMUNE in rows.columns)
    yield PERSON, rows[PERSON]
    yield MONTH, rows[MONTH]
    tellers = {
        (kind, code): tuple(c for c in columns.coverage if c.kind == kind and c.tells(code))
        for kind, code in columns.numbered
    }
    sight = {told_by: _seen(rows, told_by, blind=blind) for told_by in set(tellers.values())}
    seen = {state: sight[told_by] for state, told_by in tellers.items()}
    for kind, codes in columns.states.items():
        told = [ibis.coalesce(rows[state_column(kind, code)], 0) for code in codes]
        yield kind, _any_of(told, [seen[kind, code] for code in codes])
        for code, value in zip(codes, told, strict=True):
            yield state_column(kind, code), seen[kind, code].ifelse(value, ibis.null("int32"))
    for kind, code in columns.numbered:
        if (kind, code) in columns.schemes:
            name = scheme_column(kind, code)
            yield name, seen[kind, code].ifelse(rows[name], ibis.null("string"))
    for kind, code in columns.numbered:
        if (kind, code) in columns.intensities:
            name = intensity_column(kind, code)
            dose = ibis.coalesce(rows[name], 0).cast("float64") / MILLION
            yield name, seen[kind, code].ifelse(dose, ibis.null("float64"))
    for name in (*map(measure_column, columns.measures), COMMUNE, ZONE, DEPARTEMENT, TIGHTNESS):
        if name in types:
            yield name, rows[name]


def _any_of(told: list[ibis.Value], seen: list[ibis.Value]) -> ibis.Value:
    """In one of the states: 1 when one is seen, 0 when all are and none holds, else unknown."""
    if all(sees is seen[0] for sees in seen):  # the same sources tell them all
        any_told = ibis.greatest(*told) if len(told) > 1 else told[0]
        return seen[0].ifelse((any_told > 0).cast("int32"), ibis.null("int32"))
    known = [(value > 0) & sees for value, sees in zip(told, seen, strict=True)]
    return ibis.cases(
        (reduce(or_, known), ibis.literal(1, "int32")),
        (reduce(and_, seen), ibis.literal(0, "int32")),
        else_=ibis.null("int32"),
    )


def _seen(rows: ibis.Table, told_by: tuple[Coverage, ...], *, blind: bool) -> ibis.Value:
    """Whether one of these sources sees this person in the month of the row."""
    seen: ibis.Value = ibis.literal(False)  # noqa: FBT003 - the start of a chain of ors
    for c in told_by:
        sees = rows[MONTH].between(c.first, c.last)
        if blind:
            sees = sees & ~ibis.coalesce(rows[_unseen_column(c)], False)
        seen = seen | sees
    return seen
