"""The door of the room: what a table of spells must look like."""

from __future__ import annotations

from ibis import _
from ibis.expr import datatypes as dt

from whatworks.contracts import hold
from whatworks.spells.record import Spells
from whatworks.vocabulary import CODE, DAYS, END, KIND, OPEN, PERSON, START

COLUMNS = {
    PERSON: dt.string,
    KIND: dt.string,
    CODE: dt.string,
    START: dt.date,
    END: dt.date,
    DAYS: dt.int32,
    OPEN: dt.boolean,
}


def check_spells(spells: Spells) -> Spells:
    """Return the product once its columns are as promised and every end follows its start."""
    hold(spells.table, COLUMNS, room="spells")
    backwards = int(spells.table.filter(_[END] < _[START]).count().execute())
    if backwards:
        raise AssertionError(f"spells: {backwards} end before they start")
    return spells
