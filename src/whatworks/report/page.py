"""The page of one evaluation: everything its template prints, in the order it prints it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from whatworks.evidence.record import Deduction, Evidence, Refusal
from whatworks.report import facts, frames, names, pictures, rollout, tables, wording
from whatworks.report.compared import compared
from whatworks.report.displaced import Others, of_others
from whatworks.report.figures.svg import Drawing
from whatworks.report.frames import Curve
from whatworks.report.further import characteristics, followed, further
from whatworks.report.language import Words
from whatworks.report.numbers import Scale
from whatworks.report.pieces import Picture, Reason
from whatworks.report.tables import Table
from whatworks.report.workings import workings
from whatworks.vocabulary import Conclusion, Impact

MOST_STRENGTH: Final = 5
_SYMBOLS: Final = {
    Impact.HIGH: "▲▲▲",
    Impact.MODERATE: "▲▲",
    Impact.LOW: "▲",
    Impact.NONE_DETECTED: "=",
    Impact.POSITIVE_UNGRADED: "▲",
    Impact.NEGATIVE: "▼",
    Impact.INCONCLUSIVE: "?",
    Impact.NOT_MEASURED: "–",
}
_CLAIMS: Final = frozenset(Impact) - {Impact.INCONCLUSIVE, Impact.NOT_MEASURED}
_UNLISTED_PROOFS: Final = ("employment_source",)
"""Lines of provenance that choose words of the page and are no proof of anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """One dial: words for everyone, and a shape: ``filled`` of five squares, or a symbol."""

    name: str
    value: str
    meaning: str
    symbol: str = ""
    filled: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The four things a refusal says, under its title."""

    title: str
    what: str
    why: str
    where: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the template of one evaluation prints; every number already words."""

    title: str
    heads: Mapping[str, str]
    question: str
    verdict: str
    dials: tuple[Dial, ...]
    conclusion: str
    conclusion_meaning: str
    reasons: tuple[Reason, ...]
    cap: str
    deductions: tuple[Reason, ...]
    displacement_title: str
    displacement_text: str
    displacement_measured: bool
    displacement_reading: tuple[str, ...]
    displacement_table: Table | None
    others: Others
    effect: Picture
    lock_in: str
    effects: Table
    further: tuple[Table, ...]
    characteristics: Table | None
    benchmarks: Table | None
    compared: tuple[tuple[str, str], ...]
    calendar: Picture | None
    cells: Picture | None
    gaps: Picture | None
    sensitivity: Picture | None
    pathway: Picture | None
    balance: Picture | None
    overlap: Picture | None
    history: Picture | None
    left_out: Table | None
    followed: Table | None
    findings: Table | None
    workings: tuple[Table, ...]
    flow: Picture | None
    refusals: tuple[Refused, ...]
    definitions: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    files: tuple[str, ...]


