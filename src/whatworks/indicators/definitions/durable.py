"""Durable employment: one definition among several, under its own identifier."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import ibis

from whatworks.indicators.record import Indicator
from whatworks.panel.record import Panel
from whatworks.vocabulary import Kind, Nature, state_column

SIX_MONTHS: Final = 183
"""Days of a fixed term that counts as six months."""


def durable(panel: Panel) -> ibis.Value:
    """1 when the month has a day of a permanent contract, or of a fixed term of six months or more."""
    permanent = panel.table[state_column(Kind.EMPLOYMENT, "cdi")] > 0
    fixed = panel.table[state_column(Kind.EMPLOYMENT, "cdd")] >= SIX_MONTHS
    return (permanent | fixed).cast("int32")


INDICATORS: Final = (
    Indicator(
        id="durable_employment",
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.EMPLOYMENT,),
        codes=(state_column(Kind.EMPLOYMENT, "cdi"), state_column(Kind.EMPLOYMENT, "cdd")),
        monthly=durable,
        switches=MappingProxyType(
            {
                "fixed_term": "six_months_or_more",
                "temporary_work": "excluded",
                "aided_contracts": "excluded",
                "work_integration_contracts": "excluded",
                "self_employment": "not_observed",
            }
        ),
    ),
)
