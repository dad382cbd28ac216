"""Rows that speak of the same days: cut by a more believed source, or merged into one stay.

Both are one sort within a person: intervals in order of start, and the greatest end seen so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ibis
from ibis import _

from whatworks.spells.calendar import date_of, day_number
from whatworks.spells.record import Overlap
from whatworks.vocabulary import (
    CODE,
    DAYS,
    END,
    INTENSITY,
    KIND,
    OPEN,
    PERSON,
    SCHEME,
    SOURCE,
    START,
)

ROW: Final = (SOURCE, PERSON, KIND, CODE, SCHEME, START, END, DAYS, OPEN, INTENSITY)
"""Columns of a row before overlaps are resolved."""
STAY: Final = (PERSON, KIND, CODE, SCHEME, START, END, DAYS, OPEN, INTENSITY)
"""Columns of a stay."""
ROW_START: Final = "row_start"
ROW_END: Final = "row_end"
DOSE: Final = (PERSON, KIND, CODE, START, END, INTENSITY, ROW_START, ROW_END)
"""Columns of a dose."""
MILLION: Final = 1_000_000
TOLD: Final = "told"
"""Dose of the whole row."""
ROW_ID: Final = "row of the person"
_RANK: Final = "rank of the source"


def merge(rows: ibis.Table, *, gaps: Mapping[str, int], by: Sequence[str] = ()) -> ibis.Table:
    """Union of overlapping and near-adjacent rows of one person, kind, code and scheme.

    Parameters
    ----------
    rows : ibis.Table
        Columns `ROW`.
    gaps : mapping of source to int
        Days without the state after a row of the source that do not end the stay; ``""`` holds for
        sources it does not name.
    by : sequence of columns
        Further columns within which to merge.

    Returns
    -------
    ibis.Table
        Columns `STAY`. A declared length is that of the longest row.
    """
    keys = [PERSON, KIND, CODE, SCHEME, *by]
    order = [START, END]
    earlier = ibis.window(group_by=keys, order_by=order, preceding=(None, 1))
    upto = ibis.window(group_by=keys, order_by=order, preceding=None, following=0)
    begins_at = day_number(rows[START])
    reach = day_number(rows[END]) + _gap(rows, gaps)
    reaching = rows.mutate(begins_at=begins_at, reach=reach)
    seen = reaching.mutate(seen=_.reach.max().over(earlier))
    begins = seen.mutate(begins=(_.seen.isnull() | (_.begins_at > _.seen + 1)).cast("int32"))
    stays = begins.mutate(stay=_.begins.sum().over(upto))
    return stays.group_by([*keys, "stay"]).aggregate(
        start=_[START].min(),
        end=_[END].max(),
        days=_[DAYS].max(),
        open_ended=_[OPEN].max(),
        intensity=exact_sum(_[INTENSITY]),
    )


def exact_sum(dose: ibis.Value) -> ibis.Value:
    """Sum that does not depend on the order of rows: counted in millionths, which add exactly."""
    return (dose * MILLION).round().cast("int64").sum().cast("float64") / MILLION


def _gap(rows: ibis.Table, gaps: Mapping[str, int]) -> ibis.Value:
    usual = gaps.get("", 0)
    own = [(rows[SOURCE] == s, ibis.literal(n, "int32")) for s, n in gaps.items() if s]
    return ibis.cases(*own, else_=ibis.literal(usual, "int32")) if own else ibis.literal(usual)


def cut(rows: ibis.Table, believed: ibis.Table, overlaps: Mapping[str, Overlap]) -> ibis.Table:
    """Leave to each row the days of which no more believed source tells another state.

    Parameters
    ----------
    rows : ibis.Table
        Columns `ROW`, of kinds whose policy is ``priority``.
    believed : ibis.Table
        Rows that may stand before them.
    overlaps : mapping of kind to Overlap

    Returns
    -------
    ibis.Table
        Columns `ROW` and `ROW_ID`, the row's number within the person and kind: a row may leave
        several pieces, or none. A piece has its share, by days, of the dose of its row; `TOLD`,
        `ROW_START` and `ROW_END` say what the row was before it was cut.
    """
    within = ibis.window(group_by=[PERSON, KIND], order_by=[c for c in ROW if c != PERSON])
    ranked = rows.mutate(
        **{ROW_ID: ibis.row_number().over(within), _RANK: _rank(rows, overlaps)},
        from_day=day_number(rows[START]).cast("int64"),
        to_day=day_number(rows[END]).cast("int64"),
    )
    blocks = believed.select(
        PERSON,
        KIND,
        block_code=believed[CODE],
        block_rank=_rank(believed, overlaps),
        block_from=day_number(believed[START]).cast("int64"),
        block_to=day_number(believed[END]).cast("int64"),
    ).distinct()
    bounds = ibis.union(
        ranked.select(PERSON, KIND, ROW_ID, begin=_.from_day - 1, stop=_.from_day - 1),
        ranked.select(PERSON, KIND, ROW_ID, begin=_.to_day + 1, stop=_.to_day + 1),
        _blocked(ranked, blocks),
    )
    pieces = _between(bounds)
    joined = ranked.join(pieces, [PERSON, KIND, ROW_ID])
    whole = {TOLD: joined[INTENSITY], ROW_START: joined[START], ROW_END: joined[END]}
    share = (joined.piece_to - joined.piece_from + 1) / (joined.to_day - joined.from_day + 1)
    return joined.mutate(
        start=date_of(joined.piece_from),
        end=date_of(joined.piece_to),
        intensity=joined[INTENSITY] * share,
        **whole,
    ).select(*ROW, ROW_ID, *whole)


def _rank(rows: ibis.Table, overlaps: Mapping[str, Overlap]) -> ibis.Value:
    """Place of a row's source in the order of its kind, 0 for the most believed."""
    told = [
        ((rows[KIND] == kind) & (rows[SOURCE] == source), ibis.literal(rank, "int32"))
        for kind, overlap in overlaps.items()
        for rank, source in enumerate(overlap.sources)
    ]
    return ibis.cases(*told, else_=ibis.literal(MILLION, "int32"))


def _blocked(ranked: ibis.Table, blocks: ibis.Table) -> ibis.Table:
    """Days of each row of which a more believed source tells another state."""
    met = ranked.join(
        blocks,
        [
            ranked[PERSON] == blocks[PERSON],
            ranked[KIND] == blocks[KIND],
            ranked[CODE] != blocks.block_code,
            ranked[_RANK] > blocks.block_rank,
            ranked.from_day <= blocks.block_to,
            ranked.to_day >= blocks.block_from,
        ],
    )
    return met.select(PERSON, KIND, ROW_ID, begin=_.block_from, stop=_.block_to)


def _between(bounds: ibis.Table) -> ibis.Table:
    """Days that lie between the intervals of each row."""
    earlier = ibis.window(
        group_by=[PERSON, KIND, ROW_ID], order_by=["begin", "stop"], preceding=(None, 1)
    )
    reach = bounds.mutate(reach=_.stop.max().over(earlier))
    return reach.filter(_.reach.notnull() & (_.begin > _.reach + 1)).select(
        PERSON, KIND, ROW_ID, piece_from=_.reach + 1, piece_to=_.begin - 1
    )
