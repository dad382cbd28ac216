"""Persons without a labour market."""

from __future__ import annotations

from typing import Final

import pandas as pd

from whatworks.indicators.case import CELL, Case, Criterion, Reading
from whatworks.indicators.measured import ARM, PERSONS, TERRITORY, UNPLACED
from whatworks.vocabulary import MARKET, MONTH, SOURCE, ZONE


def read(case: Case) -> tuple[Reading, ...]:
    """Share of persons (of person-months where territories change by month), by arm."""
    panel = case.measured.panel
    if ZONE in panel.table.columns:
        rows = case.measured.counts[[TERRITORY, ARM, PERSONS]]
    elif MARKET in panel.attributes:
        rows = case.measured.people[[TERRITORY, ARM, PERSONS]]
    else:
        return ()
    whole = rows.groupby(ARM)[PERSONS].sum()
    lost = rows[rows[TERRITORY] == UNPLACED].groupby(ARM)[PERSONS].sum()
    share = lost.reindex(whole.index, fill_value=0) / whole
    cells = pd.DataFrame(
        {
            SOURCE: "",
            MONTH: pd.NA,
            TERRITORY: "",
            ARM: whole.index,
            PERSONS: whole.to_numpy(),
            "measured": share.to_numpy(),
        }
    )[list(CELL)]
    return (Reading(value=float(lost.sum() / max(whole.sum(), 1)), cells=cells),)


CRITERION: Final = Criterion(
    name="missing_key",
    read=read,
    found="{measured:.1%} of persons without a market",
    needed="at most {threshold:.0%}",
    remedy="complete the attribute 'market' in its source",
)
