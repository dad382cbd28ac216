"""MatchedDiD on a stacked rollout against the R package did: points and errors to 1e-10."""

from __future__ import annotations

import pytest

from oracles.reference import data, reference
from whatworks import Design, Estimate, MatchedDiD, stack

CASES = {"did_staggered_panel": (16, 6), "did_irregular_periods": (10, 5)}
"""Cases, with how many cohort-periods and dynamic effects R estimated after the start."""

PLAIN = (
    "xformla == 'none' and est == 'dr' and control == 'nevertreated' and anticipation == '0' "
    "and base == 'varying' and weights == 'none' and cluster == 'none'"
)
"""The run of R that this estimator answers; test_group_time reads the others."""


@pytest.fixture(scope="module", params=CASES)
def fitted(request: pytest.FixtureRequest) -> tuple[str, Estimate]:
    case = str(request.param)
    design = Design.from_panel(data(case), unit="id", period="t", first_treated="g", outcome="y")
    # did applies no small-sample factor.
    return case, MatchedDiD(small_sample=False).fit(stack(design))


def test_every_cohort_and_period_after_the_start(fitted: tuple[str, Estimate]) -> None:
    case, estimate = fitted
    rows = (
        reference(case).query(f"quantity == 'att_gt' and {PLAIN}").astype({"g": float, "t": float})
    )
    rows = rows[rows["t"] >= rows["g"]]
    assert len(rows) == CASES[case][0]
    ours = estimate.effects.set_index(["cohort", "month"])
    for row in rows.itertuples():
        found = ours.loc[(int(row.g), int(row.t - row.g))]
        assert found["estimate"] == pytest.approx(row.value, abs=1e-10)
        assert found["std_error"] == pytest.approx(row.se, rel=1e-10)


def test_dynamic_effects_with_estimated_shares(fitted: tuple[str, Estimate]) -> None:
    case, estimate = fitted
    rows = reference(case).query(f"quantity == 'aggte_dynamic' and {PLAIN}")
    for option in ("balance_e", "min_e"):
        rows = rows[rows[option].isna()] if option in rows else rows
    after = rows.astype({"e": float}).query("e >= 0")
    assert len(after) == CASES[case][1]
    for row in after.itertuples():
        found = estimate.at(int(row.e))
        assert found["estimate"] == pytest.approx(row.value, abs=1e-10)
        assert found["std_error"] == pytest.approx(row.se, rel=1e-10)
