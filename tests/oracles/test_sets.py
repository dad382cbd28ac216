"""Sets against the R packages MatchIt and optmatch: counts, weights, totals of distance, effects."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from oracles.reference import HERE, data, reference
from whatworks import Design
from whatworks.design.choosing.coarsening import Coarsened
from whatworks.design.comparison import Chosen
from whatworks.design.comparisons.coarsened import CoarsenedExact
from whatworks.design.comparisons.exact import Exact
from whatworks.design.comparisons.full import FullMatching
from whatworks.design.comparisons.optimal_pairs import OptimalPairs
from whatworks.design.comparisons.subclasses import Subclassification
from whatworks.stats.balance import effective_size
from whatworks.stats.distances import mahalanobis_pooled

CASES = ("match_observational", "match_small")
COVARIATES = ["age", "fem", "dur", "edu", "wage0", "kids", "foreign", "score"]
EXACT = {"match_observational": ("fem", "foreign"), "match_small": ("fem",)}

FORMED = ("cem_sturges", "cem_tercile_cut", "subclass_6", "subclass_10_ATE", "exact")
"""Sets that nothing but values decides: weights are R's."""
OPTIMAL = ("optimal_1to1", "optimal_2to1", "full", "full_ATE", "full_cal")
"""R's optima at its default tolerance, which are not the least there is."""
TIGHT = ("optimal_1to1_tight", "optimal_2to1_tight", "full_tight")


def terciles(case: str) -> tuple[Coarsened, ...]:
    table = data(case)
    return tuple(
        Coarsened(of=name, cuts=tuple(table[name].quantile([0.33, 0.66])))
        for name in COVARIATES
        if table[name].nunique() > 6
    )


def specification(name: str, case: str) -> Any:
    score = {"metric": "propensity"}
    return {
        "cem_sturges": CoarsenedExact(),
        "cem_tercile_cut": CoarsenedExact(coarsened=terciles(case)),
        "cem_k2k": CoarsenedExact(coarsened=terciles(case), pairs=True),
        "subclass_6": Subclassification(count=6),
        "subclass_10_ATE": Subclassification(count=10),
        "exact": Exact(on=EXACT[case]),
        "optimal_1to1": OptimalPairs(**score),
        "optimal_2to1": OptimalPairs(**score, ratio=2),
        "full": FullMatching(**score),
        "full_ATE": FullMatching(**score),
        "full_cal": FullMatching(**score, caliper_sd=0.2),
    }[name.removesuffix("_tight")]


@cache
def design(case: str) -> Design:
    return Design.from_cross_section(
        data(case), treatment="treat", outcome="y", covariates=COVARIATES
    )


@cache
def chosen(case: str, name: str) -> Chosen:
    candidates = design(case).candidates()
    if name.endswith("ATE"):
        candidates = replace(candidates, estimand="ATE")
    return specification(name, case).choose(candidates)


@cache
def rows(case: str, name: str) -> pd.DataFrame:
    table = reference(case, "reference_sets.csv")
    return table[table["spec"] == name].set_index("quantity")


def value(case: str, name: str, quantity: str) -> float:
    return float(rows(case, name).loc[quantity, "value"])


def weights_of_r(case: str, name: str) -> np.ndarray:
    return pd.read_csv(HERE / case / "reference_weights.csv")[name].to_numpy()


def sets_of(found: Chosen) -> np.ndarray:
    """Set of each unit; pairs are the sets around the unit they were sought for."""
    if found.matched_set is not None:
        return found.matched_set
    assert found.matches is not None
    number = np.full(found.weight.size, -1)
    number[found.matches.unit] = number[found.matches.match] = found.matches.unit
    return number


def total(case: str, found: Chosen) -> float:
    """Distances of the treated to the comparisons of their set."""
    assert found.propensity is not None
    number, treated = sets_of(found), design(case).candidates().treated
    names = np.unique(number[number >= 0])
    return sum(
        float(
            np.abs(
                np.subtract.outer(
                    found.propensity[(number == s) & treated],
                    found.propensity[(number == s) & ~treated],
                )
            ).sum()
        )
        for s in names
    )


