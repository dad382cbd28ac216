"""Sentences that carry the numbers: the question, the verdict, the figures told in words."""

from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd

from whatworks.evidence.record import OF_OTHERS, Evidence
from whatworks.ledger import Ledger
from whatworks.report import names
from whatworks.report.figures.flow import drawn_steps
from whatworks.report.frames import (
    EVERYONE,
    NO_CLOCK,
    Curve,
    as_said,
    begun,
    clock,
    common_scale,
    curve,
    effects_on_others,
    from_table,
    primary_month,
    reading_months,
    rolls_out,
    rows_of,
    units,
)
from whatworks.report.language import Words
from whatworks.report.numbers import BIN_DECIMALS, SMD_DECIMALS, Scale, rounded_effects
from whatworks.vocabulary import MARKET, Conclusion, Impact

_AGAINST = {"total": "left_alone", "direct": "neighbours"}
"""Against whom an effect of help in markets is read, by its term."""
_UNCLEAR = (Impact.INCONCLUSIVE,)
_NEAR_ZERO = (Impact.NONE_DETECTED,)


def question(words: Words, evidence: Evidence) -> str:
    """Question as a reader would ask it."""
    asked = evidence.design.question
    facts = {
        "start": names.treatment(words, asked.treatment, "start"),
        "object": names.outcome(words, asked.outcome, "object"),
    }
    if rolls_out(evidence.design):
        told = "table" if from_table(evidence.design) else "persons"
        return words.text(f"question.rollout_{told}", facts)
    if from_table(evidence.design):
        return words.text("question.table", facts)
    if asked.other_type is not None:
        facts["others"] = names.treatment(words, asked.other_type, "persons")
        return words.text("question.another", facts)
    return words.text(f"question.{asked.versus}", facts)


def heads(words: Words, evidence: Evidence) -> dict[str, str]:
    """Headings that depend on what units are, and on what time is counted from."""
    since, of = begun(evidence), units(evidence.design)
    return {
        "effect": words.text(f"head.effect.{since}"),
        "balance": words.text(f"head.balance.{since}"),
        "history": words.text("head.history"),
        "overlap": words.text(f"head.overlap.{of}"),
    }


def verdict(words: Words, evidence: Evidence) -> str:
    """Answer in one sentence, at the primary horizon, its interval always within it."""
    if evidence.impact is Impact.NOT_MEASURED:
        return words.text("verdict.not_measured")
    found = curve(evidence.estimates[0])
    month = primary_month(evidence)
    row = found.at(month)
    form = (
        "unclear"
        if evidence.impact in _UNCLEAR
        else "near_zero"
        if evidence.impact in _NEAR_ZERO
        else "measured"
    )
    size = abs(float(row["estimate"]))
    family = "hundred" if found.scale.unit == "pp" else "average"
    facts = {
        **_whom(words, evidence, found.term),
        "size": words.number(size, found.scale.decimals)
        if family == "hundred"
        else words.amount(size, found.scale),
        "direction": words.text(f"direction.{family}.{'less' if row['estimate'] < 0 else 'more'}"),
        "state": names.outcome(words, evidence.design.question.outcome, "state"),
        "horizon": names.horizon(
            words, evidence.design.question.outcome, month, clock=clock(evidence.design)
        ),
        "interval": words.span(row["conf_low"], row["conf_high"], found.scale),
    }
    said = words.text(f"verdict.{family}.{form}", facts)
    if form == "measured" and evidence.conclusion is not Conclusion.ESTABLISHED:
        said = words.text(f"verdict.hedged.{evidence.conclusion}", {"verdict": said})
    if found.term == "att":
        return said
    term = words.text(f"term.{found.term}.label")
    return words.text("verdict.of_term", {"term": term, "verdict": said})


