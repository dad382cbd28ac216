"""The door of the room: what a table of spells must look like."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ibis import _
from ibis.expr import datatypes as dt

from whatworks.contracts import hold
from whatworks.spells.record import Spells
from whatworks.vocabulary import (
    CODE,
    DAYS,
    END,
    INTENSITY,
    KIND,
    OPEN,
    PERSON,
    SCHEME,
    START,
)

COLUMNS: Final = {
    PERSON: dt.string,
    KIND: dt.string,
    CODE: dt.string,
    SCHEME: dt.string,
    START: dt.date,
    END: dt.date,
    DAYS: dt.int32,
    OPEN: dt.boolean,
    INTENSITY: dt.float64,
}
NULLABLE: Final = frozenset({SCHEME, DAYS, INTENSITY})


def check_spells(spells: Spells, *, before: int) -> Spells:
    """Return the product with its last step accounted for, once it is what it promises.

    Parameters
    ----------
    spells : Spells
    before : int
        Rows, or pieces of rows, of which the stays were made.
    """
    hold(spells.table, COLUMNS, room="spells", nullable=NULLABLE)
    counts = spells.table.aggregate(n=_.count(), backwards=(_[END] < _[START]).sum()).execute()
    if int(counts["backwards"].fillna(0).iloc[0]):
        raise AssertionError(f"spells: {counts['backwards'].iloc[0]} end before they start")
    ledger = spells.ledger.add(
        "spells",
        "overlaps",
        unit="spells",
        before=before,
        dropped={"merged": before - int(counts["n"].iloc[0])},
    )
    return replace(spells, ledger=ledger)
