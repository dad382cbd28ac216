"""Links estimated to join two different persons."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.case import Case, Criterion, Reading
from whatworks.indicators.linkage import overall


def read(case: Case) -> tuple[Reading, ...]:
    """Estimated share of false links."""
    rates = overall(case.measured.panel)
    if rates is None or rates.false_link_rate is None:
        return ()
    return (Reading(value=rates.false_link_rate),)


CRITERION: Final = Criterion(
    name="false_links",
    read=read,
    found="{measured:.1%} of links estimated to be false",
    needed="at most {threshold:.0%}",
    remedy="raise the threshold of linkage, or obtain fields that tell persons apart",
)
