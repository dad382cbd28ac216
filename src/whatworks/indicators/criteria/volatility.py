"""Months in which the share of persons in a state jumps, and nobody declared why.

A jump that comes back in the same direction in the same month of another year is a season (schools
that end in July), and is left out. An outage of one month is two jumps, down and up; a lasting change
of level is one.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import pandas as pd

from whatworks.indicators.case import Case, Criterion, Reading
from whatworks.months import to_index, to_label

MONTHS_A_YEAR: Final = 12
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
    """Months whose change from the month before is far beyond the usual, seasons left out."""
    share = (known["in"] / known["known"]).to_numpy(float)
    months = known.index.to_numpy()
    change = np.diff(share)[np.diff(months) == 1]
    arrived = months[1:][np.diff(months) == 1]
    centre = np.median(change)
    usual = MAD_TO_SD * float(np.median(np.abs(change - centre)))
    rule = case.gate.volatility
    size = np.abs(change - centre)
    far = (size > rule.robust_sd * usual) & (size >= rule.smallest_jump)
    found = [(int(m), bool(up)) for m, up in zip(arrived[far], change[far] > centre, strict=True)]
    times = Counter((month % MONTHS_A_YEAR, up) for month, up in found)
    return [month for month, up in found if times[month % MONTHS_A_YEAR, up] == 1]


CRITERION: Final = Criterion(
    name="volatility",
    read=read,
    found="{measured:.0f} month(s) that jump without a declared event: {jumps}",
    needed="at most {threshold:.0f}",
    remedy="find what happened in these months, and declare it under [[breaks]] in the gate file",
)
