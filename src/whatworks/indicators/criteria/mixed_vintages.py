"""Months that a later vintage may still change, beside months that are definitive."""

from __future__ import annotations

from typing import Final

import numpy as np

from whatworks.indicators.case import Case, Criterion, Reading


def read(case: Case) -> tuple[Reading, ...]:
    """Share of months not definitive: of the window, or of those one comparison reads.

    Over a window it is noted; within one comparison, months of both sorts are refused together.
    """
    if not any(c.unsettled is not None for c in case.coverage):
        return ()
    first, last = case.measured.window
    shift = 0 if case.horizon is None else case.horizon
    begin, stop = (first, last) if case.horizon is None else case.cohort
    months = np.arange(begin + shift, stop + shift + 1)
    readings = []
    for c in case.coverage:
        seen = months[(months >= c.first) & (months <= c.last)]
        if seen.size == 0:
            continue
        share = float((seen > case.settled(c)).mean())
        readings.append(
            Reading(
                value=share,
                sources=(c.source,),
                refusable=case.horizon is not None and 0 < share < 1,
            )
        )
    return tuple(readings)


CRITERION: Final = Criterion(
    name="mixed_vintages",
    read=read,
    found="{measured:.1%} of the months compared may still change with the next vintage",
    needed="months that are all definitive, or all provisional",
    remedy="end the cohort earlier, or wait for the vintage that settles them",
)
