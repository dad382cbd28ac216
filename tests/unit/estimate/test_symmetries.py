"""What must not move a number: names, order, units of measure, which arm is called treated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whatworks import (
    COMPARISONS,
    ESTIMATORS,
    CoarsenedExact,
    Design,
    DoublyRobust,
    EntropyBalancing,
    Everyone,
    Exact,
    FullMatching,
    InverseProbability,
    KernelMatching,
    MatchedDifference,
    NearestNeighbours,
    OptimalPairs,
    OverlapWeights,
    PairMatching,
    QuantileEffects,
    RadiusMatching,
    RegressionAdjustment,
    WeightedDifference,
)
from whatworks.design.choosing.nearness import Caliper
from whatworks.errors import OptionError
from whatworks.stats.adjustment import regress
from whatworks.stats.bands import critical_value

N = 240


@cache
def table() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    x, z, k = rng.normal(size=N).round(1), rng.integers(0, 3, N), rng.normal(size=N)
    kind = np.array(["a", "b", "c"])[rng.integers(0, 3, N)]
    treat = (rng.random(N) < 1 / (1 + np.exp(0.8 - 0.6 * x - 0.3 * z))).astype(int)
    y = 1 + x + 0.5 * z + (kind == "b") + treat * (1 + 0.3 * x) + rng.normal(size=N)
    return pd.DataFrame(
        {
            "person": np.arange(N),
            "treat": treat,
            "x": x,
            "z": z,
            "k": k,
            "kind": kind,
            "y": y,
            "w": rng.integers(1, 4, N),
        }
    )


COVARIATES = ("x", "z", "k", "kind")
WAYS: dict[str, Any] = {
    **{name: kind() for name, kind in COMPARISONS.items()},
    "exact": Exact(on=("z", "kind")),
    "coarsened_exact": CoarsenedExact(on=("x", "z")),
    "between_covariates": NearestNeighbours(metric="mahalanobis"),
    "within_a_caliper": NearestNeighbours(caliper_sd=0.2, exact=("z",)),
    "gaussian": KernelMatching(kernel="gaussian"),
    "trimmed": InverseProbability(bounds="crump"),
    "two_moments": EntropyBalancing(moments=2),
}
METHODS: dict[str, Any] = {
    "matched": MatchedDifference(),
    "neighbours": MatchedDifference(errors="abadie_imbens"),
    "weighted": WeightedDifference(),
    "regression": RegressionAdjustment(),
    "robust": DoublyRobust(),
    "quantiles": QuantileEffects(quantiles=(0.25, 0.5)),
}
LINKED = {
    "exact", "coarsened_exact", "subclassification", "full_matching", "optimal_pairs",
    "pair_matching", "nearest_neighbours", "radius_matching", "kernel_matching",
    "between_covariates", "within_a_caliper", "gaussian",
}  # fmt: skip
TAKES = {
    "matched": LINKED,
    "neighbours": LINKED,
    "weighted": set(WAYS) - {"everyone"},
    "quantiles": set(WAYS) - {"everyone"},
    "regression": set(WAYS),
    "robust": set(WAYS),
}
ONES = ("nearest_neighbours", "entropy_balancing", "everyone")
"""Every method on these, and every way by one method: the two do not know each other."""
PAIRS = sorted(
    {(way, method) for method in METHODS for way in ONES if way in TAKES[method]}
    | {(way, "robust" if way == "everyone" else "weighted") for way in WAYS}
)
every = pytest.mark.parametrize(("way", "method"), PAIRS)


def estimand_of(way: str) -> str:
    return "ATO" if way == "overlap_weights" else "ATT"


def designed(
    rows: pd.DataFrame,
    way: str,
    *,
    estimand: str | None = None,
    covariates: tuple[str, ...] = COVARIATES,
    weight: str | None = None,
) -> Design:
    made = Design.from_cross_section(
        rows,
        treatment="treat",
        outcome="y",
        covariates=covariates,
        person="person",
        weight=weight,
    )
    return made.matched(using=WAYS[way], estimand=estimand or estimand_of(way))


def numbers(design: Design, method: str) -> np.ndarray:
    effects = METHODS[method].fit(design).effects
    return effects[["estimate", "std_error"]].to_numpy(dtype=float)


def test_far_from_nought_a_covariate_is_still_told_apart() -> None:
    far = designed(table().assign(x=lambda t: t["x"] + 1e6), "everyone")
    np.testing.assert_allclose(numbers(far, "robust"), plain("everyone", "robust"), rtol=1e-6)


def test_a_threshold_that_nobody_passes_has_no_error() -> None:
    flat = designed(table().assign(y=0.1), "inverse_probability", weight="w")
    found = QuantileEffects(quantiles=(0.5,), thresholds=(0.05, 1.0)).fit(flat).effects
    assert found["estimate"].to_numpy() == pytest.approx(0, abs=1e-12)
    assert found["std_error"].isna().all()


@cache
def plain(way: str, method: str) -> np.ndarray:
    return numbers(designed(table(), way), method)


@every
def test_order_names_and_units_of_measure_move_nothing(way: str, method: str) -> None:
    moved = table().sample(frac=1, random_state=4).reset_index(drop=True)
    moved = moved.assign(
        person="p" + (1000 - moved["person"]).astype(str),
        x=100 * moved["x"] + 7,
        k=1e-3 * moved["k"] - 5,
        y=1e6 * moved["y"],
    )
    found = numbers(designed(moved, way), method) / 1e6
    np.testing.assert_allclose(found, plain(way, method), rtol=1e-5, atol=1e-7)


@every
def test_a_covariate_that_does_not_vary_or_says_it_again_moves_nothing(
    way: str, method: str
) -> None:
    more = table().assign(still=3.1, again=lambda t: 2 * t["x"] + 3)
    # Of full matchings of one least total, rounding of the score decides.
    for name in ("still",) if way == "full_matching" else ("still", "again"):
        found = numbers(designed(more, way, covariates=(*COVARIATES, name)), method)
        np.testing.assert_allclose(found, plain(way, method), rtol=1e-5, atol=1e-7)


def test_truths_integers_and_categories_are_numbers_and_levels() -> None:
    rows = table().assign(z=lambda t: t["z"].astype("int8"), k=lambda t: t["k"] > 0)
    as_numbers = rows.assign(z=rows["z"].astype(float), k=rows["k"].astype(float))
    as_levels = as_numbers.assign(kind=rows["kind"].astype("category"))
    found = [numbers(designed(t, "nearest_neighbours"), "matched") for t in (rows, as_numbers)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(
        numbers(designed(as_levels, "nearest_neighbours"), "matched"), found[1]
    )


SIDED = {"subclassification", "full_matching", "overlap_weights"}
"""Not mirrored: subclasses are closed on one side, as R's; of full matchings of one least total
one is taken; the ATO has no mirror."""
MIRRORED = [(way, method) for way, method in PAIRS if way not in SIDED and method != "quantiles"]


@pytest.mark.parametrize(("way", "method"), MIRRORED)
def test_effects_on_the_untreated_are_those_on_the_treated_in_a_mirror(
    way: str, method: str
) -> None:
    mirror = designed(table().assign(treat=lambda t: 1 - t["treat"]), way, estimand="ATC")
    found = numbers(mirror, method) * [-1, 1]
    np.testing.assert_allclose(found, plain(way, method), rtol=1e-7, atol=1e-9)


ROWS = {
    "pair_matching", "optimal_pairs", "full_matching",  # a set holds rows, each once
    "coarsened_exact",  # Sturges' rule counts rows
    "radius_matching", "within_a_caliper",  # n − 1 in the deviation a caliper is measured in
}  # fmt: skip


@pytest.mark.parametrize(
    ("way", "method"), [p for p in PAIRS if p[0] not in ROWS and p[1] != "neighbours"]
)
@pytest.mark.parametrize("estimand", ["ATT", "ATE"])
def test_a_whole_weight_is_a_row_repeated(way: str, method: str, estimand: str) -> None:
    if way == "overlap_weights":
        estimand = "ATO"
    repeated = table().loc[table().index.repeat(table()["w"])].reset_index(drop=True)
    one = designed(table(), way, estimand=estimand, weight="w")
    two = designed(repeated, way, estimand=estimand)
    np.testing.assert_allclose(numbers(one, method)[:, 0], numbers(two, method)[:, 0], rtol=1e-7)
    balance = [d.balance().set_index(["covariate", "sample"]) for d in (one, two)]
    for column in ("mean_treated", "mean_comparison", "ks", "ecdf_mean"):
        np.testing.assert_allclose(balance[0][column], balance[1][column], rtol=1e-7, atol=1e-10)


def test_a_caliper_in_deviations_counts_sampling_weights() -> None:
    score = Design.from_cross_section(
        table(), treatment="treat", outcome="y", covariates=["x"], weight="w"
    )
    candidates = score.candidates()
    wide = candidates.covariates[:, 0]
    mean = np.average(wide, weights=candidates.weight)
    spread = np.sqrt(np.average((wide - mean) ** 2, weights=candidates.weight) * N / (N - 1))
    asked = [NearestNeighbours(metric="mahalanobis", calipers=(c,)) for c in (
        Caliper(of="x", sd=0.05), Caliper(of="x", width=0.05 * spread * (1 + 1e-9)))]  # fmt: skip
    np.testing.assert_array_equal(*(a.choose(candidates).weight for a in asked))


@every
def test_monthly_factors_of_one_are_no_factors(way: str, method: str) -> None:
    design = designed(table(), way)
    ones = replace(design.outcomes, weights=np.ones_like(design.outcomes.values))
    found = numbers(replace(design, outcomes=ones), method)
    np.testing.assert_allclose(found, plain(way, method), rtol=1e-12)


@pytest.mark.parametrize(
    ("way", "method"), [p for p in PAIRS if p[1] not in ("matched", "neighbours")]
)
def test_a_monthly_factor_of_nought_is_an_outcome_not_seen(way: str, method: str) -> None:
    # Matched differences share a censored unit's part over its arm instead: see their own tests.
    design = designed(table(), way)
    out = (design.units["k"].to_numpy() > 0.8)[:, None]
    values, factors = design.outcomes.values, np.ones_like(design.outcomes.values)
    unseen = replace(design.outcomes, values=np.where(out, np.nan, values))
    nought = replace(design.outcomes, weights=np.where(out, 0.0, factors))
    found = [numbers(replace(design, outcomes=o), method) for o in (nought, unseen)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


CELLS = {"exact", "coarsened_exact", "subclassification", "trimmed", "two_moments"}
"""Refused, or on other covariates: one person fills no cell and bounds no score."""


@pytest.mark.parametrize(("way", "method"), [p for p in PAIRS if p[0] not in CELLS])
def test_one_treated_person_has_an_effect_and_no_error(way: str, method: str) -> None:
    alone = table().assign(treat=(np.arange(N) == 5).astype(int))
    found = numbers(designed(alone, way, covariates=("x", "z")), method)
    assert np.isfinite(found[:, 0]).all()
    assert np.isnan(found[:, 1]).all()


def test_an_arm_that_a_regression_fits_without_error_has_no_error() -> None:
    few = table().assign(treat=(np.arange(N) < 4).astype(int))
    design = designed(few, "everyone", covariates=("x", "z", "k"))
    for method in ("regression", "robust"):
        assert np.isnan(METHODS[method].fit(design).effects["std_error"]).all()


def test_the_2016_error_of_one_treated_person_is_not_known() -> None:
    alone = table().assign(treat=(np.arange(N) == 5).astype(int))
    design = designed(alone, "nearest_neighbours", covariates=("x", "z"))
    found = MatchedDifference(errors="abadie_imbens_2016").fit(design).effects
    assert found["estimate"].notna().all()
    assert found["std_error"].isna().all()


def test_a_column_of_one_value_by_group_is_not_a_regressor() -> None:
    rng = np.random.default_rng(2)
    group = np.repeat([0, 1, 2], 50)
    x, y = rng.normal(size=(150, 1)), rng.normal(size=(150, 1))
    weight = rng.random(150)
    still = np.array([0.1, 0.37, 0.73])[group][:, None]
    one = regress(y, x, group=group, weight=weight)
    two = regress(y, np.hstack([x, still]), group=group, weight=weight)
    assert two.rank == one.rank
    assert two.slopes[1] == 0
    np.testing.assert_allclose(two.residual, one.residual, atol=1e-12)


def test_pairs_for_the_untreated_begin_with_those_hardest_to_match() -> None:
    candidates = replace(
        Design.from_cross_section(
            table(), treatment="treat", outcome="y", covariates=["x", "k"]
        ).candidates(),
        estimand="ATC",
    )
    found, named = (PairMatching(order=o).choose(candidates).weight for o in (None, "smallest"))
    np.testing.assert_array_equal(found, named)


# --- joint bands ---------------------------------------------------------------------------------

LAWS: dict[str, Callable[[], np.ndarray]] = {
    "alone": lambda: np.eye(1),
    "apart": lambda: np.eye(6),
    "alike": lambda: 0.9 ** np.abs(np.subtract.outer(np.arange(12), np.arange(12))),
    "singular": lambda: np.ones((4, 4)) + np.diag([0.0, 0.0, 3.0, 0.0]),
}


@pytest.mark.parametrize("law", list(LAWS))
def test_joint_bands_hold_whole_curves(law: str) -> None:
    covariance = LAWS[law]()
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    drawn = np.random.default_rng(11).normal(size=(20_000, len(covariance))) @ root.T
    largest = np.abs(drawn / np.sqrt(np.diag(covariance))).max(axis=1)
    reach = [critical_value(covariance, level=level) for level in (0.5, 0.8, 0.9, 0.95, 0.99)]
    assert (np.diff(reach) > 0).all()
    for level, c in zip((0.5, 0.8, 0.9, 0.95, 0.99), reach, strict=True):
        share = (largest <= c).mean()
        assert share == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 20_000))


def test_the_band_of_one_month_is_its_interval() -> None:
    effects = METHODS["weighted"].fit(designed(table(), "entropy_balancing")).effects
    assert effects["band_low"].to_numpy() == pytest.approx(effects["conf_low"].to_numpy())
    assert effects["band_high"].to_numpy() == pytest.approx(effects["conf_high"].to_numpy())


# --- what is refused -----------------------------------------------------------------------------

STRANGE = (object(), {}, (object(),), np.array([1.0, 2.0]), float("nan"), 2.5j)
OPTIONS = [
    (kind, option.name)
    for kinds in (COMPARISONS, ESTIMATORS)
    for kind in kinds.values()
    for option in fields(kind)
]


@pytest.mark.parametrize(("kind", "option"), OPTIONS, ids=lambda v: getattr(v, "__name__", v))
def test_a_value_of_another_type_is_refused_by_the_name_of_its_option(
    kind: type[Any], option: str
) -> None:
    for value in STRANGE:
        if option == "propensity" and isinstance(value, dict):
            continue  # an empty table: every option of the propensity by default
        with pytest.raises(OptionError) as caught:
            kind(**{option: value})
        told = str(caught.value)
        assert option.removesuffix("_sd").removesuffix("s") in told or option == "radius", told


@pytest.mark.parametrize("option", ["ratio", "folds", "n_groups", "splits", "count", "neighbours"])
def test_a_count_is_a_whole_number(option: str) -> None:
    kinds = [k for k, name in OPTIONS if name == option]
    assert kinds
    for kind in kinds:
        for value in (True, 2.5, "2", float("inf")):
            with pytest.raises(OptionError, match=option):
                kind(**{option: value})
        assert getattr(kind(**{option: np.int64(2)}), option) == 2


def test_lists_become_tuples() -> None:
    asked = QuantileEffects(quantiles=[0.25, 0.5])  # type: ignore[arg-type]  # as a notebook writes it
    assert asked.quantiles == (0.25, 0.5)
    assert hash(asked) == hash(QuantileEffects(quantiles=(0.25, 0.5)))


MATCHES = (NearestNeighbours(), PairMatching(), RadiusMatching(), KernelMatching(), OptimalPairs(),
           FullMatching(), Exact(on=("z",)), InverseProbability(), EntropyBalancing())  # fmt: skip


@pytest.mark.parametrize("using", MATCHES, ids=lambda u: type(u).__name__)
def test_the_overlap_population_is_refused_where_it_has_no_meaning(using: Any) -> None:
    design = Design.from_cross_section(
        table(), treatment="treat", outcome="y", covariates=list(COVARIATES)
    )
    with pytest.raises(OptionError, match="ATO"):
        design.matched(using=using, estimand="ATO")
    with pytest.raises(OptionError):
        design.matched(using=using, estimand="everyone")


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_overlap_weights_are_for_the_overlap_population(estimand: str) -> None:
    design = Design.from_cross_section(table(), treatment="treat", outcome="y", covariates=["x"])
    with pytest.raises(OptionError, match="ATO"):
        design.matched(using=OverlapWeights(), estimand=estimand)


def test_everyone_leaves_the_arms_as_they_are() -> None:
    design = Design.from_cross_section(table(), treatment="treat", outcome="y", covariates=["x"])
    balance = design.matched(using=Everyone()).balance().set_index("sample")
    columns = ["mean_treated", "mean_comparison"]
    assert balance.loc["after", columns].tolist() == balance.loc["before", columns].tolist()
