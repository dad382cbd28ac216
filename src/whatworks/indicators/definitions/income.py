"""Incomes of the month. Zeros are kept, and what is not known stays unknown."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import Final

import ibis

from whatworks.indicators.record import Indicator
from whatworks.panel.record import Panel
from whatworks.vocabulary import Nature, measure_column


def amount(panel: Panel, *, measure: str) -> ibis.Value:
    """The number of the month as the sources give it."""
    return panel.table[measure_column(measure)].cast("float64")


INDICATORS: Final = tuple(
    Indicator(
        id=name,
        nature=Nature.OUTCOME,
        unit="EUR/month",
        measures=(name,),
        monthly=partial(amount, measure=name),
        switches=MappingProxyType(
            {"no_income": "counts_as_zero", "not_known": "left_unknown", "earned_by": of}
        ),
    )
    for name, of in (("earnings", "person"), ("activity_income", "household_or_person_as_mapped"))
)
