"""Where a person stands towards each accompaniment in a month, packed into one number.

The rules that make somebody treated, a comparison or neither are many and change with the question;
where people stand takes few values. So the engine writes the standing of a row as one number, and the
rules are applied to the distinct numbers, a few hundred, in ``arms.py``.

Digits of four bits, least significant first: one for each accompaniment told apart, one for all others
together, one for months not seen, one for a whole panel without any, one for the length of stay. A
digit of a type is ``2 × before + inside``: ``inside`` says whether it holds in the month, ``before``
is `NEVER`, `GONE` (more clean months than asked), `RECENT`, `RUNNING` (the month before), or `UNKNOWN`
(it will first be seen in a month in which a source begins, and may have begun long before).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import ibis
import numpy as np
from numpy.typing import NDArray

from whatworks.design.riskset.counting import Counters
from whatworks.design.riskset.reading import (
    MOST_CODES,
    Rules,
    columns_of_types,
    entries_seen_from,
    stock_months,
)
from whatworks.panel.record import Panel
from whatworks.vocabulary import MONTH, PERSON, Kind

NEVER: Final = 0
GONE: Final = 1
RECENT: Final = 2
RUNNING: Final = 3
UNKNOWN: Final = 4

LEFT: Final = 0
HELD: Final = 1
LOST: Final = 2
"""Of a length of stay: shorter than asked, at least that long, not seen throughout."""

WIDTH: Final = 4
OTHERS: Final = "type others"
UNSEEN: Final = "type unseen"

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Standings decoded, one row for each distinct number.

    Parameters
    ----------
    before : mapping of code to ndarray of int
    inside : mapping of code to ndarray of bool
        Both also under `OTHERS` and `UNSEEN`.
    accompanied : ndarray of bool
        In some accompaniment in some month of the panel.
    stay : ndarray of int
        `LEFT`, `HELD` or `LOST`.
    """

    before: Mapping[str, Ints]
    inside: Mapping[str, NDArray[np.bool_]]
    accompanied: NDArray[np.bool_]
    stay: Ints


def codes_told_apart(panel: Panel, named: frozenset[str]) -> tuple[str, ...]:
    """Every accompaniment when they are few, else those that questions name."""
    codes = panel.states[Kind.ACCOMPANIMENT]
    return codes if len(codes) <= MOST_CODES else tuple(c for c in codes if c in named)


def others_than(panel: Panel, codes: tuple[str, ...]) -> tuple[str, ...]:
    """Accompaniments that are not told apart."""
    return tuple(c for c in panel.states[Kind.ACCOMPANIMENT] if c not in codes)


