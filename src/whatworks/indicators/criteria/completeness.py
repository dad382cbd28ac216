"""Distance between what a source shows and an independent count."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.case import Case, Criterion, Reading
from whatworks.months import to_index


def read(case: Case) -> tuple[Reading, ...]:
    """Absolute relative distance, for each count given in the gate file."""
    first, last = case.measured.window
    known = case.measured.shown.names()
    readings = []
    for count in case.gate.completeness:
        month = to_index(count.month)
        if count.source in case.sources and count.state in known and first <= month <= last:
            shown = case.measured.in_state(count.state, month)
            readings.append(
                Reading(
                    value=abs(shown - count.expected) / count.expected,
                    sources=(count.source,),
                    months=(month, month),
                    facts={
                        "counted": shown,
                        "expected": count.expected,
                        "origin": count.origin,
                    },
                )
            )
    return tuple(readings)


CRITERION: Final = Criterion(
    name="completeness",
    read=read,
    found="{counted:,} persons against {expected:,} counted by {origin}: {measured:.1%} off",
    needed="at most {threshold:.0%}",
    remedy="ask the producer which files or persons are missing from the extract",
)
