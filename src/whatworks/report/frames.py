"""Evidence as tables of rounded numbers: what the page, the figures and every file share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from whatworks.design.looking.balance import overlap as overlap_of
from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Benchmark, Evidence, Finding
from whatworks.ledger import Ledger
from whatworks.report.numbers import (
    BIN_DECIMALS,
    SHARE_DECIMALS,
    SMD_DECIMALS,
    STATISTIC_DECIMALS,
    Scale,
    rounded,
    rounded_columns,
    rounded_effects,
    scale_of,
)
from whatworks.vocabulary import Supply

ALL_COHORTS: Final = -1
EVERYONE: Final = "all"
NO_CLOCK: Final = (0,)
MOST_READ: Final = 6
"""Horizons read in tables and sentences: those of a long table of periods are spread over it."""
FEWEST: Final = 11
"""Units below which a number would speak of somebody."""
HIDDEN: Final = (
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "band_low",
    "band_high",
    "p_value",
)
COUNTS: Final = ("n_treated", "n_comparison")
AVERAGES: Final = ("average", "acrt")
"""Terms that are over all periods since the start: their month says nothing."""
_OVER: Final = ("cohort", "period")
MINUS: Final = " - "
"""Between the two groups of a difference."""
BALANCE: Final = ("smd_before", "smd_after", "variance_ratio_after", "ks_before", "ks_after")
"""Measures of balance that are printed; `Design.balance` has them all."""


def rows_of(frame: pd.DataFrame) -> Iterable[Any]:
    """Rows as named tuples, typed by their columns and not by the union of all that pandas holds."""
    return frame.itertuples(index=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Effects of one term by month since entry, over all cohorts and everyone.

    Parameters
    ----------
    term : str
    scale : Scale
    rows : DataFrame
        Rounded effects, one row per month, months increasing.
    """

    term: str
    scale: Scale
    rows: pd.DataFrame

    @property
    def months(self) -> tuple[int, ...]:
        """Months the curve has, in order."""
        return tuple(int(m) for m in self.rows["month"])

    def at(self, month: int) -> pd.Series:
        """Row of one month."""
        row: pd.Series = self.rows.loc[self.rows["month"] == month].iloc[0]
        return row

    @property
    def built(self) -> pd.Series:
        """Whether each row is a month before entry whose zero was built, by matching or setting.

        Such a month has no error of its own and says nothing of how alike the groups are.
        """
        sure = ~(self.rows["std_error"] > 0)
        return (self.rows["month"] < 0) & sure & (self.rows["estimate"] == 0)

    @property
    def drawn(self) -> pd.DataFrame:
        """Rows that say something: all but those whose zero was built."""
        return self.rows[~self.built].reset_index(drop=True)

    def lock_in(self) -> tuple[int, int] | None:
        """First and last month of a fall beyond the margin of error, None when there is none.

        It takes at least one month of `below_zero` whose whole interval is below zero.
        """
        fall = self.below_zero()
        if fall is None:
            return None
        within = self.rows[self.rows["month"].between(*fall)]
        return fall if (within["conf_high"] < 0).any() else None

    def below_zero(self) -> tuple[int, int] | None:
        """First and last month of the run below zero that follows entry, None when there is none.

        The uninterrupted months whose point effect is below zero, counted from entry or from the
        month after it (the month of entry itself may already be lived elsewhere).
        """
        after = self.rows[self.rows["month"] >= 0]
        below = after.loc[after["estimate"] < 0, "month"].astype(int).tolist()
        if not below or below[0] > 1:
            return None
        last = first = below[0]
        for month in after.loc[after["month"] > first, "month"].astype(int):
            if month not in below:
                break
            last = month
        return first, last


