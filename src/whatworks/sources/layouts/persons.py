"""Layout ``persons``: one row per person, attributes only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources.layout import Events
from whatworks.sources.mapping import Source


def columns(
    source: Source,  # noqa: ARG001 - every layout takes the same
    header: Sequence[str],  # noqa: ARG001
    connection: Backend,  # noqa: ARG001
) -> Mapping[str, str]:
    """Nothing beside person and attributes."""
    return {}


def events(rows: ibis.Table, source: Source) -> Events | None:  # noqa: ARG001 - as above
    """Nothing: such rows tell of no state."""
    return None
