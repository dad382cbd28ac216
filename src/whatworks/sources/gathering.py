"""What all sources say is brought together: persons, events and the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ibis
import ibis.expr.datatypes as dt
from ibis import _

from whatworks.ledger import Ledger
from whatworks.sources.joining import before_persons
from whatworks.sources.layout import REASON
from whatworks.sources.people import ATTRIBUTE
from whatworks.sources.reading import Reading
from whatworks.sources.scratch import Scratch
from whatworks.vocabulary import PERSON, SOURCE

_ROOM: Final = "sources"
_WHAT: Final = "all sources together"


def gather_persons(readings: Sequence[Reading], *, scratch: Scratch) -> tuple[ibis.Table, int]:
    """Bring the persons of all sources together.

    Parameters
    ----------
    readings : sequence of Reading
    scratch : Scratch

    Returns
    -------
    persons : ibis.Table
        ``person_id`` and every attribute, one row per person: those of the sources that give
        attributes, or everyone where none does. Null where no source gives the attribute.
    strangers : int
        Persons of other sources that those do not know.
    """
    seen = _union([reading.persons.select(PERSON) for reading in readings])
    givers = [reading for reading in readings if reading.source.attributes]
    persons = _union([reading.persons.select(PERSON) for reading in givers]) if givers else seen
    for reading in givers:
        plain = {name: f"{ATTRIBUTE}{name}" for name in reading.source.attributes}
        given = reading.persons.rename(plain)
        joined = persons.left_join(given, persons[PERSON] == given[PERSON])
        persons = joined.select(persons, *(given[name] for name in plain))
    held = scratch.keep("persons", persons, what=_WHAT)
    strangers = seen.anti_join(held, PERSON) if givers else seen.limit(0)
    return held, int(strangers.count().execute())


def gather_events(
    readings: Sequence[Reading],
    persons: ibis.Table,
    types: Mapping[str, dt.DataType],
    *,
    scratch: Scratch,
) -> tuple[ibis.Table, dict[str, int]]:
    """Bring the events of one shape together.

    Parameters
    ----------
    readings : sequence of Reading
        Those whose events have the columns of ``types`` beside the source.
    persons : ibis.Table
        Whose events are kept.
    types : mapping of column to type
    scratch : Scratch

    Returns
    -------
    events : ibis.Table
    counts : dict
        Events per source.
    """
    if not readings:
        return scratch.empty("events", ibis.schema(types)), {}
    said = [
        reading.events.filter(reading.events[REASON].isnull())
        .mutate(**{SOURCE: ibis.literal(reading.name), **_unsaid(reading.events, types)})
        .select(*types)
        for reading in readings
        if reading.events is not None
    ]
    together = ibis.union(*said) if len(said) > 1 else said[0]
    events = scratch.keep("events", together.semi_join(persons, PERSON), what=_WHAT)
    counts = events.group_by(SOURCE).aggregate(n=_.count()).execute()
    return events, {str(row.source): int(row.n) for row in counts.itertuples()}


def reading_ledger(
    readings: Sequence[Reading], counts: Mapping[str, int], *, n_persons: int, strangers: int
) -> Ledger:
    """Account for every row of every file, every cell of wide files, and every person.

    Parameters
    ----------
    readings : sequence of Reading
    counts : mapping of source to events kept
    n_persons, strangers : int
        Persons kept, and persons that the sources with attributes do not know.
    """
    ledger = Ledger()
    for reading in readings:
        if reading.events is None or reading.unit != "rows":
            rows = sum(file.rows for file in reading.files)
            ledger = ledger.add(
                _ROOM, reading.name, unit="rows", before=rows, dropped=reading.rows_dropped
            )
        for attribute, (rows, unmapped) in reading.values_unmapped.items():
            ledger = ledger.add(
                _ROOM,
                f"{reading.name}.{attribute}",
                unit="rows",
                before=rows,
                dropped={"unmapped_code": unmapped},
            )
        if reading.events is None:
            continue
        before, dropped = before_persons(reading)
        kept = before - sum(dropped.values())
        dropped["person_unknown"] = kept - counts.get(reading.name, 0)
        ledger = ledger.add(_ROOM, reading.name, unit=reading.unit, before=before, dropped=dropped)
    return ledger.add(
        _ROOM,
        "persons",
        unit="persons",
        before=n_persons + strangers,
        dropped={"person_unknown": strangers},
    )


def _union(tables: Sequence[ibis.Table]) -> ibis.Table:
    return (ibis.union(*tables) if len(tables) > 1 else tables[0]).distinct()


def _unsaid(events: ibis.Table, types: Mapping[str, dt.DataType]) -> dict[str, ibis.Value]:
    """Columns that a source has nothing to put in."""
    own = {*events.columns, SOURCE}
    return {name: ibis.null(kind) for name, kind in types.items() if name not in own}
