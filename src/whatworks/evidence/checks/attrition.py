"""How many outcomes were lost at the primary horizon?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.vocabulary import TREATED, DesignClass, Verdict

HOLDS_BELOW: Final = 0.05
FAILS_ABOVE: Final = 0.20
_OUTCOME_MISSING: Final = ("missing_outcome", "incomplete_panel")
REFERENCE: Final = "What Works Clearinghouse, attrition standard"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Share of units without the primary outcome, and the gap between arms."""
    share, gap = _lost_on_the_way(design), 0.0
    if design.design_class is not DesignClass.PANEL_DIFFERENCE:
        months = design.outcomes.months
        month = design.question.primary if design.question.primary in months else months[-1]
        lost = np.isnan(design.outcomes.at(month))
        treated = design.units[TREATED].to_numpy()
        gap = abs(float(lost[treated].mean() - lost[~treated].mean()))
        share = share + (1 - share) * float(lost.mean())
    worst = max(share, 2 * gap)  # a gap between arms weighs twice
    verdict = (
        Verdict.HOLDS
        if worst <= HOLDS_BELOW
        else Verdict.STRAINED
        if worst <= FAILS_ABOVE
        else Verdict.FAILS
    )
    return Finding(
        check="attrition",
        verdict=verdict,
        statistic=share,
        threshold=HOLDS_BELOW,
        reference=REFERENCE,
        facts={"share": share, "gap": gap},
    )


def _lost_on_the_way(design: Design) -> float:
    """Share of a table's rows left out for want of an outcome, before any arm was formed."""
    for step in design.ledger.steps:
        if step.name == "table" and step.before:
            lost = sum(n for reason, n in step.dropped if reason in _OUTCOME_MISSING)
            return lost / step.before
    return 0.0
