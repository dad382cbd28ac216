"""Does the same method find an effect of starts that had not happened yet?

Periods from the first true start on are set aside; every start is moved some periods earlier, and the
estimate's own method, with its own options, is fitted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from whatworks.design.record import Design
from whatworks.estimate.protocol import Estimator
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_least
from whatworks.evidence.leads import known
from whatworks.evidence.record import Finding
from whatworks.evidence.refitting import before, fitted, method_of
from whatworks.stats.intervals import wald
from whatworks.vocabulary import ENTRY_MONTH, NEVER, Supply, Verdict

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
MOST_DATES: Final = 3
"""False starts tried: each costs a fit."""
REFERENCE: Final = (
    "Imbens & Rubin (2015), ch. 21; Eggers, Tuñón & Dafoe (2024), doi:10.1111/ajps.12818"
)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Smallest p-value over false starts, corrected for their number."""
    if Supply.ROLLOUT not in design.supplies:
        return None
    estimator = method_of(estimates[0])
    rows = []
    if estimator is not None:
        for shift in shifts(design):
            found = _false_start(design, estimator, shift, rng)
            if found is not None:
                rows.append((shift, *found))
    if not rows:
        return Finding(
            check="placebo_dates",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=FAILS_BELOW,
            reference=REFERENCE,
        )
    table = pd.DataFrame(rows, columns=["shift", "estimate", "std_error", "p_value"])
    table["p_adjusted"] = multipletests(table["p_value"], method="holm")[1]
    worst = table.iloc[int(table["p_adjusted"].to_numpy().argmin())]
    return Finding(
        check="placebo_dates",
        verdict=at_least(float(worst["p_adjusted"]), holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=float(worst["p_adjusted"]),
        threshold=FAILS_BELOW,
        table=table,
        reference=REFERENCE,
        facts={
            "draws": len(table),
            "estimate": float(worst["estimate"]),
            "p_adjusted": float(worst["p_adjusted"]),
            "unit": design.outcomes.unit,
        },
    )


def shifts(design: Design) -> list[int]:
    """By how much starts are moved: spread over the periods before the first of them."""
    start = design.units[ENTRY_MONTH].to_numpy()
    first = int(start.min())
    periods = np.array(design.outcomes.months)
    early = periods[periods < first][1:]  # one period at least remains before the false start
    places = np.unique(np.linspace(0, early.size - 1, min(MOST_DATES + 2, early.size)).round())
    inner = places[1:-1] if places.size > MOST_DATES else places
    return [first - int(early[int(k)]) for k in inner]


def _false_start(
    design: Design, estimator: Estimator, shift: int, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Mean effect of a start moved earlier, its error and p-value."""
    start: NDArray[np.int64] = design.units[ENTRY_MONTH].to_numpy()
    moved = np.where(start == NEVER, NEVER, start - shift).astype(np.int64)
    estimate = fitted(estimator, before(design, int(start.min()), start=moved), rng)
    if estimate is None:
        return None
    rows, months = known(estimate)
    rows = rows[months >= 0]
    if not rows.size:
        return None
    weights = np.zeros((1, len(estimate.effects)))
    weights[0, rows] = 1 / rows.size
    point = float(weights[0] @ np.nan_to_num(estimate.effects["estimate"].to_numpy()))
    error = float(np.sqrt(estimate.uncertainty.combine(weights).covariance()[0, 0]))
    p_value = float(wald(point, error).p_value)
    return None if np.isnan(p_value) else (point, error, p_value)
