"""Is there an effect before there can be one?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_least
from whatworks.evidence.leads import territories
from whatworks.evidence.record import Finding
from whatworks.stats.did.wald import joint_test
from whatworks.stats.intervals import wald
from whatworks.vocabulary import DesignClass, Verdict

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
REFERENCE: Final = "Imbens & Rubin (2015), ch. 21"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Difference over the question's placebo months, with the estimate's own uncertainty.

    Matched designs: the mean over the window. Differences in differences: every month jointly.

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
        return _untestable()
    months = effects["month"].to_numpy()[usable.to_numpy()]
    weights = _weights(effects, usable.to_numpy(), window, accumulates=design.outcomes.accumulates)
    if weights is None:
        return _untestable()
    estimate = float(weights[0] @ np.nan_to_num(effects["estimate"].to_numpy()))
    matrix = primary.uncertainty.combine(weights).covariance()
    joint = design.design_class is DesignClass.PANEL_DIFFERENCE
    p_value = (
        _joint_p_value(primary, usable.to_numpy())
        if joint
        else float(wald(estimate, np.sqrt(matrix[0, 0])).p_value)
    )
    if np.isnan(p_value):
        return _untestable()
    return Finding(
        check="placebo",
        verdict=at_least(p_value, holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=p_value,
        threshold=FAILS_BELOW,
        reference=REFERENCE,
        facts={
            "first": int(months.min()),
            "last": int(months.max()),
            "n": int(months.size),
            "estimate": estimate,
            "p_value": p_value,
            "unit": design.outcomes.unit,
        },
    )


def _untestable() -> Finding:
    return Finding(
        check="placebo",
        verdict=Verdict.NOT_TESTABLE,
        statistic=float("nan"),
        threshold=FAILS_BELOW,
        reference=REFERENCE,
    )


def _weights(
    effects: pd.DataFrame,
    usable: Bools,
    window: tuple[int, int] | None,
    *,
    accumulates: bool,
) -> Floats | None:
    """What is read off the effects: their mean over the window.

    An accumulated outcome at −k sums the months from −k to entry: the window's own months are its
    first value less the value at the month after the window.
    """
    weights = np.zeros((1, len(effects)))
    rows = np.flatnonzero(usable)
    if not accumulates:
        weights[0, rows] = 1 / rows.size
        return weights
    month = effects["month"].to_numpy()
    first = rows[month[rows].argmin()]
    weights[0, first] = 1.0
    after = -1 if window is None else window[1] + 1
    if window is None or after >= 0:
        return weights
    overall = (effects["cohort"] == -1) & (effects["month"] == after)
    if not overall.any():
        return None
    weights[0, int(np.flatnonzero(overall.to_numpy())[0])] -= 1.0
    return weights


def _joint_p_value(estimate: Estimate, rows: Bools) -> float:
    """Test that every month's effect is nil; with few territories, by Hotelling's law."""
    chosen = np.flatnonzero(rows)
    weights = np.zeros((chosen.size, len(estimate.effects)))
    weights[np.arange(chosen.size), chosen] = 1.0
    return joint_test(
        estimate.effects["estimate"].to_numpy()[chosen],
        estimate.uncertainty.combine(weights).covariance(),
        df=(territories(estimate) or np.inf) - 1,
        reduced=True,
    ).p_value
