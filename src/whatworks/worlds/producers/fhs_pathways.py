"""Modalities of support at the employment service, last day *included*, in two extracts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from whatworks.worlds.producers.allstat_fr6 import midas
from whatworks.worlds.producers.extract import LAST, Extract
from whatworks.worlds.producers.files import File, delimited, iso

EXTRACTS: Final = (35, LAST)
"""Months in which the extracts were made."""
MODALITIES: Final = {
    "job_search": ("SUI", "GUI", "REN"),
    "intensive_integrated": ("GLO",),
    "access_to_rights": ("PSO",),
}


def files(extract: Extract) -> Iterator[File]:
    """The modalities known at each extract."""
    for known in EXTRACTS:
        closing = int(extract.calendar.day(known + 1))
        rows = []
        for person in extract.persons:
            modalities = MODALITIES.get(extract.accompaniment(person) or "")
            if modalities is None:
                continue
            first, last = extract.stay(person)
            if first < closing:
                modality = modalities[person % len(modalities)]
                end = iso(last) if last < closing else ""
                rows.append((midas(person), modality, iso(first), end))
        name = f"PARCOURS_{extract.compact(known)}.csv"
        yield delimited(name, ("id_midas", "PARCOURS", "JOURDV", "JOURFV"), rows)
