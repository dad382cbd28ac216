"""Months in which the share of persons in a state jumps, and nobody declared why."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from whatworks.indicators.case import Case, Criterion, Reading
from whatworks.months import to_index, to_label

MAD_TO_SD: Final = 1.4826
"""Of a normal distribution: standard deviation over median absolute deviation."""


def read(case: Case) -> tuple[Reading, ...]:
    """Number of jumps without a declared break, for each kind with a long series."""
    readings = []
    for kind in case.indicator.kinds:
        covering = case.measured.covering((kind,))
        sources = tuple(sorted({c.source for c in covering}))
        series = case.measured.by_month(kind)
        known = series[series["known"] >= case.gate.volatility.fewest_persons]
        if len(known) < case.gate.volatility.fewest_months:
            continue
        first, last = case.measured.window
        declared = {
            to_index(b.month) for s in sources for b in case.gate.breaks_between(s, first, last)
        }
        jumps = [m for m in _jumps(case, known) if m not in declared]
        readings.append(
            Reading(
                value=float(len(jumps)),
                sources=sources,
                facts={"jumps": ", ".join(map(to_label, jumps))},
            )
        )
    return tuple(readings)


def _jumps(case: Case, known: pd.DataFrame) -> list[int]:
    """Months whose change from the month before is beyond so many robust standard deviations."""
    share = (known["in"] / known["known"]).to_numpy(float)
    months = known.index.to_numpy()
    change = np.diff(share)[np.diff(months) == 1]
    arrived = months[1:][np.diff(months) == 1]
    centre = np.median(change)
    usual = MAD_TO_SD * float(np.median(np.abs(change - centre)))
    rule = case.gate.volatility
    size = np.abs(change - centre)
    far = (size > rule.robust_sd * usual) & (size >= rule.smallest_jump)
    return [int(m) for m in arrived[far]]


CRITERION: Final = Criterion(
    name="volatility",
    read=read,
    found="{measured:.0f} month(s) that jump without a declared event: {jumps}",
    needed="at most {threshold:.0f}",
    remedy="find what happened in these months, and declare it under [[breaks]] in the gate file",
)
