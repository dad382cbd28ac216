"""Layout ``wide``: one row per person in each file, one column of codes per month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.selectors as s
from ibis.backends.duckdb import Backend

from whatworks.months import to_label
from whatworks.sources import values
from whatworks.sources.layout import RAW_CODE, Events, Listed, required
from whatworks.sources.mapping import Source
from whatworks.sources.problems import UnfitHeaderError
from whatworks.sources.states.codes import code_flags, with_states
from whatworks.sources.states.coverage import outside
from whatworks.vocabulary import MONTH

_PREFIX = "month_"


def columns(source: Source, header: Sequence[str], connection: Backend) -> Mapping[str, str]:
    """Every column whose header is a month, named after the month's integer."""
    pattern = required(source.months).pattern
    # The engine reads the headers, so that headers and fields obey the same format codes.
    months = [values.month(ibis.literal(name), pattern) for name in header]
    parsed = connection.execute(ibis.array(months))
    named: dict[str, str] = {}
    for name, month in zip(header, parsed, strict=True):
        if month is None:
            continue
        if named.setdefault(f"{_PREFIX}{month}", name) != name:
            raise UnfitHeaderError(
                needed="one column per month",
                found=f"two headers that both read as {to_label(month)}",
                remedy="make months.pattern match the columns of codes only",
            )
    if not named:
        raise UnfitHeaderError(
            needed=f"columns whose header is a month written {pattern}",
            found="none",
            remedy="correct months.pattern",
        )
    return named


def events(
    rows: ibis.Table,
    source: Source,
    *,
    listed: Listed = (),  # noqa: ARG001 - every layout takes the same; a cell has no second column
) -> Events:
    """A state per cell; a file that lacks a month of another says nothing of it."""
    cells = rows.pivot_longer(
        s.startswith(_PREFIX),
        names_to=MONTH,
        values_to=RAW_CODE,
        names_transform=lambda name: int(name.removeprefix(_PREFIX)),
    )
    cells = cells.filter(cells[RAW_CODE].notnull()).mutate(month=cells[MONTH].cast("int32"))
    table = with_states(cells, source)
    pattern = required(source.months).pattern
    flags = code_flags(table, source, columns=(f"months written {pattern}",))
    return Events(table=table, flags=(*flags, *outside(table, source)), unit="person_months")