def normalised(weight: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """Weights that average to one in each arm, as R scales them."""
    found = weight.astype(float).copy()
    for arm in (treated, ~treated):
        found[arm] /= found[arm][found[arm] > 0].mean()
    return found


def difference(y: np.ndarray, weight: np.ndarray, treated: np.ndarray) -> float:
    return float(
        np.average(y[treated], weights=weight[treated])
        - np.average(y[~treated], weights=weight[~treated])
    )


def test_every_specification_of_the_reference_is_here() -> None:
    for case in CASES:
        named = set(reference(case, "reference_sets.csv")["spec"])
        assert named == {*FORMED, *OPTIMAL, *TIGHT, "cem_k2k"}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FORMED)
def test_weights_are_those_of_matchit(case: str, name: str) -> None:
    treated = design(case).candidates().treated
    ours = normalised(chosen(case, name).weight, treated)
    np.testing.assert_allclose(ours, normalised(weights_of_r(case, name), treated), atol=1e-6)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [*FORMED, "cem_k2k"])
def test_there_are_as_many_sets(case: str, name: str) -> None:
    assert np.unique(sets_of(chosen(case, name))).size - 1 + int(
        (sets_of(chosen(case, name)) >= 0).all()
    ) == value(case, name, "n_subclasses")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [*FORMED, "cem_k2k", *OPTIMAL, *TIGHT])
def test_counts_are_those_of_matchit(case: str, name: str) -> None:
    found, treated = chosen(case, name), design(case).candidates().treated
    table = rows(case, name).loc["n"].set_index(["row", "group"])["value"]
    for group, arm in (("Treated", treated), ("Control", ~treated)):
        weight = found.weight[arm]
        assert (weight > 0).sum() == table["Matched", group]
        assert (weight == 0).sum() == table["Unmatched", group]
        # The sizes of an optimum's sets are its own; so is the effective size that follows.
        if name in (*FORMED, "cem_k2k", "optimal_1to1", "optimal_2to1"):
            assert effective_size(weight) == pytest.approx(table["Matched (ESS)", group], abs=1e-6)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [n for n in FORMED if not n.endswith("ATE")])
def test_effects_are_those_of_weighted_least_squares(case: str, name: str) -> None:
    treated = design(case).candidates().treated
    ours = difference(data(case)["y"].to_numpy(), chosen(case, name).weight, treated)
    assert ours == pytest.approx(value(case, name, "att_wls_hc1"), abs=1e-6)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", TIGHT)
def test_totals_are_least(case: str, name: str) -> None:
    least = total(case, chosen(case, name))
    assert least == pytest.approx(
        value(case, name, "total_ps_distance_within_subclasses"), abs=1e-6
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", OPTIMAL)
def test_totals_are_no_more_than_those_of_the_default_tolerance(case: str, name: str) -> None:
    bound = value(case, name, "total_ps_distance_within_subclasses")
    assert total(case, chosen(case, name)) <= bound + 1e-9


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["optimal_1to1_tight", "optimal_2to1_tight"])
def test_optimal_pairs_and_their_effect_are_those_of_optmatch(case: str, name: str) -> None:
    """Full matchings of one least total are many on a line: only their totals are compared."""
    treated = design(case).candidates().treated
    ours = normalised(chosen(case, name).weight, treated)
    np.testing.assert_allclose(ours, normalised(weights_of_r(case, name), treated), atol=1e-6)
    found = difference(data(case)["y"].to_numpy(), ours, treated)
    assert found == pytest.approx(value(case, name, "att_wls_hc1"), abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_pairs_within_bins_are_nearer_than_those_taken_in_the_order_of_the_data(case: str) -> None:
    """MatchIt's k2k lets units of a bin choose in the order of rows; ours is the least total."""
    candidates = design(case).candidates()
    points = mahalanobis_pooled(
        candidates.covariates, treated=candidates.treated, weight=candidates.weight
    )
    bins = chosen(case, "cem_tercile_cut").matched_set
    ours = chosen(case, "cem_k2k").matched_set
    assert bins is not None
    assert ours is not None
    theirs = weights_of_r(case, "cem_k2k") > 0
    least = at_best = 0.0
    for s in range(bins.max() + 1):
        both = [
            points[(bins == s) & theirs & arm] for arm in (candidates.treated, ~candidates.treated)
        ]
        distance = cdist(*both)
        at_best += distance[linear_sum_assignment(distance)].sum()
    for s in range(ours.max() + 1):
        one, other = (
            np.flatnonzero((ours == s) & arm) for arm in (candidates.treated, ~candidates.treated)
        )
        assert bins[one[0]] == bins[other[0]]
        least += float(np.linalg.norm(points[one[0]] - points[other[0]]))
    assert least <= at_best + 1e-9
