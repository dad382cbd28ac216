"""One source is read: every file of its glob, then what its rows say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources import values
from whatworks.sources.coverage import coverage_of
from whatworks.sources.formats import read_file
from whatworks.sources.layout import RAW_CODE, REASON, Events, Flag, Layout
from whatworks.sources.layouts import LAYOUTS
from whatworks.sources.mapping import Source, files_of
from whatworks.sources.people import ATTRIBUTE, one_row_each
from whatworks.sources.problems import Problem, refuse_if
from whatworks.sources.records import Coverage, FileRead
from whatworks.sources.scratch import Scratch
from whatworks.sources.settling import Place, settle
from whatworks.sources.table import FILE, FINGERPRINT, RawTable
from whatworks.vocabulary import CODE, END, KIND, MONTH, PERSON, START

_RAW_ATTRIBUTE: Final = "raw_attribute_"
_SAID: Final = (KIND, CODE, START, END, MONTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One source as read.

    Parameters
    ----------
    name : str
    source : Source
    files : tuple of FileRead
    persons : ibis.Table
        ``person_id`` and the attributes, one row per person of the files.
    rows_dropped : mapping of reason to count
        Rows of the files left behind.
    values_unmapped : mapping of attribute to (int, int)
        Rows looked at, and those of them whose value was taken for unknown, for attributes that
        count such values.
    events : ibis.Table or None
        What the rows kept say, and why an event was left.
    events_dropped : mapping of reason to count
    unit : str
        What an event is.
    coverage : tuple of Coverage
    """

    name: str
    source: Source
    files: tuple[FileRead, ...]
    persons: ibis.Table
    rows_dropped: Mapping[str, int]
    values_unmapped: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    events: ibis.Table | None = None
    events_dropped: Mapping[str, int] = field(default_factory=dict)
    unit: str = "rows"
    coverage: tuple[Coverage, ...] = ()


def read_source(
    name: str, source: Source, *, mapping_file: Path, spool: Path, scratch: Scratch
) -> Reading:
    """Read the files of one source.

    Parameters
    ----------
    name : str
    source : Source
    mapping_file : Path
        Globs are relative to it.
    spool : Path
        Place of the UTF-8 copy of one file at a time.
    scratch : Scratch

    Returns
    -------
    Reading

    Raises
    ------
    ProblemsError
        Tells every problem of every file, then every problem of the rows.
    """
    layout = LAYOUTS[source.layout]
    tables, files = _raw_tables(
        name, source, layout, mapping_file=mapping_file, spool=spool, scratch=scratch
    )
    raw = _stacked(tables)
    place = Place(source=name, files=tuple(file.name for file in files))
    attributes = [f"{ATTRIBUTE}{a}" for a in source.attributes]
    own = [c for c in raw.columns if c != FINGERPRINT and not c.startswith(_RAW_ATTRIBUTE)]
    marked, dropped = settle(
        _with_attributes(raw, source),
        _row_flags(raw, source),
        keep=[*own, *attributes, *(f"{_RAW_ATTRIBUTE}{a}" for a in _counting(source))],
        place=place,
        scratch=scratch,
    )
    for table in tables:
        scratch.drop(table)
    sound = marked.filter(marked[REASON].isnull())
    rows = sound.select(*own, *attributes)
    persons, merged = one_row_each(rows, source, place=place, scratch=scratch)
    reading = Reading(
        name=name,
        source=source,
        files=files,
        persons=persons,
        rows_dropped={**dropped, **merged},
        values_unmapped=_unmapped_values(sound, source),
    )
    said = layout.events(rows.select(*own), source)
    if said is not None:
        reading = _with_events(reading, said, scratch=scratch)
    scratch.drop(marked)
    return reading


def _with_events(reading: Reading, said: Events, *, scratch: Scratch) -> Reading:
    """Reading with what its rows say of states."""
    events, dropped = settle(
        said.table,
        said.flags,
        keep=[c for c in (FILE, PERSON, RAW_CODE, *_SAID) if c in said.table.columns],
        place=Place(
            source=reading.name, files=tuple(f.name for f in reading.files), unit=said.unit
        ),
        scratch=scratch,
    )
    return replace(
        reading,
        events=events,
        events_dropped=dropped,
        unit=said.unit,
        coverage=coverage_of(reading.name, reading.source, events),
    )


