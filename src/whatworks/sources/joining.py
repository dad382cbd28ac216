"""Do the sources speak of the same persons: a source whose rows go unheard is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import ibis

from whatworks.sources.layout import REASON, required
from whatworks.sources.passages import Passage
from whatworks.sources.problems import Problem, counted
from whatworks.sources.reading import Reading
from whatworks.sources.records import Acquaintance
from whatworks.sources.settling import NOUNS
from whatworks.vocabulary import PERSON

MOST_STRANGERS: Final = 0.05
"""Of the rows that say something: more of them about persons unknown elsewhere is a join that fails."""
_PADDING: Final = r"^([a-z][a-z0-9_]*:)?[\s0]+|\s+$"
"""What producers add to an identifier or take from it: spaces, and zeros before; after its space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Sources that should speak of the same persons.

    Parameters
    ----------
    readings : tuple of Reading
    givers : tuple of Reading
        Those whose persons the others should speak of; empty when nobody decides who is in.
    """

    readings: tuple[Reading, ...]
    givers: tuple[Reading, ...]

    def persons(self) -> ibis.Table:
        """Persons of the circle: those of the givers, everyone where there is none."""
        tables = [reading.persons.select(PERSON) for reading in self.givers or self.readings]
        return (ibis.union(*tables) if len(tables) > 1 else tables[0]).distinct()


def circles_of(readings: Sequence[Reading]) -> tuple[Circle, ...]:
    """Group the sources that should speak of the same persons.

    Where no source tells who persons are, nothing could ever link identifiers that differ: all
    sources are one circle, and those with attributes decide who is in. Where some do, each space is
    a circle of its own until persons are linked, and those who may be linked are in, too.

    Parameters
    ----------
    readings : sequence of Reading
    """
    if not any(reading.identities is not None for reading in readings):
        givers = tuple(r for r in readings if r.source.attributes)
        return (Circle(readings=tuple(readings), givers=givers),)
    circles = []
    for space in dict.fromkeys(reading.space for reading in readings):
        own = tuple(r for r in readings if r.space == space)
        givers = tuple(r for r in own if r.source.attributes or r.identities is not None)
        circles.append(Circle(readings=own, givers=givers))
    return tuple(circles)


def acquaintance(circles: Sequence[Circle]) -> Acquaintance:
    """Say which sources should speak of the same persons, for when persons are linked."""
    readings = [reading for circle in circles for reading in circle.readings]
    return Acquaintance(
        spaces={reading.name: reading.space for reading in readings},
        givers=frozenset(r.space for r in readings if r.source.attributes),
        lenient=frozenset(r.name for r in readings if r.source.strangers == "count"),
    )


def unheard(
    circles: Sequence[Circle], persons: ibis.Table, counts: Mapping[str, int]
) -> list[Problem]:
    """Find the sources of events of which nothing is kept, or whose persons are others.

    Parameters
    ----------
    circles : sequence of Circle
    persons : ibis.Table
        Those of the study.
    counts : mapping of source to events kept

    Returns
    -------
    list of Problem
    """
    problems = []
    for circle in circles:
        for reading in circle.readings:
            if reading.events is None or reading.source.layout == "persons":
                continue
            last = reading.passages[-1]
            kept = counts.get(reading.name, 0)
            if not last.after:
                problems.append(_nothing(reading, last))
                continue
            few = last.after - kept <= MOST_STRANGERS * last.after
            if not (kept and (few or reading.source.strangers == "count")):
                problems.append(_strangers(reading, circle, persons, of=last.after, kept=kept))
    return problems


def _nothing(reading: Reading, last: Passage) -> Problem:
    left = ", ".join(f"{reason} {count:,}" for reason, count in last.dropped.items() if count)
    code = reading.source.code
    columns = () if code is None or code.column is None else (code.column,)
    return Problem(
        what=_place(reading, columns),
        needed="at least one row that tells of a state"
        if reading.states
        else "at least one row that counts",
        found=f"{counted(last.before, NOUNS[last.unit])}, all left out ({left})",
        remedy="correct what decides of those reasons in the mapping (code.values and code.none,"
        " the two dates, coverage), or take the source out of it",
    )


def _strangers(
    reading: Reading, circle: Circle, persons: ibis.Table, *, of: int, kept: int
) -> Problem:
    """Rows about persons unknown to the sources with attributes, and whether padding explains it."""
    events = required(reading.events)
    named = events.filter(events[REASON].isnull()).select(PERSON).distinct()
    others = named.anti_join(persons, PERSON)
    close = _bare(others).semi_join(_bare(persons), PERSON).count().execute()
    total = counted(int(named.count().execute()), "person")
    known = ", ".join(_place(r, r.source.person.columns) for r in circle.givers)
    remedy = (
        "write identifiers the same way in both (leading zeros, spaces, length), or correct"
        " the columns of 'person'"
    )
    if kept:
        remedy += (
            "; if these rows are truly of other persons, write strangers = 'count' to leave them"
            " out and count them"
        )
    return Problem(
        what=_place(reading, reading.source.person.columns),
        needed=f"persons that are in {known}"
        + (f", but for at most {MOST_STRANGERS:.0%} of rows" if kept else ""),
        found=f"{of - kept:,} of {counted(of, NOUNS[reading.passages[-1].unit])} about"
        f" {int(others.count().execute()):,} of {total} that are not there"
        + (f"; {int(close):,} of them would be, leading zeros and spaces aside" if close else ""),
        remedy=remedy,
    )


def _bare(persons: ibis.Table) -> ibis.Table:
    """Identifiers without their padding, once each."""
    return persons.select(**{PERSON: persons[PERSON].re_replace(_PADDING, r"\1")}).distinct()


def _place(reading: Reading, columns: Sequence[str]) -> str:
    return reading.place.say(list(range(len(reading.files))), columns)