def page(words: Words, evidence: Evidence, *, files: tuple[str, ...] = ()) -> Page:
    """Page of one evaluation. ``files`` are those offered for download beside it."""
    scale = frames.common_scale(evidence)
    finding = next((f for f in evidence.findings if f.check == "balance"), None)
    balance = frames.balance(finding)
    found = frames.curve(evidence.estimates[0])
    clock = frames.clock(evidence.design)
    return Page(
        title=names.title(words, evidence),
        heads=wording.heads(words, evidence),
        question=wording.question(words, evidence),
        verdict=wording.verdict(words, evidence),
        dials=_dials(words, evidence),
        conclusion=words.text(f"conclusion.{evidence.conclusion}.label"),
        conclusion_meaning=words.text(f"conclusion.{evidence.conclusion}.meaning"),
        reasons=tuple(_reason(words, scale, r, clock) for r in evidence.conclusion_reasons),
        cap=_cap(words, evidence),
        deductions=tuple(_reason(words, scale, d, clock) for d in evidence.rating.deductions),
        displacement_title=words.text(f"displacement.{evidence.displacement.code}.title"),
        displacement_text=wording.displacement_text(words, evidence),
        displacement_measured=evidence.displacement.measured,
        displacement_reading=wording.displacement(words, evidence),
        displacement_table=tables.displacement(words, evidence),
        others=of_others(words, evidence),
        effect=_effect(words, evidence),
        lock_in=wording.lock_in(words, found, clock=clock)
        if found.months != frames.NO_CLOCK
        else "",
        effects=tables.effects(words, evidence),
        further=further(words, evidence),
        characteristics=characteristics(words, evidence),
        benchmarks=tables.benchmarks(words, evidence),
        compared=compared(words, evidence),
        calendar=_picture(
            words,
            rollout.calendar_drawing(evidence.design, words),
            rollout.calendar_table(words, rollout.calendar(evidence.design), clock=clock),
        ),
        cells=_picture(
            words,
            rollout.cells_drawing(evidence, words),
            rollout.cells_table(
                words,
                rollout.cells(evidence.estimates[0], evidence.design),
                scale,
                clock=clock,
            ),
        ),
        gaps=_picture(
            words,
            rollout.gaps_drawing(evidence.estimates[0], words, clock=clock),
            rollout.gaps_table(words, rollout.gaps(evidence.estimates[0], scale), scale),
        ),
        sensitivity=_picture(
            words,
            rollout.sensitivity_drawing(evidence, words),
            rollout.sensitivity_table(words, rollout.sensitivity(evidence, scale), scale),
        ),
        pathway=_picture(
            words,
            pictures.pathway_drawing(evidence, words),
            tables.pathway(words, frames.pathway(evidence)),
        ),
        balance=_picture(
            words, pictures.balance_drawing(balance, words), tables.balance(words, balance)
        ),
        overlap=_picture(
            words,
            pictures.overlap_drawing(evidence.design, words),
            tables.overlap(words, frames.overlap(evidence.design)),
        ),
        history=_picture(
            words,
            pictures.history_drawing(evidence.design, words),
            tables.history(words, frames.history(evidence.design)),
        ),
        left_out=tables.left_out(words, frames.left_out(evidence.design)),
        followed=followed(words, evidence),
        findings=tables.findings(words, evidence) if evidence.findings else None,
        workings=workings(words, evidence),
        flow=_picture(
            words,
            pictures.flow_drawing(evidence, words),
            tables.flow(words, frames.ledger(evidence)),
        ),
        refusals=tuple(refused(words, scale, r) for r in evidence.refusals),
        definitions=_definitions(words, evidence),
        provenance=_provenance(words, evidence),
        files=files,
    )


def strength(words: Words, evidence: Evidence) -> str:
    """Strength as a number out of five and its word."""
    value = evidence.rating.strength
    facts_ = {"n": words.count(value), "word": words.text(f"strength.{value}")}
    return words.text("strength.of_five", facts_)


def refused(words: Words, scale: Scale, refusal: Refusal) -> Refused:
    """Four sentences of a refusal, under its title."""
    parts = ("title", "what", "why", "where", "remedy")
    said = [facts.refusal(words, scale, refusal, part) for part in parts]
    return Refused(title=said[0], what=said[1], why=said[2], where=said[3], remedy=said[4])


def _impact(words: Words, evidence: Evidence) -> Dial:
    """Dial of impact: what the estimate says, never more than the evidence lets it say."""
    code, symbol = str(evidence.impact), _SYMBOLS[evidence.impact]
    if evidence.rating.strength == 0 and evidence.impact is not Impact.NOT_MEASURED:
        code, symbol = "not_gradable", _SYMBOLS[Impact.NOT_MEASURED]
    label = words.text(f"impact.{code}.label")
    if code in _CLAIMS and evidence.conclusion is Conclusion.NOT_ESTABLISHED:
        label = words.text("impact.hedged", {"label": label})
    return Dial(
        name=words.text("dial.impact"),
        value=label,
        meaning=words.text(f"impact.{code}.meaning"),
        symbol=symbol,
    )


def _dials(words: Words, evidence: Evidence) -> tuple[Dial, ...]:
    return (
        _impact(words, evidence),
        Dial(
            name=words.text("dial.strength"),
            value=strength(words, evidence),
            meaning=words.text("dial.strength_meaning"),
            filled=evidence.rating.strength,
        ),
        _cost(words, evidence),
    )


