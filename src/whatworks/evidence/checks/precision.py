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
from whatworks.vocabulary import TREATED

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
    comparison = design.outcomes.at(month)[~design.units[TREATED].to_numpy()]
    spread = float(np.nanstd(comparison))
    graded = mde if design.outcomes.unit == "pp" else 20 * mde / spread if spread > 0 else np.nan
    return Finding(
        check="precision",
        verdict=at_most(graded, holds=HOLDS_BELOW, strained=FAILS_ABOVE),
        statistic=graded,
        threshold=HOLDS_BELOW,
        reference=REFERENCE,
        facts={"mde": mde, "unit": design.outcomes.unit, "month": month},
    )
