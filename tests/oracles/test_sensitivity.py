"""Intervals robust to trends that differ, and power of tests before the start, against R and Stata."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from oracles.reference import HERE
from whatworks.stats.did import conditional_test, sensitivity
from whatworks.stats.did.event_study import EventStudy
from whatworks.stats.did.pretest import detectable_slope, pretest

CASES = pd.read_csv(HERE / "rambachan_roth" / "reference.csv")
POWER = pd.read_csv(HERE / "roth_pretests" / "reference.csv")
N_PRE = {"medicaid": 5, "vat": 4}


def study(case: str, effect: str) -> EventStudy:
    table = pd.read_csv(HERE / "rambachan_roth" / f"input_{case}.csv")
    n_post = len(table) - N_PRE[case]
    first = np.eye(n_post)[0]
    return EventStudy(
        estimate=table["estimate"].to_numpy(),
        covariance=table.filter(like="covariance").to_numpy(),
        n_pre=N_PRE[case],
        weights=first if effect == "first" else np.full(n_post, 1 / n_post),
    )


def grid_step(told: pd.Series, asked: EventStudy) -> float:
    """Distance between the effects R tried: 20 standard errors either way, more under smoothness."""
    reach = 20 * asked.std_error
    if told["set"] == "smoothness":
        # R adds what trends allowed by M would move, were estimates all nil.
        ahead = np.arange(1.0, asked.n_post + 1)
        reach += told["departure"] * sum(
            abs(asked.weights[c:] @ (ahead[c:] - c)) for c in range(asked.n_post)
        )
    return float(2 * reach / (told["grid"] - 1))


@pytest.mark.parametrize("row", CASES.index)
def test_intervals_are_those_published(row: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told = CASES.loc[row]
    asked = study(told["case"], told["effect"])
    departure = np.array([told["departure"]])
    if told["method"] == "conditional":  # the hybrid without its first stage
        monkeypatch.setattr(conditional_test, "FIRST_STAGE", 0.0)
        monkeypatch.setattr(sensitivity, "least_favourable", lambda *_, **__: np.inf)
    if told["method"] == "fixed_length":
        found = sensitivity.smooth_fixed_length(asked, departure)
        # Half of the last digit printed, and the draws behind R's quantile.
        near = 1e-4 if told["case"] == "vat" else 2e-4 + 5e-4 * (abs(told["high"]) > 0.1)
    else:
        by = {
            "magnitude": sensitivity.relative_magnitudes,
            "smoothness": sensitivity.smooth_conditional,
        }
        found = by[told["set"]](asked, departure)
        near = grid_step(told, asked)
        if told["method"] == "hybrid":
            near *= 1.25  # 1,000 draws of the tail beyond 0.5 % move R's critical value
        near += 5e-4 * (told["source"] == "honestdid README (Stata)")  # three decimals
    assert found.low[0] == pytest.approx(told["low"], abs=near)
    if told["case"] == "vat" and told["effect"] == "mean":
        # R's grid ends at the figure it gives: its interval is open there.
        assert found.high[0] > told["high"]
    else:
        assert found.high[0] == pytest.approx(told["high"], abs=near)


@pytest.mark.parametrize("row", POWER.index)
def test_power_of_tests_before_the_start_is_that_of_r(row: int) -> None:
    told = POWER.loc[row]
    times = np.array([float(t) for t in str(told["periods"]).split()])
    k = times.size
    among = np.full((k + 1, k + 1), told["covariance"])
    np.fill_diagonal(among, told["variance"])
    if told["quantity"] == "slope":
        found = detectable_slope(times, among[:k, :k], power=told["argument"])
    else:
        trend = told["argument"] * np.append(times, 1.0)
        found = pretest(trend, among, n_pre=k).power
    assert found == pytest.approx(told["value"], abs=1e-4)


def test_every_row_is_of_a_kind_that_is_visited() -> None:
    """The tests above run over all rows; none may fall into a branch that is not its own."""
    assert len(CASES) == 26
    assert len(POWER) == 24
    kinds = {
        ("magnitude", "conditional"),
        ("magnitude", "hybrid"),
        ("smoothness", "conditional"),
        ("smoothness", "fixed_length"),
        ("smoothness", "hybrid"),
    }
    assert set(zip(CASES["set"], CASES["method"], strict=True)) == kinds
    assert set(POWER["quantity"]) == {"power", "slope"}


def test_breakdown_of_the_published_example() -> None:
    # The README: significance stands up to about twice the moves seen before, and to M of about 0.03
    # read off a grid of 0.01 (at 0.02 zero is out, at 0.03 it is in).
    asked = study("medicaid", "first")
    assert 1.5 < sensitivity.breakdown_magnitude(asked) < 2.0
    assert 0.02 < sensitivity.breakdown_smoothness(asked, most=0.1) < 0.03
