"""Registrations at the employment service and reduced activity, in two successive extracts.

A person is registered in the months in which no ordinary contract is held or RSA is paid; working
while registered is reduced activity. Habits: ends *excluded*; numbers of registrations that change
between extracts; a new row after a move or a passage to category D; registrations cancelled the
day they began; several declarations of one month.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from whatworks.worlds.producers.allstat_fr6 import midas
from whatworks.worlds.producers.extract import FIRST, LAST, Extract
from whatworks.worlds.producers.files import File, delimited, iso

EXTRACTS: Final = (35, LAST)
"""Months in which the extracts were made."""
CANCELLED: Final = 15
"""One person in so many has a registration cancelled the day it began."""
_DE: Final = (
    *("id_midas", "NDEM", "DATINS", "DATANN", "CATREGR", "MOTINS", "MOTANN"),
    *("DEPCOM", "SEXE", "DATNAIS"),
)


@dataclass(frozen=True, slots=True)
class Registration:
    """Months registered, both included, counted from the world's first, and the category."""

    person: int
    first: int
    last: int
    category: str


def files(extract: Extract) -> Iterator[File]:
    """Registrations and reduced activity of each extract."""
    for known in EXTRACTS:
        vintage = extract.compact(known)
        yield delimited(f"DE_{vintage}.csv", _DE, _registrations(extract, known))
        header = ("id_midas", "MOIS", "NBHEUR")
        yield delimited(f"E0_{vintage}.csv", header, _activity(extract, known))


def registrations(extract: Extract, person: int) -> Iterator[Registration]:
    """Yield the registrations of a person with a month in the window, in order."""
    for first, last in _runs(extract, person):
        if last < FIRST or first > LAST:
            continue
        seeking = "123"[person % 3]
        if person % 7 == 2 and last - first >= 6 and last < LAST:
            yield Registration(person, first, last - 2, seeking)
            yield Registration(person, last - 1, last, "4")
        elif person % 4 == 1 and last - first >= 6:
            middle = (first + last) // 2
            yield Registration(person, first, middle, seeking)
            yield Registration(person, middle + 1, last, seeking)
        else:
            yield Registration(person, first, last, seeking)


def hours(person: int, month: int) -> int:
    """Hours declared by a person who worked while registered; some at the bound of category B."""
    return 78 if (person + month) % 23 == 0 else (37 * person + 11 * month) % 201


def _runs(extract: Extract, person: int) -> Iterator[tuple[int, int]]:
    """First and last month of each time on the list."""
    lived = extract.world.pathways
    listed = ~lived.employed[:, person] | lived.rsa[:, person]
    first = None
    for month, on in enumerate([*listed.tolist(), False]):
        if on and first is None:
            first = month
        elif not on and first is not None:
            yield first, month - 1
            first = None


def _registrations(extract: Extract, known: int) -> Iterator[tuple[str, ...]]:
    """Rows as known at the end of a month."""
    calendar = extract.calendar
    for person in extract.persons:
        held = [r for r in registrations(extract, person) if r.first <= known]
        for position, row in enumerate(held):
            begun = position and held[position - 1].last == row.first - 1
            start = int(calendar.day(row.first)) + (0 if begun else 3)
            end = iso(int(calendar.day(row.last + 1))) if row.last < known else ""
            yield _row(extract, row, (len(held) - position, iso(start), end))
        if person % CANCELLED == 4:
            day = iso(int(calendar.day(FIRST + 5)) + 8)
            yield _row(extract, Registration(person, FIRST, FIRST, "1"), (0, day, day))


def _row(extract: Extract, row: Registration, dates: tuple[int, str, str]) -> tuple[str, ...]:
    number, start, end = dates
    who = extract.identities[row.person]
    return (
        *(midas(row.person), str(number), start, end, row.category, "02", "09" if end else ""),
        extract.commune(row.person)[0],
        *("1" if who.sex == "M" else "2", f"{who.born[:8]}15"),
    )


def _activity(extract: Extract, known: int) -> Iterator[tuple[str, ...]]:
    """Rows of reduced activity: some declared twice, some corrected upwards."""
    employed = extract.world.pathways.employed
    for person in extract.persons:
        for held in registrations(extract, person):
            if held.category == "4":
                continue
            for month in range(max(held.first, FIRST), min(held.last, known) + 1):
                if employed[month, person]:
                    yield from _declared(extract, person, month)


def _declared(extract: Extract, person: int, month: int) -> Iterator[tuple[str, ...]]:
    number = hours(person, month)
    row = (midas(person), extract.compact(month), str(number))
    if (person + month) % 9 == 0 and number:
        yield (*row[:2], str(number // 2))
    yield row
    if (person + month) % 20 == 0:
        yield row
