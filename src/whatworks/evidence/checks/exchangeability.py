"""Is one's own assignment and the share of the market all that matters?

At one share, how many of one's own peers happen to be assigned varies a little, and who they are varies
more. Neither should move outcomes further: else the share is too coarse a summary of exposure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.estimate.reassigned.two_stage import Assigned
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_least
from whatworks.evidence.on_shares import assigned_of, joint, primary_month, read, regression
from whatworks.evidence.record import Finding
from whatworks.vocabulary import Verdict

Floats = NDArray[np.float64]

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
LEAST_SPREAD: Final = 1e-6
REFERENCE: Final = "Vazquez-Bare (2023), doi:10.1016/j.jeconom.2021.10.014"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Joint test of the share of one's peers assigned, by arm, and of who they are, beside the cells.

    Returns
    -------
    Finding or None
        The p-value by Hotelling's test; its table holds ``exposure, estimate, std_error, p_value``.
    """
    assigned = assigned_of(design, estimates)
    if assigned is None:
        return None
    month = primary_month(design)
    columns = _peers(assigned, month)
    spread = {name: column for name, column in columns.items() if _varies(assigned, column)}
    found = None
    if spread:
        found = regression(assigned, month, further=np.column_stack(list(spread.values())))
    p_value = float("nan") if found is None else joint(found, found.further)
    if found is None or np.isnan(p_value):
        return Finding(
            check="exchangeability",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=FAILS_BELOW,
            reference=REFERENCE,
        )
    each = read(found, found.further)
    return Finding(
        check="exchangeability",
        verdict=at_least(p_value, holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=p_value,
        threshold=FAILS_BELOW,
        facts={"p_value": p_value},
        table=pd.DataFrame(
            {
                "exposure": list(spread),
                "estimate": each.estimate,
                "std_error": each.std_error,
                "p_value": each.p_value,
            }
        ),
        reference=REFERENCE,
    )


def _peers(assigned: Assigned, month: int) -> dict[str, Floats]:
    """Share of each one's peers assigned, by own arm; and how they compare with all peers."""
    treated, size = assigned.treated.astype(float), assigned.size[assigned.market].astype(float)
    drawn = np.bincount(assigned.market, weights=treated)[assigned.market]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(size > 1, (drawn - treated) / (size - 1), 0.0)
    columns = {"peers_of_treated": treated * share, "peers_of_untreated": (1 - treated) * share}
    index = _prognosis(assigned, month)
    if index is not None:
        among = np.bincount(assigned.market, weights=index)[assigned.market]
        theirs = np.bincount(assigned.market, weights=treated * index)[assigned.market]
        others, mine = size - 1, drawn - treated
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = (theirs - treated * index) / mine - (among - index) / others
        columns["who_peers_are"] = np.where((mine > 0) & (others > 0), gap, 0.0)
    return columns


def _prognosis(assigned: Assigned, month: int) -> Floats | None:
    """What covariates say of the outcome, in its own unit."""
    x = assigned.covariates
    if not x.shape[1]:
        return None
    weight = assigned.weight(month)
    y = np.where(weight > 0, assigned.design.outcomes.at(month)[assigned.rows], 0.0)
    columns = np.column_stack([np.ones(y.size), x])
    root = np.sqrt(weight)
    slope = np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)[0]
    return np.asarray(x @ slope[1:])


def _varies(assigned: Assigned, column: Floats) -> bool:
    """Whether it differs among those of one arm and one share."""
    level = np.unique(assigned.share, return_inverse=True)[1][assigned.market]
    cell = 2 * level + assigned.treated
    count = np.maximum(np.bincount(cell), 1)
    apart = column - (np.bincount(cell, weights=column) / count)[cell]
    scale = float(np.abs(column).max())
    return scale > 0 and float(apart.std()) > LEAST_SPREAD * scale
