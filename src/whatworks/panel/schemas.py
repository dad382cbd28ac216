"""The door of the room: what a panel must look like."""

from __future__ import annotations

from ibis.expr import datatypes as dt

from whatworks.contracts import hold
from whatworks.panel.record import Panel
from whatworks.vocabulary import MONTH, PERSON, state_column


def check_panel(panel: Panel) -> Panel:
    """Return the product once it has its columns and exactly one row per person and month."""
    states = [
        name
        for kind, codes in panel.states.items()
        for name in (state_column(kind), *(state_column(kind, code) for code in codes))
    ]
    columns = {PERSON: dt.int64, MONTH: dt.int32, **dict.fromkeys(states, dt.int32)}
    hold(panel.table, columns, room="panel", nullable=frozenset(states))
    expected = panel.n_persons * (panel.last - panel.first + 1)
    rows = int(panel.table.count().execute())
    if rows != expected:
        raise AssertionError(f"panel: {rows} rows, {expected} expected")
    return panel
