"""Weights and weighted differences against the R packages WeightIt and ebal."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from oracles.reference import HERE, data, reference
from whatworks import (
    CovariateBalancing,
    Design,
    EntropyBalancing,
    InverseProbability,
    OverlapWeights,
    WeightedDifference,
)
from whatworks.stats.balance import effective_size
from whatworks.stats.fitted import FittedScore

CASES = ("match_observational", "match_small")
COVARIATES = ["age", "fem", "dur", "edu", "wage0", "kids", "foreign", "score"]
# The package ebal balances to 1e-14. WeightIt stops when standardised gaps are below 1e-4 or so, and
# glm when its deviance settles: weights differ by as much.
PACKAGE, LIKELIHOOD, STOPPED_EARLY = 1e-7, 1e-6, 1e-4
ROWS = {
    "glm_ATT": (InverseProbability(), LIKELIHOOD),
    "glm_ATE": (InverseProbability(), LIKELIHOOD),
    "glm_ATC": (InverseProbability(), LIKELIHOOD),
    "glm_ATO": (OverlapWeights(), LIKELIHOOD),
    "ebal_ATT": (EntropyBalancing(), STOPPED_EARLY),
    "ebal_ATE": (EntropyBalancing(), STOPPED_EARLY),
    "ebal_ATC": (EntropyBalancing(), STOPPED_EARLY),
    "ebal_ATT_moments2": (EntropyBalancing(moments=2), STOPPED_EARLY),
    "ebal_package_ATT": (EntropyBalancing(), PACKAGE),
    # The left-over gap of WeightIt's cbps is 5e-5 standard deviations here.
    "cbps_ATT": (CovariateBalancing(), 2e-4),
    "cbps_ATE": (CovariateBalancing(), STOPPED_EARLY),
    "cbps_ATC": (CovariateBalancing(), STOPPED_EARLY),
}
each_case = pytest.mark.parametrize("case", CASES)
each_row = pytest.mark.parametrize("row", list(ROWS))


@cache
def weighted(case: str, row: str) -> Design:
    design = Design.from_cross_section(
        data(case), treatment="treat", outcome="y", covariates=COVARIATES
    )
    estimand = next(part for part in row.split("_") if part.isupper())
    return design.matched(using=ROWS[row][0], estimand=estimand)


@cache
def results(case: str) -> pd.DataFrame:
    return reference(case, "reference_ai_weights.csv")


def wanted(case: str, row: str, quantity: str) -> pd.DataFrame:
    table = results(case)
    table = table[(table["quantity"] == quantity) & table["stabilize"].isna()]
    estimand = next(part for part in row.split("_") if part.isupper())
    table = table[table["estimand"] == estimand]
    if "package" in row:
        return table[table["package"] == "ebal"]
    moments = table["moments"] == "2" if "moments2" in row else table["moments"].isna()
    return table[(table["method"] == row.split("_", maxsplit=1)[0]) & moments]


def without_factor(design: Design, **options: bool) -> pd.Series:
    """Effect with its standard error as R reports it: without the factor G/(G − 1)."""
    effect = WeightedDifference(**options).fit(design).effects.iloc[0].copy()
    n = len(design.units)
    effect["std_error"] *= np.sqrt((n - 1) / n)
    return effect


@each_case
@each_row
def test_weights(case: str, row: str) -> None:
    theirs = pd.read_csv(HERE / case / "reference_balancing_weights.csv")[row].to_numpy()
    units = weighted(case, row).units
    for arm in (units["treated"], ~units["treated"]):
        ours, reference_arm = units.loc[arm, "weight"].to_numpy(), theirs[arm]
        # Each as a multiple of the mean weight of its arm: scales are the packages' own.
        gap = ours / ours.mean() - reference_arm / reference_arm.mean()
        assert np.abs(gap).max() < ROWS[row][1]


@each_case
@each_row
def test_difference_and_errors_with_known_weights(case: str, row: str) -> None:
    design = weighted(case, row)
    found = without_factor(design, weights_estimated=False)
    target = wanted(case, row, "weighted_difference_hc0")
    assert len(target) == 1
    tolerance = min(ROWS[row][1], 1e-5)
    assert found["estimate"] == pytest.approx(target["value"].iloc[0], rel=tolerance)
    assert found["std_error"] == pytest.approx(target["se"].iloc[0], rel=tolerance)


@each_case
@each_row
def test_effective_sizes(case: str, row: str) -> None:
    units = weighted(case, row).units
    target = wanted(case, row, "ess")
    assert len(target) == 2
    for arm, size in zip(target["treat"], target["value"], strict=True):
        weight = units.loc[units["treated"] == (arm == "1"), "weight"].to_numpy()
        assert effective_size(weight) == pytest.approx(size, rel=ROWS[row][1])


@each_case
@pytest.mark.parametrize("row", [r for r in ROWS if "moments2" not in r and "package" not in r])
def test_errors_that_account_for_the_weights(case: str, row: str) -> None:
    design = weighted(case, row)
    if row.startswith("ebal"):
        # WeightIt takes the means that entropy balancing aims at as known. They are those of the
        # treated, who are a sample too: on these data its errors are up to 42 % too large for the
        # ATT and ATC, against those of the same weights under its own cbps. Ours, with the target's
        # share of the equations taken out, are its; as they stand, the next test.
        design = replace(design, fitted=tuple(_aimed_at_known_means(f) for f in design.fitted))
    target = wanted(case, row, "weighted_difference_asymptotic_M_estimation_se")
    assert len(target) == 1
    found = without_factor(design)
    assert found["std_error"] == pytest.approx(target["se"].iloc[0], rel=1e-6)


def _aimed_at_known_means(fitted: FittedScore) -> FittedScore:
    mean = fitted.curvature @ fitted.basis / fitted.curvature.sum()
    return replace(fitted, basis=fitted.basis - mean, score=-fitted.curvature, whole=None)


@each_case
@pytest.mark.parametrize("estimand", ["ATT", "ATC"])
def test_errors_of_entropy_balancing_are_those_of_the_same_weights(
    case: str, estimand: str
) -> None:
    # Entropy balancing and the just-identified cbps have the same weights for these two.
    target = wanted(case, f"cbps_{estimand}", "weighted_difference_asymptotic_M_estimation_se")
    found = without_factor(weighted(case, f"ebal_{estimand}"))
    assert found["std_error"] == pytest.approx(target["se"].iloc[0], rel=1e-6)


@each_case
def test_stabilising_moves_nothing(case: str) -> None:
    table = results(case)
    target = table[
        (table["quantity"] == "weighted_difference_hc0") & (table["stabilize"] == "TRUE")
    ]
    design = Design.from_cross_section(
        data(case), treatment="treat", outcome="y", covariates=COVARIATES
    ).matched(using=InverseProbability(stabilised=True), estimand="ATE")
    found = without_factor(design, weights_estimated=False)
    assert found["estimate"] == pytest.approx(target["value"].iloc[0], rel=1e-6)
    assert found["std_error"] == pytest.approx(target["se"].iloc[0], rel=1e-6)


@each_case
def test_coefficients_of_entropy_balancing(case: str) -> None:
    table = results(case)
    target = table[table["quantity"] == "ebal_coefficient"].set_index("term")["value"]
    units = weighted(case, "ebal_package_ATT").units
    comparison = units[~units["treated"]]
    regressors = np.column_stack([np.ones(len(comparison)), comparison[COVARIATES]])
    found = np.linalg.lstsq(regressors, np.log(comparison["weight"]), rcond=None)[0]
    np.testing.assert_allclose(found[1:], target[COVARIATES], rtol=1e-7)
    # The package's normaliser stands for the total weight of the treated.
    assert found[0] == pytest.approx(target["(normalizer)"], rel=1e-7)
