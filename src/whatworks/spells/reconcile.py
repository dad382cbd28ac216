"""One verb, `reconcile`: months become stays, open ends are closed, overlaps are resolved."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import ibis
from ibis import _

from whatworks.errors import OptionError, suggestion
from whatworks.ledger import Ledger
from whatworks.sources.engine import hold_table
from whatworks.sources.records import Records
from whatworks.spells.calendar import day_before, length, month_end, month_of, month_start
from whatworks.spells.overlaps import (
    DOSE,
    ROW,
    ROW_END,
    ROW_ID,
    ROW_START,
    STAY,
    TOLD,
    cut,
    exact_sum,
    merge,
)
from whatworks.spells.record import OPEN_DAYS, Overlap, Spells
from whatworks.spells.schemas import check_spells
from whatworks.vocabulary import (
    CODE,
    DAYS,
    END,
    FIRST,
    INTENSITY,
    KIND,
    MONTH,
    OPEN,
    PERSON,
    SCHEME,
    SOURCE,
    START,
    Kind,
)

USUAL: Final[Mapping[str, Overlap]] = MappingProxyType({Kind.EMPLOYMENT: Overlap(policy="keep")})
"""Policies where none is asked: contracts stay apart, stays in any other state are merged."""


def reconcile(
    records: Records, *, gap_days: int = 0, overlaps: Mapping[str, Overlap] | None = None
) -> Spells:
    """Resolve what rows of the files say into stays of persons in states.

    Parameters
    ----------
    records : Records
        What the files say.
    gap_days : int
        Two stays in the same state separated by at most so many days are one, for sources whose
        mapping names no ``gap_days`` of its own.
    overlaps : mapping of kind to Overlap, optional
        What becomes of rows about the same days; `USUAL` for the kinds it leaves out.

    Returns
    -------
    Spells

    Raises
    ------
    OptionError
        When ``gap_days`` is negative, when an overlap names a kind or a source that the records
        lack, or when persons of several systems have not been linked.

    Notes
    -----
    Only contracts of employment have a length declared in advance. Whatever bridges a gap is
    known to be one stay only once the gap has ended: with a gap of g months, a panel's rows are
    final g months later.

    Examples
    --------
    The operator's own list stands before the department's where both tell an accompaniment::

        reconcile(records, overlaps={
            "accompaniment": Overlap(policy="priority", sources=("operator", "department"))
        })
    """
    _refuse_unlinked(records)
    policies = _policies(records, gap_days=gap_days, asked=overlaps or {})
    con = records.connection
    runs = hold_table(con, "runs", _runs_of_months(records))
    rows, doses = ibis.union(_episodes(records), runs), _doses(records)
    told = rows
    before = int(records.episodes.count().execute()) + int(runs.count().execute())
    ledger = records.ledger
    if any(overlap.policy == "priority" for overlap in policies.values()):
        rows, before, ledger = _prioritised(records, rows, policies, before=before)
        doses = None if doses is None else _cut_doses(records, doses, told, policies)
    elif doses is not None:
        doses = _whole(records, doses)
    gaps = {"": gap_days, **{s: n for s, n in records.gap_days.items() if n}}
    spells = Spells(
        records=records,
        table=hold_table(con, "spells", _resolved(rows, policies, gaps=gaps)),
        ledger=ledger,
        overlaps=MappingProxyType(policies),
        doses=None if doses is None else hold_table(con, "doses", doses),
    )
    return check_spells(spells, before=before)


def _refuse_unlinked(records: Records) -> None:
    """Refuse to lay side by side persons whom nobody has tried to recognise."""
    if records.identities is None:
        return
    spaces = sorted(
        str(s) for s in records.identities.select("space").distinct().execute()["space"]
    )
    if len(spaces) > 1:
        raise OptionError(
            what="reconcile",
            needed="records in which each person stands once",
            found=f"persons of the spaces {', '.join(spaces)}, not linked",
            remedy="pass the records to link() first, or add the table [link] to the mapping",
        )


def _policies(
    records: Records, *, gap_days: int, asked: Mapping[str, Overlap]
) -> dict[str, Overlap]:
    """Policy of each kind the records can tell of."""
    if gap_days < 0:
        raise OptionError(
            what="gap_days",
            needed="a number of days, 0 or more",
            found=str(gap_days),
            remedy="write 0 to merge only overlapping and adjacent stays",
        )
    known = {
        "overlaps": (tuple(records.codes), tuple(asked)),
        "overlaps, sources": (
            tuple(dict.fromkeys(c.source for c in records.coverage)),
            tuple(s for overlap in asked.values() for s in overlap.sources),
        ),
    }
    for what, (allowed, given) in known.items():
        for name in given:
            if name not in allowed:
                raise OptionError(
                    what=what,
                    needed="one of " + ", ".join(allowed),
                    found=repr(str(name)),
                    remedy=suggestion(name, allowed) or "choose among those",
                )
    return {str(kind): asked.get(kind, USUAL.get(kind, Overlap())) for kind in records.codes}


def _episodes(records: Records) -> ibis.Table:
    """Rows laid out as spells, open ends closed where their source stops seeing."""
    stays = records.episodes
    bound = _last_day(records, stays)
    if records.blind is not None:
        stays = _with_loss(stays, records.blind)
        seen = day_before(month_start(stays[FIRST]))
        bound = ibis.least(bound, ibis.coalesce(seen, bound))
    is_open = stays[END].isnull()
    # An open spell that starts after its source stops seeing ends the day it starts.
    end = ibis.greatest(ibis.coalesce(stays[END], bound), stays[START])
    declared = is_open.ifelse(ibis.literal(OPEN_DAYS, "int32"), length(stays[START], stays[END]))
    contract = stays[KIND] == Kind.EMPLOYMENT
    return stays.mutate(
        end=end, days=contract.ifelse(declared, ibis.null("int32")), open_ended=is_open
    ).select(*ROW)


def _last_day(records: Records, stays: ibis.Table) -> ibis.Value:
    """Last day a row's source covers."""
    ends = [
        (
            (stays[SOURCE] == c.source) & (stays[KIND] == c.kind),
            month_end(ibis.literal(c.last, "int32")),
        )
        for c in records.coverage
    ]
    return ibis.cases(*ends, else_=ibis.null("date")) if ends else ibis.null("date")


