"""A page comes out of every way of comparing and of every estimator, and says over whom it speaks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import whatworks as ww
from whatworks.design.comparison import Comparison
from whatworks.estimate.protocol import Estimator
from whatworks.report.language import words
from whatworks.report.render import bundle
from whatworks.vocabulary import DesignClass

OPTIONS: dict[str, Comparison] = {
    "exact": ww.Exact(on=("sex",)),
    "coarsened_exact": ww.CoarsenedExact(on=("sex", "age")),
    "subclassification": ww.Subclassification(count=3),
}
METHODS: dict[str, Estimator] = {
    "MatchedDifference": ww.MatchedDifference(bias_adjust=True),
    "WeightedDifference": ww.WeightedDifference(),
    "RegressionAdjustment": ww.RegressionAdjustment(by=("sex",)),
    "DoublyRobust": ww.DoublyRobust(by=("sex",)),
    "QuantileEffects": ww.QuantileEffects(quantiles=(0.25, 0.5), thresholds=(0.0,)),
    "GroupRanking": ww.GroupRanking(n_groups=2, splits=4),
}
ESTIMANDS = {
    "MatchedDifference": "ATE",
    "WeightedDifference": "ATO",
    "RegressionAdjustment": "ATC",
    "DoublyRobust": "ATO",
    "QuantileEffects": "ATE",
    "GroupRanking": "ATT",
}
"""Each estimator says one; between them they say all four."""
OF_ANOTHER_DESIGN = {
    "FillingTimes",
    "MatchedDiD",
    "PilotAreas",
    "SaturationIV",
    "SaturationMeans",
    "SaturationRegression",
    "SaturationScore",
    "PartialInterference",
    "ExposureMapping",
    "SpilloverDiD",
}
"""Their pages are tested where such designs are made: displacement, study files, vacancies."""
ON_A_ROLLOUT: dict[str, Estimator] = {
    "CallawaySantAnna": ww.CallawaySantAnna(base_period="universal"),
    "Imputation": ww.Imputation(),
    "TwoWayFixedEffects": ww.TwoWayFixedEffects(),
    "ExtendedTwoWay": ww.ExtendedTwoWay(),
    "StackedDiD": ww.StackedDiD(),
    "SunAbraham": ww.SunAbraham(),
    "RandomTiming": ww.RandomTiming(drawn=True),
    "RollingDiD": ww.RollingDiD(),
    "TripleDifference": ww.TripleDifference(eligible="eligible"),
    "ContinuousDose": ww.ContinuousDose(),
    "DoublyRobustDiD": ww.DoublyRobustDiD(),
    "SyntheticControl": ww.SyntheticControl(),
    "AugmentedSyntheticControl": ww.AugmentedSyntheticControl(),
    "SyntheticDiD": ww.SyntheticDiD(),
}
SAID = {
    "ATT": "que dans le groupe de comparaison",
    "ATC": "Pour les personnes qui ne sont pas entrées",
    "ATE": "Pour les personnes, entrées ou non",
    "ATO": "Pour les personnes qui pouvaient aussi bien entrer que non",
}


@cache
def table() -> ww.Design:
    rng = np.random.default_rng(5)
    n = 240
    sex, age = rng.integers(0, 2, n), rng.integers(20, 60, n)
    entered = rng.random(n) < 1 / (1 + np.exp(0.6 - 0.5 * sex - 0.01 * (age - 40)))
    income = 500 + 8 * age + 90 * sex + 60 * entered + rng.normal(0, 120, n)
    rows = pd.DataFrame({"sex": sex, "age": age, "entered": entered.astype(int), "income": income})
    return ww.Design.from_cross_section(
        rows, treatment="entered", outcome="income", covariates=["sex", "age"], unit="USD"
    )


def matched(name: str, estimand: str) -> ww.Design:
    using = OPTIONS[name] if name in OPTIONS else ww.COMPARISONS[name]()
    return table().matched(using=using, estimand=estimand)


@cache
def rollout(*, cohorts: int = 2) -> ww.Design:
    """Sixty territories over eight periods, some starting in the fifth and some in the sixth."""
    rng = np.random.default_rng(6)
    unit, period = np.repeat(np.arange(60), 8), np.tile(np.arange(1, 9), 60)
    start = np.array([0, 0, 5, 6 if cohorts == 2 else 5])[np.arange(60) % 4][unit]
    hours = rng.uniform(5, 60, 60)[unit]
    common = (rng.normal(size=(60, 2)) @ rng.normal(size=(2, 8)).cumsum(axis=1)).ravel()
    gain = np.where((start > 0) & (period >= start), 0.05 * hours, 0.0)
    rows = pd.DataFrame(
        {
            "place": unit,
            "year": period,
            "start": start,
            "eligible": unit // 4 % 2,
            "hours": np.where(start > 0, hours, 0.0),
            "jobs": common + gain + rng.normal(size=480),
        }
    )
    return ww.Design.from_panel(
        rows,
        unit="place",
        period="year",
        first_treated="start",
        outcome="jobs",
        covariates=["eligible"] if cohorts == 2 else (),
        dose="hours",
    )


def page(design: ww.Design, estimates: list[ww.Estimate]) -> str:
    return bundle(ww.weigh(design, estimates), lang="fr")["index.html"].decode()


def test_every_registered_estimator_is_tried() -> None:
    assert set(METHODS) | set(ON_A_ROLLOUT) | OF_ANOTHER_DESIGN == set(ww.ESTIMATORS)


@pytest.mark.parametrize("name", ww.COMPARISONS)
def test_every_comparison_gives_a_page(name: str) -> None:
    estimand = "ATO" if name == "overlap_weights" else "ATT"
    design = matched(name, estimand)
    method = next(m for m in METHODS.values() if m.needs <= design.supplies)

    assert SAID[estimand] in page(design, [method.fit(design)])


@pytest.mark.parametrize(("name", "estimand"), ESTIMANDS.items())
def test_every_estimator_gives_a_page_that_says_over_whom(name: str, estimand: str) -> None:
    using = {"ATO": "overlap_weights"}.get(estimand, "inverse_probability")
    if name == "MatchedDifference":
        using = "nearest_neighbours"
    design = matched(using, estimand)
    html = page(design, [METHODS[name].fit(design)])

    assert SAID[estimand].replace("'", "&#39;") in html


@pytest.mark.parametrize("name", ON_A_ROLLOUT)
def test_every_estimator_of_a_rollout_gives_a_page_in_both_languages(name: str) -> None:
    design = rollout(cohorts=1 if name == "DoublyRobustDiD" else 2)
    if name == "RandomTiming":
        design = replace(design, design_class=DesignClass.RANDOMISED)
    estimates = [ON_A_ROLLOUT[name].fit(design)]
    if name == "TwoWayFixedEffects":
        estimates.insert(0, ON_A_ROLLOUT["Imputation"].fit(design))
    found = ww.weigh(design, estimates)
    for lang, said in (("fr", "celles qui"), ("en", "those that")):
        files = bundle(found, lang=lang)
        html = files["index.html"].decode()
        assert words(lang).text(f"method.{name}.label").replace("'", "&#39;") in html
        assert said in html
        assert "figures/calendar.svg" in files
        assert ("figures/gaps.svg" in files) is ("Synthetic" in name)
