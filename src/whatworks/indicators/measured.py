"""One pass over a panel: everything the criteria of the gate count, by month, territory and arm.

The arm of a person is the first accompaniment they start, ``none`` for whoever starts none; the
territory is the employment zone of the month where the panel has it, else the person's market.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import ibis
import numpy as np
import pandas as pd
from ibis import _

from whatworks.indicators.record import Shown, shown_by
from whatworks.indicators.registry import indicators, lookup
from whatworks.panel.record import Panel
from whatworks.sources.records import Coverage
from whatworks.vocabulary import (
    MARKET,
    MONTH,
    NONE,
    PERSON,
    SOURCE,
    ZONE,
    Kind,
    Nature,
    measure_column,
    state_column,
)

ARM: Final = "arm"
TERRITORY: Final = "territory"
PERSONS: Final = "persons"
ENTRY: Final = "entry_month"
UNPLACED: Final = ""
MOST_TERRITORIES: Final = 500
"""Beyond, a breakdown by territory says nothing anyone can read: only months and arms are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one pass over a panel tells the gate.

    Parameters
    ----------
    panel : Panel
    shown : Shown
    counts : DataFrame
        ``month, territory, arm, persons``; for each kind of state and each measure ``known:NAME``,
        rows where it is not null; for each state and measure ``in:NAME``, rows where it is above
        zero.
    people : DataFrame
        ``arm, entry_month (float, NaN for none), territory, persons``.
    reassessed : DataFrame
        ``measure, persons, again``: persons assessed once, and more than once.
    """

    panel: Panel
    shown: Shown
    counts: pd.DataFrame
    people: pd.DataFrame
    reassessed: pd.DataFrame

    @property
    def window(self) -> tuple[int, int]:
        """First and last month of the panel."""
        return self.panel.first, self.panel.last

    def covering(self, kinds: Iterable[str]) -> tuple[Coverage, ...]:
        """Coverage of the sources that show one of the kinds."""
        wanted = set(kinds)
        return tuple(c for c in self.panel.coverage if c.kind in wanted)

    def by_month(self, name: str) -> pd.DataFrame:
        """``persons, known, in`` of a kind of state or a measure, indexed by month."""
        columns = {"persons": PERSONS, "known": f"known:{name}", "in": f"in:{name}"}
        sums = self.counts.groupby(MONTH)[list(columns.values())].sum()
        return sums.rename(columns={given: short for short, given in columns.items()})

    def in_state(self, name: str, month: int) -> int:
        """Persons in a state in a month."""
        return int(self.counts.loc[self.counts[MONTH] == month, f"in:{name}"].sum())

    def cells(self, name: str) -> pd.DataFrame:
        """``month, territory, arm, persons, known`` of a kind of state or a measure."""
        keys = [MONTH, TERRITORY, ARM, PERSONS]
        return self.counts[[*keys, f"known:{name}"]].rename(columns={f"known:{name}": "known"})

    def missingness(self) -> pd.DataFrame:
        """Share of persons each source leaves unknown, ``source, month, persons, share``.

        A month outside a source's coverage is wholly unknown to it.
        """
        months = np.arange(self.panel.first, self.panel.last + 1)
        rows = []
        for source in dict.fromkeys(c.source for c in self.panel.coverage):
            known = np.zeros(months.size)
            persons = np.zeros(months.size, dtype=np.int64)
            for c in self.panel.coverage:
                if c.source != source:
                    continue
                seen = self.by_month(c.kind).reindex(months, fill_value=0)
                inside = (months >= c.first) & (months <= c.last)
                persons = seen["persons"].to_numpy(np.int64)
                share = seen["known"].to_numpy(float) / np.maximum(persons, 1)
                known = np.maximum(known, np.where(inside, share, 0.0))
            columns = {SOURCE: source, MONTH: months, PERSONS: persons, "share": 1.0 - known}
            rows.append(pd.DataFrame(columns))
        empty = pd.DataFrame(columns=[SOURCE, MONTH, PERSONS, "share"])
        return pd.concat(rows, ignore_index=True) if rows else empty


def measure(panel: Panel) -> Measured:
    """Count once what every criterion needs.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    Measured
        A few thousand rows, whatever the size of the panel: pass it to every `assess`.
    """
    shown = shown_by(panel)
    who = _who(panel)
    return Measured(
        panel=panel,
        shown=shown,
        counts=_counts(panel, shown, who),
        people=_people(who),
        reassessed=_reassessed(panel, shown),
    )


def _who(panel: Panel) -> ibis.Table:
    """Every person with arm, month of entry and territory."""
    persons = panel.persons
    placed = MARKET in panel.attributes and _few(persons[MARKET])
    place = ibis.coalesce(persons[MARKET], UNPLACED) if placed else ibis.literal(UNPLACED)
    people = persons.select(PERSON, territory=place)
    codes = panel.states.get(Kind.ACCOMPANIMENT, ())
    if not codes:
        return people.mutate(arm=ibis.literal(NONE), entry_month=ibis.null("int32"))
    table = panel.table
    branches = [
        (table[state_column(Kind.ACCOMPANIMENT, code)] > 0, ibis.literal(code)) for code in codes
    ]
    started = (
        table.filter(table[Kind.ACCOMPANIMENT] > 0)
        .mutate(type=ibis.cases(*branches, else_=ibis.null("string")))
        .group_by(PERSON)
        .aggregate(entry_month=_[MONTH].min(), first_type=_.type.argmin(_[MONTH]))
    )
    joined = people.left_join(started, PERSON)
    return joined.select(
        PERSON, TERRITORY, arm=ibis.coalesce(joined.first_type, NONE), entry_month=joined[ENTRY]
    )


def _few(column: ibis.Value) -> bool:
    return int(column.nunique().execute()) <= MOST_TERRITORIES


def _counts(panel: Panel, shown: Shown, who: ibis.Table) -> pd.DataFrame:
    table = panel.table
    measures = [measure_column(name) for name in sorted(shown.measures)]
    if ZONE in table.columns and _few(table[ZONE]):
        rows = table.join(who.drop(TERRITORY), PERSON)
        place = ibis.coalesce(rows[ZONE], UNPLACED)
    else:
        rows = table.join(who, PERSON)
        place = rows[TERRITORY]
    tallies: dict[str, ibis.Value] = {PERSONS: rows.count()}
    for name in (*sorted(shown.states), *measures):
        tallies[f"known:{name}"] = rows[name].count()
    for name in (*sorted(shown.names()), *measures):
        tallies[f"in:{name}"] = ibis.coalesce((rows[name] > 0).sum(), 0)
    counted = rows.group_by(month=rows[MONTH], territory=place, arm=rows[ARM]).aggregate(**tallies)
    frame: pd.DataFrame = counted.order_by([MONTH, TERRITORY, ARM]).execute()
    return frame


def _people(who: ibis.Table) -> pd.DataFrame:
    grouped = who.group_by([ARM, ENTRY, TERRITORY]).aggregate(persons=_.count())
    frame: pd.DataFrame = grouped.order_by([ARM, ENTRY, TERRITORY]).execute()
    return frame.astype({ENTRY: "float64"})


def _reassessed(panel: Panel, shown: Shown) -> pd.DataFrame:
    """Persons with a value, and with several, of what is known only by assessment."""
    wanted = [
        name
        for identifier in indicators(Nature.OUTCOME)
        if lookup(identifier).reassessed
        for name in lookup(identifier).measures
        if name in shown.measures
    ]
    rows = []
    for name in wanted:
        times = panel.table.group_by(PERSON).aggregate(times=_[measure_column(name)].count())
        found = times.aggregate(persons=(_.times > 0).sum(), again=(_.times > 1).sum()).execute()
        once, again = found.iloc[0][[PERSONS, "again"]].fillna(0).astype(int)
        rows.append((name, once, again))
    return pd.DataFrame(rows, columns=["measure", PERSONS, "again"])