def _with_loss(stays: ibis.Table, blind: ibis.Table) -> ibis.Table:
    """Stays with ``first``: for open ones, the month from which their source lost the person."""
    at_risk = stays.filter(stays[END].isnull()).select(SOURCE, PERSON, KIND, START).distinct()
    lost = at_risk.join(blind, [SOURCE, PERSON, KIND])
    # A source that shows the person in the month it lost them has found them again.
    after = lost.filter(lost[FIRST] > month_of(lost[START]))
    when = after.group_by([SOURCE, PERSON, KIND, START]).aggregate(first=_[FIRST].min())
    is_open = stays[END].isnull()
    keys = [stays[c] == when[c] for c in (SOURCE, PERSON, KIND, START)]
    return stays.left_join(when, [*keys, is_open]).select(stays, when[FIRST])


def _runs_of_months(records: Records) -> ibis.Table:
    """Months in one state told by one source, as stays (gaps and islands).

    Months without a row do not end a stay while they are no more than the source's ``gaps``.
    """
    keys = [SOURCE, PERSON, KIND, CODE, SCHEME]
    months = records.states.group_by([*keys, MONTH]).aggregate(
        intensity=exact_sum(records.states[INTENSITY])
    )
    order = ibis.window(group_by=keys, order_by=MONTH)
    upto = ibis.window(group_by=keys, order_by=MONTH, preceding=None, following=0)
    bridged = [
        (months[SOURCE] == s, ibis.literal(n, "int32")) for s, n in records.gaps.items() if n
    ]
    none = ibis.literal(0, "int32")
    gap = ibis.cases(*bridged, else_=none) if bridged else none
    marked = months.mutate(before=_[MONTH].lag(1).over(order), gap=gap)
    begins = (marked.before.isnull() | (marked[MONTH] > marked.before + 1 + marked.gap)).cast(
        "int32"
    )
    runs = marked.mutate(begins=begins).mutate(run=_.begins.sum().over(upto))
    stays = runs.group_by([*keys, "run"]).aggregate(
        first=_[MONTH].min(), last=_[MONTH].max(), intensity=exact_sum(_[INTENSITY])
    )
    return stays.mutate(
        start=month_start(stays[FIRST]),
        end=month_end(stays["last"]),
        days=ibis.null("int32"),
        open_ended=ibis.literal(False),  # noqa: FBT003 - a column constant, not a flag
    ).select(*ROW)


