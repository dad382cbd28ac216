"""Are there enough independent units for the standard errors to mean something?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import Verdict

HOLDS_FROM: Final = 40
FAILS_BELOW: Final = 20
REFERENCE: Final = "Cameron & Miller (2015), doi:10.3368/jhr.50.2.317"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Clusters that carry the primary estimate."""
    uncertainty = estimates[0].uncertainty
    if isinstance(uncertainty, Influence):
        n = int((uncertainty.values != 0).any(axis=1).sum())
    else:
        n = len(design.units)
    verdict = (
        Verdict.HOLDS
        if n >= HOLDS_FROM
        else Verdict.STRAINED
        if n >= FAILS_BELOW
        else Verdict.FAILS
    )
    return Finding(
        check="clusters",
        verdict=verdict,
        statistic=float(n),
        threshold=float(HOLDS_FROM),
        reference=REFERENCE,
        facts={"n": n},
    )
