"""Registered joblessness: categories of the employment service, by hours worked in the month."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import Final

import ibis

from whatworks.indicators.record import Indicator
from whatworks.panel.record import Panel
from whatworks.vocabulary import Kind, Nature, state_column

_REGISTERED: Final = state_column(Kind.JOBLESSNESS, "registered")
_SHORT: Final = state_column(Kind.JOBLESSNESS, "category_b")
_LONG: Final = state_column(Kind.JOBLESSNESS, "category_c")


def registered(panel: Panel, *, category: str) -> ibis.Value:
    """1 when registered as looking for work that month, in the category given by hours worked.

    Categories of registration (1 to 3) say who must look for work; A, B and C say who worked
    meanwhile: not at all, up to 78 hours, beyond.
    """
    enrolled = panel.table[_REGISTERED] > 0
    if category == "abc":
        return enrolled.cast("int32")
    short, long = (panel.table[name] > 0 for name in (_SHORT, _LONG))
    hours = {"a": ~short & ~long, "b": short & ~long, "c": long}
    return (enrolled & hours[category]).cast("int32")


INDICATORS: Final = tuple(
    Indicator(
        id=f"registered_{category}",
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.JOBLESSNESS,),
        codes=(_REGISTERED,) if category == "abc" else (_REGISTERED, _SHORT, _LONG),
        monthly=partial(registered, category=category),
        switches=MappingProxyType(
            {
                "categories": "_".join(category),
                "hours_of_category_b": "up_to_78_as_mapped",
                "leaving_the_list": "not_read_as_employment",
            }
        ),
    )
    for category in ("a", "b", "c", "abc")
)
