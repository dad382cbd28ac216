"""Names of what the user names: outcomes, treatments, covariates, groups, steps.

Words of the product are translated. Words of the user (an attribute, a column of their own table,
a lever they declared) are printed as they wrote them, between quotation marks where a sentence
goes on around them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from whatworks.evidence.record import Evidence
from whatworks.ledger import Step
from whatworks.months import to_label
from whatworks.report.language import Words
from whatworks.vocabulary import Kind

_HISTORY: Final = {
    "lag": re.compile(r"(?P<state>\w+)\.lag(?P<months>\d+)"),
    "months": re.compile(r"(?P<state>\w+)\.months(?P<months>\d+)"),
    "since_start": re.compile(r"(?P<state>\w+)\.months"),
    "spells": re.compile(r"(?P<state>\w+)\.spells(?P<months>\d+)"),
    "transitions": re.compile(r"(?P<state>\w+)\.transitions(?P<months>\d+)"),
    "since": re.compile(r"(?P<state>\w+)\.since(?P<months>\d+)"),
    "since_ever": re.compile(r"(?P<state>\w+)\.since"),
    "elapsed": re.compile(r"(?P<state>\w+)\.elapsed"),
}
"""Terms of a history, by the key of their words."""
_AGE: Final = re.compile(r"(?P<attribute>\w+)\.age")
_LEVEL: Final = re.compile(r"(?P<attribute>[^=]+)=(?P<value>.+)")
_SHARE: Final = re.compile(r"\d*\.?\d+(e-?\d+)?")
_PERIOD: Final = re.compile(r"(?P<first>\d{4}-\d{2}) → (?P<last>\d{4}-\d{2})")
HOUSEHOLD_SIZE: Final = "household.size"
_LINK: Final = re.compile(r"link_")
_READING_ROOM: Final = "sources"
_POOLED: Final = "other"
_GROUPS: Final = {
    "quantile": re.compile(r"q(?P<share>\d*\.?\d+)"),
    "above": re.compile(r">(?P<value>-?\d*\.?\d+(?:e[+-]?\d+)?)"),
    "gates": re.compile(r"gates_(?P<n>\d+)"),
}
"""Groups that a method makes of its own, by the key of their words."""
_BETWEEN: Final = " - "
_AT: Final = "@"
"""Between a group of units and a share of their markets, or a regression over shares."""
_DOSES: Final = ("att_dose", "acrt_dose")


def outcome(words: Words, identifier: str, part: str) -> str:
    """One part of an outcome's name: ``label``, ``object``, ``state``, ``definition``, ``switches``."""
    if words.knows(f"indicator.{identifier}.{part}"):
        return words.text(f"indicator.{identifier}.{part}")
    return words.text(f"indicator.unlisted.{part}", {"code": identifier})


def horizon(words: Words, identifier: str, month: int, *, clock: str) -> str:
    """`` à 24 mois``, with its leading space; empty for an outcome without a clock."""
    if month == 0:
        return ""
    key = f"indicator.{identifier}.horizon"
    key = key if words.knows(key) else "indicator.unlisted.horizon"
    return " " + words.text(key, {"duration": words.duration(month, clock)})


def at(words: Words, month: int, *, clock: str, timed: bool = False) -> str:
    """Horizon in words, ``month`` or ``period``; 0 is a cross-section's only measure unless timed."""
    if month == 0:
        return words.text("month.start" if timed else "month.none")
    return words.text("text.at", {"duration": words.duration(month, clock)})


def treatment(words: Words, code: str, part: str) -> str:
    """One part (``label``, ``start``, ``persons``) of an accompaniment's name."""
    if words.knows(f"treatment.{code}.{part}"):
        return words.text(f"treatment.{code}.{part}")
    return words.text(f"treatment.unlisted.{part}", {"code": code})


def covariate(words: Words, name: str) -> str:
    """Covariate term in words, read from its parts; a user's attribute is printed as it is.

    ``employment.lag1``, ``employment.months12``, ``birth_month.age``, ``market=ZE01``.
    """
    known = _of_history(words, name)
    if known:
        return known
    if _AGE.fullmatch(name):
        return words.text("covariate.age")
    if name == HOUSEHOLD_SIZE:
        return words.text("covariate.household_size")
    if match := _LEVEL.fullmatch(name):
        named = match["attribute"], match["value"]
        facts = {"attribute": attribute(words, named[0]), "value": level(words, *named)}
        return words.text("covariate.level", facts)
    return attribute(words, name)


def _of_history(words: Words, name: str) -> str:
    """Term read of the months before entry, or nothing."""
    for key, pattern in _HISTORY.items():
        match = pattern.fullmatch(name)
        if match is None:
            continue
        found = match.groupdict()
        facts = {"state": state(words, found["state"])}
        if "months" in found:
            months = int(found["months"])
            facts["duration"] = words.duration(months, "month")
            # Longer ago than the months looked at is told as one month more.
            facts["n"] = words.count(months + 1 if key == "since" else months)
        return words.text(f"covariate.{key}", facts)
    return ""


def level(words: Words, of: str, value: str) -> str:
    """Level of an attribute: one of the product's, the rare ones pooled, else the user's word."""
    if value == _POOLED:
        return words.text("level.other")
    key = f"level.{of}.{value}"
    return words.text(key) if words.knows(key) else value


def attribute(words: Words, name: str) -> str:
    """Attribute the product itself gives a meaning to, else the user's word."""
    key = f"attribute.{name}"
    return words.text(key) if words.knows(key) else name


