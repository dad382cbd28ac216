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


def ordinary_codes(panel: Panel) -> tuple[str, ...]:
    """Codes of contracts that are nobody's programme."""
    codes = panel.states.get(Kind.EMPLOYMENT, ())
    return tuple(code for code in codes if code not in PROGRAMME_CONTRACTS)


def no_ordinary_contract(panel: Panel) -> tuple[str, ...]:
    """What a panel of programme contracts only would need."""
    return () if ordinary_codes(panel) else ("employment outside programmes",)


def presence(panel: Panel) -> ibis.Value:
    """1 when at least one day of the month is under an ordinary contract."""
    ordinary = [panel.table[state_column(Kind.EMPLOYMENT, c)] for c in ordinary_codes(panel)]
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
        lacking=no_ordinary_contract,
        switches=SWITCHES,
    ),
    Indicator(
        id="months_in_employment",
        nature=Nature.OUTCOME,
        unit="months",
        kinds=(Kind.EMPLOYMENT,),
        monthly=presence,
        lacking=no_ordinary_contract,
        accumulates=True,
        switches=SWITCHES,
    ),
)
