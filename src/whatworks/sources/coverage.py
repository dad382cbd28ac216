"""Months a source vouches for: those declared, or those its rows and headers show."""

from __future__ import annotations

from itertools import pairwise

import ibis

from whatworks.months import to_index, to_label
from whatworks.sources.layout import Flag
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem, counted, refuse_if
from whatworks.sources.records import Coverage
from whatworks.vocabulary import MONTH

_SHOWN_MONTHS = 5


def outside(table: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flag of months beyond the declared coverage: the source does not vouch for them."""
    if source.coverage is None:
        return ()
    first, last = map(to_index, source.coverage)
    return (Flag(reason="outside_coverage", up=~table[MONTH].between(first, last), refuse=False),)


def coverage_of(name: str, source: Source, table: ibis.Table) -> tuple[Coverage, ...]:
    """Coverage of a source, for each kind it can produce.

    Parameters
    ----------
    name : str
    source : Source
    table : ibis.Table
        Its events, those left behind included.

    Returns
    -------
    tuple of Coverage

    Raises
    ------
    ProblemsError
        When coverage is to be read off the months seen and one between first and last is
        missing: an extract that was not delivered would pass for a month in which nobody was
        in any state.
    """
    if source.coverage is not None:
        first, last = map(to_index, source.coverage)
    else:
        months = [int(m) for m in table.select(MONTH).distinct().order_by(MONTH)[MONTH].execute()]
        first, last = months[0], months[-1]
        missing = [m for a, b in pairwise(months) for m in range(a + 1, b)]
        refuse_if([_gap(name, first, last, missing)] if missing else [])
    return tuple(Coverage(source=name, kind=kind, first=first, last=last) for kind in source.kinds)


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
