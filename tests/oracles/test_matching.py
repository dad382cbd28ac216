"""Matched differences against the R packages Matching (with replacement) and MatchIt (without).

Who is matched with whom is written out here, by a full search with Match's own tolerance or from R's list of
pairs, so that the estimator is tested apart from any way of choosing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray

from oracles.reference import HERE, data, reference
from oracles.searching import Grouped, Listed, search
from whatworks import Design, MatchedDifference
from whatworks.stats.matching import MatchedPairs, matching
from whatworks.stats.matching_variance import abadie_imbens, matched_gaps, same_arm

CASES = ("match_observational", "match_small")
COVARIATES = ["age", "fem", "dur", "edu", "wage0", "kids", "foreign", "score"]
TOLERANCE = 1e-5
"""Match counts as tied what is as near as that, in squared standardised distance."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@cache
def design(case: str) -> Design:
    return Design.from_cross_section(
        data(case), treatment="treat", outcome="y", covariates=COVARIATES
    )


@cache
def propensity(case: str) -> Floats:
    table = data(case)
    regressors = sm.add_constant(table[COVARIATES].to_numpy(float))
    fit = sm.Logit(table["treat"], regressors).fit(disp=0, method="newton", tol=1e-14)
    return np.asarray(fit.predict())[:, None]


def coordinates(case: str, args: dict[str, Any]) -> Floats:
    """Points whose Euclidean distance is the one asked for."""
    if args["X"] == "propensity":
        score = propensity(case)
        return score / score.std(ddof=1)
    points = data(case)[COVARIATES].to_numpy(float)
    if args.get("Weight") != "mahalanobis":
        return points / points.std(axis=0, ddof=1)
    return points @ np.linalg.cholesky(np.linalg.inv(np.cov(points.T)))


def searched(case: str, args: dict[str, Any]) -> Listed:
    """Nearest neighbours as Match finds them."""
    treated = data(case)["treat"].to_numpy() == 1
    exact = args["exact"].split("+") if "exact" in args else []
    return search(
        coordinates(case, args),
        treated,
        arms={"ATT": (True,), "ATC": (False,), "ATE": (True, False)}[args["estimand"]],
        ratio=int(args["M"]),
        tolerance=TOLERANCE,
        caliper=float(args["caliper"].removesuffix("sd")) if "caliper" in args else np.inf,
        cells=data(case)[exact].to_numpy(float),
    )


def matched_rows() -> list[Any]:
    found = []
    for case in CASES:
        rows = reference(case, "reference_ai_weights.csv").query("quantity == 'Match'")
        for row in rows.to_dict("records"):
            args = {k: v for k, v in row.items() if isinstance(v, str)}
            found.append(
                pytest.param(case, args, row["value"], row["se"], id=f"{case}-{row['args']}")
            )
    return found


def test_every_row_of_match_is_read() -> None:
    assert len(matched_rows()) == 2 * 37


@pytest.mark.parametrize(("case", "args", "value", "error"), matched_rows())
def test_points_and_errors_are_those_of_match(
    case: str, args: dict[str, Any], value: float, error: float
) -> None:
    listed = searched(case, args)
    matched = design(case).matched(using=listed, estimand=args["estimand"])
    rows = reference(case, "reference_ai_weights.csv").set_index(["quantity", "args"])["value"]
    count = rows.get(("Match_n_matches", args["args"]))
    assert count is None or count == listed.unit.size
    standard = rows.get(("Match_se_conditional", args["args"]))
    assert standard is None or standard == pytest.approx(paired_error(case, listed), abs=1e-8)
    lost = rows.get(("Match_ndrops", args["args"]))
    assert lost is None or lost == (data(case)["treat"] == 1).sum() - np.unique(listed.unit).size
    found = MatchedDifference(
        bias_adjust=args.get("BiasAdjust") == "TRUE", errors="abadie_imbens", neighbours=0
    ).fit(matched)
    row = found.effects.iloc[0]
    assert row["estimate"] == pytest.approx(value, abs=1e-8)
    if "Var.calc" in args:
        ours = by_inverse_variance(matched, neighbours=int(args["Var.calc"]))
    elif lost is not None:
        # Match divides by the treated before the caliper, whose gap it sets to zero.
        n, everyone = row["n_treated"], row["n_treated"] + lost
        ours = np.hypot(row["std_error"] * n, np.sqrt(lost) * row["estimate"]) / everyone
    else:
        ours = row["std_error"]
    assert ours == pytest.approx(error, abs=1e-8)


