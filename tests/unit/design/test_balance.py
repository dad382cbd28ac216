"""What a choice made of everyone it chose from, worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, Exact, NearestNeighbours, WhatworksError
from whatworks.design.comparison import Chosen
from whatworks.design.looking.balance import population
from whatworks.design.parts import Candidates
from whatworks.stats.balance import compared, spread, variance_ratio


def candidates(n: int = 60, *, estimand: str = "ATT") -> Candidates:
    rng = np.random.default_rng(4)
    treated = np.arange(n) % 3 == 0
    values = np.column_stack([rng.normal(treated, 1.0), rng.integers(0, 5, n), rng.random(n) < 0.4])
    return Candidates(
        treated=treated,
        cell=np.zeros(n, dtype=np.int64),
        covariates=values.astype(float),
        names=("score", "months", "male"),
        weight=1.0 + (np.arange(n) % 4),
        estimand=estimand,
    )


def brute_force(x: np.ndarray, arm: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Distances of two distribution functions, value by value."""
    gaps = []
    for value in sorted(set(x.tolist())):
        below = [weight[side & (x <= value)].sum() / weight[side].sum() for side in (arm, ~arm)]
        gaps.append(abs(below[0] - below[1]))
    return max(gaps), sum(gaps) / len(gaps)


def test_distances_are_those_counted_value_by_value() -> None:
    among = candidates()
    weight = np.where(np.arange(60) % 5 == 0, 0.0, among.weight)
    plain, kept = compared(among.covariates, treated=among.treated, weights=(among.weight, weight))
    for found, by in ((plain, among.weight), (kept, weight)):
        for k in range(3):
            ks, mean = brute_force(among.covariates[:, k], among.treated, by)
            assert found.ks[k] == pytest.approx(ks, abs=1e-14)
            wanted = ks if k == 2 else mean  # a difference of shares, where there are only two
            assert found.ecdf_mean[k] == pytest.approx(wanted, abs=1e-14)


def test_a_weight_of_two_is_a_repeated_row() -> None:
    x = np.array([[1.0, 0.0], [2.5, 1.0], [2.5, 1.0], [4.0, 0.0], [9.0, 1.0]])
    arm = np.array([True, True, True, False, False])
    [once] = compared(x[[0, 1, 3, 4]], treated=arm[[0, 1, 3, 4]], weights=([1.0, 2.0, 1.0, 1.0],))
    [twice] = compared(x, treated=arm, weights=(np.ones(5),))
    for part in ("mean_treated", "mean_comparison", "ks", "ecdf_mean"):
        np.testing.assert_allclose(getattr(once, part), getattr(twice, part), atol=1e-15)


def test_sizes_far_from_zero_keep_their_variance() -> None:
    x = 1e9 + np.array([[0.0], [1.0], [2.0], [0.0], [2.0], [4.0]])
    arm = np.arange(6) < 3
    [found] = compared(x, treated=arm, weights=(np.ones(6),))
    assert found.var_treated[0] == pytest.approx(1.0, abs=1e-9)
    assert found.var_comparison[0] == pytest.approx(4.0, abs=1e-9)
    assert variance_ratio(found)[0] == pytest.approx(0.25, abs=1e-9)


def test_an_arm_of_one_has_no_variance_and_an_empty_one_no_mean() -> None:
    x = np.array([[1.0], [3.0], [4.0]])
    alone, nobody = compared(
        x,
        treated=np.array([True, False, False]),
        weights=(np.ones(3), np.array([0.0, 1.0, 1.0])),
    )
    assert np.isnan(alone.var_treated[0])
    assert alone.mean_treated[0] == 1.0
    assert np.isnan(nobody.mean_treated[0])
    assert np.isnan(nobody.ks[0])


@pytest.mark.parametrize(
    ("estimand", "scale"), [("ATT", 4.0), ("ATC", 1.0), ("ATE", 2.5), ("ATO", 2.5)]
)
def test_a_difference_is_scaled_by_those_over_whom_the_effect_is_averaged(
    estimand: str, scale: float
) -> None:
    assert spread(np.array([4.0]), np.array([1.0]), estimand=estimand)[0] == scale


