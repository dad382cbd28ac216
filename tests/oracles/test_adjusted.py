"""Adjusted effects against R's weighted regressions, on the weights R chose."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from oracles.reference import HERE, data, reference
from oracles.test_balance import COVARIATES, weights
from whatworks import Design
from whatworks.estimate.methods.regression_adjustment import RegressionAdjustment
from whatworks.vocabulary import MATCHED_SET, UNIT, WEIGHT, Supply

CASES = ("match_observational", "match_small")
UNWRITTEN = {"nn_discard_control_reest", "cem_sturges"}
"""Refitted within the support, pairs listed by R all the same; and collinear in one case."""


@cache
def whole(case: str) -> Design:
    return Design.from_cross_section(
        data(case), treatment="treat", outcome="y", covariates=COVARIATES
    )


def weighted_by_r(case: str, spec: str) -> Design:
    """The design R's weights make, with the sets of pairs where it wrote them."""
    design, weight = whole(case), weights(case)[spec]
    kept = np.flatnonzero(weight > 0)
    units = design.units.iloc[kept].reset_index(drop=True)
    units[UNIT] = np.arange(kept.size)
    units[WEIGHT] = weight[kept]
    units[MATCHED_SET] = sets(case, spec)[kept]
    return replace(
        design,
        units=units,
        outcomes=replace(design.outcomes, values=design.outcomes.values[kept]),
        supplies=design.supplies | {Supply.WEIGHTS},
    )


def sets(case: str, spec: str) -> np.ndarray:
    """Number of the pair or triple each unit is in; −1 where R did not write it."""
    listed = pd.read_csv(HERE / case / "reference_pairs.csv").dropna(subset=["control"])
    rows = listed[listed["args"] == f"spec={spec}"]
    place = pd.Series(np.arange(len(data(case))), index=data(case)["id"])
    found = np.full(len(place), -1)
    found[place[rows["treated"]]] = rows["treated"]
    found[place[rows["control"].astype(int)]] = rows["treated"]
    return found


def wanted(case: str) -> pd.DataFrame:
    rows = reference(case, "reference_effects.csv").query(
        "quantity == 'att_wls_lin_covariate_adjusted'"
    )
    return rows.set_index("spec")


SPECS = [
    (case, spec)
    for case in CASES
    for spec in wanted(case).index
    if spec in weights(case) and spec not in UNWRITTEN
]


def test_references_are_there() -> None:
    assert len(SPECS) >= 60
    assert len(WITH_SETS) >= 40


@pytest.mark.parametrize(("case", "spec"), SPECS)
def test_points_are_those_of_the_interacted_regression(case: str, spec: str) -> None:
    # R centres covariates at the treated mean whatever was matched: an ATT on the weights given.
    found = RegressionAdjustment().fit(weighted_by_r(case, spec)).at(0)
    assert found["estimate"] == pytest.approx(wanted(case).loc[spec, "value"], abs=1e-6)


def clustered_as(case: str, spec: str) -> str | None:
    """What R clustered by: nothing when matches were used again; sets unless it did not write them."""
    if spec.endswith("_repl") or spec == "nn_repl_3":
        return "person"
    return None if (weighted_by_r(case, spec).units[MATCHED_SET] < 0).any() else "matched_set"


# Of subclasses, cells and full matching R wrote the weights and not the sets it clustered by.
WITH_SETS = [(*each, c) for each in SPECS if (c := clustered_as(*each)) is not None]


@pytest.mark.parametrize(("case", "spec", "cluster"), WITH_SETS)
def test_errors_are_those_of_the_interacted_regression(
    case: str, spec: str, cluster: Literal["person", "matched_set"]
) -> None:
    # R takes the centre of the covariates as known: covariates="fixed".
    fit = RegressionAdjustment(covariates="fixed", cluster=cluster).fit
    found = fit(weighted_by_r(case, spec)).at(0)
    assert found["std_error"] == pytest.approx(wanted(case).loc[spec, "se"], abs=1e-4)
