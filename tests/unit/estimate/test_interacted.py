"""Saturated, extended and stacked regressions against brute force with every indicator written out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from whatworks import Design, ExtendedTwoWay, StackedDiD, SunAbraham, WhatworksError, aggregate
from whatworks.estimate.cells import CELLS
from whatworks.stats.did import by_period, summed
from whatworks.stats.did.stacks import corrective_weight

Floats = NDArray[np.float64]


def panel(*, gaps: float = 0.0, never: bool = True, n: int = 60, seed: int = 4) -> pd.DataFrame:
    """Three cohorts over seven periods, effects that grow, one covariate that bends trends."""
    rng = np.random.default_rng(seed)
    starts = np.array([0, 3, 5, 6] if never else [3, 5, 6])
    unit, period = np.repeat(np.arange(n), 7), np.tile(np.arange(1, 8), n)
    start, x = starts[np.arange(n) % starts.size][unit], rng.normal(size=n)[unit]
    gain = np.where((start > 0) & (period >= start), 1 + 0.3 * (period - start) + 0.5 * x, 0.0)
    y = rng.normal(size=n)[unit] + 0.2 * period * (1 + x) + gain + rng.normal(size=unit.size)
    table = pd.DataFrame({"id": unit, "t": period, "g": start, "x": x, "y": y})
    table["w"] = rng.uniform(0.5, 2.0, n)[unit]
    table["m"] = np.char.add("zone ", np.char.zfill((unit % 12).astype(str), 2))
    return table[rng.random(unit.size) >= gaps].reset_index(drop=True)


def design(table: pd.DataFrame, *, covariates: tuple[str, ...] = (), **roles: str) -> Design:
    return Design.from_panel(
        table,
        unit="id",
        period="t",
        first_treated="g",
        outcome="y",
        covariates=covariates,
        **roles,  # type: ignore[arg-type]  # names of columns only
    )


def cells(estimate: Any) -> dict[tuple[int, int], float]:
    rows = estimate.effects.query("cohort >= 0")
    return {(int(r.cohort), int(r.cohort + r.month)): float(r.estimate) for r in rows.itertuples()}


def dummies(table: pd.DataFrame, extra: dict[Any, Floats]) -> tuple[Floats, list[Any]]:
    """Regressors: every unit, every period but one, and what is asked for."""
    units = pd.get_dummies(table["id"]).to_numpy(float)
    periods = pd.get_dummies(table["t"]).to_numpy(float)[:, 1:]
    return np.column_stack([units, periods, *extra.values()]), list(extra)


def least_squares(
    table: pd.DataFrame, extra: dict[Any, Floats], *, weight: Floats | None = None
) -> dict[Any, float]:
    columns, names = dummies(table, extra)
    root = np.sqrt(np.ones(len(table)) if weight is None else weight)
    solved = np.linalg.lstsq(columns * root[:, None], table["y"].to_numpy() * root, rcond=None)[0]
    return dict(zip(names, solved[-len(names) :].tolist(), strict=True))


def interactions(table: pd.DataFrame, *, leads: bool, slopes: bool) -> dict[Any, Floats]:
    """Indicators of cohort and period, with covariates by period and by cell when asked."""
    extra: dict[Any, Floats] = {}
    units = table.drop_duplicates("id")
    for t in sorted(table["t"].unique())[1:] if slopes else []:
        extra["x", t] = (table["x"] * (table["t"] == t)).to_numpy(float)
    for g in sorted(set(table["g"]) - {0}):
        for t in sorted(table["t"].unique()):
            if (t != g - 1) if leads else (t >= g):
                here = ((table["g"] == g) & (table["t"] == t)).to_numpy(float)
                extra[g, t] = here
                if slopes and not leads:
                    mean = units.loc[units["g"] == g, "x"].mean()
                    extra["slope", g, t] = here * (table["x"].to_numpy() - mean)
    return extra


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("covariates", [(), ("x",)])
def test_sun_abraham_is_the_regression_with_every_indicator(
    gaps: float, covariates: tuple[str, ...]
) -> None:
    table = panel(gaps=gaps)
    found = cells(SunAbraham().fit(design(table, covariates=covariates)))
    brute = least_squares(table, interactions(table, leads=True, slopes=bool(covariates)))
    assert len(found) == 18
    for key, value in found.items():
        assert value == pytest.approx(brute[key], abs=1e-9)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_extended_two_way_is_the_regression_with_every_indicator(gaps: float) -> None:
    table = panel(gaps=gaps)
    found = cells(ExtendedTwoWay().fit(design(table, covariates=("x",))))
    brute = least_squares(table, interactions(table, leads=False, slopes=True))
    assert len(found) == 10
    for key, value in found.items():
        assert value == pytest.approx(brute[key], abs=1e-9)


def test_extended_two_way_weighs_units() -> None:
    table = panel(gaps=0.15)
    found = cells(ExtendedTwoWay().fit(design(table, weight="w")))
    first = table.groupby("id")["w"].transform("first").to_numpy()
    extra = interactions(table, leads=False, slopes=False)
    brute = least_squares(table, extra, weight=first)
    assert found == {key: pytest.approx(brute[key], abs=1e-9) for key in found}


def test_extended_two_way_without_covariates_is_imputation() -> None:
    """Untreated rows give unit and period effects; what they predict is taken from treated rows."""
    table = panel()
    untreated = ((table["g"] == 0) | (table["t"] < table["g"])).to_numpy()
    columns, _ = dummies(table, {"none": np.zeros(len(table))})
    y = table["y"].to_numpy()
    fitted = columns @ np.linalg.lstsq(columns[untreated], y[untreated], rcond=None)[0]
    gained = table.assign(gain=y - fitted)[~untreated].groupby(["g", "t"])["gain"].mean()
    found = cells(ExtendedTwoWay().fit(design(table)))
    assert found == {key: pytest.approx(value, abs=1e-9) for key, value in gained.items()}


def test_extended_two_way_with_never_treated_controls_is_sun_abraham() -> None:
    made = design(panel(gaps=0.1))
    one = ExtendedTwoWay(control="never_treated").fit(made)
    pd.testing.assert_frame_equal(one.effects, SunAbraham().fit(made).effects)


def test_extended_two_way_does_as_pooled_least_squares() -> None:
    """On a panel without gaps, indicators of cohorts and the covariate stand for those of units."""
    table = panel()
    extra = interactions(table, leads=False, slopes=True)
    by_cohort = [((table["g"] == g) * 1.0).to_numpy() for g in (3, 5, 6)]
    x = table["x"].to_numpy()
    base = [np.ones(len(table)), x, *by_cohort, *(x * c for c in by_cohort)]
    periods = pd.get_dummies(table["t"]).to_numpy(float)[:, 1:]
    columns = np.column_stack([*base, periods, *extra.values()])
    solved = np.linalg.lstsq(columns, table["y"].to_numpy(), rcond=None)[0][-len(extra) :]
    brute = dict(zip(extra, solved, strict=True))
    found = cells(ExtendedTwoWay().fit(design(table, covariates=("x",))))
    assert found == {key: pytest.approx(brute[key], abs=1e-9) for key in found}


def test_stacked_is_the_weighted_regression_and_the_average_of_two_by_twos() -> None:
    table = panel()
    for weighting in ("corrective", "regression"):
        estimate = StackedDiD(
            before=2,
            after=1,
            weighting=weighting,  # type: ignore[arg-type]  # one of the two
            small_sample=False,
        ).fit(design(table))
        stacks = stacked_by_hand(table, before=2, after=1)
        wanted = stacked_regression(stacks, corrective=weighting == "corrective")
        for month in (-2, 0, 1):
            assert estimate.at(month)["estimate"] == pytest.approx(wanted[month][0], abs=1e-10)
            if weighting == "regression":  # whose weights are functions of the sample in both
                error = estimate.at(month)["std_error"]
                assert error == pytest.approx(wanted[month][1], rel=1e-9)


def stacked_by_hand(table: pd.DataFrame, *, before: int, after: int) -> pd.DataFrame:
    parts = []
    for g in (3, 5, 6):
        clean = (table["g"] == 0) | (table["g"] > g + after) | (table["g"] == g)
        window = table["t"].between(g - before, g + after)
        parts.append(table[clean & window].assign(stack=g, e=lambda t, g=g: t["t"] - g))
    return pd.concat(parts, ignore_index=True).assign(d=lambda t: (t["g"] == t["stack"]) * 1.0)


def stacked_regression(stacks: pd.DataFrame, *, corrective: bool) -> dict[int, tuple[float, float]]:
    """Points and standard errors clustered by unit, by month; effects of unit- and period-by-stack."""
    q = np.ones(len(stacks))
    if corrective:
        size = stacks[stacks["e"] == 0].groupby(["stack", "d"]).size().unstack().to_numpy(float)
        by_stack = dict(zip((3, 5, 6), corrective_weight(size[:, ::-1]), strict=True))
        q = np.where(stacks["d"] == 1, 1.0, stacks["stack"].map(by_stack))
    pair = stacks["stack"].astype(str) + "/"
    effects = [pd.get_dummies(pair + stacks[c].astype(str)).to_numpy(float) for c in ("id", "t")]
    months = (-2, 0, 1)
    d = [(stacks["d"] * (stacks["e"] == e)).to_numpy(float) for e in months]
    fixed, own, y = np.hstack(effects), np.column_stack(d), stacks["y"].to_numpy()
    root = np.sqrt(q)[:, None]
    left = np.linalg.lstsq(root * fixed, root * np.column_stack([own, y]), rcond=None)[0]
    apart = np.column_stack([own, y]) - fixed @ left
    own, y = apart[:, :3], apart[:, 3]
    inverse = np.linalg.inv(own.T @ (q[:, None] * own))
    point = inverse @ (own.T @ (q * y))
    scores = own * (q * (y - own @ point))[:, None]
    meat = pd.DataFrame(scores).groupby(stacks["id"].to_numpy()).sum().to_numpy()
    error = np.sqrt(np.diag(inverse @ (meat.T @ meat) @ inverse))
    return {e: (point[k], error[k]) for k, e in enumerate(months)}


def test_stacked_leaves_out_cohorts_whose_window_is_cut() -> None:
    estimate = StackedDiD(before=2, after=2).fit(design(panel()))
    assert sorted(estimate.effects.query("cohort >= 0")["cohort"].unique()) == [3, 5]
    lost = {reason: n for step in estimate.ledger.steps for reason, n in step.dropped}
    assert lost == {"outside_window": 15}  # the cohort of period 6, which serves as comparison only
    assert estimate.extras["window"] == (2, 2)


def test_stacked_by_hand() -> None:
    """Two cohorts of one and three units, one never treated: effects 2 and 4, so 3.5 over the treated."""
    units = ((1, 2, 2), (2, 3, 4), (3, 3, 4), (4, 3, 4), (5, 0, 0), (6, 0, 0))
    rows = [
        (unit, t, start, unit + t + (gain if start and t >= start else 0))
        for unit, start, gain in units
        for t in (1, 2, 3, 4)
    ]
    table = pd.DataFrame(rows, columns=["id", "t", "g", "y"])
    estimate = StackedDiD(before=1, after=1, control="never_treated").fit(design(table))
    assert estimate.at(0)["estimate"] == pytest.approx((1 * 2 + 3 * 4) / 4)
    # Treated 1 of 4 and 3 of 4, comparisons 2 of 4 in both.
    assert estimate.extras["corrective_weights"] == pytest.approx({2: 0.5, 3: 1.5})
    plain = StackedDiD(before=1, after=1, control="never_treated", weighting="regression").fit(
        design(table)
    )
    parts = np.array([1 * 2 / 3, 3 * 2 / 5])
    assert plain.at(0)["estimate"] == pytest.approx(parts @ [2, 4] / parts.sum())


@pytest.mark.parametrize(
    "estimator",
    [
        SunAbraham(small_sample=False),
        ExtendedTwoWay(small_sample=False),
        ExtendedTwoWay(small_sample=False, cluster="market", control="never_treated"),
        StackedDiD(small_sample=False),
        StackedDiD(small_sample=False, weighting="regression", cluster="market"),
    ],
)
def test_influence_is_what_a_unit_moves(estimator: Any) -> None:
    """Weighing one unit (all those of one market) a little more moves every effect by its influence."""
    gaps = 0.0 if isinstance(estimator, StackedDiD) else 0.15
    table = panel(gaps=gaps).assign(w=lambda t: t.groupby("id")["w"].transform("first"))
    roles = {"weight": "w", "market": "m"}
    fitted = estimator.fit(design(table, covariates=("x",), **roles))
    column = "m" if estimator.cluster == "market" else "id"
    values = fitted.uncertainty.values
    for number, name in list(enumerate(sorted(table[column].unique())))[::20]:
        step, moved = 1e-4, []
        for sign in (1, -1):
            heavier = table["w"] * np.where(table[column] == name, 1 + sign * step, 1.0)
            again = estimator.fit(design(table.assign(w=heavier), covariates=("x",), **roles))
            moved.append(again.effects["estimate"].to_numpy())
        slope = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(values[number], slope, atol=2e-7)


@pytest.mark.parametrize("name", ["SunAbraham", "ExtendedTwoWay"])
def test_without_never_treated_the_last_cohort_is_the_control(name: str) -> None:
    method = {"SunAbraham": SunAbraham, "ExtendedTwoWay": ExtendedTwoWay}[name]
    table = panel(never=False)
    cut = table[table["t"] < 6].assign(g=lambda t: t["g"].where(t["g"] < 6, 0))
    whole, by_hand = method().fit(design(table)), method().fit(design(cut))
    columns = ["cohort", "month", "estimate", "std_error"]
    pd.testing.assert_frame_equal(whole.effects[columns], by_hand.effects[columns])
    lost = {reason: n for step in whole.ledger.steps for reason, n in step.dropped}
    assert lost == {"nobody_untreated": 2}


def test_units_that_react_before_a_start_after_the_panel_count_until_they_do() -> None:
    table = panel()
    table["g"] = table["g"].where(table["g"] != 6, 8)  # one after the last period
    found = cells(ExtendedTwoWay(anticipation=1).fit(design(table)))
    reacting = (table["g"] == 8) & (table["t"] == 7)
    calm = table[~reacting].assign(g=lambda t: t["g"].where(t["g"] != 8, 0))
    wanted = cells(ExtendedTwoWay(anticipation=1).fit(design(calm)))
    assert found == {key: pytest.approx(value, abs=1e-10) for key, value in wanted.items()}


def test_effects_that_data_do_not_determine_have_no_row_and_are_counted() -> None:
    table = panel()
    table = table[~((table["g"] == 5) & (table["t"] < 5))]  # a cohort never seen before its start
    estimate = SunAbraham().fit(design(table))
    assert set(estimate.effects["cohort"]) == {-1, 3, 6}
    assert np.isfinite(estimate.effects["estimate"]).all()
    lost = {reason: n for step in estimate.ledger.steps for reason, n in step.dropped}
    assert lost["not_determined"] == 6


def test_units_seen_once_are_refused() -> None:
    table = panel()
    table["id"] = np.arange(len(table))
    with pytest.raises(WhatworksError, match="several periods"):
        SunAbraham().fit(design(table))


def test_irregular_periods_count_from_the_last_before_the_start() -> None:
    table = panel()
    table["t"] = table["t"].map({1: 1, 2: 2, 3: 4, 4: 5, 5: 8, 6: 9, 7: 12})
    table["g"] = table["g"].map({0: 0, 3: 4, 5: 8, 6: 9})
    found = cells(SunAbraham().fit(design(table)))
    regular = cells(SunAbraham().fit(design(panel())))
    assert sorted(found.values()) == pytest.approx(sorted(regular.values()))
    assert (8, 5) not in found  # three periods before, and the last one


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = design(panel(gaps=0.2), market="m")
    whole = SunAbraham(cluster="market").fit(made)
    for module in (by_period, summed):
        monkeypatch.setattr(module, "BLOCK", 64)
    read = SunAbraham(cluster="market").fit(made)
    np.testing.assert_allclose(
        read.uncertainty.covariance(), whole.uncertainty.covariance(), rtol=1e-9, atol=1e-14
    )
    monkeypatch.setattr(summed, "MOST_HELD", 10)
    bounded = SunAbraham(cluster="market").fit(made)
    assert not hasattr(bounded.uncertainty, "values")
    np.testing.assert_allclose(
        aggregate(bounded).effects["std_error"], aggregate(whole).effects["std_error"]
    )


def test_shares_add_to_the_error_of_averages() -> None:
    estimate = SunAbraham().fit(design(panel()))
    held = estimate.extras[CELLS]
    fixed = replace(
        estimate,
        extras={CELLS: replace(held, uncertainty=without_shares(held))},
    )
    known, estimated = (aggregate(e).effects["std_error"].iloc[0] for e in (fixed, estimate))
    assert known != pytest.approx(estimated, rel=1e-6)
    assert aggregate(fixed).effects["estimate"].iloc[0] == pytest.approx(
        aggregate(estimate).effects["estimate"].iloc[0]
    )


def without_shares(held: Any) -> Any:
    n_cells, n = held.effect.size, held.effect.size + held.share.size
    return held.uncertainty.combine(np.diag(np.arange(n) < n_cells).astype(float))


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (SunAbraham, {"gaps": "fill"}, "keep"),
        (ExtendedTwoWay, {"control": "all"}, "never_treated"),
        (SunAbraham, {"anticipation": -1}, "anticipation"),
        (StackedDiD, {"before": 1, "anticipation": 1}, "anticipation"),
        (StackedDiD, {"weighting": "none"}, "corrective"),
    ],
)
def test_options_are_held_to_what_they_can_be(
    method: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(WhatworksError, match=message):
        method(**options)


def test_no_cohort_with_a_whole_window_is_refused() -> None:
    with pytest.raises(WhatworksError, match="shorten before or after"):
        StackedDiD(before=4, after=4).fit(design(panel()))