def paired_error(case: str, listed: Listed) -> float:
    """Match's ``se.standard``: that of as many independent pairs, which the estimator does not offer.

    A comparison used twice would count as two.
    """
    y = data(case)["y"].to_numpy()
    part = 1.0 / np.bincount(listed.unit)[listed.unit]
    treated = data(case)["treat"].to_numpy()[listed.unit]
    gap = np.where(treated == 1, 1, -1) * (y[listed.unit] - y[listed.match])
    mean = part @ gap / part.sum()
    return float(np.sqrt(part @ (gap - mean) ** 2) / part.sum())


def by_inverse_variance(matched: Design, *, neighbours: int) -> float:
    """Error with neighbours of the same arm by Match's distance; the estimator's own is Mahalanobis'."""
    units = matched.units
    assert matched.matches is not None
    columns = matched.matches.to_numpy().T
    links = MatchedPairs.of(*columns[:2].astype(int), columns[2], n=len(units))
    month = matching(links, weight=np.ones(len(units)), is_treated=units["treated"].to_numpy())
    points = units[COVARIATES].to_numpy(float)
    near = same_arm(
        month,
        score=None,
        points=points / points.std(axis=0, ddof=1),
        neighbours=neighbours,
        sample=False,
    )
    found = matched_gaps(matched.outcomes.values, points, month, None)
    return float(np.sqrt(abadie_imbens(found, month, near=near, sample=False)[0, 0]))


def pair_rows() -> list[Any]:
    """Effects on matched samples whose pairs R wrote out."""
    found = []
    for case in CASES:
        rows = reference(case, "reference_effects.csv").pivot_table(
            index="spec", columns="quantity", values=["value", "se"]
        )
        pairs = pd.read_csv(HERE / case / "reference_pairs.csv")
        for label, group in pairs.dropna(subset=["control"]).groupby("args"):
            spec = str(label).removeprefix("spec=")
            listed = Listed(*(group[c].to_numpy(int) - 1 for c in ("treated", "control")))
            found.append(pytest.param(case, spec, listed, rows.loc[spec], id=f"{case}-{spec}"))
    return found


def test_every_specification_with_pairs_is_read() -> None:
    assert len(pair_rows()) == 2 * 21


@pytest.mark.parametrize(("case", "spec", "listed", "row"), pair_rows())
def test_effects_on_matched_pairs_are_those_of_weighted_least_squares(
    case: str, spec: str, listed: Listed, row: pd.Series
) -> None:
    estimand = "ATC" if spec == "nn_ATC" else "ATT"
    matched = design(case).matched(using=listed, estimand=estimand)
    without = ("se", "att_wls_cluster_subclass_HC1") in row.dropna().index
    errors = "matched_set" if without else "person"
    plain = MatchedDifference(errors=errors).fit(matched).effects.iloc[0]
    adjusted = MatchedDifference(bias_adjust=True, errors=errors, target="sample")
    linear = adjusted.fit(matched).effects.iloc[0]
    assert plain["estimate"] == pytest.approx(row["value", "att_wls_hc1"], abs=1e-8)
    if spec != "nn_ATC":  # R centres covariates at the treated there too, which is not the ATC
        assert linear["estimate"] == pytest.approx(
            row["value", "att_wls_lin_covariate_adjusted"], abs=1e-8
        )
    if not without:
        # A comparison used several times is one row of R's regression too. R scales both arms by
        # n/(n - k); ours scales each by what its own regression spends.
        assert linear["std_error"] == pytest.approx(
            row["se", "att_wls_lin_covariate_adjusted"], rel=0.05
        )
        return
    assert plain["std_error"] == pytest.approx(row["se", "att_wls_cluster_subclass_HC1"], abs=1e-8)
    if spec != "nn_ATC":
        assert linear["std_error"] == pytest.approx(
            row["se", "att_wls_lin_covariate_adjusted"], abs=1e-8
        )


