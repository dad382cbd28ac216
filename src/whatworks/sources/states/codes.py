"""Raw codes become kinds and codes of the product, or are flagged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import ibis

from whatworks.sources import values
from whatworks.sources.layout import LISTED, RAW_CODE, Flag, Listed, required
from whatworks.sources.mapping import CodeColumn, Source
from whatworks.vocabulary import CODE, KIND

_OVERRIDE: Final = "raw_override_"
_DECIDED: Final = "override"
"""State that an override gives, null where none does; as the mapping writes it."""
_STATE: Final = "state"


def code_column(source: Source) -> Mapping[str, str]:
    """Column of raw codes, where there is one, and those that override it."""
    code = required(source.code)
    own = {} if code.column is None else {RAW_CODE: code.column}
    return own | {f"{_OVERRIDE}{n}": o.column for n, o in enumerate(code.overrides)}


def with_states(table: ibis.Table, source: Source, *, listed: Listed = ()) -> ibis.Table:
    """Table with ``kind`` and ``code``, both null where the raw code is not mapped."""
    code = required(source.code)
    decided = table.mutate(**{_DECIDED: _overridden(table, code, listed)})
    state = ibis.coalesce(decided[_DECIDED], _own_state(decided, code))
    told = decided.mutate(**{_STATE: state})
    states = {text: source.state(text) for text in code.written}
    return told.mutate(
        **{
            KIND: values.translated(told[_STATE], {t: kind for t, (kind, _) in states.items()}),
            CODE: values.translated(told[_STATE], {t: own for t, (_, own) in states.items()}),
        }
    ).drop(_STATE)


def _overridden(table: ibis.Table, code: CodeColumn, listed: Listed) -> ibis.Value:
    """State that the first override with something to say gives, null where none has."""
    said: list[ibis.Value] = []
    for number, override in enumerate(code.overrides):
        raw = table[f"{_OVERRIDE}{number}"]
        if override.listed_in is None:
            said.append(values.translated(raw, override.values))
        else:
            among = raw.strip().isin(required(listed[number])[LISTED])
            said.append(among.ifelse(ibis.literal(override.code), ibis.null("string")))
    return ibis.coalesce(*said) if said else ibis.null("string")


def _own_state(table: ibis.Table, code: CodeColumn) -> ibis.Value:
    """State that the code itself stands for, null where it stands for none."""
    if code.constant is not None:
        return ibis.literal(code.constant)
    raw = table[RAW_CODE]
    if not code.bands:
        return values.translated(raw, code.values)
    size = values.number(raw, code.decimal)
    steps = [
        (size.notnull() if band.upto is None else size <= band.upto, band.code)
        for band in code.bands
    ]
    return ibis.cases(*steps, else_=ibis.null("string"))


def code_flags(table: ibis.Table, source: Source, *, columns: tuple[str, ...]) -> tuple[Flag, ...]:
    """Flags of raw codes that are not mapped, or mapped to nothing."""
    code = required(source.code)
    if code.constant is not None:
        return ()
    raw, own = table[RAW_CODE], table[_DECIDED].isnull()
    nothing = own & raw.isin(list(code.none)) if code.none else ibis.literal(False)  # noqa: FBT003 - a column
    refuse = code.unmapped == "refuse"
    unknown = own & table[CODE].isnull() & ~nothing
    unmapped = Flag(
        reason="unmapped_code",
        up=unknown,
        columns=columns,
        refuse=refuse,
        needed="codes listed under code.values or code.none",
        remedy="list them there, or write code.unmapped = 'count' to leave such rows out and count"
        " them",
        raw=RAW_CODE,
    )
    empty = Flag(reason="code_none", up=nothing, refuse=False)
    if not code.bands:
        return unmapped, empty
    read = values.number(raw, code.decimal).notnull()
    unreadable = Flag(
        reason="unreadable_code",
        up=unknown & ~read,
        columns=columns,
        refuse=refuse,
        needed=f"numbers with the decimal mark {code.decimal!r}, or values of code.none",
        remedy="correct code.decimal, list under code.none what stands for no number, or write"
        " code.unmapped = 'count' to leave such rows out and count them",
        raw=RAW_CODE,
    )
    beyond = replace(
        unmapped,
        up=unknown & read,
        needed=f"numbers up to {code.bands[-1].upto}, the last of code.bands",
        remedy="add a last band without 'upto', or write code.unmapped = 'count' to leave such rows"
        " out and count them",
    )
    return unreadable, beyond, empty
