"""Tables of the page: rounded numbers turned into words and localised figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from whatworks.evidence.record import Evidence
from whatworks.ledger import Ledger
from whatworks.report import facts, frames, names
from whatworks.report.frames import Curve
from whatworks.report.language import SMALLEST_P, Words
from whatworks.report.numbers import (
    BIN_DECIMALS,
    SMD_DECIMALS,
    Scale,
    rounded_effects,
)
from whatworks.vocabulary import Verdict

SYMBOLS: Final = {
    Verdict.HOLDS: "●",
    Verdict.STRAINED: "◐",
    Verdict.FAILS: "○",
    Verdict.NOT_TESTABLE: "–",
}


MEASURES: Final = {
    "identification": "number",
    "future": "none",
    "balance": "smd",
    "overlap": "share_kept",
    "placebo": "p_value",
    "pretrend_power": "times_effect",
    "sensitivity": "times_before",
    "placebo_dates": "p_value",
    "placebo_outcomes": "p_value",
    "territories": "errors",
    "attrition": "share_lost",
    "precision": "effect",
    "clusters": "clusters",
    "multiplicity": "p_adjusted",
    "twoway": "errors",
    "contamination": "p_value",
    "micro_macro": "p_value",
    "equal_spillovers": "p_value",
    "exchangeability": "p_value",
    "cross_boundary": "p_value",
    "market_influence": "errors",
    "saturation_balance": "p_adjusted",
    "saturation_placebo": "p_value",
    "saturation_shares": "share_lost",
    "saturation_attrition": "p_value",
    "refutation": "p_value",
}
"""What each check measures, and so the unit and the sense of its bound; another's is a number."""
IN_UNIT: Final = ("effect", "value")
COUNTED: Final = {
    "month": ("n_treated", "n_comparison"),
    "period": ("n_treated_rows", "n_comparison_rows"),
}
"""Columns of counts: of persons and of their months, or of the rows of a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table ready to be printed.

    Parameters
    ----------
    key : str
        Its id in the page.
    caption : str
    head : tuple of str
    numeric : tuple of bool
        Columns set flush right.
    rows : tuple of tuple of str
        The first cell of each is its header.
    """

    key: str
    caption: str
    head: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def name(self) -> str:
        """Its key without the prefix that makes it an id of its own."""
        return self.key.removeprefix("table-")


def table_of(
    words: Words,
    key: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, ...]],
    *,
    text: Sequence[str] = (),
    unit: str | None = None,
) -> Table:
    """Table whose columns are numeric but for the first and those listed in ``text``.

    Columns of `IN_UNIT` name the unit in their head, and their cells need not.
    """
    heads = [words.text(f"column.{name}") for name in columns]
    if unit is not None:
        heads = [
            words.text("text.in_unit", {"name": head, "unit": words.axis(unit)})
            if name in IN_UNIT
            else head
            for name, head in zip(columns, heads, strict=True)
        ]
    return Table(
        key=f"table-{key}",
        caption=words.text(f"table.{key}"),
        head=tuple(heads),
        numeric=tuple(place > 0 and name not in text for place, name in enumerate(columns)),
        rows=tuple(rows),
    )


def effects(words: Words, evidence: Evidence) -> Table:
    """Effects of every estimate at the question's months, over everyone."""
    scale, clock = frames.common_scale(evidence), frames.clock(evidence.design)
    timed = frames.timed(evidence)
    frame = frames.read_effects(evidence)
    several = {
        "method": frame["method"].nunique() > 1,
        "term": len({words.text(f"term.{term}.short") for term in frame["term"]}) > 1,
    }
    columns = ["month", *(c for c in several if several[c])]
    rows = [
        (
            words.text(f"average.{row.averaged}")
            if row.averaged
            else names.at(words, int(row.month), clock=clock, timed=timed),
            *((names.method(words, str(row.method)),) if several["method"] else ()),
            *((words.text(f"term.{row.term}.short"),) if several["term"] else ()),
            words.number(row.estimate, scale.decimals, signed=True),
            words.bounds(row.conf_low, row.conf_high, scale),
            *counted(words, row, averaged=bool(row.averaged)),
        )
        for row in frames.rows_of(frame)
    ]
    columns += ["effect", "interval", *COUNTED[clock]]
    return table_of(words, "effects", columns, rows, text=("method", "term"), unit=scale.unit)


