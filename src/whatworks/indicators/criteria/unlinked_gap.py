"""Difference between arms in the share of persons that no link was found for."""

from __future__ import annotations

from typing import Final

import pandas as pd

from whatworks.indicators.case import CELL, Case, Criterion, Reading
from whatworks.indicators.linkage import by_arm
from whatworks.indicators.measured import ARM, PERSONS, TERRITORY
from whatworks.vocabulary import MONTH, SOURCE


def read(case: Case) -> tuple[Reading, ...]:
    """Largest share of an arm less the smallest, arms of few persons left out."""
    rates = by_arm(case.measured.panel)
    large = rates[rates["persons"] >= case.gate.smallest_cell]
    if len(large) < 2:
        return ()
    unlinked = 1.0 - large["link_rate"]
    cells = pd.DataFrame(
        {
            SOURCE: "",
            MONTH: pd.NA,
            TERRITORY: "",
            ARM: large["group"],
            PERSONS: large["persons"],
            "measured": unlinked,
        }
    )[list(CELL)]
    worst = str(large["group"].iloc[int(unlinked.to_numpy().argmax())])
    return (Reading(value=float(unlinked.max() - unlinked.min()), arm=worst, cells=cells),)


CRITERION: Final = Criterion(
    name="unlinked_gap",
    read=read,
    found="shares of persons without a link that differ by {measured:.1%} between arms",
    needed="at most {threshold:.0%}",
    remedy="find why one arm is linked less well, and complete its identities",
)
