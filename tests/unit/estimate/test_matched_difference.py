"""MatchedDifference on designs: months, censoring weights, sets, every choice of errors, refusals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from whatworks import Design, Exact, MatchedDifference, NearestNeighbours, WhatworksError
from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates, Outcomes

ERRORS = ("person", "matched_set", "abadie_imbens", "abadie_imbens_2016")
MONTHS = (1, 2, 3)


@dataclass(frozen=True)
class Cells:
    """Sets written out: everyone who agrees on a covariate."""

    column: int

    def choose(self, candidates: Candidates) -> Chosen:
        number = candidates.covariates[:, self.column].astype(np.int64)
        sums = np.zeros((2, number.max() + 1))
        for arm in (0, 1):
            rows = candidates.treated == bool(arm)
            sums[arm] = np.bincount(
                number[rows], weights=candidates.weight[rows], minlength=sums.shape[1]
            )
        arm = candidates.treated.astype(int)
        sought = {"ATT": sums[1], "ATC": sums[0], "ATE": sums.sum(axis=0)}[candidates.estimand]
        return Chosen(
            weight=candidates.weight * sought[number] / sums[arm, number], matched_set=number
        )


def table(n: int = 240, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n).round(1), rng.integers(0, 3, n)
    treat = (rng.random(n) < 1 / (1 + np.exp(1 - x - 0.3 * z))).astype(int)
    y = 1 + x + 0.5 * z + 2 * treat + rng.normal(size=n)
    return pd.DataFrame(
        {"person": np.arange(n), "treat": treat, "x": x, "z": z, "y": y, "market": z % 2}
    )


def design(rows: pd.DataFrame, *, months: NDArray[np.float64] | None = None) -> Design:
    made = Design.from_cross_section(
        rows,
        treatment="treat",
        outcome="y",
        covariates=["x", "z"],
        person="person",
        market="market",
        weight="weight" if "weight" in rows else None,
    )
    if months is None:
        return made
    return replace(made, outcomes=Outcomes(name="y", unit="", months=MONTHS, values=months))


def numbers(found: Design, **options: object) -> NDArray[np.float64]:
    effects = MatchedDifference(**options).fit(found).effects  # type: ignore[arg-type] # by name
    return effects[["estimate", "std_error"]].to_numpy(dtype=float)


@pytest.mark.parametrize("errors", ["person", "abadie_imbens", "abadie_imbens_2016"])
@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
@pytest.mark.parametrize("metric", ["linear_propensity", "mahalanobis"])
def test_neither_order_nor_scale_matters(errors: str, estimand: str, metric: str) -> None:
    # Covariates are rounded: scores and distances are often tied.
    if metric == "mahalanobis" and errors == "abadie_imbens_2016":
        return
    found = []
    for rows in (
        table(),
        table().sample(frac=1, random_state=4),
        table().assign(y=lambda t: 7 - t.y),
    ):
        matched = design(rows.reset_index(drop=True)).matched(
            using=NearestNeighbours(metric=metric),
            estimand=estimand,  # type: ignore[arg-type] # by name
        )
        effects = MatchedDifference(errors=errors, neighbours=2).fit(matched).effects  # type: ignore[arg-type] # by name
        assert list(effects["term"]) == [estimand.lower()]
        assert effects["std_error"].notna().all()
        found.append(effects[["estimate", "std_error"]].to_numpy(dtype=float))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)
    np.testing.assert_allclose(found[2], found[0] * [-1, 1], rtol=1e-9)


@pytest.mark.parametrize("bias_adjust", [False, True])
@pytest.mark.parametrize("errors", ["person", "abadie_imbens"])
def test_a_month_is_what_it_would_be_alone(bias_adjust: bool, errors: str) -> None:
    rng = np.random.default_rng(2)
    rows = table()
    values = rng.normal(size=(len(rows), 3))
    values[rng.random(len(rows)) < 0.3, 1] = np.nan
    together = design(rows, months=values).matched(using=NearestNeighbours(ratio=2))
    options = {"bias_adjust": bias_adjust, "errors": errors}
    found = numbers(together, **options)
    for k in range(3):
        alone = replace(
            together,
            outcomes=Outcomes(
                name="y", unit="", months=(1,), values=together.outcomes.values[:, [k]]
            ),
        )
        np.testing.assert_allclose(numbers(alone, **options)[0], found[k], rtol=1e-10)


def test_missing_and_censored_by_hand() -> None:
    # One cell, three treated (10, 4, 1) and two others (2, 8). In the second month the second treated is
    # censored and the first stands for both; the last of the others is censored. In the third no treated
    # is followed. In the fourth the first treated is not known.
    rows = pd.DataFrame(
        {
            "person": range(5),
            "treat": [1, 1, 1, 0, 0],
            "x": 0.0,
            "z": [1.0] * 5,
            "market": 0,
            "y": [10.0, 4, 1, 2, 8],
        }
    )
    values = np.repeat(rows[["y"]].to_numpy(), 4, axis=1)
    values[0, 3] = np.nan
    weights = np.array([[1, 2, 0, 1], [1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1], [1, 0, 1, 1.0]])
    for using in (Cells(1), Exact(on=("z",))):
        made = design(rows).matched(using=using)
        opened = Outcomes(name="y", unit="", months=(1, 2, 3, 4), values=values, weights=weights)
        matched = replace(made, outcomes=opened)
        effects = MatchedDifference().fit(matched).effects
        np.testing.assert_allclose(effects["estimate"], [5 - 5, 21 / 3 - 2, np.nan, 2.5 - 5])
        assert effects["n_treated"].tolist() == [3, 2, 0, 2]
        assert effects["n_comparison"].tolist() == [2, 1, 0, 2]
        assert np.isnan(effects["std_error"].iloc[1:3]).all()
        with pytest.raises(WhatworksError, match="censored"):
            MatchedDifference(errors="abadie_imbens").fit(matched)


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_adjustment_does_not_depend_on_where_covariates_are_counted_from(estimand: str) -> None:
    rows = table()
    weights = np.random.default_rng(9).choice([0.0, 1, 1.5], (len(rows), 1))
    found = []
    for moved in (rows, rows.assign(x=rows["x"] + 100)):
        made = design(moved).matched(using=Cells(1), estimand=estimand)
        censored = replace(
            made, outcomes=replace(made.outcomes, weights=weights[: len(made.units)])
        )
        found.append(numbers(censored, bias_adjust=True))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-7)


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
@pytest.mark.parametrize("bias_adjust", [False, True])
def test_sets_are_the_pairs_they_amount_to(estimand: str, bias_adjust: bool) -> None:
    rows = table().assign(weight=lambda t: 1 + t["person"] % 3)
    sets, pairs = (
        design(rows).matched(using=using, estimand=estimand)
        for using in (Cells(1), Exact(on=("z",)))
    )
    assert sets.matches is None
    for errors in ("person", "market", "abadie_imbens"):
        options = {"errors": errors, "bias_adjust": bias_adjust, "neighbours": 2}
        np.testing.assert_allclose(numbers(sets, **options), numbers(pairs, **options), rtol=1e-9)


def test_sets_are_clusters() -> None:
    # No covariate tells: the regression is that of arms' means, summed within sets.
    found = design(table()).matched(using=Cells(1))
    units, y = found.units, found.outcomes.values[:, 0]
    treated, weight = units["treated"].to_numpy(), units["weight"].to_numpy()
    influence = np.zeros(len(units))
    for arm, sign in ((treated, 1), (~treated, -1)):
        share = weight[arm] / weight[arm].sum()
        influence[arm] = sign * share * (y[arm] - share @ y[arm])
    sums = np.bincount(units["matched_set"], weights=influence)
    n, g = len(units), sums.size
    expected = np.sqrt((sums**2).sum() * g / (g - 1) * (n - 1) / (n - 2))
    assert numbers(found, errors="matched_set")[0, 1] == pytest.approx(expected)


def test_pairs_without_replacement_are_sets() -> None:
    matched = design(table()).matched(using=Exact(on=("z",)))
    treated = matched.units["treated"].to_numpy()
    unit = np.flatnonzero(treated)[:40]
    match = np.flatnonzero(~treated)[:40]
    once = pd.DataFrame({"unit_id": unit, "match_id": match, "weight": 1.0})
    y = matched.outcomes.values[:, 0]
    gap = y[unit] - y[match]
    units = matched.units.assign(matched_set=-1)
    found = numbers(replace(matched, matches=once, units=units), errors="matched_set")[0]
    assert found[0] == pytest.approx(gap.mean())
    sets = len(units) - 40
    factor = sets / (sets - 1) * 79 / 78
    assert found[1] == pytest.approx(np.sqrt(((gap - gap.mean()) ** 2).sum() * factor) / 40)


def test_one_person_in_several_units_counts_once() -> None:
    rows = table()
    twice = pd.concat([rows, rows], ignore_index=True)
    once, again = (design(r).matched(using=Exact(on=("z",))) for r in (rows, twice))
    np.testing.assert_allclose(numbers(again), numbers(once), rtol=0.02)
    for errors in ERRORS[1:]:
        with pytest.raises(WhatworksError, match="independent_units"):
            MatchedDifference(errors=errors).fit(again)  # type: ignore[arg-type] # by name


def test_the_sample_is_known_more_precisely_where_effects_differ() -> None:
    rows = table().assign(y=lambda t: t["y"] + 4 * t["treat"] * t["x"])
    matched = design(rows).matched(using=NearestNeighbours())
    for errors in ("person", "abadie_imbens"):
        population, sample = (
            numbers(matched, errors=errors, target=target, bias_adjust=True)[0]
            for target in ("population", "sample")
        )
        assert population[0] == pytest.approx(sample[0])
        assert sample[1] < 0.9 * population[1]


@pytest.mark.parametrize("errors", ERRORS)
def test_an_outcome_that_does_not_vary_has_no_inference(errors: str) -> None:
    rows = table().assign(y=0.1)
    matched = design(rows).matched(using=NearestNeighbours())
    if errors == "matched_set":
        matched = design(rows).matched(using=Cells(1))
    effects = MatchedDifference(errors=errors, bias_adjust=True).fit(matched).effects  # type: ignore[arg-type] # by name
    assert effects["estimate"].iloc[0] == 0
    assert effects[["std_error", "conf_low", "p_value"]].isna().all().all()


def test_the_estimated_propensity_counts() -> None:
    matched = design(table()).matched(using=NearestNeighbours(), estimand="ATE")
    known, estimated = (
        numbers(matched, errors=errors) for errors in ("abadie_imbens", "abadie_imbens_2016")
    )
    assert estimated[0, 0] == known[0, 0]
    assert 0 < estimated[0, 1] < known[0, 1]  # for the ATE it can only lower the variance


def test_what_is_lacking_is_named() -> None:
    made = design(table())
    nearest = made.matched(using=NearestNeighbours())
    exact = made.matched(using=Exact(on=("z",)))
    cases = [
        (made, {}, "matches"),
        (nearest, {"errors": "matched_set"}, "share no unit"),
        (exact, {"errors": "abadie_imbens_2016"}, "no propensity"),
        (replace(nearest, fitted=()), {"errors": "abadie_imbens_2016"}, "0 fitted equations"),
        (replace(exact, supplies=frozenset({"matches"})), {"errors": "market"}, "markets"),
    ]
    for found, options, words in cases:
        with pytest.raises(WhatworksError, match=words):
            numbers(found, **options)
    bare = Design.from_cross_section(table(), treatment="treat", outcome="y")
    with pytest.raises(WhatworksError, match="covariates, by which"):
        numbers(
            replace(exact, covariates=(), units=exact.units.drop(columns=["x", "z"])),
            errors="abadie_imbens",
        )
    assert not bare.covariates


@pytest.mark.parametrize(
    "options",
    [
        {"errors": "persons"},
        {"target": "everyone"},
        {"neighbours": -1},
        {"errors": "abadie_imbens_2016", "target": "sample"},
    ],
)
def test_options_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(WhatworksError):
        MatchedDifference(**options)  # type: ignore[arg-type] # what is tried
