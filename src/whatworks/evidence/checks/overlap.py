"""Does everyone the effect is about have someone alike to be compared with?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

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
    if not design.supplies & {Supply.WEIGHTS, Supply.MATCHES}:
        return None
    arms = design.arms().set_index("arm")
    n_before, n_units, effective_size = (
        arms[name].astype(float).to_dict() for name in ("n_before", "n_units", "effective_size")
    )
    sought = _SOUGHT.get(Estimand(design.question.estimand), _BOTH)
    lost = design.population.left_out.drop_duplicates("arm").set_index("arm")["n_left_out"]
    asked = sum(n_before[arm] for arm in sought)
    share = 1 - sum(float(lost.get(arm, 0)) for arm in sought) / asked
    carrying = [arm for arm in _BOTH if arm not in sought] or _BOTH
    effective = min(effective_size[arm] for arm in carrying)
    # Comparisons are held against those they stand for; two arms that both stand for all, against
    # their own size.
    beside = min(n_units[arm] for arm in (sought if carrying != _BOTH else _BOTH))
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
            "n_treated": int(n_units["treated"]),
        },
    )
