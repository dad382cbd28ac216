"""Every measure of balance against ``summary()`` of the R package MatchIt, matched set by matched set.

Weights are those R chose, so that the measures are tested apart from any way of choosing.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from oracles.reference import HERE, data, reference
from whatworks.stats.balance import (
    compared,
    spread,
    standardised_difference,
    variance_ratio,
)

CASES = ("match_observational", "match_small")
COVARIATES = ("age", "fem", "dur", "edu", "wage0", "kids", "foreign", "score")
ESTIMANDS = {"nn_ATC": "ATC", "full_ATE": "ATE", "subclass_10_ATE": "ATE"}
REFITTED = "nn_discard_control_reest"
"""Its score was fitted again without the discarded, and is not among the references."""


@cache
def rows(case: str) -> pd.DataFrame:
    return reference(case, "reference_balance.csv")


@cache
def weights(case: str) -> dict[str, NDArray[np.float64]]:
    """Weight of each unit by specification: as R wrote it, or as its pairs amount to."""
    written = pd.read_csv(HERE / case / "reference_weights.csv")
    found = {name: written[name].to_numpy(float) for name in written.columns.drop("id")}
    place = pd.Series(np.arange(len(written)), index=written["id"])
    listed = pd.read_csv(HERE / case / "reference_pairs.csv").dropna(subset=["control"])
    for label, pairs in listed.groupby("args"):
        sought, match = place[pairs["treated"]], place[pairs["control"].astype(int)]
        each = 1 / pairs.groupby("treated")["control"].transform("size").to_numpy()
        made = np.bincount(match, weights=each, minlength=len(written))
        made[np.unique(sought)] = 1.0
        name = str(label).removeprefix("spec=")
        if name in found:  # both are known: they must tell the same
            check_same_shares(made, found[name], treated(case))
        found[name] = made
    return found


def check_same_shares(
    made: NDArray[np.float64], written: NDArray[np.float64], arm: NDArray[np.bool_]
) -> None:
    for side in (arm, ~arm):
        np.testing.assert_allclose(
            made[side] / made[side].sum(), written[side] / written[side].sum(), atol=1e-12
        )


@cache
def treated(case: str) -> NDArray[np.bool_]:
    return data(case)["treat"].to_numpy() == 1


@cache
def values(case: str, *, linear: bool) -> NDArray[np.float64]:
    """Covariates, then the score as the specification had it."""
    known = rows(case).query("quantity == 'propensity_logit'")
    score = known.set_index(known["id"].astype(int))["value"].loc[data(case)["id"]].to_numpy()
    score = np.log(score / (1 - score)) if linear else score
    return np.column_stack([data(case)[list(COVARIATES)].to_numpy(float), score])


def measured(case: str, spec: str, sample: str) -> dict[str, NDArray[np.float64]]:
    x, arm = values(case, linear="linearlogit" in spec), treated(case)
    weight = np.ones(arm.size) if sample == "all" else weights(case)[spec]
    raw, found = compared(x, treated=arm, weights=(np.ones(arm.size), weight))
    scale = spread(raw.var_treated, raw.var_comparison, estimand=ESTIMANDS.get(spec, "ATT"))
    return {
        "balance_mean_treated": found.mean_treated,
        "balance_mean_control": found.mean_comparison,
        "balance_smd": standardised_difference(
            found.mean_treated, found.mean_comparison, variance=scale
        ),
        "balance_variance_ratio": variance_ratio(found),
        "balance_ks": found.ks,
        "balance_ecdf_mean": found.ecdf_mean,
    }


@pytest.mark.parametrize("sample", ["all", "matched"])
@pytest.mark.parametrize("case", CASES)
def test_every_measure_is_that_of_matchit(case: str, sample: str) -> None:
    table = rows(case).query("quantity.str.startswith('balance_') and sample == @sample")
    specs = table["spec"].unique()
    names = [*COVARIATES, "distance"]

    assert len(specs) >= 33
    for spec in specs:
        found = measured(case, str(spec), sample)
        wanted = table[table["spec"] == spec]
        if spec == REFITTED:
            wanted = wanted[wanted["var"] != "distance"]
        ours = np.array(
            [
                found[quantity][names.index(name)]
                for quantity, name in zip(wanted["quantity"], wanted["var"], strict=True)
            ]
        )
        np.testing.assert_allclose(
            ours, wanted["value"], atol=1e-6, rtol=0, err_msg=f"{case} {spec} {sample}"
        )
