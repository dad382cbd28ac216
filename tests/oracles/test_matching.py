"""Matched differences and balance against the R packages Matching and MatchIt."""

from __future__ import annotations

import pytest

from oracles.reference import data, reference
from whatworks import Design, MatchedDifference, NearestNeighbours
from whatworks.evidence.checks.balance import balance_table

CASE = "match_observational"
COVARIATES = ["age", "fem", "dur", "edu", "wage0", "kids", "foreign", "score"]


@pytest.fixture(scope="module")
def design() -> Design:
    return Design.from_cross_section(
        data(CASE), treatment="treat", outcome="y", covariates=COVARIATES
    )


@pytest.mark.parametrize("ratio", [1, 3])
@pytest.mark.parametrize("bias_adjust", [False, True])
def test_mahalanobis_att_is_that_of_match(design: Design, ratio: int, bias_adjust: bool) -> None:
    rows = reference(CASE)
    wanted = rows.query(
        "quantity == 'Match' and estimand == 'ATT' and M == @m and BiasAdjust == @b"
        " and Weight == 'mahalanobis'",
        local_dict={"m": str(ratio), "b": str(bias_adjust).upper()},
    )
    assert len(wanted) == 1
    matched = design.matched(using=NearestNeighbours(ratio=ratio, metric="mahalanobis"))
    found = MatchedDifference(bias_adjust=bias_adjust).fit(matched).effects.iloc[0]
    assert found["estimate"] == pytest.approx(float(wanted["value"].iloc[0]), abs=1e-8)


@pytest.mark.parametrize(
    ("spec", "using"),
    [
        ("nn_repl", NearestNeighbours(ratio=1, metric="propensity")),
        ("nn_repl_3", NearestNeighbours(ratio=3, metric="propensity")),
        ("nn_cal.05_repl", NearestNeighbours(ratio=1, metric="propensity", caliper_sd=0.05)),
    ],
)
def test_balance_after_nearest_with_replacement_is_that_of_matchit(
    design: Design, spec: str, using: NearestNeighbours
) -> None:
    rows = reference(CASE, "reference_matchit.csv").query(
        "quantity == 'balance_smd' and spec == @s and sample == 'matched'", local_dict={"s": spec}
    )
    ours = balance_table(design.matched(using=using)).set_index("covariate")["smd_after"]
    covariates = rows[rows["var"].isin(COVARIATES)]
    assert len(covariates) == len(COVARIATES)
    for row in covariates.itertuples():
        assert ours[row.var] == pytest.approx(row.value, abs=1e-6)
