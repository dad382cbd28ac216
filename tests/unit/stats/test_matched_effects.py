"""Matched differences, their influence and their variances: by hand, and against loops over units."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from whatworks.stats.matched_effects import (
    arm_regression,
    matched_effect,
    matched_influence,
    regressions,
)
from whatworks.stats.matching import MatchedPairs, MatchedSets, Matching, matching
from whatworks.stats.matching_variance import abadie_imbens, matched_gaps, same_arm
from whatworks.stats.neighbourhoods import near_in_space, near_on_line

# Two treated (0, 1) and three comparisons (2, 3, 4). Unit 0 is matched with 2 and 3, unit 1 with 3.
TREATED = np.array([True, True, False, False, False])
PAIRS = MatchedPairs.of(np.array([0, 0, 1]), np.array([2, 3, 3]), np.array([0.5, 0.5, 1.0]), n=5)
MONTH = matching(PAIRS, weight=np.array([1.0, 1, 0, 0, 0]), is_treated=TREATED)
Y = np.array([[10.0], [6.0], [4.0], [2.0], [9.0]])
X = np.array([[1.0], [2.0], [0.0], [2.0], [5.0]])


def test_the_effect_by_hand() -> None:
    # Counterfactuals: (4 + 2) / 2 = 3 and 2. Effects 7 and 4, mean 5.5. Unit 4 is used by nobody.
    np.testing.assert_allclose(MONTH.own, [0.5, 0.5, 0, 0, 0])
    np.testing.assert_allclose(MONTH.lent, [0, 0, 0.25, 0.75, 0])
    np.testing.assert_allclose(MONTH.squares, [0, 0, 0.0625, 0.0625 + 0.25, 0])
    np.testing.assert_array_equal(MONTH.used, [True, True, True, True, False])
    assert matched_effect(Y, X, MONTH, None)[0] == pytest.approx(5.5)


def test_the_bias_correction_by_hand() -> None:
    # Among the comparisons used, y goes from 4 at x = 0 to 2 at x = 2: slope -1. Treated mean of x is
    # 1.5, comparisons' 0.75 * 2 = 1.5: nothing to correct; with unit 0 at x = 3 the gap is 1.
    fits = regressions(Y, X, MONTH.lent, TREATED)
    assert fits[False].slope[0, 0] == pytest.approx(-1)
    assert matched_effect(Y, X, MONTH, fits)[0] == pytest.approx(5.5)
    moved = X.copy()
    moved[0] = 3.0
    assert matched_effect(Y, moved, MONTH, fits)[0] == pytest.approx(6.5)


def test_the_abadie_imbens_variance_by_hand() -> None:
    # Gaps: (7 - 5.5) / 2 and (4 - 5.5) / 2, squared: 2 * 0.5625 = 1.125.
    # Comparisons have v = (.25, .75); squares of parts: unit 2 has .0625, unit 3 .0625 + .25 = .3125;
    # so what is added is 0 and (.5625 - .3125) s2 = .25 s2, where s2 of unit 3 is the variance of its
    # outcome and of the nearest of its arm, 2 and 4: 2.
    near = same_arm(MONTH, score=None, points=X, neighbours=1, sample=False)
    assert list(near) == [False]
    found = abadie_imbens(matched_gaps(Y, X, MONTH, None), MONTH, near=near, sample=False)
    assert found[0, 0] == pytest.approx(1.125 + 0.25 * 2)
    # On the sample: (.5² + .5²) times the treated's variance, (10 - 6)²/2 = 8, and (.25² + .75²) 2.
    near = same_arm(MONTH, score=None, points=X, neighbours=1, sample=True)
    found = abadie_imbens(matched_gaps(Y, X, MONTH, None), MONTH, near=near, sample=True)
    assert found[0, 0] == pytest.approx(0.5 * 8 + 0.625 * 2)
    # One variance for all: half the mean over pairs of (gap - 5.5)²; gaps 6 and 8 (half each) and 4.
    common = 0.5 * (0.25 * 0.5**2 + 0.25 * 2.5**2 + 0.5 * 1.5**2)
    found = abadie_imbens(matched_gaps(Y, X, MONTH, None), MONTH, near=None, sample=True)
    assert found[0, 0] == pytest.approx(common * (0.5 + 0.625))


def test_one_unit_sought_has_no_variance() -> None:
    alone = matching(PAIRS, weight=np.array([1.0, 0, 0, 0, 0]), is_treated=TREATED)
    assert matched_effect(Y, X, alone, None)[0] == pytest.approx(7)
    fits = regressions(Y, X[:, :0], alone.lent, TREATED)
    options = {"bias_adjust": False, "sample": False, "unbiased": True}
    assert np.isnan(matched_influence(Y, X[:, :0], alone, fits, **options)[0, 0])
    gaps = matched_gaps(Y, X, alone, None)
    assert np.isnan(abadie_imbens(gaps, alone, near=None, sample=False)).all()


def test_missing_units_are_taken_out_of_their_sets() -> None:
    seen = np.array([True, True, False, True, True])
    month = matching(
        PAIRS, weight=np.ones(5) * TREATED, is_treated=TREATED, factor=seen.astype(float)
    )
    np.testing.assert_allclose(month.own, [0.5, 0.5, 0, 0, 0])
    np.testing.assert_allclose(month.lent, [0, 0, 0, 1, 0])
    # Unit 1 has no match left once unit 3 is unknown: it is left out with its match.
    seen = np.array([True, True, True, False, True])
    month = matching(
        PAIRS, weight=np.ones(5) * TREATED, is_treated=TREATED, factor=seen.astype(float)
    )
    np.testing.assert_allclose(month.own, [1, 0, 0, 0, 0])
    np.testing.assert_allclose(month.lent, [0, 0, 1, 0, 0])


def test_factors_count_within_matches() -> None:
    # Unit 3 stands for three: in the set of unit 0 it has three quarters. Unit 1 stands for two.
    factor = np.array([1.0, 2, 1, 3, 1])
    month = matching(PAIRS, weight=np.ones(5) * TREATED, is_treated=TREATED, factor=factor)
    np.testing.assert_allclose(month.own, [1 / 3, 2 / 3, 0, 0, 0])
    np.testing.assert_allclose(month.lent, [0, 0, 1 / 12, 3 / 12 + 2 / 3, 0])


def drawn(seed: int) -> tuple[MatchedPairs, MatchedSets, np.ndarray, np.ndarray]:
    """Sets of both arms and the pairs they amount to, some units in none."""
    rng = np.random.default_rng(seed)
    n = 60
    treated = np.arange(n) % 3 == 0
    number = rng.integers(-1, 6, n)
    weight = rng.uniform(0.5, 2, n)
    unit, match, part = [], [], []
    for i in range(n):
        others = np.flatnonzero((number == number[i]) & (treated != treated[i]))
        if number[i] >= 0 and others.size:
            unit += [i] * others.size
            match += others.tolist()
            part += (weight[others] / weight[others].sum()).tolist()
    pairs = MatchedPairs.of(np.array(unit), np.array(match), np.array(part), n=n)
    return pairs, MatchedSets.of(number, weight, treated), treated, weight


@pytest.mark.parametrize("arms", [(True,), (False,), (True, False)])
@pytest.mark.parametrize("seed", range(5))
def test_sets_are_the_pairs_they_amount_to(seed: int, arms: tuple[bool, ...]) -> None:
    pairs, sets, treated, weight = drawn(seed)
    rng = np.random.default_rng(seed)
    sought = np.where(np.isin(treated, arms), weight, 0.0)
    y = rng.normal(size=(treated.size, 2))
    for factor in (None, rng.choice([0.0, 1.0, 2.5], treated.size)):
        one, two = (
            matching(links, weight=sought, is_treated=treated, factor=factor)
            for links in (pairs, sets)
        )
        for name in ("own", "lent", "squares"):
            np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=1e-14)
        rows = one.own > 0
        np.testing.assert_allclose(one.links.means(y)[rows], two.links.means(y)[rows])


def loops(month: Matching, y: np.ndarray, parts: np.ndarray) -> tuple[float, float]:
    """Effect and one variance for all, population version, pair by pair."""
    sign = np.where(month.is_treated, 1, -1)
    n = y.size
    gap = [sign[i] * (y[i] - parts[i] @ y) for i in range(n)]
    effect = sum(month.own[i] * gap[i] for i in range(n))
    half = sum(
        month.own[i] * parts[i, j] * (sign[i] * (y[i] - y[j]) - effect) ** 2 / 2
        for i in range(n)
        for j in range(n)
    )
    lent = [sum(month.own[i] * parts[i, j] for i in range(n)) for j in range(n)]
    squares = [sum((month.own[i] * parts[i, j]) ** 2 for i in range(n)) for j in range(n)]
    extra = sum(lent[j] ** 2 + 2 * lent[j] * month.own[j] - squares[j] for j in range(n))
    first = sum((month.own[i] * (gap[i] - effect)) ** 2 for i in range(n))
    return effect, first + half * extra


@pytest.mark.parametrize("arms", [(True,), (False,), (True, False)])
def test_points_and_variance_are_those_of_loops(arms: tuple[bool, ...]) -> None:
    pairs, _, treated, weight = drawn(7)
    month = matching(pairs, weight=np.where(np.isin(treated, arms), weight, 0), is_treated=treated)
    y = np.random.default_rng(3).normal(size=(treated.size, 1))
    effect, variance = loops(month, y[:, 0], pairs.parts.toarray())
    assert matched_effect(y, y[:, :0], month, None)[0] == pytest.approx(effect)
    found = abadie_imbens(matched_gaps(y, y[:, :0], month, None), month, near=None, sample=False)
    assert found[0, 0] == pytest.approx(variance)


@pytest.mark.parametrize("arms", [(True,), (False,), (True, False)])
def test_influence_is_the_derivative_of_the_effect(arms: tuple[bool, ...]) -> None:
    # Outcomes move one unit at a time, weights being known: on the sample, the influence of a unit is
    # what its distance from its arm's regression moves the effect by.
    pairs, _, treated, weight = drawn(11)
    month = matching(pairs, weight=np.where(np.isin(treated, arms), weight, 0), is_treated=treated)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(treated.size, 2))
    y = x @ np.array([[1.0], [-2.0]]) + rng.normal(size=(treated.size, 1))

    def effect(outcomes: np.ndarray) -> float:
        fits = regressions(outcomes, x, month.lent, treated)
        return float(matched_effect(outcomes, x, month, fits)[0])

    fits = regressions(y, x, month.lent, treated)
    own = regressions(y, x, month.own, treated)
    found = matched_influence(y, x, month, fits, bias_adjust=True, sample=True, unbiased=False)
    for k in range(treated.size):
        step = np.zeros_like(y)
        step[k] = 1.0
        moves = effect(y + step) - effect(y)
        side = bool(treated[k])
        around = [
            (y[k, 0] - fit[side].fitted(x[[k]])[0, 0]) if side in fit else 0.0
            for fit in (own, fits)
        ]
        as_own = (1 if side else -1) * month.own[k]
        expected = as_own * around[0] + (moves - as_own) * around[1]
        assert found[k, 0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("arms", [(True,), (True, False)])
@pytest.mark.parametrize("form", ["pairs", "sets"])
def test_what_matching_left_counts_without_adjustment(arms: tuple[bool, ...], form: str) -> None:
    # Unit by unit: its covariates against those of its matches, and of those it is a match of.
    pairs, sets, treated, weight = drawn(13)
    sought = np.where(np.isin(treated, arms), weight, 0.0)
    links = pairs if form == "pairs" else sets
    month = matching(links, weight=sought, is_treated=treated)
    rng = np.random.default_rng(6)
    x = rng.normal(size=(treated.size, 2))
    y = x @ np.array([[1.0], [-2.0]])  # nothing but covariates: no residual, no effect
    fits = regressions(y, x, month.lent, treated)
    found = matched_influence(y, x, month, fits, bias_adjust=False, sample=False, unbiased=False)
    part, told = pairs.parts.toarray(), y[:, 0]
    for k in range(treated.size):
        expected = 0.0
        if month.own[k] > 0:
            shrunk = np.sqrt(1 + (part[k] ** 2).sum())
            expected += month.own[k] * (told[k] - part[k] @ told) / shrunk
        if month.lent[k] > 0:
            share = month.own * part[:, k] / month.lent[k]
            shrunk = np.sqrt(1 + (share**2).sum())
            expected += month.lent[k] * (told[k] - share @ told) / shrunk
        expected *= 1 if treated[k] else -1
        assert found[k, 0] == pytest.approx(expected, abs=1e-10)


def test_influence_of_unmatched_arms_is_that_of_two_means() -> None:
    rng = np.random.default_rng(8)
    treated = np.arange(50) < 20
    y = rng.normal(size=(50, 1))
    sets = MatchedSets.of(np.zeros(50, dtype=np.int64), np.ones(50), treated)
    month = matching(sets, weight=treated.astype(float), is_treated=treated)
    none = y[:, :0]
    fits = regressions(y, none, month.lent, treated)
    for sample in (False, True):
        found = matched_influence(
            y, none, month, fits, bias_adjust=False, sample=sample, unbiased=True
        )
        expected = y[treated].var(ddof=1) / 20 + y[~treated].var(ddof=1) / 30
        assert (found**2).sum() == pytest.approx(expected)


def test_regression_is_that_of_statsmodels_whatever_the_units() -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(size=(300, 4)) * [1, 1e6, 1e-6, 1] + [0, 1e7, 0, 5]
    x = np.column_stack([x, x[:, 0] + x[:, 3], np.full(300, 0.1)])  # collinear, and constant
    y = x[:, :4] @ rng.normal(size=(4, 2)) + rng.normal(size=(300, 2))
    weight = rng.uniform(0.1, 3, 300)
    found = arm_regression(y, x, weight)
    assert found.rank == 4
    assert found.factor == pytest.approx(300 / 295)
    theirs = sm.WLS(y, sm.add_constant((x - found.centre)[:, :4]), weights=weight).fit()
    np.testing.assert_allclose(found.fitted(x), theirs.fittedvalues, rtol=1e-8)


@pytest.mark.parametrize("space", [False, True])
def test_neighbourhoods_are_those_of_a_full_search(space: bool) -> None:
    rng = np.random.default_rng(10)
    for _ in range(150):
        n, m, k = int(rng.integers(1, 15)), int(rng.integers(1, 25)), int(rng.integers(1, 5))
        members = rng.integers(0, 8, m) / 4
        targets = members if rng.random() < 0.5 else rng.integers(0, 8, n) / 4
        if space:
            points = members[:, None] if targets is members else targets[:, None]
            near = near_in_space(
                points, points if targets is members else members[:, None], at_least=k
            )
        else:
            near = near_on_line(targets, members, at_least=k)
        found = near.near.toarray()[near.target][:, near.member] > 0
        gaps = np.abs(targets[:, None] - members)
        reach = np.sort(gaps, axis=1)[:, min(k, m) - 1]
        np.testing.assert_array_equal(found, gaps <= reach[:, None] + 1e-9)
        left, right = rng.normal(size=(2, m, 2))
        weight = rng.uniform(0, 1, targets.size)
        expected = sum(
            w * np.cov(left[row].T, right[row].T, ddof=1)[:2, 2:] if row.sum() > 1 else np.nan
            for w, row in zip(weight, found, strict=True)
        )
        np.testing.assert_allclose(
            near.covariances(left, right, weight=weight),
            np.broadcast_to(expected, (2, 2)),
            atol=1e-12,
        )
