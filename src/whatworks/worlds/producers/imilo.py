"""Schemes and files of the missions locales, historised.

Habits: a row per change, of which one is in force; numbers that two missions locales give to
different persons; dates ``31/12/2022``; accents in a Windows encoding; group meetings among the
schemes; a person who moves and has a second file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from whatworks.worlds.producers.extract import LAST, Extract
from whatworks.worlds.producers.files import File, delimited, french

MEETINGS: Final = 4
"""Group meetings in the last extract: not a scheme."""
_SCHEMES: Final = (
    *("ID_DISPOSITIF_INSTANCE", "ID_MISSION_LOCALE", "ID_DOSSIER", "LB_DISPOSITIF"),
    *("DtEntreeDispositifId", "DtFin", "CD_ADR_COMMUNE", "SCD_ACTIVE", "LB_CONSEILLER"),
)
_FILES: Final = (
    *("ID_MISSION_LOCALE", "ID_DOSSIER", "NOM", "NOM_NAISSANCE", "PRENOM", "DT_NAISSANCE"),
    *("CD_SEXE", "SCD_ACTIVE"),
)


def files(extract: Extract) -> Iterator[File]:
    """Schemes and personal files, of one extract."""
    vintage = extract.compact(LAST)
    young = [p for p in extract.persons if int(extract.world.persons.age_group[p]) == 0]
    rows = [row for person in young for row in _schemes(extract, person)]
    for k in range(MEETINGS):
        day = french(int(extract.calendar.day(20 + k)))
        rows.append(_scheme(extract, young[k], ("Information collective", day, day), "O"))
    numbered = [(f"D{k + 1}", *row) for k, row in enumerate(rows)]
    name = f"imilo_dispositifs_{vintage}.csv"
    yield delimited(name, _SCHEMES, numbered, encoding="cp1252")
    identities = [row for person in young for row in _identity(extract, person)]
    yield delimited(f"imilo_dossiers_{vintage}.csv", _FILES, identities, encoding="cp1252")


def file_number(extract: Extract, person: int) -> tuple[str, str]:
    """Mission locale of a person, and the number of the file there: each counts from 1."""
    market = int(extract.world.persons.market[person])
    return f"ML{market + 1}", str(1 + sum(_young_before(extract, person, market)))


def _young_before(extract: Extract, person: int, market: int) -> list[bool]:
    persons = extract.world.persons
    return [
        int(persons.age_group[p]) == 0 and int(persons.market[p]) == market for p in range(person)
    ]


def _schemes(extract: Extract, person: int) -> Iterator[tuple[str, ...]]:
    """The row in force, and two of its past: another start, and an end that was only planned."""
    if extract.accompaniment(person) != "job_search":
        return
    label = ("CEJ", "PACEA")[person % 2]
    first, last = extract.stay(person)
    closing = int(extract.calendar.day(LAST + 1))
    end = french(last) if last < closing else ""
    yield _scheme(extract, person, (label, french(first - 20), ""), "N")
    yield _scheme(extract, person, (label, french(first), french(last + 90)), "N")
    yield _scheme(extract, person, (label, french(first), end), "O")


def _scheme(
    extract: Extract, person: int, told: tuple[str, str, str], active: str
) -> tuple[str, ...]:
    return (*file_number(extract, person), *told, extract.commune(person)[0], active, "Équipe nº 2")


def _identity(extract: Extract, person: int) -> Iterator[tuple[str, ...]]:
    who = extract.identities[person]
    year, month, day = who.born.split("-")
    names = (who.usage_name, who.birth_name, who.first_name)
    end = (f"{day}/{month}/{year}", "1" if who.sex == "M" else "2")
    number = file_number(extract, person)
    if person % 2:
        yield (*number, who.birth_name, who.birth_name, who.first_name, *end, "N")
    yield (*number, *names, *end, "O")
