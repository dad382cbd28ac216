"""Would two-way fixed effects have said the same? Shown beside the robust estimate, never alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from linearmodels.panel import PanelOLS

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.vocabulary import ENTRY_MONTH, Supply, Verdict

HOLDS_BELOW: Final = 1.0
REFERENCE: Final = "Goodman-Bacon (2021), doi:10.1016/j.jeconom.2021.03.014"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Two-way estimate less the mean effect after the start, in standard errors of the former."""
    if Supply.ROLLOUT not in design.supplies:
        return None
    frame = _long(design)
    fit = PanelOLS(
        frame["outcome"], frame[["treated"]], entity_effects=True, time_effects=True
    ).fit(cov_type="clustered", cluster_entity=True)
    effects = estimates[0].effects
    after = effects[(effects["cohort"] == -1) & (effects["month"] >= 0)]
    robust = float(np.average(after["estimate"], weights=after["n_treated"]))
    difference = float(fit.params["treated"]) - robust
    error = float(fit.std_errors["treated"])
    statistic = abs(difference) / error if error > 0 else float("nan")
    if np.isnan(statistic):
        verdict = Verdict.NOT_TESTABLE
    else:
        verdict = Verdict.HOLDS if statistic <= HOLDS_BELOW else Verdict.STRAINED
    return Finding(
        check="twoway",
        verdict=verdict,
        statistic=statistic,
        threshold=HOLDS_BELOW,
        reference=REFERENCE,
        facts={"difference": difference, "unit": design.outcomes.unit},
    )


def _long(design: Design) -> pd.DataFrame:
    """Unit × period, as observed."""
    values, periods = design.outcomes.values, np.array(design.outcomes.months)
    start = design.units[ENTRY_MONTH].to_numpy()
    n, t = values.shape
    frame = pd.DataFrame(
        {
            "person": np.repeat(np.arange(n), t),
            "period": np.tile(periods, n),
            "outcome": values.ravel(),
            "treated": (periods >= start[:, None]).ravel().astype(float),
        }
    ).dropna()
    return frame.set_index(["person", "period"])
