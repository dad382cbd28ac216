"""Presence in employment, access to it, staying in it, and months spent in it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import ibis

from whatworks.indicators.record import Indicator, Shown
from whatworks.panel.record import Panel
from whatworks.vocabulary import MONTH, PERSON, Kind, Nature, state_column

PROGRAMME_CONTRACTS: Final = ("aided", "iae", "tzcld")
"""Contracts that are themselves an accompaniment: they cannot be its result."""
TOLD_APART: Final = ("aided", "iae")
"""Those a panel must know by name before an employment can be called unaided."""
RETENTION_MONTHS: Final = 6


def ordinary_codes(panel: Panel | Shown) -> tuple[str, ...]:
    """Codes of contracts that are nobody's programme."""
    codes = panel.states.get(Kind.EMPLOYMENT, ())
    return tuple(code for code in codes if code not in PROGRAMME_CONTRACTS)


def no_ordinary_contract(shown: Shown) -> tuple[str, ...]:
    """What a panel of programme contracts only would need."""
    return () if ordinary_codes(shown) else ("employment_outside_programmes",)


def any_of(panel: Panel, columns: tuple[str, ...]) -> ibis.Value:
    """1 when at least one of the states holds that month."""
    return (ibis.greatest(*(panel.table[name] for name in columns)) > 0).cast("int32")


def presence(panel: Panel) -> ibis.Value:
    """1 when at least one day of the month is under an ordinary contract."""
    return any_of(panel, tuple(state_column(Kind.EMPLOYMENT, c) for c in ordinary_codes(panel)))


def any_contract(panel: Panel) -> ibis.Value:
    """1 when at least one day of the month is under a contract, a programme's included."""
    return (panel.table[Kind.EMPLOYMENT] > 0).cast("int32")


def begins(monthly: ibis.Value, *, ago: int = 0) -> ibis.Value:
    """1 when so many months ago began a state; null when that month or the one before was not seen."""
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    then = monthly.lag(ago).over(order) if ago else monthly
    return then * (1 - monthly.lag(ago + 1).over(order))


def access(panel: Panel) -> ibis.Value:
    """1 in a month under an ordinary contract that follows a month without one."""
    return begins(presence(panel))


def retention(panel: Panel) -> ibis.Value:
    """1 when under an ordinary contract this month and six months before."""
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    held = presence(panel)
    return held * held.lag(RETENTION_MONTHS).over(order)


SWITCHES: Final = MappingProxyType(
    {
        "counted": "at_least_one_day",
        "aided_contracts": "excluded",
        "work_integration_contracts": "excluded",
        "temporary_work": "included",
        "self_employment": "included_where_mapped",
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
    Indicator(
        id="employment_access",
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.EMPLOYMENT,),
        monthly=access,
        lacking=no_ordinary_contract,
        accumulates=True,
        ever=True,
        looks_back=1,
        switches=MappingProxyType(
            {
                **SWITCHES,
                "counted": "at_least_one_start_since_entry",
                "start": "month_with_a_contract_after_a_month_without",
                "contract_running_at_entry": "not_counted",
            }
        ),
    ),
    Indicator(
        id="employment_retention",
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.EMPLOYMENT,),
        monthly=retention,
        lacking=no_ordinary_contract,
        looks_back=RETENTION_MONTHS,
        switches=MappingProxyType(
            {
                **SWITCHES,
                "counted": "in_employment_at_the_horizon_and_six_months_before",
                "denominator": "everyone_who_entered",
            }
        ),
    ),
    Indicator(
        id="unaided_employment",
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.EMPLOYMENT,),
        codes=tuple(state_column(Kind.EMPLOYMENT, code) for code in TOLD_APART),
        monthly=presence,
        lacking=no_ordinary_contract,
        switches=MappingProxyType({**SWITCHES, "aided_contracts": "told_apart_and_excluded"}),
    ),
    Indicator(
        id="any_employment",
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.EMPLOYMENT,),
        monthly=any_contract,
        switches=MappingProxyType(
            {
                **SWITCHES,
                "aided_contracts": "included",
                "work_integration_contracts": "included",
            }
        ),
    ),
)
