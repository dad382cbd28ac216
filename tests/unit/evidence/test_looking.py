"""Checks that read the design alone: overlap for whom the effect is about, and the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, NearestNeighbours
from whatworks.evidence.checks import balance, future, overlap
from whatworks.vocabulary import CONDITIONS_ON_THE_FUTURE, DesignClass, Verdict

RNG = np.random.default_rng(3)
NEAREST = NearestNeighbours(ratio=1, metric="propensity")


def design(n: int = 400, *, gap: float = 0.3) -> Design:
    rng = np.random.default_rng(8)
    x = rng.normal(size=n)
    treat = (rng.random(n) < 1 / (1 + np.exp(-gap * x))).astype(int)
    table = pd.DataFrame({"treat": treat, "x": x, "y": rng.normal(size=n)})
    return Design.from_cross_section(table, treatment="treat", outcome="y", covariates=["x"])


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_overlap_counts_those_the_effect_is_about(estimand: str) -> None:
    near = design().matched(using=NEAREST, estimand=estimand)
    found = overlap.run(near, (), rng=RNG)
    assert found is not None
    assert found.statistic == 1.0
    strict = replace(NEAREST, caliper_sd=0.002)
    cut = overlap.run(design(gap=2.0).matched(using=strict, estimand=estimand), (), rng=RNG)
    assert cut is not None
    assert cut.statistic < 0.95


def test_overlap_is_thin_where_few_comparisons_carry_many() -> None:
    n = 300
    x = np.r_[np.full(200, 1.0), np.linspace(-4, -3, 95), np.full(5, 1.0)] + 1e-6 * np.arange(n)
    table = pd.DataFrame({"treat": np.arange(n) < 200, "x": x, "y": 0.0}).astype(float)
    made = Design.from_cross_section(table, treatment="treat", outcome="y", covariates=["x"])
    found = overlap.run(
        made.matched(using=NearestNeighbours(ratio=1, metric="mahalanobis")), (), rng=RNG
    )
    assert found is not None
    assert found.verdict is Verdict.STRAINED
    assert found.facts["ess"] <= 5


def test_overlap_says_nothing_of_groups_nobody_chose() -> None:
    assert overlap.run(design(), (), rng=RNG) is None


@pytest.mark.parametrize(
    ("cautions", "verdict"), [((), Verdict.HOLDS), ((CONDITIONS_ON_THE_FUTURE,), Verdict.STRAINED)]
)
def test_conditioning_on_the_future_is_a_caution(
    cautions: tuple[str, ...], verdict: Verdict
) -> None:
    chosen = replace(design(), cautions=cautions, design_class=DesignClass.MATCHED_LONG_HISTORY)
    found = future.run(chosen, (), rng=RNG)
    assert found is not None
    assert found.verdict is verdict


def test_a_table_has_no_future_to_condition_on() -> None:
    assert future.run(design(), (), rng=RNG) is None


def test_the_table_of_balance_sets_before_beside_after() -> None:
    near = design(gap=1.0).matched(using=NEAREST)
    row = balance.balance_table(near).iloc[0]
    assert abs(row["smd_after"]) < abs(row["smd_before"])
    assert row["ks_after"] < row["ks_before"]
