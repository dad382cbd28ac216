"""Drawn timing by hand, and against what it must equal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, RandomTiming, WhatworksError
from whatworks.vocabulary import DesignClass


def design(table: pd.DataFrame, **roles: str) -> Design:
    return Design.from_panel(
        table,
        unit="id",
        period="t",
        first_treated="g",
        outcome="y",
        **roles,  # type: ignore[arg-type]  # names of columns only
    )


def panel(starts: tuple[int, ...] = (0, 3, 4), *, n: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    unit, period = np.repeat(np.arange(n), 5), np.tile(np.arange(1, 6), n)
    start = np.array(starts)[np.arange(n) % len(starts)][unit]
    gain = np.where((start > 0) & (period >= start), 1.0, 0.0)
    y = 2 * rng.normal(size=n)[unit] + gain + rng.normal(size=unit.size)
    return pd.DataFrame({"id": unit, "t": period, "g": start, "y": y})


TWO = panel((0, 4))


def test_one_cohort_by_hand() -> None:
    """One start: a regression of what comes after on what was, the same slope for both arms."""
    wide = TWO.pivot(index="id", columns="t", values="y").to_numpy()
    treated = (TWO.drop_duplicates("id")["g"] == 4).to_numpy()
    after, before = wide[:, 3], wide[:, 2]
    gaps = [v[treated].mean() - v[~treated].mean() for v in (after, before)]
    among = [np.cov(np.vstack([before, after])[:, arm]) for arm in (treated, ~treated)]
    size = [treated.sum(), (~treated).sum()]
    joint = sum(s / k for s, k in zip(among, size, strict=True))
    beta = joint[0, 1] / joint[0, 0]
    estimate = RandomTiming(drawn=True, refined=False).fit(design(TWO))
    assert estimate.at(0)["estimate"] == pytest.approx(gaps[0] - beta * gaps[1])
    assert estimate.extras["beta"]["att 0"] == pytest.approx(beta)
    variance = joint[1, 1] - beta * joint[0, 1]
    assert estimate.at(0)["std_error"] == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize(("adjustment", "beta"), [("change", 1.0), ("none", 0.0)])
def test_fixed_adjustments_are_differences_of_means(adjustment: Any, beta: float) -> None:
    wide = TWO.pivot(index="id", columns="t", values="y").to_numpy()
    treated = (TWO.drop_duplicates("id")["g"] == 4).to_numpy()
    left = wide[:, 3] - beta * wide[:, 2]
    row = RandomTiming(drawn=True, adjustment=adjustment, refined=False).fit(design(TWO)).at(0)
    arms = left[treated], left[~treated]
    assert row["estimate"] == pytest.approx(arms[0].mean() - arms[1].mean())
    error = np.sqrt(sum(arm.var(ddof=1) / arm.size for arm in arms))
    assert row["std_error"] == pytest.approx(error)


def test_the_adjustment_of_least_variance_has_least_variance() -> None:
    made = design(panel())
    errors = [
        RandomTiming(drawn=True, adjustment=adjustment, refined=False)  # type: ignore[arg-type]  # of three
        .fit(made)
        .effects["std_error"]
        .to_numpy()
        for adjustment in ("efficient", "change", "none")
    ]
    assert (errors[0] <= errors[1]).all()
    assert (errors[0] <= errors[2]).all()


def test_refined_errors_are_never_larger() -> None:
    made = design(panel())
    refined, neyman = (RandomTiming(drawn=True, refined=r).fit(made) for r in (True, False))
    assert (refined.effects["std_error"] <= neyman.effects["std_error"]).all()
    assert np.linalg.eigvalsh(refined.uncertainty.covariance()).min() > 0


def test_a_start_that_nobody_says_was_drawn_is_refused() -> None:
    made = design(panel())
    with pytest.raises(WhatworksError, match="drawn at random") as caught:
        RandomTiming().fit(made)
    assert "drawn=True" in caught.value.remedy
    told = replace(made, design_class=DesignClass.RANDOMISED)
    pd.testing.assert_frame_equal(
        RandomTiming().fit(told).effects, RandomTiming(drawn=True).fit(made).effects
    )


def test_without_never_treated_the_last_cohort_is_compared_with_until_it_starts() -> None:
    estimate = RandomTiming(drawn=True).fit(design(panel((3, 4, 5))))
    assert list(estimate.effects["month"]) == [0, 1, 0]
    assert estimate.at(1)["n_comparison"] == 30


def test_units_alone_in_their_cohort_are_left_out_and_counted() -> None:
    table = panel()
    table.loc[table["id"] == 1, "g"] = 5
    estimate = RandomTiming(drawn=True).fit(design(table))
    rest = RandomTiming(drawn=True).fit(design(table[table["id"] != 1]))
    pd.testing.assert_frame_equal(estimate.effects, rest.effects)
    lost = {reason: n for step in estimate.ledger.steps for reason, n in step.dropped}
    assert lost == {"alone_in_cohort": 1}
    few = table[table["id"].isin([1, 2])]
    with pytest.raises(WhatworksError, match="more than one unit"):
        RandomTiming(drawn=True).fit(design(few))
