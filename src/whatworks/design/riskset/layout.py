"""One pass over the panel for every question that agrees on its rules.

What comes out are the rows that some of these questions compare, as columns of the smallest types that
hold them, and counts of all rows by where they stand: enough for every question's ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis import _
from numpy.typing import NDArray

from whatworks.design.covariates import Term
from whatworks.design.question import Arms, Question
from whatworks.design.riskset import marks
from whatworks.design.riskset.counting import Counters
from whatworks.design.riskset.histories import (
    Columns,
    counted,
    elapsed,
    elapsed_column,
    history_terms,
    lags,
    latest,
    latest_column,
    of_the_row,
    value_of,
)
from whatworks.design.riskset.reading import Reading, Rules
from whatworks.panel.record import Panel
from whatworks.sources.engine import hold_table
from whatworks.vocabulary import ENTRY_MONTH, MONTH, PERSON, Kind

ROWS_AT_ONCE: Final = 6_000_000
"""Person-months laid out at a time, so that memory does not grow with the panel."""
MONTHS_PER_YEAR: Final = 12

BAND: Final = "band"
STANDING: Final = "standing"
REASON: Final = "reason"
ELAPSED: Final = "elapsed before entry"
KEYS: Final = [ENTRY_MONTH, BAND, REASON, STANDING]

REASONS: Final = (
    "",
    "not_eligible",
    "outside_territory",
    "outside_ages",
    "elapsed_unknown",
    "missing_covariate",
)
"""Why a row is not at risk whatever the treatment, by its number; 0 when it is."""

Ints = NDArray[np.int64]
Wanted = Callable[[Ints], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Rows of a panel that some questions compare.

    Parameters
    ----------
    rules : Rules
    codes : tuple of str
        Accompaniments told apart.
    served : frozenset
        What tells the arms of the questions laid out.
    first, last : int
        Months of entry.
    person : ndarray of int64, shape (n,)
    entry : ndarray of int32, shape (n,)
    band : ndarray of int32, shape (n,)
        Band of elapsed duration; 0 when none is asked.
    standings : ndarray of int64
        Distinct standings towards accompaniments; see ``marks.py``.
    place : ndarray of int, shape (n,)
        Of each row's standing among them.
    columns : mapping of term to ndarray of shape (n,)
        Of a territory, the place in its ``levels``.
    levels : mapping of term to tuple of str
    counts : DataFrame
        ``entry_month, band, reason, standing, n`` of all rows, and of those before and after the
        months of entry in which an accompaniment begins; ``standing`` is a place.
    people : DataFrame
        Persons of the panel with their attributes, by number.
    """

    rules: Rules
    codes: tuple[str, ...]
    served: frozenset[Arms]
    first: int
    last: int
    person: Ints
    entry: NDArray[np.int32]
    band: NDArray[np.int32]
    standings: Ints
    place: Ints
    columns: Mapping[str, NDArray[np.generic]]
    levels: Mapping[str, tuple[str, ...]]
    counts: pd.DataFrame
    people: pd.DataFrame

    def serves(self, question: Question, reading: Reading) -> bool:
        """Whether the rows of a question are among these."""
        inside = self.first <= reading.first and reading.last <= self.last
        return inside and reading.rules == self.rules and question.arms in self.served


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass reads.

    Parameters
    ----------
    rules : Rules
    codes : tuple of str
    first, last : int
        Months of entry.
    wanted : callable
        Which of some distinct standings any of the questions compares.
    served : frozenset
        What tells the arms of each of them.
    whole_life : bool
        Whether some question asks who is never accompanied.
    """

    rules: Rules
    codes: tuple[str, ...]
    first: int
    last: int
    wanted: Wanted
    served: frozenset[Arms]
    whole_life: bool = False


def lay_out(panel: Panel, asked: Pass) -> Layout:
    """Read the panel once, so many persons at a time."""
    people = panel.persons.order_by(PERSON).execute()
    counts, blocks = [], []
    for low, high in _blocks(people[PERSON].to_numpy(), panel.last - panel.first + 1):
        block = panel.table.filter(panel.table[PERSON].between(low, high))
        counted, rows = _block(replace(panel, table=block), asked)
        counts.append(counted)
        blocks.append(rows)
    counted_rows = pd.concat(counts).groupby(KEYS)["n"].sum().reset_index()
    standings, found = np.unique(counted_rows[STANDING].to_numpy(), return_inverse=True)
    counted_rows[STANDING] = found
    rows = pa.concat_tables(blocks).combine_chunks()
    person, entry = rows[PERSON].to_numpy(), rows[ENTRY_MONTH].to_numpy()
    order = np.lexsort((person, entry))
    columns = {t.name: rows[t.name].to_numpy()[order] for t in history_terms(asked.rules.terms)}
    levels = {}
    for term in _places(asked.rules):
        told = pa.chunked_array([rows[term.name].combine_chunks().dictionary_encode()])
        told = told.combine_chunks()
        columns[term.name] = told.indices.to_numpy()[order]
        levels[term.name] = tuple(str(level) for level in told.dictionary.to_pylist())
    return Layout(
        rules=asked.rules,
        codes=asked.codes,
        served=asked.served,
        first=asked.first,
        last=asked.last,
        person=person[order],
        entry=entry[order],
        band=rows[BAND].to_numpy()[order],
        standings=standings,
        place=np.searchsorted(standings, rows[STANDING].to_numpy()[order]),
        columns=columns,
        levels=levels,
        counts=counted_rows,
        people=people,
    )


def _places(rules: Rules) -> tuple[Term, ...]:
    return tuple(t for t in rules.terms if t.act == "place")


def _blocks(persons: Ints, months: int) -> Iterator[tuple[int, int]]:
    """First and last number of so many persons at a time."""
    size = max(1, ROWS_AT_ONCE // months)
    for start in range(0, persons.size, size):
        block = persons[start : start + size]
        yield int(block[0]), int(block[-1])


def _block(panel: Panel, asked: Pass) -> tuple[pd.DataFrame, pa.Table]:
    """Counts of all rows of some persons, and the rows that are compared."""
    table = hold_table(panel.connection, "at_risk", _rows(panel, asked))
    counts = table.group_by(KEYS).aggregate(n=_.count()).execute()
    standings = counts[STANDING].unique()
    compared = standings[asked.wanted(standings.astype(np.int64))]
    kept = table.filter(
        (table[REASON] == 0)
        & table[ENTRY_MONTH].between(asked.first, asked.last)
        & table[STANDING].isin([int(s) for s in compared])
    )
    rows = kept.drop(REASON).to_pyarrow()
    held = "VIEW" if panel.connection.name == "pyspark" else "TABLE"
    panel.connection.raw_sql(f"DROP {held} {table.get_name()}")  # the engine needs its memory back
    return counts, rows


def _rows(panel: Panel, asked: Pass) -> ibis.Table:
    """One row per person and possible month of entry, with standing, reason and terms."""
    rules = asked.rules
    names = (*counted(rules.terms), *marks.counted_types(asked.codes))
    counters = Counters(names=tuple(dict.fromkeys(names)), first=panel.first)
    monthly = _of_the_month(panel, asked)
    summed = _summed(panel, asked, counters, monthly)
    table = _lagged(asked, counters, summed)
    terms = {t.name: value_of(t, table, counters) for t in history_terms(rules.terms)}
    terms |= {t.name: table[t.name] for t in _places(rules)}
    reason = _reason(rules, table, terms)
    band = ibis.literal(0)
    if rules.elapsed_in is not None:
        band = (reason == 0).ifelse((table[ELAPSED] - 1) // rules.elapsed_band, 0)
    entry = table[MONTH] + rules.shift
    near = entry.between(asked.first, asked.last)
    rows = table.select(
        PERSON,
        **{
            ENTRY_MONTH: entry.cast("int32"),
            BAND: band.cast("int32"),
            STANDING: marks.standing_of(table, counters, rules, asked.codes),
            REASON: reason.cast("int8"),
            # A row told only for its beginning has no history to keep.
            "kept": near | marks.starts_of(table, counters, asked.codes),
            **terms,
        },
    )
    return rows.filter(rows.kept).drop("kept")


def _of_the_month(panel: Panel, asked: Pass) -> ibis.Table:
    """What each row says of its own month."""
    rules, table = asked.rules, panel.table
    columns: Columns = dict(of_the_row(table, counted(rules.terms)))
    columns |= marks.types_of_the_row(panel, asked.codes)
    columns |= marks.stock_of_the_row(panel, asked.codes)
    columns["any type"] = ibis.coalesce(table[Kind.ACCOMPANIMENT] > 0, False).cast("int8")
    for term in rules.terms:
        if term.act in ("value", "place"):
            columns[f"told {term.base}"] = table[term.base]
        elif term.act == "since":
            columns[latest_column(term.base)] = latest(table, term.base)
    lasting = {t.base for t in rules.terms if t.act == "elapsed"} | {rules.elapsed_in}
    columns |= {elapsed_column(b): elapsed(panel, b) for b in sorted(filter(None, lasting))}
    eligible: ibis.Value = ibis.literal(True)  # noqa: FBT003 - the start of a chain of ands
    for state in rules.eligible:
        eligible = eligible & (table[state] > 0)
    there: ibis.Value = ibis.literal(not rules.territories)
    for level, codes in rules.territories:
        there = there | table[level].isin(codes)
    columns["eligible"] = ibis.coalesce(eligible, False).cast("int8")
    columns["there"] = ibis.coalesce(there, False).cast("int8")
    return table.select(PERSON, MONTH, **columns)


def _summed(panel: Panel, asked: Pass, counters: Counters, monthly: ibis.Table) -> ibis.Table:
    """Running sums, and what is known one month before entry."""
    rules = asked.rules
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    life = ibis.window(group_by=PERSON)

    def at_risk(name: str) -> ibis.Value:
        """The month before entry: before the row, or after a stay whose length is told."""
        told = monthly[name]
        moved = told.lag(1) if rules.shift == 0 else told.lead(rules.shift - 1)
        return moved.over(order)

    columns = counters.running({name: monthly[name] for name in counters.names})
    columns |= {name: monthly[name] for name in marks.counted_types(asked.codes)}
    columns |= {n: monthly[n].max().over(life) for n in monthly.columns if n.startswith("stock ")}
    columns["accompanied"] = ibis.literal(0, "int8")
    if asked.whole_life:
        columns["accompanied"] = monthly["any type"].max().over(life)
    columns |= {name: ibis.coalesce(at_risk(name), 0) for name in ("eligible", "there")}
    for term in rules.terms:
        if term.act in ("value", "place"):
            columns[term.name] = monthly[f"told {term.base}"].lag(term.k).over(order)
        elif term.act == "elapsed":
            columns[term.name] = monthly[elapsed_column(term.base)].lag(1).over(order).cast("int16")
        elif term.act == "since":
            name = latest_column(term.base)
            columns[name] = monthly[name].lag(1).over(order)
    if rules.elapsed_in is not None:
        columns[ELAPSED] = at_risk(elapsed_column(rules.elapsed_in))
    table = monthly.select(PERSON, MONTH, **columns)
    if rules.born is None:
        return table
    born = panel.persons.select(PERSON, born=panel.persons[rules.born])
    return table.left_join(born, PERSON).select(table, born["born"])


def _lagged(asked: Pass, counters: Counters, summed: ibis.Table) -> ibis.Table:
    """The running sums at every month back, or ahead, at which they are read."""
    rules = asked.rules
    clean = (rules.washout, rules.within, marks.months_clean(rules, "unseen"))
    months = lags(rules.terms) | {m + 1 for m in clean if m is not None}
    columns = counters.lagged(summed, months)
    if rules.shift > 1:
        columns |= counters.leading(summed, rules.shift - 1)
    return summed.mutate(**columns)


def _reason(rules: Rules, table: ibis.Table, terms: Columns) -> ibis.Value:
    """Place among `REASONS` of the first rule the row breaks."""
    complete: ibis.Value = ibis.literal(True)  # noqa: FBT003 - the start of a chain of ands
    for value in terms.values():
        complete = complete & value.notnull()
    cases = [(table["eligible"] == 0, 1), (table["there"] == 0, 2)]
    if rules.elapsed_in is not None:
        cases[:0] = [(table[ELAPSED] == 0, 1)]
    if rules.ages is not None:
        youngest, oldest = rules.ages
        age = (table[MONTH] + rules.shift - table["born"]) // MONTHS_PER_YEAR
        cases += [(~age.between(youngest, oldest), 3)]
        complete = complete & age.notnull()
    if rules.elapsed_in is not None:
        cases += [(table[ELAPSED].isnull(), 4)]
    return ibis.cases(*cases, (~complete, 5), else_=0)
