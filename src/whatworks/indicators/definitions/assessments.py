"""What is known only where somebody was assessed again: obstacles, and scores of validated scales.

A second assessment is selective, so the gate asks how many had one before it lets these through.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import Final

from whatworks.indicators.definitions.income import amount
from whatworks.indicators.record import Indicator
from whatworks.vocabulary import Nature

_SWITCHES: Final = {
    "obstacles": {"counted": "obstacles_flagged_that_month", "not_assessed": "left_unknown"},
    "wellbeing": {"scale": "as_mapped", "answered_by": "person", "not_assessed": "left_unknown"},
}

INDICATORS: Final = tuple(
    Indicator(
        id=name,
        nature=Nature.OUTCOME,
        measures=(name,),
        monthly=partial(amount, measure=name),
        reassessed=True,
        switches=MappingProxyType(switches),
    )
    for name, switches in _SWITCHES.items()
)
