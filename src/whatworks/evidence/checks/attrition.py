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
from whatworks.ledger import Ledger
from whatworks.vocabulary import TREATED, DesignClass, Supply

HOLDS_BELOW: Final = 0.05
FAILS_ABOVE: Final = 0.20
_ARMS: Final = ("table_treated", "table_comparison")
_TOOK_PART: Final = ("observed_treated", "observed_comparison")
_OUTCOME_MISSING: Final = ("missing_outcome", "incomplete_panel")
REFERENCE: Final = "What Works Clearinghouse, attrition standard"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Share of units without the primary outcome, and the gap between arms.

    A rollout: share of units × periods that the estimate could not read. Units each seen once, as in
    repeated cross-sections, are not lost: nothing is said.
    """
    lost, total = _lost_on_the_way(design)
    if Supply.ROLLOUT in design.supplies:
        seen = ~np.isnan(design.outcomes.values)
        if seen.shape[1] > 1 and (seen.sum(axis=1) == 1).all():
            return None
        lost, total = _periods_lost(
            seen, design.units[TREATED].to_numpy(), estimates[0].ledger, lost
        )
    elif design.design_class is not DesignClass.PANEL_DIFFERENCE:
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


def _periods_lost(
    seen: NDArray[np.bool_], treated: NDArray[np.bool_], ledger: Ledger, before: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Units × periods lost and all of them, by arm.

    Units the method left out for want of some period are lost in all; those the reading of the table
    left out without any outcome are too.
    """
    lost, total = before * seen.shape[1], before * seen.shape[1]
    for k, arm in enumerate((treated, ~treated)):
        dropped = sum(
            n
            for step in ledger.steps
            if step.name == _TOOK_PART[k]
            for reason, n in step.dropped
            if reason in _OUTCOME_MISSING
        )
        total[k] += seen[arm].size
        lost[k] += max(int((~seen[arm]).sum()), dropped * seen.shape[1])
    return lost, total


def _lost_on_the_way(design: Design) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of a table left out for want of an outcome, and all rows, by arm."""
    lost, total = np.zeros(2), np.zeros(2)
    for step in design.ledger.steps:
        if step.name in _ARMS:
            k = _ARMS.index(step.name)
            total[k] += step.before
            lost[k] += sum(n for reason, n in step.dropped if reason in _OUTCOME_MISSING)
    return lost, total
