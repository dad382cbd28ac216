"""Which rows of a source count: conditions, the same row twice, the row of a key that decides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Final

import ibis
from ibis import _

from whatworks.sources import values
from whatworks.sources.formats.table import FILE, FINGERPRINT
from whatworks.sources.layout import Flag, required
from whatworks.sources.mapping import Source
from whatworks.sources.mapping.states import Condition, Keep
from whatworks.sources.rows.identifiers import named
from whatworks.sources.scratch import Scratch
from whatworks.sources.states.coverage import VINTAGE

_WHERE: Final = "where_"
_KEY: Final = "keep_"
_ORDER: Final = "order"
_BLANK: Final = "order_blank"
_RANK: Final = "order_value"
_GONE: Final = "gone"
_AGAIN: Final = "again"
_BEATEN: Final = "beaten"
_TIMES: Final = "times"


def sifting_columns(source: Source) -> dict[str, str]:
    """Columns that decide whether a row counts."""
    keep = source.keep
    return {
        **named(_WHERE, [condition.column for condition in source.where]),
        **({} if keep is None else named(_KEY, keep.by)),
        **({} if keep is None or keep.order is None else {_ORDER: keep.order}),
    }


def condition_flags(rows: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flags of rows that a condition leaves out."""
    return tuple(
        Flag(reason=condition.reason, up=~_met(rows[f"{_WHERE}{n}"], condition), refuse=False)
        for n, condition in enumerate(source.where)
    )


def with_rivals(
    rows: ibis.Table, source: Source, gone: Sequence[Flag], *, scratch: Scratch
) -> ibis.Table:
    """Rows with what `rival_flags` looks at: is it there already, is there a better one of its key.

    Parameters
    ----------
    rows : ibis.Table
    source : Source
    gone : sequence of Flag
        Of rows that count no more, and so have no rival and are none.
    scratch : Scratch
    """
    out = reduce(lambda a, b: a | b, [f.up for f in gone if not f.refuse], ibis.literal(False))  # noqa: FBT003 - a column
    marked = rows.mutate(**{_GONE: out})
    marked = _later(marked, [FINGERPRINT], [FILE], name=_AGAIN, scratch=scratch)
    if source.keep is None:
        return marked.mutate(**{_BEATEN: False})
    preferred = _with_preference(marked, source.keep)
    last = source.keep.which == "last"
    return _later(
        preferred.mutate(**{_GONE: preferred[_GONE] | preferred[_AGAIN]}),
        [*named(_KEY, source.keep.by)],
        [_BLANK, _[_RANK].desc() if last else _[_RANK].asc()],
        name=_BEATEN,
        scratch=scratch,
    )


def rival_flags(rows: ibis.Table, source: Source) -> tuple[Flag, ...]:
    """Flags of rows that repeat another, or give way to another of the same key."""
    repeated = Flag(
        reason="duplicate_row",
        up=rows[_AGAIN],
        refuse=source.duplicates == "refuse",
        needed="rows that differ in at least one column",
        remedy="check that no file was delivered twice, or write duplicates = 'count' to keep"
        " one of each and count the others",
    )
    if source.keep is None:
        return (repeated,)
    return (
        repeated,
        *_unreadable_order(rows, source.keep),
        Flag(reason="superseded_row", up=rows[_BEATEN], refuse=False),
    )


def _later(
    rows: ibis.Table,
    keys: Sequence[str],
    order: Sequence[str | ibis.Deferred],
    *,
    name: str,
    scratch: Scratch,
) -> ibis.Table:
    """Rows with a column that is true for all but the first of those that count and share keys.

    Few keys are shared as a rule, and to sort every row for them is dear: only rows of shared keys
    are compared.
    """
    counting = rows.filter(~rows[_GONE]).group_by(keys).aggregate(**{_TIMES: _.count()})
    shared = scratch.keep("shared", counting.filter(_[_TIMES] > 1).select(*keys), what="rows")
    if not int(shared.count().execute()):
        scratch.drop(shared)
        return rows.mutate(**{name: False})
    place = ibis.row_number().over(
        ibis.window(group_by=[*keys, _GONE], order_by=[*order, FINGERPRINT])
    )
    rivals = rows.semi_join(shared, keys).mutate(**{name: ~_[_GONE] & (place > 0)})
    alone = rows.anti_join(shared, keys).mutate(**{name: False})
    return rivals.union(alone)


def _with_preference(rows: ibis.Table, keep: Keep) -> ibis.Table:
    """Rows with what decides between them; those in which it is blank come last."""
    if keep.order is None:
        return rows.mutate(**{_BLANK: False, _RANK: rows[VINTAGE]})
    raw = rows[_ORDER]
    return rows.mutate(**{_BLANK: values.is_blank(raw), _RANK: _typed(raw, keep)})


def _typed(text: ibis.Value, keep: Keep) -> ibis.Value:
    if keep.type == "number":
        return values.number(text, keep.decimal)
    return values.date(text, keep.format) if keep.type == "date" else text


def _unreadable_order(rows: ibis.Table, keep: Keep) -> tuple[Flag, ...]:
    if keep.order is None or keep.type == "text":
        return ()
    written = (
        f"dates written {keep.format}"
        if keep.type == "date"
        else f"numbers with the decimal mark {keep.decimal!r}"
    )
    flag = Flag(
        reason="unreadable_order",
        up=_typed(rows[_ORDER], keep).isnull() & ~values.is_blank(rows[_ORDER]),
        columns=(required(keep.order),),
        needed=f"{written}, or nothing",
        remedy="correct keep.type, keep.format or keep.decimal",
    )
    return (flag,)


def _met(text: ibis.Value, condition: Condition) -> ibis.Value:
    if condition.one_of:
        return text.isin(list(condition.one_of))
    if condition.none_of:
        return text.notin(list(condition.none_of))
    larger = values.number(text, condition.decimal) > condition.above
    return larger.fill_null(ibis.literal(False))  # noqa: FBT003 - a column
