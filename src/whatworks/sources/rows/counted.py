"""Rows of the files of a source: whom each is about, and which of them count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources.formats import read_file
from whatworks.sources.formats.table import RawTable
from whatworks.sources.layout import Flag
from whatworks.sources.layouts import LAYOUTS
from whatworks.sources.mapping import Source, files_of
from whatworks.sources.problems import Problem, refuse_if
from whatworks.sources.records import FileRead
from whatworks.sources.references.reference import called
from whatworks.sources.rows import attributes, bridges, households, identities, sifting, vintages
from whatworks.sources.rows.bridges import Crossing
from whatworks.sources.rows.objections import Opposed, objection_flag, with_objections
from whatworks.sources.scratch import Scratch
from whatworks.sources.states.coverage import VINTAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRows:
    """Rows of the files of a source, as text.

    Parameters
    ----------
    table : ibis.Table
        ``file, fingerprint, vintage`` and every column read.
    held : tuple of ibis.Table
        One per file: what the engine holds.
    files : tuple of FileRead
    layout_columns : tuple of str
        Columns that the layout asked for.
    """

    table: ibis.Table
    held: tuple[ibis.Table, ...]
    files: tuple[FileRead, ...]
    layout_columns: tuple[str, ...]

    @property
    def newest(self) -> int | None:
        """Newest vintage of the files."""
        return max((f.vintage for f in self.files if f.vintage is not None), default=None)


def raw_rows(
    name: str, source: Source, *, mapping_file: Path, spool: Path, scratch: Scratch
) -> RawRows:
    """Read the rows of each file of a source.

    Parameters
    ----------
    name : str
    source : Source
    mapping_file : Path
        Globs are relative to it.
    spool : Path
    scratch : Scratch

    Raises
    ------
    ProblemsError
        Tells every problem of every file.
    """
    layout, beside = LAYOUTS[source.layout], _columns_beside(source)
    asked: dict[str, None] = {}

    def columns(source: Source, header: Sequence[str], connection: Backend) -> Mapping[str, str]:
        own = layout.columns(source, header, connection)
        asked.update(dict.fromkeys(own))
        return {**beside, **own}

    tables: list[RawTable] = []
    files: list[FileRead] = []
    problems: list[Problem] = []
    for number, path in enumerate(files_of(source, mapping_file)):
        known = called(path, mapping_file)
        vintage = vintages.vintage_of(path, source, name=known, engine=scratch.connection)
        raw, flaws = read_file(
            path, source, name=known, columns=columns, number=number, spool=spool, scratch=scratch
        )
        problems += [*flaws, *([vintage] if isinstance(vintage, Problem) else [])]
        if raw is None or isinstance(vintage, Problem):
            continue
        tables.append(raw)
        file = FileRead(source=name, name=known, sha256=raw.sha256, rows=raw.rows, vintage=vintage)
        files.append(file)
    refuse_if(problems)
    held = tuple(raw.table for raw in tables)
    return RawRows(
        table=_stacked(held, [file.vintage for file in files]),
        held=held,
        files=tuple(files),
        layout_columns=tuple(asked),
    )


def with_meaning(
    raw: RawRows,
    source: Source,
    crossing: Crossing | None,
    opposed: Opposed | None,
    *,
    scratch: Scratch,
) -> ibis.Table:
    """Rows with their person, what they say of the person, and what decides whether they count.

    Parameters
    ----------
    raw : RawRows
    source : Source
    crossing : Crossing or None
        The bridge to persons.
    opposed : Opposed or None
        Persons who object.
    scratch : Scratch
    """
    rows = bridges.identified(raw.table, source, crossing)
    rows = with_objections(rows, source, None if bridges.has_members(source) else opposed)
    rows = vintages.with_newest(rows, source, scratch=scratch)
    rows = attributes.with_attributes(rows, source)
    rows = identities.with_identity(rows, source)
    rows = households.with_household(rows, source)
    out = _flags_before_rivals(rows, source, raw.newest)
    return sifting.with_rivals(rows, source, out, scratch=scratch)


def row_flags(rows: ibis.Table, source: Source, newest: int | None) -> tuple[Flag, ...]:
    """Flags of rows that do not count or cannot be trusted, whatever their layout.

    Parameters
    ----------
    rows : ibis.Table
        As `with_meaning` gives them.
    source : Source
    newest : int or None
        Newest vintage of the files.
    """
    return (
        *_flags_before_rivals(rows, source, newest),
        *sifting.rival_flags(rows, source),
        *attributes.attribute_flags(rows, source),
    )


def _flags_before_rivals(rows: ibis.Table, source: Source, newest: int | None) -> tuple[Flag, ...]:
    """Flags of rows with which no other row is compared."""
    return (
        objection_flag(rows),
        *vintages.superseded(rows, source, newest),
        *sifting.condition_flags(rows, source),
        *bridges.nobody_flag(rows, source),
        *bridges.person_flags(rows, source),
    )


def _columns_beside(source: Source) -> dict[str, str]:
    """Columns read whatever the layout."""
    return {
        **bridges.person_columns(source),
        **attributes.attribute_columns(source),
        **identities.identity_columns(source),
        **households.household_columns(source),
        **sifting.sifting_columns(source),
        **vintages.month_columns(source),
    }


def _stacked(tables: Sequence[ibis.Table], vintage: Sequence[int | None]) -> ibis.Table:
    """Tables one under the other, with the vintage of each; a column that some lack is null there."""
    names = tuple(dict.fromkeys(column for table in tables for column in table.columns))
    alike = [
        table.select(
            *(table[n] if n in table.columns else ibis.null("string").name(n) for n in names),
            **{VINTAGE: ibis.literal(month, "int32")},
        )
        for table, month in zip(tables, vintage, strict=True)
    ]
    return ibis.union(*alike) if len(alike) > 1 else alike[0]
