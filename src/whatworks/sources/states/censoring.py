"""When a source loses sight of a person: a move to another payer is not an exit.

From then on the source is silent about the person, for every kind of state it tells, until it
shows the person again: later rooms hold nulls there, never *not in any state*.
"""

from __future__ import annotations

from typing import Final

import ibis

from whatworks.sources.layout import Flag
from whatworks.sources.mapping import Source
from whatworks.vocabulary import FIRST, KIND, PERSON

_RAW_REASON: Final = "raw_closing_reason"


def reason_column(source: Source) -> dict[str, str]:
    """Column of the reason for which a row was closed, where the source reads one."""
    return {} if source.censored_by is None else {_RAW_REASON: source.censored_by.column}


def is_lost(table: ibis.Table, source: Source) -> ibis.Value:
    """Whether the reason of a row says that the source no longer sees the person."""
    if source.censored_by is None:
        return ibis.literal(False)  # noqa: FBT003 - the value of a column
    return table[_RAW_REASON].isin(list(source.censored_by.one_of))


def lost_flags(source: Source, *, reason: str, up: ibis.Value) -> tuple[Flag, ...]:
    """Flag of rows that tell no state because they only say that the person went out of sight."""
    return () if source.censored_by is None else (Flag(reason=reason, up=up, refuse=False),)


def blind(lost: ibis.Table, source: Source, *, first: ibis.Value) -> ibis.Table | None:
    """Rows ``person_id, kind, first``, each once.

    Parameters
    ----------
    lost : ibis.Table
        Rows after which the source no longer sees the person.
    source : Source
    first : ibis int32 column
        Month from which it does not.
    """
    if source.censored_by is None or not source.kinds:
        return None
    rows = lost.select(PERSON, **{KIND: ibis.array(list(source.kinds)).unnest(), FIRST: first})
    return rows.select(PERSON, KIND, FIRST).distinct()
