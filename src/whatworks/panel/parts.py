"""What a panel is laid out from: the spells and their neighbours, by the panel's own numbers.

A person's identifier is met once, here; from then on a person is a number and a state is its place in
the list of states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final

import ibis
from ibis import _

from whatworks.panel.places import FOREVER, lived_in
from whatworks.sources.records import Coverage, Geography, Records
from whatworks.spells.calendar import day_number, month_of
from whatworks.spells.overlaps import MILLION, ROW_END, ROW_START
from whatworks.spells.record import Spells
from whatworks.vocabulary import (
    CODE,
    COMMUNE,
    DAYS,
    END,
    FIRST,
    INTENSITY,
    KIND,
    LAST,
    MEASURE,
    MONTH,
    PERSON,
    SCHEME,
    SOURCE,
    START,
    VALUE,
)

NUMBER: Final = "panel number"
"""A person's number beside the identifier; no attribute can have this name."""
STATE: Final = "state"
START_DAY: Final = "start_day"
END_DAY: Final = "end_day"
MILLIONTHS: Final = "millionths"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns of a panel are made of."""

    states: Mapping[str, tuple[str, ...]]
    schemes: frozenset[tuple[str, str]]
    intensities: frozenset[tuple[str, str]]
    measures: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    geography: Geography | None
    """None where places are unknown, or only known as communes."""

    @property
    def numbered(self) -> tuple[tuple[str, str], ...]:
        """Every (kind, code); its place is the number of the state."""
        return tuple((kind, code) for kind, codes in self.states.items() for code in codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Tables by ``person_id``, the panel's number (int64).

    Parameters
    ----------
    persons : ibis.Table
        ``person_id``.
    stays : ibis.Table
        ``person_id, state, scheme, first, last`` (months), ``start_day, end_day, days``.
    doses : ibis.Table or None
        ``person_id, state, first, last, start_day, end_day, millionths, row_start, row_end``.
    measures : ibis.Table or None
        ``person_id, measure, month, value``.
    blind : ibis.Table or None
        ``person_id, source, kind, first, last``: months in which the source does not see the person.
    places : ibis.Table or None
        ``person_id, commune, first, last``.
    """

    persons: ibis.Table
    stays: ibis.Table
    doses: ibis.Table | None = None
    measures: ibis.Table | None = None
    blind: ibis.Table | None = None
    places: ibis.Table | None = None

    def each(self, act: Callable[[str, ibis.Table], ibis.Table]) -> Parts:
        """Parts with ``act(name, table)`` in the place of every table."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return Parts(**{n: act(n, t) for n, t in given.items() if t is not None})


def columns_of(spells: Spells) -> Columns:
    """Columns that a panel of these spells has."""
    records = spells.records
    measures: tuple[str, ...] = ()
    if records.measures is not None:
        named = records.measures.select(MEASURE).distinct().order_by(MEASURE).execute()
        measures = tuple(str(name) for name in named[MEASURE])
    return Columns(
        states=records.codes,
        schemes=records.schemes,
        intensities=records.intensities if spells.doses is not None else frozenset(),
        measures=measures,
        coverage=records.coverage,
        geography=None if records.places is None else records.geography,
    )


def parts_of(spells: Spells, keys: ibis.Table, columns: Columns) -> Parts:
    """Tables of a panel as expressions, nothing computed yet.

    Parameters
    ----------
    spells : Spells
    keys : ibis.Table
        ``person_id`` (as in the records) and `NUMBER`.
    columns : Columns
    """
    records = spells.records

    def by_number(table: ibis.Table) -> ibis.Table:
        joined = table.join(keys, PERSON)
        return joined.select(*(c for c in table.columns if c != PERSON), **{PERSON: joined[NUMBER]})

    stays = _by_days(spells.table, columns).select(
        PERSON, STATE, SCHEME, FIRST, LAST, START_DAY, END_DAY, DAYS
    )
    doses = None
    if spells.doses is not None:
        given = _by_days(spells.doses, columns)
        doses = given.mutate(
            **{
                MILLIONTHS: (given[INTENSITY] * MILLION).round().cast("int64"),
                ROW_START: day_number(given[ROW_START]),
                ROW_END: day_number(given[ROW_END]),
            }
        ).select(PERSON, STATE, FIRST, LAST, START_DAY, END_DAY, MILLIONTHS, ROW_START, ROW_END)
    measures = None
    if records.measures is not None:
        measures = records.measures.group_by([PERSON, MEASURE, MONTH]).aggregate(
            value=_[VALUE].max()
        )
    return Parts(
        persons=keys.select(**{PERSON: keys[NUMBER]}),
        stays=by_number(stays),
        doses=None if doses is None else by_number(doses),
        measures=None if measures is None else by_number(measures),
        blind=None if records.blind is None else by_number(_unseen(records, records.blind)),
        places=None if records.places is None else by_number(lived_in(records.places)),
    )


def _by_days(table: ibis.Table, columns: Columns) -> ibis.Table:
    """Stays, or doses, with their state as a number and their bounds as months and days."""
    place = [
        ((table[KIND] == kind) & (table[CODE] == code), ibis.literal(n, "int16"))
        for n, (kind, code) in enumerate(columns.numbered)
    ]
    return table.mutate(
        **{
            STATE: ibis.cases(*place, else_=ibis.literal(-1, "int16")),
            FIRST: month_of(table[START]),
            LAST: month_of(table[END]),
            START_DAY: day_number(table[START]),
            END_DAY: day_number(table[END]),
        }
    )


def _unseen(records: Records, blind: ibis.Table) -> ibis.Table:
    """Months in which a source does not see a person: until it shows the person again."""
    shown = ibis.union(
        records.episodes.select(SOURCE, PERSON, shown=month_of(records.episodes[START])),
        records.states.select(SOURCE, PERSON, shown=records.states[MONTH]),
    ).distinct()
    lost = blind.select(SOURCE, PERSON, KIND, FIRST).distinct()
    again = lost.join(
        shown,
        [
            lost[SOURCE] == shown[SOURCE],
            lost[PERSON] == shown[PERSON],
            lost[FIRST] <= shown.shown,
        ],
    )
    until = again.group_by([SOURCE, PERSON, KIND, FIRST]).aggregate(until=_.shown.min())
    ended = lost.left_join(until, [SOURCE, PERSON, KIND, FIRST])
    interval = ended.select(
        SOURCE,
        PERSON,
        KIND,
        FIRST,
        last=(ibis.coalesce(ended.until, FOREVER + 1) - 1).cast("int32"),
    )
    return interval.filter(interval[FIRST] <= interval[LAST])


def known_zone(places: ibis.Table, geography: Geography) -> ibis.Table:
    """``person_id, market``: the zone of the first month in which a person's zone is known."""
    zones = places.join(geography.communes, COMMUNE)
    known = zones.filter(zones["zone"].notnull())
    return known.group_by(PERSON).aggregate(market=known["zone"].argmin(known[FIRST]))
