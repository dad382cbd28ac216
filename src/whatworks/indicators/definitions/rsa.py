"""Leaving the RSA: three consecutive months without a payment."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import ibis

from whatworks.indicators.record import Indicator
from whatworks.panel.record import Panel
from whatworks.vocabulary import MONTH, PERSON, Kind, Nature, state_column


def out_of_rsa(panel: Panel) -> ibis.Value:
    """1 when RSA was paid neither this month nor in the two before; null when one was not seen."""
    paid = panel.table[state_column(Kind.BENEFIT, "rsa")]
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    three = (paid, paid.lag(1).over(order), paid.lag(2).over(order))
    unpaid = [(month == 0).cast("int32") for month in three]
    return unpaid[0] * unpaid[1] * unpaid[2]


INDICATORS: Final = (
    Indicator(
        id="rsa_exit",
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.BENEFIT,),
        codes=(state_column(Kind.BENEFIT, "rsa"),),
        monthly=out_of_rsa,
        looks_back=2,
        switches=MappingProxyType(
            {"months_unpaid": "three", "suspension": "counts_as_unpaid", "unit": "person"}
        ),
    ),
)
