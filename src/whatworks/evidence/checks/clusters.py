"""Are there enough independent units, and which inference do they allow?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.estimate.few.clusters import FEW_CLUSTERS, FewClusters, few_clusters
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_least
from whatworks.evidence.record import Finding
from whatworks.stats.clusters.rules import Clusters
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import MARKET, PERSON, SATURATION, TREATED, Supply, Verdict

HOLDS_FROM: Final = 40
FAILS_BELOW: Final = 20
SHARED: Final = ("total", "direct", "spillover")
"""Terms that the shares of markets decide."""
DRAWS: Final = 1_999
NONE: Final = "none"
"""Word for the inference when no method is legal."""
REFERENCE: Final = (
    "Cameron & Miller (2015), doi:10.3368/jhr.50.2.317; "
    "MacKinnon & Webb (2018), doi:10.1111/ectj.12107"
)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Persons (or markets) of the smaller arm: a few treated decide, however many are compared.

    The table holds the primary effect under every inference, which were legal and which is to be read.
    Where legal ones give p-values more than a factor 2 apart, the answer is strained at best.
    """
    primary = estimates[0]
    found = _inference(design, primary, rng=rng)
    counted = _counted(design, primary) if found is None else found.clusters
    n = counted.smaller
    verdict = at_least(n, holds=HOLDS_FROM, strained=FAILS_BELOW)
    apart = found is not None and Supply.SATURATION in design.supplies and found.disagree
    if apart and verdict is Verdict.HOLDS:
        verdict = Verdict.STRAINED
    return Finding(
        check="clusters",
        verdict=verdict,
        statistic=float(n),
        threshold=float(HOLDS_FROM),
        reference=REFERENCE,
        facts={
            "n": n,
            "clusters": counted.n,
            "treated_clusters": counted.treated,
            "inference": NONE if found is None else found.used or NONE,
        },
        table=None if found is None else found.table,
    )


def _inference(
    design: Design, primary: Estimate, *, rng: np.random.Generator
) -> FewClusters | None:
    """What the estimate brought, or what can be worked out; None for an effect never estimated."""
    brought = primary.extras.get(FEW_CLUSTERS)
    if isinstance(brought, FewClusters):
        return brought
    month = design.question.primary
    if not primary.reads(month):
        return None
    if Supply.SATURATION not in design.supplies:
        return few_clusters(design, primary, month=month, rng=rng)
    of_markets = isinstance(primary.uncertainty, Influence) and primary.uncertainty.level == MARKET
    if primary.term not in SHARED or not of_markets:
        return None
    try:
        return few_clusters(design, primary, month=month, draws=DRAWS, rng=rng)
    except DesignRefused:  # a matched design, or shares that differ within a market
        return None


def _counted(design: Design, primary: Estimate) -> Clusters:
    """Clusters of the design, whatever is read on them."""
    held = primary.uncertainty
    level = held.level if isinstance(held, Influence) else "person"
    label = design.units[PERSON if level == "person" else MARKET]
    treated = design.units[TREATED].to_numpy()
    if Supply.SATURATION in design.supplies and level == "market":
        treated = design.units[SATURATION].to_numpy() > 0
    return Clusters(
        n=int(label.nunique()),
        treated=int(label[treated].nunique()),
        comparison=int(label[~treated].nunique()),
    )
