"""Curves of the dose by hand, against least squares of statsmodels, and where they are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from whatworks import ContinuousDose, Design, WhatworksError, aggregate

ROLES = {
    "unit": "unit",
    "period": "period",
    "first_treated": "start",
    "outcome": "y",
    "dose": "hours",
}


def rollout(table: pd.DataFrame, **more: Any) -> Design:
    return Design.from_panel(table, **{**ROLES, **more})


def by_hand() -> pd.DataFrame:
    """Hours 10, 20, 30, 40 gain 3, 5, 7, 9; two untreated units gain 1 and 3."""
    gains = [3.0, 5, 7, 9, 1, 3]
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(6), 2),
            "period": np.tile([1, 2], 6),
            "start": np.repeat([2, 2, 2, 2, 0, 0], 2),
            "hours": np.repeat([10.0, 20, 30, 40, 0, 0], 2),
            "y": np.ravel([[1.0 * k, 1.0 * k + gain] for k, gain in enumerate(gains)]),
        }
    )


def two_periods(n: int = 300, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.6
    hours = np.where(treated, rng.uniform(5, 60, n), 0.0)
    gain = np.where(treated, 0.1 * hours - 0.001 * hours**2 + rng.normal(size=n) * hours / 30, 0.0)
    level, change = rng.normal(size=n), 0.5 + rng.normal(size=n) + gain
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), 2),
            "period": np.tile([1, 2], n),
            "start": np.repeat(np.where(treated, 2, 0), 2),
            "hours": np.repeat(hours, 2),
            "y": np.column_stack([level, level + change]).ravel(),
        }
    )


def staggered(seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n, periods = 240, np.arange(1, 7)
    start = np.array([0, 3, 5])[np.arange(n) % 3]
    hours = np.where(start > 0, rng.uniform(5, 60, n), 0.0)
    on = (start[:, None] > 0) & (periods >= start[:, None])
    y = rng.normal(size=(n, 1)) + 0.2 * periods + on * 0.05 * hours[:, None]
    y = y + rng.normal(size=(n, 6))
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), 6),
            "period": np.tile(periods, n),
            "start": np.repeat(start, 6),
            "hours": np.repeat(hours, 6),
            "zone": np.repeat(np.arange(n) % 12, 6),
            "y": y.ravel(),
        }
    )


def term(estimate: Any, name: str) -> pd.DataFrame:
    return estimate.effects[estimate.effects["term"] == name].set_index("group")


def test_a_straight_line_by_hand() -> None:
    # Changes of the treated are 1 + hours/5, of the others 2 on average: ATT(d) = d/5 − 1.
    fit = ContinuousDose(degree=1, grid=(0.25, 0.5, 0.75), small_sample=False)
    estimate = fit.fit(rollout(by_hand()))
    levels, slopes = term(estimate, "att_dose"), term(estimate, "acrt_dose")
    assert list(levels.index) == ["10", "20", "30"]
    np.testing.assert_allclose(levels["estimate"], [1.0, 3.0, 5.0])
    np.testing.assert_allclose(slopes["estimate"], 0.2)
    assert term(estimate, "average").loc["all", "estimate"] == pytest.approx(4.0)
    assert term(estimate, "acrt").loc["all", "estimate"] == pytest.approx(0.2)
    # Every treated unit lies on the line: only the untreated vary, by ±1 around 2, each for a half.
    np.testing.assert_allclose(levels["std_error"], np.sqrt(2 * 0.5**2))
    assert estimate.at(0)["estimate"] == pytest.approx(4.0)
    # Gains around 6 are −3, −1, 1, 3, each for a quarter.
    assert estimate.at(0)["std_error"] == pytest.approx(np.sqrt(20 / 16 + 0.5))


def truncated_powers(dose: np.ndarray, degree: int, knots: np.ndarray) -> np.ndarray:
    """Another basis of the same splines."""
    powers = [dose**p for p in range(degree + 1)]
    return np.column_stack(powers + [np.maximum(dose - k, 0.0) ** degree for k in knots])


def their_slopes(dose: np.ndarray, degree: int, knots: np.ndarray) -> np.ndarray:
    powers = [np.zeros_like(dose)] + [p * dose ** (p - 1) for p in range(1, degree + 1)]
    return np.column_stack(
        powers + [degree * np.maximum(dose - k, 0.0) ** (degree - 1) for k in knots]
    )


@pytest.mark.parametrize(("degree", "n_knots"), [(1, 0), (3, 0), (2, 1), (3, 2)])
def test_two_periods_are_least_squares_of_statsmodels(degree: int, n_knots: int) -> None:
    table = two_periods()
    wide = table.pivot(index="unit", columns="period", values="y")
    change = (wide[2] - wide[1]).to_numpy()
    facts = table.drop_duplicates("unit")
    hours, treated = facts["hours"].to_numpy(), facts["start"].to_numpy() > 0
    doses = np.sort(hours[treated])
    ranks = np.ceil(np.arange(1, n_knots + 1) / (n_knots + 1) * doses.size - 1e-9).astype(int)
    knots = doses[ranks - 1]
    theirs = sm.OLS(change[treated], truncated_powers(hours[treated], degree, knots)).fit(
        cov_type="HC0"
    )
    others = sm.OLS(change[~treated], np.ones(int((~treated).sum()))).fit(cov_type="HC0")

    fit = ContinuousDose(degree=degree, knots=n_knots, small_sample=False)
    estimate = fit.fit(rollout(table))
    levels, slopes = term(estimate, "att_dose"), term(estimate, "acrt_dose")
    at = levels.index.astype(float).to_numpy()
    rows = truncated_powers(at, degree, knots)
    variance = np.einsum("ij,jk,ik->i", rows, theirs.cov_params(), rows)
    np.testing.assert_allclose(
        levels["estimate"], rows @ theirs.params - others.params[0], rtol=1e-7
    )
    np.testing.assert_allclose(
        levels["std_error"], np.sqrt(variance + others.bse[0] ** 2), rtol=1e-6
    )
    rows = their_slopes(at, degree, knots)
    variance = np.einsum("ij,jk,ik->i", rows, theirs.cov_params(), rows)
    np.testing.assert_allclose(slopes["estimate"], rows @ theirs.params, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(slopes["std_error"], np.sqrt(variance), rtol=1e-5)
    received = their_slopes(hours[treated], degree, knots) @ theirs.params
    assert term(estimate, "acrt").loc["all", "estimate"] == pytest.approx(received.mean())


def test_every_cell_is_that_of_its_two_periods_and_averages_are_theirs() -> None:
    table = staggered()
    estimate = ContinuousDose(degree=2, grid=(0.2, 0.5, 0.8)).fit(rollout(table))
    at = term(estimate, "att_dose").index.astype(float).to_numpy()
    facts = table.drop_duplicates("unit")
    hours, start = facts["hours"].to_numpy(), facts["start"].to_numpy()
    wide = table.pivot(index="unit", columns="period", values="y")
    means = []
    for g in (3, 5):
        curves = []
        for t in range(g, 7):
            change = (wide[t] - wide[g - 1]).to_numpy()
            beta = np.polyfit(hours[start == g], change[start == g], 2)
            curves.append(np.polyval(beta, at) - change[start == 0].mean())
        means.append(np.mean(curves, axis=0))
    np.testing.assert_allclose(term(estimate, "att_dose")["estimate"], np.mean(means, axis=0))
    overall = aggregate(estimate, by="cohort").effects.iloc[0]
    average = term(estimate, "average").loc["all"]
    assert overall["estimate"] == pytest.approx(average["estimate"])
    assert overall["std_error"] == pytest.approx(average["std_error"])


def test_the_mean_of_the_curve_over_doses_is_the_effect_whatever_the_dose() -> None:
    table = staggered()
    estimate = ContinuousDose(by="dynamic", control="not_yet_treated").fit(rollout(table))
    months = set(estimate.effects.query("term == 'acrt'")["month"])
    assert months == set(estimate.effects.query("term == 'att' and cohort == -1")["month"])
    assert -1 not in months
    assert not (estimate.effects["term"] == "average").any()
    assert len(estimate.effects.query("term == 'att_dose' and month == 2")) > 10


def test_later_starters_are_controls_until_they_start() -> None:
    table = staggered().query("start > 0")
    with pytest.raises(WhatworksError, match="not_yet_treated"):
        ContinuousDose().fit(rollout(table))
    effects = ContinuousDose(control="not_yet_treated", degree=1).fit(rollout(table)).effects
    first = effects.query("term == 'att' and cohort == 3")
    assert first["month"].tolist() == [-2, 0, 1]  # cohort 5 is untreated until 4
    assert effects.query("term == 'att' and cohort == 5").empty


def test_bands_hold_the_curve_and_conditions_are_said() -> None:
    estimate = ContinuousDose(cluster="market").fit(rollout(staggered(), market="zone"))
    levels = term(estimate, "att_dose")
    wider = (levels["band_high"] - levels["estimate"]) / (levels["conf_high"] - levels["estimate"])
    assert (wider > 1.01).all()
    assert wider.max() == pytest.approx(wider.min())
    assert "strong_parallel_trends" in estimate.extras["conditions"]
    assert estimate.uncertainty.level == "market"  # type: ignore[union-attr]


def test_a_cohort_that_cannot_tell_the_splines_apart_is_named() -> None:
    table = staggered()
    few = table.assign(hours=table["hours"].where(table["start"] != 5, 20.0))
    with pytest.raises(WhatworksError, match="cohort of period 5") as caught:
        ContinuousDose(degree=2).fit(rollout(few))
    assert "2" not in caught.value.remedy
    with pytest.raises(WhatworksError, match="distinct doses"):
        ContinuousDose(knots=3).fit(rollout(by_hand()))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["hours"].where(t["start"] > 0, 4.125),
        lambda t: t["hours"].where(t["unit"] != 0, np.nan),
        lambda t: t["hours"].where(t["unit"] != 0, -4.125),
        lambda t: t["hours"].where(t["unit"] != 0, 0.0),
        lambda t: t["hours"] + (t["period"] - 1) * 4.125,
    ],
)
def test_a_dose_that_is_not_one_is_refused_without_showing_it(change: Any) -> None:
    table = by_hand()
    with pytest.raises(WhatworksError, match="column 'hours'") as caught:
        rollout(table.assign(hours=change(table)))
    assert "4.125" not in str(caught.value)


def test_a_rollout_without_dose_is_refused_and_named() -> None:
    design = Design.from_panel(
        by_hand(), unit="unit", period="period", first_treated="start", outcome="y"
    )
    assert "dose" not in design.units
    with pytest.raises(WhatworksError, match="dose"):
        ContinuousDose().fit(design)


@pytest.mark.parametrize(
    "options",
    [
        {"degree": 0},
        {"knots": -1},
        {"grid": ()},
        {"grid": (0.5, 0.2)},
        {"grid": (0.0, 0.5)},
        {"by": "period"},
        {"control": "all"},
        {"cluster": "matched_set"},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(WhatworksError):
        ContinuousDose(**options)


def test_no_persons_own_dose_is_told() -> None:
    table = two_periods()
    levels = term(ContinuousDose().fit(rollout(table)), "att_dose")
    own = set(table["hours"])
    assert not own & {float(label) for label in levels.index}
