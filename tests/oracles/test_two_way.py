"""Two-way regressions and their decomposition against the R packages fixest and bacondecomp: every row."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from oracles.reference import data, reference
from whatworks import Design, Estimate, TwoWayFixedEffects
from whatworks.estimate.rollouts import Rollout
from whatworks.estimate.two_way import LaidOut, static
from whatworks.stats.did.bacon import EARLIER, LATER, UNTREATED, Decomposition

CASES = ("did_staggered_panel", "did_unbalanced_panel")
KINDS = {
    "Treated vs Untreated": UNTREATED,
    "Earlier vs Later Treated": LATER,
    "Later vs Earlier Treated": EARLIER,
}


@cache
def design(case: str, weights: str | None) -> Design:
    return Design.from_panel(
        data(case),
        unit="id",
        period="t",
        first_treated="g",
        outcome="y",
        market="region",
        weight=weights,
    )


@cache
def fitted(case: str, cluster: str, weights: str | None, by: str) -> Estimate:
    # fixest: (N−1)/(N−K)·G/(G−1), K without what is nested in the clusters: small_sample=True is it.
    level = {"id": "person", "region": "market"}[cluster]
    return TwoWayFixedEffects(cluster=level, by=by).fit(design(case, weights))  # type: ignore[arg-type]  # words


def rows(case: str) -> pd.DataFrame:
    table = reference(case, "reference_alt.csv")
    return table[table["quantity"].str.match("twfe_|bacon_")]


ROWS = [
    pytest.param(case, row, id=f"{case}-{row['quantity']}-{row['args']}")
    for case in CASES
    for _, row in rows(case).iterrows()
]


def test_every_row_is_read() -> None:
    counts = pd.concat([rows(case) for case in CASES])["quantity"].value_counts().to_dict()
    assert counts == {
        "twfe_feols": 6,
        "twfe_event_study_feols_ref-1": 44,
        "bacon_2x2_estimate": 16,
        "bacon_2x2_weight": 16,
        "bacon_weighted_sum": 1,
    }
    assert len(ROWS) == sum(counts.values())


@pytest.mark.parametrize(("case", "row"), ROWS)
def test_row(case: str, row: pd.Series) -> None:
    if row["quantity"].startswith("bacon"):
        assert bacon_value(case, row) == pytest.approx(row["value"], abs=1e-12)
        return
    weights = "w" if row.get("weights") == "w" else None
    if row["quantity"] == "twfe_feols":
        found = fitted(case, row["cluster"], weights, "simple").at(0)
    else:
        month = int(row["term"].removeprefix("rel::"))
        found = fitted(case, row["cluster"], weights, "dynamic").at(month)
    assert found["estimate"] == pytest.approx(row["value"], abs=1e-7)
    assert found["std_error"] == pytest.approx(row["se"], rel=1e-7)


def bacon_value(case: str, row: pd.Series) -> float:
    parts = fitted(case, "id", None, "simple").extras["decomposition"]
    assert isinstance(parts, Decomposition)
    if row["quantity"] == "bacon_weighted_sum":
        return parts.total
    kind = KINDS[row["type"]]
    comparison = int(row["untreated"])
    place = [
        k
        for k in range(parts.weight.size)
        if parts.treated[k] == int(row["treated"])
        and parts.against[k] == kind
        and (kind == UNTREATED or parts.comparison[k] == comparison)
    ]
    assert len(place) == 1
    values = parts.estimate if row["quantity"] == "bacon_2x2_estimate" else parts.weight
    return float(values[place[0]])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cluster", ["id", "region"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_sums_by_cohort_and_period_agree_with_linearmodels(
    case: str, cluster: str, weights: str | None
) -> None:
    found = fitted(case, cluster, weights, "simple").at(0)
    level = {"id": "person", "region": "market"}[cluster]
    rollout = Rollout.of(design(case, weights), cluster=level, gaps="keep")  # type: ignore[arg-type]  # a word
    coefficient, error = static(rollout, LaidOut.of(rollout))
    assert coefficient == pytest.approx(found["estimate"], abs=1e-11)
    assert error == pytest.approx(found["std_error"], rel=1e-10)


def test_the_decomposition_gives_back_the_coefficient_with_weights() -> None:
    estimate = fitted("did_staggered_panel", "id", "w", "simple")
    parts = estimate.extras["decomposition"]
    assert parts.total == pytest.approx(estimate.at(0)["estimate"], abs=1e-12)
    assert np.all(parts.weight > 0)


def test_a_panel_with_gaps_has_weights_and_no_decomposition() -> None:
    estimate = fitted("did_unbalanced_panel", "id", None, "simple")
    assert estimate.extras["decomposition"] is None
    assert estimate.extras["weights"].weight.sum() == pytest.approx(1)
