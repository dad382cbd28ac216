"""Do the sources speak of the same persons: a source whose rows go unheard is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ibis

from whatworks.sources.layout import REASON, required
from whatworks.sources.problems import Problem, counted
from whatworks.sources.reading import Reading
from whatworks.vocabulary import PERSON

MOST_STRANGERS: Final = 0.05
"""Of the rows that say something: more of them about persons unknown elsewhere is a join that fails."""
_NOUNS: Final = {"rows": "row", "person_months": "cell"}
_PADDING: Final = r"^[\s0]+|\s+$"
"""What producers add to an identifier or take from it: spaces, and zeros before."""


def before_persons(reading: Reading) -> tuple[int, dict[str, int]]:
    """Count what a source of events says, and what was left of it before persons are compared.

    Parameters
    ----------
    reading : Reading
        Its ``events`` are not None.

    Returns
    -------
    before : int
        Rows of its files, or cells in layout ``wide``.
    dropped : dict
        Of them, left behind per reason.
    """
    if reading.unit != "rows" and reading.events is not None:
        return int(reading.events.count().execute()), dict(reading.events_dropped)
    before = sum(file.rows for file in reading.files)
    return before, {**reading.rows_dropped, **reading.events_dropped}


def unheard(
    readings: Sequence[Reading], persons: ibis.Table, counts: Mapping[str, int]
) -> list[Problem]:
    """Find the sources of events of which nothing is kept, or whose persons are others.

    Parameters
    ----------
    readings : sequence of Reading
    persons : ibis.Table
        Those of the study.
    counts : mapping of source to events kept

    Returns
    -------
    list of Problem
    """
    problems = []
    for reading in readings:
        if reading.events is None:
            continue
        before, dropped = before_persons(reading)
        said, kept = before - sum(dropped.values()), counts.get(reading.name, 0)
        if not said:
            problems.append(_nothing(reading, before, dropped))
            continue
        few = said - kept <= MOST_STRANGERS * said or reading.source.strangers == "count"
        if not (kept and few):
            problems.append(_strangers(reading, readings, persons, of=said, kept=kept))
    return problems


def _nothing(reading: Reading, before: int, dropped: Mapping[str, int]) -> Problem:
    left = ", ".join(f"{reason} {count:,}" for reason, count in dropped.items() if count)
    column = None if reading.source.code is None else reading.source.code.column
    return Problem(
        what=_place(reading, column),
        needed="at least one row that tells of a state",
        found=f"{counted(before, _NOUNS[reading.unit])}, all left out ({left})",
        remedy="correct what decides of those reasons in the mapping (code.values and code.none,"
        " the two dates, coverage), or take the source out of it",
    )


def _strangers(
    reading: Reading, readings: Sequence[Reading], persons: ibis.Table, *, of: int, kept: int
) -> Problem:
    """Rows about persons unknown to the sources with attributes, and whether padding explains it."""
    events = required(reading.events)
    named = events.filter(events[REASON].isnull()).select(PERSON).distinct()
    others = named.anti_join(persons, PERSON)
    close = _bare(others).semi_join(_bare(persons), PERSON).count().execute()
    total = counted(int(named.count().execute()), "person")
    givers = [r for r in readings if r.source.attributes]
    known = ", ".join(_place(r, r.source.person.column) for r in givers)
    remedy = (
        "write identifiers the same way in both (leading zeros, spaces, length), or correct"
        " person.column"
    )
    if kept:
        remedy += (
            "; if these rows are truly of other persons, write strangers = 'count' to leave them"
            " out and count them"
        )
    return Problem(
        what=_place(reading, reading.source.person.column),
        needed=f"persons that are in {known}"
        + (f", but for at most {MOST_STRANGERS:.0%} of rows" if kept else ""),
        found=f"{of - kept:,} of {counted(of, _NOUNS[reading.unit])} about"
        f" {int(others.count().execute()):,} of {total} that are not there"
        + (f"; {int(close):,} of them would be, leading zeros and spaces aside" if close else ""),
        remedy=remedy,
    )


def _bare(persons: ibis.Table) -> ibis.Table:
    """Identifiers without their padding, once each."""
    return persons.select(**{PERSON: persons[PERSON].re_replace(_PADDING, "")}).distinct()


def _place(reading: Reading, column: str | None) -> str:
    names = [file.name for file in reading.files]
    files = names[0] if len(names) == 1 else counted(len(names), "file")
    return f"source {reading.name!r}, {files}" + (f", column {column!r}" if column else "")
