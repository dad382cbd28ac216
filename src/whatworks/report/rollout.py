"""Figures of treatment that rolls out: who starts when, effects by start and period, how sure of both."""

from __future__ import annotations

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Evidence
from whatworks.report import frames, names
from whatworks.report.drawn import figure_of
from whatworks.report.figures import calendar as calendar_figure
from whatworks.report.figures import cells as cells_figure
from whatworks.report.figures import gaps as gaps_figure
from whatworks.report.figures import sensitivity as sensitivity_figure
from whatworks.report.figures.svg import Drawing
from whatworks.report.language import Words
from whatworks.report.numbers import Scale, rounded_columns, rounded_effects
from whatworks.report.tables import Table, table_of
from whatworks.vocabulary import ENTRY_MONTH, MARKET, Supply


def calendar(design: Design) -> pd.DataFrame:
    """Cohorts in the order in which they start: ``start, first, last, units, markets``.

    ``start`` is missing for those that do not start within the periods seen, ``units`` where there
    are fewer than eleven, ``markets`` where none is known. Empty when the design is no rollout.
    """
    columns = ["start", "first", "last", "units", "markets"]
    if Supply.ROLLOUT not in design.supplies:
        return pd.DataFrame(columns=columns)
    periods = design.outcomes.months
    units = design.units[[ENTRY_MONTH, MARKET]]
    start = units[ENTRY_MONTH].where(units[ENTRY_MONTH] <= periods[-1])
    sizes = units.groupby(start, dropna=False).agg(
        units=(ENTRY_MONTH, "size"), markets=(MARKET, "nunique")
    )
    made = sizes.rename_axis("start").reset_index().sort_values("start", na_position="last")
    made = made.assign(
        start=made["start"].astype(float),
        first=periods[0],
        last=periods[-1],
        units=made["units"].where(made["units"] >= frames.FEWEST),
        markets=made["markets"].where(made["markets"] > 0),
    )
    return made[columns].reset_index(drop=True)


def cells(estimate: Estimate, design: Design) -> pd.DataFrame:
    """Effects by cohort and period, rounded; empty where the estimate has none.

    Columns ``cohort, period, month, estimate, conf_low, conf_high``; the last three are missing for
    cohorts of fewer than eleven persons.
    """
    scale, rows = frames.effect_scale(estimate), frames.shown(estimate.effects, design)
    own = rows[(rows["cohort"] != frames.ALL_COHORTS) & (rows["term"] == "att")]
    own = own[own["group"] == frames.EVERYONE]
    told = rounded_effects(own, scale).assign(period=own["cohort"] + own["month"])
    columns = ["cohort", "period", "month", "estimate", "conf_low", "conf_high"]
    return told[columns].sort_values(["cohort", "period"], ignore_index=True)


def gaps(estimate: Estimate, scale: Scale) -> pd.DataFrame:
    """Gap of each treated territory to its synthetic one, rounded: ``territory, month, gap``.

    Empty where the method builds no synthetic territory.
    """
    paths = estimate.extras.get("paths")
    if paths is None:
        return pd.DataFrame(columns=["territory", "month", "gap"])
    made = paths.assign(gap=paths["actual"] - paths["synthetic"])
    return rounded_columns(made[["territory", "month", "gap"]], scale.decimals, "gap")


def sensitivity(evidence: Evidence, scale: Scale) -> pd.DataFrame:
    """Intervals by how far trends may have departed from parallel: ``departure, conf_low, conf_high``.

    Empty where the check was not run.
    """
    columns = ["departure", "conf_low", "conf_high"]
    found = next((f for f in evidence.findings if f.check == "sensitivity"), None)
    if found is None or found.table is None:
        return pd.DataFrame(columns=columns)
    own = found.table[found.table["set"] == "relative_magnitudes"]
    return rounded_columns(own[columns].reset_index(drop=True), scale.decimals, *columns[1:])


def calendar_drawing(design: Design, speak: Words) -> Drawing | None:
    """Who starts when, None when the design is no rollout."""
    table = calendar(design)
    if table.empty:
        return None
    clock = frames.clock(design)
    return figure_of(
        "calendar",
        lambda ax: calendar_figure.draw_calendar(table, ax, words=speak, clock=clock),
        height=calendar_figure.height(table),
        told=_calendar_told(speak, table, clock),
        data=table,
        speak=speak,
    )


def cells_drawing(evidence: Evidence, speak: Words) -> Drawing | None:
    """Effects of the first estimate by cohort and period, None where fewer than two cohorts show."""
    scale, clock = frames.common_scale(evidence), frames.clock(evidence.design)
    table = cells(evidence.estimates[0], evidence.design)
    if table.loc[table["estimate"].notna(), "cohort"].nunique() < 2:
        return None
    return figure_of(
        "cells",
        lambda ax: cells_figure.draw_cells(table, ax, words=speak, scale=scale, clock=clock),
        height=cells_figure.height(table),
        told=_cells_told(speak, table, scale, clock),
        data=table,
        speak=speak,
    )


