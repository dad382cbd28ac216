"""Optimal pairs and full matching against complete enumeration and scipy's assignment."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from whatworks.stats import flow
from whatworks.stats.cover import full_sets
from whatworks.stats.flow import Within, optimal_pairs, pairs_in_cells
from whatworks.stats.line import pairs_on_line
from whatworks.stats.search import TooManyPairsError

seeds = st.integers(0, 10_000)


def within(n: int, m: int, caliper: float) -> Within:
    return Within(caliper=caliper, keys=(np.empty((n, 0)), np.empty((m, 0))), widths=np.empty(0))


def best(distance: np.ndarray, caliper: float) -> tuple[int, float]:
    """Pairs and total of the best assignment, a pair given up at more than all distances cost."""
    row, column = linear_sum_assignment(np.where(distance <= caliper + 1e-9, distance, 1e5))
    made = distance[row, column]
    return int((made <= caliper + 1e-9).sum()), float(made[made <= caliper + 1e-9].sum())


@given(seeds, st.sampled_from([1, 2, 8]), st.sampled_from([np.inf, 0.05, 0.3, 0.123]))
@settings(max_examples=150, deadline=None)
def test_pairs_on_a_line_are_the_best_assignment(seed: int, digits: int, caliper: float) -> None:
    rng = np.random.default_rng(seed)
    n, m, ratio = rng.integers(1, 12), rng.integers(1, 15), int(rng.integers(1, 4))
    units, others = rng.random(n).round(digits), rng.random(m).round(digits)
    unit, other = pairs_on_line(units, others, ratio=ratio, caliper=caliper)
    assert np.unique(other).size == other.size
    assert (np.bincount(unit, minlength=n) <= ratio).all()
    distance = np.abs(units[:, None] - others)
    count, total = best(np.repeat(distance, ratio, axis=0), caliper)
    assert unit.size == count
    assert distance[unit, other].sum() == pytest.approx(total, abs=1e-7)


@given(seeds, st.sampled_from([np.inf, 0.4]))
@settings(max_examples=40, deadline=None)
def test_lists_that_grow_find_the_best_assignment(seed: int, caliper: float) -> None:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(20, 60)), int(rng.integers(20, 200))
    points = rng.normal(size=(n, 2)) + 0.7, rng.normal(size=(m, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "DENSE", 0)
        patch.setattr(flow, "LARGEST", 0)
        patch.setattr(flow, "FIRST", 2)
        unit, other = optimal_pairs(points, within(n, m, caliper))
    distance = cdist(*points)
    count, total = best(distance, caliper)
    assert (unit.size, np.unique(unit).size, np.unique(other).size) == (count, count, count)
    assert distance[unit, other].sum() == pytest.approx(total, abs=1e-7)


def test_lists_that_would_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "DENSE", 0)
    monkeypatch.setattr(flow, "LARGEST", 0)
    monkeypatch.setattr(flow, "MOST_PAIRS", 100)
    points = np.linspace(0, 1, 60)[:, None] + 1, np.linspace(0, 1, 70)[:, None]
    with pytest.raises(TooManyPairsError):
        optimal_pairs(points, within(60, 70, np.inf))


def test_keys_confine_pairs_and_cells_hold_them() -> None:
    points = np.array([[0.0], [0.0], [5.0]]), np.array([[0.1], [0.2], [5.1], [5.2]])
    keys = np.array([[0.0], [9.0], [0.0]]), np.array([[9.0], [0.0], [0.0], [0.0]])
    confined = Within(caliper=np.inf, keys=keys, widths=np.array([1.0]))
    unit, other = pairs_in_cells(
        points, (np.array([1, 1, 2]), np.array([1, 1, 3, 2])), within=confined
    )
    assert sorted(zip(unit.tolist(), other.tolist(), strict=True)) == [(0, 1), (1, 0), (2, 3)]


def least_full(distance: np.ndarray, caliper: float, most: tuple[int, int]) -> tuple[int, float]:
    """Fewest left out, then least total, over every set of edges that leaves stars."""
    n, m = distance.shape
    edges = [(i, j) for i in range(n) for j in range(m) if distance[i, j] <= caliper + 1e-9]
    found = (n + m + 1, 0.0)
    for used in product([False, True], repeat=len(edges)):
        chosen = [edge for edge, take in zip(edges, used, strict=True) if take]
        one = np.bincount([i for i, _ in chosen], minlength=n)
        two = np.bincount([j for _, j in chosen], minlength=m)
        stars = all(one[i] == 1 or two[j] == 1 for i, j in chosen)
        if stars and (one <= most[1]).all() and (two <= most[0]).all():
            left = int((one == 0).sum() + (two == 0).sum())
            found = min(found, (left, float(sum(distance[edge] for edge in chosen))))
    return found


def total_of(distance: np.ndarray, one: np.ndarray, two: np.ndarray) -> float:
    total = 0.0
    for number in range(int(max(one.max(), two.max())) + 1):
        row, column = np.flatnonzero(one == number), np.flatnonzero(two == number)
        assert min(row.size, column.size) == 1
        total += distance[np.ix_(row, column)].sum()
    return total


@given(
    seeds,
    st.sampled_from([1, 2]),
    st.sampled_from([np.inf, 0.4]),
    st.sampled_from([(None, None), (2, 2), (None, 1), (1, None)]),
)
@settings(max_examples=60, deadline=None)
def test_full_matching_is_the_least_of_all_divisions(
    seed: int, width: int, caliper: float, most: tuple[int | None, int | None]
) -> None:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    digits = int(rng.choice([1, 8]))  # one digit makes ties and places that several share
    points = rng.random((n, width)).round(digits), rng.random((m, width)).round(digits)
    distance = cdist(*points)
    on_line = width == 1 and not np.isfinite(caliper)
    one, two = full_sets(points, within(n, m, caliper), most=most, on_line=on_line)
    limits = (most[0] or 9, most[1] or 9)
    left, total = least_full(distance, caliper, limits)
    assert (one < 0).sum() + (two < 0).sum() == left
    assert total_of(distance, one, two) == pytest.approx(total, abs=1e-7)


def test_units_at_one_place_share_it_evenly() -> None:
    """Two treated and four others alike: two sets of one and two, not one large and one small."""
    one, two = full_sets((np.zeros((2, 1)), np.zeros((4, 1))), within(2, 4, np.inf))
    assert sorted(np.bincount(one)) == [1, 1]
    assert sorted(np.bincount(two)) == [2, 2]
