"""What averages, draws and methods are told wrongly is refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import whatworks as ww
from whatworks.errors import DesignRefused, OptionError


@pytest.fixture(name="design", scope="module")
def _design() -> ww.Design:
    rng = np.random.default_rng(4)
    unit, period = np.repeat(np.arange(60), 6), np.tile(np.arange(1, 7), 60)
    start = np.array([0, 3, 5])[np.arange(60) % 3][unit]
    table = pd.DataFrame(
        {"person": unit, "period": period, "start": start, "y": rng.normal(size=360)}
    )
    return ww.Design.from_panel(
        table, unit="person", period="period", first_treated="start", outcome="y"
    )


@pytest.fixture(name="estimate", scope="module")
def _estimate(design: ww.Design) -> ww.Estimate:
    return ww.CallawaySantAnna().fit(design)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"by": None}, "by"),
        ({"by": 3}, "by"),
        ({"by": "dynamic", "balanced": 1.5}, "balanced"),
        ({"by": "dynamic", "balanced": "2"}, "balanced"),
        ({"first": "1"}, "first"),
        ({"last": True}, "last"),
        ({"weights": {(3, 0): np.nan}}, "weights"),
        ({"weights": {(3, 0): np.inf}}, "weights"),
        ({"weights": {(3, 0): "a"}}, "weights"),
        ({"weights": [1, 2]}, "weights"),
        ({"weights": {(3, 0): 1.0}, "by": "cohort"}, "weights"),
        ({"weights": {(3, 0): 1.0}, "first": 1}, "weights"),
    ],
)
def test_averages_refuse_what_they_cannot_read(
    estimate: ww.Estimate, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(OptionError, match=rf"^{named}"):
        ww.aggregate(estimate, **options)


def test_only_estimates_are_averaged_and_redrawn(design: ww.Design) -> None:
    for act in (ww.aggregate, ww.bootstrap):
        with pytest.raises(OptionError, match=r"an estimate; found a Design"):
            act(design)  # type: ignore[arg-type]  # the point


def test_methods_are_fitted_on_designs_only(estimate: ww.Estimate) -> None:
    with pytest.raises(DesignRefused, match=r"a design; found a Estimate"):
        ww.SunAbraham().fit(estimate)  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize("draws", ["a", 99, 1000.5, None])
def test_draws_are_a_whole_number(estimate: ww.Estimate, draws: Any) -> None:
    with pytest.raises(OptionError, match=r"^draws"):
        ww.bootstrap(estimate, draws=draws)


def test_one_covariate_is_still_a_list() -> None:
    with pytest.raises(OptionError, match=r"list of names"):
        ww.CallawaySantAnna(covariates="age")  # type: ignore[arg-type]  # the point


def test_users_weights_sum_to_one(estimate: ww.Estimate) -> None:
    once = ww.aggregate(estimate, weights={(3, 0): 1, (5, 1): 3}).effects.iloc[0]
    many = ww.aggregate(estimate, weights={(3, 0): 10, (5, 1): 30}).effects.iloc[0]
    rows = estimate.effects.set_index(["cohort", "month"])["estimate"]
    assert once["estimate"] == pytest.approx(0.25 * rows[(3, 0)] + 0.75 * rows[(5, 1)], abs=1e-12)
    assert once["std_error"] == pytest.approx(many["std_error"], rel=1e-12)


def test_doors_name_the_object_they_take(design: ww.Design, estimate: ww.Estimate) -> None:
    method: Any = ww.CallawaySantAnna()
    wrong: list[tuple[str, Any]] = [
        ("stack", lambda: ww.stack(estimate)),  # type: ignore[arg-type]
        ("territories", lambda: ww.territories(estimate)),  # type: ignore[arg-type]
        ("assignment", lambda: ww.randomisation(design, method, assignment=None)),  # type: ignore[arg-type]
        ("few_clusters", lambda: ww.few_clusters(design, None)),  # type: ignore[arg-type]
        ("randomised", lambda: ww.few_clusters(design, estimate, randomised="x")),  # type: ignore[arg-type]
        ("roll_out", lambda: ww.roll_out(design, None)),  # type: ignore[arg-type]
    ]
    for what, act in wrong:
        with pytest.raises(OptionError, match=f"^{what}: needed an object") as caught:
            act()
        assert caught.value.remedy
