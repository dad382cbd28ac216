"""PASS IAE: two years of right to be hired by structures of work integration.

Habits: ``2040-01-01`` where no end is known; a stock taken over on one day; approvals of an older
regime in the same table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from whatworks.worlds.producers.asp_fluxiae import hashed
from whatworks.worlds.producers.extract import Extract
from whatworks.worlds.producers.files import File, delimited, iso

SENTINEL: Final = "2040-01-01"
DAYS: Final = 730
STOCK, OLDER = 5, 4
"""Rows taken over on one day, and approvals of the older regime."""


def files(extract: Extract) -> Iterator[File]:
    """Approvals, and the candidates they lead to."""
    rows = [
        (str(person + 1), "PASS IAE (99999)", iso(start), end, "0")
        for person, start, end in passes(extract)
    ]
    day = int(extract.calendar.day(15))
    rows += [(str(k + 1), "PASS IAE (99999)", iso(day), iso(day + DAYS), "1") for k in range(STOCK)]
    rows += [(str(k + 1), "Agrément PE", iso(day), iso(day + DAYS), "0") for k in range(OLDER)]
    numbered = [(f"P{k + 1}", *row) for k, row in enumerate(rows)]
    header = ("id", "id_candidat", "type", "date_début", "date_fin", "injection_ai")
    yield delimited("pass_agrements.csv", header, numbered, separator=",")
    people = [(str(person + 1), hashed(person)) for person in extract.persons]
    yield delimited("candidats.csv", ("id", "hash_nir"), people, separator=",")


def passes(extract: Extract) -> Iterator[tuple[int, int, str]]:
    """Yield person, first day, and the end as it is written."""
    for person in extract.persons:
        if extract.accompaniment(person) in ("work_integration", "intensive_integrated"):
            start, _ = extract.stay(person)
            yield person, start, SENTINEL if person % 3 == 0 else iso(start + DAYS - 1)
