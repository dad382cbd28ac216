"""From what a comparison chose to the units of a design, with the ledger of who was left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.ledger import Ledger
from whatworks.stats.fitted import FittedScore
from whatworks.vocabulary import (
    ENTRY_MONTH,
    MARKET,
    MATCH,
    MATCHED_SET,
    PERSON,
    PROPENSITY,
    SAMPLING,
    SATURATION,
    STRATUM,
    TREATED,
    UNIT,
    WEIGHT,
)

Ints = NDArray[np.int64]


def frame_of_units(
    candidates: Candidates,
    *,
    person: Ints,
    market: NDArray[np.object_] | None = None,
    stratum: NDArray[np.object_] | None = None,
    saturation: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """Units table of all candidates, in their order; no outcome column."""
    n = candidates.treated.size
    absent = np.full(n, None, dtype=object)
    # Columns stay the arrays they are: joining them into one block would hold all of them twice.
    return pd.DataFrame(
        {
            UNIT: np.arange(n),
            PERSON: person,
            TREATED: candidates.treated,
            ENTRY_MONTH: candidates.cell,
            WEIGHT: candidates.weight.astype(float),
            SAMPLING: candidates.weight.astype(float),
            MATCHED_SET: np.full(n, -1, dtype=np.int64),
            PROPENSITY: np.full(n, np.nan),
            STRATUM: pd.Series(absent if stratum is None else stratum, dtype=object),
            MARKET: pd.Series(absent if market is None else market, dtype=object),
            SATURATION: np.nan if saturation is None else saturation,
            **dict(zip(candidates.names, candidates.covariates.T, strict=True)),
        },
        copy=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What of the candidates takes part.

    Parameters
    ----------
    units : DataFrame
    matches : DataFrame or None
        ``unit_id, match_id, weight``.
    fitted : tuple of FittedScore
        Rows as the units.
    rows : ndarray of int
        Position of each unit among the candidates.
    ledger : Ledger
    """

    units: pd.DataFrame
    matches: pd.DataFrame | None
    fitted: tuple[FittedScore, ...]
    rows: Ints
    ledger: Ledger


def keep_chosen(
    candidates: Candidates,
    chosen: Chosen,
    ledger: Ledger,
    *,
    person: Ints,
    market: NDArray[np.object_] | None = None,
) -> Kept:
    """Units that take part, their matches, and the ledger of those that do not."""
    rows = np.flatnonzero(chosen.weight > 0)
    units = frame_of_units(
        restrict(candidates, rows),
        person=person[rows],
        market=None if market is None else market[rows],
    )
    units[WEIGHT] = chosen.weight[rows]
    if chosen.matched_set is not None:
        units[MATCHED_SET] = chosen.matched_set[rows]
    if chosen.propensity is not None:
        units[PROPENSITY] = chosen.propensity[rows]
    place = np.full(candidates.treated.size, -1, dtype=np.int64)
    place[rows] = np.arange(rows.size)
    matches = None
    if chosen.matches is not None:
        matches = pd.DataFrame(
            {
                UNIT: place[chosen.matches.unit],
                MATCH: place[chosen.matches.match],
                WEIGHT: chosen.matches.part,
            }
        )
    for step, arm in (
        ("matched_treated", candidates.treated),
        ("matched_comparison", ~candidates.treated),
    ):
        dropped = _dropped(chosen, arm & (chosen.weight == 0))
        ledger = ledger.add("design", step, unit="units", before=int(arm.sum()), dropped=dropped)
    return Kept(
        units=units,
        matches=matches,
        fitted=tuple(f.take(rows) for f in chosen.fitted),
        rows=rows,
        ledger=ledger,
    )


def _dropped(chosen: Chosen, out: NDArray[np.bool_]) -> Mapping[str, int]:
    """Units of one arm that take no part, by reason."""
    counts = {reason: int((out & mask).sum()) for reason, mask in chosen.lost.items()}
    counts["not_chosen"] = int(out.sum()) - sum(counts.values())
    return {reason: n for reason, n in counts.items() if n}


def restrict(candidates: Candidates, rows: Ints) -> Candidates:
    """Candidates at some positions."""
    return replace(
        candidates,
        treated=candidates.treated[rows],
        cell=candidates.cell[rows],
        covariates=candidates.covariates[rows],
        weight=candidates.weight[rows],
    )
