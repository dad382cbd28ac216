"""Does one territory make the effect?

The estimate's own method is fitted again without each territory in turn. A territory of fewer than
eleven persons is never left out alone: the difference would speak of them. No order among territories
is meant or shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.evidence.refitting import fitted, method_of, of_units
from whatworks.vocabulary import MARKET, PERSON, Supply, Verdict

MOST_TERRITORIES: Final = 20
MOST_VALUES: Final = 5e7
"""Outcomes read again over all fits. Beyond either, the largest territories are tried: no other moves
an average as much."""
FEWEST_TERRITORIES: Final = 3
SMALLEST: Final = 11
REFERENCE: Final = "Miller (1974), doi:10.1093/biomet/61.1.1 (the jackknife)"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Range of the primary effect without each territory, and whether its sign and reading stand."""
    primary, month = estimates[0], design.question.primary
    if not {Supply.MARKETS, Supply.ROLLOUT} <= design.supplies or not primary.reads(month):
        return None
    estimator = method_of(primary)
    market = design.units[MARKET].to_numpy()
    chosen = _chosen(design)
    if estimator is None or len(chosen) < FEWEST_TERRITORIES:
        return None
    rows = []
    for name in chosen:
        found = fitted(estimator, of_units(design, market != name), rng)
        if found is not None and found.reads(month):
            row = found.at(month)
            rows.append(
                (str(name), *(float(row[k]) for k in ("estimate", "conf_low", "conf_high")))
            )
    table = pd.DataFrame(rows, columns=["market", "estimate", "conf_low", "conf_high"])
    whole = primary.at(month)
    if len(table) < FEWEST_TERRITORIES or np.isnan(float(whole["std_error"])):
        return None
    low, high = float(table["estimate"].min()), float(table["estimate"].max())
    shift = max(abs(low - float(whole["estimate"])), abs(high - float(whole["estimate"])))
    return Finding(
        check="territories",
        verdict=_verdict(float(whole["conf_low"]), float(whole["conf_high"]), table),
        statistic=shift / float(whole["std_error"]),
        threshold=float("nan"),
        table=table,
        reference=REFERENCE,
        facts={
            "n": len(table),
            "out_of": int(np.unique(market).size),
            "low": low,
            "high": high,
            "month": month,
            "unit": design.outcomes.unit,
        },
    )


def _verdict(low: float, high: float, table: pd.DataFrame) -> Verdict:
    """Holds when no territory changes what is read; fails when one changes the sign of a clear effect."""
    sign = np.sign(low) if low > 0 or high < 0 else 0.0
    read = np.where(table["conf_low"] > 0, 1.0, np.where(table["conf_high"] < 0, -1.0, 0.0))
    if (read == sign).all():
        return Verdict.HOLDS
    turned = bool(sign) and bool((np.sign(table["estimate"]) == -sign).any())
    return Verdict.FAILS if turned else Verdict.STRAINED


def _chosen(design: Design) -> list[object]:
    """Territories to leave out, by name: those large enough, or the largest of them."""
    persons = design.units.groupby(MARKET, sort=True)[PERSON].nunique()
    most = int(min(MOST_TERRITORIES, MOST_VALUES // max(design.outcomes.values.size, 1)))
    large = persons[persons >= SMALLEST].sort_values(ascending=False, kind="stable").index[:most]
    return [name for name in persons.index if name in set(large)]
