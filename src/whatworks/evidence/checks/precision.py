"""How small an effect could have been seen?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import stats

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_most
from whatworks.evidence.record import Finding
from whatworks.vocabulary import ENTRY_MONTH, TREATED, Clock

HOLDS_BELOW: Final = 5.0
FAILS_ABOVE: Final = 10.0
"""Points of the outcome; for another unit, twentieths of a standard deviation."""
REFERENCE: Final = "Bloom (1995), doi:10.1177/0193841X9501900504"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Smallest effect detected four times in five: 2.8 standard errors at the primary horizon."""
    primary = estimates[0]
    month = design.question.primary
    if not primary.reads(month):
        return None
    error = float(primary.at(month)["std_error"])
    mde = error * float(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    spread = _spread(design, month)
    graded = mde if design.outcomes.unit == "pp" else 20 * mde / spread if spread > 0 else np.nan
    return Finding(
        check="precision",
        verdict=at_most(graded, holds=HOLDS_BELOW, strained=FAILS_ABOVE),
        statistic=graded,
        threshold=HOLDS_BELOW,
        reference=REFERENCE,
        facts={"mde": mde, "unit": design.outcomes.unit, "month": month},
    )


def _spread(design: Design, month: int) -> float:
    """Standard deviation of the outcome among comparisons; on a rollout, of all before anyone starts."""
    outcomes = design.outcomes
    if outcomes.clock is Clock.CALENDAR:
        first = int(design.units[ENTRY_MONTH].min())
        untreated = outcomes.values[:, [m < first for m in outcomes.months]]
        untreated = untreated[:, np.isfinite(untreated).any(axis=0)][:, -1:]
    else:
        untreated = outcomes.at(month)[~design.units[TREATED].to_numpy()]
    return float(np.nanstd(untreated)) if np.isfinite(untreated).any() else float("nan")
