"""From the identifier of a row to the person: its own columns, or a file that leads further."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ibis
from ibis import _

from whatworks.sources.layout import Flag
from whatworks.sources.mapping import PersonKey, Source
from whatworks.sources.problems import Problem, counted, refuse_if
from whatworks.sources.records import FileRead
from whatworks.sources.references.reference import Reference, read_reference
from whatworks.sources.rows.identifiers import (
    bare,
    identifier_of,
    in_space,
    is_missing,
    named,
)
from whatworks.sources.scratch import Scratch
from whatworks.vocabulary import PERSON

_PART: Final = "raw_person_"
_FROM: Final = "raw_from_"
_TO: Final = "raw_to"
_OWN: Final = "own_identifier"
"""Identifier of the row, before any bridge."""
_LED: Final = "led_to"
_MISSING: Final = "identifier_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A bridge as read.

    Parameters
    ----------
    table : ibis.Table
        ``own_identifier, led_to``: each pair once.
    files : tuple of FileRead
    """

    table: ibis.Table
    files: tuple[FileRead, ...]


def read_bridge(
    name: str, source: Source, *, mapping_file: Path, spool: Path, scratch: Scratch
) -> Crossing | None:
    """Read the file that leads from the identifiers of a source to persons.

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
    Crossing or None
        None where the source identifies persons itself. Rows of the bridge in which the person is
        blank, or stands for nobody though another row of the identifier names somebody, are not in it.

    Raises
    ------
    ProblemsError
        When one identifier leads to several persons and the mapping does not say that it may.
    """
    via = source.person.via
    if via is None:
        return None
    columns = {**named(_FROM, via.from_), _TO: via.to}
    reference = read_reference(
        via,
        columns,
        key=f"sources.{name}.person.via",
        mapping_file=mapping_file,
        spool=spool,
        scratch=scratch,
    )
    raw = reference.table
    parts = [raw[part] for part in named(_FROM, via.from_)]
    pairs = raw.filter(~is_missing(parts, source.person) & (raw[_TO] != "")).select(
        **{_OWN: identifier_of(parts, source.person), _LED: raw[_TO]}
    )
    nobody = pairs[_LED].isin(list(source.person.placeholders))
    people = pairs.filter(~nobody)
    dead_ends = pairs.filter(nobody).anti_join(people, _OWN).group_by(_OWN)
    table = scratch.keep(
        "bridge", people.union(dead_ends.aggregate(**{_LED: _[_LED].min()})).distinct(), what=name
    )
    if not via.members:
        _refuse_forks(table, reference)
    return Crossing(table=table, files=reference.files)


def person_columns(source: Source) -> dict[str, str]:
    """Columns that identify whom a row is about."""
    return named(_PART, source.person.columns)


def identified(rows: ibis.Table, source: Source, crossing: Crossing | None) -> ibis.Table:
    """Rows with their person, null where no bridge leads to one.

    Where one identifier leads to several persons the column only says that it leads somewhere:
    `for_each_member` gives the rows to them.
    """
    key = source.person
    parts = [rows[part] for part in person_columns(source)]
    missing = is_missing(parts, key)
    if crossing is None:
        own = identifier_of(parts, key)
        return rows.mutate(**{_OWN: own, _LED: own, _MISSING: missing, PERSON: _space(own, key)})
    known = rows.mutate(
        **{_OWN: identifier_of([part.strip() for part in parts], key), _MISSING: missing}
    )
    bridge = crossing.table
    if has_members(source):
        bridge = bridge.group_by(_OWN).aggregate(**{_LED: _[_LED].min()})
    led = known.left_join(bridge, _OWN).drop(f"{_OWN}_right")
    return led.mutate(**{PERSON: _space(led[_LED], key)})


def for_each_member(rows: ibis.Table, source: Source, crossing: Crossing) -> ibis.Table:
    """Rows once for each person that their identifier leads to.

    Parameters
    ----------
    rows : ibis.Table
        With the identifier of the row, as `identified` gives it.
    source : Source
    crossing : Crossing
    """
    each = rows.drop(PERSON).inner_join(crossing.table, _OWN)
    return each.mutate(**{PERSON: _space(each[_LED], source.person)})


def carried_columns(source: Source) -> tuple[str, ...]:
    """Columns that `for_each_member` needs of rows."""
    return (_OWN,) if has_members(source) else ()


def has_members(source: Source) -> bool:
    """Whether one row may be about several persons."""
    return source.person.via is not None and source.person.via.members


def nobody_flag(rows: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flag of rows whose identifier stands for nobody."""
    nobody = list(source.person.placeholders)
    if not nobody:
        return ()
    up = rows[_LED].isin(nobody).fill_null(ibis.literal(False))  # noqa: FBT003 - a column
    for text in (rows[part] for part in person_columns(source)):
        up |= text.isin(nobody) | bare(text, source.person).isin(nobody)
    return (Flag(reason="placeholder_person", up=up, refuse=False),)


def person_flags(rows: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flags of rows without an identifier, and of those whose identifier leads to no person."""
    nobody = Flag(
        reason="no_person",
        up=rows[_MISSING],
        columns=source.person.columns,
        needed="an identifier of the person in every row",
        remedy="ask the producer to fill it in, correct the columns of 'person', or list what"
        " stands for nobody under person.placeholders to leave such rows out and count them",
    )
    via = source.person.via
    if via is None:
        return (nobody,)
    lost = Flag(
        reason="bridge_unmatched",
        up=rows[_LED].isnull(),
        columns=source.person.columns,
        refuse=via.unmatched == "refuse",
        needed="identifiers that the file of person.via holds",
        remedy="bring the whole file, check how identifiers are written in both (person.strip,"
        " person.width), or write person.via.unmatched = 'count' to leave such rows out and"
        " count them",
    )
    return (nobody, lost)


def _space(text: ibis.Value, key: PersonKey) -> ibis.Value:
    return in_space(text, key.space)


def _refuse_forks(table: ibis.Table, reference: Reference) -> None:
    forks = table.group_by(_OWN).having(_.count() > 1).aggregate(n=_.count())
    count = int(forks.count().execute())
    if not count:
        return
    problem = Problem(
        what=reference.say(),
        needed="one person for each identifier",
        found=f"{counted(count, 'identifier')} that lead to several",
        remedy="correct the file; if these are households and every member has their rows, write"
        " person.via.members = true",
    )
    refuse_if([problem])
