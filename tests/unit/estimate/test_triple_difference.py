"""Triple differences by hand, against the regression with every interaction, and unit by unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, TripleDifference, WhatworksError
from whatworks.stats.did.triple import precision_weights


def design(table: pd.DataFrame, *, covariates: tuple[str, ...] = (), **roles: str) -> Design:
    return Design.from_panel(
        table,
        unit="id",
        period="t",
        first_treated="g",
        outcome="y",
        covariates=("young", *covariates),
        **roles,  # type: ignore[arg-type]  # names of columns only
    )


def panel(*, n: int = 120, seed: int = 8) -> pd.DataFrame:
    """Cohorts with shocks of their own, the young with trends of theirs; a covariate bends both."""
    rng = np.random.default_rng(seed)
    unit, period = np.repeat(np.arange(n), 5), np.tile(np.arange(1, 6), n)
    start = np.array([0, 3, 4])[np.arange(n) % 3][unit]
    young = (rng.random(n) < 0.3 + 0.1 * (np.arange(n) % 3)).astype(int)[unit]
    x = rng.normal(size=n)[unit]
    shock = 0.4 * period * (start == 3) + 0.3 * period * young + 0.2 * period * x * (1 + young)
    gain = np.where((start > 0) & (period >= start), 2.0, 0.0) * young
    y = rng.normal(size=n)[unit] + shock + gain + rng.normal(size=unit.size)
    table = pd.DataFrame({"id": unit, "t": period, "g": start, "young": young, "x": x, "y": y})
    table["w"] = rng.uniform(0.5, 2.0, n)[unit]
    return table


def cells(estimate: Any) -> dict[tuple[int, int], float]:
    rows = estimate.effects.query("cohort >= 0")
    return {(int(r.cohort), int(r.cohort + r.month)): float(r.estimate) for r in rows.itertuples()}


def test_by_hand() -> None:
    """Changes 9, 4 in the treated cohort, 5, 3 in the other: (9 − 4) − (5 − 3) = 3."""
    changes = {(2, 1): 9.0, (2, 0): 4.0, (0, 1): 5.0, (0, 0): 3.0}
    rows = [
        (4 * k + copy, t, g, young, 10.0 * k + (change + copy if t == 2 else 0.0))
        for k, ((g, young), change) in enumerate(changes.items())
        for copy in (-1, 0, 1)
        for t in (1, 2)
    ]
    table = pd.DataFrame(rows, columns=["id", "t", "g", "young", "y"])
    effect = TripleDifference(eligible="young", small_sample=False).fit(design(table)).at(0)
    assert effect["estimate"] == pytest.approx(3.0)
    # Four means of three changes spread by −1, 0, 1: a variance of 2/9 each.
    assert effect["std_error"] == pytest.approx(np.sqrt(4 * 2 / 9))
    assert (effect["n_treated"], effect["n_comparison"]) == (3, 9)


def test_without_covariates_it_is_the_triple_interaction_of_a_regression() -> None:
    table = panel()
    extra = {}
    for t in (2, 3, 4, 5):
        here = (table["t"] == t).to_numpy(float)
        extra["young", t] = here * table["young"]
        for g in (3, 4):
            extra["cohort", g, t] = here * (table["g"] == g)
    for g in (3, 4):
        for t in (1, 2, 3, 4, 5):
            if t != g - 1:
                extra[g, t] = ((table["g"] == g) & (table["t"] == t) & (table["young"] == 1)) * 1.0
    units = pd.get_dummies(table["id"]).to_numpy(float)
    periods = pd.get_dummies(table["t"]).to_numpy(float)[:, 1:]
    columns = np.column_stack([units, periods, *extra.values()]).astype(float)
    solved = np.linalg.lstsq(columns, table["y"].to_numpy(), rcond=None)[0][-len(extra) :]
    brute = dict(zip(extra, solved, strict=True))
    found = cells(TripleDifference(eligible="young").fit(design(table)))
    assert found == {key: pytest.approx(brute[key], abs=1e-9) for key in found}
    assert len(found) == 8


@pytest.mark.parametrize("adjustment", ["doubly_robust", "regression", "inverse_probability"])
def test_influence_is_what_a_unit_moves(adjustment: Any) -> None:
    table = panel()
    estimator = TripleDifference(eligible="young", adjustment=adjustment, small_sample=False)
    fitted = estimator.fit(design(table, covariates=("x",), weight="w"))
    for unit in (0, 77):
        step, moved = 1e-4, []
        for sign in (1, -1):
            heavier = table["w"] * np.where(table["id"] == unit, 1 + sign * step, 1.0)
            again = estimator.fit(design(table.assign(w=heavier), covariates=("x",), weight="w"))
            moved.append(again.effects["estimate"].to_numpy())
        slope = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(fitted.uncertainty.values[unit], slope, atol=2e-7)


def test_later_cohorts_tell_more_until_they_start() -> None:
    table = panel()
    made = design(table)
    fewer = TripleDifference(eligible="young").fit(made).effects
    more = TripleDifference(eligible="young", control="not_yet_treated").fit(made).effects
    one, two = (f.set_index(["cohort", "month"]) for f in (fewer, more))
    place = (3, 0)  # cohort 4 has not started
    assert two.loc[place, "n_comparison"] > one.loc[place, "n_comparison"]
    assert two.loc[place, "std_error"] < one.loc[place, "std_error"]
    columns = ["estimate", "std_error", "n_comparison"]
    for place in ((3, 1), (4, 0)):  # it has
        pd.testing.assert_series_equal(one.loc[place, columns], two.loc[place, columns])


def test_comparison_cohorts_are_averaged_not_pooled() -> None:
    table = panel()
    made = design(table)
    effect = TripleDifference(eligible="young", control="not_yet_treated").fit(made)
    each = []
    for other in (0, 4):
        rows = table[table["g"].isin([3, other]) & (table["t"] <= 3)]
        alone = TripleDifference(eligible="young").fit(
            design(rows.assign(g=rows["g"].where(rows["g"] == 3, 0)))
        )
        each.append(cells(alone)[3, 3])
    found = cells(effect)[3, 3]
    assert min(each) < found < max(each)


def test_weights_of_least_variance() -> None:
    influence = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    np.testing.assert_allclose(precision_weights(influence, weight=np.ones(4)), [0.8, 0.2])
    # A weight of two is a unit written twice.
    twice = np.repeat(influence, [2, 1, 1, 1], axis=0)
    doubled = influence * np.array([2.0, 1.0, 1.0, 1.0])[:, None]
    np.testing.assert_allclose(
        precision_weights(doubled, weight=np.array([2.0, 1.0, 1.0, 1.0])),
        precision_weights(twice, weight=np.ones(5)),
    )
    np.testing.assert_allclose(precision_weights(np.zeros((4, 2)), weight=np.ones(4)), [0.5, 0.5])


def test_a_cohort_without_its_four_groups_is_left_out_and_counted() -> None:
    table = panel()
    table.loc[table["g"] == 4, "young"] = 1
    estimate = TripleDifference(eligible="young").fit(design(table))
    assert set(estimate.effects["cohort"]) == {-1, 3}
    lost = {reason: n for step in estimate.ledger.steps for reason, n in step.dropped}
    assert lost == {"no_comparison": 40}
    table["young"] = (table["g"] == 3).astype(int)
    with pytest.raises(WhatworksError, match="with all four"):
        TripleDifference(eligible="young").fit(design(table))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("yuong", {}, "write 'young'"),
        ("young", {"young": 1}, "both of them"),
        ("young", {"young": lambda t: t["x"]}, "0 and 1"),
    ],
)
def test_eligibility_is_a_covariate_of_zeros_and_ones(
    name: str, change: dict[str, Any], message: str
) -> None:
    table = panel().assign(**change)
    with pytest.raises(WhatworksError, match=message):
        TripleDifference(eligible=name).fit(design(table))
