"""From a design nobody has seen the outcomes of to one that has them: sealed first, then opened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from whatworks.design.looking.outcomes import check_persons, open_outcomes
from whatworks.design.looking.saved import content_of
from whatworks.design.looking.seal import Seal, today
from whatworks.errors import DesignRefused
from whatworks.indicators import Gate, Indicator, Measured, assess, lookup
from whatworks.panel.record import Panel
from whatworks.vocabulary import Supply

if TYPE_CHECKING:
    from whatworks.design.record import Design


def fixed(design: Design, *, date: str | None) -> Design:
    """The design with the seal of its content; see `Design.sealed`."""
    digest = content_of(design).digest()
    if design.seal is None:
        made = Seal(digest=digest, date=date or today(), before_outcomes=not design.outcomes.opened)
        return replace(design, seal=made)
    if design.seal.digest != digest:
        raise DesignRefused(
            what="seal of the design",
            needed="the content that was sealed",
            found="another: its units, weights or question were changed afterwards",
            remedy="choose again, then seal anew",
        )
    return design


def opened(design: Design, panel: Panel, *, gate: Gate | None, measured: Measured | None) -> Design:
    """The sealed design with the outcomes of its units; see `Design.open`."""
    if design.outcomes.opened:
        raise DesignRefused(
            what="opening of outcomes",
            needed="a design whose outcomes are closed",
            found="outcomes already attached",
            remedy="estimate on it, or load the design as it was saved",
        )
    sealed = fixed(design, date=None)
    check_persons(panel, sealed)
    assess(panel, design.question.outcome, gate=gate, measured=measured).raise_if_refused()
    return attach(sealed, panel)


def attach(sealed: Design, panel: Panel, *, indicator: Indicator | None = None) -> Design:
    """Outcomes read for the units of a sealed design, past every gate.

    ``indicator`` says how the outcome is read from this panel, where it holds it ready.
    """
    asked = sealed.question
    outcomes = open_outcomes(panel, asked, indicator or lookup(asked.outcome), sealed.units)
    before = {Supply.PRE_MONTHS} if outcomes.months[0] < 0 else set()
    return replace(sealed, outcomes=outcomes, supplies=sealed.supplies | before)