def _cost(words: Words, evidence: Evidence) -> Dial:
    """Dial of cost: what the evaluator said of it, which no file measures."""
    cost = evidence.displacement.stakes.cost
    code = "not_measured" if cost is None else "given"
    facts_ = {} if cost is None else {"cost": words.measure(cost)}
    return Dial(
        name=words.text("dial.cost"),
        value=words.text(f"cost.{code}.label", facts_),
        meaning=words.text(f"cost.{code}.meaning"),
        symbol="–",
    )


def _reason(words: Words, scale: Scale, deduction: Deduction, clock: str) -> Reason:
    points = deduction.points
    return Reason(
        text=facts.deduction(words, scale, deduction, "text", clock=clock),
        lifted_by=facts.deduction(words, scale, deduction, "lifted_by", clock=clock),
        points=words.text("strength.points_lost", {"n": words.count(points)}) if points else "",
    )


def _cap(words: Words, evidence: Evidence) -> str:
    rating = evidence.rating
    said = {
        "design": words.text(f"design_class.{rating.design_class}.label"),
        "cap": words.count(rating.cap),
    }
    return words.text("strength.cap", said)


def _effect(words: Words, evidence: Evidence) -> Picture:
    drawn = pictures.effects_drawing(evidence, words)
    found = frames.curve(evidence.estimates[0])
    by_month = "month" in drawn.data.columns
    table = (
        tables.curve(words, found, clock=frames.clock(evidence.design))
        if by_month
        else tables.effect_rows(words, drawn.data, found)
    )
    caption = words.text("caption.effects_rows")
    if by_month:
        caption = _caption(words, found, marked=frames.rolls_out(evidence.design))
    return Picture(key=drawn.name, svg=Markup(drawn.svg), caption=caption, table=table)  # noqa: S704 drawn by us, text escaped by ElementTree


def _caption(words: Words, found: Curve, *, marked: bool) -> str:
    """Caption of a curve: what its months before entry show, where it has any."""
    said = [words.text("caption.effects")]
    if frames.has_bands(found):
        said.append(words.text("caption.effects_band"))
    if (found.drawn["month"] < 0).any():
        said.append(words.text("caption.effects_before"))
    if found.built.any():
        said.append(words.text(f"caption.effects_{'base' if marked else 'built'}"))
    return " ".join(said)


def _picture(words: Words, drawn: Drawing | None, table: Table) -> Picture | None:
    if drawn is None:
        return None
    caption = words.text(f"caption.{drawn.name}")
    return Picture(key=drawn.name, svg=Markup(drawn.svg), caption=caption, table=table)  # noqa: S704 drawn by us, text escaped by ElementTree


def _definitions(words: Words, evidence: Evidence) -> tuple[tuple[str, str], ...]:
    rows = list(_definition_of_outcome(words, evidence))
    if evidence.design.outcomes.unit == "pp":
        rows.append((words.text("definition.point"), words.text("definition.point_text")))
    rows += [
        (words.text(f"definition.{name}"), words.text(f"definition.{name}_text"))
        for name in ("interval", "smd", "balance", "strength")
    ]
    return tuple(rows)


def _definition_of_outcome(words: Words, evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """What the outcome counts. Switches set on contracts are void where states were declared."""
    outcome = evidence.design.question.outcome
    label = names.outcome(words, outcome, "label")
    declared = f"indicator.{outcome}.definition_declared"
    if evidence.provenance.get("employment_source") == "declared_states" and words.knows(declared):
        return ((label, words.text(declared)),)
    return (
        (label, names.outcome(words, outcome, "definition")),
        (words.text("definition.switches"), names.outcome(words, outcome, "switches")),
    )


def _provenance(words: Words, evidence: Evidence) -> tuple[tuple[str, str], ...]:
    rows = [
        (names.proof(words, key), value)
        for key, value in evidence.provenance.items()
        if key not in _UNLISTED_PROOFS
    ]
    for estimate in evidence.estimates:
        options = ", ".join(f"{k}={v!r}" for k, v in estimate.options.items())
        label = words.text("provenance.estimator")
        named = names.method(words, estimate.method)
        rows.append((label, f"{named} ({estimate.method}: {options})"))
    return tuple(rows)
