"""CallawaySantAnna by hand and by brute force, on panels small enough to see through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from whatworks import CallawaySantAnna, Design, Estimate, aggregate, bootstrap
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.cells import CELLS, Cells
from whatworks.stats.did import accumulated
from whatworks.stats.did.followed import ByStart
from whatworks.stats.did.group_time import group_times
from whatworks.stats.did.two_periods import traditional
from whatworks.stats.did.wald import joint_test
from whatworks.stats.multipliers import Draws, redrawn
from whatworks.stats.uncertainty import Covariance, Influence
from whatworks.vocabulary import NEVER


def panel(n: int = 300, *, seed: int = 0, never: bool = True) -> pd.DataFrame:
    """Six periods, cohorts 3, 5 and 9 (after the end), 12 markets, two covariates."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.integers(0, 2, n)
    starts = np.array([3, 5, 9, 0]) if never else np.array([3, 5, 6])
    start = starts[rng.integers(0, starts.size, n)]
    t = np.arange(1, 7)
    gain = ((start[:, None] > 0) & (t >= start[:, None])) * 1.5
    y = x[:, None] * (1 + 0.2 * t) + 0.1 * t + gain + rng.normal(size=(n, 6))
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), 6),
            "t": np.tile(t, n),
            "start": np.repeat(start, 6),
            "y": y.ravel(),
            "x": np.repeat(x, 6),
            "z": np.repeat(z, 6),
            "market": np.repeat(rng.integers(0, 12, n), 6),
            "w": np.repeat(rng.uniform(0.5, 2.0, n), 6),
        }
    )


def design(table: pd.DataFrame, **columns: Any) -> Design:
    return Design.from_panel(
        table, unit="unit", period="t", first_treated="start", outcome="y", **columns
    )


def cells_of(estimate: Estimate) -> Cells:
    cells = estimate.extras[CELLS]
    assert isinstance(cells, Cells)
    return cells