def cells_of(case: str, spec: str) -> Ints:
    """Cells and subclasses made here as MatchIt makes them."""
    table = data(case)
    if spec == "subclass_6":
        score = propensity(case)[:, 0]
        cuts = np.quantile(score[table["treat"] == 1], np.arange(1, 6) / 6)
        return np.searchsorted(cuts, score, side="right")
    if spec == "exact":
        keys = table[["fem", "foreign"] if case == "match_observational" else ["fem"]]
    else:
        keys = table[COVARIATES].apply(
            lambda v: (
                np.searchsorted(v.quantile([0.33, 0.66]), v, side="right") if v.nunique() > 6 else v
            )
        )
    return np.unique(keys.to_numpy(float), axis=0, return_inverse=True)[1].reshape(-1)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("spec", ["exact", "cem_tercile_cut", "subclass_6"])
def test_effects_in_sets_are_those_of_weighted_least_squares(case: str, spec: str) -> None:
    treated = data(case)["treat"].to_numpy() == 1
    cell = cells_of(case, spec)
    arms = [np.bincount(cell[arm], minlength=cell.max() + 1) for arm in (treated, ~treated)]
    both = (arms[0] > 0) & (arms[1] > 0)
    share = np.divide(arms[0], arms[1], out=np.zeros(both.size), where=both)
    weight = np.where(treated, 1.0, share[cell]) * both[cell]
    written = pd.read_csv(HERE / case / "reference_weights.csv")[spec].to_numpy(float)
    for arm in (treated, ~treated):
        np.testing.assert_allclose(
            weight[arm] / weight[arm].sum(), written[arm] / written[arm].sum(), atol=1e-12
        )
    matched = design(case).matched(using=Grouped(cell, weight))
    row = reference(case, "reference_effects.csv").query("spec == @spec").set_index("quantity")
    plain = MatchedDifference(errors="matched_set").fit(matched).effects.iloc[0]
    wanted = row.loc["att_wls_cluster_subclass_HC1"]
    assert plain["estimate"] == pytest.approx(wanted["value"], abs=1e-8)
    assert plain["std_error"] == pytest.approx(wanted["se"], abs=1e-8)
    if "att_wls_lin_covariate_adjusted" in row.index:
        linear = (
            MatchedDifference(bias_adjust=True, errors="matched_set", target="sample")
            .fit(matched)
            .effects.iloc[0]
        )
        wanted = row.loc["att_wls_lin_covariate_adjusted"]
        assert linear["estimate"] == pytest.approx(wanted["value"], abs=1e-8)
        assert linear["std_error"] == pytest.approx(wanted["se"], abs=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_the_error_that_ignores_matching_is_that_without_covariates(case: str) -> None:
    rows = pd.read_csv(HERE / case / "reference_pairs.csv").query("args == 'spec=nn_1to1'")
    listed = Listed(*(rows[c].to_numpy(int) - 1 for c in ("treated", "control")))
    matched = design(case).matched(using=listed)
    blind = replace(matched, covariates=(), units=matched.units.drop(columns=COVARIATES))
    wanted = reference(case, "reference_effects.csv").query(
        "spec == 'nn_1to1' and quantity == 'att_wls_hc1'"
    )
    found = MatchedDifference().fit(blind).effects.iloc[0]
    n, arm = len(matched.units), len(matched.units) / 2
    ours = arm / (arm - 1) * n / (n - 1)  # each arm for its mean, and G/(G - 1)
    theirs = n / (n - 2)
    assert found["std_error"] * np.sqrt(theirs / ours) == pytest.approx(
        float(wanted["se"].iloc[0]), abs=1e-8
    )
