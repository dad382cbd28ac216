"""One source is read: every file of its glob, then what its rows say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import ibis

from whatworks.sources.formats.table import FILE
from whatworks.sources.layout import RAW_CODE, REASON, Events
from whatworks.sources.layouts import LAYOUTS
from whatworks.sources.mapping import Source
from whatworks.sources.passages import Passage
from whatworks.sources.records import Coverage, FileRead
from whatworks.sources.references.listings import read_listings
from whatworks.sources.rows import attributes, bridges, households, identities
from whatworks.sources.rows.bridges import Crossing, read_bridge
from whatworks.sources.rows.counted import RawRows, raw_rows, row_flags, with_meaning
from whatworks.sources.rows.objections import (
    OBJECTED,
    Opposed,
    objection_flag,
    with_objections,
)
from whatworks.sources.rows.people import one_row_each
from whatworks.sources.rows.vintages import carried_columns, dated, first_unsettled
from whatworks.sources.scratch import Scratch
from whatworks.sources.settling import Place, settle
from whatworks.sources.states.coverage import VINTAGE, coverage_of
from whatworks.vocabulary import CODE, END, INTENSITY, KIND, MONTH, PERSON, SCHEME, START

_SAID: Final = (FILE, PERSON, VINTAGE, RAW_CODE, KIND, CODE, START, END, MONTH, SCHEME, INTENSITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One source as read.

    Parameters
    ----------
    name : str
    source : Source
    files : tuple of FileRead
        Its raw files; `references` are those of bridges and lists beside them.
    persons : ibis.Table
        ``person_id`` and the attributes, one row per person of the files.
    rows : Passage
        Rows of the files, and those left behind before what they say is looked at.
    copies : Passage or None
        Where a row is given to every member of a household: rows of each person.
    asides : tuple of Passage
        Values taken for unknown, field by field.
    events : ibis.Table or None
        What the rows kept say, and why an event was left.
    said : Passage or None
        The events, and those left behind for what they say.
    states : bool
        Whether events tell of states.
    measures, blind, places : ibis.Table or None
        As a layout gives them.
    identities, households : ibis.Table or None
    objected : ibis.Table or None
        ``person_id`` of those who object.
    coverage : tuple of Coverage
    """

    name: str
    source: Source
    files: tuple[FileRead, ...]
    references: tuple[FileRead, ...]
    persons: ibis.Table
    rows: Passage
    copies: Passage | None = None
    asides: tuple[Passage, ...] = ()
    events: ibis.Table | None = None
    said: Passage | None = None
    states: bool = False
    measures: ibis.Table | None = None
    blind: ibis.Table | None = None
    places: ibis.Table | None = None
    identities: ibis.Table | None = None
    households: ibis.Table | None = None
    objected: ibis.Table | None = None
    coverage: tuple[Coverage, ...] = ()

    @property
    def space(self) -> str:
        """Space in which the source identifies persons."""
        return self.source.person.space

    @property
    def place(self) -> Place:
        """Where its rows come from, for errors."""
        return Place(source=self.name, files=tuple(file.name for file in self.files))

    @property
    def passages(self) -> tuple[Passage, ...]:
        """Everything that entered and was left behind; the last one is that of what is gathered."""
        steps = (self.rows,) if self.copies is None else (self.rows, self.copies)
        if self.said is None:
            return (*steps[:-1], *self.asides, steps[-1])
        if self.said.unit == steps[-1].unit:
            return (*steps[:-1], *self.asides, steps[-1].less(self.said.dropped))
        return (*steps, *self.asides, self.said)


def read_source(
    name: str,
    source: Source,
    *,
    opposed: Opposed | None,
    mapping_file: Path,
    spool: Path,
    scratch: Scratch,
) -> Reading:
    """Read the files of one source.

    Parameters
    ----------
    name : str
    source : Source
    opposed : Opposed or None
        Persons who object.
    mapping_file : Path
        Globs are relative to it.
    spool : Path
        Where a file that the engine cannot take as it is may be copied, one at a time.
    scratch : Scratch

    Returns
    -------
    Reading

    Raises
    ------
    ProblemsError
        Tells every problem of every file, then every problem of the rows.
    """
    raw = raw_rows(name, source, mapping_file=mapping_file, spool=spool, scratch=scratch)
    crossing = read_bridge(name, source, mapping_file=mapping_file, spool=spool, scratch=scratch)
    listed, lists = read_listings(
        name, source, mapping_file=mapping_file, spool=spool, scratch=scratch
    )
    vouching = dated(source, raw.newest)
    rows = with_meaning(raw, vouching, crossing, opposed, scratch=scratch)
    place = Place(source=name, files=tuple(file.name for file in raw.files))
    flags = row_flags(rows, vouching, raw.newest)
    kept = _kept(raw, source)
    marked, dropped = settle(rows, flags, keep=kept, place=place, scratch=scratch)
    unsettled = first_unsettled(rows, source, raw.newest)
    for table in raw.held:
        scratch.drop(table)
    reading = Reading(
        name=name,
        source=vouching,
        files=raw.files,
        references=(*(() if crossing is None else crossing.files), *lists),
        persons=marked,
        rows=Passage(
            name=name, unit="rows", before=sum(f.rows for f in raw.files), dropped=dropped
        ),
        objected=_objected(marked, opposed, scratch=scratch),
    )
    sound = marked.filter(marked[REASON].isnull())
    if crossing is not None and bridges.has_members(source):
        reading, marked, sound = _copied(reading, marked, kept, crossing, opposed, scratch=scratch)
    reading = _with_persons(reading, sound, scratch=scratch)
    own = sound.select(FILE, PERSON, *carried_columns(vouching), *raw.layout_columns)
    said = LAYOUTS[source.layout].events(own, vouching, listed=listed)
    if said is not None:
        reading = _with_events(reading, said, unsettled=unsettled, scratch=scratch)
    scratch.drop(marked)
    return reading


