"""Are the arms alike in what was known before entry?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_most
from whatworks.evidence.record import Finding
from whatworks.vocabulary import Verdict

HOLDS_BELOW: Final = 0.10
FAILS_ABOVE: Final = 0.25
REFERENCE: Final = (
    "Stuart (2010), doi:10.1214/09-STS313; What Works Clearinghouse, baseline equivalence"
)


def balance_table(design: Design) -> pd.DataFrame:
    """Balance of a design before and after choosing, one row per covariate.

    Returns
    -------
    DataFrame
        ``covariate, mean_treated, mean_comparison`` (after), then ``smd``, ``variance_ratio``,
        ``ks`` and ``ecdf_mean``, each ``_before`` and ``_after``.
    """
    known = design.population.balance
    place = {
        key: row for row, key in enumerate(zip(known["covariate"], known["sample"], strict=True))
    }
    before, after = (
        np.array([place[name, sample] for name in design.covariates], dtype=np.int64)
        for sample in ("before", "after")
    )
    columns = {m: known[m].to_numpy()[after] for m in ("mean_treated", "mean_comparison")}
    for measure in ("smd", "variance_ratio", "ks", "ecdf_mean"):
        values = known[measure].to_numpy()
        columns |= {f"{measure}_before": values[before], f"{measure}_after": values[after]}
    return pd.DataFrame({"covariate": list(design.covariates), **columns})


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Largest standardised difference after choosing: below 0.10 holds, above 0.25 fails."""
    if not design.covariates:
        return Finding(
            check="balance",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=HOLDS_BELOW,
            reference=REFERENCE,
        )
    table = balance_table(design)
    size = table["smd_after"].abs()
    # A covariate constant among the treated but not among comparisons has no spread to divide by.
    worst = int(size.fillna(np.inf).to_numpy().argmax())
    value = float(size.fillna(np.inf).iloc[worst])
    return Finding(
        check="balance",
        verdict=at_most(value, holds=HOLDS_BELOW, strained=FAILS_ABOVE),
        statistic=value,
        threshold=HOLDS_BELOW,
        table=table,
        reference=REFERENCE,
        facts={
            "covariate": str(table["covariate"].iloc[worst]),
            "smd": value,
            "n_above": int((size.fillna(np.inf) > HOLDS_BELOW).sum()),
            "n": len(table),
        },
    )
