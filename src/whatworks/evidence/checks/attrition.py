"""How many outcomes were lost at the primary horizon?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_most
from whatworks.evidence.record import Finding
from whatworks.vocabulary import TREATED, DesignClass

HOLDS_BELOW: Final = 0.05
FAILS_ABOVE: Final = 0.20
_ARMS: Final = ("table_treated", "table_comparison")
_OUTCOME_MISSING: Final = ("missing_outcome", "incomplete_panel")
REFERENCE: Final = "What Works Clearinghouse, attrition standard"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Share of units without the primary outcome, and the gap between arms."""
    lost, total = _lost_on_the_way(design)
    if design.design_class is not DesignClass.PANEL_DIFFERENCE:
        months = design.outcomes.months
        month = design.question.primary if design.question.primary in months else months[-1]
        missing = np.isnan(design.outcomes.at(month))
        treated = design.units[TREATED].to_numpy()
        for k, arm in enumerate((treated, ~treated)):
            total[k] = max(total[k], lost[k] + int(arm.sum()))
            lost[k] += int(missing[arm].sum())
    shares = lost / np.maximum(total, 1)
    gap = float(abs(shares[0] - shares[1]))
    share = float(lost.sum() / max(total.sum(), 1))
    worst = max(share, 2 * gap)  # a gap between arms weighs twice
    return Finding(
        check="attrition",
        verdict=at_most(worst, holds=HOLDS_BELOW, strained=FAILS_ABOVE),
        statistic=share,
        threshold=HOLDS_BELOW,
        reference=REFERENCE,
        facts={"share": share, "gap": gap},
    )


def _lost_on_the_way(design: Design) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of a table left out for want of an outcome, and all rows, by arm."""
    lost, total = np.zeros(2), np.zeros(2)
    for step in design.ledger.steps:
        if step.name in _ARMS:
            k = _ARMS.index(step.name)
            total[k] += step.before
            lost[k] += sum(n for reason, n in step.dropped if reason in _OUTCOME_MISSING)
    return lost, total
