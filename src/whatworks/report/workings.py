"""What lies under a check's answer: its table, short on the page and whole in a file."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from whatworks.evidence.record import Evidence, Finding
from whatworks.report import frames
from whatworks.report.language import Words
from whatworks.report.numbers import (
    P_VALUE_DECIMALS,
    STATISTIC_DECIMALS,
    Scale,
    rounded_columns,
)
from whatworks.report.tables import Table, table_of

IN_FILES: Final = (
    "pretrend_power",
    "sensitivity",
    "placebo_dates",
    "placebo_outcomes",
    "clusters",
    "multiplicity",
    "territories",
    "twoway",
)
"""Checks whose tables are offered: none of them holds a number of persons."""
_WEIGHT_DECIMALS: Final = 6
"""Weights are many and are summed."""
_IN_UNIT: Final = ("estimate", "conf_low", "conf_high", "slope", "bias", "bias_if_passed")


def table_of_finding(found: Finding, scale: Scale) -> pd.DataFrame | None:
    """Table of a finding, rounded once; None where it has none or none that is offered."""
    if found.table is None or found.table.empty or found.check not in IN_FILES:
        return None
    table = found.table
    decimals = {
        **dict.fromkeys(_IN_UNIT, scale.decimals),
        "std_error": scale.finer.decimals,
        **dict.fromkeys(("p_value", "p_adjusted"), P_VALUE_DECIMALS),
        **dict.fromkeys(("df", "departure"), STATISTIC_DECIMALS),
        "weight": _WEIGHT_DECIMALS,
    }
    for name, places in decimals.items():
        if name in table:
            table = rounded_columns(table, places, name)
    return table


def workings(words: Words, evidence: Evidence) -> tuple[Table, ...]:
    """Short tables of the checks whose answer a reader may want to see through."""
    scale = frames.common_scale(evidence)
    told = {"clusters": _inference, "territories": _territories, "twoway": _twoway}
    found = []
    for finding in evidence.findings:
        table = table_of_finding(finding, scale)
        if finding.check == "clusters" and table is not None:
            table = table[table["reason"] != "not_needed"]
            table = table if table["p_value"].notna().sum() > 1 else None
        if table is not None and finding.check in told:
            found.append(told[finding.check](words, table, scale))
    return tuple(found)


def _inference(words: Words, table: pd.DataFrame, scale: Scale) -> Table:
    """One effect under every inference, and which may be relied upon."""
    rows = [
        (
            words.text(f"inference.{row.method}.short"),
            words.text("legal.used" if row.used else f"legal.{row.reason}"),
            words.bounds(row.conf_low, row.conf_high, scale),
            words.p_value(row.p_value) if np.isfinite(row.p_value) else words.number(row.p_value),
        )
        for row in frames.rows_of(table)
    ]
    columns = ["inference", "legal", "interval", "p_value"]
    return table_of(words, "inference", columns, rows, text=("legal",))


def _territories(words: Words, table: pd.DataFrame, scale: Scale) -> Table:
    """Effect without each territory, in the order of their names: no order of merit is meant."""
    rows = [
        (
            str(row.market),
            words.number(row.estimate, scale.decimals, signed=True),
            words.bounds(row.conf_low, row.conf_high, scale),
        )
        for row in frames.rows_of(table)
    ]
    columns = ["without", "effect", "interval"]
    return table_of(words, "territories", columns, rows, unit=scale.unit)


def _twoway(words: Words, table: pd.DataFrame, scale: Scale) -> Table:
    """What the two-way regression averages: kinds of comparison, or weights by their sign."""
    if "against" in table:
        rows = [
            (
                words.text(f"against.{kind}"),
                words.share(float(part["weight"].sum())),
                words.number(_mean(part), scale.decimals, signed=True),
            )
            for kind, part in table.groupby("against", sort=True)
        ]
    else:
        signs = ((table["weight"] > 0, "positive"), (table["weight"] < 0, "negative"))
        rows = [
            (
                words.text(f"against.{key}"),
                words.share(float(table.loc[chosen, "weight"].sum())),
                words.number(float("nan")),
            )
            for chosen, key in signs
            if chosen.any()
        ]
    return table_of(words, "twoway", ["against", "share", "effect"], rows, unit=scale.unit)


def _mean(part: pd.DataFrame) -> float:
    weight = part["weight"].to_numpy(dtype=float)
    if not weight.sum():
        return float("nan")
    return float(np.average(part["estimate"].to_numpy(dtype=float), weights=weight))
