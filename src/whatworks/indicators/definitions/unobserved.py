"""Outcomes that matter and that files of the persons served cannot show: asking is answered why."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.record import Indicator
from whatworks.vocabulary import Nature

INDICATORS: Final = tuple(
    Indicator(id=name, nature=Nature.UNOBSERVED)
    for name in (
        "non_take_up",
        "health",
        "isolation",
        "power_to_act",
        "social_participation",
        "living_standard",
    )
)
