"""Stays of which the next ends the one before, as in registers that close nothing explicitly."""

from __future__ import annotations

from typing import Final

import ibis

from whatworks.vocabulary import END, PERSON, START

_ORDER: Final = "order"
_LONGEST: Final = 1 << 20
"""More days than lie between any two dates that can be read."""
_EPOCH: Final = ibis.date("1900-01-01")


def until_the_next(stays: ibis.Table, *, sound: ibis.Value) -> ibis.Table:
    """Stays that end at the latest the day before the same person's next one begins.

    Of stays that begin the same day the one that lasts longest comes last, so that the others
    become empty: they end before they start. Stays with the same two days leave each other alone;
    overlap policies decide between them.

    Parameters
    ----------
    stays : ibis.Table
        ``person_id, start, end``, ``end`` null when open.
    sound : ibis boolean column
        Stays whose days are in order. The others neither shorten a stay nor are shortened.

    Returns
    -------
    ibis.Table
    """
    began = stays[START].delta(_EPOCH, unit="day")
    lasts = ibis.coalesce(stays[END].delta(stays[START], unit="day"), _LONGEST - 1)
    # Both days in one integer: a single sort of each person's stays finds the next of each.
    order = sound.ifelse(began * _LONGEST + lasts, ibis.null("int64"))
    ordered = stays.mutate(**{_ORDER: order})
    later = ibis.range_window(
        group_by=ordered[PERSON], order_by=ordered[_ORDER], following=(1, None)
    )
    next_began = (ordered[_ORDER].min().over(later) // _LONGEST).cast("int32")
    next_start = _EPOCH + next_began.as_interval("D")
    shorter = ibis.least(ordered[END], next_start - ibis.interval(days=1))
    return ordered.mutate(**{END: ordered[_ORDER].notnull().ifelse(shorter, ordered[END])}).drop(
        _ORDER
    )
