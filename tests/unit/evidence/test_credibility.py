"""Credibility of differences in differences: what each check sees, what it does not, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks import CallawaySantAnna, Design, WhatworksError, placebo_outcomes, weigh
from whatworks.evidence.checks import (
    attrition,
    placebo,
    placebo_dates,
    precision,
    pretrend_power,
    refutation,
    sensitivity,
    territories,
)
from whatworks.evidence.leads import event_study
from whatworks.evidence.rating import CAPS, rate
from whatworks.evidence.record import Finding
from whatworks.vocabulary import DesignClass, Verdict
from whatworks.worlds import Pilots, simulate_pilots

RNG = np.random.default_rng(6)
SMALL = Pilots(
    seed=3,
    n_zones=12,
    persons_per_zone=20,
    n_months=12,
    adoptions=((7, 0.25), (9, 0.25)),
    effect=(3.0,),
    noise_sd=1.5,
)
METHOD = CallawaySantAnna(base_period="universal")


def design(frame: pd.DataFrame, **roles: str) -> Design:
    named = {
        "unit": "unit",
        "period": "period",
        "first_treated": "first_treated",
        "outcome": "outcome",
        "market": "zone",
    }
    return Design.from_panel(frame, **{**named, **roles})


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return simulate_pilots(SMALL).frame


@pytest.fixture(scope="module")
def fine(frame: pd.DataFrame) -> Design:
    return design(frame)


@pytest.fixture(scope="module")
def bent(frame: pd.DataFrame) -> Design:
    drift = 0.4 * frame["period"] * (frame["first_treated"] > 0)
    return design(frame.assign(outcome=frame["outcome"] + drift))


def test_leads_are_tested_together_and_counted(fine: Design, bent: Design) -> None:
    found = placebo.run(fine, [METHOD.fit(fine)], rng=RNG)
    assert found is not None
    assert found.verdict is not Verdict.FAILS
    assert found.facts["n"] == 7  # months −8 to −2: cohort 9 is seen eight months before
    crooked = placebo.run(bent, [METHOD.fit(bent)], rng=RNG)
    assert crooked is not None
    assert crooked.verdict is Verdict.FAILS


def test_few_territories_make_the_joint_test_humble(fine: Design) -> None:
    by_market = replace(METHOD, cluster="market")
    found = placebo.run(fine, [by_market.fit(fine)], rng=RNG)
    assert found is not None
    assert found.statistic > 0.01


def test_effects_told_from_one_period_to_the_next_make_the_same_event_study(
    frame: pd.DataFrame,
) -> None:
    # One cohort against units never treated: moves add up to the universal base exactly.
    one = design(frame[frame["first_treated"] != 9])
    month = one.question.primary
    chained = event_study(CallawaySantAnna(base_period="varying").fit(one), month)
    universal = event_study(METHOD.fit(one), month)
    assert chained is not None
    assert universal is not None
    np.testing.assert_allclose(chained.estimate, universal.estimate, atol=1e-10)
    np.testing.assert_allclose(chained.covariance, universal.covariance, atol=1e-10)
    assert chained.n_pre == 5


def test_anticipation_moves_the_base(frame: pd.DataFrame) -> None:
    one = design(frame[frame["first_treated"] != 9])
    found = event_study(replace(METHOD, anticipation=2).fit(one), one.question.primary)
    assert found is not None
    assert found.n_pre == 3  # periods 1 to 3 before the base, 4
    assert found.n_post == 2 + one.question.primary + 1


def test_power_says_what_the_test_would_have_missed(fine: Design) -> None:
    found = pretrend_power.run(fine, [METHOD.fit(fine)], rng=RNG)
    assert found is not None
    assert found.table is not None
    half, most = (found.table.iloc[k] for k in (0, 1))
    assert 0 < half["slope"] < most["slope"]
    month = fine.question.primary
    assert half["bias"] == pytest.approx(half["slope"] * (month + 1))
    assert found.facts["slope"] == pytest.approx(half["slope"])
    assert found.statistic == pytest.approx(abs(half["bias_if_passed"] / found.facts["estimate"]))
    noisy = simulate_pilots(replace(SMALL, noise_sd=12.0, effect=(0.5,))).frame
    weak = design(noisy)
    blind = pretrend_power.run(weak, [METHOD.fit(weak)], rng=RNG)
    assert blind is not None
    assert blind.verdict is Verdict.STRAINED


def test_an_effect_many_times_the_moves_before_holds_and_a_small_one_does_not() -> None:
    strong = design(simulate_pilots(replace(SMALL, effect=(60.0,))).frame)
    strong = replace(strong, question=replace(strong.question, months=(0, 1), primary=0))
    found = sensitivity.run(strong, [METHOD.fit(strong)], rng=RNG)
    assert found is not None
    assert found.verdict is Verdict.HOLDS
    assert found.statistic > 1
    weak = design(simulate_pilots(replace(SMALL, effect=(1.0,))).frame)
    found = sensitivity.run(weak, [METHOD.fit(weak)], rng=RNG)
    assert found is not None
    assert found.verdict is Verdict.FAILS
    assert found.statistic < sensitivity.FAILS_BELOW
    assert "fragile_trends" in [d.code for d in rate(weak, [found], None).deductions]
    assert found.table is not None
    one = found.table.query("set == 'relative_magnitudes' and departure == 1").iloc[0]
    assert one["conf_low"] < 0 < one["conf_high"]


def test_nothing_is_broken_where_nothing_is_told_from_zero() -> None:
    nil = design(simulate_pilots(replace(SMALL, effect=(0.0,), seed=5)).frame)
    found = sensitivity.run(nil, [METHOD.fit(nil)], rng=RNG)
    assert found is not None
    assert found.verdict is Verdict.NOT_TESTABLE


def test_false_starts_find_nothing_where_trends_are_parallel_and_a_drift_where_not(
    fine: Design, bent: Design
) -> None:
    assert placebo_dates.shifts(fine) == sorted(placebo_dates.shifts(fine), reverse=True)
    assert max(placebo_dates.shifts(fine)) <= 5  # month 1 stays before the earliest false start
    found = placebo_dates.run(fine, [METHOD.fit(fine)], rng=RNG)
    assert found is not None
    assert found.verdict is not Verdict.FAILS
    crooked = placebo_dates.run(bent, [METHOD.fit(bent)], rng=RNG)
    assert crooked is not None
    assert crooked.verdict is Verdict.FAILS
    assert crooked.facts["estimate"] > 0


def test_false_starts_read_nothing_from_the_first_true_start_on(frame: pd.DataFrame) -> None:
    noise = 99 * RNG.normal(size=len(frame))
    wild = frame.assign(outcome=frame["outcome"].where(frame["period"] < 7, noise))
    tables = [placebo_dates.run(d, [METHOD.fit(d)], rng=RNG) for d in (design(frame), design(wild))]
    assert tables[0] is not None
    assert tables[1] is not None
    pd.testing.assert_frame_equal(tables[0].table, tables[1].table)


def test_one_period_before_leaves_no_false_start(frame: pd.DataFrame) -> None:
    short = design(frame[frame["period"] >= 6])
    found = placebo_dates.run(short, [METHOD.fit(short)], rng=RNG)
    assert found is not None
    assert found.verdict is Verdict.NOT_TESTABLE


def test_no_territory_makes_the_effect_until_one_does(frame: pd.DataFrame, fine: Design) -> None:
    found = territories.run(fine, [METHOD.fit(fine)], rng=RNG)
    assert found is not None
    assert found.table is not None
    assert found.verdict is Verdict.HOLDS
    assert found.facts["n"] == found.facts["out_of"] == 12
    assert found.table["market"].is_unique
    one = frame.loc[frame["first_treated"] > 0, "zone"].iloc[0]
    calm = simulate_pilots(replace(SMALL, effect=(0.0,))).frame
    struck = (calm["zone"] == one) & (calm["period"] >= calm["first_treated"])
    struck_table = calm.assign(outcome=calm["outcome"] + 12.0 * struck)
    lone = design(struck_table)
    hanging = territories.run(lone, [METHOD.fit(lone)], rng=RNG)
    assert hanging is not None
    assert hanging.verdict is not Verdict.HOLDS
    by_hand = METHOD.fit(design(struck_table[struck_table["zone"] != one]))
    row = hanging.table.set_index("market").loc[str(one)]
    assert row["estimate"] == pytest.approx(by_hand.at(lone.question.primary)["estimate"])


def test_a_small_territory_is_never_left_out_alone(frame: pd.DataFrame) -> None:
    kept = (frame["zone"] != 0) | (frame["unit"] < 10)
    some = design(frame[kept])
    found = territories.run(some, [METHOD.fit(some)], rng=RNG)
    assert found is not None
    assert found.table is not None
    assert "0" not in set(found.table["market"])
    assert found.facts["n"] == 11


def test_outcomes_the_treatment_cannot_move(frame: pd.DataFrame, fine: Design) -> None:
    still = frame.assign(outcome=RNG.normal(size=len(frame)))
    calm = placebo_outcomes(METHOD, {"weather": design(still)})
    assert calm.verdict is not Verdict.FAILS
    moved = placebo_outcomes(METHOD, {"weather": design(still), "work": fine})
    assert moved.verdict is Verdict.FAILS
    assert moved.table is not None
    assert moved.table["p_adjusted"].max() > 0.05
    evidence = weigh(fine, METHOD.fit(fine), findings=[moved])
    assert evidence.findings[-1] is moved
    with pytest.raises(WhatworksError, match="each outcome"):
        placebo_outcomes(METHOD, {})


def test_periods_not_observed_are_attrition(frame: pd.DataFrame) -> None:
    helped = frame["first_treated"] > 0
    lost = frame["outcome"].mask(helped & (frame["period"] > 8) & (frame["unit"] % 2 == 0))
    holed = design(frame.assign(outcome=lost))
    kept = attrition.run(holed, [replace(METHOD, gaps="keep").fit(holed)], rng=RNG)
    assert kept is not None
    assert kept.statistic == pytest.approx(float(lost.isna().mean()))
    dropped = attrition.run(holed, [METHOD.fit(holed)], rng=RNG)
    assert dropped is not None
    assert dropped.statistic > kept.statistic
    assert dropped.verdict is Verdict.FAILS


def test_units_seen_once_are_not_lost(frame: pd.DataFrame) -> None:
    once = frame.sample(frac=1.0, random_state=1).drop_duplicates("unit")
    crossed = design(once.assign(unit=np.arange(len(once))))
    some = METHOD.fit(design(frame))
    assert attrition.run(crossed, [some], rng=RNG) is None


def test_a_rollout_is_not_refuted_by_permutation_and_its_spread_is_that_before(
    fine: Design,
) -> None:
    estimate = METHOD.fit(fine)
    assert refutation.run(fine, [estimate], rng=RNG) is None
    found = precision.run(fine, [estimate], rng=RNG)
    assert found is not None
    before = fine.outcomes.values[:, 5]
    error = float(estimate.at(fine.question.primary)["std_error"])
    assert found.statistic == pytest.approx(20 * 2.8016 * error / before.std(), rel=1e-4)


def test_no_finding_raises_a_rating_above_the_cap_of_its_design(fine: Design) -> None:
    checks = ("placebo", "pretrend_power", "sensitivity", "placebo_dates", "territories")
    for verdict in Verdict:
        answers = [
            Finding(
                check=name, verdict=verdict, statistic=1.0, threshold=0.0, facts={"breakdown": 0.4}
            )
            for name in (*checks, "placebo_outcomes", "refutation", "future", "twoway")
        ]
        for kind in DesignClass:
            rating = rate(replace(fine, design_class=kind), answers, None)
            assert rating.cap == CAPS[kind]
            assert rating.strength <= CAPS[kind]


def test_all_checks_answer_on_a_rollout(fine: Design) -> None:
    evidence = weigh(fine, METHOD.fit(fine))
    names = [f.check for f in evidence.findings]
    assert len(names) == len(set(names))
    assert {"pretrend_power", "sensitivity", "placebo_dates", "territories"} <= set(names)
    assert evidence.rating.strength <= CAPS[DesignClass.PANEL_DIFFERENCE]
