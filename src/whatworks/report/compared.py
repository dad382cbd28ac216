"""How persons were compared: against whom, for whom, how many, and whether it was fixed beforehand."""

from __future__ import annotations

from datetime import date
from typing import Final

from whatworks.design.record import Design
from whatworks.evidence.record import Evidence
from whatworks.report import frames, names
from whatworks.report.language import Words
from whatworks.vocabulary import Versus

Pair = tuple[str, str]
NEVER_TREATED: Final = "never_treated"
"""Option of estimators of a rollout: only those that never start are compared with."""


def compared(words: Words, evidence: Evidence) -> tuple[Pair, ...]:
    """Every line of the part on comparisons: its name and what it says."""
    design = evidence.design
    label = words.text(f"design_class.{design.design_class}.label")
    history = {"duration": words.duration(design.history_months, "month")}
    explained = words.text(f"design_class.{design.design_class}.explanation", history)
    rows = [
        (words.text("compared.design"), f"{label}. {explained}"),
        (words.text("compared.versus"), _versus(words, evidence)),
        (
            words.text("compared.estimand"),
            words.text(f"estimand.{design.question.estimand.lower()}"),
        ),
        (words.text("compared.who"), who(words, design)),
    ]
    if not frames.rolls_out(design):  # whose weights are of a cohort and a period, not of a unit
        rows.append((words.text("compared.effective"), effective(words, design)))
    rows.append((words.text("compared.seal"), seal(words, design)))
    if design.history_months:
        rows.append((words.text("compared.history"), words.text("compared.history_text", history)))
    if design.question.first_entry and design.question.last_entry:
        said = {
            "first": words.month(design.question.first_entry),
            "last": words.month(design.question.last_entry),
        }
        rows.append((words.text("compared.entries"), words.text("compared.entries_text", said)))
    if design.covariates:
        listed = words.series([names.covariate(words, c) for c in design.covariates])
        rows.append((words.text("compared.covariates"), listed))
    return tuple(rows)


def _versus(words: Words, evidence: Evidence) -> str:
    """Who the comparison is; in a rollout, by what the primary estimate was told to read."""
    if not frames.rolls_out(evidence.design):
        return versus(words, evidence.design)
    options = evidence.estimates[0].options
    control = options.get("control", options.get("controls"))
    return words.text(f"versus.rollout_{'never' if control == NEVER_TREATED else 'later'}")


def versus(words: Words, design: Design) -> str:
    """Who the comparison is, and what becomes of those in it who start later."""
    if frames.from_table(design):
        return words.text("versus.table")
    other = design.question.other_type
    if other is not None:
        facts = {"others": names.treatment(words, other, "persons")}
        return words.text("versus.another", facts)
    said = [words.text(f"versus.{design.question.versus}")]
    if design.question.versus in (Versus.NOT_YET_STARTED, Versus.NO_ACCOMPANIMENT):
        said.append(words.text(f"later_starts.{design.question.later_starts}"))
    return " ".join(said)


def who(words: Words, design: Design) -> str:
    """How many were there to choose from, and how many take part."""
    said = {
        "pool_treated": words.count(design.population.n_treated),
        "pool_comparison": words.count(design.population.n_comparison),
    }
    if frames.rolls_out(design):
        return words.text("compared.rollout", said)
    arms = design.arms().set_index("arm")
    kept = {arm: int(arms.loc[arm, "n_units"]) for arm in arms.index}
    if design.matches is not None:
        said |= {arm: words.count(n) for arm, n in kept.items()}
        said["pairs"] = words.count(len(design.matches))
        return words.text("compared.matched", said)
    everyone = (design.population.n_treated, design.population.n_comparison)
    if (kept["treated"], kept["comparison"]) == everyone:
        return words.text("compared.weighted", said)
    said |= {arm: words.count(n) for arm, n in kept.items()}
    return words.text("compared.weighted_some", said)


def effective(words: Words, design: Design) -> str:
    """How many units of equal weight each arm is worth."""
    arms = design.arms().set_index("arm")["effective_size"]
    facts = {str(arm): words.count(round(size)) for arm, size in arms.items()}
    return words.text("compared.effective_text", facts)


def seal(words: Words, design: Design) -> str:
    """Whether groups were fixed before any outcome was opened, when, and under what digest."""
    if design.seal is None:
        return words.text("seal.table" if frames.from_table(design) else "seal.none")
    facts = {
        "date": words.day(date.fromisoformat(design.seal.date)),
        "digest": design.seal.digest,
    }
    return words.text(f"seal.{'before' if design.seal.before_outcomes else 'after'}", facts)
