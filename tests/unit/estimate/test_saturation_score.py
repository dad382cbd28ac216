"""SaturationScore: what it refuses, what it tells of itself, and what placebos show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from whatworks import Design, SaturationScore, placebo_pool, with_markets
from whatworks.design.parts import Outcomes
from whatworks.errors import DisplacementRefused, OptionError
from whatworks.estimate.shares.responses import ASSIGNED, INELIGIBLE, UNASSIGNED, responses_of
from whatworks.vocabulary import Unidentified

ROLES = {"treatment": "treat", "outcome": "y", "market": "market", "saturation": "share"}


def table(
    n_markets: int = 80, *, size: int = 30, noise: float = 1.0, seed: int = 0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    tight = rng.normal(size=n_markets)
    share = expit(-0.3 + 0.6 * tight + 0.8 * rng.normal(size=n_markets))
    share[::8] = 0.0
    market = np.repeat(np.arange(n_markets), size)
    x = rng.normal(size=market.size)
    treat = (rng.random(market.size) < share[market]).astype(int)
    y = 5 + 0.3 * tight[market] + 0.5 * x + 0.8 * treat - share[market]
    y = y + noise * (0.1 * rng.normal(size=n_markets)[market] + 0.5 * rng.normal(size=market.size))
    columns = {"treat": treat, "x": x, "tight": tight[market], "y": y}
    return pd.DataFrame({**columns, "market": market, "share": share[market]})


def design(rows: pd.DataFrame, **more: str) -> Design:
    return Design.from_cross_section(rows, covariates=["x", "tight"], **ROLES, **more)


def refusal(rows: pd.DataFrame, method: SaturationScore) -> DisplacementRefused:
    with pytest.raises(DisplacementRefused) as caught:
        method.fit(design(rows))
    assert caught.value.remedy
    return caught.value


def test_without_noise_responses_are_exact() -> None:
    rows = table(noise=0.0)
    found = SaturationScore(at=(0.3, 0.5)).fit(design(rows)).effects.set_index(["term", "group"])
    for share, label in ((0.3, "0.3"), (0.5, "0.5")):
        assert found.loc[("direct", label), "estimate"] == pytest.approx(0.8, abs=1e-6)
        assert found.loc[("spillover", label), "estimate"] == pytest.approx(-share, abs=1e-6)
        assert found.loc[("total", label), "estimate"] == pytest.approx(0.8 - share, abs=1e-6)
        assert found.loc[("overall", label), "estimate"] == pytest.approx(
            share * 0.8 - share, abs=1e-6
        )


@pytest.mark.parametrize("within", ["doubly_robust", "regression", "weighting"])
@pytest.mark.parametrize("law", ["logit_normal", "beta", "normal"])
def test_every_first_stage_and_law_answers_the_same_question(within: str, law: str) -> None:
    effects = SaturationScore(at=(0.4,), within=within, law=law).fit(design(table())).effects
    found = effects[effects["group"] == "0.4"].set_index("term")
    for term, truth in (("direct", 0.8), ("spillover", -0.4)):
        assert abs(found.loc[term, "estimate"] - truth) < 4 * found.loc[term, "std_error"]
        assert found.loc[term, "std_error"] < 0.2


def test_too_few_markets() -> None:
    assert refusal(table(39), SaturationScore()).code is Unidentified.TOO_FEW_MARKETS


def test_shares_beyond_those_seen() -> None:
    rows = table()
    rows = rows[rows["share"] < 0.6]
    found = refusal(rows, SaturationScore(at=(0.3, 0.9)))
    assert found.code is Unidentified.EXTRAPOLATED_P


def test_shares_that_what_markets_are_decides_have_no_overlap() -> None:
    rows = table()
    rng = np.random.default_rng(1)
    jitter = 0.05 * rng.normal(size=80)[rows["market"]]
    rows["share"] = np.where(rows["share"] > 0, expit(rows["tight"] + jitter), 0.0)
    found = refusal(rows, SaturationScore(at=(0.2, 0.5, 0.8)))
    assert found.code is Unidentified.P_COLLINEAR
    assert "explains 9" in str(found)


def test_shares_of_few_values_are_left_to_methods_for_drawn_ones() -> None:
    rows = table()
    rows["share"] = np.where(rows["share"] > 0, np.where(rows["market"] % 2, 0.25, 0.5), 0.0)
    assert refusal(rows, SaturationScore()).code is Unidentified.NO_SATURATION_VARIATION


def test_without_markets_near_zero_only_direct_effects_are_told() -> None:
    rows = table()
    rows["share"] = rows["share"].clip(lower=0.05 + 0.001 * (rows["market"] % 7))
    plain = SaturationScore(at=(0.4,)).fit(design(rows))
    assert set(plain.effects["term"]) == {"direct"}
    near = SaturationScore(at=(0.4,), near_zero=0.06).fit(design(rows))
    assert {"direct", "spillover", "total", "overall"} <= set(near.effects["term"])
    assert near.extras["overlap"]["saturation"].tolist() == [0.0, 0.4]


def test_a_share_too_few_markets_have_is_left_out_and_counted() -> None:
    rows = table()
    rows.loc[rows["market"].isin([1, 2]), "share"] = 1.0
    rows.loc[rows["market"].isin([1, 2]), "treat"] = 1
    estimate = SaturationScore().fit(design(rows))
    step = estimate.ledger.steps[-1]
    assert dict(step.dropped) == {"share_of_few_markets": 60}


def test_markets_treated_in_full_tell_their_treated() -> None:
    rows = table()
    full = rows["market"] % 8 == 1
    rows.loc[full, "share"], rows.loc[full, "treat"] = 1.0, 1
    responses = responses_of(SaturationScore().fit(design(rows)), what="a test")
    ones = responses.saturation == 1
    assert responses.arm[ones].tolist() == [ASSIGNED]
    assert responses.n_markets[ones].tolist() == [10]


def test_the_ineligible_have_responses_of_their_own() -> None:
    rows = table(120)
    rows["may"] = (np.arange(len(rows)) % 3 > 0).astype(int)
    rows.loc[rows["may"] == 0, "treat"] = 0
    rows.loc[rows["may"] == 0, "y"] = 2 - 0.5 * rows["share"] + 0.01 * rows["x"]
    made = design(rows, eligible="may")
    estimate = SaturationScore(at=(0.4,)).fit(made)
    responses = responses_of(estimate, what="a test")
    assert set(responses.arm) == {ASSIGNED, UNASSIGNED, INELIGIBLE}
    spilled = estimate.effects.set_index(["term", "group"])["estimate"][
        "spillover_ineligible", "0.4"
    ]
    assert spilled == pytest.approx(-0.2, abs=0.01)


def test_months_before_entry_and_pools_that_do_not_compete_are_placebos() -> None:
    rows = table(120, size=40)
    made = design(rows)
    before = (
        5 + 0.3 * rows["tight"] + 0.5 * rows["x"] + np.random.default_rng(2).normal(size=len(rows))
    )
    values = np.column_stack([before, made.outcomes.values[:, 0]])
    made = replace(made, outcomes=Outcomes(name="y", unit="", months=(-6, 6), values=values))
    found = SaturationScore(at=(0.4,)).fit(made).effects.set_index(["term", "group", "month"])
    assert (
        abs(found.loc[("spillover", "0.4", -6), "estimate"])
        < 3 * (found.loc[("spillover", "0.4", -6), "std_error"])
    )
    assert found.loc[("spillover", "0.4", 6), "p_value"] < 0.01
    rows["elsewhere"] = (np.arange(len(rows)) % 2).astype(float)
    rows.loc[rows["elsewhere"] == 1, "y"] += rows["share"]  # whom nothing is taken from
    apart = Design.from_cross_section(rows, covariates=["x", "tight", "elsewhere"], **ROLES)
    placebo = placebo_pool(apart, cannot_compete="elsewhere", method=SaturationScore(at=(0.4,)))
    row = placebo.effects.set_index(["term", "group"]).loc[("spillover", "0.4")]
    assert abs(row["estimate"]) < 3 * row["std_error"]
    assert dict(placebo.ledger.steps[-1].dropped) == {"can_compete": 2_400}
    with pytest.raises(OptionError, match="0 or 1"):
        placebo_pool(apart, cannot_compete="x")


def test_tightness_of_the_table_of_markets_is_held() -> None:
    rows = table(120, size=40)
    one = rows.drop_duplicates("market")
    made = Design.from_cross_section(rows, covariates=["x"], **ROLES)
    told = with_markets(
        made,
        pd.DataFrame({"market": one["market"].astype(str), "theta": np.exp(one["tight"])}),
        market="market",
        tightness="theta",
        tightness_before=True,
    )
    asked = SaturationScore(at=(0.4, 0.65))
    without, held = asked.fit(made), asked.fit(told)
    assert held.extras["balance"]["covariate"].tolist() == ["x", "tightness"]
    one_by_one = [e.effects.set_index(["term", "group"])["estimate"] for e in (without, held)]
    spilled = [found["spillover", "0.65"] for found in one_by_one]
    assert spilled[1] < spilled[0] - 0.05  # tight markets are treated more, and fare better
    late = replace(told, markets=replace(told.markets, tightness_before=False))
    with pytest.raises(DisplacementRefused) as caught:
        SaturationScore().fit(late)
    assert caught.value.code is Unidentified.POST_TREATMENT_TIGHTNESS


def test_what_it_says_of_overlap_balance_and_what_was_not_seen() -> None:
    estimate = SaturationScore().fit(design(table()))
    overlap, balance = estimate.extras["overlap"], estimate.extras["balance"]
    assert (overlap["supported"] > 0.4).all()
    assert overlap["n_markets"].sum() == 80
    tight = balance.set_index("covariate").loc["tight"]
    assert tight["before"] > 0.4
    assert abs(tight["after"]) < 0.05
    told = estimate.extras["sensitivity"]
    assert told["robustness"].between(0, 1).all()
    assert (told["robustness_of_interval"] <= told["robustness"]).all()
    assert (told["e_value"] >= told["e_value_of_interval"]).all()
    assert 0 < estimate.extras["least_chance"] < 0.5


def test_persons_and_markets_are_two_estimands() -> None:
    rows = table()
    large = rows[rows["tight"] > 0]
    rows = pd.concat([rows, large, large], ignore_index=True)
    found = [
        SaturationScore(at=(0.4,), weigh=weigh).fit(design(rows))
        for weigh in ("persons", "markets")
    ]
    means = [responses_of(e, what="a test").mean for e in found]
    assert (means[0] > means[1] + 0.05).all()


@pytest.mark.parametrize(
    "wrong",
    [{"at": (0.0, 0.5)}, {"at": (0.5, 0.5)}, {"degree": 4}, {"near_zero": 0.6}, {"law": "gamma"}],
)
def test_options_are_held_against_what_they_may_be(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        SaturationScore(**wrong)
