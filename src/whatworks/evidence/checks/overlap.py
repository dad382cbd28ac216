"""Does everyone who entered have someone alike to be compared with?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.stats.balance import effective_size
from whatworks.vocabulary import TREATED, WEIGHT, Verdict

HOLDS_FROM: Final = 0.95
FAILS_BELOW: Final = 0.80
THIN: Final = 0.5
"""Effective comparisons per treated unit below which a few persons carry the comparison."""
REFERENCE: Final = "Crump et al. (2009), doi:10.1093/biomet/asn055"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Share of the treated that found a match, and how many comparisons that rests on."""
    if design.matches is None:
        return None
    treated = design.units[TREATED].to_numpy()
    share = float(treated.sum() / design.population.n_treated)
    effective = effective_size(design.units[WEIGHT].to_numpy()[~treated])
    thin = effective < THIN * treated.sum()
    if share < FAILS_BELOW:
        verdict = Verdict.FAILS
    elif share < HOLDS_FROM or thin:
        verdict = Verdict.STRAINED
    else:
        verdict = Verdict.HOLDS
    return Finding(
        check="overlap",
        verdict=verdict,
        statistic=share,
        threshold=HOLDS_FROM,
        reference=REFERENCE,
        facts={"matched_share": share, "ess": effective, "n_treated": int(treated.sum())},
    )
