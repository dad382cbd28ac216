"""Measures of what an administration does. They may serve as dose or cost, never as a result."""

from __future__ import annotations

from typing import Final

from whatworks.indicators.record import Indicator
from whatworks.vocabulary import Kind, Nature

_NATURES: Final = {
    Nature.ACTIVITY: (
        "interviews_held",
        "invitations_sent",
        "participations",
        "followups_open",
        "persons_referred",
        "contracts_signed",
        "entries_in_accompaniment",
        "approvals_issued",
        "applications_sent",
        "hires_in_work_integration",
        "aided_contracts_signed",
        "immersions",
        "sanctions",
        "removals_from_the_list",
        "caseload",
        "caseload_per_worker",
        "tool_usage",
    ),
    Nature.INPUT: (
        "credits_programmed",
        "credits_consumed",
        "places_funded",
        "full_time_equivalents",
        "hours_of_accompaniment",
        "hours_of_activity_logged",
    ),
    Nature.PROCESS: (
        "days_to_referral",
        "days_to_first_meeting",
        "trainings_entered",
        "breaks_off",
        "satisfaction",
    ),
}
_READ_OFF_STAYS: Final = {
    "days_to_first_meeting": (Kind.ACCOMPANIMENT,),
    "entries_in_accompaniment": (Kind.ACCOMPANIMENT,),
    "followups_open": (Kind.ACCOMPANIMENT,),
    "trainings_entered": (Kind.EDUCATION,),
}
"""Those that a panel of stays can show."""
_READ_OFF_MEASURES: Final = {
    "interviews_held": ("interviews_held",),
    "participations": ("participations",),
    "hours_of_accompaniment": ("hours_of_accompaniment",),
}

INDICATORS: Final = tuple(
    Indicator(
        id=name,
        nature=nature,
        kinds=_READ_OFF_STAYS.get(name, ()),
        measures=_READ_OFF_MEASURES.get(name, ()),
    )
    for nature, names in _NATURES.items()
    for name in names
)
