"""Persons assessed once and never again, where only a second assessment can show a change."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.case import Case, Criterion, Reading


def read(case: Case) -> tuple[Reading, ...]:
    """Share of assessed persons, for each measure that exists only by assessment."""
    if not case.indicator.reassessed:
        return ()
    table = case.measured.reassessed
    table = table[table["measure"].isin(case.indicator.measures) & (table["persons"] > 0)]
    return tuple(
        Reading(value=1.0 - float(again) / float(persons))
        for persons, again in zip(table["persons"], table["again"], strict=True)
    )


CRITERION: Final = Criterion(
    name="not_reassessed",
    read=read,
    found="{measured:.1%} of assessed persons never assessed again",
    needed="at most {threshold:.0%}",
    remedy="have those persons assessed again, those who left included",
)
