"""Would the conclusion survive that several horizons were looked at?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from statsmodels.stats.multitest import multipletests

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.vocabulary import Verdict

LEVEL: Final = 0.05
REFERENCE: Final = "Holm (1979), www.jstor.org/stable/4615733"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Holm-adjusted p-values over the question's horizons."""
    effects = estimates[0].effects
    rows = effects[
        (effects["cohort"] == -1)
        & (effects["term"] == estimates[0].term)
        & (effects["group"] == "all")
        & effects["month"].isin(design.question.months)
        & effects["p_value"].notna()
    ]
    if len(rows) < 2:
        return None
    adjusted = multipletests(rows["p_value"].to_numpy(), alpha=LEVEL, method="holm")[1]
    table = rows[["month", "estimate", "p_value"]].assign(p_adjusted=adjusted)
    primary = table[table["month"] == design.question.primary]
    if primary.empty:
        return None
    before, after = float(primary["p_value"].iloc[0]), float(primary["p_adjusted"].iloc[0])
    lost = before < LEVEL <= after
    return Finding(
        check="multiplicity",
        verdict=Verdict.STRAINED if lost else Verdict.HOLDS,
        statistic=after,
        threshold=LEVEL,
        table=table.reset_index(drop=True),
        reference=REFERENCE,
        facts={"n": len(table), "p_adjusted": after},
    )
