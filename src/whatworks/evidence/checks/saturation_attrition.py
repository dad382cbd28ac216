"""Are outcomes lost alike in all arms and at all shares?

What is lost more often where many are assigned is compared with what is not: losses that follow the share
look like spillovers.
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
from whatworks.evidence.on_shares import assigned_of, joint, primary_month, regression
from whatworks.evidence.record import Finding
from whatworks.vocabulary import Verdict

FAILS_BELOW: Final = 0.01
STRAINED_BELOW: Final = 0.05
_LOST: Final = ("missing_outcome", "incomplete_panel")
REFERENCE: Final = (
    "What Works Clearinghouse, attrition standard; "
    "Ghanem, Hirshleifer & Ortiz-Becerra (2023), doi:10.3368/jhr.0221-11483R1"
)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Hotelling's test that losses do not depend on assignment nor on the share.

    Returns
    -------
    Finding or None
        The p-value; its table holds ``arm, saturation, n, share_lost``. None where nothing was lost.
        Not testable where rows were left out of the table before markets could count them.
    """
    assigned = assigned_of(design, estimates)
    if assigned is None:
        return None
    lost = assigned.weight(primary_month(design)) == 0
    if not lost.any():
        return _of_ledger(design)
    table = _cells(assigned, lost)
    month = primary_month(design)
    found = regression(assigned, month, outcome=lost.astype(float))
    p_value = float("nan")
    if found is not None:
        p_value = joint(found, np.eye(found.blocks.k)[: found.exposures.n_columns])
    return Finding(
        check="saturation_attrition",
        verdict=at_least(p_value, holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=p_value,
        threshold=FAILS_BELOW,
        table=table,
        reference=REFERENCE,
        facts={
            "share": float(lost.mean()),
            "share_apart": float(table["share_lost"].max() - table["share_lost"].min()),
            "p_value": p_value,
        },
    )


def _of_ledger(design: Design) -> Finding | None:
    """Nothing to say where nothing was lost; not testable where losses were counted by arm only."""
    gone = sum(n for step in design.ledger.steps for reason, n in step.dropped if reason in _LOST)
    if not gone:
        return None
    return Finding(
        check="saturation_attrition",
        verdict=Verdict.NOT_TESTABLE,
        statistic=float("nan"),
        threshold=FAILS_BELOW,
        reference=REFERENCE,
    )


def _cells(assigned: Assigned, lost: NDArray[np.bool_]) -> pd.DataFrame:
    arm = np.where(assigned.treated, "assigned", "unassigned")
    told = pd.DataFrame(
        {"arm": arm, "saturation": assigned.share[assigned.market], "share_lost": lost}
    )
    cells = told.groupby(["arm", "saturation"], sort=True)["share_lost"].agg(["size", "mean"])
    named = cells.rename(columns={"size": "n", "mean": "share_lost"})
    return named.reset_index()