def _whom(words: Words, evidence: Evidence, term: str) -> dict[str, str]:
    """Over whom a verdict is, and against what: an effect on others than the entered is a what-if."""
    if words.knows(f"persons_of.{term}"):
        return {"persons": words.text(f"persons_of.{term}"), "than": words.text("than.if_none")}
    entered = names.treatment(words, evidence.design.question.treatment, "persons")
    against = "as_comparison" if rolls_out(evidence.design) else _AGAINST.get(term, "comparison")
    return {"persons": entered, "than": words.text(f"than.{against}")}


def displacement(words: Words, evidence: Evidence) -> tuple[str, ...]:
    """Effects over everyone at the primary horizon, a sentence each; none if not measured."""
    told = effects_on_others(evidence, primary=True)
    if told is None:
        return ()
    scale = common_scale(evidence)
    rows = rounded_effects(told, scale)
    said = []
    for _, row in rows[rows["group"] == EVERYONE].iterrows():
        term = words.text(f"term.{row['term']}.label")
        facts = {"term": term, "effect": effect(words, row, scale)}
        said.append(words.text("displacement.reading", facts))
    return tuple(said)


def displacement_text(words: Words, evidence: Evidence) -> str:
    """Statement on displacement; a table that names no market is told so."""
    code = evidence.displacement.code
    unplaced = from_table(evidence.design) and evidence.design.units[MARKET].isna().all()
    if code == "not_measured" and unplaced:
        return words.text("displacement.not_measured.without_market")
    return words.text(f"displacement.{code}.text")


def beside_direct(words: Words, evidence: Evidence) -> str:
    """Statement that goes wherever a direct effect would stand alone; empty where it does not.

    What others lost is then not told: an effect on those helped, against their neighbours, counts it as
    a gain.
    """
    told = {str(term) for e in evidence.estimates for term in e.effects["term"]}
    alone = "direct" in told and not told & set(OF_OTHERS)
    if not alone or not evidence.displacement.scarce:
        return ""
    return words.text(f"displacement.{evidence.displacement.code}.title")


def effect(words: Words, row: pd.Series, scale: Scale) -> str:
    """Effect with its interval, as read in a table or a sentence."""
    facts = {
        "estimate": words.amount(row["estimate"], scale, signed=True),
        "interval": words.span(row["conf_low"], row["conf_high"], scale),
    }
    return words.text("effect.with_interval", facts)


def lock_in(words: Words, found: Curve, *, clock: str) -> str:
    """Fall that follows entry, whether it is beyond the margin of error, or that there is none."""
    fall = found.below_zero()
    if fall is None:
        return words.text("lock_in.none")
    lowest = found.rows[found.rows["month"].between(*fall)]["estimate"].min()
    if found.lock_in() is None:
        return words.text("lock_in.within_error", {"lowest": words.amount(lowest, found.scale)})
    facts = {
        "first": words.count(fall[0]),
        "last": words.count(fall[1]),
        "lowest": words.amount(lowest, found.scale),
        "clocks": words.text(f"{clock}.many"),
        "duration": words.duration(fall[0], clock),
    }
    return words.text("lock_in.one" if fall[0] == fall[1] else "lock_in.some", facts)


def effects_told(words: Words, evidence: Evidence) -> str:
    """Figure of effects in words, with its numbers."""
    found = curve(evidence.estimates[0])
    counted = clock(evidence.design)
    told = []
    drawn = found.drawn
    before = drawn[drawn["month"] < 0]["estimate"]
    if found.months != NO_CLOCK:
        facts = {
            "first": words.count(drawn["month"].min()),
            "last": words.count(drawn["month"].max()),
            "clocks": words.text(f"{counted}.many"),
        }
        told.append(words.text("told.curve", facts))
    if not before.empty:
        facts = {
            "low": words.number(before.min(), found.scale.decimals),
            "high": words.amount(before.max(), found.scale),
        }
        told.append(words.text("told.before", facts))
    if found.months != NO_CLOCK:
        told.append(lock_in(words, found, clock=counted))
    told += [
        words.text(
            "told.at",
            {
                "month": names.at(words, month, clock=counted, timed=found.months != NO_CLOCK),
                "effect": effect(words, found.at(month), found.scale),
            },
        )
        for month in reading_months(evidence)
    ]
    told += [
        words.text(
            "told.benchmark",
            {
                "name": words.text(f"benchmark.{known.code}.label"),
                "month": names.at(
                    words, known.month, clock=counted, timed=found.months != NO_CLOCK
                ),
                "value": words.amount(known.value, found.scale, signed=True),
            },
        )
        for known in evidence.benchmarks
    ]
    return " ".join([*told, beside_direct(words, evidence)]).rstrip()


