"""What is said of others: the cases, the typed reasons, break-even, bounds, scenarios."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from unit.estimate.responses_by_hand import arms, fitted, known
from whatworks.design import Design
from whatworks.estimate.record import Estimate, effects_table
from whatworks.evidence.displaced import displaced
from whatworks.evidence.record import Lack, Stakes
from whatworks.evidence.scenarios import PROGRAMMES, magnitudes, programme_of, scenarios
from whatworks.ledger import Ledger
from whatworks.stats.uncertainty import Covariance
from whatworks.vocabulary import DesignClass, Unidentified
from whatworks.worlds import FiniteJobs, jobs_truth, simulate_jobs


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return simulate_jobs(FiniteJobs(n_markets=60, seed=5)).frame


def of(frame: pd.DataFrame, **more) -> Design:
    columns = {"market": "market", "saturation": "saturation", "stratum": "stratum"} | more
    return Design.from_cross_section(
        frame, treatment="treated", outcome="y", randomised=True, **columns
    )


def difference(point: float, error: float, *, unit: str = "") -> Estimate:
    """An effect of help on those helped, and nothing of the others."""
    term = {"term": "att", "cohort": -1, "month": 0, "group": "all"}
    rows = [{**term, "n_treated": 500, "n_comparison": 500}]
    covariance = np.array([[error**2]])
    return Estimate(
        method="MatchedDifference",
        options={},
        effects=effects_table(rows, np.array([point]), covariance, unit=unit),
        uncertainty=Covariance(matrix=covariance),
        ledger=Ledger(),
    )


def test_each_case_has_its_statement(people: pd.DataFrame):
    whole, alone = of(people), difference(0.1, 0.02)
    measuring = fitted(people)
    drawn_not = replace(whole, design_class=DesignClass.CROSS_SECTION)
    helped = people[people["saturation"] > 0]
    one_share = people[people["saturation"] == 0.5]
    one_market = people[people["market"] == people["market"].iloc[0]]
    direct = known([r for r in arms(jobs_truth(), base=0.3) if r[1] > 0])
    cases = {
        "measured": (whole, measuring),
        "saturation_not_randomised": (drawn_not, measuring),
        "direct_only": (of(helped), direct),
        "not_read": (whole, alone),
        "no_saturation_variation": (of(one_share), alone),
        "markets_only": (of(people, saturation=None), alone),
        "one_market": (of(one_market), alone),
        "not_measured": (of(people, market=None, saturation=None), alone),
    }
    for code, (design, estimate) in cases.items():
        found = displaced(design, [estimate], Stakes())
        assert found.code == code
        assert found.measured == (code == "measured")
        assert found.of_others == (code in ("measured", "saturation_not_randomised"))


def test_the_reason_is_typed(people: pd.DataFrame):
    alone = difference(0.1, 0.02)
    helped = people[people["saturation"] > 0]
    cases = {
        Unidentified.NO_PURE_CONTROL: of(helped),
        Unidentified.NO_SATURATION_VARIATION: of(people[people["saturation"] == 0.5]),
        Unidentified.ONE_MARKET: of(people, market=None, saturation=None),
        Unidentified.NET_CLAIM_WITHOUT_DESIGN: of(people),
    }
    for code, design in cases.items():
        assert displaced(design, [alone], Stakes()).lacks == (Lack(code=code),)


def test_a_measured_displacement_tells_the_net_and_no_scenario(people: pd.DataFrame):
    found = displaced(of(people), [fitted(people)], Stakes(pool_share=0.5, cost=500.0, value=9e3))
    assert found.net is not None
    assert found.net.pool_share == 0.5
    assert found.bounds is None
    assert found.scenarios is None
    assert found.break_even is not None
    assert {lack.code for lack in found.lacks} >= {Unidentified.ONE_ARM_CELL}


def test_break_even_of_one_territory_is_the_image_of_the_interval(people: pd.DataFrame):
    design = of(people, market=None, saturation=None)
    found = displaced(design, [difference(0.10, 0.02)], Stakes(cost=1_000.0, value=20_000.0))
    row = found.break_even.iloc[0]
    low, high = 0.10 - 1.959964 * 0.02, 0.10 + 1.959964 * 0.02
    assert row["estimate"] == pytest.approx(0.5)
    assert row["low"] == pytest.approx(1 - 0.05 / low, abs=1e-6)
    assert row["high"] == pytest.approx(1 - 0.05 / high, abs=1e-6)
    nil = displaced(design, [difference(0.02, 0.02)], Stakes(cost=1_000.0, value=20_000.0))
    assert np.isnan(nil.break_even["estimate"].iloc[0])
    assert nil.break_even["code"].iloc[0] == Unidentified.DENOMINATOR_NOT_SEPARATED
    assert nil.break_even["set_kind"].iloc[0] != "interval"
    assert displaced(design, [difference(0.1, 0.02)], Stakes(cost=1.0)).break_even is None


def test_a_cost_is_paid_for_those_who_come(people: pd.DataFrame):
    half = people.assign(came=((people["treated"] == 1) & (people.index % 2 == 0)).astype(int))
    design = of(half, market=None, saturation=None, took_part="came")
    came = half.loc[half["treated"] == 1, "came"].mean()
    found = displaced(design, [difference(0.10, 0.02)], Stakes(cost=1_000.0, value=20_000.0))
    assert found.break_even["cost"].iloc[0] == pytest.approx(1_000 * came)
    assert found.break_even["estimate"].iloc[0] == pytest.approx(1 - 0.05 * came / 0.10)


def test_bounds_name_their_assumption_and_hold_the_error_of_the_effect(people: pd.DataFrame):
    design = of(people, market=None, saturation=None)
    found = displaced(design, [difference(0.10, 0.02)], Stakes(share=0.5)).bounds
    assert found["assumption"].tolist() == ["bounded", "others_never_gain", "no_net_loss"]
    last = found.iloc[-1]
    assert (last["low"], last["high"]) == (0.0, pytest.approx(10.0))
    assert last["conf_high"] == pytest.approx(10 + 196 * 0.02, abs=0.01)
    assert (found["conf_low"] <= found["low"] + 1e-9).all()
    assert (found["conf_high"] >= found["high"] - 1e-9).all()
    # Without the share helped, what bounded outcomes alone tell cannot be scaled to the helped.
    alone = displaced(design, [difference(0.10, 0.02)], Stakes()).bounds
    assert alone["assumption"].tolist() == ["no_net_loss"]


def test_where_jobs_are_not_scarce_nothing_of_the_kind_is_told(people: pd.DataFrame):
    design = of(people, market=None, saturation=None)
    stakes = Stakes(scarce_jobs=False, cost=1.0, value=2.0, programme="assistance")
    found = displaced(design, [difference(0.1, 0.02)], stakes)
    assert not found.scarce
    assert found.bounds is found.scenarios is found.break_even is None


def test_scenarios_follow_the_accompaniment_and_are_not_pooled(people: pd.DataFrame):
    design = of(people, market=None, saturation=None)
    asked = replace(design.question, treatment="job_search")
    found = displaced(
        replace(design, question=asked), [difference(0.10, 0.02)], Stakes(tightness=1.0)
    ).scenarios
    assert (found["programme"] == "assistance").all()
    assert not set(found) & {"std_error", "conf_low", "conf_high", "low", "high", "mean"}
    model = found[found["design"] == "model"].iloc[0]
    assert model["left"] == pytest.approx(5.0)
    assert displaced(design, [difference(0.1, 0.02)], Stakes()).scenarios is None


def test_published_magnitudes_are_those_computed_from_their_microdata():
    found = scenarios(2.32426, programme="assistance")
    first = found.iloc[0]
    # 100 (.0232426 - .0134441 / .625): what was left in net of the trial itself.
    assert first["share_lost"] == pytest.approx(0.9255, abs=5e-5)
    assert first["left"] == pytest.approx(0.173, abs=5e-4)


def test_what_nobody_read_in_its_source_is_neither_shown_nor_used():
    unverified = [m for m in magnitudes() if not m.checked]
    assert unverified
    for programme in PROGRAMMES:
        shown = scenarios(1.0, programme=programme)
        assert not set(shown["fr"]) & {m.fr for m in unverified}


def test_every_magnitude_says_its_source_in_both_languages():
    for m in magnitudes():
        assert m.study
        assert m.source
        assert m.fr != m.en
        assert m.programme in PROGRAMMES
        assert m.tightness in ("any", "weak", "strong")
        assert bool(m.direction) == np.isnan(m.share_lost)
        assert bool(m.of) == np.isfinite(m.share_lost)


def test_tightness_leaves_out_what_is_said_of_other_markets():
    strong = scenarios(1.0, programme="assistance", tightness="strong")
    weak = scenarios(1.0, programme="assistance", tightness="weak")
    assert set(strong["tightness"]) == {"any"}
    assert set(weak["tightness"]) == {"any", "weak"}


def test_accompaniments_without_published_magnitudes_have_none():
    assert programme_of("access_to_rights") == ""
    assert programme_of("aided_contract") == "subsidised_job"
