"""TwoByTwoDiD against the R package did: points 1e-6, analytic standard errors 1e-4."""

from __future__ import annotations

import pytest

from oracles.reference import data, reference
from whatworks import Design, Estimate, TwoByTwoDiD

CASE = "did_staggered_panel"


@pytest.fixture(scope="module")
def estimate() -> Estimate:
    design = Design.from_panel(data(CASE), unit="id", period="t", first_treated="g", outcome="y")
    # did applies no small-sample factor.
    return TwoByTwoDiD(small_sample=False).fit(design)


def test_every_cohort_and_period_after_the_start(estimate: Estimate) -> None:
    rows = reference(CASE).query("quantity == 'att_gt'").astype({"g": float, "t": float})
    rows = rows[rows["t"] >= rows["g"]]
    assert len(rows) == 16
    ours = estimate.effects.set_index(["cohort", "month"])
    for row in rows.itertuples():
        found = ours.loc[(int(row.g), int(row.t - row.g))]
        assert found["estimate"] == pytest.approx(row.value, abs=1e-8)
        assert found["std_error"] == pytest.approx(row.se, rel=1e-6)


def test_dynamic_effects_with_estimated_shares(estimate: Estimate) -> None:
    rows = reference(CASE).query("quantity == 'aggte_dynamic'")
    plain = rows[
        [c in (None, "none") or c != c for c in rows.get("balance_e", rows["value"] * float("nan"))]
    ]
    plain = plain[plain["min_e"].isna()] if "min_e" in plain else plain
    after = plain.astype({"e": float}).query("e >= 0")
    assert len(after) == 6
    for row in after.itertuples():
        found = estimate.at(int(row.e))
        assert found["estimate"] == pytest.approx(row.value, abs=1e-8)
        assert found["std_error"] == pytest.approx(row.se, rel=1e-6)
