"""How far from parallel may trends be before the effect is no longer told from zero?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_least
from whatworks.evidence.leads import event_study
from whatworks.evidence.record import Finding
from whatworks.stats.did.event_study import EventStudy
from whatworks.stats.did.sensitivity import (
    breakdown_magnitude,
    breakdown_smoothness,
    relative_magnitudes,
    smooth_fixed_length,
)
from whatworks.stats.intervals import wald
from whatworks.vocabulary import DesignClass, Verdict

HOLDS_FROM: Final = 1.0
"""Trends that move after the start as much as they did at most before: the benchmark of the paper."""
FAILS_BELOW: Final = 0.5
"""Half of it: an effect that so little undoes rests on parallel trends alone. Our convention."""
MAGNITUDES: Final = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
MOST: Final = 8.0
"""Breakdown beyond which no more is looked for: it is at least that."""
BENDS: Final = (0.0, 0.25, 0.5, 1.0)
"""Changes of slope tried, in standard errors of the effect per period."""
REFERENCE: Final = "Rambachan & Roth (2023), doi:10.1093/restud/rdad018"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Breakdown value: how many times the largest move before the start trends may move after it.

    Not testable where the effect is not told from zero even though trends were parallel: there is
    nothing to break.
    """
    if design.design_class is not DesignClass.PANEL_DIFFERENCE:
        return None
    month = design.question.primary
    study = event_study(estimates[0], month)
    plain = wald(study.effect, study.std_error) if study is not None else None
    if study is None or plain is None or not (plain.low > 0 or plain.high < 0):
        return Finding(
            check="sensitivity",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=HOLDS_FROM,
            table=None if study is None else intervals(study),
            reference=REFERENCE,
        )
    breakdown = min(breakdown_magnitude(study, most=MOST), MOST)
    table = intervals(study)
    one = table[(table["set"] == "relative_magnitudes") & (table["departure"] == 1.0)].iloc[0]
    return Finding(
        check="sensitivity",
        verdict=at_least(breakdown, holds=HOLDS_FROM, strained=FAILS_BELOW),
        statistic=breakdown,
        threshold=HOLDS_FROM,
        table=table,
        reference=REFERENCE,
        facts={
            "breakdown": breakdown,
            "bend": min(breakdown_smoothness(study, most=abs(study.effect)), abs(study.effect)),
            "low": float(one["conf_low"]),
            "high": float(one["conf_high"]),
            "n": study.n_pre,
            "month": month,
            "unit": design.outcomes.unit,
        },
    )


def intervals(study: EventStudy) -> pd.DataFrame:
    """Intervals at 95 % by how far trends may depart from parallel.

    Returns
    -------
    DataFrame
        ``set`` (``relative_magnitudes``: departure in moves before the start; ``smoothness``: in the
        outcome's unit, change of slope per period), ``departure, conf_low, conf_high``.
    """
    bends = np.array(BENDS) * study.std_error
    told = {
        "relative_magnitudes": relative_magnitudes(study, np.array(MAGNITUDES)),
        "smoothness": smooth_fixed_length(study, bends),
    }
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "set": name,
                    "departure": found.departure,
                    "conf_low": found.low,
                    "conf_high": found.high,
                }
            )
            for name, found in told.items()
        ],
        ignore_index=True,
    )
