"""Adjusted, doubly robust, by group, quantile and ranked effects, against second implementations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit

from whatworks import (
    Design,
    DoublyRobust,
    Everyone,
    Exact,
    GroupRanking,
    MatchedDifference,
    NearestNeighbours,
    QuantileEffects,
    RegressionAdjustment,
    by_group,
)
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.columns import Units
from whatworks.estimate.nuisance import Splitting, ordered

ESTIMANDS = ("ATT", "ATC", "ATE", "ATO")


def world(n: int, seed: int, *, alike: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, sex = rng.normal(size=n), rng.integers(0, 2, n)
    d = (rng.random(n) < expit(-0.6 + 0.6 * x + 0.3 * sex)).astype(int)
    gain = 1.0 if alike else 1 + x + sex
    y = x + 0.3 * x**2 + 0.5 * sex + d * gain + rng.normal(size=n)
    return pd.DataFrame({"d": d, "x": x, "sex": sex, "y": y, "person": np.arange(n)})


def design(table: pd.DataFrame, estimand: str = "ATT") -> Design:
    whole = Design.from_cross_section(
        table, treatment="d", outcome="y", covariates=["x", "sex"], person="person"
    )
    return replace(whole, question=replace(whole.question, estimand=estimand))


def sandwich(
    moments: Callable[[np.ndarray], np.ndarray], theta: np.ndarray, *, step: float = 1e-6
) -> np.ndarray:
    """Covariance of a stacked M-estimator by numerical derivatives."""
    jacobian = np.column_stack(
        [
            (moments(theta + h).sum(axis=0) - moments(theta - h).sum(axis=0)) / (2 * step)
            for h in step * np.eye(theta.size)
        ]
    )
    bread = np.linalg.inv(jacobian)
    each = moments(theta)
    return np.asarray(bread @ each.T @ each @ bread.T)


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_doubly_robust_is_its_stack_of_estimating_equations(estimand: str) -> None:
    table = world(400, 3)  # the outcome is not linear: standard errors must hold all the same
    z = np.column_stack([np.ones(len(table)), table["x"], table["sex"]])
    d, y = table["d"].to_numpy(), table["y"].to_numpy()
    gamma = sm.Logit(d, z).fit(disp=0, tol=1e-14, maxiter=100).params
    beta = [sm.OLS(y[d == k], z[d == k]).fit().params for k in (0, 1)]

    def weights(e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        h = {"ATT": e, "ATC": 1 - e, "ATE": 1 + 0 * e, "ATO": e * (1 - e)}[estimand]
        slope = {"ATT": 1, "ATC": -1, "ATE": 0, "ATO": 1 - 2 * e}[estimand]
        return h + slope * (d - e), np.where(d == 1, h / e, h / (1 - e))

    def moments(theta: np.ndarray) -> np.ndarray:
        g, b0, b1, (overall, up, down) = np.split(theta, [3, 6, 9])
        e = expit(z @ g)
        a, b = weights(e)
        m0, m1 = z @ b0, z @ b1
        return np.column_stack(
            [
                (d - e)[:, None] * z,
                ((1 - d) * (y - m0))[:, None] * z,
                (d * (y - m1))[:, None] * z,
                a * (m1 - m0 - overall),
                d * b * (y - m1 - up),
                (1 - d) * b * (y - m0 - down),
            ]
        )

    a, b = weights(expit(z @ gamma))
    m0, m1 = z @ beta[0], z @ beta[1]
    parts = [
        np.average(m1 - m0, weights=a),
        np.average((y - m1)[d == 1], weights=b[d == 1]),
        np.average((y - m0)[d == 0], weights=b[d == 0]),
    ]
    covariance = sandwich(moments, np.concatenate([gamma, *beta, parts]))
    form = np.array([1.0, 1.0, -1.0])
    n = len(table)
    wanted = np.sqrt(form @ covariance[-3:, -3:] @ form * n / (n - 1))
    found = DoublyRobust().fit(design(table, estimand)).at(0)
    assert found["estimate"] == pytest.approx(form @ parts, rel=1e-9)
    assert found["std_error"] == pytest.approx(wanted, rel=1e-5)


def test_cross_fitted_is_a_loop_over_folds() -> None:
    table, folds = world(300, 4), 4
    whole = design(table, "ATE")
    units = Units.of(whole, cluster="person")
    split = Splitting.of(
        units,
        ordered(units, whole.outcomes.values),
        folds=folds,
        rng=np.random.default_rng(0),
    )
    z = np.column_stack([np.ones(len(table)), table["x"], table["sex"]])
    d, y = table["d"].to_numpy(), table["y"].to_numpy()
    e, m = np.empty(len(y)), np.empty((2, len(y)))
    for k in range(folds):
        out = split.fold == k
        e[out] = sm.Logit(d[~out], z[~out]).fit(disp=0, tol=1e-14).predict(z[out])
        for arm in (0, 1):
            rows = ~out & (d == arm)
            m[arm][out] = sm.OLS(y[rows], z[rows]).fit().predict(z[out])
    b1, b0 = d / e, (1 - d) / (1 - e)
    up, down = np.average(y - m[1], weights=b1), np.average(y - m[0], weights=b0)
    effect = (m[1] - m[0]).mean() + up - down
    n = len(y)
    score = (
        (m[1] - m[0] - (m[1] - m[0]).mean()) / n
        + b1 * (y - m[1] - up) / b1.sum()
        - b0 * (y - m[0] - down) / b0.sum()
    )
    found = DoublyRobust(folds=folds).fit(whole).at(0)
    assert found["estimate"] == pytest.approx(effect, rel=1e-9)
    assert found["std_error"] == pytest.approx(np.sqrt((score**2).sum() * n / (n - 1)), rel=1e-8)


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_regression_adjustment_is_its_stack_of_estimating_equations(estimand: str) -> None:
    table = world(250, 5)
    z = np.column_stack([np.ones(len(table)), table["x"], table["sex"]])
    d, y = table["d"].to_numpy(), table["y"].to_numpy()
    target = {"ATT": d, "ATC": 1 - d, "ATE": np.ones_like(d)}[estimand]

    def moments(theta: np.ndarray) -> np.ndarray:
        b0, b1, effect = theta[:3], theta[3:6], theta[6]
        return np.column_stack(
            [
                ((1 - d) * (y - z @ b0))[:, None] * z,
                (d * (y - z @ b1))[:, None] * z,
                target * (z @ (b1 - b0) - effect),
            ]
        )

    beta = [sm.OLS(y[d == k], z[d == k]).fit().params for k in (0, 1)]
    effect = np.average(z @ (beta[1] - beta[0]), weights=target)
    covariance = sandwich(moments, np.concatenate([*beta, [effect]]))
    n = len(y)
    found = RegressionAdjustment().fit(design(table, estimand)).at(0)
    assert found["estimate"] == pytest.approx(effect, rel=1e-10)
    assert found["std_error"] == pytest.approx(np.sqrt(covariance[-1, -1] * n / (n - 6)), rel=1e-6)


def months(table: pd.DataFrame, values: np.ndarray, weights: np.ndarray | None = None) -> Design:
    one = design(table)
    outcomes = replace(
        one.outcomes, months=tuple(range(values.shape[1])), values=values, weights=weights
    )
    return replace(one, outcomes=outcomes)


@pytest.mark.parametrize("method", [RegressionAdjustment(), DoublyRobust()])
def test_a_month_without_outcome_is_read_on_the_others(method: RegressionAdjustment) -> None:
    table = world(200, 6)
    y = np.column_stack([table["y"], table["y"]])
    gone = np.arange(200) % 5 == 0
    y[gone, 1] = np.nan
    found = method.fit(months(table, y)).effects
    alone = RegressionAdjustment().fit(design(table[~gone].reset_index(drop=True))).at(0)
    if isinstance(method, RegressionAdjustment):
        assert found["estimate"][1] == pytest.approx(alone["estimate"])
        assert found["std_error"][1] == pytest.approx(alone["std_error"])
    whole = method.fit(design(table)).at(0)
    assert found["estimate"][0] == pytest.approx(whole["estimate"])
    assert found["n_treated"][1] == ((table["d"] == 1) & ~gone).sum()


def test_monthly_weights_count_units_as_often_and_the_censored_not_at_all() -> None:
    table = world(200, 7)
    weights = np.column_stack([np.ones(200), np.arange(200) % 3])
    y = np.column_stack([table["y"], table["y"]])
    found = RegressionAdjustment().fit(months(table, y, weights)).effects["estimate"]
    again = table.loc[np.repeat(np.arange(200), weights[:, 1].astype(int))].reset_index(drop=True)
    assert found[1] == pytest.approx(RegressionAdjustment().fit(design(again)).at(0)["estimate"])


def test_groups_declared_are_fits_on_each_and_their_difference() -> None:
    table = world(400, 8)
    found = DoublyRobust(by=("sex",)).fit(design(table))
    rows = found.effects.set_index(["term", "group"])
    alone = [
        DoublyRobust().fit(design(table[table["sex"] == k].reset_index(drop=True))).at(0)
        for k in (0, 1)
    ]
    for k in (0, 1):
        here = rows.loc[("att", f"sex={k}")]
        assert here["estimate"] == pytest.approx(alone[k]["estimate"], rel=1e-8)
        assert here["std_error"] == pytest.approx(alone[k]["std_error"], rel=1e-8)
    gap = rows.loc[("difference", "sex=1 - sex=0")]
    assert gap["estimate"] == pytest.approx(alone[1]["estimate"] - alone[0]["estimate"])
    both = np.hypot(alone[0]["std_error"], alone[1]["std_error"])
    assert gap["std_error"] == pytest.approx(both, rel=1e-8)  # groups share nobody
    equality = found.extras["equality"].iloc[0]
    assert equality["statistic"] == pytest.approx((gap["estimate"] / both) ** 2, rel=1e-8)
    assert equality["p_value"] == pytest.approx(gap["p_value"], rel=1e-6)


def test_groups_of_matched_units_keep_their_matches() -> None:
    matched = design(world(300, 9)).matched(using=NearestNeighbours())
    method = MatchedDifference()
    rows = by_group(method.fit, matched, ("sex",), method=method).effects.set_index("group")
    treated = rows["n_treated"]
    assert treated["sex=0"] + treated["sex=1"] == treated["all"]
    parts = rows.loc[["sex=0", "sex=1"]]
    assert np.average(parts["estimate"], weights=parts["n_treated"]) == pytest.approx(
        rows.loc["all", "estimate"]
    )


def test_an_unknown_group_is_named_with_its_nearest() -> None:
    with pytest.raises(OptionError, match="sexe"):
        RegressionAdjustment(by=("sexe",)).fit(design(world(60, 1)))


def test_trimming_leaves_out_and_counts() -> None:
    whole = design(world(500, 10))
    found = DoublyRobust(trim=0.4).fit(whole)
    dropped = found.ledger.frame().query("reason == 'outside_overlap'")["dropped"].sum()
    assert dropped == found.extras["trimmed"] > 0
    assert found.at(0)[["n_treated", "n_comparison"]].sum() == 500 - dropped


def test_everyone_is_for_methods_that_adjust() -> None:
    whole = design(world(200, 11))
    every = whole.matched(using=Everyone(), estimand="ATE")
    assert DoublyRobust().fit(every).term == "ate"
    with pytest.raises(DesignRefused, match="weights"):
        QuantileEffects().fit(every)


def test_a_learner_of_ones_own_must_be_cross_fitted() -> None:
    with pytest.raises(OptionError, match="folds"):
        DoublyRobust(outcome="sklearn.linear_model.Ridge()")
    forest = "sklearn.tree.DecisionTreeRegressor(max_depth=3, min_samples_leaf=10)"
    found = DoublyRobust(outcome=forest, folds=3).fit(design(world(300, 12))).at(0)
    assert found["std_error"] > 0


def test_weights_come_from_one_place() -> None:
    matched = design(world(200, 13)).matched(using=NearestNeighbours())
    assert DoublyRobust().fit(matched).at(0)["std_error"] > 0
    with pytest.raises(DesignRefused, match="one place"):
        DoublyRobust(propensity="logit").fit(matched)


def test_quantiles_with_a_mass_by_hand() -> None:
    # Treated 0, 4, 6, 8; others 0, 0, 2, 6. Medians 4 and 0; at ¾, 6 and 2; three and two have something.
    table = pd.DataFrame(
        {
            "d": [1] * 4 + [0] * 4,
            "y": [0.0, 4, 6, 8, 0, 0, 2, 6],
            "x": 1,
            "sex": 0,
            "person": range(8),
        }
    )
    drawn = Design.from_cross_section(table, treatment="d", outcome="y", randomised=True)
    found = QuantileEffects(quantiles=(0.1, 0.5, 0.75), thresholds=(0.0, 5.0)).fit(drawn)
    rows = found.effects.set_index("group")
    assert rows["estimate"][["all", "q0.1", "q0.5", "q0.75"]].tolist() == [2.5, 0, 4, 4]
    assert rows["estimate"][[">0", ">5"]].tolist() == pytest.approx([25, 25])
    assert rows["unit"][">0"] == "pp"
    # Shares ¾ and ½: variances 3/16/4 and 1/4/4, small sample 8/7.
    wanted = 100 * np.sqrt((3 / 64 + 1 / 16) * 8 / 7)
    assert rows["std_error"][">0"] == pytest.approx(wanted)


def test_quantiles_on_a_matched_design_follow_its_weights() -> None:
    matched = design(world(400, 14)).matched(using=Exact(on=("sex",)))
    found = QuantileEffects().fit(matched)
    mean = found.effects.iloc[0]
    units = matched.units
    y, w, d = matched.outcomes.values[:, 0], units["weight"].to_numpy(), units["treated"].to_numpy()
    assert mean["estimate"] == pytest.approx(
        np.average(y[d], weights=w[d]) - np.average(y[~d], weights=w[~d])
    )
    curve = found.effects[found.effects["term"] == "quantile"]
    assert (
        (curve["band_high"] - curve["band_low"]) > (curve["conf_high"] - curve["conf_low"])
    ).all()


def test_ranking_finds_who_gains_and_nobody_where_all_gain_alike() -> None:
    table = world(3_000, 15)
    linear = table.assign(y=table["y"] - 0.3 * table["x"] ** 2)
    found = GroupRanking(splits=20).fit(design(linear, "ATE"))
    gates = found.effects[found.effects["term"] == "gates"]["estimate"]
    assert gates.is_monotonic_increasing
    assert found.extras["blp"]["conf_low"].iloc[0] > 0
    assert found.extras["blp"]["estimate"].iloc[0] == pytest.approx(1, abs=0.15)
    traits = found.extras["clan"].set_index("covariate")
    assert traits.loc["x", "conf_low"] > 0
    alike = GroupRanking(splits=20).fit(design(world(3_000, 16, alike=True), "ATE"))
    last = alike.effects[alike.effects["term"] == "difference"].iloc[0]
    assert last["conf_low"] < 0 < last["conf_high"]
