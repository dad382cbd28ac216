"""Persons of one source: one row each."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis import _

from whatworks.sources.formats.table import FILE
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem, counted, refuse_if
from whatworks.sources.rows.attributes import held_columns
from whatworks.sources.scratch import Scratch
from whatworks.sources.settling import Place
from whatworks.vocabulary import PERSON


def one_row_each(
    rows: ibis.Table, source: Source, *, place: Place, scratch: Scratch
) -> tuple[ibis.Table, dict[str, int]]:
    """Find the persons of a source and their attributes.

    Parameters
    ----------
    rows : ibis.Table
        ``file, person_id`` and the attributes, prefixed.
    source : Source
    place : Place
    scratch : Scratch

    Returns
    -------
    persons : ibis.Table
        ``person_id`` and the attributes, prefixed.
    merged : dict
        Layout ``persons``: rows that repeat a person with the same attributes.

    Raises
    ------
    ProblemsError
        When a person has two values of an attribute, or two rows of one file in layout ``wide``.
    """
    attributes = held_columns(source)
    persons = scratch.keep(
        "persons", rows.select(PERSON, *attributes).distinct(), what=f"source {place.source!r}"
    )
    count = int(persons.count().execute())
    problems: list[Problem] = []
    if attributes and count > int(persons[PERSON].nunique().execute()):
        repeated = persons.group_by(PERSON).having(_.count() > 1).aggregate(n=_.count())
        columns = [mapped.column for mapped in source.attributes.values()]
        problems.append(
            _duplicates(
                rows.semi_join(repeated, PERSON),
                place,
                needed="the same attributes in every row of a person",
                remedy="ask which row holds, or map attributes from a file with one row per person",
                columns=columns,
            )
        )
    if source.layout == "wide":
        repeated = rows.group_by([FILE, PERSON]).having(_.count() > 1)
        again = rows.semi_join(repeated.aggregate(n=_.count()), [FILE, PERSON])
        if int(again.count().execute()):
            problems.append(
                _duplicates(
                    again,
                    place,
                    needed="one row per person in each file",
                    remedy="ask which row holds, or use layout 'snapshots'",
                    columns=source.person.columns,
                )
            )
    refuse_if(problems)
    merged = int(rows.count().execute()) - count if source.layout == "persons" else 0
    return persons, {"same_person": merged} if merged else {}


def _duplicates(
    rows: ibis.Table, place: Place, *, needed: str, remedy: str, columns: Sequence[str]
) -> Problem:
    """A duplicate person, told by the number of persons and of rows."""
    n_persons = int(rows[PERSON].nunique().execute())
    n_rows = int(rows.count().execute())
    files = rows.select(FILE).distinct().order_by(FILE)[FILE].execute()
    return Problem(
        what=place.say([int(n) for n in files], columns),
        needed=needed,
        found=f"{counted(n_persons, 'duplicate person')} in {counted(n_rows, 'row')}",
        remedy=remedy,
    )
