"""Rows of a source that could not be used: unmapped code, end before start, impossible overlap."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.case import Case, Criterion, Reading

UNUSABLE: Final = ("unmapped_code", "end_before_start", "impossible_overlap")
"""Reasons of the reading ledger that say that a row is wrong, and not merely of no use here."""


def read(case: Case) -> tuple[Reading, ...]:
    """Share of rows, for each source."""
    readings = []
    for step in case.measured.panel.ledger.steps:
        if step.room == "sources" and step.name in case.sources and step.before:
            lost = sum(n for reason, n in step.dropped if reason in UNUSABLE)
            readings.append(Reading(value=lost / step.before, sources=(step.name,)))
    return tuple(readings)


CRITERION: Final = Criterion(
    name="dropped_rows",
    read=read,
    found="{measured:.1%} of the source's rows unusable",
    needed="at most {threshold:.1%}",
    remedy="have the producer correct them, or map the codes left out",
)
