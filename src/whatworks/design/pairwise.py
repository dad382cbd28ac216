"""Every accompaniment against every other, and each against none: one reading of the panel for all.

Entrants of one type are compared with the entrants of another in the same month (Lechner 2001,
doi:10.1007/978-3-642-57615-7_3). Risk sets and covariates are laid out once, states before entry are
held once, and the outcome is read once, when every comparison has been chosen and sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import ibis

from whatworks.design.cohorts import lay_out
from whatworks.design.compare import DEFAULT, chosen_design
from whatworks.design.comparison import Comparison
from whatworks.design.looking.opening import attach
from whatworks.design.question import Question
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError
from whatworks.indicators import Gate, Measured, assess, lookup
from whatworks.panel.record import Panel
from whatworks.sources.engine import hold_table
from whatworks.vocabulary import (
    MONTH,
    PERSON,
    VALUE,
    Accompaniment,
    Kind,
    LaterStarts,
    Versus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One comparison: its design, or why there is none.

    Parameters
    ----------
    treatment, versus : str
    design : Design or None
    refused : DesignRefused or None
    """

    treatment: str
    versus: str
    design: Design | None
    refused: DesignRefused | None = None


def pairwise(
    panel: Panel,
    question: Question,
    *,
    types: Sequence[str] = (),
    using: Comparison = DEFAULT,
    gate: Gate | None = None,
    measured: Measured | None = None,
) -> tuple[Pair, ...]:
    """Designs of every pair of accompaniments, and of each against none.

    Parameters
    ----------
    panel : Panel
    question : Question
        What all share. Its own treatment is not looked at; its ``versus`` says what *none* means,
        and is `not_yet_started` when it names a type. In a pair the first type is treated: ``ATT``
        is over its entrants, ``ATE`` over both.
    types : sequence of str
        By default those of the six types that the panel shows, in the order of the vocabulary.
    using, gate, measured
        As `whatworks.compare` takes them.

    Returns
    -------
    tuple of Pair
        Six types give 15 pairs, then 6 against none.

    Raises
    ------
    IndicatorRefused
        When the outcome may not be published from this panel.
    OptionError
        When fewer than two types are asked, or the panel lacks what the question names.
    """
    assess(panel, question.outcome, gate=gate, measured=measured).raise_if_refused()
    asked = _questions(panel, question, tuple(types))
    layouts = lay_out(panel, asked)
    seen = _held(panel, {k: panel.table[k] for k in panel.states})
    found = []
    for each in asked:
        try:
            chosen = chosen_design(panel, each, using=using, layouts=layouts, seen=seen)
        except DesignRefused as refused:
            found.append(
                Pair(treatment=each.treatment, versus=each.versus, design=None, refused=refused)
            )
            continue
        found.append(Pair(treatment=each.treatment, versus=each.versus, design=chosen.sealed()))
    return _opened(panel, question, found)


def _questions(panel: Panel, question: Question, types: tuple[str, ...]) -> list[Question]:
    """One question for each pair, then one for each type against none."""
    shown = panel.states.get(Kind.ACCOMPANIMENT, ())
    types = types or tuple(str(t) for t in Accompaniment if t in shown)
    if len(set(types)) < 2 or len(set(types)) != len(types):
        raise OptionError(
            what="types",
            needed="two accompaniments or more, each once",
            found=f"{len(types)} of them" if len(set(types)) == len(types) else "one twice",
            remedy="name types that the panel shows: " + ", ".join(shown),
        )
    none = Versus.NOT_YET_STARTED if question.other_type else question.versus
    pairs = [*combinations(types, 2), *((t, str(none)) for t in types)]
    return [replace(question, treatment=a, versus=b) for a, b in pairs]


def _held(panel: Panel, columns: dict[str, ibis.Value]) -> Panel:
    """The panel with a few of its columns only, computed once and held."""
    narrow = panel.table.select(PERSON, MONTH, **columns)
    return replace(panel, table=hold_table(panel.connection, "months", narrow))


def _opened(panel: Panel, question: Question, pairs: list[Pair]) -> tuple[Pair, ...]:
    """Outcomes of every sealed design, read from the panel once."""
    indicator = lookup(question.outcome)
    monthly = indicator.monthly
    if monthly is None:
        raise AssertionError(f"outcome {indicator.id} has no monthly expression")
    if question.later_starts == LaterStarts.CENSOR:
        # Censoring reads accompaniments and covariates again after entry: the whole panel.
        return tuple(
            replace(p, design=attach(p.design, panel)) if p.design is not None else p for p in pairs
        )
    held = _held(panel, {VALUE: monthly(panel)})
    ready = replace(indicator, monthly=lambda read: read.table[VALUE])
    return tuple(
        replace(p, design=attach(p.design, held, indicator=ready)) if p.design is not None else p
        for p in pairs
    )
