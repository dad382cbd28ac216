"""Layout ``spells``: one row per stay, with its first and last day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources import values
from whatworks.sources.layout import Events, Flag, Listed, required
from whatworks.sources.mapping import DateColumn, Source
from whatworks.sources.states import amounts
from whatworks.sources.states.censoring import blind, is_lost, lost_flags, reason_column
from whatworks.sources.states.codes import code_column, code_flags, with_states
from whatworks.sources.states.places import place_column, places
from whatworks.sources.states.successions import until_the_next
from whatworks.vocabulary import END, START

_RAW_START: Final = "raw_start"
_RAW_END: Final = "raw_end"
_STILL: Final = "still"
"""Whether the raw end says that the stay has not ended, or that its end is not known."""
_CLOSED: Final = "closed"
"""Last day as the file tells it, before the next stay shortens this one."""
_SOUND: Final = "sound"
"""Whether both days are readable and in order."""


def columns(
    source: Source,
    header: Sequence[str],  # noqa: ARG001 - every layout takes the same
    connection: Backend,  # noqa: ARG001
) -> Mapping[str, str]:
    """Start, end, code, what stands beside it, closing reason and commune."""
    return {
        **values.date_columns(_RAW_START, required(source.start)),
        **values.date_columns(_RAW_END, required(source.end)),
        **code_column(source),
        **amounts.beside_columns(source),
        **reason_column(source),
        **place_column(source),
    }


def events(rows: ibis.Table, source: Source, *, listed: Listed = ()) -> Events:
    """A stay per row; its end is null where the mapping reads the raw end as open.

    A stay whose code is not mapped, or means nothing to record, still shortens the one before it,
    tells where the person lives and that the source loses sight of them. One that a move closed
    on a day unknown is left behind: nothing tells how long it lasted.
    """
    table = amounts.with_beside(with_states(_dated(rows, source), source, listed=listed), source)
    if source.truncate:
        table = until_the_next(table, sound=table[_SOUND])
    lost = is_lost(table, source) & table[_SOUND]
    emptied = table[_SOUND] & (table[END] < table[START]).fill_null(ibis.literal(False))  # noqa: FBT003 - a column
    code = required(source.code)
    stays = table.filter(table[_SOUND] & ~emptied)
    return Events(
        table=table,
        flags=(
            *code_flags(table, source, columns=() if code.column is None else (code.column,)),
            *_date_flags(table, source),
            *([Flag(reason="truncated_away", up=emptied, refuse=False)] if source.truncate else []),
            *lost_flags(source, reason="censored_end_unknown", up=lost & table[END].isnull()),
            *amounts.beside_flags(table, source),
        ),
        blind=_blind(table.filter(lost), source),
        places=places(
            stays,
            source,
            first=values.month_of(stays[START]),
            last=values.month_of(stays[END]),
        ),
    )


def _dated(rows: ibis.Table, source: Source) -> ibis.Table:
    """Rows with their days."""
    first, last = required(source.start), required(source.end)
    raw = values.raw_date(rows, _RAW_END, last)
    table = rows.mutate(
        **{
            START: values.date(values.raw_date(rows, _RAW_START, first), first.format),
            _STILL: values.is_open(raw, last),
            _CLOSED: values.end(raw, last),
        }
    )
    end = table[_STILL].ifelse(ibis.null("date"), table[_CLOSED])
    table = table.mutate(**{_CLOSED: end, END: end})
    ordered = table[_STILL] | (table[END] >= table[START])
    sound = (table[START].notnull() & ordered).fill_null(ibis.literal(False))  # noqa: FBT003 - a column
    return table.mutate(**{_SOUND: sound})


def _blind(gone: ibis.Table, source: Source) -> ibis.Table | None:
    """Months from which a source no longer sees the persons whose stays a move closed."""
    after = values.month_of(ibis.coalesce(gone[_CLOSED], gone[END])) + 1
    unknown = gone[END].isnull()
    first = unknown.ifelse(values.month_of(gone[START]), after).cast("int32")
    return blind(gone, source, first=first)


def _date_flags(table: ibis.Table, source: Source) -> tuple[Flag, ...]:
    first, last = required(source.start), required(source.end)
    closed = table[_CLOSED]
    return (
        _unreadable("start", table[START].isnull(), first, "nothing"),
        _unreadable("end", closed.isnull() & ~table[_STILL], last, "a value of end.open"),
        Flag(
            reason="end_before_start",
            up=(closed < table[START]).fill_null(ibis.literal(False)),  # noqa: FBT003 - a column
            columns=(*first.columns, *last.columns),
            refuse=source.end_before_start == "refuse",
            needed="ends on or after the start"
            if last.bound == "inclusive"
            else "ends after the start, as end.bound = 'exclusive' says",
            remedy="check the columns and end.bound, or write end_before_start = 'count' to leave"
            " such rows out and count them",
        ),
    )


def _unreadable(which: str, up: ibis.Value, column: DateColumn, other: str) -> Flag:
    sentinel = ", or list values that stand for no date under end.open or end.sentinel"
    return Flag(
        reason=f"unreadable_{which}",
        up=up,
        columns=column.columns,
        needed=f"dates written {column.format} between {values.FIRST_YEAR} and {values.LAST_YEAR}"
        + ("" if other == "nothing" else f" (or {other})"),
        remedy=f"correct {which}.format" + ("" if other == "nothing" else sentinel),
    )
