"""Every row R gave on two stages is read: by the public methods where they have it, and by their formulas."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from oracles.reference import data, reference
from oracles.test_few_clusters import SATURATION as CLUSTERS
from oracles.test_few_clusters import two_stage_robust
from whatworks import Design, SaturationMeans, SaturationRegression
from whatworks.estimate.shares.responses import ASSIGNED, UNASSIGNED, responses_of
from whatworks.stats.displacement.group_averages import arm_means, averages
from whatworks.stats.logit import fit_logit
from whatworks.stats.uncertainty import cluster_sums

CASE = "saturation_two_stage"
STATA = reference(CASE)
MEANS = reference(CASE, "reference_means.csv")
COVARIATES = {"pooled_with_controls": ["x", "fem"]}
STRATA = {"pooled_with_controls", "fe_stratum"}
ERRORS = {"stata": "CR1", "CR2": "CR2"}
READ = {
    ("pooled", "treat"): ("total", "pooled"),
    ("pooled", "untreated_in_treated_zone"): ("spillover", "pooled"),
    ("linear", "treat"): ("direct", "linear"),
    ("linear", "tsat"): ("slope_assigned", "linear"),
    ("linear", "rest"): ("slope_unassigned", "linear"),
} | {
    ("saturated", f"{sign}{share}"): (term, f"{share / 100:g}")
    for sign, term in (("z", "spillover"), ("tz", "direct"))
    for share in (25, 50, 75)
}
"""R's second regressor of pooled models marks the untreated of treated markets: its treat is our total."""
FAMILY = {"crepon_saturated": "saturated", "linear_in_saturation": "linear"}


def identity(row: dict[str, Any]) -> str:
    return f"{row['quantity']}|{row['args']}"


def test_every_row_has_its_test() -> None:
    every = pd.concat([STATA, CLUSTERS, MEANS])
    assert len(every) == 624
    assert not every.duplicated(["quantity", "args"]).any()
    # 415 rows are compared in test_few_clusters, which counts them too.
    assert (len(STATA), len(CLUSTERS), len(MEANS)) == (168, 415, 41)
    assert set(STATA["se_type"]) == {"stata"}


def split(row: dict[str, Any]) -> tuple[str, str, str]:
    model, rest = str(row["quantity"]).split("[", 1)
    return model, rest.split("~")[0], rest.rsplit("]", 1)[1]


@pytest.mark.parametrize("row", STATA.to_dict("records"), ids=identity)
def test_formulas_with_the_small_sample_factor_of_stata(row: dict[str, Any]) -> None:
    model, outcome, what = split(row)
    found, names = two_stage_robust(model, outcome, "CR1S", apart=False)
    at = names.index(row["term"])
    if what == "_df":
        assert row["value"] == 47.0
    elif what == "_pvalue":
        p = 2 * stats.t(47).sf(abs(found.estimate[at] / found.std_error[at]))
        assert p == pytest.approx(row["value"], rel=1e-6)
    else:
        assert found.estimate[at] == pytest.approx(row["value"], rel=1e-8, abs=1e-11)
        assert found.std_error[at] == pytest.approx(row["se"], rel=1e-8)


def of_methods() -> list[dict[str, Any]]:
    """Rows of coefficients that the method prints, by the errors it has."""
    both = pd.concat([STATA, CLUSTERS])
    rows = both[both["se_type"].isin(list(ERRORS))].to_dict("records")
    return [row for row in rows if (family(split(row)[0]), row["term"]) in READ]


def family(model: str) -> str:
    return FAMILY.get(model, "pooled")


@cache
def fitted(model: str, outcome: str, errors: str) -> Any:
    table = data(CASE)
    met = np.where(table["treat"] == 1, table["saturation"], 1 - table["saturation"])
    table["invprob"] = np.where(table["saturation"] == 0, 1.0, 1 / met)
    design = Design.from_cross_section(
        table,
        treatment="treat",
        outcome=outcome,
        covariates=COVARIATES.get(model, []),
        market="cluster",
        saturation="saturation",
        stratum="stratum" if model in STRATA else None,
        weight="invprob" if model == "weighted_pooled" else None,
        randomised=True,
    )
    return SaturationRegression(errors=errors).fit(design)  # type: ignore[arg-type]


def test_the_method_prints_all_that_is_of_exposure() -> None:
    # Of 5 models, 2 outcomes (one of them with strata absorbed: one outcome), 2 errors, 3 quantities.
    per_outcome = 2 + 2 + 6 + 3 + 2
    assert len(of_methods()) == (2 * per_outcome + 2) * 2 * 3


