"""The door of the room: what a panel must look like."""

from __future__ import annotations

from collections.abc import Mapping

import ibis

from whatworks.contracts import hold
from whatworks.panel.record import Panel
from whatworks.vocabulary import MONTH, PERSON


def check_panel(panel: Panel, types: Mapping[str, str]) -> Panel:
    """Return the product once it has its columns and exactly one row per person and month."""
    columns = {name: ibis.dtype(kind) for name, kind in types.items()}
    nullable = frozenset(columns) - {PERSON, MONTH}
    hold(panel.table, columns, room="panel", nullable=nullable)
    expected = panel.n_persons * (panel.last - panel.first + 1)
    rows = int(panel.table.count().execute())
    if rows != expected:
        raise AssertionError(f"panel: {rows} rows, {expected} expected")
    return panel
