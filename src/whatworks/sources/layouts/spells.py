"""Layout ``spells``: one row per stay, with its first and last day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources import values
from whatworks.sources.codes import code_column, code_flags, with_states
from whatworks.sources.layout import Events, Flag, required
from whatworks.sources.mapping import Source
from whatworks.vocabulary import END, START

_RAW_START = "raw_start"
_RAW_END = "raw_end"


def columns(
    source: Source,
    header: Sequence[str],  # noqa: ARG001 - every layout takes the same
    connection: Backend,  # noqa: ARG001
) -> Mapping[str, str]:
    """Start, end and code."""
    dates = {_RAW_START: required(source.start).column, _RAW_END: required(source.end).column}
    return {**dates, **code_column(source)}


def events(rows: ibis.Table, source: Source) -> Events:
    """A stay per row; its end is null where the mapping reads the raw end as open."""
    first, last = required(source.start), required(source.end)
    still = values.is_open(rows[_RAW_END], last)
    start = values.date(rows[_RAW_START], first.format)
    end = values.end(rows[_RAW_END], last)
    table = with_states(rows, source).mutate(
        **{START: start, END: still.ifelse(ibis.null("date"), end)}
    )
    dates = (
        _unreadable("start", table[START].isnull(), first.column, first.format, "nothing"),
        _unreadable(
            "end", table[END].isnull() & ~still, last.column, last.format, "a value of end.open"
        ),
    )
    reversed_ends = Flag(
        reason="end_before_start",
        up=(table[END] < table[START]).fill_null(ibis.literal(False)),  # noqa: FBT003 - a column
        columns=(first.column, last.column),
        refuse=source.end_before_start == "refuse",
        needed="ends on or after the start"
        if last.bound == "inclusive"
        else "ends after the start, as end.bound = 'exclusive' says",
        remedy="check the two columns and end.bound, or write end_before_start = 'count' to leave"
        " such rows out and count them",
    )
    codes = code_flags(table, source, columns=tuple(code_column(source).values()))
    return Events(table=table, flags=(*codes, *dates, reversed_ends))


def _unreadable(which: str, up: ibis.Value, column: str, pattern: str, other: str) -> Flag:
    sentinel = ", or list values that stand for no date under end.open or end.sentinel"
    return Flag(
        reason=f"unreadable_{which}",
        up=up,
        columns=(column,),
        needed=f"dates written {pattern} between {values.FIRST_YEAR} and {values.LAST_YEAR}"
        + ("" if other == "nothing" else f" (or {other})"),
        remedy=f"correct {which}.format" + ("" if other == "nothing" else sentinel),
    )
