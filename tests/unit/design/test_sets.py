"""Comparisons that form sets: by hand, by month, and whatever the order of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatworks import (
    Caliper,
    Coarsened,
    CoarsenedExact,
    Design,
    Exact,
    FullMatching,
    MatchedDifference,
    OptimalPairs,
    Subclassification,
    WhatworksError,
)
from whatworks.design.comparison import Comparison
from whatworks.design.parts import Candidates
from whatworks.design.registry import COMPARISONS
from whatworks.study import build

WAYS: dict[str, Comparison] = {
    "exact": Exact(on=("z",)),
    "coarsened": CoarsenedExact(coarsened=(Coarsened(of="x", quantiles=4),)),
    "coarsened pairs": CoarsenedExact(coarsened=(Coarsened(of="x", bins=3),), pairs=True),
    "subclasses": Subclassification(count=3),
    "optimal pairs": OptimalPairs(),
    "optimal pairs near": OptimalPairs(metric="mahalanobis", calipers=(Caliper(of="x", width=1),)),
    "full": FullMatching(),
    "full of four": FullMatching(max_comparisons=3, max_treated=1, caliper_sd=0.5, exact=("z",)),
}
every = pytest.mark.parametrize("name", list(WAYS))


def given_units(seed: int, *, n: int = 120, estimand: str = "ATT") -> Candidates:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.integers(0, 2, n).astype(float)
    return Candidates(
        treated=rng.random(n) < 1 / (1 + np.exp(1 - x)),
        cell=rng.integers(600, 602, n),
        covariates=np.column_stack([x, z]),
        names=("x", "z"),
        weight=rng.integers(1, 4, n).astype(float),
        estimand=estimand,
    )


def sets_of(found: Any) -> np.ndarray:
    if found.matched_set is not None:
        return found.matched_set
    number = np.full(found.weight.size, -1)
    number[found.matches.unit] = number[found.matches.match] = found.matches.unit
    return number


@every
@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_order_of_rows_and_numbers_of_months_change_nothing(name: str, seed: int) -> None:
    units = given_units(seed)
    order = np.random.default_rng(seed + 1).permutation(units.treated.size)
    moved = replace(
        units,
        treated=units.treated[order],
        cell=units.cell[order] + 7,
        covariates=units.covariates[order],
        weight=units.weight[order],
    )
    np.testing.assert_allclose(
        WAYS[name].choose(moved).weight, WAYS[name].choose(units).weight[order], rtol=1e-9
    )


@every
def test_sets_lie_within_a_month_and_arms_stand_for_the_same(name: str) -> None:
    units = given_units(3)
    found = WAYS[name].choose(units)
    number = sets_of(found)
    for one in np.unique(number[number >= 0]):
        inside = number == one
        assert np.unique(units.cell[inside]).size == 1
        treated = found.weight[inside & units.treated].sum()
        assert treated == pytest.approx(found.weight[inside & ~units.treated].sum())
    taking_part = found.weight > 0
    np.testing.assert_array_equal(taking_part, number >= 0)
    np.testing.assert_array_equal(
        found.weight[taking_part & units.treated], units.weight[taking_part & units.treated]
    )
    lost = sum(mask.astype(int) for mask in found.lost.values())
    np.testing.assert_array_equal(lost, (units.sought & ~taking_part).astype(int))


@pytest.mark.parametrize("name", ["exact", "coarsened", "subclasses", "full"])
def test_for_all_each_arm_stands_for_everyone_in_a_set(name: str) -> None:
    units = given_units(5, estimand="ATE")
    found = WAYS[name].choose(units)
    inside = sets_of(found) >= 0
    for arm in (units.treated, ~units.treated):
        assert found.weight[arm].sum() == pytest.approx(units.weight[inside].sum())


@pytest.mark.parametrize("name", ["coarsened pairs", "optimal pairs"])
def test_units_that_serve_once_cannot_stand_for_everyone(name: str) -> None:
    with pytest.raises(WhatworksError, match="ATT or ATC"):
        WAYS[name].choose(given_units(5, estimand="ATE"))


@every
def test_effects_are_estimated_on_sets(name: str) -> None:
    units = given_units(8, n=300)
    table = pd.DataFrame(units.covariates, columns=["x", "z"]).assign(
        treat=units.treated.astype(int), y=lambda t: 2.0 * t["treat"] + 0 * t["x"]
    )
    design = Design.from_cross_section(
        table, treatment="treat", outcome="y", covariates=["x", "z"]
    ).matched(using=WAYS[name])
    found = MatchedDifference().fit(design).effects.iloc[0]
    assert found["estimate"] == pytest.approx(2.0)


def test_bins_by_hand() -> None:
    """Ages 20, 24 | 25, 30; the last treated stands alone with the category c."""
    table = pd.DataFrame(
        {
            "age": [20, 24, 30, 25, 26, 31],
            "status": ["a", "b", "a", "a", "a", "c"],
            "treat": [1, 0, 1, 0, 0, 1],
            "y": 0.0,
        }
    )
    design = Design.from_cross_section(
        table, treatment="treat", outcome="y", covariates=["age", "status"]
    )
    ages = Coarsened(of="age", cuts=(25,))
    apart = CoarsenedExact(coarsened=(ages,)).choose(design.candidates())
    assert apart.matched_set is not None
    assert apart.matched_set.tolist() == [-1, -1, 0, 0, 0, -1]
    assert apart.weight.tolist() == [0, 0, 1, 0.5, 0.5, 0]
    assert {k: v.tolist() for k, v in apart.lost.items()} == {
        "no_comparison": [True, False, False, False, False, True]
    }
    grouped = Coarsened(of="status", groups=(("a", "b"),))
    together = CoarsenedExact(coarsened=(ages, grouped)).choose(design.candidates())
    assert together.matched_set is not None
    assert together.matched_set.tolist() == [0, 0, 1, 1, 1, -1]
    aged = CoarsenedExact(on=("age",), coarsened=(ages,)).choose(design.candidates())
    assert aged.matched_set is not None
    assert aged.matched_set.tolist() == [0, 0, 1, 1, 1, 1]
    assert aged.used == ("age",)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"of": "x"}, "one of rule"),
        ({"of": "x", "bins": 0}, "below 1"),
        ({"of": "x", "bins": 3, "cuts": (1.0,)}, "2 of them"),
        ({"of": "x", "rule": "sturge"}, "sturges"),
        ({"of": "s", "groups": (("a",), ("a",))}, "twice"),
    ],
)
def test_a_coarsening_says_one_thing(options: dict[str, Any], said: str) -> None:
    with pytest.raises(WhatworksError, match=said):
        Coarsened(**options)


@pytest.mark.parametrize(
    ("coarsened", "said"),
    [
        (Coarsened(of="ex", bins=2), "covariates of the design"),
        (Coarsened(of="x", groups=(("a", "b"),)), "cuts or bins for a number"),
    ],
)
def test_a_coarsening_is_of_a_covariate_of_its_kind(coarsened: Coarsened, said: str) -> None:
    with pytest.raises(WhatworksError, match=said):
        CoarsenedExact(coarsened=(coarsened,)).choose(given_units(1))


def test_nobody_comparable_is_refused() -> None:
    units = replace(given_units(1), cell=np.arange(120))
    for way in (Exact(on=("z",)), CoarsenedExact()):
        with pytest.raises(WhatworksError, match="holds treated and untreated") as caught:
            way.choose(units)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: OptimalPairs(ratio=0),
        lambda: OptimalPairs(caliper_sd=0),
        lambda: FullMatching(max_treated=0),
        lambda: Subclassification(count=0),
    ],
)
def test_options_out_of_range_are_refused(wrong: Any) -> None:
    with pytest.raises(WhatworksError, match="1 or more"):
        wrong()


def test_what_a_study_file_writes_is_what_a_caller_writes() -> None:
    written = {"method": "coarsened_exact", "coarsened": [{"of": "age", "cuts": [25, 50]}]}
    wanted = CoarsenedExact(coarsened=(Coarsened(of="age", cuts=(25, 50)),))
    assert build(COMPARISONS, written, what="comparison") == wanted
    assert hash(wanted) == hash(build(COMPARISONS, written, what="comparison"))


def test_a_limit_of_sets_is_kept() -> None:
    units = given_units(4)
    found = FullMatching(max_comparisons=2, max_treated=1).choose(units)
    number = sets_of(found)
    for one in np.unique(number[number >= 0]):
        assert (units.treated & (number == one)).sum() == 1
        assert (~units.treated & (number == one)).sum() <= 2
