"""Rolling transformations by hand and by brute force, and the exact law with one treated unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from whatworks import Design, RollingDiD, WhatworksError, aggregate
from whatworks.stats.did.rolling import exact_regression, rolled


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


def panel(*, n: int = 90, seed: int = 3, treated: int | None = None) -> pd.DataFrame:
    """Cohorts of periods 3 and 5 out of 6 and others never; or a few treated in period 4."""
    rng = np.random.default_rng(seed)
    unit, period = np.repeat(np.arange(n), 6), np.tile(np.arange(1, 7), n)
    if treated is None:
        start = np.array([0, 3, 5])[np.arange(n) % 3][unit]
    else:
        start = np.where(np.arange(n) < treated, 4, 0)[unit]
    x = (rng.normal(size=n) + 0.3 * (np.arange(n) % 3))[unit]
    gain = np.where((start > 0) & (period >= start), 1 + 0.5 * x, 0.0)
    y = rng.normal(size=n)[unit] + 0.2 * period * (1 + x) + gain + rng.normal(size=unit.size)
    table = pd.DataFrame({"id": unit, "t": period, "g": start, "x": x, "y": y})
    table["w"] = rng.uniform(0.5, 2.0, n)[unit]
    return table


def cells(estimate: Any) -> dict[tuple[int, int], float]:
    rows = estimate.effects.query("cohort >= 0")
    return {(int(r.cohort), int(r.cohort + r.month)): float(r.estimate) for r in rows.itertuples()}


def test_what_is_left_of_a_path_by_hand() -> None:
    periods = np.array([1, 2, 4, 5])
    before = np.array([True, True, True, False])
    values = np.array([[1.0, 3.0, 7.0, 11.0], [2.0, 2.0, 2.0, 5.0]])
    mean = rolled(values, periods, before=before, detrend=False)
    line = rolled(values, periods, before=before, detrend=True)
    np.testing.assert_allclose(mean.ravel(), [11 - 11 / 3, 3.0])
    np.testing.assert_allclose(line.ravel(), [11 - 9, 3.0])  # the first goes up by two a period


@pytest.mark.parametrize("detrend", [False, True])
def test_effects_are_those_of_a_cross_section_of_what_is_left(detrend: bool) -> None:
    """Regression with everything interacted, as in the paper: the coefficient of treatment."""
    table = panel()
    found = cells(RollingDiD(detrend=detrend).fit(design(table, covariates=("x",))))
    wide = table.pivot(index="id", columns="t", values="y").to_numpy()
    units = table.drop_duplicates("id")
    g, x = units["g"].to_numpy(), units["x"].to_numpy()
    for (cohort, t), value in found.items():
        past = np.arange(1, cohort)
        line = [np.polyfit(past, row[: cohort - 1], 1 if detrend else 0) for row in wide]
        left = wide[:, t - 1] - [np.polyval(coefficients, t) for coefficients in line]
        used = (g == cohort) | (g == 0) | (g > t)
        d = (g == cohort)[used] * 1.0
        centred = x[used] - x[g == cohort].mean()
        fitted = sm.OLS(left[used], sm.add_constant(np.column_stack([d, centred, d * centred])))
        assert value == pytest.approx(fitted.fit().params[1], abs=1e-10)
    assert set(found) == {(3, 3), (3, 4), (3, 5), (3, 6), (5, 5), (5, 6)}


def test_weighted_regression_by_brute_force() -> None:
    table = panel()
    method = RollingDiD(adjustment="doubly_robust", control="never_treated")
    found = cells(method.fit(design(table, covariates=("x",))))
    wide = table.pivot(index="id", columns="t", values="y").to_numpy()
    units = table.drop_duplicates("id")
    used = (units["g"] != 5).to_numpy()
    d, x = (units["g"] == 3).to_numpy(float)[used], sm.add_constant(units["x"].to_numpy()[used])
    left = (wide[:, 3] - wide[:, :2].mean(axis=1))[used]
    chance = sm.Logit(d, x).fit(disp=0, tol=1e-13).predict()
    among = d == 0
    odds = (chance / (1 - chance))[among]
    line = sm.WLS(left[among], x[among], weights=odds).fit()
    assert found[3, 4] == pytest.approx((left - line.predict(x))[d == 1].mean(), abs=1e-8)


@pytest.mark.parametrize("adjustment", ["regression", "inverse_probability", "doubly_robust"])
def test_influence_is_what_a_unit_moves(adjustment: Any) -> None:
    table = panel()
    estimator = RollingDiD(adjustment=adjustment, detrend=True, small_sample=False)
    fitted = estimator.fit(design(table, covariates=("x",), weight="w"))
    for unit in (0, 46):
        step, moved = 1e-4, []
        for sign in (1, -1):
            heavier = table["w"] * np.where(table["id"] == unit, 1 + sign * step, 1.0)
            again = estimator.fit(design(table.assign(w=heavier), covariates=("x",), weight="w"))
            moved.append(again.effects["estimate"].to_numpy())
        slope = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(fitted.uncertainty.values[unit], slope, atol=2e-7)


def test_exact_law_is_that_of_the_regression() -> None:
    """Classical standard errors and Student's t of a regression on the mean of what is left."""
    table = panel(n=25, treated=6)
    estimate = RollingDiD(inference="exact").fit(design(table, covariates=("x",)))
    row = aggregate(estimate).effects.iloc[0]
    wide = table.pivot(index="id", columns="t", values="y").to_numpy()
    units = table.drop_duplicates("id")
    d, x = (units["g"] == 4).to_numpy(float), units["x"].to_numpy()
    left = wide[:, 3:].mean(axis=1) - wide[:, :3].mean(axis=1)
    centred = x - x[d == 1].mean()
    fitted = sm.OLS(left, sm.add_constant(np.column_stack([d, centred, d * centred]))).fit()
    assert row["estimate"] == pytest.approx(fitted.params[1], rel=1e-10)
    assert row["std_error"] == pytest.approx(fitted.bse[1], rel=1e-10)
    assert row["p_value"] == pytest.approx(fitted.pvalues[1], rel=1e-9)
    assert (row["conf_low"], row["conf_high"]) == pytest.approx(tuple(fitted.conf_int()[1]))


