"""Layout ``snapshots``: one row per person, month and code, as monthly extracts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources import values
from whatworks.sources.codes import code_column, code_flags, with_states
from whatworks.sources.coverage import outside
from whatworks.sources.layout import Events, Flag, required
from whatworks.sources.mapping import Source
from whatworks.vocabulary import MONTH

_RAW_MONTH = "raw_month"


def columns(
    source: Source,
    header: Sequence[str],  # noqa: ARG001 - every layout takes the same
    connection: Backend,  # noqa: ARG001
) -> Mapping[str, str]:
    """Month and code."""
    return {_RAW_MONTH: required(source.month).column, **code_column(source)}


def events(rows: ibis.Table, source: Source) -> Events:
    """A state per row."""
    column = required(source.month)
    month = values.month(rows[_RAW_MONTH], column.format)
    table = with_states(rows, source).mutate(**{MONTH: month})
    unreadable = Flag(
        reason="unreadable_month",
        up=table[MONTH].isnull(),
        columns=(column.column,),
        needed=f"months written {column.format} between {values.FIRST_YEAR} and {values.LAST_YEAR}",
        remedy="correct month.format",
    )
    codes = code_flags(table, source, columns=tuple(code_column(source).values()))
    return Events(table=table, flags=(*codes, unreadable, *outside(table, source)))
