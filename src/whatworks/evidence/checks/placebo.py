"""Is there an effect before there can be one?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.indicators import lookup
from whatworks.indicators.registry import indicators
from whatworks.stats.intervals import wald
from whatworks.vocabulary import Verdict

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
REFERENCE: Final = "Imbens & Rubin (2015), ch. 21"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Mean difference over the question's placebo months, with the estimate's own uncertainty.

    Months on which arms were matched are alike by construction: the window must lie before them.
    Without one, difference-in-differences reads every month before entry; matching is not testable.
    """
    primary = estimates[0]
    effects = primary.effects
    overall = (effects["cohort"] == -1) & (effects["group"] == "all") & (effects["month"] < 0)
    window = design.question.placebo_months
    if window is not None:
        overall &= effects["month"].between(*window)
    usable = overall & effects["std_error"].notna()
    if (window is None and design.matches is not None) or not usable.any():
        return Finding(
            check="placebo",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=FAILS_BELOW,
            reference=REFERENCE,
        )
    rows = np.flatnonzero(usable.to_numpy())
    if design.outcomes.name in indicators() and lookup(design.outcomes.name).accumulates:
        # The farthest month already sums all those that lead to entry.
        rows = rows[effects["month"].to_numpy()[rows].argmin()][None]
    weights = np.zeros((1, len(effects)))
    weights[0, rows] = 1 / rows.size
    estimate = float(weights[0] @ np.nan_to_num(effects["estimate"].to_numpy()))
    variance = float(primary.uncertainty.combine(weights).covariance()[0, 0])
    p_value = float(wald(estimate, np.sqrt(variance)).p_value)
    verdict = (
        Verdict.FAILS
        if p_value < FAILS_BELOW
        else Verdict.STRAINED
        if p_value < STRAINED_BELOW
        else Verdict.HOLDS
    )
    months = effects["month"].to_numpy()[rows]
    return Finding(
        check="placebo",
        verdict=verdict,
        statistic=p_value,
        threshold=FAILS_BELOW,
        reference=REFERENCE,
        facts={
            "first": int(months.min()),
            "last": int(months.max()),
            "estimate": estimate,
            "p_value": p_value,
            "unit": design.outcomes.unit,
        },
    )
