"""What is read on leavers only, or on those still followed: it describes them and carries no effect.

The denominator is itself chosen by the programme and by whoever leaves it, and a clock that starts at
the exit ignores the months in which an accompaniment keeps people from looking for work.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from whatworks.indicators.record import Indicator
from whatworks.vocabulary import Nature

_DENOMINATORS: Final = {
    "dynamic_exits_iae": "exits_that_count",
    "positive_exits_of_leavers": "leavers",
    "employment_after_exit": "leavers",
    "access_of_those_still_followed": "persons_with_months_of_follow_up",
}

INDICATORS: Final = tuple(
    Indicator(
        id=name,
        nature=Nature.DESCRIPTION,
        switches=MappingProxyType({"denominator": denominator, "use": "description_only"}),
    )
    for name, denominator in _DENOMINATORS.items()
)
