"""Flags decide: rows under a refusing flag refuse the source, under a counting one are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import ibis
import pandas as pd
from ibis import _

from whatworks.sources.formats.table import FILE
from whatworks.sources.layout import RAW_CODE, REASON, Flag
from whatworks.sources.problems import Problem, counted, refuse_if
from whatworks.sources.scratch import Scratch
from whatworks.vocabulary import PERSON

NOUNS: Final = {"rows": "row", "person_rows": "member's row", "person_months": "cell"}
"""What one row of each unit is called."""
_SHOWN_FILES: Final = 5
_SHOWN_CODES: Final = 5
_PERSONS_PER_CODE: Final = 11
"""Fewer could single someone out, were the mapping to point at a column of names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where rows come from, for errors: the source, its files in order, what a row is."""

    source: str
    files: Sequence[str]
    unit: str = "rows"

    def say(self, numbers: Sequence[int], columns: Sequence[str]) -> str:
        """``source 'contracts', contracts.csv, column 'end'``."""
        concerned = self.files[numbers[0]] if len(numbers) == 1 else counted(len(numbers), "file")
        named = " and ".join(repr(c) for c in columns)
        noun = "column" if len(columns) == 1 else "columns"
        return f"source {self.source!r}, {concerned}" + (f", {noun} {named}" if named else "")

    def count(self, flagged: pd.Series[int], of: int) -> str:
        """``3 of 10 rows``, with the share of each file when there are several."""
        total = f"{int(flagged.sum()):,} of {counted(of, NOUNS[self.unit])}"
        if len(flagged) == 1:
            return total
        shown = [
            f"{self.files[int(n)]} {int(count):,}"
            for n, count in zip(flagged.index[:_SHOWN_FILES], flagged, strict=False)
        ]
        more = len(flagged) - len(shown)
        return f"{total} ({', '.join(shown)}" + (
            f", {counted(more, 'other file')})" if more else ")"
        )


def settle(
    table: ibis.Table,
    flags: Sequence[Flag],
    *,
    keep: Sequence[str],
    place: Place,
    scratch: Scratch,
) -> tuple[ibis.Table, dict[str, int]]:
    """Compute a table and the fate of each of its rows.

    Parameters
    ----------
    table : ibis.Table
        With the number of the file and the person of each row.
    flags : sequence of Flag
        In order of precedence: a row counts under the first that is up.
    keep : sequence of str
        Columns to hold.
    place : Place
    scratch : Scratch

    Returns
    -------
    table : ibis.Table
        Held by the engine: the columns asked for, those whose raw text errors count, and
        `REASON`, why a row is left behind, null when it is kept.
    dropped : dict
        Rows left behind per reason.

    Raises
    ------
    ProblemsError
        When a refusing flag is up for a row; tells every such flag.
    """
    ups = _in_precedence(flags)
    held = dict.fromkeys([*keep, *(f.raw for f in flags if f.raw)])
    left = [
        (up, ibis.literal(f.reason))
        for up, f in zip(ups.values(), flags, strict=True)
        if not f.refuse
    ]
    reason = ibis.cases(*left) if left else ibis.null("string")
    marked = scratch.keep(
        "marked",
        table.mutate(**ups, **{REASON: reason}).select(*held, *ups, REASON),
        what=f"source {place.source!r}",
    )
    counts = (
        marked.group_by(FILE)
        .aggregate(rows=_.count(), **{name: marked[name].sum() for name in ups})
        .order_by(FILE)
        .execute()
        .set_index(FILE)
    )
    refuse_if(
        [
            _problem(
                flag, counts[name], int(counts["rows"].sum()), marked.filter(marked[name]), place
            )
            for name, flag in zip(ups, flags, strict=True)
            if flag.refuse and counts[name].sum()
        ]
    )
    reasons = marked.filter(marked[REASON].notnull()).group_by(REASON).aggregate(n=_.count())
    dropped = {str(r.reason): int(r.n) for r in reasons.order_by(REASON).execute().itertuples()}
    return marked, dropped


def _in_precedence(flags: Sequence[Flag]) -> dict[str, ibis.Value]:
    """A column per flag, up where no earlier flag has already left the row behind."""
    columns: dict[str, ibis.Value] = {}
    gone = ibis.literal(False)  # noqa: FBT003 - the value of a column
    for number, flag in enumerate(flags):
        columns[f"flag_{number}"] = flag.up & ~gone
        gone = gone if flag.refuse else gone | flag.up
    return columns


def _problem(
    flag: Flag, counts: pd.Series[int], rows: int, flagged: ibis.Table, place: Place
) -> Problem:
    concerned = counts[counts > 0]
    found = place.count(concerned, rows)
    return Problem(
        what=place.say([int(n) for n in concerned.index], flag.columns),
        needed=flag.needed,
        found=f"{found} with {_raw(flagged, flag.raw)}" if flag.raw else f"{found} otherwise",
        remedy=flag.remedy,
    )


def _raw(flagged: ibis.Table, column: str) -> str:
    """How many raw codes or values rows hold, and those that enough persons share to be shown."""
    named = flagged.select(PERSON, raw=flagged[column])
    codes = named.group_by("raw").aggregate(n=_.count(), persons=_[PERSON].nunique())
    total = int(codes.count().execute())
    common = codes.filter(codes.persons >= _PERSONS_PER_CODE)
    shown = common.order_by(ibis.desc("n"), "raw").limit(_SHOWN_CODES).execute()
    text = counted(total, "unknown code" if column == RAW_CODE else "unknown value")
    if shown.empty:
        return f"{text}, none shared by {_PERSONS_PER_CODE} persons and so none shown"
    return f"{text}, among them " + ", ".join(
        f"{row.raw!r} ({row.n:,})" for row in shown.itertuples()
    )
