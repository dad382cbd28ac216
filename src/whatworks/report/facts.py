"""Facts of findings, deductions and refusals, each formatted by what its name means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from whatworks.evidence.record import Deduction, Facts, Finding, Refusal
from whatworks.report import names
from whatworks.report.frames import as_said
from whatworks.report.language import Words
from whatworks.report.numbers import SMD_DECIMALS, Scale
from whatworks.vocabulary import measure_column

Formatter = Callable[[Words, Scale, str | int | float], str]


def _share(words: Words, _: Scale, value: str | int | float) -> str:
    return words.share(float(value))


def _smd(words: Words, _: Scale, value: str | int | float) -> str:
    return words.number(float(value), SMD_DECIMALS)


def _p_value(words: Words, _: Scale, value: str | int | float) -> str:
    return words.p_value(float(value))


def _effect(words: Words, scale: Scale, value: str | int | float) -> str:
    return words.amount(float(value), scale)


def _bound(words: Words, scale: Scale, value: str | int | float) -> str:
    return words.number(float(value), scale.decimals)


def _times(words: Words, _: Scale, value: str | int | float) -> str:
    return words.number(float(value), 1)


def _count(words: Words, _: Scale, value: str | int | float) -> str:
    return words.count(float(value))


def _covariate(words: Words, _: Scale, value: str | int | float) -> str:
    return names.covariate(words, str(value))


def _nodes(words: Words, _: Scale, value: str | int | float) -> str:
    """Nodes of a causal graph, which bring their own words in both languages."""
    labels = json.loads(str(value))[words.lang]
    return words.series([as_said(label) for label in labels])


def _outcomes(words: Words, _: Scale, value: str | int | float) -> str:
    labels = [names.outcome(words, n.strip(), "label") for n in str(value).split(",")]
    return words.listing([words.text("text.quoted", {"words": label}) for label in labels])


def _states(words: Words, _: Scale, value: str | int | float) -> str:
    return words.series([names.state(words, n.strip()) for n in str(value).split(",")])


def _state(words: Words, _: Scale, value: str | int | float) -> str:
    return names.state(words, str(value))


def _measure(words: Words, _: Scale, value: str | int | float) -> str:
    return names.state(words, measure_column(str(value)))


def _month(words: Words, _: Scale, value: str | int | float) -> str:
    return words.month(str(value))


def _check(words: Words, _: Scale, value: str | int | float) -> str:
    return words.text(f"check.{value}.label")


def _inference(words: Words, _: Scale, value: str | int | float) -> str:
    return words.text(f"inference.{value}")


def _nature(words: Words, _: Scale, value: str | int | float) -> str:
    return words.text(f"nature.{value}")


KINDS: Final[Mapping[str, Formatter]] = {
    "smd": _smd,
    "n_above": _count,
    "covariate": _covariate,
    "p_adjusted": _p_value,
    "draws": _count,
    "matched_share": _share,
    "share": _share,
    "share_apart": _share,
    "measured": _share,
    "threshold": _share,
    "ess": _count,
    "n": _count,
    "clusters": _count,
    "treated_clusters": _count,
    "inference": _inference,
    "months": _count,
    "kind": _state,
    "measure": _measure,
    "strength": _count,
    "estimate": _effect,
    "placebo_effect": _effect,
    "difference": _effect,
    "slope": _effect,
    "bias": _effect,
    "out_of": _count,
    "mde": _effect,
    "breakdown": _times,
    "micro": _times,
    "macro": _times,
    "gap": _times,
    "found_from": _times,
    "total_from": _times,
    "low": _bound,
    "high": _effect,
    "p_value": _p_value,
    "check": _check,
    "nature": _nature,
    "alternatives": _outcomes,
    "possible": _outcomes,
    "known_to": _month,
    "publishable_from": _month,
    "counted": _count,
    "expected": _count,
}
"""Every number a sentence may carry. A fact of another name is text and printed as it is."""
TIMES: Final = ("month", "horizon", "first", "last")
"""Times since entry or before it, told in the months of a panel or the periods of a table."""


def finding(words: Words, scale: Scale, found: Finding, *, clock: str = "month") -> str:
    """Sentence of one check's answer; ``clock`` is ``month`` or ``period``."""
    facts = _filled(words, scale, found.facts, missing=_nodes, clock=clock)
    return words.text(f"finding.{found.check}.{found.verdict}", facts)


def deduction(
    words: Words, scale: Scale, lost: Deduction, part: str, *, clock: str = "month"
) -> str:
    """Sentence of a deduction: ``text``, or ``lifted_by``."""
    facts = _filled(words, scale, lost.facts, missing=_nodes, clock=clock)
    if lost.code == "weak_evidence" and part == "text" and lost.facts.get("strength") == 0:
        return words.text("deduction.weak_evidence.none")
    return words.text(f"deduction.{lost.code}.{part}", facts)


def refusal(words: Words, scale: Scale, refused: Refusal, part: str) -> str:
    """Sentence of a refusal: ``title``, ``what``, ``why``, ``where`` or ``remedy``."""
    facts = _filled(words, scale, refused.facts, missing=_states)
    facts["what"] = names.outcome(words, refused.what, "label")
    facts["where"] = names.place(words, refused.where)
    return words.text(f"refusal.{refused.code}.{part}", facts)


def _filled(
    words: Words, scale: Scale, facts: Facts, *, missing: Formatter, clock: str = "month"
) -> dict[str, str]:
    """Facts as text. ``missing`` lists nodes of a causal graph, or states of a refusal."""
    out = {}
    for name, value in facts.items():
        kind = missing if name == "missing" else KINDS.get(name)
        if name in TIMES:
            out[name] = words.duration(abs(float(value)), clock)
        elif kind is None:
            out[name] = value if isinstance(value, str) else words.number(float(value), 3)
        else:
            out[name] = kind(words, scale, value)
    return out