def gaps_drawing(estimate: Estimate, speak: Words, *, clock: str) -> Drawing | None:
    """Gaps of territories to their synthetic ones, None where the method builds none."""
    scale = frames.effect_scale(estimate)
    table = gaps(estimate, scale)
    if table.empty:
        return None
    return figure_of(
        "gaps",
        lambda ax: gaps_figure.draw_gaps(table, ax, words=speak, unit=scale.unit, clock=clock),
        told=_gaps_told(speak, table, scale),
        data=table,
        speak=speak,
    )


def sensitivity_drawing(evidence: Evidence, speak: Words) -> Drawing | None:
    """Intervals under departures from parallel trends, None where none was looked at."""
    scale = frames.common_scale(evidence)
    table = sensitivity(evidence, scale)
    if not np.isfinite(table["conf_low"].to_numpy(float)).any():
        return None
    return figure_of(
        "sensitivity",
        lambda ax: sensitivity_figure.draw_sensitivity(table, ax, words=speak, unit=scale.unit),
        told=" ".join(
            speak.text(
                "told.sensitivity",
                {
                    "departure": speak.measure(row.departure),
                    "interval": speak.bounds(row.conf_low, row.conf_high, scale),
                },
            )
            for row in frames.rows_of(table)
        ),
        data=table,
        speak=speak,
    )


def sensitivity_table(words: Words, table: pd.DataFrame, scale: Scale) -> Table:
    """Numbers of the sensitivity figure."""
    rows = [
        (words.measure(row.departure), words.bounds(row.conf_low, row.conf_high, scale))
        for row in frames.rows_of(table)
    ]
    return table_of(words, "sensitivity", ["departure", "interval"], rows)


def calendar_table(words: Words, table: pd.DataFrame, *, clock: str) -> Table:
    """Numbers of the calendar."""
    rows = [
        (
            names.start(words, row.start, clock=clock),
            names.few(words, row.units),
            words.number(row.markets),
        )
        for row in frames.rows_of(table)
    ]
    return table_of(words, "calendar", ["start", "units", "markets"], rows)


def cells_table(words: Words, table: pd.DataFrame, scale: Scale, *, clock: str) -> Table:
    """Numbers of the cells."""
    rows = [
        (
            names.period(words, int(row.cohort), clock=clock),
            names.period(words, int(row.period), clock=clock),
            words.number(row.month),
            words.number(row.estimate, scale.decimals, signed=True),
            words.bounds(row.conf_low, row.conf_high, scale),
        )
        for row in frames.rows_of(table)
    ]
    columns = ["start", "read_in", "since", "effect", "interval"]
    return table_of(words, "cells", columns, rows, text=("read_in",), unit=scale.unit)


def gaps_table(words: Words, table: pd.DataFrame, scale: Scale) -> Table:
    """Mean gap by time since the start, and between which bounds territories lie."""
    by_month = table.groupby("month")["gap"].agg(["size", "mean", "min", "max"]).reset_index()
    rows = [
        (
            words.number(row.month),
            words.count(row.size),
            words.number(row.mean, scale.decimals, signed=True),
            words.bounds(row.min, row.max, scale),
        )
        for row in frames.rows_of(by_month)
    ]
    columns = ["since", "markets", "value", "between"]
    return table_of(words, "gaps", columns, rows, unit=scale.unit)


def _gaps_told(words: Words, table: pd.DataFrame, scale: Scale) -> str:
    means = table.groupby(table["month"] >= 0)["gap"].mean()
    said = [words.text("told.gaps", {"n": words.count(table["territory"].nunique())})]
    for key, after in (("before", False), ("after", True)):
        if after in means.index:
            value = words.amount(float(means[after]), scale, signed=True)
            said.append(words.text(f"told.gaps_{key}", {"value": value}))
    return " ".join(said)


def _calendar_told(words: Words, table: pd.DataFrame, clock: str) -> str:
    said = [
        words.text(
            "told.calendar",
            {
                "first": names.period(words, int(table["first"].min()), clock=clock),
                "last": names.period(words, int(table["last"].max()), clock=clock),
            },
        )
    ]
    said += [names.cohort_size(words, row, clock=clock) + "." for row in table.to_dict("records")]
    return " ".join(said)


def _cells_told(words: Words, table: pd.DataFrame, scale: Scale, clock: str) -> str:
    """The largest and the least effect after the start, and before it."""
    said = []
    for key, rows in (("after", table["month"] >= 0), ("before", table["month"] < 0)):
        known = table[rows & np.isfinite(table["estimate"])]
        if known.empty:
            continue
        facts = {}
        for end, place in (
            ("low", known["estimate"].idxmin()),
            ("high", known["estimate"].idxmax()),
        ):
            row = known.loc[place]
            facts[end] = words.amount(float(row["estimate"]), scale, signed=True)
            facts[f"{end}_cohort"] = names.period(words, int(row["cohort"]), clock=clock)
            facts[f"{end}_period"] = names.period(words, int(row["period"]), clock=clock)
        said.append(words.text(f"told.cells_{key}", facts))
    return " ".join(said)