def test_those_left_out_are_described() -> None:
    among = replace(candidates(90), weight=np.ones(90))
    out = np.isin(np.arange(90), np.flatnonzero(among.treated)[:11])  # eleven, no fewer
    weight = np.where(out, 0.0, 1.0)
    table = population(among, Chosen(weight=weight)).left_out.set_index("covariate")
    kept = among.treated & ~out

    assert list(table["n_left_out"]) == [int(out.sum())] * 3
    assert list(table["n_kept"]) == [int(kept.sum())] * 3
    assert table.loc["score", "mean_left_out"] == pytest.approx(among.covariates[out, 0].mean())
    gap = among.covariates[out, 0].mean() - among.covariates[kept, 0].mean()
    deviation = among.covariates[among.treated, 0].std(ddof=1)
    assert table.loc["score", "smd"] == pytest.approx(gap / deviation)


def test_fewer_than_eleven_left_out_are_counted_and_not_described() -> None:
    among = candidates()
    weight = among.weight.copy()
    weight[np.flatnonzero(among.treated)[:10]] = 0.0
    table = population(among, Chosen(weight=weight)).left_out
    assert list(table["n_left_out"].unique()) == [10]
    assert table[["mean_left_out", "smd"]].isna().all().all()


def test_nobody_sought_for_and_left_out_gives_no_row() -> None:
    among = candidates()
    weight = np.where(among.treated, among.weight, 0.0)
    weight[1] = 1.0  # comparisons that were not taken were not sought for
    assert population(among, Chosen(weight=weight)).left_out.empty


def table_design(n: int = 400) -> Design:
    rng = np.random.default_rng(9)
    x = rng.normal(size=n)
    treated = rng.random(n) < 1 / (1 + np.exp(-x))
    return Design.from_cross_section(
        pd.DataFrame(
            {
                "treat": treated.astype(int),
                "x": x,
                "b": (rng.random(n) < 0.5).astype(int),
                "zone": [f"z{k % 3}" if k else "alone" for k in range(n)],
                "y": rng.normal(size=n),
            }
        ),
        treatment="treat",
        outcome="y",
        covariates=["x", "b"],
        market="zone",
    )


def test_a_design_shows_its_balance_before_and_after_and_by_market() -> None:
    design = table_design().matched(using=NearestNeighbours(ratio=2, metric="propensity"))
    table = design.balance().set_index(["covariate", "sample"])
    assert abs(table.loc[("x", "after"), "smd"]) < abs(table.loc[("x", "before"), "smd"]) / 5
    assert np.isnan(table.loc[("b", "after"), "variance_ratio"])

    markets = design.balance(by="market")
    whole = design.units[design.units["market"] == "z1"]
    means = [
        np.average(side["x"], weights=side["weight"])
        for side in (whole[whole["treated"]], whole[~whole["treated"]])
    ]
    row = markets[(markets["market"] == "z1") & (markets["covariate"] == "x")].iloc[0]
    assert [row["mean_treated"], row["mean_comparison"]] == pytest.approx(means)
    alone = markets[markets["market"] == "alone"]
    assert alone.empty or alone[["smd", "ks"]].isna().all().all()


def test_arms_tell_sizes_effective_sizes_and_support() -> None:
    design = table_design().matched(using=NearestNeighbours(ratio=1, metric="propensity"))
    arms = design.arms().set_index("arm")
    weight = design.units.loc[~design.units["treated"], "weight"]
    assert arms.loc["comparison", "effective_size"] == pytest.approx(
        weight.sum() ** 2 / (weight**2).sum()
    )
    assert arms["common_support"].between(0.5, 1).all()
    assert len(design.overlap()) == 20
    assert design.overlap()[["treated", "treated_after"]].sum().tolist() == pytest.approx([1, 1])


def test_a_comparison_without_a_score_shows_no_overlap() -> None:
    design = table_design().matched(using=Exact(on=("b",)))
    assert design.overlap().empty
    assert design.arms()["common_support"].isna().all()


def test_flow_goes_from_the_table_to_the_units() -> None:
    design = table_design().matched(using=NearestNeighbours(ratio=1, metric="propensity"))
    flow = design.flow().set_index("step")
    assert flow.loc["matched_treated", "after"].max() == design.units["treated"].sum()


def test_markets_are_the_only_way_to_split_a_balance() -> None:
    with pytest.raises(WhatworksError, match="by: needed one of market"):
        table_design().balance(by="zone")
