"""Months a source vouches for: those declared, or those its rows and headers show."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Final

import ibis
import pandas as pd

from whatworks.months import to_index, to_label
from whatworks.sources.layout import REASON, Flag, required
from whatworks.sources.mapping import AUTO, Source
from whatworks.sources.problems import Problem, counted, refuse_if
from whatworks.sources.records import Coverage
from whatworks.vocabulary import MONTH, START

VINTAGE: Final = "vintage"
"""Month of the file a row comes from."""
_SHOWN_MONTHS: Final = 5


def outside(table: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flag of months beyond the coverage: the source does not vouch for them, or not yet.

    Parameters
    ----------
    table : ibis.Table
        With the month of each row.
    source : Source
        Its coverage is dated where it follows the vintage (`whatworks.sources.rows.vintages.dated`).
    """
    month = table[MONTH]
    beyond: list[ibis.Value] = []
    if source.coverage is not None:
        beyond.append(month < to_index(source.coverage[0]))
        if source.coverage[1] != AUTO:
            beyond.append(month > to_index(source.coverage[1]))
    if _follows_rows(source) and source.lag_months:
        beyond.append(month > _newest(table) - source.lag_months)
    if not beyond:
        return ()
    return (Flag(reason="outside_coverage", up=reduce(or_, beyond), refuse=False),)


def coverage_of(
    name: str, source: Source, table: ibis.Table, *, unsettled: int | None = None
) -> tuple[Coverage, ...]:
    """Coverage of a source, for each kind it can produce.

    Parameters
    ----------
    name : str
    source : Source
        Its coverage is dated where it follows the vintage.
    table : ibis.Table
        Its events, those left behind included.
    unsettled : int, optional
        First month of which a later vintage may still change what the source says.

    Returns
    -------
    tuple of Coverage

    Raises
    ------
    ProblemsError
        When coverage is to be read off the months seen and one between first and last is
        missing: an extract that was not delivered would pass for a month in which nobody was
        in any state. When the known lag leaves no month.
    """
    if not source.kinds:
        return ()
    if not _follows_rows(source) and source.coverage is not None:
        first, last = map(to_index, source.coverage)
    elif MONTH in table.columns:
        first, last = _months_seen(name, source, table)
    else:
        first, last = to_index(required(source.coverage)[0]), _last_seen(source, table)
    if last < first:
        refuse_if([_no_month(name, source, first, last)])
    late = None if unsettled is None or unsettled > last else max(unsettled, first)
    return tuple(
        Coverage(
            source=name,
            kind=kind,
            first=first,
            last=last,
            unsettled=late,
            codes=tuple(code for told, code in source.states if told == kind),
        )
        for kind in source.kinds
    )


def _newest(table: ibis.Table) -> int:
    """Month from which the lag is counted: the newest vintage, else the last month that rows show."""
    newest = table[VINTAGE if VINTAGE in table.columns else MONTH].max().execute()
    return 0 if pd.isna(newest) else int(newest)


def _follows_rows(source: Source) -> bool:
    """Whether the last month covered is the last one that rows show."""
    return source.coverage is None or source.coverage[1] == AUTO


def _months_seen(name: str, source: Source, table: ibis.Table) -> tuple[int, int]:
    """First and last month that rows show, none between them missing."""
    known = table.filter(table[MONTH].notnull()).select(MONTH).distinct().order_by(MONTH)
    seen = [int(m) for m in known[MONTH].execute()]
    declared = None if source.coverage is None else to_index(source.coverage[0])
    first = seen[0] if declared is None else declared
    last = min(seen[-1], _newest(table) - source.lag_months)
    months = [m for m in seen if first <= m <= last]
    if declared is None:
        missing = [m for a, b in pairwise(months) for m in range(a + 1, b)]
        refuse_if([_gap(name, first, last, missing)] if missing else [])
    return first, last


def _last_seen(source: Source, table: ibis.Table) -> int:
    """Last month in which a stay begins, less the known lag: an end may be a plan for later."""
    sound = table.filter(table[REASON].isnull())
    latest = sound[START].max().execute()
    if pd.isna(latest):
        return to_index(required(source.coverage)[0])
    last = pd.Timestamp(latest)
    return 12 * last.year + last.month - 1 - source.lag_months


def _no_month(name: str, source: Source, first: int, last: int) -> Problem:
    return Problem(
        what=f"source {name!r}",
        needed="a coverage of at least one month",
        found=f"{to_label(first)} to {to_label(last)}, a lag of"
        f" {counted(source.lag_months, 'month')} deducted",
        remedy="correct coverage, vintage or lag_months, or bring a newer extract",
    )


def _gap(name: str, first: int, last: int, missing: list[int]) -> Problem:
    shown = ", ".join(map(to_label, missing[:_SHOWN_MONTHS]))
    more = "" if len(missing) <= _SHOWN_MONTHS else ", ..."
    return Problem(
        what=f"source {name!r}",
        needed=f"every month from {to_label(first)} to {to_label(last)}",
        found=f"{counted(len(missing), 'month')} without any row: {shown}{more}",
        remedy="bring the missing extracts; if nobody was concerned in those months, declare"
        f" coverage = ['{to_label(first)}', '{to_label(last)}']",
    )