def _kept(raw: RawRows, source: Source) -> list[str]:
    """Columns that outlive the choice of rows."""
    return list(
        dict.fromkeys(
            [
                FILE,
                PERSON,
                *raw.layout_columns,
                *carried_columns(source),
                *bridges.carried_columns(source),
                *attributes.carried_columns(source),
                *identities.said_columns(source),
                *households.carried_columns(source),
            ]
        )
    )


def _copied(
    reading: Reading,
    marked: ibis.Table,
    kept: list[str],
    crossing: Crossing,
    opposed: Opposed | None,
    *,
    scratch: Scratch,
) -> tuple[Reading, ibis.Table, ibis.Table]:
    """Give each row to every person that its identifier leads to."""
    sound = marked.filter(marked[REASON].isnull()).select(*kept)
    each = with_objections(
        bridges.for_each_member(sound, reading.source, crossing), reading.source, opposed
    )
    copies, dropped = settle(
        each,
        (objection_flag(each),),
        keep=kept,
        place=replace(reading.place, unit="person_rows"),
        scratch=scratch,
    )
    scratch.drop(marked)
    before = int(copies.count().execute())
    passage = Passage(name=reading.name, unit="person_rows", before=before, dropped=dropped)
    return (
        replace(reading, copies=passage, objected=_objected(copies, opposed, scratch=scratch)),
        copies,
        copies.filter(copies[REASON].isnull()),
    )


def _objected(
    marked: ibis.Table, opposed: Opposed | None, *, scratch: Scratch
) -> ibis.Table | None:
    """Persons whose rows were left behind because they object."""
    if opposed is None:
        return None
    theirs = marked.filter(marked[REASON] == OBJECTED).select(PERSON).distinct()
    return scratch.keep("objected", theirs, what="objections")


def _with_persons(reading: Reading, sound: ibis.Table, *, scratch: Scratch) -> Reading:
    """Reading with its persons, who they are and whom they live with."""
    source, place = reading.source, reading.place
    persons, merged = one_row_each(sound, source, place=place, scratch=scratch)
    asides = (
        *attributes.unmapped_values(sound, source, name=reading.name),
        *identities.unread(sound, source, place=place),
    )
    said, lived = (
        identities.said_identities(sound, source),
        households.said_households(sound, source),
    )
    last = reading.rows if reading.copies is None else reading.copies
    reading = replace(
        reading,
        persons=persons,
        asides=asides,
        identities=None if said is None else scratch.keep("said", said, what=place.source),
        households=None if lived is None else scratch.keep("said", lived, what=place.source),
    )
    if reading.copies is None:
        return replace(reading, rows=last.less(merged))
    return replace(reading, copies=last.less(merged))


def _with_events(
    reading: Reading, said: Events, *, unsettled: int | None, scratch: Scratch
) -> Reading:
    """Reading with what its rows say."""
    copied = reading.copies is not None and said.unit == "rows"
    unit = "person_rows" if copied else said.unit
    events, dropped = settle(
        said.table,
        said.flags,
        keep=[c for c in _SAID if c in said.table.columns],
        place=replace(reading.place, unit=unit),
        scratch=scratch,
    )

    def held(stem: str, table: ibis.Table | None) -> ibis.Table | None:
        return None if table is None else scratch.keep(stem, table, what=reading.name)

    return replace(
        reading,
        events=events,
        said=Passage(
            name=reading.name, unit=unit, before=int(events.count().execute()), dropped=dropped
        ),
        states=said.states,
        coverage=coverage_of(reading.name, reading.source, events, unsettled=unsettled),
        measures=held("measures", said.measures),
        blind=held("blind", said.blind),
        places=held("places", said.places),
    )
