"""Histories of persons as expressions of the engine, each at the row of a possible entry.

Everything a term says lies strictly before the row's month.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import ibis

from whatworks.design.covariates import OF_PERSONS, Term
from whatworks.design.riskset.counting import Counters
from whatworks.panel.record import Panel
from whatworks.vocabulary import MONTH, PERSON, Kind, state_column

DAYS_PER_MONTH: Final = 30.4375

Columns = dict[str, ibis.Value]


def history_terms(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Terms of the months, without those of persons and places."""
    return tuple(t for t in terms if t.act not in OF_PERSONS)


def counted(terms: Iterable[Term]) -> tuple[str, ...]:
    """Names of what must be counted for these terms."""
    names: list[str] = []
    for term in terms:
        if term.act in ("lag", "months", "since_start", "spells", "transitions"):
            names += [f"in {term.base}", f"unseen {term.base}"]
        if term.act == "spells":
            names.append(f"begins {term.base}")
        if term.act == "transitions":
            names.append(f"changes {term.base}")
    return tuple(dict.fromkeys(names))


def lags(terms: Iterable[Term]) -> frozenset[int]:
    """Months back at which the sums of these terms are read."""
    months = {1, 2}
    for term in terms:
        if term.act in ("lag", "months", "spells", "transitions"):
            months |= {term.k, term.k + 1}
    return frozenset(months)


def of_the_row(table: ibis.Table, names: Iterable[str]) -> Columns:
    """What is counted, 0 or 1 in each month."""
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    found: Columns = {}
    for name in names:
        what, base = name.split(" ", 1)
        inside = ibis.coalesce((table[base] > 0).cast("int8"), 0)
        before = ibis.coalesce((table[base].lag(1).over(order) > 0).cast("int8"), 0)
        found[name] = {
            "in": inside,
            "unseen": table[base].isnull().cast("int8"),
            "begins": ((inside == 1) & (before == 0)).cast("int8"),
            "changes": (inside != before).cast("int8"),
        }[what]
    return found


def latest_column(base: str) -> str:
    """Name of the column with the last month in a state or unseen."""
    return f"latest {base}"


def elapsed_column(base: str) -> str:
    """Name of the column with the months a state has lasted."""
    return f"elapsed {base}"


def latest(table: ibis.Table, base: str) -> ibis.Value:
    """Twice the last month in a state, plus one where it was the last not seen, up to the row."""
    upto = ibis.window(group_by=PERSON, order_by=MONTH, preceding=None, following=0)
    state = table[base]
    told = ibis.cases((state.isnull(), 2 * table[MONTH] + 1), (state > 0, 2 * table[MONTH]))
    return told.max().over(upto)


def elapsed(panel: Panel, base: str) -> ibis.Value:
    """Months a state has lasted by the end of the row's month; 0 outside it, null where unknown.

    A state in which a person is first seen began earlier, nobody knows when: unless its days since
    the stay began, which other kinds than employment have, go back further than it was seen.
    """
    table = panel.table
    upto = ibis.window(group_by=PERSON, order_by=MONTH, preceding=None, following=0)
    state = table[base]
    told = ibis.cases((state.isnull(), 2 * table[MONTH] + 1), (state == 0, 2 * table[MONTH]))
    before = ibis.coalesce(told.max().over(upto), 2 * panel.first - 1)
    months = table[MONTH] - (before >> 1)
    known = months.cast("int32")
    days = _days_since(panel, base)
    longer = ibis.null("int32")
    if days is not None:
        said = (days / DAYS_PER_MONTH).ceil().cast("int32")
        longer = (said > months + 1).ifelse(said, ibis.null("int32"))
    truncated = (before & 1) == 1
    return ibis.cases(
        (state.isnull(), ibis.null("int32")),
        (state == 0, ibis.literal(0, "int32")),
        (truncated, longer),
        else_=known,
    )


def _days_since(panel: Panel, base: str) -> ibis.Value | None:
    """Days since the stay began, where the panel's columns hold that."""
    for kind, codes in panel.states.items():
        columns = [state_column(kind, code) for code in codes]
        if kind == Kind.EMPLOYMENT or base not in (kind, *columns):
            continue
        if base in columns:
            return panel.table[base]
        days = [panel.table[c] for c in columns]
        return ibis.greatest(*days) if len(days) > 1 else days[0]
    return None


def value_of(term: Term, table: ibis.Table, counters: Counters) -> ibis.Value:
    """One term at each row, null where it is not known.

    Parameters
    ----------
    term : Term
    table : ibis.Table
        With the lagged sums, and the columns below one month back.
    counters : Counters
    """
    if term.act in ("value", "elapsed"):
        return table[term.name]
    if term.act == "since":
        return _since(term, table, counters)
    base, k = term.base, term.k
    if term.act == "since_start":
        seen = (counters.ever(table, f"unseen {base}") == 0) & counters.reaches(table, 1)
        return _known(seen, counters.ever(table, f"in {base}"))
    oldest = counters.over(table, f"in {base}", near=k, far=k)
    near = k if term.act == "lag" else 1
    unseen = counters.over(table, f"unseen {base}", near=near, far=k)
    value = {
        "lag": lambda: oldest,
        "months": lambda: counters.over(table, f"in {base}", far=k),
        "transitions": lambda: counters.over(table, f"changes {base}", far=k - 1),
        "spells": lambda: oldest + _begun(table, counters, base, k),
    }[term.act]()
    return _known((unseen == 0) & counters.reaches(table, k), value)


def _begun(table: ibis.Table, counters: Counters, base: str, k: int) -> ibis.Value:
    """Stays that begin after the oldest of k months."""
    return counters.over(table, f"begins {base}", far=k - 1) if k > 1 else ibis.literal(0)


def _known(known: ibis.Value, value: ibis.Value) -> ibis.Value:
    return known.ifelse(value.cast("int16"), ibis.null("int16"))


def _since(term: Term, table: ibis.Table, counters: Counters) -> ibis.Value:
    """Months since the last one in the state; never counts as the month before the panel began."""
    told = ibis.coalesce(table[latest_column(term.base)], 2 * (counters.first - 1))
    months = table[MONTH] - (told >> 1)
    unseen = (told & 1) == 1
    if term.name.endswith(".since"):
        value = unseen.ifelse(ibis.null("int32"), months)
    else:
        far = months > term.k
        value = ibis.cases((far, ibis.literal(term.k + 1, "int32")), (~unseen, months))
        value = counters.reaches(table, term.k).ifelse(value, ibis.null("int32"))
    return value.cast("int16")
