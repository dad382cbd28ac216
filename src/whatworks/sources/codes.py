"""Raw codes become kinds and codes of the product, or are flagged."""

from __future__ import annotations

from collections.abc import Mapping

import ibis

from whatworks.sources import values
from whatworks.sources.layout import RAW_CODE, Flag, required
from whatworks.sources.mapping import Source
from whatworks.vocabulary import CODE, KIND


def code_column(source: Source) -> Mapping[str, str]:
    """Column of raw codes, where there is one."""
    column = required(source.code).column
    return {} if column is None else {RAW_CODE: column}


def with_states(table: ibis.Table, source: Source) -> ibis.Table:
    """Table with ``kind`` and ``code``, both null where the raw code is not mapped."""
    code = required(source.code)
    if code.constant is not None:
        kind, state = source.state(code.constant)
        return table.mutate(**{KIND: ibis.literal(kind), CODE: ibis.literal(state)})
    states = {raw: source.state(text) for raw, text in code.values.items()}
    raw = table[RAW_CODE]
    return table.mutate(
        **{
            KIND: values.translated(raw, {r: kind for r, (kind, _) in states.items()}),
            CODE: values.translated(raw, {r: state for r, (_, state) in states.items()}),
        }
    )


def code_flags(table: ibis.Table, source: Source, *, columns: tuple[str, ...]) -> tuple[Flag, ...]:
    """Flags of raw codes that are not mapped, or mapped to nothing."""
    code = required(source.code)
    if code.constant is not None:
        return ()
    raw = table[RAW_CODE]
    nothing = raw.isin(list(code.none)) if code.none else ibis.literal(False)  # noqa: FBT003 - a column
    unmapped = Flag(
        reason="unmapped_code",
        up=table[CODE].isnull() & ~nothing,
        columns=columns,
        refuse=code.unmapped == "refuse",
        needed="codes listed under code.values or code.none",
        remedy="list them there, or write code.unmapped = 'count' to leave such rows out and count"
        " them",
        raw=RAW_CODE,
    )
    return unmapped, Flag(reason="code_none", up=nothing, refuse=False)
