"""Rollouts as read from a table, and stacked cohort by cohort: what is kept, and what is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, EntropyBalancing, MatchedDiD, WhatworksError, stack
from whatworks.vocabulary import NEVER, Clock, Supply

ROLES = {"unit": "unit", "period": "period", "first_treated": "start", "outcome": "y"}


def table() -> pd.DataFrame:
    """Ten units over periods 1 to 5: starts at 3 (4 units), 4 (2), after the end (1), never (3)."""
    start = np.array([3, 3, 3, 3, 4, 4, 9, 0, 0, 0])
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(10), 5),
            "period": np.tile(np.arange(1, 6), 10),
            "start": np.repeat(start, 5),
            "age": np.repeat(np.arange(10) * 1.5, 5),
            "zone": np.repeat(np.arange(10) % 4, 5),
            "w": np.repeat(1.0 + np.arange(10) % 3, 5),
            "y": 100.0 * np.repeat(np.arange(10), 5) + np.tile(np.arange(1, 6), 10),
        }
    )


def read(data: pd.DataFrame, **more: Any) -> Design:
    return Design.from_panel(data, **{**ROLES, **more})


def dropped(design: Design, step: str) -> dict[str, int]:
    rows = design.ledger.frame().query("step == @step and dropped > 0")
    return dict(zip(rows["reason"], rows["dropped"], strict=True))


def test_one_row_per_unit_on_the_calendar() -> None:
    design = read(table(), covariates=["age"], market="zone", weight="w")
    assert design.outcomes.clock is Clock.CALENDAR
    assert design.outcomes.months == (1, 2, 3, 4, 5)
    assert design.units["entry_month"].tolist() == [3] * 4 + [4] * 2 + [9] + [NEVER] * 3
    assert design.units["treated"].tolist() == [True] * 6 + [False] * 4
    assert design.outcomes.values[7].tolist() == [701, 702, 703, 704, 705]
    assert design.units["age"].tolist() == (np.arange(10) * 1.5).tolist()
    assert design.units["market"].tolist() == [str(k % 4) for k in range(10)]
    assert {Supply.ROLLOUT, Supply.NEVER_TREATED, Supply.PRE_MONTHS} <= design.supplies
    assert Supply.DOSE not in design.supplies


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("named", [False, True])
def test_the_order_of_rows_and_names_of_units_decide_nothing(seed: int | None, named: bool) -> None:
    data = table().drop(index=[0, 12, 13, 49])
    data.loc[5:9, "w"] = [3.0, 9, 9, 9, 9]  # a weight is read in the first period
    if named:
        data["unit"] = "person " + data["unit"].astype(str)
    if seed is not None:
        data = data.sample(frac=1, random_state=seed)
    design = read(data, covariates=["age"], weight="w")
    assert design.units["entry_month"].tolist() == [3] * 4 + [4] * 2 + [9] + [NEVER] * 3
    assert np.isnan(design.outcomes.values).sum() == 4
    assert np.isnan(design.outcomes.values[0, 0])
    assert np.isnan(design.outcomes.values[2, [2, 3]]).all()
    assert design.units["sampling_weight"].tolist()[:3] == [1.0, 3.0, 3.0]


def test_missing_outcomes_and_missing_rows_are_the_same() -> None:
    data = table()
    without = read(data.drop(index=[3, 27]))
    empty = read(data.assign(y=data["y"].where(~data.index.isin([3, 27]))))
    np.testing.assert_array_equal(without.outcomes.values, empty.outcomes.values)


def test_repeated_cross_sections_have_one_value_per_row() -> None:
    data = table().sample(frac=1, random_state=5)
    design = Design.from_panel(data, period="period", first_treated="start", outcome="y")
    assert len(design.units) == 50
    assert (np.isfinite(design.outcomes.values).sum(axis=1) == 1).all()
    seen = np.array(design.outcomes.months)[np.isfinite(design.outcomes.values).argmax(axis=1)]
    assert seen.tolist() == data["period"].tolist()


def test_periods_keep_their_own_distances() -> None:
    data = table()
    data["period"] = data["period"].map({1: 2003, 2: 2004, 3: 2006, 4: 2007, 5: 2011})
    data["start"] = data["start"].map({0: 0, 3: 2006, 4: 2007, 9: 2030})
    design = read(data)
    assert design.outcomes.months == (2003, 2004, 2006, 2007, 2011)
    assert stack(design).outcomes.months == (-4, -3, -2, -1, 0, 1, 4, 5)


def test_always_treated_and_incomplete_units_are_counted() -> None:
    data = table()
    data.loc[data["unit"] == 0, "start"] = 1
    data.loc[data["unit"] == 1, "age"] = np.nan
    data.loc[data["unit"] == 9, "y"] = np.nan
    design = read(data, covariates=["age"])
    assert len(design.units) == 7
    assert dropped(design, "table_treated") == {"missing_covariate": 1, "treated_from_start": 1}
    assert dropped(design, "table_comparison") == {"missing_outcome": 1}


@pytest.mark.parametrize("never", [0.0, np.nan])
def test_zero_and_missing_starts_are_never(never: float) -> None:
    data = table()
    data["start"] = data["start"].astype(float).replace(0.0, never)
    assert (read(data).units["entry_month"] == NEVER).sum() == 3


@pytest.mark.parametrize(
    ("change", "roles", "words"),
    [
        (
            {"age": lambda t: t["age"] + t["period"]},
            {"covariates": ["age"]},
            "'age'.*same in every",
        ),
        ({"start": lambda t: t["start"] + (t["period"] == 2)}, {}, "'start'.*same in every"),
        ({"zone": lambda t: "z" + t["period"].astype(str)}, {"market": "zone"}, "'zone'"),
        ({"unit": lambda t: t["unit"] // 2}, {}, "one row per unit and period"),
        ({"w": 0.0}, {"weight": "w"}, "positive weight"),
        ({"y": "thirty-one"}, {}, "'y'.*numbers"),
        ({"start": 0}, {}, "first treated within it"),
    ],
)
def test_what_would_be_mangled_is_refused_without_a_value(
    change: dict[str, Any], roles: dict[str, Any], words: str
) -> None:
    with pytest.raises(WhatworksError, match=words) as caught:
        read(table().assign(**change), **roles)
    assert "13.5" not in str(caught.value)
    assert "thirty-one" not in str(caught.value)


def test_a_dose_goes_with_its_unit() -> None:
    data = table()
    data["hours"] = np.where(data["start"] > 0, 10.0 + data["unit"], 0.0)
    design = read(data.sample(frac=1, random_state=3), dose="hours")
    assert design.units["dose"].tolist()[:7] == [10.0 + k for k in range(7)]
    assert design.units["dose"].isna().tolist() == [False] * 7 + [True] * 3
    assert Supply.DOSE in design.supplies
    assert Supply.DOSE not in stack(design).supplies


def test_cohorts_stand_beside_the_never_treated() -> None:
    design = stack(read(table(), covariates=["age"], market="zone"))
    units = design.units
    assert design.outcomes.clock is Clock.ENTRY
    assert design.outcomes.months == (-3, -2, -1, 0, 1, 2)
    # Four starters at 3 and two at 4, each cohort beside the four not treated within the periods.
    assert units.groupby("entry_month")["treated"].agg(["sum", "size"]).values.tolist() == [
        [4, 8],
        [2, 6],
    ]
    assert units["person_id"].nunique() == 10
    first = design.outcomes.values[0]
    assert np.isnan(first[0])
    assert first[1:].tolist() == [1, 2, 3, 4, 5]
    assert {
        Supply.COHORTS,
        Supply.NEVER_TREATED,
        Supply.MARKETS,
        Supply.COVARIATES,
    } <= design.supplies
    assert Supply.INDEPENDENT_UNITS not in design.supplies
    assert Supply.ROLLOUT not in design.supplies


def test_each_comparison_weighs_as_much_as_its_cohort() -> None:
    design = stack(read(table(), weight="w"))
    mass = design.units.groupby(["entry_month", "treated"])["weight"].sum()
    assert mass[3, True] == pytest.approx(mass[3, False]) == pytest.approx(1 + 2 + 3 + 1)
    assert mass[4, True] == pytest.approx(mass[4, False]) == pytest.approx(2 + 3)
    theirs = design.units.query("entry_month == 3 and not treated")["weight"]
    np.testing.assert_allclose(theirs / theirs.iloc[0], [1, 2, 3, 1])


def test_not_yet_treated_are_untreated_in_the_whole_window() -> None:
    design = stack(read(table()), control="not_yet_treated", after=0)
    first = design.units.query("entry_month == 3 and not treated")["person_id"]
    assert sorted(first) == [4, 5, 6, 7, 8, 9]  # those who start at 4 are untreated at 3
    assert Supply.NEVER_TREATED not in design.supplies
    later = stack(read(table()), control="not_yet_treated", after=1)
    assert sorted(later.units.query("entry_month == 3 and not treated")["person_id"]) == [
        6,
        7,
        8,
        9,
    ]
    assert later.outcomes.months == (-3, -2, -1, 0, 1)


@pytest.mark.parametrize(
    ("window", "months"),
    [
        ({"before": 1}, (-1, 0, 1, 2)),
        ({"before": 0, "after": 0}, (0,)),
        ({"after": 1}, (-3, -2, -1, 0, 1)),
        ({"before": 99, "after": 99}, (-3, -2, -1, 0, 1, 2)),
    ],
)
def test_the_window_cuts_both_sides(window: dict[str, int], months: tuple[int, ...]) -> None:
    design = stack(read(table()), **window)
    assert design.outcomes.months == months
    assert design.question.months == tuple(m for m in months if m >= 0)
    # The last horizon that both cohorts reach: the one of 4 is seen one period after its start.
    assert design.question.primary == min(1, months[-1])
    assert (Supply.PRE_MONTHS in design.supplies) == (months[0] < 0)


def test_nobody_is_lost_unsaid_in_stacking() -> None:
    holed = read(table().drop(index=[0, 40]))
    design = stack(holed)
    assert dropped(design, "stacked_treated") == {"incomplete_panel": 1}
    assert dropped(design, "stacked_comparison") == {"incomplete_panel": 1}
    assert sorted(set(design.units["person_id"])) == [1, 2, 3, 4, 5, 6, 7, 9]
    only = read(table().query("start in (3, 4)"))
    alone = stack(only, control="not_yet_treated", after=0)
    # The last cohort has no comparison, and serves the first while it waits: nobody is left out.
    assert dropped(alone, "stacked_treated") == {}
    assert alone.units["entry_month"].unique().tolist() == [3]
    assert Supply.INDEPENDENT_UNITS in alone.supplies


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (table(), {"control": "others"}, "control"),
        (table(), {"control": "not_yet_treated"}, "after="),
        (table(), {"before": -1}, "before"),
        (table(), {"after": 1.5}, "after"),
        (table(), {"after": True}, "after"),
        (table().query("start in (3, 4)"), {}, "never treated"),
        (
            table().query("start == 3 or (start == 0 and period < 5)"),
            {},
            "none for any of 1 cohorts",
        ),
    ],
)
def test_a_stack_that_cannot_be_is_refused(
    data: pd.DataFrame, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(WhatworksError, match=words):
        stack(read(data), **options)


def test_a_stack_and_repeated_cross_sections_are_not_stacked() -> None:
    with pytest.raises(WhatworksError, match="a rollout"):
        stack(stack(read(table())))
    sections = Design.from_panel(table(), period="period", first_treated="start", outcome="y")
    with pytest.raises(WhatworksError, match="observed in every period"):
        stack(sections)


def test_a_cohort_seen_at_other_distances_keeps_them() -> None:
    data = table()
    data["period"] = data["period"] * 2
    data["start"] = data["start"].map({0: 0, 3: 5, 4: 8, 9: 20})  # 5 lies between two periods
    design = stack(read(data))
    seen = np.isfinite(design.outcomes.values)
    months = np.array(design.outcomes.months)
    assert months[seen[0]].tolist() == [-3, -1, 1, 3, 5]
    assert months[seen[-1]].tolist() == [-6, -4, -2, 0, 2]
    assert design.question.primary == design.question.months[-1]  # no horizon is common
    effects = MatchedDiD().fit(design).effects
    assert effects.query("cohort == 5")["month"].tolist() == [-3, 1, 3, 5]
    assert effects.query("cohort == 8")["month"].tolist() == [-6, -4, 0, 2]


def test_a_matched_stack_keeps_its_cohorts() -> None:
    rng = np.random.default_rng(2)
    data = pd.concat(
        [table().assign(unit=lambda t, k=k: t["unit"] + 10 * k) for k in range(8)],
        ignore_index=True,
    )
    data["age"] = np.repeat(rng.normal(size=80), 5)
    design = stack(read(data, covariates=["age"])).matched(using=EntropyBalancing())
    assert Supply.COHORTS in design.supplies
    assert set(MatchedDiD().fit(design).effects["cohort"]) == {-1, 3, 4}
