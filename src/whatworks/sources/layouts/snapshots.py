"""Layout ``snapshots``: one row per person, month and code, as monthly extracts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources import values
from whatworks.sources.layout import Events, Flag, Listed, required
from whatworks.sources.mapping import Source
from whatworks.sources.states import amounts
from whatworks.sources.states.censoring import blind, is_lost, lost_flags, reason_column
from whatworks.sources.states.codes import code_column, code_flags, with_states
from whatworks.sources.states.coverage import outside
from whatworks.sources.states.places import place_column, places
from whatworks.vocabulary import MONTH

_RAW_MONTH: Final = "raw_month"


def columns(
    source: Source,
    header: Sequence[str],  # noqa: ARG001 - every layout takes the same
    connection: Backend,  # noqa: ARG001
) -> Mapping[str, str]:
    """Month, code, what stands beside it, measures, closing reason and commune."""
    return {
        **values.date_columns(_RAW_MONTH, required(source.month)),
        **({} if source.code is None else code_column(source)),
        **amounts.beside_columns(source),
        **amounts.measure_columns(source),
        **reason_column(source),
        **place_column(source),
    }


def events(rows: ibis.Table, source: Source, *, listed: Listed = ()) -> Events:
    """A state per row where there are codes, numbers of the month, a commune.

    A row whose code is not mapped, or means nothing to record, still gives its numbers and its
    commune; one of a month beyond the coverage, or by which the source loses sight of the person,
    gives nothing.
    """
    table = _told(rows, source, listed)
    lost, beyond = is_lost(table, source), outside(table, source)
    sound = ~lost
    for flag in beyond:
        sound &= ~flag.up
    said = table.filter(sound)
    gone = table.filter(lost)
    return Events(
        table=table,
        flags=(
            _unreadable_month(table, source),
            *lost_flags(source, reason="censored", up=lost),
            *amounts.measure_flags(table, source),
            *amounts.contradictions(table, source, sound=sound),
            *_state_flags(table, source),
            *beyond,
        ),
        states=source.code is not None,
        measures=amounts.measures(said, source),
        blind=blind(gone, source, first=gone[MONTH]),
        places=places(said, source, first=said[MONTH], last=said[MONTH]),
    )


def _told(rows: ibis.Table, source: Source, listed: Listed) -> ibis.Table:
    """Rows with month, numbers and, where there are codes, state."""
    column = required(source.month)
    month = values.month(values.raw_date(rows, _RAW_MONTH, column), column.format)
    table = amounts.with_measures(rows.mutate(**{MONTH: month}), source)
    if source.code is None:
        return table
    return amounts.with_beside(with_states(table, source, listed=listed), source)


def _unreadable_month(table: ibis.Table, source: Source) -> Flag:
    column = required(source.month)
    return Flag(
        reason="unreadable_month",
        up=table[MONTH].isnull(),
        columns=column.columns,
        needed=f"months written {column.format} between {values.FIRST_YEAR} and {values.LAST_YEAR}",
        remedy="correct month.format",
    )


def _state_flags(table: ibis.Table, source: Source) -> tuple[Flag, ...]:
    if source.code is None or source.code.column is None:
        columns: tuple[str, ...] = ()
    else:
        columns = (source.code.column,)
    if source.code is None:
        return ()
    return (
        *code_flags(table, source, columns=columns),
        *amounts.beside_flags(table, source),
    )
