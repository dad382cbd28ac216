"""From what a comparison chose to the units of a design, with the ledger of who was left."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.ledger import Ledger
from whatworks.vocabulary import (
    COMPARISON_UNIT,
    ENTRY_MONTH,
    MARKET,
    PERSON,
    SATURATION,
    STRATUM,
    TREATED,
    TREATED_UNIT,
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
    frame = pd.DataFrame(
        {
            UNIT: np.arange(n),
            PERSON: person,
            TREATED: candidates.treated,
            ENTRY_MONTH: candidates.cell,
            WEIGHT: candidates.weight.astype(float),
            STRATUM: pd.Series(absent if stratum is None else stratum, dtype=object),
            MARKET: pd.Series(absent if market is None else market, dtype=object),
            SATURATION: np.nan if saturation is None else saturation,
        }
    )
    values = pd.DataFrame(candidates.covariates, columns=list(candidates.names))
    return pd.concat([frame, values], axis=1)


def chosen_rows(chosen: Chosen) -> Ints:
    """Positions of candidates that take part, treated and comparisons, in their order."""
    return np.unique(np.concatenate([chosen.treated, chosen.comparison]))


def keep_chosen(
    candidates: Candidates,
    chosen: Chosen,
    ledger: Ledger,
    *,
    person: Ints,
    market: NDArray[np.object_] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, Ledger]:
    """Units that take part, their matches, and the ledger of those that do not.

    The weight of a comparison is what it stands for: the sum of its parts of its treated units'
    weights.
    """
    rows = chosen_rows(chosen)
    part_of = restrict(candidates, rows)
    units = frame_of_units(
        part_of, person=person[rows], market=None if market is None else market[rows]
    )
    place = np.full(candidates.treated.size, -1, dtype=np.int64)
    place[rows] = np.arange(rows.size)
    matches = pd.DataFrame(
        {
            TREATED_UNIT: place[chosen.treated],
            COMPARISON_UNIT: place[chosen.comparison],
            WEIGHT: chosen.part,
        }
    )
    stands_for = np.bincount(
        matches[COMPARISON_UNIT],
        minlength=rows.size,
        weights=part_of.weight[matches[TREATED_UNIT]] * chosen.part,
    )
    units[WEIGHT] = np.where(part_of.treated, part_of.weight, stands_for)
    n_treated, n_kept = int(candidates.treated.sum()), int(part_of.treated.sum())
    n_others, n_used = candidates.treated.size - n_treated, rows.size - n_kept
    ledger = ledger.add(
        "design", "matched_treated", unit="units", before=n_treated, dropped=chosen.dropped
    ).add(
        "design",
        "matched_comparison",
        unit="units",
        before=n_others,
        dropped={"not_chosen": n_others - n_used},
    )
    return units, matches, ledger


def restrict(candidates: Candidates, rows: Ints) -> Candidates:
    """Candidates at some positions."""
    return Candidates(
        treated=candidates.treated[rows],
        cell=candidates.cell[rows],
        covariates=candidates.covariates[rows],
        names=candidates.names,
        weight=candidates.weight[rows],
    )
