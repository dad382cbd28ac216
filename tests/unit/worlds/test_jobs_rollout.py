"""Markets that open one after the other where each month's jobs are finite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks.errors import OptionError
from whatworks.worlds import (
    JobsRollout,
    Unbounded,
    rollout_truth,
    simulate_rollout,
    simulated_rollout_truth,
)

SMALL = JobsRollout(n_markets=20, mean_pool=120.0, seed=3)
LARGE = JobsRollout(n_markets=60, mean_pool=1_500.0, seed=5, n_months=24)


def test_lives_before_a_market_opens_are_those_it_would_have_lived_anyway():
    with_, without = simulate_rollout(SMALL), simulate_rollout(SMALL, programme=False)
    opened = with_.persons["opened"].to_numpy()
    assert set(opened.tolist()) == {0, 11, 17}
    for month in range(1, SMALL.n_months + 1):
        untouched = (opened == 0) | (opened > month)
        same = with_.employed[month - 1] == without.employed[month - 1]
        assert same[untouched].all()
    assert not (with_.employed == without.employed)[20:, opened == 11].all()
    assert (without.persons["first_treated"] == 0).all()


def test_only_the_eligible_of_a_market_are_enrolled_and_when_it_opens():
    people = simulate_rollout(replace(SMALL, saturations=(0.25, 0.75))).persons
    enrolled = people[people["first_treated"] != 0]
    assert (enrolled["first_treated"] == enrolled["opened"]).all()
    assert (enrolled["eligible"] == 1).all()
    eligible = people[people["eligible"] == 1].groupby("market")
    short = (
        eligible["first_treated"].agg(lambda s: (s != 0).mean()) - eligible["saturation"].first()
    )
    assert (short.abs() * eligible.size() < 1).all()
    assert set(people["saturation"]) == {0.0, 0.25, 0.75}


def test_the_window_opens_in_a_steady_state():
    world = simulate_rollout(replace(LARGE, openings=()))
    share = world.employed.mean(axis=1)
    assert share.max() - share.min() < 0.02
    assert 0.5 < share.mean() < 0.75


def test_the_closed_form_agrees_with_large_markets_lived_twice():
    options = replace(LARGE, n_markets=40, mean_pool=1_000.0, openings=((9, 0.6),), shock=0.0)
    told = rollout_truth(options, months=12).set_index("month")
    lived = simulated_rollout_truth(options, months=12, draws=3).set_index("month")
    for name in ("direct", "spillover", "total", "net_pool"):
        scale = 100 if name == "net_pool" else 1
        gap = (lived[name] - told[name]).abs()
        assert (gap < 5 * lived[f"{name}_error"] + 0.0025 * scale).all(), name
    assert told.loc[12, "spillover"] < -0.015
    assert told.loc[12, "net_pool"] < 100 * 0.4 * told.loc[12, "direct"]


def test_terms_add_up_and_with_no_displacement_nobody_loses():
    told = rollout_truth(JobsRollout(saturations=(0.25, 1.0), tightness=(0.5, 2.0)))
    assert np.allclose(told["direct"] + told["spillover"], told["total"])
    share = 0.5 * told["saturation"]
    pool = 100 * (told["total"] + told["spillover"] * (1 - share) / share)
    assert np.allclose(pool, told["net_pool"])
    late = told[told["month"] == 12].set_index(["tightness", "saturation"])["net_pool"]
    assert (late[2.0] > late[0.5]).all()
    free = rollout_truth(JobsRollout(displacement=0.0))
    assert np.allclose(free["spillover"], 0, atol=1e-12)
    none = rollout_truth(JobsRollout(effect=(0.0,)))
    assert np.allclose(none[["direct", "spillover", "net_pool"]], 0, atol=1e-10)


def test_selection_on_history_enrols_those_who_worked_least_and_keeps_a_truth():
    options = replace(LARGE, selection=0.6, mean_pool=300.0, openings=((10, 0.5),))
    world = simulate_rollout(options)
    people = world.persons
    lately = world.employed[3:9].sum(axis=0)
    here = (people["eligible"] == 1) & (people["opened"] == 10)
    enrolled = people["first_treated"] == 10
    assert lately[here & enrolled].mean() < lately[here & ~enrolled].mean() - 1.5
    with pytest.raises(OptionError, match="selection"):
        rollout_truth(options)
    truth = simulated_rollout_truth(options, months=8, draws=3).set_index("month")
    assert truth.loc[8, "total"] > 0.03
    assert truth.loc[8, "net_pool"] < 100 * truth.loc[8, "direct"]
    raw = world.employed[17, here & enrolled].mean() - world.employed[17, here & ~enrolled].mean()
    assert raw < truth.loc[8, "direct"] - 0.05


def test_slack_markets_open_first_where_told():
    options = replace(SMALL, n_markets=60, tightness=(0.25, 1.0, 4.0), slack_first=1.0)
    table = simulate_rollout(options).markets
    order = table.groupby("opened")["tightness"].mean()
    assert order[11] < order[17] < order[0]
    drawn = simulate_rollout(
        replace(options, slack_first=0.0, n_markets=600, mean_pool=60.0)
    ).markets
    means = drawn.groupby("opened")["tightness"].mean()
    assert means.max() - means.min() < 0.5


def test_same_seed_same_lives_and_a_frame_by_person_and_month():
    once, twice = simulate_rollout(SMALL), simulate_rollout(SMALL)
    assert np.array_equal(once.employed, twice.employed)
    frame = once.frame
    assert list(frame) == [
        "person_id", "market", "x", "first_treated", "opened", "saturation", "tightness",
        "period", "y",
    ]  # fmt: skip
    assert len(frame) == 30 * once.persons["eligible"].sum()
    wide = frame.pivot_table(index="person_id", columns="period", values="y").to_numpy()
    assert np.array_equal(wide, once.employed[:, once.persons["eligible"] == 1].T)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("openings", ((3, 0.5),)),
        ("openings", ((11, 0.6), (12, 0.6))),
        ("openings", ((11, 0.3), (11, 0.3))),
        ("saturations", (0.0,)),
        ("effect", ()),
        ("tightness", (0.0,)),
        ("n_markets", 0),
        ("leaves", 1.5),
    ],
)
def test_options_out_of_range_are_named(field, value):
    with pytest.raises(OptionError, match=field):
        JobsRollout(**{field: value})


def test_the_sibling_without_ceiling_keeps_its_identities():
    p = np.array([0.0, 0.1, 0.5, 1.0])
    for d in (0.0, 0.3, 1.0):
        world = Unbounded(displacement=d)
        one, zero = world.mean(p, assigned=True), world.mean(p, assigned=False)
        share = world.eligible_share * p
        assert share * one + (1 - share) * zero == pytest.approx(world.hires(p), abs=1e-14)
        by_arms = one - 0.3 + (zero - 0.3) * (1 - share) / np.where(share > 0, share, 1)
        assert world.net(p)[1:] == pytest.approx(100 * by_arms[1:], abs=1e-11)
        assert float(world.net(1e-9)) == pytest.approx(float(world.net(0.0)), rel=1e-5)
    assert float(Unbounded(displacement=0.7).net(0.0)) == pytest.approx(100 * 0.3 * 0.5 * 0.3)


def test_the_sibling_draws_its_means():
    world, rng = Unbounded(), np.random.default_rng(1)
    treated = np.repeat([0.0, 1.0], 200_000)
    drawn = world.draw(rng, saturation=np.full(400_000, 0.5), treated=treated)
    means = pd.Series(drawn).groupby(treated).mean()
    for arm in (0, 1):
        known = float(world.mean(0.5, assigned=bool(arm)))
        assert means[arm] == pytest.approx(known, abs=0.004)
    with pytest.raises(OptionError, match="effect"):
        Unbounded(effect=3.0)
