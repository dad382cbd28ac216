"""Checks can fail, ratings never rise above their cap, and conclusions follow the written rule."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks import (
    Design,
    Exact,
    MatchedDiD,
    MatchedDifference,
    NearestNeighbours,
    SaturationRegression,
    WhatworksError,
    stack,
    weigh,
)
from whatworks.evidence.rating import CAPS, ESTABLISHED_FROM, impact
from whatworks.vocabulary import Conclusion, DesignClass, Impact, Verdict
from whatworks.worlds import FiniteJobs, Pilots, simulate_jobs, simulate_pilots

RNG = np.random.default_rng(11)
PANEL_ROLES = {
    "unit": "unit",
    "period": "period",
    "first_treated": "first_treated",
    "outcome": "outcome",
}


def table(n: int = 600, gap: float = 0.5, effect: float = 1.0) -> pd.DataFrame:
    x = RNG.normal(size=n)
    treat = (RNG.random(n) < 1 / (1 + np.exp(0.5 - gap * x))).astype(int)
    return pd.DataFrame({"treat": treat, "x": x, "y": x + effect * treat + RNG.normal(size=n)})


def cross_section(data: pd.DataFrame, **options: object) -> Design:
    return Design.from_cross_section(
        data,
        treatment="treat",
        outcome="y",
        covariates=["x"],
        **options,  # type: ignore[arg-type]
    )


def finding(evidence: object, check: str) -> object:
    return next(f for f in evidence.findings if f.check == check)  # type: ignore[attr-defined]


def test_matching_on_what_differs_restores_balance_and_matching_on_nothing_does_not() -> None:
    data = table(gap=1.5).assign(group=0)
    near = cross_section(data).matched(using=NearestNeighbours(ratio=1, caliper_sd=0.1))
    assert finding(weigh(near, [MatchedDifference().fit(near)]), "balance").verdict is Verdict.HOLDS
    far = Design.from_cross_section(
        data, treatment="treat", outcome="y", covariates=["x", "group"]
    ).matched(using=Exact(on=("group",)))
    evidence = weigh(far, [MatchedDifference().fit(far)])
    assert finding(evidence, "balance").verdict is Verdict.FAILS
    assert "imbalance" in [d.code for d in evidence.rating.deductions]


def test_overlap_fails_when_many_find_nobody() -> None:
    design = cross_section(table(gap=2.5)).matched(
        using=NearestNeighbours(ratio=1, caliper_sd=0.0005)
    )
    found = finding(weigh(design, [MatchedDifference().fit(design)]), "overlap")
    assert found.verdict is Verdict.FAILS
    assert found.facts["matched_share"] < 0.8


def test_the_placebo_fails_when_trends_differ_before() -> None:
    frame = simulate_pilots(Pilots(seed=2, n_months=14, adoptions=((8, 0.5),))).frame
    fine = stack(Design.from_panel(frame, **PANEL_ROLES))
    assert finding(weigh(fine, [MatchedDiD().fit(fine)]), "placebo").verdict is not Verdict.FAILS
    drift = frame.assign(
        outcome=frame["outcome"] + 0.6 * frame["period"] * (frame["first_treated"] > 0)
    )
    bent = stack(Design.from_panel(drift, **PANEL_ROLES))
    evidence = weigh(bent, [MatchedDiD().fit(bent)])
    assert finding(evidence, "placebo").verdict is Verdict.FAILS
    assert evidence.rating.strength <= CAPS[DesignClass.PANEL_DIFFERENCE] - 2


def test_lost_outcomes_are_attrition() -> None:
    data = table()
    data.loc[data.index % 3 == 0, "y"] = np.nan
    design = cross_section(data).matched(using=NearestNeighbours())
    found = finding(weigh(design, [MatchedDifference().fit(design)]), "attrition")
    assert found.verdict is Verdict.FAILS
    assert found.statistic == pytest.approx(1 / 3)


def test_permuting_the_treatment_leaves_the_users_frame_alone() -> None:
    design = cross_section(table()).matched(using=NearestNeighbours())
    before = design.units.copy()
    found = finding(weigh(design, [MatchedDifference().fit(design)]), "refutation")
    assert found.verdict is Verdict.HOLDS
    pd.testing.assert_frame_equal(design.units, before)


def test_good_checks_never_lift_a_design_above_its_cap() -> None:
    design = cross_section(table(n=4_000, gap=0.2)).matched(using=NearestNeighbours(ratio=3))
    evidence = weigh(design, [MatchedDifference().fit(design)])
    assert evidence.rating.strength <= CAPS[DesignClass.CROSS_SECTION] < ESTABLISHED_FROM
    assert evidence.conclusion is Conclusion.SUGGESTED
    drawn = cross_section(table(n=4_000, gap=0.0), randomised=True).matched(
        using=NearestNeighbours(ratio=3)
    )
    assert weigh(drawn, [MatchedDifference().fit(drawn)]).conclusion is Conclusion.ESTABLISHED


def test_an_interval_with_zero_establishes_nothing_and_says_why() -> None:
    design = cross_section(table(n=120, effect=0.0), randomised=True).matched(
        using=NearestNeighbours()
    )
    evidence = weigh(design, [MatchedDifference().fit(design)])
    assert evidence.conclusion is Conclusion.NOT_ESTABLISHED
    assert "interval_includes_zero" in [r.code for r in evidence.conclusion_reasons]


def test_displacement_is_not_measured_unless_saturation_varied() -> None:
    design = cross_section(table()).matched(using=NearestNeighbours())
    plain = weigh(design, [MatchedDifference().fit(design)]).displacement
    assert not plain.measured
    assert plain.effects is None
    jobs = simulate_jobs(FiniteJobs(n_markets=40, saturations=(0.0, 0.5), seed=3)).frame
    varied = Design.from_cross_section(
        jobs, treatment="treated", outcome="y", market="market", saturation="saturation",
        randomised=True,
    )  # fmt: skip
    measured = weigh(varied, [SaturationRegression().fit(varied)]).displacement
    assert measured.measured
    assert set(measured.effects["term"]) == {"direct", "spillover", "total", "overall"}


@pytest.mark.parametrize(
    ("estimate", "low", "high", "expected"),
    [
        (6, 3.5, 8.5, Impact.HIGH),
        (6, 2.5, 9.5, Impact.MODERATE),
        (1.5, 0.5, 2.5, Impact.LOW),
        (0.1, -1.5, 1.7, Impact.NONE_DETECTED),
        (-3, -5, -1, Impact.NEGATIVE),
        (4, -1, 9, Impact.INCONCLUSIVE),
        (4, math.nan, math.nan, Impact.NOT_MEASURED),
    ],
)
def test_the_dial_is_read_from_the_interval(
    estimate: float, low: float, high: float, expected: Impact
) -> None:
    assert impact(estimate, low, high, unit="pp", month=12) is expected
    per_month = [v * 24 / 100 for v in (estimate, low, high)]
    assert impact(*per_month, unit="months", month=24) is expected


def test_evidence_needs_an_estimate() -> None:
    with pytest.raises(WhatworksError, match="at least one estimate"):
        weigh(cross_section(table()), [])


def test_losses_that_differ_between_arms_are_seen() -> None:
    data = table(n=1_000, gap=0.0)
    lost = (data["treat"] == 1) & (data["y"] < data["y"].quantile(0.3))
    data.loc[lost, "y"] = np.nan
    design = cross_section(data, randomised=True).matched(using=NearestNeighbours())
    evidence = weigh(design, [MatchedDifference().fit(design)])
    found = finding(evidence, "attrition")
    assert found.verdict is Verdict.FAILS
    assert found.facts["gap"] > 0.1
    assert evidence.rating.strength < 5


def test_levels_matched_on_nothing_are_a_description() -> None:
    frame = simulate_pilots(Pilots(seed=4, n_months=24)).frame
    levels = stack(Design.from_panel(frame, **PANEL_ROLES)).matched(using=Exact())
    assert levels.design_class is DesignClass.UNADJUSTED
    bare = Design.from_cross_section(table(), treatment="treat", outcome="y")
    assert bare.matched(using=Exact()).design_class is DesignClass.UNADJUSTED


def test_a_primary_month_that_was_not_estimated_concludes_nothing() -> None:
    frame = simulate_pilots(Pilots(seed=5, n_months=24)).frame
    design = stack(Design.from_panel(frame, **PANEL_ROLES))
    month = design.question.primary
    values = design.outcomes.values.copy()
    values[:, design.outcomes.months.index(month)] = np.nan
    holed = replace(design, outcomes=replace(design.outcomes, values=values))
    evidence = weigh(holed, MatchedDiD().fit(holed))
    assert evidence.impact is Impact.NOT_MEASURED
    assert [r.code for r in evidence.conclusion_reasons] == ["primary_not_estimated"]
    assert evidence.conclusion is Conclusion.NOT_ESTABLISHED


def test_a_lone_treated_person_establishes_nothing() -> None:
    data = table(n=60)
    data["treat"] = (data.index == 0).astype(int)
    data.loc[0, "y"] = 1_000.0
    design = Design.from_cross_section(
        data, treatment="treat", outcome="y", randomised=True
    ).matched(using=Exact())
    evidence = weigh(design, MatchedDifference().fit(design))
    assert math.isnan(evidence.estimates[0].at(0)["std_error"])
    assert evidence.conclusion is Conclusion.NOT_ESTABLISHED
    assert finding(evidence, "clusters").verdict is Verdict.FAILS
