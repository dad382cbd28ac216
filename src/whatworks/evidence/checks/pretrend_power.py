"""Could the test before the start have seen a difference in trends that matters?

A test that passes says little where it is weak, and those who pass it are not those without bias: the
bias left among them can be larger. The trend is the straight one that the joint test of all periods
before the start misses half the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_most
from whatworks.evidence.leads import event_study
from whatworks.evidence.record import Finding
from whatworks.stats.did.pretest import detectable_slope, pretest
from whatworks.vocabulary import DesignClass, Verdict

HOLDS_BELOW: Final = 0.5
"""Bias of the missed trend over the effect found: our convention, half of it. The check never fails:
that a test is weak is no sign that trends differ."""
POWERS: Final = (0.5, 0.8)
REFERENCE: Final = "Roth (2022), doi:10.1257/aeri.20210236"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Bias that a trend missed half the time leaves at the primary month, over the effect found."""
    if design.design_class is not DesignClass.PANEL_DIFFERENCE:
        return None
    month = design.question.primary
    study = event_study(estimates[0], month)
    before = (
        study.covariance[: study.n_pre, : study.n_pre] if study is not None else np.zeros((1, 1))
    )
    if study is None or np.linalg.matrix_rank(before, hermitian=True) < study.n_pre:
        return Finding(
            check="pretrend_power",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=HOLDS_BELOW,
            reference=REFERENCE,
        )
    rows = []
    for power in POWERS:
        slope = detectable_slope(study.times[: study.n_pre], before, power=power, test="joint")
        seen = pretest(slope * study.times, study.covariance, n_pre=study.n_pre, test="joint")
        rows.append((power, slope, slope * study.times[-1], seen.passing[-1]))
    table = pd.DataFrame(rows, columns=["power", "slope", "bias", "bias_if_passed"])
    slope, bias = (float(table[name].iloc[0]) for name in ("slope", "bias_if_passed"))
    share = abs(bias / study.effect) if study.effect else float("inf")
    graded = at_most(share, holds=HOLDS_BELOW, strained=np.inf)
    return Finding(
        check="pretrend_power",
        verdict=graded,
        statistic=share,
        threshold=HOLDS_BELOW,
        table=table,
        reference=REFERENCE,
        facts={
            "n": study.n_pre,
            "slope": slope,
            "bias": abs(bias),
            "estimate": study.effect,
            "month": month,
            "unit": design.outcomes.unit,
        },
    )
