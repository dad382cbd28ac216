"""Monthly statistical files of the family fund, in two vintages.

Habits: postcodes without their leading zero; decimal commas; a month seen first at two months, where
some of the newly opened files are missing, then at six months; rows with a paying state and nothing
paid; households of other benefits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from whatworks.worlds.producers.extract import COMMUNES, Extract
from whatworks.worlds.producers.files import File, delimited
from whatworks.worlds.producers.household_files import (
    PAID,
    PENDING,
    SUSPENDED,
    Standing,
    standings,
)
from whatworks.worlds.registers import CENTS

MONTHS: Final = range(18, 36)
NEWEST: Final = 37
"""Month of the newest vintage."""
EARLY, SETTLED = 2, 6
"""Months after which a month is seen, first provisionally and then for good."""
BOTH: Final = range(26, 32)
"""Months delivered in both vintages."""
LATE: Final = 3
"""One person in so many opens too late for the first vintage."""
_HEADER: Final = (
    *("id_midas", "NUMCAF", "NORDALLC", "DTREFFRE", "RSAVERS", "MTRSAVER"),
    *("CODEPOSD", "TOPCONJ", "TRIMRSA"),
)


def files(extract: Extract) -> Iterator[File]:
    """A file per month and vintage, and the crosswalk of postcodes."""
    for month in MONTHS:
        if month + SETTLED <= NEWEST:
            yield _file(extract, month, month + SETTLED)
        if month + SETTLED > NEWEST or month in BOTH:
            yield _file(extract, month, month + EARLY)
    rows = [(post, f"ZE{k + 1:02d}", "00") for k, (_, post) in enumerate(COMMUNES)]
    yield delimited("codes_postaux.csv", ("CODEPOS", "ZE", "DEP"), rows)


def midas(person: int) -> str:
    """Number of a person in the research files."""
    return f"M{person + 1:06d}"


def _file(extract: Extract, month: int, vintage: int) -> File:
    rows = []
    for person in extract.persons:
        held = next((s for s in standings(extract, person, MONTHS) if s.month == month), None)
        early = vintage == month + EARLY
        if early and person % LATE == 2 and _just_opened(extract, person, month):
            continue
        row = _row(extract, person, month, held)
        if row is not None:
            rows.append(row)
    name = f"allstat_fr6_{extract.compact(month)}_v{extract.compact(vintage)}.csv"
    return delimited(name, _HEADER, rows)


def _just_opened(extract: Extract, person: int, month: int) -> bool:
    paid = extract.world.pathways.rsa[:, person]
    return bool(paid[month] and not paid[month - 1])


def _row(
    extract: Extract, person: int, month: int, held: Standing | None
) -> tuple[str, ...] | None:
    if held is None:
        if person % 12:
            return None
        state, cents = "0", 0
    elif held.state == PAID:
        state, cents = "CLJE"[person % 4], int(CENTS[int(extract.world.persons.children[person])])
    elif held.state in SUSPENDED:
        state, cents = "STU"[month % 3], 0
    elif held.state == PENDING:
        state, cents = "C", 0
    else:
        return None
    _, postcode = extract.commune(person)
    return (
        *(midas(person), "001", f"{7000 + person}", extract.compact(month), state),
        *(f"{cents // 100},{cents % 100:02d}", str(int(postcode)), "1", f"{month % 3 + 1}"),
    )