def rows_told(words: Words, rows: pd.DataFrame, found: Curve) -> str:
    """Figure of effects one under another, in words: ``label, value, low, high``."""
    told = []
    for row in rows_of(rows):
        facts = {
            "label": str(row.label),
            "value": words.amount(float(row.value), found.scale, signed=True),
            "interval": words.span(float(row.low), float(row.high), found.scale),
        }
        told.append(words.text("told.row" if not isnan(row.low) else "told.row_alone", facts))
    return " ".join(told)


def balance_told(words: Words, balance: pd.DataFrame) -> str:
    """Love plot in words: how many covariates, the furthest apart before and after."""
    facts = {"n": words.count(len(balance))}
    for when in ("before", "after"):
        size = balance[f"smd_{when}"].abs()
        if size.notna().any():
            worst = balance.iloc[int(np.nanargmax(size.to_numpy(float)))]
            facts[when] = words.number(worst[f"smd_{when}"], SMD_DECIMALS)
            facts[f"worst_{when}"] = names.covariate(words, str(worst["covariate"]))
        else:
            facts[when] = facts[f"worst_{when}"] = words.text("number.undefined")
    return words.text("told.balance", facts)


def history_told(words: Words, history: pd.DataFrame) -> str:
    """States before entry in words: the two arms in the first and the last month of each."""
    told = []
    for state, rows in history.groupby("state", sort=False):
        known = rows.dropna(subset=["treated", "comparison"])
        facts = {"state": names.state(words, str(state))}
        if known.empty:
            told.append(words.text("told.history_hidden", facts))
            continue
        for place, name in ((0, "first"), (-1, "last")):
            row = known.iloc[place]
            facts[name] = words.duration(-row["month"], "month")
            facts[f"{name}_treated"] = words.share(row["treated"])
            facts[f"{name}_comparison"] = words.share(row["comparison"])
        told.append(words.text("told.history", facts))
    return " ".join(told)


def overlap_told(words: Words, overlap: pd.DataFrame) -> str:
    """Histogram of scores in words: the fullest bin of each group."""
    facts = {}
    for arm in ("treated", "comparison"):
        fullest = overlap.iloc[int(np.argmax(overlap[arm].to_numpy(float)))]
        facts[f"{arm}_from"] = words.number(fullest["score_from"], BIN_DECIMALS)
        facts[f"{arm}_to"] = words.number(fullest["score_to"], BIN_DECIMALS)
        facts[f"{arm}_share"] = words.share(fullest[arm])
    return words.text("told.overlap", facts)


def pathway_told(words: Words, nodes: pd.DataFrame) -> str:
    """Causal graph in words: what is held, what is missing, what nobody observes."""
    facts = {}
    for fact, role in (("held", "held"), ("missing", "at_fault"), ("hidden", "unobserved")):
        labels = [as_said(label) for label in nodes.loc[nodes["role"] == role, words.lang]]
        facts[fact] = words.series(labels) if labels else words.text("pathway.nothing")
    return words.text("told.pathway", facts)


def flow_told(words: Words, ledger: Ledger) -> str:
    """Flow in words: what each step kept of what it was given."""
    told = []
    for step in drawn_steps(ledger):
        facts = {
            "step": names.step(words, step),
            "before": words.count(step.before),
            "after": words.count(step.after),
            "unit": words.text(f"ledger.unit.{step.unit}"),
        }
        told.append(words.text("told.step", facts))
    return " ".join(told)