def counted(words: Words, row: Any, *, averaged: bool) -> tuple[str, str]:
    """How many tell an effect; an average over periods counts each unit many times, and says none."""
    if averaged:
        return (words.text("count.varies"),) * 2
    return words.count(row.n_treated), words.count(row.n_comparison)


def curve(words: Words, found: Curve, *, clock: str) -> Table:
    """Numbers of the curve, month by month; those whose zero was built are told to be so."""
    rows = [
        (
            words.duration(row.month, clock),
            words.number(row.estimate, found.scale.decimals, signed=True),
            words.text("interval.by_construction")
            if built
            else words.bounds(row.conf_low, row.conf_high, found.scale),
            words.count(row.n_treated),
            words.count(row.n_comparison),
        )
        for row, built in zip(frames.rows_of(found.rows), found.built, strict=True)
    ]
    columns = ["since", "effect", "interval", *COUNTED[clock]]
    return table_of(words, "curve", columns, rows, unit=found.scale.unit)


def effect_rows(words: Words, rows: pd.DataFrame, found: Curve) -> Table:
    """Numbers of a figure without a clock: ``label, value, low, high``."""
    body = [
        (
            str(row.label),
            words.number(row.value, found.scale.decimals, signed=True),
            words.bounds(row.low, row.high, found.scale),
        )
        for row in frames.rows_of(rows)
    ]
    return table_of(words, "rows", ["label", "value", "interval"], body, unit=found.scale.unit)


def displacement(words: Words, evidence: Evidence) -> Table | None:
    """Direct, spillover and total effects, None when displacement was not measured."""
    table = frames.effects_on_others(evidence)
    if table is None:
        return None
    scale, clock = frames.common_scale(evidence), frames.clock(evidence.design)
    rows = [
        (
            words.text(f"term.{row.term}.short"),
            names.group(words, str(row.group)),
            names.at(words, int(row.month), clock=clock),
            words.number(row.estimate, scale.decimals, signed=True),
            words.bounds(row.conf_low, row.conf_high, scale),
        )
        for row in frames.rows_of(rounded_effects(table, scale))
    ]
    columns = ["term", "group", "month", "effect", "interval"]
    return table_of(words, "displacement", columns, rows, text=("group", "month"), unit=scale.unit)


def benchmarks(words: Words, evidence: Evidence) -> Table | None:
    """Known numbers beside the estimate, and whether its interval contains them."""
    frame = frames.benchmarks(evidence)
    if frame.empty:
        return None
    scale, clock = frames.common_scale(evidence), frames.clock(evidence.design)
    rows = [
        (
            words.text(f"benchmark.{row.benchmark}.label"),
            names.at(words, int(row.month), clock=clock, timed=frames.timed(evidence)),
            words.number(row.value, scale.decimals, signed=True),
            _error(words, row, scale),
            words.number(row.estimate, scale.decimals, signed=True),
            words.bounds(row.conf_low, row.conf_high, scale),
            words.text(f"covered.{row.covered}"),
        )
        for row in frames.rows_of(frame)
    ]
    columns = ["benchmark", "month", "value", "std_error", "effect", "interval", "covered"]
    return table_of(words, "benchmarks", columns, rows, text=("month", "covered"), unit=scale.unit)


def _error(words: Words, row: Any, scale: Scale) -> str:
    """Standard error of a known number; a truth without one is exact, another's was not given."""
    if not pd.isna(row.std_error):
        return words.number(row.std_error, scale.finer.decimals)
    return words.text("benchmark.exact" if row.benchmark == "truth" else "benchmark.not_given")


def balance(words: Words, frame: pd.DataFrame) -> Table:
    """Balance of every covariate before and after choosing."""
    rows = [
        (
            names.covariate(words, str(row.covariate)),
            words.number(row.smd_before, SMD_DECIMALS, signed=True),
            words.number(row.smd_after, SMD_DECIMALS, signed=True),
            words.number(row.variance_ratio_after, SMD_DECIMALS),
            words.number(row.ks_before, SMD_DECIMALS),
            words.number(row.ks_after, SMD_DECIMALS),
        )
        for row in frames.rows_of(frame)
    ]
    columns = ["smd_before", "smd_after", "variance_ratio_after", "ks_before", "ks_after"]
    return table_of(words, "balance", ["covariate", *columns], rows)


def history(words: Words, frame: pd.DataFrame) -> Table:
    """Share of each arm in each state by month before entry."""
    rows = [
        (
            names.state(words, str(row.state)),
            words.number(row.month),
            words.share(row.treated),
            words.share(row.comparison),
            words.number(row.smd, SMD_DECIMALS, signed=True),
        )
        for row in frames.rows_of(frame)
    ]
    return table_of(words, "history", ["state", "since", "treated", "comparison", "smd"], rows)


