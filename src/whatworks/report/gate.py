"""An assessment of the gate in words: refusals and reserves in full sentences, waivers, dates."""

from __future__ import annotations

from whatworks.indicators import Assessment, Refusal, Waiver
from whatworks.report import facts, names
from whatworks.report.language import Words
from whatworks.report.numbers import Scale

_NO_SCALE = Scale(unit="", decimals=1)


def refusal(words: Words, refused: Refusal) -> str:
    """What is refused and where, why, what would fix it, and who may waive it."""
    title, where, why, remedy = (
        facts.refusal(words, _NO_SCALE, refused, part)
        for part in ("title", "where", "why", "remedy")
    )
    waiver = words.text("gate.waivable" if refused.waivable else "gate.not_waivable")
    return f"{title} ({where}). {why} {remedy} {waiver}"


def reserve(words: Words, reserved: Refusal) -> str:
    """A reserve in one line: where, and why."""
    place = names.place(words, reserved.where)
    return f"{place}. {facts.refusal(words, _NO_SCALE, reserved, 'why')}"


def waived(words: Words, waiver: Waiver) -> str:
    """A waiver with who granted it, when and why."""
    return words.text(
        "gate.waived",
        {
            "by": waiver.by,
            "on": words.day(waiver.on),
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
