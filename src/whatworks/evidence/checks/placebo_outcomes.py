"""Does the same method find an effect on outcomes the treatment cannot move?

Not among the checks that run by themselves: which outcome cannot move is known to the evaluator alone.
Its finding is handed to `whatworks.weigh` in ``findings``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from whatworks.design.record import Design
from whatworks.errors import OptionError
from whatworks.estimate.protocol import Estimator
from whatworks.evidence.grading import at_least
from whatworks.evidence.record import Finding
from whatworks.vocabulary import Verdict

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
REFERENCE: Final = "Lipsitch, Tchetgen Tchetgen & Cohen (2010), doi:10.1097/EDE.0b013e3181d61eeb"


def placebo_outcomes(
    estimator: Estimator,
    designs: Mapping[str, Design],
    *,
    rng: np.random.Generator | None = None,
) -> Finding:
    """Effects on outcomes that the treatment cannot move, by the method used on the true one.

    Parameters
    ----------
    estimator : Estimator
        With the options of the primary estimate.
    designs : mapping of name to Design
        The same units and treatment, another outcome each.
    rng : Generator, optional
        For methods that draw; by default seeded with 0.

    Returns
    -------
    Finding
        ``placebo_outcomes``: the smallest p-value, corrected for their number (Holm), at the primary
        horizon of each design; its table holds ``outcome, month, estimate, std_error, p_value,
        p_adjusted``.

    Raises
    ------
    OptionError
        Without any design.
    DesignRefused
        When the method refuses one of them.
    """
    if not designs:
        raise OptionError(
            what="placebo_outcomes",
            needed="a design for each outcome that the treatment cannot move",
            found="none",
            remedy="make one with the same units and another outcome",
        )
    draw = np.random.default_rng(0) if rng is None else rng
    rows = []
    for name, design in designs.items():
        estimate, month = estimator.fit(design, rng=draw), design.question.primary
        if estimate.reads(month):
            row = estimate.at(month)
            rows.append(
                (name, month, *(float(row[k]) for k in ("estimate", "std_error", "p_value")))
            )
    table = pd.DataFrame(rows, columns=["outcome", "month", "estimate", "std_error", "p_value"])
    table = table[table["p_value"].notna()].reset_index(drop=True)
    if table.empty:
        return Finding(
            check="placebo_outcomes",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=FAILS_BELOW,
            reference=REFERENCE,
        )
    table["p_adjusted"] = multipletests(table["p_value"], method="holm")[1]
    smallest = float(table["p_adjusted"].min())
    return Finding(
        check="placebo_outcomes",
        verdict=at_least(smallest, holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=smallest,
        threshold=FAILS_BELOW,
        table=table,
        reference=REFERENCE,
        facts={"n": len(table), "p_adjusted": smallest},
    )
