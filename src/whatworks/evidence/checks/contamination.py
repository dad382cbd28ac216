"""Did the effect reach those it is compared with?

Read where a spillover-aware difference in differences is among the estimates. For another primary estimate:
what the same treated would show with the exposed taken for a comparison, less what they show against clean
units. For a spillover-aware one: what is left in one more ring, outside the outermost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.estimate.rings.terms import CONTAMINATION, POOLED
from whatworks.evidence.grading import at_least
from whatworks.evidence.record import Finding

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
REFERENCE: Final = "Butts (2021), arXiv:2105.03737; Clarke (2017), doi:10.2139/ssrn.3052197"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """p-value of what reached those taken for a comparison; not testable where nobody is there to see it.

    The table holds effects for each number of rings kept: nothing is chosen among them.
    """
    aware = next((e for e in estimates if CONTAMINATION in set(e.effects["term"])), None)
    if aware is None:
        return None
    primary = estimates[0] is aware
    reached, p_value = _beyond(aware) if primary else _contaminated(aware)
    return Finding(
        check="contamination",
        verdict=at_least(p_value, holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=p_value,
        threshold=FAILS_BELOW,
        reference=REFERENCE,
        facts={
            "difference": reached,
            "p_value": p_value,
            "unit": design.outcomes.unit,
        },
        table=aware.extras["widths"],
    )


def _contaminated(aware: Estimate) -> tuple[float, float]:
    """Over all periods since the start: without rings less with them, and its p-value."""
    rows = aware.effects
    here = rows[(rows["term"] == CONTAMINATION) & (rows["group"] == POOLED)]
    return float(here["estimate"].iloc[0]), float(here["p_value"].iloc[0])


def _beyond(aware: Estimate) -> tuple[float, float]:
    """Effect outside the outermost ring, and its p-value; NaN where nobody is there."""
    table: pd.DataFrame = aware.extras["beyond"]
    found = table[["estimate", "p_value"]].to_numpy(dtype=float)[0]
    return float(found[0]), float(found[1]) if np.isfinite(found[0]) else float("nan")