@pytest.mark.parametrize("row", of_methods(), ids=identity)
def test_the_method_gives_what_r_gives(row: dict[str, Any]) -> None:
    model, outcome, what = split(row)
    estimate = fitted(model, outcome, ERRORS[row["se_type"]])
    term, group = READ[family(model), row["term"]]
    effects = estimate.effects.set_index(["term", "group"]).loc[(term, group)]
    if what == "_df":
        width = (effects["conf_high"] - effects["estimate"]) / effects["std_error"]
        assert width == pytest.approx(stats.t(row["value"]).ppf(0.975), rel=1e-7)
    elif what == "_pvalue":
        assert effects["p_value"] == pytest.approx(row["value"], rel=1e-6)
    else:
        assert effects["estimate"] == pytest.approx(row["value"], rel=1e-8, abs=1e-11)
        assert effects["std_error"] == pytest.approx(row["se"], rel=1e-8)


def test_the_joint_test_of_spillovers_is_hotelling_s() -> None:
    tests = fitted("crepon_saturated", "y", "CR2").extras["tests"].set_index("test")
    mine = tests.loc["no_spillover"]
    theirs = CLUSTERS[CLUSTERS["test"] == "HTZ"].set_index("what")["value"]
    assert mine["statistic"] == pytest.approx(theirs["F"], rel=1e-8)
    assert mine["df_residual"] == pytest.approx(theirs["df_denom"], rel=1e-8)
    assert mine["p_value"] == pytest.approx(theirs["p"], rel=1e-8)


@cache
def averaged(outcome: str) -> Any:
    design = Design.from_cross_section(
        data(CASE),
        treatment="treat",
        outcome=outcome,
        market="cluster",
        saturation="saturation",
        randomised=True,
    )
    return SaturationMeans().fit(design)


HH = MEANS[MEANS["quantity"].str.startswith("HH")]


@pytest.mark.parametrize("row", HH.to_dict("records"), ids=identity)
def test_hudgens_and_halloran(row: dict[str, Any]) -> None:
    """Averages of markets; R's overall effect is of market means of everyone in the sample, arms together."""
    share, estimate = float(row["saturation"]), averaged(row["y"])
    effects = estimate.effects.set_index(["term", "group"])
    contrasts = {"HH_direct": "direct", "HH_indirect_vs_0": "spillover", "HH_total_vs_0": "total"}
    if row["quantity"] in contrasts:
        found = effects.loc[(contrasts[row["quantity"]], f"{share:g}")]
        value, error = found["estimate"], found["std_error"]
    elif row["quantity"] == "HH_overall_vs_0":
        value, error = overall(row["y"], share)
    else:
        arm = ASSIGNED if row["quantity"] == "HH_mean_treated" else UNASSIGNED
        told = responses_of(estimate, what="test")
        at = int(np.flatnonzero((told.arm == arm) & (told.saturation == share))[0])
        value = told.mean[at]
        error = np.sqrt(told.uncertainty.covariance()[at, at])
    assert value == pytest.approx(row["value"], rel=1e-9, abs=1e-11)
    assert error == pytest.approx(row["se"], rel=1e-9)


def overall(outcome: str, share: float) -> tuple[float, float]:
    table = data(CASE)
    shares, cell = np.unique(table["saturation"], return_inverse=True)
    means = arm_means(
        table[[outcome]].to_numpy(dtype=float),
        np.ones(len(table)),
        cell,
        table["cluster"].to_numpy() - 1,
        n_cells=shares.size,
        n_markets=48,
    )
    found = averages(means, np.ones(48))
    form = np.eye(shares.size)[shares.tolist().index(share)] - np.eye(shares.size)[0]
    influence = found.influence[:, :, 0] @ form
    return float(form @ found.mean[:, 0]), float(np.sqrt(influence @ influence))


LOGIT = MEANS[MEANS["quantity"] == "logit_cluster"]


@pytest.mark.parametrize("row", LOGIT.to_dict("records"), ids=identity)
def test_a_logit_clustered_by_market(row: dict[str, Any]) -> None:
    """Scores by market and the curvature of our logit; R's factor is G/(G−1)."""
    table = data(CASE)
    columns = {
        "treat": table["treat"],
        "untreated_in_treated_zone": (table["saturation"] > 0) * (1 - table["treat"]),
        "x": table["x"],
        "fem": table["fem"],
    }
    x = np.column_stack([np.asarray(c, dtype=float) for c in columns.values()])
    job = table["job"].to_numpy() == 1
    n = job.size
    fit = fit_logit(x, job, group=np.zeros(n, dtype=np.int64), weight=np.ones(n))
    names = ("(Intercept)", *columns)
    design = np.column_stack([np.ones(n), x])
    chance = 1 / (1 + np.exp(-fit.linear))
    bread = np.linalg.inv((design * (chance * (1 - chance))[:, None]).T @ design)
    scores, _ = cluster_sums(design * (job - chance)[:, None], table["cluster"].to_numpy())
    covariance = bread @ scores.T @ scores @ bread * 48 / 47
    beta = np.linalg.lstsq(design, fit.linear, rcond=None)[0]
    at = names.index(row["term"])
    assert beta[at] == pytest.approx(row["value"], rel=1e-7)
    assert np.sqrt(covariance[at, at]) == pytest.approx(row["se"], rel=1e-7)
