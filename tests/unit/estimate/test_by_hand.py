"""Differences in differences and saturation contrasts by hand, and against statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from whatworks import Design, MatchedDiD, SaturationRegression, stack, with_markets

ROLES = {"unit": "unit", "period": "period", "first_treated": "start", "outcome": "y"}


def test_two_by_two_by_hand() -> None:
    # Treated from period 2: 3 → 9 and 5 → 7, mean change 4. Never treated: 1 → 2 and 4 → 7, mean change 2.
    table = pd.DataFrame(
        {
            "unit": [1, 1, 2, 2, 3, 3, 4, 4],
            "period": [1, 2] * 4,
            "start": [2, 2, 2, 2, 0, 0, 0, 0],
            "y": [3.0, 9, 5, 7, 1, 2, 4, 7],
        }
    )
    effects = MatchedDiD(small_sample=False).fit(stack(Design.from_panel(table, **ROLES))).effects
    row = effects[effects["cohort"] == -1].iloc[0]
    assert row["month"] == 0
    assert row["estimate"] == pytest.approx(4 - 2)
    # Influences: ±(6 − 4)/2 for the treated, ±(1 − 2)/2 for the others; squares 1 + 1 + ¼ + ¼.
    assert row["std_error"] == pytest.approx(np.sqrt(2.5))


def test_two_cohorts_by_hand() -> None:
    # Cohort 2 gains 3 at once and cohort 3 gains 6; the never-treated do not move; two against one unit.
    table = pd.DataFrame(
        {
            "unit": np.repeat([1, 2, 3, 4, 5], 3),
            "period": [1, 2, 3] * 5,
            "start": np.repeat([2, 2, 3, 0, 0], 3),
            "y": [0.0, 3, 3, 1, 4, 4, 2, 2, 8, 5, 5, 5, 9, 9, 9],
        }
    )
    estimate = MatchedDiD().fit(stack(Design.from_panel(table, **ROLES)))
    by_cohort = estimate.effects.set_index(["cohort", "month"])["estimate"]
    assert by_cohort[2, 0] == pytest.approx(3)
    assert by_cohort[3, 0] == pytest.approx(6)
    assert by_cohort[3, -2] == pytest.approx(0)
    assert by_cohort[-1, 0] == pytest.approx((2 * 3 + 6) / 3)
    assert by_cohort[-1, 1] == pytest.approx(3)


def test_two_by_two_is_the_interaction_of_a_regression_clustered_by_person() -> None:
    rng = np.random.default_rng(8)
    n = 120
    group, level = rng.integers(0, 2, n), rng.normal(size=n)
    long = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), 2),
            "period": np.tile([1, 2], n),
            "treat": np.repeat(group, 2),
            "start": np.repeat(2 * group, 2),
        }
    )
    after = (long["period"] == 2).astype(int)
    long["y"] = np.repeat(level, 2) + after + 2 * after * long["treat"] + rng.normal(size=2 * n)
    long["post"] = after
    theirs = smf.ols("y ~ treat * post", long).fit(
        cov_type="cluster", cov_kwds={"groups": long["unit"], "use_correction": False}
    )
    ours = MatchedDiD(small_sample=False).fit(stack(Design.from_panel(long, **ROLES))).at(0)
    assert ours["estimate"] == pytest.approx(theirs.params["treat:post"], rel=1e-10)
    assert ours["std_error"] == pytest.approx(theirs.bse["treat:post"], rel=1e-10)


def markets() -> pd.DataFrame:
    """Eight markets of four: three at zero, three at a half, two at three quarters."""
    share = np.repeat([0, 0, 0, 0.5, 0.5, 0.5, 0.75, 0.75], 4)
    treat = np.array([0] * 12 + [1, 1, 0, 0] * 3 + [1, 1, 1, 0] * 2)
    y = np.array(
        [
            1,
            2,
            3,
            2,
            2,
            2,
            1,
            3,
            0,
            4,
            2,
            2,
            5,
            7,
            1,
            1,
            6,
            6,
            0,
            2,
            5,
            7,
            1,
            1,
            4,
            4,
            4,
            0,
            5,
            3,
            4,
            0,
        ],
        dtype=float,
    )
    return pd.DataFrame(
        {"treat": treat, "market": np.repeat(np.arange(8), 4), "share": share, "y": y}
    )


def contrasts(table: pd.DataFrame) -> pd.DataFrame:
    design = Design.from_cross_section(
        table,
        treatment="treat",
        outcome="y",
        market="market",
        saturation="share",
        randomised=True,
    )
    # Every market's sample has exactly its share: that it was the draw must be said.
    told = table.drop_duplicates("market")[["market"]]
    design = with_markets(design, told, market="market", shares_from="design")
    return SaturationRegression(errors="CR1").fit(design).effects.set_index(["term", "group"])


def test_saturation_regressions_by_hand() -> None:
    # Means: pure control 2; at a half, treated 6 and untreated 1; at three quarters, 4 and 0.
    found = contrasts(markets())["estimate"]
    by_hand = {"0.5": (5, -1, 4), "0.75": (4, -2, 2)}
    for group, effects in by_hand.items():
        for term, effect in zip(("direct", "spillover", "total"), effects, strict=True):
            assert found[term, group] == pytest.approx(effect)
    # Three markets at a half, two at three quarters.
    assert found["direct", "all"] == pytest.approx((3 * 5 + 2 * 4) / 5)
    assert found["spillover", "all"] == pytest.approx((3 * -1 + 2 * -2) / 5)
    assert found["total", "all"] == pytest.approx((3 * 4 + 2 * 2) / 5)


def test_saturation_regressions_are_those_of_statsmodels() -> None:
    table = markets()
    table["a"] = (table["share"] == 0.5).astype(int)
    table["b"] = (table["share"] == 0.75).astype(int)
    table["noise"] = np.sin(np.arange(len(table)))
    table["y"] += table["noise"]
    theirs = smf.ols("y ~ treat:a + a + treat:b + b", table).fit(
        cov_type="cluster", cov_kwds={"groups": table["market"]}, use_t=True
    )
    ours = contrasts(table)
    for term, group, name in (
        ("direct", "0.5", "treat:a"),
        ("spillover", "0.5", "a"),
        ("direct", "0.75", "treat:b"),
        ("spillover", "0.75", "b"),
    ):
        assert ours.loc[(term, group), "estimate"] == pytest.approx(theirs.params[name], rel=1e-9)
        assert ours.loc[(term, group), "std_error"] == pytest.approx(theirs.bse[name], rel=1e-9)
        low, high = theirs.conf_int().loc[name]
        assert ours.loc[(term, group), "conf_low"] == pytest.approx(low, rel=1e-7)
        assert ours.loc[(term, group), "conf_high"] == pytest.approx(high, rel=1e-7)
    # Three markets without anyone assigned: chance alone gives a probability.
    assert ours["p_value"].isna().all()
