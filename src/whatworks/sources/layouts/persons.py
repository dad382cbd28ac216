"""Layout ``persons``: one row per person; attributes, and the commune they live in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources.layout import Events, Listed
from whatworks.sources.mapping import Source
from whatworks.sources.states.places import BEGINNING, place_column, places, two_places


def columns(
    source: Source,
    header: Sequence[str],  # noqa: ARG001 - every layout takes the same
    connection: Backend,  # noqa: ARG001
) -> Mapping[str, str]:
    """The commune, where the source gives one."""
    return place_column(source)


def events(
    rows: ibis.Table,
    source: Source,
    *,
    listed: Listed = (),  # noqa: ARG001 - as above
) -> Events | None:
    """No state; where the source gives a commune, that of every month."""
    if source.place is None:
        return None
    first, last = ibis.literal(BEGINNING, "int32"), ibis.null("int32")
    return Events(
        table=rows,
        flags=(two_places(rows, source),),
        states=False,
        places=places(rows, source, first=first, last=last),
    )