def effects(evidence: Evidence) -> pd.DataFrame:
    """Effects of every estimate, rounded; ``result`` 1 is the primary one.

    Numbers of groups and cohorts of fewer than eleven persons are missing.
    """
    parts = [
        shown(_rounded(estimate, evidence), evidence.design).assign(
            result=number, method=estimate.method
        )
        for number, estimate in enumerate(evidence.estimates, start=1)
    ]
    frame = pd.concat(parts, ignore_index=True)
    return frame[["result", "method", *evidence.estimates[0].effects.columns]]


def _rounded(estimate: Estimate, evidence: Evidence) -> pd.DataFrame:
    """Effects of one estimate, each rounded on the scale of its own unit."""
    common, rows = common_scale(evidence), estimate.effects
    out = rounded_effects(rows, common)
    for unit in rows["unit"].unique():
        if unit != common.unit:
            here = rows["unit"] == unit
            out.loc[here] = rounded_effects(rows[here], scale_in(evidence, str(unit)))
    return out


def shown(effects: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Effects without the numbers of groups, or of cohorts of persons, of fewer than eleven.

    Nor of differences with such a group, which would tell it.
    """
    small = (effects[list(COUNTS)] < FEWEST).any(axis=1)
    named = effects["group"] != EVERYONE
    if of_persons(design):
        named |= effects["cohort"] != ALL_COHORTS
    hidden = small & named
    few = set(effects.loc[hidden, "group"]) - {EVERYONE}
    hidden |= effects["group"].map(lambda group: bool(few & set(group.split(MINUS))))
    if not hidden.any():
        return effects
    blank = {name: effects[name].mask(hidden) for name in HIDDEN}
    counts = {name: effects[name].astype("Int64").mask(hidden) for name in COUNTS}
    return effects.assign(**blank, **counts)


def common_scale(evidence: Evidence) -> Scale:
    """Unit and decimals shared by every effect of one evidence."""
    return effect_scale(evidence.estimates[0])


def scale_in(evidence: Evidence, unit: str) -> Scale:
    """Scale of effects in one unit: a share above a threshold is in points whatever the outcome."""
    common = common_scale(evidence)
    if unit == common.unit:
        return common
    rows = [e.effects.loc[e.effects["unit"] == unit, "std_error"] for e in evidence.estimates]
    return scale_of(unit, pd.concat(rows))


def effect_scale(estimate: Estimate) -> Scale:
    """Unit and decimals of one estimate's effects."""
    return scale_of(str(estimate.effects["unit"].iloc[0]), estimate.effects["std_error"])


def curve(estimate: Estimate, *, term: str | None = None) -> Curve:
    """Curve of one term, by default the one the estimate reads first."""
    scale = effect_scale(estimate)
    rows = rounded_effects(estimate.effects, scale)
    rows = rows[(rows["cohort"] == ALL_COHORTS) & (rows["group"] == EVERYONE)]
    term = estimate.term if term is None else term
    rows = rows[rows["term"] == term].sort_values("month", ignore_index=True)
    return Curve(term=term, scale=scale, rows=rows)


def from_table(design: Design) -> bool:
    """Whether the design was read from an ordinary table, whose words are its owner's."""
    return any(
        step.room == "design" and step.name.startswith("table") for step in design.ledger.steps
    )


def rolls_out(design: Design) -> bool:
    """Whether treatment starts at different dates, and is compared over calendar periods."""
    return Supply.ROLLOUT in design.supplies


def of_persons(design: Design) -> bool:
    """Whether units are persons: those of a table are whatever its owner made them."""
    return units(design) == "persons"


def units(design: Design) -> str:
    """What units are: ``persons``, ``territories``, ``vacancies``, or ``rows`` of a table."""
    if Supply.ENDINGS in design.supplies:
        return "vacancies"
    if any(step.unit == "territories" for step in design.ledger.steps):
        return "territories"
    return "rows" if from_table(design) else "persons"


def begun(evidence: Evidence) -> str:
    """What time is counted from: an ``entry``, a ``start``, a ``posting``, or ``nothing``."""
    design = evidence.design
    if not timed(evidence):
        return "nothing"
    if units(design) == "vacancies":
        return "posting"
    return "start" if rolls_out(design) or from_table(design) else "entry"


def clock(design: Design) -> str:
    """What time since entry is counted in: ``month``, or the ``period`` of a table."""
    return "period" if from_table(design) else "month"


def effects_on_others(evidence: Evidence, *, primary: bool = False) -> pd.DataFrame | None:
    """Direct, spillover and total effects at the question's horizons, or at the primary one.

    All months there are where the question asks for none of them. Other months are in the files.
    """
    table = evidence.displacement.effects
    if table is None:
        return None
    question = evidence.design.question
    asked = [question.primary] if primary else list(question.months)
    here = table["month"].isin(asked)
    if not here.any():
        here = table["month"] == table["month"].max() if primary else ~here
    return table[here].reset_index(drop=True)


def timed(evidence: Evidence) -> bool:
    """Whether effects are read at several times since entry, and so 0 is the first of them."""
    return curve(evidence.estimates[0]).months != NO_CLOCK


def read_effects(evidence: Evidence) -> pd.DataFrame:
    """Effects over everyone at the question's months, then averages over all of them.

    ``averaged`` says over what: ``cohort``, ``period``, or ``all`` after the start; empty for one month.
    """
    frame = effects(evidence)
    frame = frame[(frame["cohort"] == ALL_COHORTS) & (frame["group"] == EVERYONE)]
    terms = [set(estimate.effects["term"]) for estimate in evidence.estimates]
    over = [next((t for t in _OVER if t in found), "all") for found in terms]
    average = frame["term"].isin(AVERAGES)
    kept = frame[average | frame["month"].isin(reading_months(evidence))]
    told = [
        over[result - 1] if term in AVERAGES else ""
        for result, term in zip(kept["result"], kept["term"], strict=True)
    ]
    kept = kept.assign(averaged=told)
    # An estimate averaged otherwise brings its months again: they are read once.
    return kept.drop_duplicates(["method", "term", "month", "averaged", "estimate", "std_error"])


def primary_month(evidence: Evidence) -> int:
    """Declared horizon, the last one estimated where the design has no such month."""
    months = curve(evidence.estimates[0]).months
    declared = evidence.design.question.primary
    return declared if declared in months else months[-1]


def reading_months(evidence: Evidence) -> tuple[int, ...]:
    """Horizons of the question at which the primary estimate has an effect."""
    months = curve(evidence.estimates[0]).months
    asked = tuple(m for m in evidence.design.question.months if m in months)
    if len(asked) <= MOST_READ:
        return asked or (primary_month(evidence),)
    spread = {asked[k] for k in np.linspace(0, len(asked) - 1, MOST_READ).round().astype(int)}
    return tuple(sorted(spread | {primary_month(evidence)}))


def covered(evidence: Evidence, benchmark: Benchmark) -> str:
    """Whether the primary interval at the benchmark's month has it: yes, no, or not applicable."""
    found = curve(evidence.estimates[0])
    if benchmark.code == "naive" or benchmark.month not in found.months:
        return "not_applicable"
    row = found.at(benchmark.month)
    if not np.isfinite([row["conf_low"], row["conf_high"]]).all():
        return "not_applicable"
    value = rounded(benchmark.value, found.scale.decimals)
    return "yes" if row["conf_low"] <= value <= row["conf_high"] else "no"


def benchmarks(evidence: Evidence) -> pd.DataFrame:
    """Numbers known from elsewhere beside the estimate of the same month."""
    found = curve(evidence.estimates[0])
    names = ["benchmark", "month", "value", "std_error", "estimate", "conf_low", "conf_high"]
    records = []
    for known in evidence.benchmarks:
        row = found.at(known.month) if known.month in found.months else None
        at = [np.nan] * 3 if row is None else [float(row[c]) for c in names[4:]]
        value = rounded(known.value, found.scale.decimals)
        error = rounded(known.std_error, found.scale.finer.decimals)
        records.append((known.code, known.month, value, error, *at, covered(evidence, known)))
    return pd.DataFrame(records, columns=[*names, "covered"])


def balance(finding: Finding | None) -> pd.DataFrame:
    """Balance before and after choosing, rounded; empty when not tested."""
    if finding is None or finding.table is None:
        return pd.DataFrame({name: [] for name in ("covariate", *BALANCE)})
    return rounded_columns(finding.table[["covariate", *BALANCE]], SMD_DECIMALS, *BALANCE)


def balance_of(design: Design) -> pd.DataFrame:
    """Balance of a design before and after choosing, rounded, one row per covariate."""
    known = design.population.balance.pivot(index="covariate", columns="sample")
    wide = pd.DataFrame(
        {name: known[tuple(name.rsplit("_", 1))] for name in BALANCE}, index=known.index
    )
    rows = wide.loc[list(design.covariates)].rename_axis("covariate").reset_index()
    return rounded_columns(rows, SMD_DECIMALS, *BALANCE)


def history(design: Design) -> pd.DataFrame:
    """States before entry in each arm, rounded: those that somebody was in, and that may be shown."""
    columns = ["state", "month", "treated", "comparison", "smd"]
    if design.history is None:
        return pd.DataFrame({name: [] for name in columns})
    lived = design.history.groupby("state")[["treated", "comparison"]].max().max(axis=1)
    shown = design.history[design.history["state"].map(lived).gt(0)].reset_index(drop=True)
    rows = rounded_columns(shown[columns], SHARE_DECIMALS, "treated", "comparison")
    return rounded_columns(rows, SMD_DECIMALS, "smd")


def left_out(design: Design) -> pd.DataFrame:
    """Those left out beside those kept, rounded, furthest apart first; empty when nobody was."""
    return rounded_columns(
        design.left_out(), STATISTIC_DECIMALS, "mean_kept", "mean_left_out", "smd"
    )


def has_bands(curve: Curve) -> bool:
    """Whether some joint band of the curve is wider than its intervals, as rounded."""
    rows = curve.drawn
    return bool((rows["band_high"] > rows["conf_high"]).any())


def pathway(evidence: Evidence) -> pd.DataFrame:
    """Nodes of the causal graph: ``node, fr, en, role, measured_by``; empty when none was read."""
    found = next((f for f in evidence.findings if f.check == "identification"), None)
    columns = ["node", "fr", "en", "role", "measured_by"]
    if found is None or found.table is None:
        return pd.DataFrame(columns=columns)
    return found.table[columns]


def as_said(label: str) -> str:
    """A label in the middle of a sentence."""
    return f"{label[:1].lower()}{label[1:]}"


def overlap(design: Design) -> pd.DataFrame:
    """Histogram of the score in each arm, one row per bin; empty when no score was fitted."""
    frame = overlap_of(design.population)
    shares = ("treated", "comparison", "treated_after", "comparison_after")
    return rounded_columns(
        rounded_columns(frame, BIN_DECIMALS, "score_from", "score_to"), SHARE_DECIMALS, *shares
    )


def findings(evidence: Evidence) -> pd.DataFrame:
    """One row per check, numbers rounded, words left to the caller."""
    records = [
        (f.check, str(f.verdict), f.statistic, f.threshold, f.reference) for f in evidence.findings
    ]
    names = ["check", "verdict", "statistic", "threshold", "reference"]
    frame = pd.DataFrame(records, columns=names)
    return rounded_columns(frame, STATISTIC_DECIMALS, "statistic", "threshold")


def ledger(evidence: Evidence) -> Ledger:
    """Whole walk: the design's ledger, then what the primary estimate added to it."""
    before, after = evidence.design.ledger.steps, evidence.estimates[0].ledger.steps
    return Ledger(after if after[: len(before)] == before else before + after)
