"""Presence in ordinary employment, and months spent in it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import ibis

from whatworks.indicators.record import Indicator
from whatworks.panel.record import Panel
from whatworks.vocabulary import Kind, Nature, state_column

PROGRAMME_CONTRACTS: Final = ("aided", "iae")
"""Contracts that are themselves an accompaniment: they cannot be its result."""


def presence(panel: Panel) -> ibis.Value:
    """1 when at least one day of the month is under an ordinary contract."""
    ordinary = [
        panel.table[state_column(Kind.EMPLOYMENT, code)]
        for code in panel.states[Kind.EMPLOYMENT]
        if code not in PROGRAMME_CONTRACTS
    ]
    return (ibis.greatest(*ordinary) > 0).cast("int32")


SWITCHES: Final = MappingProxyType(
    {
        "counted": "at_least_one_day",
        "aided_contracts": "excluded",
        "work_integration_contracts": "excluded",
        "temporary_work": "included",
        "self_employment": "not_observed",
    }
)

INDICATORS: Final = (
    Indicator(
        id="employment_presence",
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.EMPLOYMENT,),
        monthly=presence,
        switches=SWITCHES,
    ),
    Indicator(
        id="months_in_employment",
        nature=Nature.OUTCOME,
        unit="months",
        kinds=(Kind.EMPLOYMENT,),
        monthly=presence,
        accumulates=True,
        switches=SWITCHES,
    ),
)
