"""When extracts were made, and which rows a newer extract replaces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import ibis
import pandas as pd
from ibis import _
from ibis.backends.duckdb import Backend

from whatworks.months import to_index, to_label
from whatworks.sources import values
from whatworks.sources.layout import Flag, required
from whatworks.sources.mapping import AUTO, Source, Vintage
from whatworks.sources.problems import Problem
from whatworks.sources.scratch import Scratch
from whatworks.sources.states.coverage import VINTAGE

_OBSERVED: Final = "observed"
_MONTH: Final = "observed_month"
_NEWEST: Final = "newest_vintage"


def vintage_of(path: Path, source: Source, *, name: str, engine: Backend) -> int | Problem | None:
    """Month in which a file was extracted.

    Parameters
    ----------
    path : Path
    source : Source
    name : str
        What errors call the file.
    engine : ibis DuckDB backend
        Reads the month, so that names and fields obey the same format codes.

    Returns
    -------
    int, None or Problem
        None where the mapping says nothing of vintages.
    """
    told = source.vintage
    if told is None:
        return None
    if told.month is not None:
        return to_index(told.month)
    found = re.search(required(told.from_name), path.name)
    month = engine.execute(values.month(ibis.literal(found[1]), told.format)) if found else None
    return int(month) if month is not None else _no_vintage(name, told)


def month_columns(source: Source) -> dict[str, str]:
    """Columns that say which month a row observes, where vintages are compared month by month."""
    return values.date_columns(_OBSERVED, required(source.month)) if _by_month(source) else {}


def with_newest(rows: ibis.Table, source: Source, *, scratch: Scratch) -> ibis.Table:
    """Rows with the newest vintage that observes their month, where that decides of them."""
    if not _by_month(source):
        return rows
    column = required(source.month)
    month = values.month(values.raw_date(rows, _OBSERVED, column), column.format)
    dated = rows.mutate(**{_MONTH: month})
    newest = scratch.keep(
        "newest",
        dated.filter(_[_MONTH].notnull()).group_by(_MONTH).aggregate(**{_NEWEST: _[VINTAGE].max()}),
        what="vintages",
    )
    return dated.left_join(newest, _MONTH).drop(f"{_MONTH}_right")


def superseded(rows: ibis.Table, source: Source, newest: int | None) -> tuple[Flag, ...]:
    """Flag of rows that a newer file replaces.

    Parameters
    ----------
    rows : ibis.Table
        As `with_newest` gives them.
    source : Source
    newest : int or None
        Newest vintage of the files.
    """
    told = source.vintage
    if told is None or newest is None or told.supersedes == "nothing":
        return ()
    latest = rows[_NEWEST] if told.supersedes == "months" else ibis.literal(newest)
    older = (rows[VINTAGE] < latest).fill_null(ibis.literal(False))  # noqa: FBT003 - a column
    return (Flag(reason="superseded_vintage", up=older, refuse=False),)


def first_unsettled(rows: ibis.Table, source: Source, newest: int | None) -> int | None:
    """Find the first month of which a later vintage may still change what the source says.

    Parameters
    ----------
    rows : ibis.Table
        As `with_newest` gives them: where vintages are compared by month, each month counts with
        the newest vintage that observes it.
    source : Source
    newest : int or None
    """
    told = source.vintage
    if told is None or newest is None or not told.settled_after:
        return None
    if not _by_month(source):
        return newest - told.settled_after + 1
    near = rows.filter(rows[_NEWEST] - rows[_MONTH] < told.settled_after)
    month = near.aggregate(first=near[_MONTH].min()).execute()["first"].iloc[0]
    return None if pd.isna(month) else int(month)


def dated(source: Source, newest: int | None) -> Source:
    """Source whose last month of coverage is that of its newest vintage, less the known lag."""
    if newest is None or source.coverage is None or source.coverage[1] != AUTO:
        return source
    first, last = source.coverage[0], to_label(newest - source.lag_months)
    return source.model_copy(update={"coverage": (first, last)})


def carried_columns(source: Source) -> tuple[str, ...]:
    """Columns that coverage needs of rows: it ends with the vintage where the mapping declares none."""
    follows = source.vintage is not None and source.coverage is None and source.lag_months > 0
    return (VINTAGE,) if follows else ()


def _by_month(source: Source) -> bool:
    told = source.vintage
    return told is not None and told.supersedes == "months"


def _no_vintage(name: str, told: Vintage) -> Problem:
    return Problem(
        what=name,
        needed=f"a name in which {told.from_name!r} finds a month written {told.format}",
        found="none",
        remedy="correct vintage.from_name or vintage.format, or leave the file out of the glob",
    )
