"""Files of values that decide of a code, such as the establishments of an approved list."""

from __future__ import annotations

from pathlib import Path

import ibis

from whatworks.sources.layout import LISTED
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem, refuse_if
from whatworks.sources.records import FileRead
from whatworks.sources.references.reference import read_reference
from whatworks.sources.scratch import Scratch


def read_listings(
    name: str, source: Source, *, mapping_file: Path, spool: Path, scratch: Scratch
) -> tuple[tuple[ibis.Table | None, ...], tuple[FileRead, ...]]:
    """Read the lists that overrides of a source name.

    Parameters
    ----------
    name : str
    source : Source
    mapping_file : Path
        Globs are relative to it.
    spool : Path
    scratch : Scratch

    Returns
    -------
    listed : tuple of ibis.Table or None
        For each override, the values of its list once each, or None where it has none: what
        `whatworks.sources.layout.Layout.events` takes.
    files : tuple of FileRead

    Raises
    ------
    MappingError
        When no file matches.
    ProblemsError
        When a list cannot be trusted as it is, or holds no value.
    """
    listed: list[ibis.Table | None] = []
    files: list[FileRead] = []
    for number, override in enumerate(() if source.code is None else source.code.overrides):
        if override.listed_in is None:
            listed.append(None)
            continue
        reference = read_reference(
            override.listed_in,
            {LISTED: override.listed_in.column},
            key=f"sources.{name}.code.overrides.{number}.listed_in",
            mapping_file=mapping_file,
            spool=spool,
            scratch=scratch,
        )
        values = reference.table.filter(reference.table[LISTED] != "")
        if not int(values.count().execute()):
            refuse_if([_no_value(reference.say(override.listed_in.column))])
        listed.append(values)
        files += reference.files
    return tuple(listed), tuple(files)


def _no_value(what: str) -> Problem:
    return Problem(
        what=what,
        needed="at least one value",
        found="blanks only",
        remedy="check listed_in.column, or ask for the list again",
    )
