"""Characteristics of persons, as the rows of a source say them."""

from __future__ import annotations

from typing import Final

import ibis

from whatworks.sources import values
from whatworks.sources.layout import Flag
from whatworks.sources.mapping import Source
from whatworks.sources.passages import Passage

ATTRIBUTE: Final = "attribute_"
"""Prefix of attributes inside the room, lest one be called like a column of ours."""
_RAW: Final = "raw_attribute_"


def attribute_columns(source: Source) -> dict[str, str]:
    """Columns that hold attributes."""
    return {f"{_RAW}{name}": mapped.column for name, mapped in source.attributes.items()}


def with_attributes(rows: ibis.Table, source: Source) -> ibis.Table:
    """Rows with the attributes in their types."""
    return rows.mutate(
        **{
            f"{ATTRIBUTE}{name}": values.attribute(rows[f"{_RAW}{name}"], mapped)
            for name, mapped in source.attributes.items()
        }
    )


def carried_columns(source: Source) -> tuple[str, ...]:
    """Columns that attributes need of rows: their values, and raw ones where these are counted."""
    return (*held_columns(source), *(f"{_RAW}{name}" for name in _counting(source)))


def held_columns(source: Source) -> tuple[str, ...]:
    """Columns of the attributes in their types."""
    return tuple(f"{ATTRIBUTE}{name}" for name in source.attributes)


def attribute_flags(rows: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flags of values that cannot be read as their type, or that no list holds."""
    return (
        *(
            _unreadable(rows, source, name)
            for name, mapped in source.attributes.items()
            if mapped.type != "category"
        ),
        *(
            _unmapped(rows, source, name)
            for name, mapped in source.attributes.items()
            if mapped.renamed and mapped.unmapped == "refuse"
        ),
    )


def unmapped_values(rows: ibis.Table, source: Source, *, name: str) -> tuple[Passage, ...]:
    """Count, where an attribute counts them, the values that it does not list.

    Parameters
    ----------
    rows : ibis.Table
    source : Source
    name : str
        Of the source.
    """
    counting = _counting(source)
    if not counting:
        return ()
    before = int(rows.count().execute())
    lost = {
        attribute: values.is_unmapped(rows[f"{_RAW}{attribute}"], source.attributes[attribute])
        for attribute in counting
    }
    counts = rows.aggregate(**{a: up.sum().fill_null(0) for a, up in lost.items()}).execute()
    return tuple(
        Passage(
            name=f"{name}.{attribute}",
            unit="rows",
            before=before,
            dropped={"unmapped_code": int(counts[attribute].iloc[0])},
        )
        for attribute in counting
    )


def _counting(source: Source) -> list[str]:
    """Attributes of which values that are not listed are taken for unknown and counted."""
    return [n for n, a in source.attributes.items() if a.renamed and a.unmapped == "count"]


def _unmapped(rows: ibis.Table, source: Source, name: str) -> Flag:
    mapped = source.attributes[name]
    return Flag(
        reason=f"unmapped_{name}",
        up=values.is_unmapped(rows[f"{_RAW}{name}"], mapped),
        columns=(mapped.column,),
        needed=f"values listed under attributes.{name}.values, or nothing",
        remedy=f"list them there ('' for unknown), or write attributes.{name}.unmapped = 'count' to"
        " take them for unknown and count them",
        raw=f"{_RAW}{name}",
    )


def _unreadable(rows: ibis.Table, source: Source, name: str) -> Flag:
    mapped = source.attributes[name]
    text = values.renamed(rows[f"{_RAW}{name}"], mapped.values)
    written = {
        "number": f"numbers with the decimal mark {mapped.decimal!r}",
        "boolean": "'1', '0' or a value listed under values",
        "month": f"months written {mapped.format}",
    }[mapped.type]
    key = {"number": "decimal", "boolean": "values", "month": "format"}[mapped.type]
    return Flag(
        reason=f"unreadable_{name}",
        up=text.notnull() & values.attribute(rows[f"{_RAW}{name}"], mapped).isnull(),
        columns=(mapped.column,),
        needed=f"{written}, or nothing",
        remedy=f"correct attributes.{name}.{key}, or map values that mean unknown to '' under"
        f" attributes.{name}.values",
    )
