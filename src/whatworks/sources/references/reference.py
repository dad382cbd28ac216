"""Small files beside the sources (lists, bridges, crosswalks), read as strictly as sources are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
from ibis.backends.duckdb import Backend

from whatworks.errors import MappingError
from whatworks.sources.formats import read_file
from whatworks.sources.mapping import Attribute, PersonKey, Source, files_of
from whatworks.sources.mapping.strict import Delimited
from whatworks.sources.problems import Problem, refuse_if
from whatworks.sources.records import FileRead
from whatworks.sources.scratch import Scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The files of one table of the mapping that names reference files.

    Parameters
    ----------
    table : ibis.Table
        The columns asked for, under our names: text without the spaces around it, never null. Each
        row once; held while files are read.
    columns : tuple of str
        Headers in the files.
    files : tuple of FileRead
        ``source`` is the key of the mapping.
    """

    table: ibis.Table
    columns: tuple[str, ...]
    files: tuple[FileRead, ...]

    def say(self, *columns: str) -> str:
        """``zones.csv, column 'ze'``, for errors; without columns, the files and all that were read."""
        files = ", ".join(file.name for file in self.files)
        named = columns or self.columns
        noun = "column" if len(named) == 1 else "columns"
        return f"{files}, {noun} " + " and ".join(map(repr, named))


def read_reference(
    written: Delimited,
    columns: Mapping[str, str],
    *,
    key: str,
    mapping_file: Path,
    spool: Path,
    scratch: Scratch,
) -> Reference:
    """Read the files that a table of the mapping names.

    Parameters
    ----------
    written : Delimited
        Where they are and how they are written.
    columns : mapping of our name to header
    key : str
        Of the table in the mapping, e.g. ``"territories.communes"``.
    mapping_file : Path
        Globs are relative to it.
    spool : Path
        Place of the UTF-8 copy of one file at a time.
    scratch : Scratch

    Returns
    -------
    Reference

    Raises
    ------
    MappingError
        When no file matches.
    ProblemsError
        When a file cannot be trusted as it is.
    """
    source = _as_source(written, columns)
    paths = files_of(source, mapping_file)
    if not paths:
        raise MappingError(
            what=f"{mapping_file}, key {key}.files",
            needed="a glob that matches at least one file, relative to the mapping file",
            found=f"none for {written.files!r}",
            remedy="correct the glob or bring the files",
        )

    def wanted(source: Source, header: Sequence[str], connection: Backend) -> Mapping[str, str]:  # noqa: ARG001 - as a layout's
        return columns

    tables: list[ibis.Table] = []
    files: list[FileRead] = []
    problems: list[Problem] = []
    for number, path in enumerate(paths):
        name = called(path, mapping_file)
        raw, flaws = read_file(
            path, source, name=name, columns=wanted, number=number, spool=spool, scratch=scratch
        )
        problems += flaws
        if raw is not None:
            tables.append(raw.table)
            files.append(FileRead(source=key, name=name, sha256=raw.sha256, rows=raw.rows))
    refuse_if(problems)
    texts = [t.select(**{own: t[own].strip() for own in columns}) for t in tables]
    together = (ibis.union(*texts) if len(texts) > 1 else texts[0]).distinct()
    held = scratch.keep("reference", together, what=key)
    for table in tables:
        scratch.drop(table)
    return Reference(table=held, columns=tuple(columns.values()), files=tuple(files))


def called(path: Path, mapping_file: Path) -> str:
    """Path of a raw file relative to the mapping, or its bare name when it lies elsewhere."""
    folder = mapping_file.parent
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
    # Under another locale than UTF-8 accents of a path are no text that could be written out.
    return os.fsencode(name).decode("utf-8", errors="replace")


def _as_source(written: Delimited, columns: Mapping[str, str]) -> Source:
    """Describe a reference as a source whose rows have these columns, as formats read sources."""
    headers = list(columns.values())
    return Source(
        layout="persons",
        files=written.files,
        encoding=written.encoding,
        separator=written.separator,
        quote=written.quote,
        final_newline=written.final_newline,
        person=PersonKey(column=headers[0]),
        attributes={
            f"column_{number}": Attribute(column=header, type="category")
            for number, header in enumerate(headers)
        },
    )
