"""An assessment of the gate in words: verdicts, refusals and reserves in full sentences, waivers."""

from __future__ import annotations

from whatworks.indicators import Assessment, Refusal, Waiver
from whatworks.report import facts, names
from whatworks.report.language import Words
from whatworks.report.numbers import Scale

_NO_SCALE = Scale(unit="", decimals=1)


def verdict(words: Words, assessment: Assessment) -> str:
    """Verdict in words."""
    return words.text(f"gate.verdict.{assessment.verdict}")


def sentences(words: Words, refusal: Refusal) -> tuple[str, ...]:
    """Title, what and where, why, remedy and who may waive, a sentence each."""
    parts = {
        part: facts.refusal(words, _NO_SCALE, refusal, part)
        for part in ("title", "what", "where", "why", "remedy")
    }
    waiver = words.text("gate.waivable" if refusal.waivable else "gate.not_waivable")
    return (
        f"{parts['title']} ({parts['where']})",
        parts["why"],
        parts["remedy"],
        waiver,
    )


def reserve(words: Words, refusal: Refusal) -> str:
    """A reserve in one line: where, and why."""
    place = names.place(words, refusal.where)
    return f"{place} — {facts.refusal(words, _NO_SCALE, refusal, 'why')}"


def waived(words: Words, waiver: Waiver) -> str:
    """A waiver with who granted it, when and why."""
    return words.text(
        "gate.waived",
        {
            "by": waiver.by,
            "on": waiver.on.isoformat(),
            "criterion": waiver.criterion,
            "why": waiver.why,
        },
    )


def publishable(words: Words, assessment: Assessment) -> str:
    """From which data an outcome too recent can be published; empty when it is not too recent."""
    if assessment.publishable_from is None:
        return ""
    month = words.month(assessment.publishable_from)
    return words.text("gate.publishable_from", {"month": month})
