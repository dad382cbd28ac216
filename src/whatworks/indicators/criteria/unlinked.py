"""Persons that no link was found for."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.case import Case, Criterion, Reading
from whatworks.indicators.linkage import overall


def read(case: Case) -> tuple[Reading, ...]:
    """Share of persons left alone."""
    rates = overall(case.measured.panel)
    if rates is None:
        return ()
    return (Reading(value=1.0 - rates.linked / max(rates.persons, 1)),)


CRITERION: Final = Criterion(
    name="unlinked",
    read=read,
    found="{measured:.1%} of persons without a link",
    needed="at most {threshold:.0%}",
    remedy="obtain better identities, such as the NIR or full birth dates, and link again",
)
