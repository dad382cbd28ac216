"""The door of the room: what a panel must look like, checked in the engine."""

from __future__ import annotations

import pandera.ibis as pa
from ibis.expr import datatypes as dt

from whatworks.panel.record import Panel
from whatworks.vocabulary import MONTH, PERSON, state_column


def check_panel(panel: Panel) -> Panel:
    """Return the product once it has its columns and exactly one row per person and month."""
    states = [
        name
        for kind, codes in panel.states.items()
        for name in (state_column(kind), *(state_column(kind, code) for code in codes))
    ]
    schema = pa.DataFrameSchema(
        {
            PERSON: pa.Column(dt.Int64),
            MONTH: pa.Column(dt.Int32),
            **{name: pa.Column(dt.Int32, nullable=True) for name in states},
        },
        strict=True,
    )
    schema.validate(panel.table)
    expected = panel.n_persons * (panel.last - panel.first + 1)
    rows = int(panel.table.count().execute())
    if rows != expected:
        raise AssertionError(f"panel has {rows} rows, {expected} expected")
    return panel
