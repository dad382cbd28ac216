"""Persons who object to their data being used: they leave before anything else is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ibis

from whatworks.sources.layout import Flag
from whatworks.sources.mapping import Mapping, Source
from whatworks.sources.problems import Problem, refuse_if
from whatworks.sources.records import FileRead
from whatworks.sources.references.reference import read_reference
from whatworks.sources.rows.identifiers import identifier_of, in_space, is_missing, named
from whatworks.sources.scratch import Scratch
from whatworks.vocabulary import PERSON

OBJECTED: Final = "objected"
"""Reason in the ledger."""
_KEY: Final = "objections"
_PART: Final = "raw_person_"
_OBJECTS: Final = "objects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opposed:
    """Persons who object.

    Parameters
    ----------
    persons : ibis.Table
        ``person_id``, once each.
    space : str
        In which they are identified.
    files : tuple of FileRead
    """

    persons: ibis.Table
    space: str
    files: tuple[FileRead, ...]


def read_objections(
    mapping: Mapping, *, mapping_file: Path, spool: Path, scratch: Scratch
) -> Opposed | None:
    """Read the list that ``[objections]`` names, None where there is none.

    Raises
    ------
    ProblemsError
        When the list cannot be trusted as it is, or names nobody in one of its rows: a person
        whose objection is not understood would be counted all the same.
    """
    told = mapping.objections
    if told is None:
        return None
    reference = read_reference(
        told,
        named(_PART, told.columns),
        key=_KEY,
        mapping_file=mapping_file,
        spool=spool,
        scratch=scratch,
    )
    raw = reference.table
    parts = [raw[part] for part in named(_PART, told.columns)]
    if int(raw.filter(is_missing(parts, told)).count().execute()):
        problem = Problem(
            what=reference.say(*told.columns),
            needed="an identifier in every row",
            found="rows without one",
            remedy="complete the list, or remove such rows",
        )
        refuse_if([problem])
    persons = raw.select(**{PERSON: in_space(identifier_of(parts, told), told.space)})
    return Opposed(
        persons=scratch.keep("objections", persons.distinct(), what=_KEY),
        space=told.space,
        files=reference.files,
    )


def with_objections(rows: ibis.Table, source: Source, opposed: Opposed | None) -> ibis.Table:
    """Rows with whether their person objects."""
    if opposed is None or opposed.space != source.person.space:
        return rows.mutate(**{_OBJECTS: False})
    named_here = opposed.persons.mutate(**{_OBJECTS: True})
    joined = rows.left_join(named_here, PERSON).drop(f"{PERSON}_right")
    return joined.mutate(**{_OBJECTS: joined[_OBJECTS].fill_null(ibis.literal(False))})  # noqa: FBT003 - a column


def objection_flag(rows: ibis.Table) -> Flag:
    """Flag of rows of persons who object."""
    return Flag(reason=OBJECTED, up=rows[_OBJECTS], refuse=False)