def state(words: Words, name: str) -> str:
    """Panel state: its kind in words, and the user's code where the catalogue has none."""
    if words.knows(f"state.{name}"):
        return words.text(f"state.{name}")
    kind, _, code = name.partition("_")
    if kind in tuple(Kind) and code:
        facts = {"kind": words.text(f"state.{kind}"), "code": code}
        return words.text("state.coded", facts)
    return name


def group(words: Words, name: str) -> str:
    """Group of units: everyone, a pooled regression, or one share of persons accompanied."""
    if words.knows(f"group.{name}"):
        return words.text(f"group.{name}")
    if _AT in name:
        of, _, at = name.rpartition(_AT)
        told = covariate(words, of) if _LEVEL.fullmatch(of) else of
        return words.text("group.at", {"group": told, "share": group(words, at)})
    if not _SHARE.fullmatch(name):
        return name
    saturation = float(name)
    return words.text("group.saturation", {"share": words.percent(saturation)})


def group_of(words: Words, term: str, name: str, *, clock: str) -> str:
    """Group of an effect, read by what the effect is: a dose, a period, a quantile, a level."""
    if _BETWEEN in name:
        first, second = name.split(_BETWEEN, 1)
        parts = {
            "first": group_of(words, term, first, clock=clock),
            "second": group_of(words, term, second, clock=clock),
        }
        return words.text("group.difference", parts)
    if term in _DOSES:
        return words.text("group.dose", {"value": words.measure(float(name))})
    if term == "period":
        return period(words, int(name), clock=clock)
    for key, pattern in _GROUPS.items():
        match = pattern.fullmatch(name)
        if match is not None:
            said = {k: _number_of(words, k, v) for k, v in match.groupdict().items() if v}
            return words.text(f"group.{key}", said)
    named = _LEVEL.fullmatch(name) and _AT not in name
    return covariate(words, name) if named else group(words, name)


def _number_of(words: Words, part: str, text: str) -> str:
    if part == "share":
        return words.percent(float(text))
    return words.measure(float(text)) if part == "value" else text


def period(words: Words, value: int, *, clock: str) -> str:
    """Calendar period: a month in words, or the number that a table gave it."""
    return words.month(to_label(value)) if clock == "month" else str(value)


def start(words: Words, value: float, *, clock: str) -> str:
    """First treated period of a cohort, or that it has none."""
    return (
        words.text("cohort.never") if math.isnan(value) else period(words, int(value), clock=clock)
    )


def few(words: Words, value: float) -> str:
    """A count of units, hidden where it would point at somebody."""
    return words.text("count.few") if math.isnan(value) else words.count(value)


def cohort_size(words: Words, row: Mapping[Any, Any], *, clock: str) -> str:
    """A cohort: when it starts, how many units, in how many territories."""
    facts = {
        "start": start(words, row["start"], clock=clock),
        "units": few(words, row["units"]),
        "markets": words.number(row["markets"]),
    }
    place = "cohort.size" if math.isnan(row["markets"]) else "cohort.size_in_markets"
    return words.text(place, facts)


def method(words: Words, identifier: str) -> str:
    """Estimator of the product in words; one brought by the user under its own name."""
    key = f"method.{identifier}.label"
    return words.text(key) if words.knows(key) else identifier


def step(words: Words, ledger_step: Step) -> str:
    """Step of the ledger. In the reading room steps are the user's sources, then their persons."""
    if ledger_step.room == _READING_ROOM:
        if ledger_step.unit == "persons":
            return words.text("ledger.persons")
        return words.text("ledger.reading", {"source": source(words, ledger_step.name)})
    key = f"ledger.step.{ledger_step.room}.{ledger_step.name}"
    if _LINK.match(ledger_step.name) and not words.knows(key):
        linked = _LINK.sub("", ledger_step.name)
        return words.text(f"ledger.linking.{ledger_step.unit}", {"name": source(words, linked)})
    return words.text(key)


def reason(words: Words, ledger_step: Step, code: str) -> str:
    """Why something was left behind. While reading, a mapping may give its own word for it."""
    key = f"ledger.reason.{code}"
    if ledger_step.room == _READING_ROOM and not words.knows(key):
        return code.replace("_", " ")
    return words.text(key)


def source(words: Words, name: str) -> str:
    """Source of the demonstration in words, else as the mapping file names it."""
    key = f"source.{name}"
    return words.text(key) if words.knows(key) else name


def place(words: Words, where: str) -> str:
    """Place of a refusal: sources and arm by their names, the months of its period in words."""

    def told(period: re.Match[str]) -> str:
        first, last = (words.month(period[end]) for end in ("first", "last"))
        return words.text("text.period", {"first": first, "last": last})

    parts = (_PERIOD.sub(told, part) for part in where.split(", "))
    return ", ".join(_arm(words, source(words, part)) for part in parts)


def _arm(words: Words, name: str) -> str:
    """Accompaniment by its name; any other word as it is."""
    key = f"treatment.{name}.label"
    return words.text(key) if words.knows(key) else name


def proof(words: Words, key: str) -> str:
    """Thing that a line of provenance is the proof of; a key of the user's own is printed as it is."""
    kind, _, name = key.partition(":")
    known = f"provenance.{kind}"
    return words.text(known, {"name": name}) if words.knows(known) else key


def title(words: Words, evidence: Evidence) -> str:
    """Title of the evaluator, else one made of treatment and outcome."""
    question = evidence.design.question
    if question.title:
        return question.title
    facts = {
        "treatment": treatment(words, question.treatment, "label"),
        "outcome": _within(outcome(words, question.outcome, "label")),
    }
    return words.text("page.title", facts)


def _within(label: str) -> str:
    """Label as it goes on within a sentence; an acronym keeps its capitals."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]