def wide(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes by unit and period, and starts, those after the end as never."""
    start = table.groupby("unit")["start"].first().to_numpy()
    start = np.where((start == 0) | (start > 6), NEVER, start)
    return table.pivot(index="unit", columns="t", values="y").to_numpy(), start


def test_two_units_of_each_by_hand() -> None:
    """Changes of the treated are 5 and 3, of the others 1 and 2 (ten of each pair)."""
    change = np.array([5.0, 3.0, 1.0, 2.0] * 10)
    start = np.array([2, 2, 0, 0] * 10)
    y = np.column_stack([np.arange(40.0), np.arange(40.0) + change])
    table = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(40), 2),
            "t": np.tile([1, 2], 40),
            "start": np.repeat(start, 2),
            "y": y.ravel(),
        }
    )
    estimate = CallawaySantAnna(small_sample=False).fit(design(table))
    [row] = estimate.effects[estimate.effects["cohort"] == 2].itertuples()
    assert row.estimate == pytest.approx(4.0 - 1.5)
    # Squared gaps from the means: 1 and 1, a quarter and a quarter, over 20 units squared.
    assert row.std_error == pytest.approx(np.sqrt((20 * 1.0 + 20 * 0.25) / 20**2))
    assert (row.n_treated, row.n_comparison) == (20, 20)


@pytest.mark.parametrize("control", ["never_treated", "not_yet_treated"])
@pytest.mark.parametrize("base", ["varying", "universal"])
@pytest.mark.parametrize("anticipation", [0, 1])
def test_cells_by_brute_force(control: str, base: str, anticipation: int) -> None:
    """Without covariates: differences of mean changes, from a loop over cells and masks."""
    table = panel()
    y, start = wide(table)
    fit = CallawaySantAnna(control=control, base_period=base, anticipation=anticipation)
    cells = cells_of(fit.fit(design(table)))
    seen = 0
    for g in (3, 5):
        before = g - 1 - anticipation
        for t in range(1 if base == "universal" else 2, 7):
            b = t - 1 if base == "varying" and t < g else before
            until = max(t, b) if control == "not_yet_treated" else 6
            theirs = (start > until + anticipation) & (start != g)
            change = y[:, t - 1] - y[:, b - 1]
            [k] = np.flatnonzero((cells.cohort == g) & (cells.period == t))
            expected = change[start == g].mean() - change[theirs].mean()
            assert cells.effect[k] == pytest.approx(0.0 if t == b else expected)
            assert cells.n_comparison[k] == theirs.sum()
            seen += 1
    assert seen == cells.effect.size


@pytest.mark.parametrize("adjustment", ["doubly_robust", "regression", "inverse_probability"])
def test_influence_is_what_leaving_a_unit_out_does(adjustment: str) -> None:
    """Lowering a unit's weight by a thousandth moves every cell by a thousandth of its influence."""
    table = panel(120, seed=3)

    def fitted(weights: pd.Series) -> Cells:
        weighted = table.assign(w=weights)
        made = design(weighted, covariates=["x", "z"], weight="w")
        return cells_of(CallawaySantAnna(adjustment=adjustment, small_sample=False).fit(made))

    whole = fitted(table["w"])
    assert isinstance(whole.uncertainty, Influence)
    influence = whole.uncertainty.values
    for unit in (0, 7, 31, 77):
        up, down = (
            fitted(table["w"] * np.where(table["unit"] == unit, 1 + e, 1.0)) for e in (1e-4, -1e-4)
        )
        moved = (up.effect - down.effect) / 2e-4
        assert moved == pytest.approx(influence[unit, : whole.effect.size], abs=1e-6)
        shares = (up.share - down.share) / 2e-4
        assert shares == pytest.approx(influence[unit, whole.effect.size :], abs=1e-7)


@pytest.mark.parametrize("covariates", [[], ["x", "z"]])
@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("small_sample", [True, False])
def test_adding_up_the_covariance_gives_that_of_influences(
    monkeypatch: pytest.MonkeyPatch,
    covariates: list[str],
    weight: str | None,
    small_sample: bool,
) -> None:
    made = design(panel(), covariates=covariates, weight=weight)
    fit = CallawaySantAnna(small_sample=small_sample)
    held = cells_of(fit.fit(made)).uncertainty
    monkeypatch.setattr(accumulated, "HELD", 0)
    added = cells_of(fit.fit(made)).uncertainty
    assert isinstance(held, Influence)
    assert isinstance(added, Covariance)
    np.testing.assert_allclose(added.covariance(), held.covariance(), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("covariates", [[], ["x"]])
def test_markets_sum_the_influences_of_their_persons(
    monkeypatch: pytest.MonkeyPatch, covariates: list[str]
) -> None:
    table = panel()
    made = design(table, covariates=covariates, market="market", weight="w")
    by_person = cells_of(CallawaySantAnna().fit(made)).uncertainty
    by_market = cells_of(CallawaySantAnna(cluster="market").fit(made)).uncertainty
    market = table.groupby("unit")["market"].first().to_numpy()
    assert isinstance(by_person, Influence)
    assert isinstance(by_market, Influence)
    sums = np.array([by_person.values[market == m].sum(axis=0) for m in range(12)])
    order = np.argsort([str(m) for m in range(12)])  # markets are texts
    np.testing.assert_allclose(by_market.values, sums[order], atol=1e-12)
    assert by_market.factor == pytest.approx(12 / 11)
    monkeypatch.setattr(accumulated, "HELD", 0)
    added = cells_of(CallawaySantAnna(cluster="market").fit(made)).uncertainty.covariance()
    np.testing.assert_allclose(added, by_market.covariance(), rtol=1e-9, atol=1e-14)


def test_blocks_and_thin_first_guesses_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = design(panel(), covariates=["x", "z"], weight="w")
    whole = CallawaySantAnna().fit(made).effects
    monkeypatch.setattr("whatworks.stats.did.followed.BLOCK", 7)
    monkeypatch.setattr("whatworks.stats.did.propensities._THIN", 20)
    pd.testing.assert_frame_equal(CallawaySantAnna().fit(made).effects, whole, rtol=1e-9)


def test_order_and_origin_of_rows_change_nothing() -> None:
    table = panel()
    names = {"covariates": ["x", "z"], "market": "market", "weight": "w"}
    fit = CallawaySantAnna(cluster="market")
    one = fit.fit(design(table, **names)).effects
    shuffled = table.sample(frac=1, random_state=1)
    moved = shuffled.assign(unit=lambda t: 5_000 - t["unit"], x=lambda t: 1e3 + 1e-2 * t["x"])
    other = fit.fit(design(moved, **names)).effects
    pd.testing.assert_frame_equal(one, other, rtol=1e-8, atol=1e-10)


def test_compact_columns_give_the_same() -> None:
    table = panel()
    compact = table.astype({"unit": "int32", "t": "int8", "start": "int8", "z": "int8"})
    fit = CallawaySantAnna()
    one, other = (fit.fit(design(made, covariates=["z"])).effects for made in (table, compact))
    pd.testing.assert_frame_equal(one, other)


def test_everyone_starts() -> None:
    """The last cohort is a comparison only; from its start on, nobody is left to compare with."""
    table = panel(never=False)
    estimate = CallawaySantAnna().fit(design(table))
    cells = cells_of(estimate)
    assert set(cells.cohort) == {3, 5}
    assert cells.period.max() == 5
    steps = {s.name: s for s in estimate.ledger.steps}
    assert steps["periods_compared"].dropped == (("no_comparison", 1),)
    with pytest.raises(DesignRefused, match="not_yet_treated"):
        CallawaySantAnna(control="never_treated").fit(design(table))
    earlier = CallawaySantAnna(control="never_treated").fit(design(table[table["t"] < 6]))
    assert set(cells_of(earlier).cohort) == {3, 5}


def test_small_cohorts_are_refused_by_name() -> None:
    table = panel()
    few = table["unit"].isin(table.loc[table["start"] == 0, "unit"].unique()[:4])
    table.loc[few, "start"] = 4
    with pytest.raises(DesignRefused, match=r"7 units.*4 \(4\)"):
        CallawaySantAnna().fit(design(table, covariates=["x", "z"]))


def test_cells_without_overlap_are_named_and_counted() -> None:
    table = panel()
    told = table.assign(told=np.where(table["start"] == 3, 1.0, 0.0) + 1e-3 * table["x"])
    estimate = CallawaySantAnna().fit(design(told, covariates=["told"]))
    lost = estimate.extras["undefined"]
    assert set(lost["cohort"]) == {3}
    assert set(lost["reason"]) == {"no_overlap"}
    effects = estimate.effects.set_index(["cohort", "month"])
    assert effects.loc[3][["estimate", "std_error", "p_value"]].isna().all().all()
    assert effects.loc[5]["estimate"].notna().all()
    [step] = [s for s in estimate.ledger.steps if s.name == "cells"]
    assert step.dropped == (("no_overlap", 5),)
    # Averages leave them out: months since the start are those of the other cohort alone.
    assert effects.loc[(-1, 0), "estimate"] == pytest.approx(effects.loc[(5, 0), "estimate"])


def test_covariates_that_repeat_each_other_are_refused() -> None:
    table = panel().assign(again=lambda t: 2 * t["x"] - 1)
    with pytest.raises(DesignRefused, match="collinear"):
        CallawaySantAnna().fit(design(table, covariates=["x", "again"]))
    one = CallawaySantAnna(covariates=("x",)).fit(design(table, covariates=["x", "again"]))
    other = CallawaySantAnna().fit(design(table, covariates=["x"]))
    pd.testing.assert_frame_equal(one.effects, other.effects)
    with pytest.raises(OptionError, match="write 'again'"):
        CallawaySantAnna(covariates=("agian",)).fit(design(table, covariates=["again"]))


def test_averages_by_hand() -> None:
    table = panel()
    estimate = CallawaySantAnna().fit(design(table))
    cells = cells_of(estimate)
    after = cells.month >= 0
    share = cells.share[np.searchsorted(cells.cohorts, cells.cohort)]
    [simple] = aggregate(estimate).effects["estimate"]
    assert simple == pytest.approx(np.average(cells.effect[after], weights=share[after]))
    by_cohort = aggregate(estimate, by="cohort").effects.set_index("cohort")["estimate"]
    means = [cells.effect[after & (cells.cohort == g)].mean() for g in (3, 5)]
    assert by_cohort.loc[[3, 5]].to_numpy() == pytest.approx(means)
    assert by_cohort.loc[-1] == pytest.approx(np.average(means, weights=cells.share))


def test_bootstrap_by_person_and_market() -> None:
    made = design(panel(), covariates=["x"], market="market")
    for cluster, law in (("person", "mammen"), ("market", "webb"), ("person", "normal")):
        analytic = CallawaySantAnna(cluster=cluster).fit(made)
        drawn = bootstrap(analytic, draws=4_000, multipliers=law, rng=np.random.default_rng(1))
        both = drawn.effects["std_error"] / analytic.effects["std_error"]
        assert both.between(0.85, 1.15).all()
        assert (drawn.effects["band_high"] >= drawn.effects["conf_high"] - 1e-12).all()
        pd.testing.assert_series_equal(drawn.effects["estimate"], analytic.effects["estimate"])
        simple = aggregate(drawn)
        assert simple.effects["std_error"].notna().all()
        assert drawn.extras["bootstrap"] == {"draws": 4_000, "multipliers": law}
    again = bootstrap(analytic, draws=500)
    pd.testing.assert_frame_equal(again.effects, bootstrap(analytic, draws=500).effects)


def test_a_covariance_is_redrawn_with_normal_weights_only() -> None:
    matrix = np.array([[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    held = Covariance(matrix=matrix)
    draws = redrawn(held, draws=50_000, law="normal", rng=np.random.default_rng(0))
    np.testing.assert_allclose(draws.covariance(), matrix, atol=0.08)
    with pytest.raises(OptionError, match="normal"):
        redrawn(held, draws=500, law="webb", rng=np.random.default_rng(0))
    with pytest.raises(OptionError, match="100 or more"):
        bootstrap(CallawaySantAnna().fit(design(panel())), draws=50)


def test_draws_by_hand() -> None:
    values = np.array([[-3.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    draws = Draws(values=values)
    # Quartiles −1.5 and 1.5, 1.349 standard errors apart.
    assert draws.std_error() == pytest.approx([3 / 1.3489795, 0.0])
    assert draws.critical_value() == pytest.approx(3 / (3 / 1.3489795))
    assert draws.combine(np.array([[2.0, 0.0]])).values[:, 0].tolist() == [-6, -2, 2, 6]


def test_joint_test_by_hand() -> None:
    found = joint_test(np.array([2.0, 1.0, np.nan, 5.0]), np.diag([1.0, 4.0, 1.0, 0.0]))
    assert (found.statistic, found.n_effects) == (pytest.approx(4.25), 2)
    assert found.p_value == pytest.approx(np.exp(-4.25 / 2))
    small = joint_test(np.array([2.0]), np.array([[1.0]]), df=11)
    assert small.p_value == pytest.approx(0.0708, abs=1e-3)  # that of t = 2 with 11 degrees
    same = joint_test(np.array([1.0, 1.0]), np.ones((2, 2)))
    assert np.isnan(same.statistic)
    assert np.isnan(same.p_value)


def test_cells_of_irregular_periods() -> None:
    cells = group_times(np.array([2011, 2014, 2021]), np.array([2008, 2009, 2011, 2014]))
    told = list(zip(cells.cohort, cells.period, cells.base, cells.after, strict=True))
    assert told == [
        (2011, 2009, 0, 2010),
        (2011, 2011, 1, 2010),
        (2011, 2014, 1, 2014),
        (2014, 2009, 0, 2010),
        (2014, 2011, 1, 2011),
        (2014, 2014, 2, 2011),
    ]


def test_units_by_start() -> None:
    start = np.array([5, NEVER, 3, 9, 5, NEVER - 1])
    found = ByStart.of(start, last=6)
    assert found.starts.tolist() == [3, 5, 7]
    assert found.sizes.tolist() == [1, 2, 3]
    assert [rows.tolist() for rows in found.blocks(1)] == [[0, 4]]
    far = ByStart.of(np.array([2**30, 1, NEVER]), last=2**30)
    assert far.starts.tolist() == [1, 2**30, 2**30 + 1]


def test_markets_that_start_whole_lose_a_degree_of_freedom_per_start() -> None:
    """Twelve markets give three means: of those that start in 3, in 5, and never."""
    table = panel()
    table["start"] = np.array([0, 3, 5, 0])[table["market"] % 4]
    fit = CallawaySantAnna(cluster="market").fit(design(table, market="market"))
    cells = cells_of(fit)
    assert isinstance(cells.uncertainty, Influence)
    assert cells.uncertainty.factor == pytest.approx(12 / (12 - 3))
    assert cells.df == 9


def test_comparisons_of_a_probability_near_one_are_trimmed_as_in_two_periods() -> None:
    rng = np.random.default_rng(40)
    n = 3_000
    x = rng.normal(size=n)
    treated = rng.random(n) < 1 / (1 + np.exp(1.5 - 1.6 * x))
    x[~treated] = np.minimum(x[~treated], 2.0)
    lone = np.flatnonzero(~treated)[0]
    x[lone] = 4.6  # its probability lies between the one that trims and the one that refuses
    treated[np.argsort(x)[-1]] = False
    before = x + rng.normal(size=n)
    after = before + 1 + 0.5 * x + 2 * treated + rng.normal(size=n)
    table = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), 2),
            "period": np.tile([1, 2], n),
            "start": np.repeat(np.where(treated, 2, 0), 2),
            "x": np.repeat(x, 2),
            "y": np.column_stack([before, after]).ravel(),
        }
    )
    design = Design.from_panel(
        table, unit="unit", period="period", first_treated="start", outcome="y", covariates=["x"]
    )
    fitted = CallawaySantAnna(small_sample=False).fit(design)
    known = traditional(
        (after - before)[:, None], treated=treated, covariates=x[:, None], weight=np.ones(n)
    )
    assert known.trimmed > 0
    row = fitted.effects.query("cohort == 2").iloc[0]
    assert row["estimate"] == pytest.approx(float(known.effect[0]), abs=1e-10)
    error = float(np.sqrt((known.influence[:, 0] ** 2).sum()))
    assert row["std_error"] == pytest.approx(error, rel=1e-8)
    dropped = {why: k for step in fitted.ledger.steps for why, k in step.dropped}
    assert dropped["propensity_too_high"] == known.trimmed
