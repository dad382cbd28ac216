"""Did shares move outcomes before anyone was assigned?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.grading import at_least
from whatworks.evidence.on_shares import assigned_of, joint, read, regression
from whatworks.evidence.record import Finding
from whatworks.vocabulary import Verdict

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
TERMS: Final = ("direct", "spillover", "total")
REFERENCE: Final = "Imbens & Rubin (2015), ch. 21, doi:10.1017/CBO9781139025751"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """The same effects, of the outcome of the last month before entry: jointly nil by Hotelling's test.

    Returns
    -------
    Finding or None
        The p-value; its table holds ``term, month, estimate, std_error, p_value``. None where no month
        before entry is known.
    """
    before = [month for month in design.outcomes.months if month < 0]
    if not before:
        return None
    assigned = assigned_of(design, estimates)
    if assigned is None:
        return None
    month = before[-1]
    found = regression(assigned, month)
    forms = {t: None if found is None else found.form(t, "all") for t in TERMS}
    told = {term: form for term, form in forms.items() if form is not None}
    free = [told[term] for term in ("direct", "spillover") if term in told] or list(told.values())
    p_value = joint(found, np.array(free)) if found is not None and free else float("nan")
    if found is None or np.isnan(p_value):
        return Finding(
            check="saturation_placebo",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=FAILS_BELOW,
            reference=REFERENCE,
        )
    each = read(found, np.array(list(told.values())))
    return Finding(
        check="saturation_placebo",
        verdict=at_least(p_value, holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=p_value,
        threshold=FAILS_BELOW,
        facts={"month": month, "p_value": p_value},
        table=pd.DataFrame(
            {
                "term": list(told),
                "month": month,
                "estimate": each.estimate,
                "std_error": each.std_error,
                "p_value": each.p_value,
            }
        ),
        reference=REFERENCE,
    )
