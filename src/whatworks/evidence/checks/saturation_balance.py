"""Were people alike, before, across arms and shares?

With errors as the draw makes them: by market, within strata. Errors by person, as for a draw of persons, find
differences that chance between markets explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_least
from whatworks.evidence.on_shares import assigned_of, joint, primary_month, regression
from whatworks.evidence.record import Finding
from whatworks.vocabulary import Verdict

FAILS_BELOW: Final = 0.01
STRAINED_BELOW: Final = 0.05
REFERENCE: Final = (
    "Bruhn & McKenzie (2009), doi:10.1257/app.1.4.200; "
    "Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004"
)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """For each covariate, Hotelling's test that own assignment and a positive share tell nothing of it.

    Returns
    -------
    Finding or None
        The smallest p-value, corrected for their number (Holm); its table holds ``covariate, assigned,
        exposed, p_value, p_adjusted``, the two gaps in the covariate's unit. None without covariates.
    """
    assigned = assigned_of(design, estimates)
    if assigned is None or not design.covariates:
        return None
    rows = []
    month = primary_month(design)
    for k, name in enumerate(design.covariates):
        found = regression(assigned, month, group="pooled", outcome=assigned.covariates[:, k])
        forms = [
            None if found is None else found.form(t, "pooled") for t in ("direct", "spillover")
        ]
        if found is None or any(form is None for form in forms):
            continue
        both = np.array(forms)
        p_value = joint(found, both)
        if np.isfinite(p_value):
            gaps = both @ found.blocks.beta
            rows.append((name, float(gaps[0]), float(gaps[1]), p_value))
    table = pd.DataFrame(rows, columns=["covariate", "assigned", "exposed", "p_value"])
    if table.empty:
        return Finding(
            check="saturation_balance",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=FAILS_BELOW,
            reference=REFERENCE,
        )
    table["p_adjusted"] = multipletests(table["p_value"], method="holm")[1]
    worst = int(table["p_adjusted"].to_numpy().argmin())
    smallest = float(table["p_adjusted"].iloc[worst])
    return Finding(
        check="saturation_balance",
        verdict=at_least(smallest, holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=smallest,
        threshold=FAILS_BELOW,
        table=table,
        reference=REFERENCE,
        facts={
            "covariate": str(table["covariate"].iloc[worst]),
            "n": len(table),
            "p_adjusted": smallest,
        },
    )
