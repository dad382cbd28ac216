"""Does everyone the effect is about have someone alike to be compared with?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.vocabulary import Estimand, Supply, Verdict

HOLDS_FROM: Final = 0.95
FAILS_BELOW: Final = 0.80
THIN: Final = 0.5
"""Effective comparisons per unit compared below which a few persons carry the comparison."""
REFERENCE: Final = "Crump et al. (2009), doi:10.1093/biomet/asn055"
_SOUGHT: Final = {Estimand.ATT: ["treated"], Estimand.ATC: ["comparison"]}
_BOTH: Final = ["treated", "comparison"]


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Share of those sought for that are kept, and how many comparisons that rests on."""
    if Supply.WEIGHTS not in design.supplies:
        return None
    arms = design.arms().set_index("arm")
    sought = _SOUGHT.get(Estimand(design.question.estimand), _BOTH)
    share = float(_kept(design, arms, sought) / arms.loc[sought, "n_before"].sum())
    carried = [arm for arm in _BOTH if arm not in sought] or _BOTH
    effective = float(arms.loc[carried, "effective_size"].min())
    # Where everyone stands for themselves, an arm is thin beside itself.
    beside = arms.loc[sought if carried != _BOTH else carried, "n_units"].min()
    if share < FAILS_BELOW:
        verdict = Verdict.FAILS
    elif share < HOLDS_FROM or effective < THIN * beside:
        verdict = Verdict.STRAINED
    else:
        verdict = Verdict.HOLDS
    return Finding(
        check="overlap",
        verdict=verdict,
        statistic=share,
        threshold=HOLDS_FROM,
        reference=REFERENCE,
        facts={
            "matched_share": share,
            "ess": effective,
            "n_treated": int(arms.loc["treated", "n_units"]),
        },
    )


def _kept(design: Design, arms: pd.DataFrame, sought: list[str]) -> int:
    """Units sought for that take part; one taken as another's comparison alone is not among them."""
    lost = design.population.left_out.drop_duplicates("arm").set_index("arm")["n_left_out"]
    return int(sum(arms.loc[arm, "n_before"] - int(lost.get(arm, 0)) for arm in sought))