def _raw_tables(
    name: str,
    source: Source,
    layout: Layout,
    *,
    mapping_file: Path,
    spool: Path,
    scratch: Scratch,
) -> tuple[list[ibis.Table], tuple[FileRead, ...]]:
    """Rows of each file of a source, as text."""

    def columns(source: Source, header: Sequence[str], connection: Backend) -> Mapping[str, str]:
        attributes = {f"{_RAW_ATTRIBUTE}{a}": m.column for a, m in source.attributes.items()}
        own = layout.columns(source, header, connection)
        return {PERSON: source.person.column, **attributes, **own}

    tables: list[RawTable] = []
    files: list[FileRead] = []
    problems: list[Problem] = []
    for number, path in enumerate(files_of(source, mapping_file)):
        called = _called(path, mapping_file)
        table, flaws = read_file(
            path,
            source,
            name=called,
            columns=columns,
            number=number,
            spool=spool,
            scratch=scratch,
        )
        problems += flaws
        if table is not None:
            tables.append(table)
            files.append(FileRead(source=name, name=called, sha256=table.sha256, rows=table.rows))
    refuse_if(problems)
    return [t.table for t in tables], tuple(files)


def _called(path: Path, mapping_file: Path) -> str:
    """Path of a raw file relative to the mapping, or its bare name when it lies elsewhere."""
    folder = mapping_file.parent
    called = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
    # Under another locale than UTF-8 accents of a path are no text that could be written out.
    return os.fsencode(called).decode("utf-8", errors="replace")


def _stacked(tables: Sequence[ibis.Table]) -> ibis.Table:
    """Tables one under the other; a column that some lack is null there."""
    names = tuple(dict.fromkeys(column for table in tables for column in table.columns))
    alike = [
        table.select(
            *(table[n] if n in table.columns else ibis.null("string").name(n) for n in names)
        )
        for table in tables
    ]
    return ibis.union(*alike) if len(alike) > 1 else alike[0]


def _with_attributes(raw: ibis.Table, source: Source) -> ibis.Table:
    """Rows with the attributes in their types."""
    attributes = {
        f"{ATTRIBUTE}{name}": values.attribute(raw[f"{_RAW_ATTRIBUTE}{name}"], mapped)
        for name, mapped in source.attributes.items()
    }
    return raw.mutate(**attributes)


def _row_flags(raw: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flags that every layout raises: no person, the same row again, an unreadable attribute."""
    repeated = ibis.row_number().over(group_by=FINGERPRINT, order_by=FILE) > 0
    return (
        Flag(
            reason="no_person",
            up=raw[PERSON].strip() == "",
            columns=(source.person.column,),
            needed="an identifier of the person in every row",
            remedy="ask the producer to fill it in, or correct person.column",
        ),
        Flag(
            reason="duplicate_row",
            up=repeated,
            refuse=source.duplicates == "refuse",
            needed="rows that differ in at least one column",
            remedy="check that no file was delivered twice, or write duplicates = 'count' to keep"
            " one of each and count the others",
        ),
        *(
            _unreadable(raw, source, name)
            for name, mapped in source.attributes.items()
            if mapped.type != "category"
        ),
        *(
            _unmapped(raw, source, name)
            for name, mapped in source.attributes.items()
            if mapped.renamed and mapped.unmapped == "refuse"
        ),
    )


def _unmapped(raw: ibis.Table, source: Source, name: str) -> Flag:
    mapped = source.attributes[name]
    return Flag(
        reason=f"unmapped_{name}",
        up=values.is_unmapped(raw[f"{_RAW_ATTRIBUTE}{name}"], mapped),
        columns=(mapped.column,),
        needed=f"values listed under attributes.{name}.values, or nothing",
        remedy=f"list them there ('' for unknown), or write attributes.{name}.unmapped = 'count' to"
        " take them for unknown and count them",
        raw=f"{_RAW_ATTRIBUTE}{name}",
    )


def _counting(source: Source) -> list[str]:
    """Attributes of which values that are not listed are taken for unknown and counted."""
    return [n for n, a in source.attributes.items() if a.renamed and a.unmapped == "count"]


def _unmapped_values(rows: ibis.Table, source: Source) -> dict[str, tuple[int, int]]:
    """Rows, and those with a value that its attribute does not list, where it counts them."""
    return {
        name: (
            int(rows.count().execute()),
            int(
                values.is_unmapped(rows[f"{_RAW_ATTRIBUTE}{name}"], source.attributes[name])
                .sum()
                .fill_null(0)
                .execute()
            ),
        )
        for name in _counting(source)
    }


def _unreadable(raw: ibis.Table, source: Source, name: str) -> Flag:
    mapped = source.attributes[name]
    text = values.renamed(raw[f"{_RAW_ATTRIBUTE}{name}"], mapped.values)
    written = {
        "number": f"numbers with the decimal mark {mapped.decimal!r}",
        "boolean": "'1', '0' or a value listed under values",
        "month": f"months written {mapped.format}",
    }[mapped.type]
    key = {"number": "decimal", "boolean": "values", "month": "format"}[mapped.type]
    return Flag(
        reason=f"unreadable_{name}",
        up=text.notnull() & values.attribute(raw[f"{_RAW_ATTRIBUTE}{name}"], mapped).isnull(),
        columns=(mapped.column,),
        needed=f"{written}, or nothing",
        remedy=f"correct attributes.{name}.{key}, or map values that mean unknown to '' under"
        f" attributes.{name}.values",
    )
