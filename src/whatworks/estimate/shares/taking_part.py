"""Effects of taking part told beside those of being assigned, and how strong their instruments are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.errors import expect
from whatworks.estimate.shares.participation import OWN, Instrumented
from whatworks.estimate.shares.responses import ASSIGNED, UNASSIGNED, Further, Responses
from whatworks.stats.displacement.degrees import Smallest
from whatworks.stats.displacement.instrumented import ratio
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import SATURATION

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Row:
    """An effect of taking part."""

    term: str
    group: str
    month: int
    effect: float
    influence: Floats
    n_treated: int
    n_comparison: int


def with_participation(assigned: Responses, found: Sequence[Instrumented]) -> Responses:
    """Effects of taking part after those of being assigned, averages over shares first."""
    rows = [row for one in found for row in _rows(one)]
    held = by_market(assigned)
    values = np.column_stack([held.values, *[row.influence for row in rows]])
    return replace(
        assigned,
        uncertainty=replace(held, values=values),
        degrees=Smallest(df=np.full(values.shape[1], assigned.df)),
        further=Further(
            term=np.array([row.term for row in rows], dtype=object),
            group=np.array([row.group for row in rows], dtype=object),
            month=np.array([row.month for row in rows], dtype=np.int64),
            effect=np.array([row.effect for row in rows]),
            n_treated=np.array([row.n_treated for row in rows], dtype=np.int64),
            n_comparison=np.array([row.n_comparison for row in rows], dtype=np.int64),
        ),
    )


def by_market(responses: Responses) -> Influence:
    """Influence of each market on responses that were fitted with it."""
    held = responses.uncertainty
    expect(held, Influence, what="responses", remedy="choose errors by market")
    return cast("Influence", held)


def _rows(one: Instrumented) -> list[_Row]:
    """Rows of an equation, month by month: where it is by share, their average comes first."""
    rows = []
    for m, month in enumerate(one.months):
        if one.weights is not None:
            rows.append(
                _Row(
                    OWN,
                    one.sample,
                    month,
                    float(one.weights @ one.effect[:, m]),
                    one.influence[:, :, m] @ one.weights,
                    int(one.n_treated.sum()),
                    int(one.n_comparison.sum()),
                )
            )
        rows += [
            _Row(
                one.terms[k],
                one.groups[k],
                month,
                float(one.effect[k, m]),
                one.influence[:, k, m],
                int(one.n_treated[k]),
                int(one.n_comparison[k]),
            )
            for k in range(len(one.terms))
        ]
    return rows


def strength(found: Sequence[Instrumented]) -> pd.DataFrame:
    """Strength of the instruments of each participation.

    Returns
    -------
    DataFrame
        ``term, group, f_statistic, df, f_conditional``, once for all months that share who is seen.
    """
    return pd.DataFrame(
        [
            {
                "term": term,
                "group": group,
                "month": one.months[0],
                "f_statistic": stage.alone.statistic,
                "df": stage.alone.df,
                "f_conditional": stage.conditional.statistic,
            }
            for one in found
            for term, group, stage in zip(one.terms, one.groups, one.stages, strict=True)
        ]
    )


def compliers(outcome: Responses, taken: Responses) -> pd.DataFrame:
    """Effects on those whom the arm, or the next share, makes take part: ratios of two contrasts.

    Returns
    -------
    DataFrame
        ``effect`` (``direct``, or ``spillover`` of one share against the one below), ``arm, group, month,
        saturation, versus, on_outcome, on_participation, ratio, std_error, strength``. A ratio whose
        ``strength`` (F of the denominator) is small is not to be relied upon.
    """
    on_outcome, on_taking = by_market(outcome).values, by_market(taken).values
    rows = []
    for effect, arm, one, other in _pairs(outcome):
        form = np.zeros(outcome.mean.size)
        form[one], form[other] = 1.0, -1.0
        top, below = float(form @ outcome.mean), float(form @ taken.mean)
        both = np.column_stack(
            [
                on_outcome[:, : form.size] @ form,
                on_taking[:, : form.size] @ form,
            ]
        )
        found = ratio(top, below, both.T @ both)
        rows.append(
            {
                "effect": effect,
                "arm": arm,
                "group": outcome.group[one],
                "month": int(outcome.month[one]),
                SATURATION: float(outcome.saturation[one]),
                "versus": float(outcome.saturation[other]),
                "on_outcome": top,
                "on_participation": below,
                "ratio": found.value,
                "std_error": found.std_error,
                "strength": found.strength,
            }
        )
    return pd.DataFrame(rows)


def _pairs(responses: Responses) -> list[tuple[str, str, int, int]]:
    """Cells compared: both arms of a share, then one arm at a share and at the one below."""
    keys = list(dict.fromkeys(zip(responses.group, responses.month, strict=True)))
    found = []
    for group, month in keys:
        mine = (responses.group == group) & (responses.month == month)
        at = {
            arm: sorted(
                np.flatnonzero(mine & (responses.arm == arm)), key=lambda i: responses.saturation[i]
            )
            for arm in (ASSIGNED, UNASSIGNED)
        }
        found += [
            ("direct", ASSIGNED, int(one), int(other))
            for one in at[ASSIGNED]
            for other in at[UNASSIGNED]
            if responses.saturation[one] == responses.saturation[other]
        ]
        for arm, cells in at.items():
            found += [
                ("spillover", arm, int(later), int(first)) for first, later in pairwise(cells)
            ]
    return found
