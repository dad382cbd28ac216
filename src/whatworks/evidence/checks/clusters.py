"""Are there enough independent units for the standard errors to mean something?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_least
from whatworks.evidence.record import Finding
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import MARKET, PERSON, SATURATION, TREATED, Supply

HOLDS_FROM: Final = 40
FAILS_BELOW: Final = 20
REFERENCE: Final = "Cameron & Miller (2015), doi:10.3368/jhr.50.2.317"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Persons (or markets) of the smaller arm: a few treated decide, however many are compared."""
    uncertainty = estimates[0].uncertainty
    level = uncertainty.level if isinstance(uncertainty, Influence) else "person"
    label = design.units[PERSON if level == "person" else MARKET]
    treated = design.units[TREATED].to_numpy()
    if Supply.SATURATION in design.supplies and level == "market":
        treated = design.units[SATURATION].to_numpy() > 0
    n = min(int(label[treated].nunique()), int(label[~treated].nunique()))
    return Finding(
        check="clusters",
        verdict=at_least(n, holds=HOLDS_FROM, strained=FAILS_BELOW),
        statistic=float(n),
        threshold=float(HOLDS_FROM),
        reference=REFERENCE,
        facts={"n": n},
    )
