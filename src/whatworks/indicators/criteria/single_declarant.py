"""What only the evaluated operator says, and what it is paid on."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.case import Case, Criterion, Reading


def read(case: Case) -> tuple[Reading, ...]:
    """0 with a second witness, 1 with none, 2 when the operator is moreover paid on it."""
    readings = []
    for kind in case.indicator.kinds:
        single = kind in case.measured.panel.operator_declared
        paid = single and kind in case.gate.paid_on
        sources = tuple(sorted({c.source for c in case.measured.covering((kind,))}))
        readings.append(
            Reading(value=float(single) + float(paid), sources=sources, facts={"kind": kind})
        )
    return tuple(readings)


CRITERION: Final = Criterion(
    name="single_declarant",
    read=read,
    found="states of {kind} that only the evaluated operator declares",
    needed="a second, independent source where payment depends on them",
    remedy="add an independent source, such as the contracts that employers declare",
)
