"""What a field of text means, as expressions for the engine: dates, months, codes, attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ibis
import ibis.expr.datatypes as dt

from whatworks.sources.mapping import Attribute, DateColumn, EndColumn

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199
"""Years a date can lie in. Beyond them stand *31/12/9999* and years written with two digits."""
_NUMBER: Final = r"^\s*[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?\s*$"


@ibis.udf.scalar.builtin(name="try_strptime")  # type: ignore[untyped-decorator] # ibis has no types
def _parsed(text: str, pattern: str) -> dt.timestamp:
    """Time written in a text, null when it is not written that way."""


def is_blank(text: ibis.Value) -> ibis.Value:
    """Whether a field holds nothing but spaces."""
    return text.strip() == ""


def first_of(texts: Sequence[ibis.Value]) -> ibis.Value:
    """First field that is not blank, the last one when all are; a field alone as it is."""
    *preferred, last = texts
    return (
        ibis.cases(*((~is_blank(text), text) for text in preferred), else_=last)
        if preferred
        else last
    )


def date_columns(name: str, column: DateColumn) -> dict[str, str]:
    """Names of the columns a date is read from, in order of preference, and their headers."""
    return {f"{name}_{number}": header for number, header in enumerate(column.columns)}


def raw_date(rows: ibis.Table, name: str, column: DateColumn) -> ibis.Value:
    """Text of a date: that of the first of its columns that is not blank."""
    return first_of([rows[own] for own in date_columns(name, column)])


def date(text: ibis.Value, pattern: str) -> ibis.Value:
    """Day written in a text; null unless it is written that way and lies in a plausible year."""
    day = _parsed(text, pattern).cast("date")
    # Without a digit the engine still knows "infinity" and "epoch".
    usable = text.re_search("[0-9]") & day.year().between(FIRST_YEAR, LAST_YEAR)
    return usable.ifelse(day, ibis.null("date"))


def month(text: ibis.Value, pattern: str) -> ibis.Value:
    """Month written in a text, as ``12 * year + month - 1``; null as for `date`."""
    return month_of(date(text, pattern))


def month_of(day: ibis.Value) -> ibis.Value:
    """Month of a day, as ``12 * year + month - 1``."""
    return (day.year() * 12 + day.month() - 1).cast("int32")


def end(text: ibis.Value, column: EndColumn) -> ibis.Value:
    """Last day of a spell, included; null when open, and null when unreadable."""
    day = date(text, column.format)
    return day - ibis.interval(days=1) if column.bound == "exclusive" else day


def is_open(text: ibis.Value, column: EndColumn) -> ibis.Value:
    """Whether a raw end says that the spell has not ended, or that its end is not known."""
    return text.isin([*column.open, *column.sentinel])


def translated(text: ibis.Value, values: Mapping[str, str]) -> ibis.Value:
    """A raw code in the product's word, null when the mapping does not know it."""
    return text.cases(*values.items(), else_=ibis.null("string"))


def renamed(text: ibis.Value, values: Mapping[str, str]) -> ibis.Value:
    """A raw value under its new name, itself when it has none, null when that is empty."""
    return (text.cases(*values.items(), else_=text) if values else text).nullif("")


def is_unmapped(text: ibis.Value, mapped: Attribute) -> ibis.Value:
    """Whether a raw value of a renamed category has no name, though it says something."""
    return text.notin(["", *mapped.values])


def attribute(text: ibis.Value, mapped: Attribute) -> ibis.Value:
    """Value of an attribute in its type; null when empty, and null when unreadable."""
    if mapped.renamed:
        return translated(text, mapped.values).nullif("")
    value = renamed(text, mapped.values)
    if mapped.type == "category":
        return value
    if mapped.type == "boolean":
        return value.cases(("1", 1), ("0", 0), else_=ibis.null("int8")).cast("int8")
    if mapped.type == "month":
        return month(value, mapped.format)
    return number(value, mapped.decimal)


def number(text: ibis.Value, decimal: str) -> ibis.Value:
    """Number written in a text with this decimal mark; null unless it is finite and so written."""
    if decimal == ",":
        # A point would otherwise pass for a decimal mark where it groups thousands.
        text = text.replace(".", "?").replace(",", ".")
    value = text.re_search(_NUMBER).ifelse(text, ibis.null("string")).cast("float64")
    return value.isinf().ifelse(ibis.null("float64"), value)


def padded(text: ibis.Value, width: int) -> ibis.Value:
    """Text with the zeros on its left that its producer lost, null when it is blank.

    A longer text stays as it is: where it stops being a code is not for us to say.
    """
    missing = ibis.literal("0").repeat(ibis.greatest(width - text.length(), 0))
    return is_blank(text).ifelse(ibis.null("string"), missing + text)
