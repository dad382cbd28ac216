"""Would two-way fixed effects have said the same? Shown beside the robust estimate, never alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.estimate.rollouts import Rollout
from whatworks.estimate.two_way import LaidOut, static
from whatworks.evidence.record import Finding
from whatworks.stats.did.bacon import Decomposition
from whatworks.stats.did.negative_weights import TwoWayWeights
from whatworks.vocabulary import Supply, Verdict

HOLDS_BELOW: Final = 1.0
REFERENCE: Final = (
    "Goodman-Bacon (2021), doi:10.1016/j.jeconom.2021.03.014; "
    "de Chaisemartin & D'Haultfœuille (2020), doi:10.1257/aer.20181169"
)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Two-way estimate less the mean effect after the start, in standard errors of the former.

    The table holds what the two-way estimate averages: the comparisons of two groups, or, on a panel with
    gaps, the weights of cohorts and periods.
    """
    if Supply.ROLLOUT not in design.supplies:
        return None
    robust = _after_the_start(estimates[0])
    by_market = estimates[0].options.get("cluster") == "market"
    rollout = Rollout.of(design, cluster="market" if by_market else "person", gaps="keep")
    laid = LaidOut.of(rollout)
    coefficient, error = static(rollout, laid)
    difference = coefficient - robust
    statistic = abs(difference) / error if error > 0 else float("nan")
    if np.isnan(statistic):
        verdict = Verdict.NOT_TESTABLE
    else:
        verdict = Verdict.HOLDS if statistic <= HOLDS_BELOW else Verdict.STRAINED
    weights = laid.weights(rollout)
    return Finding(
        check="twoway",
        verdict=verdict,
        statistic=statistic,
        threshold=HOLDS_BELOW,
        reference=REFERENCE,
        facts={
            "difference": difference,
            "unit": design.outcomes.unit,
            "n": weights.n_negative,
            "counted": weights.weight.size,
            "share": -weights.sum_negative,
        },
        table=_table(weights, laid.decomposition(rollout)),
    )


def _after_the_start(primary: Estimate) -> float:
    """Mean effect of the primary estimate from the start on, by the treated of each month."""
    effects = primary.effects
    after = effects[
        (effects["cohort"] == -1)
        & (effects["group"] == "all")
        & (effects["term"] == primary.term)
        & (effects["month"] >= 0)
        & effects["estimate"].notna()
    ]
    if after.empty:
        return float("nan")
    return float(np.average(after["estimate"], weights=after["n_treated"]))


def _table(weights: TwoWayWeights, parts: Decomposition | None) -> pd.DataFrame:
    """Comparisons of two groups with their weight, or the weights of cohorts and periods."""
    if parts is None:
        return pd.DataFrame(
            {"cohort": weights.cohort, "period": weights.period, "weight": weights.weight}
        )
    return pd.DataFrame(
        {
            "treated": parts.treated,
            "comparison": parts.comparison,
            "against": parts.against,
            "estimate": parts.estimate,
            "weight": parts.weight,
        }
    )
