"""Do spillovers look alike whatever the share?

Where they do not, the pooled regression that papers print is no average of them, and effects are to be read
share by share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_least
from whatworks.evidence.on_shares import assigned_of, joint, primary_month, read, regression
from whatworks.evidence.record import Finding

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
REFERENCE: Final = (
    "Baird, Bohren, McIntosh & Özler (2018), doi:10.1162/REST_a_00716; "
    "Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004"
)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Hotelling's test, by CR2, that spillovers are one over shares.

    Returns
    -------
    Finding or None
        The p-value; its table holds ``group, estimate, std_error, p_value`` of each share. None with
        fewer than two shares that leave someone untreated.
    """
    assigned = assigned_of(design, estimates)
    if assigned is None:
        return None
    found = regression(assigned, primary_month(design))
    if found is None:
        return None
    exposures = found.exposures
    groups = [
        group
        for term, group in zip(exposures.terms, exposures.groups, strict=True)
        if term == "spillover" and group != "all"
    ]
    if len(groups) < 2:
        return None
    forms = np.array([found.form("spillover", group) for group in groups])
    p_value = joint(found, forms[1:] - forms[0])
    each = read(found, forms)
    return Finding(
        check="equal_spillovers",
        verdict=at_least(p_value, holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=p_value,
        threshold=FAILS_BELOW,
        facts={"n": len(groups), "p_value": p_value},
        table=pd.DataFrame(
            {
                "group": groups,
                "estimate": each.estimate,
                "std_error": each.std_error,
                "p_value": each.p_value,
            }
        ),
        reference=REFERENCE,
    )
