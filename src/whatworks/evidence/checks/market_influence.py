"""Does one market make the spillover?

The average spillover without each market in turn, strata and covariates fitted again. A market of fewer than
eleven persons is never left out alone: the difference would speak of them. No order among markets is meant
or shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_most
from whatworks.evidence.on_shares import assigned_of, primary_month, regression
from whatworks.evidence.record import Finding
from whatworks.stats.clusters.covariance import cluster_robust
from whatworks.stats.intervals import wald
from whatworks.vocabulary import Verdict

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_MARKETS: Final = 6
SMALLEST: Final = 11
HOLDS_BELOW: Final = 1.0
FAILS_ABOVE: Final = 2.0
"""Moves of the spillover by one market, in standard errors of what the others tell."""
MOST_SHOWN: Final = 20
"""Markets in the table: those without which the spillover moves most, by name."""
REFERENCE: Final = (
    "Miller (1974), doi:10.1093/biomet/61.1.1 (the jackknife); "
    "MacKinnon, Nielsen & Webb (2023), doi:10.1002/jae.2969"
)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Range of the average spillover without each market, and whether its reading stands.

    Returns
    -------
    Finding or None
        The largest move, in standard errors of what the others tell; its table holds ``market,
        estimate, conf_low, conf_high``, intervals being as wide as that of all markets. None with
        fewer than six markets of eleven persons or more.
    """
    assigned = assigned_of(design, estimates)
    if assigned is None:
        return None
    found = regression(assigned, primary_month(design))
    form = None if found is None else found.form("spillover", "all")
    if found is None or form is None:
        return None
    rows = np.unique(assigned.market[found.rows])
    without = found.without(form)
    shown = (np.bincount(assigned.market)[rows] >= SMALLEST) & np.isfinite(without)
    told = cluster_robust(found.blocks, kind="CR1S", contrasts=form)
    point, error = float(told.estimate[0]), float(told.std_error[0])
    if shown.sum() < FEWEST_MARKETS or not error > 0:
        return None
    df = float(rows.size - 1)
    whole = wald(point, error, df=df)
    each = wald(without[shown], np.full(int(shown.sum()), error), df=df)
    names = assigned.names[rows][shown].astype(str)
    table = pd.DataFrame(
        {
            "market": names,
            "estimate": without[shown],
            "conf_low": each.low,
            "conf_high": each.high,
        }
    )
    moved = np.abs(without[shown] - point)
    rest = _of_others(found.influence(form), assigned.stratum[rows])[shown]
    furthest = float(np.nanmax(np.where(rest > 0, moved / np.where(rest > 0, rest, 1.0), np.nan)))
    most = np.sort(np.argsort(-moved, kind="stable")[:MOST_SHOWN])
    return Finding(
        check="market_influence",
        verdict=_verdict(float(whole.low), float(whole.high), table, furthest),
        statistic=furthest,
        threshold=HOLDS_BELOW,
        table=table.iloc[most].sort_values("market").reset_index(drop=True),
        reference=REFERENCE,
        facts={
            "n": len(table),
            "out_of": int(rows.size),
            "low": float(table["estimate"].min()),
            "high": float(table["estimate"].max()),
            "unit": design.outcomes.unit,
        },
    )


def _of_others(influence: Floats, stratum: Ints) -> Floats:
    """Standard error without each market: of other strata, whose means it has no part in, where there are."""
    block = np.unique(stratum, return_inverse=True)[1]
    n = int(block.max()) + 1
    squared = influence**2
    own = np.bincount(block, weights=squared)[block] if n > 1 else squared
    scale = n / (n - 1) if n > 1 else 1.0
    return np.asarray(np.sqrt(scale * np.maximum(squared.sum() - own, 0.0)))


def _verdict(low: float, high: float, table: pd.DataFrame, moved: float) -> Verdict:
    """Holds when no market changes what is read, nor moves it by more than a standard error."""
    verdict = at_most(moved, holds=HOLDS_BELOW, strained=FAILS_ABOVE)
    sign = np.sign(low) if low > 0 or high < 0 else 0.0
    read = np.where(table["conf_low"] > 0, 1.0, np.where(table["conf_high"] < 0, -1.0, 0.0))
    stands = bool((read == sign).all())
    return Verdict.STRAINED if verdict is Verdict.HOLDS and not stands else verdict
