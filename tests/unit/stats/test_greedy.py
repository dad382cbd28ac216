"""Searches and greedy matching against searches written out in full."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from whatworks.stats import search
from whatworks.stats.distances import SPACES
from whatworks.stats.greedy import InSpace, OnLine, Reach, closest_first, in_turn
from whatworks.stats.kernels import Reach as KernelReach
from whatworks.stats.kernels import Side, smooth
from whatworks.stats.neighbours import nearest_on_line


def in_full(queries, points, k, allowed=None):  # type: ignore[no-untyped-def] # shapes vary
    """Every pair no farther than the k-th allowed of its query."""
    distance = cdist(queries, points)
    if allowed is not None:
        distance[~allowed] = np.inf
    found = set()
    for i, row in enumerate(distance):
        known = np.sort(row[np.isfinite(row)])
        if known.size:
            reach = known[min(k, known.size) - 1] * (1 + 1e-9) + 1e-12
            found |= {(i, int(j)) for j in np.flatnonzero(row <= reach)}
    return found


@pytest.mark.parametrize("way", [search._by_tree, search._by_products])
@pytest.mark.parametrize("tied", [False, True])
def test_both_searches_are_a_full_search(way, tied: bool) -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        r, k = int(rng.integers(1, 12)), int(rng.integers(1, 5))
        queries = rng.normal(size=(int(rng.integers(1, 300)), r)) * 50 + 1_000
        points = rng.normal(size=(int(rng.integers(1, 700)), r)) * 50 + 1_000
        if tied:
            queries, points = np.round(queries, -2), np.round(points, -2)
        found = search._closest(*way(queries, points, min(k, len(points))), k=k, caliper=np.inf)
        pairs = set(zip(found.query.tolist(), found.point.tolist(), strict=True))
        assert pairs == in_full(queries, points, k)


def test_a_search_confined_by_keys_is_a_full_one() -> None:
    rng = np.random.default_rng(2)
    for _ in range(60):
        n, m, k = int(rng.integers(1, 60)), int(rng.integers(1, 90)), int(rng.integers(1, 4))
        queries, points = rng.integers(0, 6, (n, 2)) / 1.0, rng.integers(0, 6, (m, 2)) / 1.0
        keys = rng.integers(0, 30, (n, 2)) / 1.0, rng.integers(0, 30, (m, 2)) / 1.0
        widths = np.array([4.0, 9.0])
        found = search.nearest_allowed(queries, points, keys=keys, widths=widths, k=k)
        allowed = (np.abs(keys[0][:, None] - keys[1][None]) <= widths).all(axis=2)
        pairs = set(zip(found.query.tolist(), found.point.tolist(), strict=True))
        assert pairs == in_full(queries, points, k, allowed)


def test_too_many_ties_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_PAIRS", 1_000)
    for r in (2, 9):
        with pytest.raises(search.TooManyPairsError):
            search.nearest(np.zeros((50, r)), np.zeros((300, r)), k=1)


def greedy_in_full(distance, order, ratio):  # type: ignore[no-untyped-def] # shapes vary
    """Who takes whom, one after another, among a table of distances (infinite: not allowed)."""
    free = np.ones(distance.shape[1], dtype=bool)
    pairs, waiting = [], list(order)
    for _ in range(ratio):
        served = []
        for i in waiting:
            row = np.where(free, distance[i], np.inf)
            if not np.isfinite(row).any():
                continue
            j = int(np.flatnonzero(row <= row.min() + 1e-9)[0])
            free[j] = False
            pairs.append((i, j))
            served.append(i)
        waiting = served
    return pairs


@pytest.mark.parametrize("ratio", [1, 2])
def test_taking_turns_on_a_line_and_in_a_space_is_a_full_search(ratio: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(80):
        n, m = int(rng.integers(1, 30)), int(rng.integers(1, 60))
        units, others = rng.integers(0, 25, n) / 3, rng.integers(0, 25, m) / 3
        caliper = float(rng.choice([np.inf, 0.5]))
        distance = np.abs(units[:, None] - others)
        distance[distance > caliper] = np.inf
        order = rng.permutation(n).tolist()
        wanted = greedy_in_full(distance, order, ratio)
        line = in_turn(OnLine(units, others, caliper=caliper), order, ratio=ratio)
        assert list(zip(*(side.tolist() for side in line), strict=True)) == wanted
        nothing = np.empty((n, 0)), np.empty((m, 0))
        reach = Reach(caliper=caliper, keys=nothing, widths=np.empty(0))
        space = in_turn(InSpace(units[:, None], others[:, None], reach=reach), order, ratio=ratio)
        assert list(zip(*(side.tolist() for side in space), strict=True)) == wanted


def test_lists_run_out_and_are_made_anew() -> None:
    # Forty units at one place and forty comparisons along a line: each takes the next.
    units, others = np.zeros((40, 2)), np.column_stack([np.arange(40.0), np.zeros(40)])
    reach = Reach(caliper=np.inf, keys=(np.empty((40, 0)),) * 2, widths=np.empty(0))
    unit, comparison = in_turn(InSpace(units, others, reach=reach), range(40), ratio=1)
    np.testing.assert_array_equal(comparison, unit)


def test_keys_confine_whom_a_unit_takes() -> None:
    rng = np.random.default_rng(8)
    units, others = rng.normal(size=(50, 2)), rng.normal(size=(60, 2))
    keys = rng.normal(size=(50, 1)), rng.normal(size=(60, 1))
    widths = np.array([0.4])
    distance = cdist(units, others)
    distance[np.abs(keys[0] - keys[1].T) > widths] = np.inf
    free = InSpace(units, others, reach=Reach(caliper=np.inf, keys=keys, widths=widths))
    unit, comparison = in_turn(free, range(50), ratio=1)
    assert list(zip(unit.tolist(), comparison.tolist(), strict=True)) == greedy_in_full(
        distance, range(50), 1
    )


def test_the_closest_pair_is_made_first() -> None:
    # 0.4 takes 0.5 before 0.0 can, although 0.0 comes first and has nobody else near.
    free = OnLine(np.array([0.0, 0.4]), np.array([0.5, 9.0]), caliper=np.inf)
    unit, comparison = closest_first(free, 2, ratio=1)
    assert list(zip(unit.tolist(), comparison.tolist(), strict=True)) == [(1, 0), (0, 1)]


def test_the_closest_first_is_a_full_search() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        n, m = int(rng.integers(1, 25)), int(rng.integers(1, 40))
        units, others = rng.normal(size=n), rng.normal(size=m)
        distance = np.abs(units[:, None] - others)
        wanted = []
        while np.isfinite(distance).any():
            i, j = np.unravel_index(int(np.argmin(distance)), distance.shape)
            wanted.append((int(i), int(j)))
            distance[i, :] = distance[:, j] = np.inf
        found = closest_first(OnLine(units, others, caliper=np.inf), n, ratio=1)
        assert list(zip(*(side.tolist() for side in found), strict=True)) == wanted


def test_scores_that_were_not_fitted_tie_nobody() -> None:
    mine, theirs = np.array([0.1, np.nan]), np.array([0.0, 0.2, 5.0, np.nan])
    found = nearest_on_line(
        mine,
        theirs,
        cell_treated=np.array([0, -2]),
        cell_comparison=np.array([0, 0, 0, -1]),
        ratio=1,
    )
    assert found.comparison.tolist() == [0, 1]
    assert found.unmatched.tolist() == [1]


def direct(units: Side, others: Side, kernel, reach: KernelReach):  # type: ignore[no-untyped-def] # by hand
    square = cdist(units.points, others.points) ** 2
    apart = (np.abs(units.keys[:, None] - others.keys[None]) > reach.widths).any(axis=2)
    apart |= units.cell[:, None] != others.cell
    apart |= square > reach.distance**2
    value = np.where(apart, 0.0, kernel(square)) * others.weight
    total = value.sum(axis=1, keepdims=True)
    return np.divide(value, total, out=np.zeros_like(value), where=total > 0)


@pytest.mark.parametrize("r", [1, 2])
@pytest.mark.parametrize("confined", [False, True])
@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("uniform", lambda s: (s <= 1).astype(float)),
        ("epanechnikov", lambda s: np.maximum(1 - s, 0)),
        ("gaussian", lambda s: np.exp(-s / 2)),
    ],
)
def test_kernel_weights_are_those_of_the_formula(r, confined, name, kernel) -> None:
    rng = np.random.default_rng(5)
    units, others = (
        Side(
            points=rng.normal(size=(n, r)) * 2,
            keys=rng.normal(size=(n, 1))[:, : int(confined)],
            cell=rng.integers(0, 3, n),
            weight=rng.uniform(0.5, 2, n),
        )
        for n in (700, 900)
    )
    reach = KernelReach(distance=1.4 if confined else np.inf, widths=np.full(int(confined), 0.5))
    part = direct(units, others, kernel, reach)
    found = smooth(units, others, kernel=name, reach=reach)
    np.testing.assert_allclose(found.stands_for, units.weight @ part, rtol=1e-10, atol=1e-13)
    np.testing.assert_array_equal(found.matched, part.sum(axis=1) > 0)
    assert found.pairs is not None
    listed = np.zeros_like(part)
    listed[found.pairs[0], found.pairs[1]] = found.pairs[2]
    np.testing.assert_allclose(listed, part, rtol=1e-9, atol=1e-15)


def test_a_gaussian_kernel_keeps_who_is_far_from_all() -> None:
    far = Side(
        points=np.array([[200.0]]), keys=np.empty((1, 0)), cell=np.zeros(1, int), weight=np.ones(1)
    )
    others = Side(
        points=np.array([[0.0], [1.0]]),
        keys=np.empty((2, 0)),
        cell=np.zeros(2, int),
        weight=np.ones(2),
    )
    reach = KernelReach(distance=np.inf, widths=np.empty(0))
    found = smooth(far, others, kernel="gaussian", reach=reach)
    assert found.matched.all()
    np.testing.assert_allclose(found.stands_for, [0, 1], atol=1e-15)


def test_pairs_too_many_to_list_leave_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    units, others = (
        Side(
            points=rng.normal(size=(n, 1)),
            keys=np.empty((n, 0)),
            cell=np.zeros(n, int),
            weight=np.ones(n),
        )
        for n in (300, 400)
    )
    reach = KernelReach(distance=np.inf, widths=np.empty(0))
    with_pairs = smooth(units, others, kernel="gaussian", reach=reach)
    monkeypatch.setattr("whatworks.stats.kernels.MOST_LISTED", 1_000)
    monkeypatch.setattr("whatworks.stats.kernels.BLOCK", 5_000)
    without = smooth(units, others, kernel="gaussian", reach=reach)
    assert without.pairs is None
    np.testing.assert_allclose(without.stands_for, with_pairs.stands_for, rtol=1e-10)


@pytest.mark.parametrize("metric", list(SPACES))
def test_distances_do_not_depend_on_units_of_covariates(metric: str) -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3))
    treated, weight = rng.random(60) < 0.4, rng.uniform(0.5, 2, 60)
    one = SPACES[metric](x, treated=treated, weight=weight)
    other = SPACES[metric](x * [1e4, 1e-3, 1.0] + 7, treated=treated, weight=weight)
    np.testing.assert_allclose(cdist(one, one), cdist(other, other), rtol=1e-6, atol=1e-7)


def test_pooled_and_overall_mahalanobis_by_hand() -> None:
    x = np.array([[0.0], [2.0], [10.0], [12.0]])
    treated, weight = np.array([True, True, False, False]), np.ones(4)
    # Within arms: squares 1 + 1 + 1 + 1 over 4 - 2, variance 2. Overall: 36+16+16+36 over 3.
    pooled = SPACES["mahalanobis_pooled"](x, treated=treated, weight=weight)
    overall = SPACES["mahalanobis"](x, treated=treated, weight=weight)
    assert np.abs(np.ptp(pooled)) == pytest.approx(12 / np.sqrt(2))
    assert np.abs(np.ptp(overall)) == pytest.approx(12 / np.sqrt(104 / 3))


def test_ranks_make_an_outlier_one_among_others() -> None:
    x = np.array([[1.0], [2.0], [3.0], [1e6]])
    treated, weight = np.array([True, False, True, False]), np.ones(4)
    points = SPACES["robust_mahalanobis"](x, treated=treated, weight=weight)[:, 0]
    np.testing.assert_allclose(np.abs(np.diff(points)), np.abs(points[1] - points[0]))
