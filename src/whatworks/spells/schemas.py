"""The door of the room: what a table of spells must look like, checked in the engine."""

from __future__ import annotations

import pandera.ibis as pa
from ibis import _
from ibis.expr import datatypes as dt

from whatworks.spells.record import Spells
from whatworks.vocabulary import CODE, DAYS, END, KIND, OPEN, PERSON, START

SPELLS = pa.DataFrameSchema(
    {
        PERSON: pa.Column(dt.String),
        KIND: pa.Column(dt.String),
        CODE: pa.Column(dt.String),
        START: pa.Column(dt.Date),
        END: pa.Column(dt.Date),
        DAYS: pa.Column(dt.Int32),
        OPEN: pa.Column(dt.Boolean),
    },
    strict=True,
)


def check_spells(spells: Spells) -> Spells:
    """Return the product once its columns are as declared and every end follows its start."""
    SPELLS.validate(spells.table)
    backwards = int(spells.table.filter(_[END] < _[START]).count().execute())
    if backwards:
        raise AssertionError(f"{backwards} spells end before they start after reconciliation")
    return spells
