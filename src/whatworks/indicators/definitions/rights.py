"""Access to rights: a benefit other than the RSA opened since entry."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import ibis

from whatworks.indicators.definitions.employment import any_of, begins
from whatworks.indicators.record import Indicator, Shown
from whatworks.panel.record import Panel
from whatworks.vocabulary import Kind, Nature, state_column

SUBSISTENCE: Final = ("rsa", "rsa_suspended")
"""Benefits whose opening is no right obtained through an accompaniment."""


def _rights(panel: Panel | Shown) -> tuple[str, ...]:
    codes = panel.states.get(Kind.BENEFIT, ())
    return tuple(state_column(Kind.BENEFIT, c) for c in codes if c not in SUBSISTENCE)


def opened(panel: Panel) -> ibis.Value:
    """1 in a month in which a right is held that was not the month before."""
    starts = [begins(any_of(panel, (column,))) for column in _rights(panel)]
    return ibis.greatest(*starts).cast("int32")


def no_right(shown: Shown) -> tuple[str, ...]:
    """What a panel that shows the RSA alone would need."""
    return () if _rights(shown) else ("benefit_other_than_rsa",)


INDICATORS: Final = (
    Indicator(
        id="rights_obtained",
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.BENEFIT,),
        monthly=opened,
        lacking=no_right,
        accumulates=True,
        ever=True,
        looks_back=1,
        switches=MappingProxyType(
            {
                "counted": "at_least_one_opening_since_entry",
                "rights": "every_mapped_benefit_but_the_rsa",
                "denominator": "everyone_who_entered",
            }
        ),
    ),
)
