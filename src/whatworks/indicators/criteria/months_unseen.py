"""Months of the window that no source of a needed kind covers."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.case import Case, Criterion, Reading


def read(case: Case) -> tuple[Reading, ...]:
    """Share of the window, for each kind."""
    first, last = case.measured.window
    window = set(range(first, last + 1))
    readings = []
    for kind in case.indicator.kinds:
        covering = case.measured.covering((kind,))
        seen = {m for c in covering for m in range(c.first, c.last + 1)}
        readings.append(
            Reading(
                value=len(window - seen) / len(window),
                sources=tuple(sorted({c.source for c in covering})),
            )
        )
    return tuple(readings)


CRITERION: Final = Criterion(
    name="months_unseen",
    read=read,
    found="{measured:.1%} of the window's months unseen",
    needed="at most {threshold:.0%}",
    remedy="shorten the window or obtain the missing months",
)
