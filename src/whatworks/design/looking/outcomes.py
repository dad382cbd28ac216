"""Outcomes of the units of a design, read from the panel last: no choice can depend on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd
from ibis import _
from numpy.typing import NDArray

from whatworks.design.censoring import follow_comparisons
from whatworks.design.covariates import LONG_HISTORY
from whatworks.design.parts import Outcomes
from whatworks.design.question import Question
from whatworks.errors import DesignRefused
from whatworks.indicators import Indicator
from whatworks.panel.record import Panel
from whatworks.vocabulary import ENTRY_MONTH, MONTH, PERSON, TREATED, Kind, LaterStarts

if TYPE_CHECKING:
    from whatworks.design.record import Design

Floats = NDArray[np.float64]


def open_outcomes(
    panel: Panel, question: Question, indicator: Indicator, units: pd.DataFrame
) -> Outcomes:
    """Outcomes of the chosen units by month since entry, from before entry to the last horizon."""
    entry = units["entry_month"].to_numpy()
    earliest = int(entry.min()) - panel.first
    reach = -question.placebo_months[0] if question.placebo_months else LONG_HISTORY
    months = np.arange(-min(earliest, max(reach, 1)), question.months[-1] + 1)
    persons, place = np.unique(units["person_id"].to_numpy(), return_inverse=True)
    monthly = monthly_values(panel, indicator, persons)
    position = entry[:, None] - panel.first + months[None, :]
    inside = (position >= 0) & (position < monthly.shape[1])
    safe = np.clip(position, 0, monthly.shape[1] - 1)
    values = np.where(inside, monthly[place[:, None], safe], np.nan)
    if indicator.accumulates:
        values = _accumulate(values, months)
    if indicator.ever:
        values = np.minimum(values, 1.0)
    scale = 100.0 if indicator.unit == "pp" else 1.0
    followed = None
    if question.later_starts == LaterStarts.CENSOR:
        followed = follow_comparisons(panel, question, units, months=tuple(months))
    return Outcomes(
        name=indicator.id,
        unit=indicator.unit,
        months=tuple(int(m) for m in months),
        values=values * scale,
        accumulates=indicator.accumulates,
        weights=None if followed is None else followed.weights,
        followed=None if followed is None else followed.months,
    )


def check_persons(panel: Panel, design: Design) -> None:
    """Refuse a panel that is not the one a design was chosen from, or a refresh of it.

    Raises
    ------
    DesignRefused
        When the design was made from a table, a person is absent from the panel, or a treated unit
        is in no accompaniment in its month of entry.
    """
    if design.history is None:
        raise DesignRefused(
            what="opening of outcomes",
            needed="a design chosen from a panel",
            found="one made from a table",
            remedy="bring the outcomes with the table",
        )
    units = design.units
    wanted = ibis.memtable(pd.DataFrame({PERSON: np.unique(units[PERSON])}))
    absent = int(wanted.anti_join(panel.persons, PERSON).count().execute())
    entries = units.loc[units[TREATED], [PERSON, ENTRY_MONTH]].drop_duplicates()
    # Where a length of stay is the treatment, entry is counted from the month that tells it.
    entries[ENTRY_MONTH] -= design.question.landmark[1]
    entered = panel.table.filter(_[Kind.ACCOMPANIMENT] > 0).select(
        PERSON, **{ENTRY_MONTH: _[MONTH]}
    )
    unseen = int(ibis.memtable(entries).anti_join(entered, [PERSON, ENTRY_MONTH]).count().execute())
    if absent or unseen:
        raise DesignRefused(
            what="panel",
            needed="the panel the design was chosen from, or one refreshed from it",
            found=f"{absent} persons it does not hold, {unseen} entries it does not show",
            remedy="open the design on its own panel, or choose again on this one",
        )


def monthly_values(panel: Panel, indicator: Indicator, persons: NDArray[np.int64]) -> Floats:
    """The indicator by person (rows, in the order given) and month of the panel (columns)."""
    if indicator.monthly is None:
        raise AssertionError(f"outcome {indicator.id} has no monthly expression")
    wanted = ibis.memtable(pd.DataFrame({PERSON: persons, "row": np.arange(persons.size)}))
    values = panel.table.select(PERSON, MONTH, value=indicator.monthly(panel))
    rows = values.join(wanted, PERSON).filter(_.value.notnull())
    columns = rows.select("row", MONTH, "value").to_pyarrow()
    matrix = np.full((persons.size, panel.last - panel.first + 1), np.nan)
    matrix[columns["row"].to_numpy(), columns[MONTH].to_numpy() - panel.first] = columns[
        "value"
    ].to_numpy()
    return matrix


def _accumulate(values: Floats, months: NDArray[np.int64]) -> Floats:
    """Months accumulated from entry on, and before entry over the months that lead to it."""
    result = np.zeros_like(values)
    after, before = months > 0, months < 0
    result[:, after] = np.cumsum(values[:, after], axis=1)
    result[:, before] = np.cumsum(values[:, before][:, ::-1], axis=1)[:, ::-1]
    return result
