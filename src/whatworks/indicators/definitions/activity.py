"""Measures of what an administration does. They may serve as dose or cost, never as a result."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.record import Indicator
from whatworks.vocabulary import Nature

_NATURES: Final = {
    Nature.ACTIVITY: (
        "interviews_held",
        "invitations_sent",
        "participations",
        "followups_open",
        "persons_referred",
        "contracts_signed",
        "entries_in_accompaniment",
        "applications_sent",
        "trainings_entered",
        "sanctions",
        "caseload_per_worker",
        "positive_exits_of_leavers",
    ),
    Nature.INPUT: ("credits_consumed", "places_funded", "hours_of_accompaniment"),
    Nature.PROCESS: ("days_to_first_meeting", "satisfaction"),
}

INDICATORS: Final = tuple(
    Indicator(id=name, nature=nature) for nature, names in _NATURES.items() for name in names
)
