"""Dates, days and months as columns of any engine: a date is a number of days, a month an integer."""

from __future__ import annotations

from typing import Final

import ibis

_EPOCH: Final = ibis.date(1970, 1, 1)


def month_of(date: ibis.Value) -> ibis.Value:
    """Month (int32) of a date; see `whatworks.months`."""
    return (date.year() * 12 + date.month() - 1).cast("int32")


def month_start(month: ibis.Value) -> ibis.Value:
    """First day of a month, as a date."""
    return ibis.date((month // 12).cast("int32"), (month % 12 + 1).cast("int32"), 1)


def month_end(month: ibis.Value) -> ibis.Value:
    """Last day of a month, as a date."""
    return day_before(month_start(month + 1))


def day_before(date: ibis.Value) -> ibis.Value:
    """The day before a date, as a date."""
    return (date - ibis.interval(days=1)).cast("date")


def day_number(date: ibis.Value) -> ibis.Value:
    """Days (int32) since the first of January 1970."""
    return date.delta(_EPOCH, unit="day").cast("int32")


def date_of(number: ibis.Value) -> ibis.Value:
    """Date of a number of days since the first of January 1970."""
    return (_EPOCH + number.as_interval("D")).cast("date")


def length(start: ibis.Value, end: ibis.Value) -> ibis.Value:
    """Days (int32) of a stay, its end included."""
    return (end.delta(start, unit="day") + 1).cast("int32")
