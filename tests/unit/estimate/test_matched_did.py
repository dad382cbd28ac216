"""Changes of matched and weighted units by hand, against levels of changes, and where refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whatworks import (
    Design,
    EntropyBalancing,
    Everyone,
    Exact,
    FullMatching,
    InverseProbability,
    MatchedDiD,
    MatchedDifference,
    NearestNeighbours,
    OverlapWeights,
    PairMatching,
    WeightedDifference,
    WhatworksError,
    aggregate,
    stack,
)
from whatworks.vocabulary import Supply


def table(n: int = 240, seed: int = 11) -> pd.DataFrame:
    """Two cohorts and never-treated over six periods; a common shock of each period."""
    rng = np.random.default_rng(seed)
    start = np.array([0, 0, 3, 5])[np.arange(n) % 4]
    age, sex = rng.normal(size=n) + 0.5 * (start > 0), rng.integers(0, 2, n)
    shock = np.array([0.0, 5, -4, 8, -9, 3])
    on = (start[:, None] > 0) & (np.arange(1, 7) >= start[:, None])
    y = rng.normal(size=(n, 1)) * 3 + 0.4 * age[:, None] * np.arange(6) + shock
    y = y + 2.0 * on + rng.normal(size=(n, 6))
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), 6),
            "period": np.tile(np.arange(1, 7), n),
            "start": np.repeat(start, 6),
            "age": np.repeat(age, 6),
            "sex": np.repeat(sex, 6),
            "zone": np.repeat(np.arange(n) % 20, 6),
            "y": y.ravel(),
        }
    )


def stacked(data: pd.DataFrame, **window: Any) -> Design:
    return stack(
        Design.from_panel(
            data,
            unit="unit",
            period="period",
            first_treated="start",
            outcome="y",
            covariates=["age", "sex"],
            market="zone",
        ),
        **window,
    )


def changed(design: Design, month: int, base: tuple[int, ...] = (-1,)) -> Design:
    """The same design with one outcome: the change since the base."""
    outcomes = design.outcomes
    start = np.mean([outcomes.at(b) for b in base], axis=0)
    values = (outcomes.at(month) - start)[:, None]
    return replace(design, outcomes=replace(outcomes, months=(month,), values=values))


def test_pairs_by_hand() -> None:
    # Pairs by sex: 2 → 7 against 1 → 3 and 4 → 5 against 5 → 5: effects 3 and 1.
    rows = {
        "unit": [0, 0, 1, 1, 2, 2, 3, 3],
        "period": [1, 2] * 4,
        "start": [2, 2, 2, 2, 0, 0, 0, 0],
        "sex": [0, 0, 1, 1, 0, 0, 1, 1],
        "y": [2.0, 7, 4, 5, 1, 3, 5, 5],
    }
    design = stack(
        Design.from_panel(
            pd.DataFrame(rows),
            unit="unit",
            period="period",
            first_treated="start",
            outcome="y",
            covariates=["sex"],
        )
    ).matched(using=PairMatching())
    row = MatchedDiD(cluster="matched_set", small_sample=False).fit(design).at(0)
    assert row["estimate"] == pytest.approx(2.0)
    # Pairs are ±1 around 2, each for a half.
    assert row["std_error"] == pytest.approx(np.sqrt(2 * 0.5**2))


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize(
    "using",
    [NearestNeighbours(ratio=2), PairMatching(), FullMatching(), Exact(on=("sex",))],
    ids=lambda c: type(c).__name__,
)
def test_points_are_those_of_the_matched_difference_of_changes(using: Any, adjust: bool) -> None:
    design = stacked(table().query("start != 5")).matched(using=using)
    ours = MatchedDiD(bias_adjust=adjust).fit(design).at(2)
    theirs = MatchedDifference(bias_adjust=adjust).fit(changed(design, 2)).at(2)
    # One cohort: its intercept is the regression's own, and every number is the same.
    assert ours["estimate"] == pytest.approx(theirs["estimate"], rel=1e-10)
    assert ours["std_error"] == pytest.approx(theirs["std_error"], rel=1e-8)


@pytest.mark.parametrize(
    ("using", "estimand"),
    [
        (EntropyBalancing(), "ATT"),
        (InverseProbability(), "ATT"),
        (InverseProbability(), "ATC"),
        (InverseProbability(), "ATE"),
        (OverlapWeights(), "ATO"),
    ],
)
def test_weights_are_those_of_the_weighted_difference_of_changes(using: Any, estimand: str) -> None:
    design = stacked(table().query("start != 5")).matched(using=using, estimand=estimand)
    estimate = MatchedDiD().fit(design)
    theirs = WeightedDifference().fit(changed(design, 2)).at(2)
    ours = estimate.at(2)
    assert ours["term"] == estimand.lower() == estimate.term
    assert ours["estimate"] == pytest.approx(theirs["estimate"], rel=1e-10)
    assert ours["std_error"] == pytest.approx(theirs["std_error"], rel=1e-8)


def test_cohorts_are_averaged_by_their_share_of_the_treated() -> None:
    data = table()
    data = data[(data["start"] != 5) | (data["unit"] % 8 == 3)]
    for design in (
        stacked(data),
        stacked(data).matched(using=EntropyBalancing()),
        stacked(data).matched(using=NearestNeighbours(ratio=2)),
    ):
        effects = MatchedDiD().fit(design).effects.query("month == 0").set_index("cohort")
        n = effects["n_treated"]
        mean = (n[3] * effects["estimate"][3] + n[5] * effects["estimate"][5]) / (n[3] + n[5])
        assert effects["estimate"][-1] == pytest.approx(mean, rel=1e-9)
        assert n[-1] == n[3] + n[5]
        # Cohorts are compared apart: what moves a period for everyone adds nothing to errors.
        assert effects["std_error"][-1] < 0.6


def test_shocks_of_a_period_change_no_number() -> None:
    data = table()
    shocked = data.assign(y=data["y"] + 50.0 * (data["period"] == 5))
    for using in (NearestNeighbours(ratio=2), EntropyBalancing(), None):
        for adjust in (False, True):
            both = []
            for rows in (data, shocked):
                design = stacked(rows)
                design = design if using is None else design.matched(using=using)
                both.append(MatchedDiD(bias_adjust=adjust).fit(design).effects)
            np.testing.assert_allclose(both[0]["estimate"], both[1]["estimate"], atol=1e-8)
            np.testing.assert_allclose(both[0]["std_error"], both[1]["std_error"], rtol=1e-6)


def test_a_base_of_several_months_is_their_mean_and_is_not_reported() -> None:
    design = stacked(table().query("start != 3"))
    estimate = MatchedDiD(base_months=3).fit(design)
    ours = WeightedDifference().fit(
        changed(replace(design, supplies=design.supplies | {Supply.WEIGHTS}), 1, (-3, -2, -1))
    )
    assert estimate.at(1)["estimate"] == pytest.approx(ours.at(1)["estimate"])
    assert sorted(set(estimate.effects["month"])) == [-4, 0, 1]
    with pytest.raises(WhatworksError, match="5 months observed before entry"):
        MatchedDiD(base_months=5).fit(design)
    with pytest.raises(WhatworksError, match="at least 1"):
        MatchedDiD(base_months=0)


def test_changes_allow_what_lasts_and_not_levels() -> None:
    data = table()
    lifted = data.assign(y=data["y"] + 10.0 * (data["start"] > 0))
    for using in (NearestNeighbours(ratio=2), EntropyBalancing()):
        one, two = (MatchedDiD().fit(stacked(d).matched(using=using)) for d in (data, lifted))
        np.testing.assert_allclose(one.effects["estimate"], two.effects["estimate"], atol=1e-9)


def test_adjusting_removes_what_age_tells_of_changes() -> None:
    data = table(n=4_000)
    design = stacked(data).matched(using=Everyone())
    bare, adjusted = MatchedDiD().fit(design).at(2), MatchedDiD(bias_adjust=True).fit(design).at(2)
    assert abs(bare["estimate"] - 2) > 3 * bare["std_error"]
    assert abs(adjusted["estimate"] - 2) < 3 * adjusted["std_error"]


def test_averages_are_read_off_an_unmatched_stack() -> None:
    estimate = MatchedDiD().fit(stacked(table()))
    mean = aggregate(estimate, by="dynamic").effects.iloc[0]
    assert mean["term"] == "average"
    assert np.isfinite(mean["std_error"])


def test_markets_have_student_quantiles_and_persons_the_normal() -> None:
    design = stacked(table())
    for cluster, reach in (("person", 1.959964), ("market", 2.093024)):  # t with 19 degrees
        row = MatchedDiD(cluster=cluster).fit(design).at(0)  # type: ignore[arg-type]
        assert (row["conf_high"] - row["estimate"]) / row["std_error"] == pytest.approx(reach)


def test_sets_need_sets() -> None:
    with pytest.raises(WhatworksError, match="matched_set"):
        MatchedDiD(cluster="matched_set").fit(stacked(table()))
    reused = stacked(table()).matched(using=NearestNeighbours(ratio=2))
    with pytest.raises(WhatworksError, match="share no unit"):
        MatchedDiD(cluster="matched_set").fit(reused)


def test_a_rollout_and_a_design_without_history_are_refused_by_name() -> None:
    rollout = Design.from_panel(
        table(), unit="unit", period="period", first_treated="start", outcome="y"
    )
    with pytest.raises(WhatworksError, match="stack"):
        MatchedDiD().fit(rollout)
    with pytest.raises(WhatworksError, match="pre_months"):
        MatchedDiD().fit(stack(rollout, before=0))
    with pytest.raises(WhatworksError, match="covariates"):
        MatchedDiD(bias_adjust=True).fit(stack(rollout))


def test_units_not_seen_in_the_base_are_counted() -> None:
    design = stacked(table().query("start != 5"))
    values = design.outcomes.values.copy()
    values[:3, design.outcomes.months.index(-1)] = np.nan
    holed = replace(design, outcomes=replace(design.outcomes, values=values))
    estimate = MatchedDiD().fit(holed)
    lost = estimate.ledger.frame().query("step == 'changed_treated'")
    assert lost["dropped"].tolist() == [3]
    assert estimate.at(0)["n_treated"] == MatchedDiD().fit(design).at(0)["n_treated"] - 3


def test_a_cohort_of_one_has_no_error_of_its_own_and_the_others_keep_theirs() -> None:
    data = table()
    lone = data[(data["start"] != 5) | (data["unit"] == 3)]
    effects = MatchedDiD().fit(stacked(lone)).effects
    assert effects.query("cohort == 5")["std_error"].isna().all()
    assert effects.query("cohort == 3")["std_error"].notna().all()
    assert effects.query("cohort == -1 and month == 0")["std_error"].notna().all()
    only = MatchedDiD().fit(stacked(data[(data["start"] == 0) | (data["unit"] == 3)])).effects
    assert only["std_error"].isna().all()


def test_those_censored_leave_their_place_to_others() -> None:
    design = stacked(table().query("start != 5")).matched(using=NearestNeighbours(ratio=2))
    weights = np.ones_like(design.outcomes.values)
    month = design.outcomes.months.index(2)
    others = np.flatnonzero(~design.units["treated"].to_numpy())
    weights[others[::3], month] = 0.0
    weights[others[1::3], month] = 2.0
    censored = replace(design, outcomes=replace(design.outcomes, weights=weights))
    ours = MatchedDiD().fit(censored)
    one = changed(design, 2)
    theirs = replace(one, outcomes=replace(one.outcomes, weights=weights[:, [month]]))
    assert ours.at(2)["estimate"] == pytest.approx(
        MatchedDifference().fit(theirs).at(2)["estimate"]
    )
    assert ours.at(1)["estimate"] == pytest.approx(MatchedDiD().fit(design).at(1)["estimate"])
