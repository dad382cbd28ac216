"""Numbers of rows: doses of a state, and measures of a month such as an income."""

from __future__ import annotations

from typing import Final

import ibis
import ibis.selectors as s
from ibis import _

from whatworks.sources import values
from whatworks.sources.layout import Flag
from whatworks.sources.mapping import Source
from whatworks.sources.mapping.states import Amount
from whatworks.vocabulary import INTENSITY, MEASURE, MONTH, PERSON, SCHEME, VALUE

_RAW_SCHEME: Final = "raw_scheme"
_RAW_INTENSITY: Final = "raw_intensity"
_RAW_MEASURE: Final = "raw_measure_"
_VALUE: Final = "measure_"
"""Prefix of measures as numbers, one column each, before they are rows."""


def beside_columns(source: Source) -> dict[str, str]:
    """Columns of the scheme and the intensity of a state."""
    told = {_RAW_SCHEME: source.scheme, _RAW_INTENSITY: source.intensity}
    return {name: mapped.column for name, mapped in told.items() if mapped is not None}


def with_beside(table: ibis.Table, source: Source) -> ibis.Table:
    """Table with ``scheme`` and ``intensity``, where the source tells them; null when blank."""
    beside: dict[str, ibis.Value] = {}
    if source.scheme is not None:
        text = table[_RAW_SCHEME]
        known = values.renamed(text, source.scheme.values)
        beside[SCHEME] = values.is_blank(known).ifelse(ibis.null("string"), known)
    if source.intensity is not None:
        beside[INTENSITY] = values.number(table[_RAW_INTENSITY], source.intensity.decimal)
    return table.mutate(**beside)


def beside_flags(table: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flag of intensities that are no number."""
    if source.intensity is None:
        return ()
    return (_unreadable(table[_RAW_INTENSITY], table[INTENSITY], source.intensity, key=INTENSITY),)


def measure_columns(source: Source) -> dict[str, str]:
    """Columns of the measures."""
    return {f"{_RAW_MEASURE}{name}": amount.column for name, amount in source.measures.items()}


def with_measures(table: ibis.Table, source: Source) -> ibis.Table:
    """Table with each measure as a number, null when blank and when unreadable."""
    return table.mutate(
        **{
            f"{_VALUE}{name}": values.number(table[f"{_RAW_MEASURE}{name}"], amount.decimal)
            for name, amount in source.measures.items()
        }
    )


def measure_flags(table: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flags of measures that are no number."""
    return tuple(
        _unreadable(
            table[f"{_RAW_MEASURE}{name}"], table[f"{_VALUE}{name}"], amount, key=f"measures.{name}"
        )
        for name, amount in source.measures.items()
    )


def contradictions(table: ibis.Table, source: Source, *, sound: ibis.Value) -> tuple[Flag, ...]:
    """Flags of measures of which a person has two values in one month.

    Which of them holds is not for us to say, and to add them up would be to guess that they are
    parts of a whole: ``keep`` chooses the row that counts.

    Parameters
    ----------
    table : ibis.Table
        ``person_id, month`` and the measures as numbers.
    source : Source
    sound : ibis boolean column
        Rows that count.
    """
    month = ibis.window(group_by=[PERSON, MONTH])
    return tuple(
        _two_values(table, name, amount, sound, month) for name, amount in source.measures.items()
    )


def measures(sound: ibis.Table, source: Source) -> ibis.Table | None:
    """Rows ``person_id, measure, month, value``: each measure of a person and month once.

    Parameters
    ----------
    sound : ibis.Table
        ``person_id, month`` and the measures as numbers, of the rows that count.
    source : Source
    """
    if not source.measures:
        return None
    names = [f"{_VALUE}{name}" for name in source.measures]
    once = sound.group_by([PERSON, MONTH]).aggregate(**{n: sound[n].max() for n in names})
    rows = once.pivot_longer(
        s.startswith(_VALUE),
        names_to=MEASURE,
        values_to=VALUE,
        names_transform=lambda name: name.removeprefix(_VALUE),
    )
    return rows.filter(_[VALUE].notnull()).select(PERSON, MEASURE, MONTH, VALUE)


def _two_values(
    table: ibis.Table,
    name: str,
    amount: Amount,
    sound: ibis.Value,
    month: ibis.expr.builders.WindowBuilder,
) -> Flag:
    value = sound.ifelse(table[f"{_VALUE}{name}"], ibis.null("float64"))
    differ = value.min().over(month) < value.max().over(month)
    return Flag(
        reason=f"two_values_{name}",
        up=value.notnull() & differ,
        columns=(amount.column,),
        needed="one value for a person and month",
        remedy=f"choose by 'keep' the row that counts, or take measures.{name} out of the mapping",
    )


def _unreadable(raw: ibis.Value, number: ibis.Value, amount: Amount, *, key: str) -> Flag:
    return Flag(
        reason=f"unreadable_{key.removeprefix('measures.')}",
        up=~values.is_blank(raw) & number.isnull(),
        columns=(amount.column,),
        needed=f"numbers with the decimal mark {amount.decimal!r}, or nothing",
        remedy=f"correct {key}.decimal, or ask the producer what the other values mean",
    )
