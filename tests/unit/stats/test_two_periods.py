"""Formulas of two groups and two periods: by hand, by their derivatives, and by what they must not see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from whatworks.errors import DesignRefused
from whatworks.stats.did import two_cross_sections as cross
from whatworks.stats.did import two_periods as panel

PANEL = [
    panel.traditional,
    panel.improved,
    panel.regression,
    panel.standardised_inverse_probability,
    panel.inverse_probability,
]
CROSS = [
    cross.traditional,
    cross.traditional_one_regression,
    cross.improved,
    cross.improved_one_regression,
    cross.regression,
    cross.standardised_inverse_probability,
    cross.inverse_probability,
    cross.two_way_fixed_effects,
]
TILTED = (panel.improved, cross.improved, cross.improved_one_regression)
"""Their influence leaves out what vanishes as samples grow."""
LINEARISED = [function for function in (*PANEL, *CROSS) if function not in TILTED]


def named(function: Callable[..., Any]) -> str:
    return f"{function.__module__.rsplit('.', 1)[1]}.{function.__name__}"


def world(n: int = 300, *, seed: int = 3, m: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) * [1.0, 40.0] + [0.0, 300.0]
    treated = rng.random(n) < 1 / (1 + np.exp(0.3 - 0.6 * x[:, 0]))
    after = rng.random(n) < 0.45
    y = rng.normal(size=(n, m)) + x[:, :1] * (1 + after[:, None]) + (treated & after)[:, None]
    weight = rng.uniform(0.5, 2.0, n)
    return {"y": y, "after": after, "treated": treated, "x": x, "weight": weight}


def fit(function: Callable[..., Any], w: dict[str, np.ndarray]) -> Any:
    known = {"treated": w["treated"], "covariates": w["x"], "weight": w["weight"]}
    if function in CROSS:
        known["after"] = w["after"]
    return function(w["y"], **known)


# Eight units, a covariate of two values, changes by hand:
#   treated  x=0: 5        x=1: 7, 9, 11
#   others   x=0: 1, 3, 2  x=1: 6
# Line of the others: 2 at x=0, 6 at x=1. Treated less line: 3, 1, 3, 5, mean 3: doubly robust and
# regression. Odds: 1/3 at x=0, 3 at x=1; weighted mean of the others (2 + 18)/4 = 5, of the treated 8.
HAND = {
    "y": np.array([5.0, 7, 9, 11, 1, 3, 2, 6])[:, None],
    "treated": np.arange(8) < 4,
    "x": np.array([0.0, 1, 1, 1, 0, 0, 0, 1])[:, None],
    "weight": np.ones(8),
}


@pytest.mark.parametrize("function", PANEL, ids=named)
def test_eight_units_by_hand(function: Callable[..., Any]) -> None:
    # A covariate of two values is a table: all five estimators are the same mean of four gaps.
    assert fit(function, HAND).effect[0] == pytest.approx(3.0, abs=1e-9)


def test_eight_units_by_hand_without_covariates() -> None:
    bare = {**HAND, "x": np.empty((8, 0))}
    for function in PANEL:
        found = fit(function, bare)
        # Means 8 and 3; variances of means (9+1+1+9)/16 and (4+0+1+9)/16.
        assert found.effect[0] == pytest.approx(5.0, abs=1e-9)
        assert (found.influence**2).sum() == pytest.approx(20 / 16 + 14 / 16, rel=1e-9)


@pytest.mark.parametrize("function", LINEARISED, ids=named)
def test_influence_is_the_derivative_in_every_weight(function: Callable[..., Any]) -> None:
    w = world(80)
    found, step = fit(function, w), 1e-4
    for i in range(0, 80, 3):
        moved = []
        for sign in (1, -1):
            weight = w["weight"].copy()
            weight[i] *= 1 + sign * step
            moved.append(fit(function, {**w, "weight": weight}).effect)
        slope = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(found.influence[i], slope, rtol=2e-5, atol=1e-8)


@pytest.mark.parametrize("function", [*PANEL, *CROSS], ids=named)
def test_influence_sums_to_zero_and_several_outcomes_are_as_one(
    function: Callable[..., Any],
) -> None:
    w = world()
    found = fit(function, w)
    np.testing.assert_allclose(found.influence.sum(axis=0), 0.0, atol=1e-8)
    alone = fit(function, {**w, "y": w["y"][:, 1:]})
    np.testing.assert_allclose(found.effect[1:], alone.effect, rtol=1e-11)
    np.testing.assert_allclose(found.influence[:, 1:], alone.influence, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("function", [*PANEL, *CROSS], ids=named)
def test_a_weight_is_a_repetition(function: Callable[..., Any]) -> None:
    w = world()
    times = 1 + np.arange(300) % 3
    once = fit(function, {**w, "weight": times.astype(float)})
    rows = np.repeat(np.arange(300), times)
    again = fit(function, {k: v[rows] for k, v in w.items()} | {"weight": np.ones(rows.size)})
    np.testing.assert_allclose(again.effect, once.effect, rtol=1e-8)
    sums = np.zeros_like(once.influence)
    np.add.at(sums, rows, again.influence)
    np.testing.assert_allclose(sums, once.influence, rtol=1e-6, atol=1e-11)


@pytest.mark.parametrize("function", [*PANEL, *CROSS], ids=named)
def test_units_of_covariates_change_nothing(function: Callable[..., Any]) -> None:
    w = world()
    moved = {**w, "x": w["x"] @ np.array([[2.0, 0.3], [0.0, 1e4]]) + [1e3, -5.0]}
    np.testing.assert_allclose(fit(function, moved).effect, fit(function, w).effect, rtol=1e-7)


def test_a_panel_written_as_two_cross_sections_has_the_same_effect_without_covariates() -> None:
    w = world()
    change = w["y"][:, 1:] - w["y"][:, :1]
    followed = panel.regression(
        change, treated=w["treated"], covariates=np.empty((300, 0)), weight=w["weight"]
    )
    stacked = cross.traditional(
        w["y"].T.reshape(-1, 1),
        after=np.repeat([False, True], 300),
        treated=np.tile(w["treated"], 2),
        covariates=np.empty((600, 0)),
        weight=np.tile(w["weight"], 2),
    )
    assert stacked.effect == pytest.approx(followed.effect, rel=1e-11)
    both = stacked.influence.reshape(2, 300).sum(axis=0)
    np.testing.assert_allclose(both, followed.influence[:, 0], rtol=1e-8, atol=1e-13)


def test_doubly_robust_is_the_difference_of_means_where_arms_balance() -> None:
    x = np.tile([[0.0], [1.0], [2.0]], (8, 1))
    treated = np.arange(24) < 12
    y = np.random.default_rng(5).normal(size=(24, 1))
    plain = y[treated].mean() - y[~treated].mean()
    for function in PANEL:
        found = function(y, treated=treated, covariates=x, weight=np.ones(24))
        assert found.effect[0] == pytest.approx(plain, abs=1e-9)


def test_comparisons_almost_certain_to_be_treated_carry_no_weight() -> None:
    rng = np.random.default_rng(8)
    x = np.concatenate([rng.normal(3.2, 1, 400), rng.normal(0, 1, 400), [5.9]])[:, None]
    treated = np.arange(801) < 400
    y = x + rng.normal(size=(801, 1))
    y[-1] = 1e6
    known = {"treated": treated, "covariates": x, "weight": np.ones(801)}
    for function in (panel.standardised_inverse_probability, panel.inverse_probability):
        found = function(y, **known)
        assert found.trimmed >= 1
        assert abs(found.effect[0]) < 100
    assert panel.regression(y, **known).trimmed == 0


def test_refusals_name_what_is_wrong() -> None:
    w = world()
    repeated = {**w, "x": np.column_stack([w["x"], w["x"][:, 0] - 2 * w["x"][:, 1]])}
    flat = {**w, "x": np.column_stack([w["x"], np.where(w["treated"], w["x"][:, 0], 7.0)])}
    apart = {**w, "x": np.where(w["treated"], 1.0, -1.0)[:, None] + 0.1 * w["x"][:, :1]}
    for function in (*PANEL, *CROSS):
        with pytest.raises(DesignRefused, match="collinear"):
            fit(function, repeated)
    for function in (panel.regression, cross.regression):
        with pytest.raises(DesignRefused, match="among the comparisons"):
            fit(function, flat)
    for function in (panel.traditional, cross.standardised_inverse_probability):
        with pytest.raises(DesignRefused, match="propensity"):
            fit(function, apart)
    for function in (panel.improved, cross.improved):
        with pytest.raises(DesignRefused, match="balance"):
            fit(function, apart)
