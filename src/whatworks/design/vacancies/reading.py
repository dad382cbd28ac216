"""Dates of vacancies: when each was posted, how and when it ended, until when it was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.tables.table import numeric, require
from whatworks.design.vacancies.endings import Endings
from whatworks.errors import OptionError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Day = str | date | int | float

FILLED: Final = "filled"
WITHDRAWN: Final = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """Which columns tell what became of a vacancy.

    Parameters
    ----------
    posted, filled : str
        Columns of dates, or of whole days on any one count; ``filled`` is empty where nobody was hired.
    withdrawn : str or None
        Column of when the employer gave up, empty where not.
    seen_from, seen_until : date, or whole day, or None
        First and last day of the files. A vacancy posted before is in them because it was still open.
    """

    posted: str
    filled: str
    withdrawn: str | None
    seen_from: Day | None
    seen_until: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Vacancies as waits.

    Parameters
    ----------
    endings : Endings
        Of all rows; NaN times where a row is not kept.
    followed : ndarray of shape (n,)
        Days from posting to the last day of the files, whatever became of the vacancy.
    lost : mapping of str to ndarray of bool
        Rows left out, by reason; no row for two reasons.
    """

    endings: Endings
    followed: Floats
    lost: Mapping[str, Bools]


def read_waits(table: pd.DataFrame, dates: Dates) -> Seen:
    """Days from posting to the ending of each vacancy.

    Raises
    ------
    OptionError
        For an unknown column, dates that are none, or endings before the posting.
    """
    require(table, (dates.posted, dates.filled, dates.withdrawn))
    posted, filled = (days(table, name) for name in (dates.posted, dates.filled))
    none = np.full(posted.size, np.nan)
    gone = none if dates.withdrawn is None else days(table, dates.withdrawn)
    last = day_of(dates.seen_until, like=table[dates.posted], what="seen_until")
    ended = np.fmin(filled, gone)
    backwards = int((ended < posted).sum())
    if backwards:
        raise OptionError(
            what=f"columns {dates.filled!r} and {dates.withdrawn!r}",
            needed="endings on the day of the posting or after",
            found=f"{backwards} rows that ended before",
            remedy="correct those dates, or drop the rows",
        )
    first = -np.inf
    if dates.seen_from is not None:
        first = day_of(dates.seen_from, like=table[dates.posted], what="seen_from")
    reasons = {
        "posting_unknown": np.isnan(posted),
        "posted_after_the_files": posted > last,
        "ended_before_the_files": ended < first,
    }
    lost: dict[str, Bools] = {}
    out = np.zeros(posted.size, dtype=bool)
    for reason, rows in reasons.items():
        lost[reason] = rows & ~out
        out |= rows
    known = ended <= last  # what the files say of later days had not happened when they end
    time = np.where(known, ended, last) - posted
    kind = np.where(known, np.where(np.nan_to_num(filled, nan=np.inf) <= ended, 1, 2), 0)
    entry = np.where(posted < first, first - posted - 1, -1.0)
    endings = Endings(
        time=np.where(out, np.nan, time),
        kind=np.where(out, 0, kind).astype(np.int64),
        entry=entry,
        names=(FILLED, WITHDRAWN),
    )
    return Seen(endings=endings, followed=last - posted, lost=lost)


def days(table: pd.DataFrame, name: str) -> Floats:
    """Column of dates as days, or of days as they are; NaN where empty."""
    column = table[name]
    if pd.api.types.is_datetime64_any_dtype(column):
        return _since_1970(column)
    if not pd.api.types.is_numeric_dtype(column):
        read = pd.to_datetime(column, errors="coerce", format="ISO8601")
        lost = int((read.isna() & column.notna()).sum())
        if lost:
            raise OptionError(
                what=f"column {name!r}",
                needed="dates, YYYY-MM-DD, or whole days",
                found=f"{lost} rows with something else",
                remedy="convert the column with pandas.to_datetime before",
            )
        return _since_1970(read)
    values = numeric(table, name)
    broken = int((values != np.floor(values))[~np.isnan(values)].sum())
    if broken:
        raise OptionError(
            what=f"column {name!r}",
            needed="whole days",
            found=f"{broken} rows with a part of a day",
            remedy="round down to the day",
        )
    return values


def day_of(day: Day, *, like: pd.Series, what: str) -> float:
    """A day on the count of a column."""
    counted = pd.api.types.is_numeric_dtype(like)
    if counted and isinstance(day, int | float):
        return float(day)
    unlike = counted or isinstance(day, int | float)
    when = pd.to_datetime(pd.Series([None if unlike else day]), errors="coerce")
    if when.isna().any():
        raise OptionError(
            what=what,
            needed="a whole day, as the columns" if counted else "a date, as the columns",
            found=repr(day),
            remedy="write for instance '2025-06-30' where columns hold dates",
        )
    return float(_since_1970(when)[0])


def _since_1970(column: pd.Series) -> Floats:
    days = column.to_numpy(dtype="datetime64[D]")
    return np.where(np.isnat(days), np.nan, days.astype(np.int64).astype(float))