def test_one_treated_unit_is_held_against_the_spread_of_the_others() -> None:
    rng = np.random.default_rng(1)
    change, treated = rng.normal(size=(12, 1)), np.arange(12) == 0
    found = exact_regression(change, treated=treated, covariates=np.empty((12, 0)))
    assert found is not None
    others = change[1:, 0]
    assert found.df == 10
    assert found.effect[0] == pytest.approx(change[0, 0] - others.mean())
    assert found.covariance[0, 0] == pytest.approx(others.var(ddof=1) * (1 + 1 / 11))
    # Too few treated for a line of their own: the comparisons' residuals alone.
    covariates = rng.normal(size=(12, 1))
    line = sm.OLS(others, sm.add_constant(covariates[1:])).fit()
    ahead = line.get_prediction(np.array([[1.0, covariates[0, 0]]]))
    lined = exact_regression(change, treated=treated, covariates=covariates)
    assert lined is not None
    assert lined.df == 9
    assert lined.covariance[0, 0] == pytest.approx(ahead.var_pred_mean[0] + line.scale)
    none_left = exact_regression(change[:3], treated=treated[:3], covariates=covariates[:3])
    assert none_left is None


@pytest.mark.parametrize(
    ("table", "options", "roles", "message"),
    [
        (panel(), {"inference": "exact"}, {}, "one cohort"),
        (panel(n=20, treated=3), {"inference": "exact"}, {"weight": "w"}, "weights"),
        (panel(n=20, treated=3), {"inference": "exact", "detrend": True}, {}, None),
    ],
)
def test_exact_inference_is_refused_where_it_does_not_hold(
    table: pd.DataFrame, options: dict[str, Any], roles: dict[str, str], message: str | None
) -> None:
    if message is None:
        assert RollingDiD(**options).fit(design(table, **roles)).at(0)["std_error"] > 0
        return
    with pytest.raises(WhatworksError, match=message):
        RollingDiD(**options).fit(design(table, **roles))


def test_exact_inference_is_of_a_regression_of_persons() -> None:
    for options in ({"adjustment": "doubly_robust"}, {"cluster": "market"}):
        with pytest.raises(WhatworksError, match="inference='robust'"):
            RollingDiD(inference="exact", **options)  # type: ignore[arg-type]  # of either kind


def test_a_cohort_without_a_line_is_left_out_and_counted() -> None:
    table = panel().assign(g=lambda t: t["g"].replace(3, 2))
    estimate = RollingDiD(detrend=True).fit(design(table))
    assert set(estimate.effects["cohort"]) == {-1, 5}
    lost = {reason: n for step in estimate.ledger.steps for reason, n in step.dropped}
    assert lost == {"history_too_short": 30}


def test_nobody_left_to_compare_has_no_effect() -> None:
    table = panel()
    table["g"] = table["g"].replace(0, 5)
    estimate = RollingDiD().fit(design(table))
    assert set(cells(estimate)) == {(3, 3), (3, 4)}
    lost = {reason: n for step in estimate.ledger.steps for reason, n in step.dropped}
    assert lost == {"no_comparison": 60}
