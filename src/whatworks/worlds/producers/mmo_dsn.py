"""Yearly files of contracts from employers' declarations.

A contract is in the file of every year in which it has a day, as that year ended: one that was still
running then has no end or a planned one, which a later year corrects. Habits: ends never declared;
temporary contracts of work integration without its code, known by their employer only; training
stages that look like jobs; a few rows that end before they start, a few repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from whatworks.worlds.pathways import CODES, RUNNING
from whatworks.worlds.producers.allstat_fr6 import midas
from whatworks.worlds.producers.extract import Extract
from whatworks.worlds.producers.files import File, delimited, iso

YEARS: Final = ((12, 23), (24, 35), (36, 47))
"""First and last month of each file, counted from the world's first."""
UNDECLARED: Final = 9
"""One temporary contract in so many has an end that is never declared."""
SHORTENED: Final = 30
"""Days by which a planned end exceeds the true one, where a year closes in between."""
SIAE: Final = "00000000000017"
EMPLOYER: Final = "00000000000025"
STAGES, TRAININGS, TERRITORIES, REVERSED, REPEATED = 6, 4, 3, 3, 2
"""In the last file: rows of stages, of training, of zero-unemployment territories (98), rows that
end before they start, rows written twice."""
_HEADER: Final = (
    *("id_midas", "L_Contrat_SQN", "Siret_AF", "Siret_UT", "DebutCTT", "FinCTT", "Nature"),
    *("DispPolitiquePublique", "ModeExercice", "MotifRupture", "Salaire_Base"),
)
_SIGNS: Final = {"cdi": ("01", "99"), "cdd": ("02", "99"), "interim": ("03", "99")}


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract as it truly was; ``end`` is None while it runs or when nobody declared it."""

    number: int
    person: int
    code: str
    start: int
    end: int | None


def files(extract: Extract) -> Iterator[File]:
    """A file a year, and the list of approved structures."""
    held = tuple(contracts(extract))
    for first, last in YEARS:
        opening = int(extract.calendar.day(first))
        closing = int(extract.calendar.day(last + 1)) - 1
        rows = [_row(c, closing) for c in held if _has_a_day(c, opening, closing)]
        if last == YEARS[-1][1]:
            rows += _disguised(opening)
            rows += rows[:REPEATED]
        yield delimited(f"mmo_{extract.label(last)}.csv", _HEADER, rows)
    yield delimited("siae.csv", ("siret", "type"), [(SIAE, "ETTI")])


def contracts(extract: Extract) -> Iterator[Contract]:
    """Yield the contracts of the pathways with a day in the window."""
    held = extract.world.pathways.contracts
    opening = int(extract.calendar.day(YEARS[0][0]))
    closing = int(extract.calendar.day(YEARS[-1][1] + 1)) - 1
    for number, (person, code, start, end) in enumerate(
        zip(*(c.tolist() for c in (held.person, held.code, held.start, held.end)), strict=True)
    ):
        if start > closing or end < opening:
            continue
        lost = CODES[code] == "interim" and number % UNDECLARED == 0
        known = None if end == RUNNING or lost else end
        yield Contract(number + 1, person, CODES[code], start, known)


def is_temporary(person: int) -> bool:
    """Whether a person works in a temporary-work structure of work integration."""
    return person % 2 == 1


def _has_a_day(contract: Contract, opening: int, closing: int) -> bool:
    end = contract.end
    return contract.start <= closing and (end is None or end >= opening)


def _row(contract: Contract, closing: int) -> tuple[str, ...]:
    nature, device = _signs(contract)
    employer = SIAE if (nature, contract.code) == ("03", "iae") else EMPLOYER
    return _cells(contract, (employer, nature, device), _end_known(contract, closing))


def _signs(contract: Contract) -> tuple[str, str]:
    if contract.code == "aided":
        return "02", ("21", "41")[contract.person % 2]
    if contract.code == "iae":
        return ("03", "99") if is_temporary(contract.person) else ("02", "71")
    return _SIGNS[contract.code]


def _end_known(contract: Contract, closing: int) -> str:
    """End as the file of a year knows it."""
    if contract.end is None or (contract.end > closing and contract.code == "cdi"):
        return ""
    if contract.end > closing:
        return iso(contract.end + (SHORTENED if contract.number % 5 == 0 else 0))
    return iso(contract.end)


def _cells(contract: Contract, signs: tuple[str, str, str], end: str) -> tuple[str, ...]:
    employer, nature, device = signs
    return (
        *(midas(contract.person), str(contract.number), employer, EMPLOYER),
        *(iso(contract.start), end, nature, device, "10", "031" if end else "", "18250.40"),
    )


def _disguised(opening: int) -> list[tuple[str, ...]]:
    """Rows that are no ordinary job, and rows at fault."""
    rows = []
    signs = (
        *[("29", "99")] * STAGES,
        *[("02", "92")] * TRAININGS,
        *[("01", "98")] * TERRITORIES,
        *[("02", "99")] * REVERSED,
    )
    for k, (nature, device) in enumerate(signs):
        length = -5 if k >= len(signs) - REVERSED else 45
        start = opening + 7 * k
        row = Contract(90_000 + k, 8 * k, "", start, start + length)
        rows.append(_cells(row, (EMPLOYER, nature, device), iso(start + length)))
    return rows


def territory_contracts(extract: Extract) -> Iterator[Contract]:
    """Yield the contracts of zero-unemployment territories."""
    opening = int(extract.calendar.day(YEARS[-1][0]))
    for k in range(STAGES + TRAININGS, STAGES + TRAININGS + TERRITORIES):
        start = opening + 7 * k
        yield Contract(90_000 + k, 8 * k, "tzcld", start, start + 45)