def _doses(records: Records) -> ibis.Table | None:
    """Doses over the days of the row that told them, None where no source tells any."""
    if not records.intensities:
        return None
    states = records.states
    by_month = states.mutate(
        start=month_start(states[MONTH]),
        end=month_end(states[MONTH]),
        days=ibis.null("int32"),
        open_ended=ibis.literal(False),  # noqa: FBT003 - a column constant, not a flag
    ).select(*ROW)
    return ibis.union(_episodes(records), by_month).filter(_[INTENSITY].notnull())


def _prioritised(
    records: Records, rows: ibis.Table, policies: Mapping[str, Overlap], *, before: int
) -> tuple[ibis.Table, int, Ledger]:
    """Rows after the more believed sources were given way to, their number, and the account of it.

    The account is kept in rows that lost all their days, and in days. What follows counts pieces.
    """
    ranked = _ranked(policies)
    con = records.connection
    theirs = hold_table(con, "ranked", rows.filter(_[KIND].isin(ranked)))
    pieces = hold_table(con, "pieces", cut(theirs, theirs, policies))
    kept = pieces.select(PERSON, KIND, ROW_ID).distinct().count()
    days = [_days(theirs), _days(pieces)]
    n_rows, n_kept = int(theirs.count().execute()), int(kept.execute())
    n_pieces = int(pieces.count().execute())
    ledger = records.ledger.add(
        "spells", "priority", unit="days", before=days[0], dropped={"outranked": days[0] - days[1]}
    ).add(
        "spells", "priority", unit="spells", before=n_rows, dropped={"outranked": n_rows - n_kept}
    )
    others = rows.filter(~_[KIND].isin(ranked))
    return ibis.union(others, pieces.select(*ROW)), before - n_rows + n_pieces, ledger


def _days(rows: ibis.Table) -> int:
    total = rows.aggregate(days=ibis.coalesce(length(rows[START], rows[END]).sum(), 0))
    return int(total.execute()["days"].iloc[0])


def _cut_doses(
    records: Records, doses: ibis.Table, told: ibis.Table, policies: Mapping[str, Overlap]
) -> ibis.Table:
    """Doses of the days that each row keeps."""
    ranked = _ranked(policies)
    pieces = cut(doses.filter(_[KIND].isin(ranked)), told.filter(_[KIND].isin(ranked)), policies)
    row_end = _spread_until(records, pieces, start=pieces[ROW_START], end=pieces[ROW_END])
    cut_rows = pieces.mutate(intensity=pieces[TOLD], row_end=row_end).select(*DOSE)
    return ibis.union(_whole(records, doses.filter(~_[KIND].isin(ranked))), cut_rows)


def _whole(records: Records, doses: ibis.Table) -> ibis.Table:
    """Doses of rows that keep all their days."""
    row_end = _spread_until(records, doses, start=doses[START], end=doses[END])
    return doses.mutate(row_start=doses[START], row_end=row_end).select(*DOSE)


def _spread_until(
    records: Records, rows: ibis.Table, *, start: ibis.Value, end: ibis.Value
) -> ibis.Value:
    """Last day over which a row's dose is spread.

    For an open row that is where its source stops, whether or not it lost the person before: a
    month's dose would else depend on a loss that came after it.
    """
    bound = ibis.greatest(_last_day(records, rows), start)
    return rows[OPEN].ifelse(ibis.coalesce(bound, end), end)


def _ranked(policies: Mapping[str, Overlap]) -> list[str]:
    return [kind for kind, overlap in policies.items() if overlap.policy == "priority"]


def _resolved(
    rows: ibis.Table, policies: Mapping[str, Overlap], *, gaps: Mapping[str, int]
) -> ibis.Table:
    """Stays: kept apart where the policy says so, merged elsewhere."""
    keep = [kind for kind, overlap in policies.items() if overlap.policy == "keep"]
    merged = merge(rows.filter(~_[KIND].isin(keep)), gaps=gaps).select(*STAY)
    if not keep:
        return merged
    apart = rows.filter(_[KIND].isin(keep))
    following = [source for source in gaps if source]
    kept = apart.filter(~_[SOURCE].isin(following)) if following else apart
    parts = [merged, kept.select(*STAY)]
    if following:
        # The mapping says that rows of these sources follow one another in one contract.
        joined = merge(apart.filter(_[SOURCE].isin(following)), gaps=gaps, by=(SOURCE,))
        whole = joined[OPEN].ifelse(OPEN_DAYS, length(joined[START], joined[END])).cast("int32")
        days = joined[DAYS].isnull().ifelse(ibis.null("int32"), whole)
        parts.append(joined.mutate(days=days).select(*STAY))
    return ibis.union(*parts)
