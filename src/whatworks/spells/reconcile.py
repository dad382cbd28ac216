"""One verb, `reconcile`: months become stays, open ends are closed, overlaps are merged."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis import _

from whatworks.errors import OptionError
from whatworks.sources.records import Records
from whatworks.spells.record import OPEN_DAYS, Spells
from whatworks.spells.schemas import check_spells
from whatworks.vocabulary import CODE, DAYS, END, KIND, MONTH, OPEN, PERSON, SOURCE, START, Kind


def reconcile(
    records: Records, *, gap_days: int = 0, keep: Sequence[str] = (Kind.EMPLOYMENT,)
) -> Spells:
    """Resolve what rows of the files say into stays of persons in states.

    Parameters
    ----------
    records : Records
        What the files say.
    gap_days : int
        Two stays in the same state separated by at most so many days are one.
    keep : sequence of kinds
        Kinds whose overlapping rows stay apart, each with its own declared length: two contracts
        of employment at once are two contracts.

    Returns
    -------
    Spells

    Raises
    ------
    OptionError
        When ``gap_days`` is negative.

    Notes
    -----
    Overlaps are merged in one sort: within person, kind and code, rows in order of start begin a
    new stay when their start lies beyond the greatest end seen so far.
    """
    if gap_days < 0:
        raise OptionError(
            what="gap_days",
            needed="a number of days, 0 or more",
            found=str(gap_days),
            remedy="write 0 to merge only overlapping and adjacent stays",
        )
    rows = _episodes(records).union(_runs_of_months(records))
    apart = rows.filter(_[KIND].isin(list(keep))).select(PERSON, KIND, CODE, START, END, DAYS, OPEN)
    merged = _merge(rows.filter(~_[KIND].isin(list(keep))), gap_days=gap_days)
    con = records.connection
    table = con.create_table(ibis.util.gen_name("spells"), apart.union(merged), temp=True)
    before = int(rows.count().execute())
    ledger = records.ledger.add(
        "spells",
        "overlaps",
        unit="spells",
        before=before,
        dropped={"merged": before - int(table.count().execute())},
    )
    return check_spells(Spells(records=records, table=table, ledger=ledger))


def _coverage(records: Records) -> ibis.Table:
    """Last day each source sees, per kind."""
    columns = {"source": "string", "kind": "string", "last_month": "int32"}
    rows = [(c.source, c.kind, c.last) for c in records.coverage]
    return ibis.memtable(rows, schema=columns).mutate(last_day=_month_end(_.last_month))


def _month_start(month: ibis.Value) -> ibis.Value:
    return ibis.date((month // 12).cast("int32"), (month % 12 + 1).cast("int32"), 1)


def _month_end(month: ibis.Value) -> ibis.Value:
    return _month_start(month + 1) - ibis.interval(days=1)


def _episodes(records: Records) -> ibis.Table:
    """Rows laid out as spells, open ends closed where their source stops seeing."""
    known = records.episodes.left_join(_coverage(records), [SOURCE, KIND])
    is_open = known[END].isnull()
    length = (known[END].delta(known[START], unit="day") + 1).cast("int32")
    closed = known.mutate(
        end=ibis.coalesce(known[END], known.last_day),
        days=is_open.ifelse(OPEN_DAYS, length),
        open_ended=is_open,
    )
    # An open spell that starts after its source stops seeing ends the day it starts.
    return closed.select(
        PERSON,
        KIND,
        CODE,
        START,
        end=ibis.greatest(closed[END], closed[START]),
        days=closed.days.cast("int32"),
        open_ended=closed.open_ended,
    )


def _runs_of_months(records: Records) -> ibis.Table:
    """Consecutive months in one state as one stay (gaps and islands)."""
    months = records.states.select(PERSON, KIND, CODE, MONTH).distinct()
    order = ibis.window(group_by=[PERSON, KIND, CODE], order_by=MONTH)
    runs = months.mutate(run=_[MONTH] - ibis.row_number().over(order).cast("int32"))
    stays = runs.group_by([PERSON, KIND, CODE, "run"]).aggregate(
        first=_[MONTH].min(), last=_[MONTH].max()
    )
    bounds = stays.mutate(start=_month_start(_.first), end=_month_end(_.last))
    return bounds.select(
        PERSON,
        KIND,
        CODE,
        START,
        END,
        days=(_.end.delta(_.start, unit="day") + 1).cast("int32"),
        open_ended=ibis.literal(False),  # noqa: FBT003 - a column constant, not a flag
    )


def _merge(rows: ibis.Table, *, gap_days: int) -> ibis.Table:
    """Union of overlapping and near-adjacent rows of one person, kind and code."""
    earlier = ibis.window(group_by=[PERSON, KIND, CODE], order_by=[START, END], preceding=(None, 1))
    upto = ibis.window(
        group_by=[PERSON, KIND, CODE], order_by=[START, END], preceding=None, following=0
    )
    reach = rows.mutate(reach=_[END].max().over(earlier))
    begins = reach.mutate(
        begins=(_.reach.isnull() | (_[START] > _.reach + ibis.interval(days=1 + gap_days))).cast(
            "int32"
        )
    )
    stays = begins.mutate(stay=_.begins.sum().over(upto))
    return (
        stays.group_by([PERSON, KIND, CODE, "stay"])
        .aggregate(
            start=_[START].min(), end=_[END].max(), days=_[DAYS].max(), open_ended=_[OPEN].any()
        )
        .drop("stay")
    )
