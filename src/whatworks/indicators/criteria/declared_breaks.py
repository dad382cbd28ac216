"""Changes of definition, coverage or rule that somebody declared inside the window."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.case import Case, Criterion, Reading


def read(case: Case) -> tuple[Reading, ...]:
    """Number of declared breaks, for each source that has some."""
    first, last = case.measured.window
    readings = []
    for source in case.sources:
        breaks = case.gate.breaks_between(source, first, last)
        if breaks:
            told = "; ".join(f"{b.month}: {b.description}" for b in breaks)
            readings.append(
                Reading(value=float(len(breaks)), sources=(source,), facts={"breaks": told})
            )
    return tuple(readings) or (Reading(value=0.0, facts={"breaks": ""}),)


CRITERION: Final = Criterion(
    name="declared_breaks",
    read=read,
    found="{measured:.0f} break(s) inside the window: {breaks}",
    needed="at most {threshold:.0f}",
    remedy="choose a window on one side of the break",
)
