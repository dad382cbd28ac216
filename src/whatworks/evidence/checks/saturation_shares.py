"""Is the share of people assigned in the data the share that was drawn?

A survey that took its arms at different rates shows other shares; a market of which one arm was never met
tells half of what it could. Shares are the design's all the same: this says how far the data are from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_most
from whatworks.evidence.on_shares import assigned_of
from whatworks.evidence.record import Finding
from whatworks.vocabulary import Verdict

HOLDS_BELOW: Final = 0.02
FAILS_ABOVE: Final = 0.10
REFERENCE: Final = "Crépon, Duflo, Gurgand, Rathelot & Zamora (2013), doi:10.1093/qje/qjt001"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Largest gap between the share assigned in the data and that of the draw, over shares.

    Returns
    -------
    Finding or None
        Markets of one arm only, at a share between zero and one, are told too, and strain the verdict;
        the table holds ``saturation, n_markets, n_one_armed, share_in_data``.
    """
    assigned = assigned_of(design, estimates)
    if assigned is None:
        return None
    drawn = np.bincount(assigned.market, weights=assigned.treated, minlength=assigned.n_markets)
    size = assigned.size
    rows = []
    for share in np.unique(assigned.share):
        here = assigned.share == share
        alone = here & ((drawn == 0) | (drawn == size)) & (0 < share < 1)
        rows.append(
            (
                float(share),
                int(here.sum()),
                int(alone.sum()),
                float(drawn[here].sum() / size[here].sum()),
            )
        )
    columns = ["saturation", "n_markets", "n_one_armed", "share_in_data"]
    table = pd.DataFrame(rows, columns=columns)
    gap = float((table["share_in_data"] - table["saturation"]).abs().max())
    one_armed = int(table["n_one_armed"].sum())
    verdict = at_most(gap, holds=HOLDS_BELOW, strained=FAILS_ABOVE)
    if one_armed and verdict is Verdict.HOLDS:
        verdict = Verdict.STRAINED
    return Finding(
        check="saturation_shares",
        verdict=verdict,
        statistic=gap,
        threshold=HOLDS_BELOW,
        table=table,
        reference=REFERENCE,
        facts={"share": gap, "n": one_armed, "out_of": assigned.n_markets},
    )
