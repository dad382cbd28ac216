"""A trial that finds the truth, and a doubly robust difference that does not, with parallel trends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whatworks import CallawaySantAnna, Design, RegressionAdjustment, weigh
from whatworks.errors import OptionError
from whatworks.evidence.rating import CAPS
from whatworks.vocabulary import DesignClass, Verdict
from whatworks.worlds import Reliance, RelianceWorld, reliance_truth, simulate_reliance

KNOWN = ["age", "children", "diploma", "months_on_rsa"]
LAST = 17


@pytest.fixture(scope="module")
def world() -> RelianceWorld:
    return simulate_reliance()


def observed(world: RelianceWorld) -> Design:
    return Design.from_panel(
        world.registers,
        unit="person_id",
        period="month",
        first_treated="first_treated",
        outcome="in_work",
        covariates=KNOWN,
        outcome_unit="pp",
    )


def test_the_trial_covers_the_truth_at_every_horizon(world: RelianceWorld) -> None:
    truth = reliance_truth().set_index("month")["value"]
    missed = 0
    for month in (0, 3, 5, 6, 9, 12, LAST):
        table = world.trial_at(month)
        design = Design.from_cross_section(
            table,
            treatment="helped",
            outcome="in_work",
            covariates=KNOWN,
            randomised=True,
            unit="pp",
        )
        row = RegressionAdjustment().fit(design).at(0)
        missed += not row["conf_low"] <= truth[month] <= row["conf_high"]
    assert missed <= 1


def test_with_parallel_trends_before_the_difference_misses_the_truth(world: RelianceWorld) -> None:
    design = observed(world)
    estimate = CallawaySantAnna(base_period="universal").fit(design)
    row = estimate.at(LAST)
    assert row["conf_low"] > reliance_truth().set_index("month")["value"][LAST] + 3
    evidence = weigh(design, estimate)
    found = {f.check: f for f in evidence.findings}
    assert found["placebo"].verdict is Verdict.HOLDS
    assert found["placebo_dates"].verdict is Verdict.HOLDS
    assert found["sensitivity"].verdict is Verdict.FAILS
    assert evidence.rating.cap == CAPS[DesignClass.PANEL_DIFFERENCE] == 3
    assert evidence.rating.strength == 2


def test_without_selection_on_readiness_the_difference_is_right() -> None:
    options = Reliance(seed=4, forward_ready=0.2, forward_other=0.2)
    design = observed(simulate_reliance(options))
    estimate = CallawaySantAnna(base_period="universal").fit(design)
    truth = reliance_truth(options).set_index("month")["value"]
    for month in (3, 9, LAST):
        row = estimate.at(month)
        assert abs(row["estimate"] - truth[month]) < 3.5 * row["std_error"]


def test_those_who_come_forward_are_ready_and_look_alike_before(world: RelianceWorld) -> None:
    table = world.registers
    forward = table["first_treated"] > 0
    before = table["month"] < world.start
    trend = table[before].groupby([forward[before], "month"])["in_work"].mean().unstack(0)
    gap = (trend[True] - trend[False]).to_numpy()
    slope = np.polyfit(np.arange(gap.size), gap, 1)[0]
    assert abs(slope) < 0.3
    rise = table[table["month"] == world.start + LAST].groupby(forward)["in_work"].mean()
    assert rise[True] - rise[False] > 8


def test_the_truth_is_the_curve_announced() -> None:
    truth = reliance_truth(replace(Reliance(), effect=1.5))["value"].to_numpy()
    assert truth[:6].tolist() == [-3.0] * 6
    assert set(truth[6:]) == {1.5}


@pytest.mark.parametrize("wrong", [{"ready_share": 1.2}, {"ramp": 0}])
def test_a_wrong_option_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(wrong))):
        Reliance(**wrong)  # type: ignore[arg-type]  # one of the two is an int, as its field