def counted_types(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Names of what is counted of accompaniments."""
    return (*(f"type {c}" for c in codes), OTHERS, UNSEEN)


def types_of_the_row(panel: Panel, codes: tuple[str, ...]) -> dict[str, ibis.Value]:
    """0 or 1 for each accompaniment in each month, and for months not seen."""
    table = panel.table

    def inside(columns: tuple[str, ...]) -> ibis.Value:
        told: ibis.Value = ibis.literal(False)  # noqa: FBT003 - the start of a chain of ors
        for column in columns:
            told = told | ibis.coalesce(table[column] > 0, False)
        return told.cast("int8")

    found = {f"type {c}": inside(columns_of_types((c,))) for c in codes}
    found[OTHERS] = inside(columns_of_types(others_than(panel, codes)))
    seen_from = entries_seen_from(panel)
    unseen = table[Kind.ACCOMPANIMENT].isnull() & (table[MONTH] >= seen_from)
    return {**found, UNSEEN: unseen.cast("int8")}


def stock_of_the_row(panel: Panel, codes: tuple[str, ...]) -> dict[str, ibis.Value]:
    """By type, the last month of the person's life in which a source of it began and showed it anew."""
    table = panel.table
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    found = {}
    for name, each in (*((f"type {c}", (c,)) for c in codes), (OTHERS, others_than(panel, codes))):
        months = stock_months(panel, each)
        if not months:
            continue
        now: ibis.Value = ibis.literal(False)  # noqa: FBT003 - the start of a chain of ors
        for column in columns_of_types(each):
            fresh = ibis.coalesce(table[column].lag(1).over(order) > 0, False)
            now = now | ((table[column] > 0) & ~fresh)
        anew = (table[MONTH].isin(months) & now).ifelse(table[MONTH], ibis.null("int32"))
        found[f"stock {name}"] = anew
    return found


def standing_of(
    table: ibis.Table, counters: Counters, rules: Rules, codes: tuple[str, ...]
) -> ibis.Value:
    """The packed number of each row.

    Parameters
    ----------
    table : ibis.Table
        With the row's own types, the lagged sums, ``accompanied``, and the stocks.
    """
    packed: ibis.Value = ibis.literal(0, "int64")
    for place, name in enumerate(counted_types(codes)):
        months = months_clean(rules, name.removeprefix("type "))
        before = _before(table, counters, name, months)
        digit = 2 * before + table[name].cast("int64")
        packed = packed + digit * (1 << WIDTH * place)
    place = len(counted_types(codes))
    packed = packed + table["accompanied"].cast("int64") * (1 << WIDTH * place)
    return packed + _stay(table, counters, rules).cast("int64") * (1 << WIDTH * (place + 1))


def months_clean(rules: Rules, code: str) -> int | None:
    """Months without a type, or without a month unseen, after which it counts as gone."""
    if code == UNSEEN.removeprefix("type "):
        asked = (rules.washout, rules.within)
        return None if rules.washout is None else max(m for m in asked if m is not None)
    return rules.clean_months(code)


def _before(table: ibis.Table, counters: Counters, name: str, months: int | None) -> ibis.Value:
    never = counters.ever(table, name) == 0
    running = counters.over(table, name, far=1) > 0
    recent = ~never
    if months is not None:
        recent = counters.over(table, name, far=months) > 0
    stock = f"stock {name}"
    began = table[stock] if stock in table.columns else ibis.null("int32")
    return ibis.cases(
        (running, RUNNING),
        (recent, RECENT),
        (began >= table[MONTH], UNKNOWN),
        (never, NEVER),
        else_=GONE,
    ).cast("int64")


def _stay(table: ibis.Table, counters: Counters, rules: Rules) -> ibis.Value:
    if rules.stay is None:
        return ibis.literal(LEFT, "int64")
    ahead = -(rules.shift - 1)
    held = counters.over(table, f"type {rules.stay}", near=ahead, far=0)
    unseen = counters.over(table, UNSEEN, near=ahead, far=0)
    return ibis.cases(
        (held.isnull() | (unseen > 0), LOST), (held == rules.shift, HELD), else_=LEFT
    ).cast("int64")


def starts_of(table: ibis.Table, counters: Counters, codes: tuple[str, ...]) -> ibis.Value:
    """Whether some accompaniment begins in the row's month."""
    begins: ibis.Value = ibis.literal(False)  # noqa: FBT003 - the start of a chain of ors
    for name in counted_types(codes)[:-1]:
        begins = begins | ((table[name] == 1) & (counters.over(table, name, far=1) == 0))
    return begins


def decode(standings: Ints, codes: tuple[str, ...]) -> Standing:
    """Read the digits of distinct numbers."""
    names = counted_types(codes)
    digits = {n: (standings >> WIDTH * k) & 15 for k, n in enumerate(names)}
    place = len(names)
    return Standing(
        before={n.removeprefix("type "): d >> 1 for n, d in digits.items()},
        inside={n.removeprefix("type "): (d & 1) == 1 for n, d in digits.items()},
        accompanied=((standings >> WIDTH * place) & 15) == 1,
        stay=(standings >> WIDTH * (place + 1)) & 15,
    )