def left_out(words: Words, frame: pd.DataFrame) -> Table | None:
    """Those left out beside those kept, None when nobody was."""
    if frame.empty:
        return None
    rows = [
        (
            names.covariate(words, str(row.covariate)),
            words.text(f"graph.{row.arm}"),
            words.measure(row.mean_kept),
            words.measure(row.mean_left_out),
            words.number(row.smd, SMD_DECIMALS, signed=True),
        )
        for row in frames.rows_of(frame)
    ]
    columns = ["covariate", "arm", "mean_kept", "mean_left_out", "smd"]
    return table_of(words, "left_out", columns, rows, text=("arm",))


def pathway(words: Words, frame: pd.DataFrame) -> Table:
    """Causes of the graph and how each is held."""
    rows = []
    for row in frames.rows_of(frame):
        terms = [names.covariate(words, t.strip()) for t in row.measured_by.split(",") if t]
        by = words.series(terms)
        if row.role == "held" and not terms:
            by = words.text("pathway.by_month")
        rows.append((str(getattr(row, words.lang)), words.text(f"role.{row.role}"), by))
    columns = ["node", "role", "measured_by"]
    return table_of(words, "pathway", columns, rows, text=("role", "measured_by"))


def overlap(words: Words, frame: pd.DataFrame) -> Table:
    """Histogram of the score in each group."""
    rows = [
        (
            words.text(
                "text.band",
                {
                    "low": words.number(row.score_from, BIN_DECIMALS),
                    "high": words.number(row.score_to, BIN_DECIMALS),
                },
            ),
            words.share(row.treated),
            words.share(row.comparison),
        )
        for row in frames.rows_of(frame)
    ]
    return table_of(words, "overlap", ["score", "treated", "comparison"], rows)


def findings(words: Words, evidence: Evidence) -> Table:
    """One row per check: what was asked, the verdict in words with its symbol, what was found."""
    scale = frames.common_scale(evidence)
    frame = frames.findings(evidence)
    rows = [
        (
            words.text(f"check.{found.check}.question"),
            f"{SYMBOLS[found.verdict]} {words.text(f'verdict_of_check.{found.verdict}')}",
            facts.finding(words, scale, found, clock=frames.clock(evidence.design)),
            _measure(words, evidence, row, "found"),
            _measure(words, evidence, row, "bound"),
            found.reference,
        )
        for found, row in zip(evidence.findings, frames.rows_of(frame), strict=True)
    ]
    columns = ["check", "verdict", "found", "statistic", "threshold", "reference"]
    text = ("verdict", "found", "statistic", "threshold", "reference")
    return table_of(words, "findings", columns, rows, text=text)


def _measure(words: Words, evidence: Evidence, row: Any, part: str) -> str:
    """What a check measured (``found``), or the ``bound`` under which it holds, with its unit."""
    value = row.statistic if part == "found" else row.threshold
    kind = MEASURES.get(row.check, "number")
    unit = evidence.design.outcomes.unit
    if kind == "effect" and unit != "pp":
        kind = "twentieths"
    if kind == "none":
        return words.text("measure.none")
    if pd.isna(value):
        return words.number(value)
    if kind.startswith("p_") and value < SMALLEST_P:
        return words.text("measure.p_small", {"n": words.measure(SMALLEST_P)})
    if kind.startswith("share_"):
        shown = words.share(value) if part == "found" else words.percent(value)
    elif kind == "effect":
        shown = words.amount(value, frames.common_scale(evidence))
    else:
        shown = words.measure(value)
    return words.text(f"measure.{kind}.{part}", {"n": shown})


def flow(words: Words, ledger: Ledger) -> Table:
    """Every step of the walk and every reason something was left behind."""
    rows = []
    for step in ledger.steps:
        head = (
            words.text(f"ledger.room.{step.room}"),
            names.step(words, step),
            words.text(f"ledger.unit.{step.unit}"),
            words.count(step.before),
            words.count(step.after),
        )
        rows += [
            (*head, names.reason(words, step, reason), words.count(count))
            for reason, count in step.dropped
        ] or [(*head, words.text("ledger.nothing_dropped"), words.count(0))]
    columns = ["room", "step", "unit", "before", "after", "reason", "dropped"]
    return table_of(words, "flow", columns, rows, text=("step", "unit", "reason"))
