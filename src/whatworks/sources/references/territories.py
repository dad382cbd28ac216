"""Territories of one official geography: the crosswalk of its communes, and tightness by month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ibis
from ibis import _

from whatworks.ledger import Ledger
from whatworks.sources import values
from whatworks.sources.mapping import Mapping
from whatworks.sources.mapping.strict import Delimited
from whatworks.sources.mapping.territories import Communes, Tightness
from whatworks.sources.problems import Problem, counted, refuse_if
from whatworks.sources.records import FileRead, Geography
from whatworks.sources.references.changes import NEW, OLD, shown, successors
from whatworks.sources.references.reference import Reference, read_reference
from whatworks.sources.scratch import Scratch
from whatworks.vocabulary import COMMUNE, DEPARTEMENT, MONTH, PERSON, SOURCE, VALUE, ZONE

WIDTH: Final = 5
"""Characters of the official code of a commune."""
_KEY: Final = "territories"
_PLACE: Final = "place"
_BLANK: Final = "blank"
_ROOM: Final = "sources"
_PERSONS_PER_CODE: Final = 11
"""Fewer could single someone out, were the mapping to point at another column."""
_SHOWN_CODES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """What brings the communes of raw files to one geography.

    Parameters
    ----------
    geography : Geography
        Its tables are held while files are read: hand them over to keep them.
    known : ibis.Table
        ``old, new``: every commune that is in the geography or became one of it, once.
    files : tuple of FileRead
    ledger : Ledger
        Of the rows of tightness.
    """

    geography: Geography
    known: ibis.Table
    files: tuple[FileRead, ...]
    ledger: Ledger

    @property
    def tables(self) -> tuple[ibis.Table, ...]:
        """Tables of the geography."""
        tightness = self.geography.tightness
        return (self.geography.communes, *(() if tightness is None else (tightness,)))


def read_territories(
    mapping: Mapping, mapping_file: Path, *, spool: Path, scratch: Scratch
) -> Atlas | None:
    """Read the files that ``[territories]`` names.

    Parameters
    ----------
    mapping : Mapping
    mapping_file : Path
        Globs are relative to it.
    spool : Path
        Place of the UTF-8 copy of one file at a time.
    scratch : Scratch

    Returns
    -------
    Atlas or None
        None where the mapping has no such table.

    Raises
    ------
    MappingError
        When no file matches.
    ProblemsError
        When a file cannot be trusted as it is, when a commune lies in two zones or became two
        communes, when changes run in a circle, or when a month has two values of tightness.
    """
    told = mapping.territories
    if told is None:
        return None
    door = _Door(mapping_file=mapping_file, spool=spool, scratch=scratch)
    communes, files = _communes(told.communes, door)
    known = communes.select(**{OLD: communes[COMMUNE], NEW: communes[COMMUNE]})
    if told.changes is not None:
        columns = {OLD: told.changes.old, NEW: told.changes.new}
        reference = door.read(told.changes, columns, key="changes")
        padded = {name: values.padded(reference.table[name], WIDTH) for name in columns}
        became = successors(reference.table.select(**padded), communes, reference, scratch=scratch)
        known, files = known.union(became), (*files, *reference.files)
    tightness, ledger = None, Ledger()
    if told.tightness is not None:
        tightness, ledger, more = _tightness(told.tightness, communes, door)
        files = (*files, *more)
    level = "zone" if told.tightness is None else told.tightness.level
    return Atlas(
        geography=Geography(
            year=told.geography, communes=communes, tightness=tightness, level=level
        ),
        known=scratch.keep("known", known, what=_KEY),
        files=files,
        ledger=ledger,
    )


def in_geography(
    places: ibis.Table, atlas: Atlas, *, scratch: Scratch
) -> tuple[ibis.Table, Ledger]:
    """Bring the communes of places to a geography.

    A code that the geography knows is taken as its own, whatever the year of the raw file; another
    is followed through the changes. Places of which neither knows the commune are left behind.

    Parameters
    ----------
    places : ibis.Table
        ``source, person_id, commune, first, last``.
    atlas : Atlas
    scratch : Scratch

    Returns
    -------
    places : ibis.Table
        The same columns, each row once.
    ledger : Ledger
        Of the places, with the reasons ``unknown_commune`` and ``same_place``.

    Raises
    ------
    ProblemsError
        When the geography knows none of the communes of a source.
    """
    joined = places.left_join(atlas.known, places[COMMUNE] == atlas.known[OLD])
    told = scratch.keep("told", joined.select(places, NEW), what=_KEY)
    _refuse_unknown_sources(told, atlas.geography.year)
    found = told.filter(told[NEW].notnull()).mutate(**{COMMUNE: _[NEW]}).select(*places.columns)
    once = scratch.keep("places", found.distinct(), what=_KEY)
    before, kept, after = (int(t.count().execute()) for t in (told, found, once))
    scratch.drop(told)
    dropped = {"unknown_commune": before - kept, "same_place": kept - after}
    return once, Ledger().add(_ROOM, "places", unit="places", before=before, dropped=dropped)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """Where reference files are read."""

    mapping_file: Path
    spool: Path
    scratch: Scratch

    def read(self, written: Delimited, columns: dict[str, str], *, key: str) -> Reference:
        return read_reference(
            written,
            columns,
            key=f"{_KEY}.{key}",
            mapping_file=self.mapping_file,
            spool=self.spool,
            scratch=self.scratch,
        )


def _communes(told: Communes, door: _Door) -> tuple[ibis.Table, tuple[FileRead, ...]]:
    """Each commune of the geography with its zone and its département."""
    columns = {COMMUNE: told.commune, ZONE: told.zone, DEPARTEMENT: told.departement}
    reference = door.read(told, columns, key="communes")
    text = reference.table
    padded = text.mutate(**{COMMUNE: values.padded(text[COMMUNE], WIDTH)}).distinct()
    communes = door.scratch.keep("communes", padded, what=_KEY)
    blank = communes.filter(
        communes[COMMUNE].isnull() | (communes[ZONE] == "") | (communes[DEPARTEMENT] == "")
    )
    twice = communes.group_by(COMMUNE).having(_.count() > 1).aggregate(n=_.count())
    problems = []
    if count := int(blank.count().execute()):
        problems.append(
            Problem(
                what=reference.say(),
                needed="commune, zone and département in every row",
                found=f"{counted(count, 'row')} without one of them",
                remedy="complete them, or leave out the communes that belong to no zone",
            )
        )
    if count := int(twice.count().execute()):
        problems.append(
            Problem(
                what=reference.say(),
                needed="each commune in one zone and one département",
                found=f"{counted(count, 'commune')} in several{shown(twice[COMMUNE])}",
                remedy="bring the file of one geography, with one row for each commune",
            )
        )
    refuse_if(problems)
    return communes, reference.files


def _tightness(
    told: Tightness, communes: ibis.Table, door: _Door
) -> tuple[ibis.Table, Ledger, tuple[FileRead, ...]]:
    """Tightness of each place and month; a blank one is not known, and left behind."""
    columns = {
        _PLACE: told.place,
        **values.date_columns(MONTH, told.month),
        VALUE: told.value.column,
    }
    reference = door.read(told, columns, key="tightness")
    text = reference.table
    when = values.raw_date(text, MONTH, told.month)
    read = text.select(
        _PLACE,
        **{
            MONTH: values.month(when, told.month.format),
            VALUE: values.number(text[VALUE], told.value.decimal),
            _BLANK: text[VALUE] == "",
        },
    )
    rows = door.scratch.keep("tightness", read, what=_KEY)
    refuse_if(list(_tightness_problems(rows, told, reference)))
    known = rows.filter(~rows[_BLANK])
    level = ZONE if told.level == "zone" else DEPARTEMENT
    here = known.semi_join(communes, known[_PLACE] == communes[level]).select(_PLACE, MONTH, VALUE)
    tightness = door.scratch.keep("tightness", here, what=_KEY)
    before, said, kept = (int(t.count().execute()) for t in (rows, known, tightness))
    door.scratch.drop(rows)
    if not kept:
        refuse_if([_elsewhere(told, reference)])
    dropped = {"blank_value": before - said, "place_unknown": said - kept}
    ledger = Ledger().add(_ROOM, f"{_KEY}.tightness", unit="rows", before=before, dropped=dropped)
    return tightness, ledger, reference.files


def _tightness_problems(
    rows: ibis.Table, told: Tightness, reference: Reference
) -> Iterator[Problem]:
    count = int(rows[MONTH].isnull().sum().execute())
    if count:
        yield Problem(
            what=reference.say(*told.month.columns),
            needed=f"months written {told.month.format}",
            found=f"{counted(count, 'row')} otherwise",
            remedy="correct tightness.month.format",
        )
    if count := int((rows[VALUE].isnull() & ~rows[_BLANK]).sum().execute()):
        yield Problem(
            what=reference.say(told.value.column),
            needed=f"numbers with the decimal mark {told.value.decimal!r}, or nothing",
            found=f"{counted(count, 'row')} otherwise",
            remedy="correct tightness.value.decimal, or empty what is not known",
        )
    twice = rows.group_by([_PLACE, MONTH]).having(_.count() > 1).aggregate(n=_.count())
    if count := int(twice.count().execute()):
        yield Problem(
            what=reference.say(),
            needed=f"one value for each {told.level} and month",
            found=f"{counted(count, 'month')} of a place with several",
            remedy="bring one series: one population, one seasonal adjustment",
        )


def _elsewhere(told: Tightness, reference: Reference) -> Problem:
    return Problem(
        what=reference.say(told.place),
        needed=f"codes of a {told.level} that territories.communes knows",
        found="none",
        remedy="check tightness.level, tightness.place and how codes are written (leading zeros)",
    )


def _refuse_unknown_sources(told: ibis.Table, year: str) -> None:
    """Refuse sources of whose communes the geography knows none: they are written otherwise."""
    heard = told.group_by(SOURCE).aggregate(rows=_.count(), known=_[NEW].count()).order_by(SOURCE)
    problems = [
        Problem(
            what=f"source {row.source!r}, column of 'place'",
            needed=f"communes of the geography of {year}, or that its changes lead to it",
            found=f"{counted(int(row.rows), 'place')}, none of them known"
            + _common(told.filter(told[SOURCE] == row.source)),
            remedy="check place.column and place.width, or bring the changes under"
            " territories.changes",
        )
        for row in heard.filter(heard.known == 0).execute().itertuples()
    ]
    refuse_if(problems)


def _common(told: ibis.Table) -> str:
    """Codes of a source that enough persons share to be shown."""
    codes = told.group_by(COMMUNE).aggregate(persons=_[PERSON].nunique())
    shared = codes.filter(codes.persons >= _PERSONS_PER_CODE)
    first = shared.order_by(ibis.desc("persons"), COMMUNE).limit(_SHOWN_CODES).execute()
    return ", among them " + ", ".join(map(repr, first[COMMUNE])) if len(first) else ""
