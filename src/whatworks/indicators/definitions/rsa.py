"""Leaving the RSA: consecutive months without a payment."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import ibis

from whatworks.indicators.record import Indicator
from whatworks.panel.record import Panel
from whatworks.vocabulary import MONTH, PERSON, Kind, Nature, state_column

_SPELLED: Final = {3: "three", 6: "six"}


def unpaid_since(panel: Panel, *, months: int) -> ibis.Value:
    """1 when RSA was paid neither this month nor in those before; null when one was not seen."""
    paid = panel.table[state_column(Kind.BENEFIT, "rsa")]
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    unpaid: ibis.Value = (paid == 0).cast("int32")
    for back in range(1, months):
        unpaid = unpaid * (paid.lag(back).over(order) == 0).cast("int32")
    return unpaid


def out_of_rsa(panel: Panel) -> ibis.Value:
    """1 after three months without a payment."""
    return unpaid_since(panel, months=3)


def long_out_of_rsa(panel: Panel) -> ibis.Value:
    """1 after six months without a payment."""
    return unpaid_since(panel, months=6)


def closed(panel: Panel) -> ibis.Value:
    """1 when RSA was neither paid nor suspended this month and the two before."""
    suspended = panel.table[state_column(Kind.BENEFIT, "rsa_suspended")]
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    gone = out_of_rsa(panel)
    for back in range(3):
        then = suspended if back == 0 else suspended.lag(back).over(order)
        gone = gone * (then == 0).cast("int32")
    return gone


_CLOSED: Final = Indicator(
    id="rsa_exit_closed",
    nature=Nature.OUTCOME,
    unit="pp",
    kinds=(Kind.BENEFIT,),
    codes=(
        state_column(Kind.BENEFIT, "rsa"),
        state_column(Kind.BENEFIT, "rsa_suspended"),
    ),
    monthly=closed,
    looks_back=2,
    switches=MappingProxyType(
        {"months_unpaid": "three", "suspension": "not_an_exit", "unit": "person"}
    ),
)
_UNPAID: Final = tuple(
    Indicator(
        id=name,
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.BENEFIT,),
        codes=(state_column(Kind.BENEFIT, "rsa"),),
        monthly=monthly,
        looks_back=months - 1,
        switches=MappingProxyType(
            {
                "months_unpaid": _SPELLED[months],
                "suspension": "counts_as_unpaid",
                "unit": "person",
            }
        ),
    )
    for name, months, monthly in (("rsa_exit", 3, out_of_rsa), ("rsa_exit_6", 6, long_out_of_rsa))
)

INDICATORS: Final = (*_UNPAID, _CLOSED)
