"""Tests before the start: hand-worked cases, and simulation of what passes them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whatworks.stats.did.pretest import TESTS, box, detectable_slope, pretest
from whatworks.stats.did.wald import joint_test

RNG = np.random.default_rng(4)
TIMES = np.array([-3.0, -2.0, -1.0, 1.0, 2.0])


def correlated(k: int = 5) -> np.ndarray:
    root = np.random.default_rng(1).normal(size=(k, k))
    return np.asarray(root @ root.T / k + 0.5 * np.eye(k))


def test_one_effect_alone_has_the_power_of_a_two_sided_test() -> None:
    for mean in (0.0, 0.7, 3.0):
        found = pretest(np.array([mean, 0.0]), np.eye(2), n_pre=1)
        by_hand = stats.norm.sf(1.959964 - mean) + stats.norm.cdf(-1.959964 - mean)
        assert found.power == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("test", TESTS)
def test_power_and_what_passes_are_those_of_simulated_estimates(test: str) -> None:
    covariance, trend = correlated(), 0.5 * TIMES
    drawn = RNG.multivariate_normal(trend, covariance, 400_000)
    before = drawn[:, :3]
    if test == "single":
        passed = (np.abs(before) <= 1.959964 * np.sqrt(np.diag(covariance)[:3])).all(axis=1)
    else:
        far = np.einsum("ij,jk,ik->i", before, np.linalg.inv(covariance[:3, :3]), before)
        passed = far <= stats.chi2.isf(0.05, 3)
    found = pretest(trend, covariance, n_pre=3, test=test)
    assert found.power == pytest.approx(1 - passed.mean(), abs=4e-3)
    np.testing.assert_allclose(found.passing, drawn[passed].mean(axis=0), atol=0.02)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("power", [0.5, 0.8])
def test_the_slope_found_has_the_power_asked(test: str, power: float) -> None:
    covariance = correlated()
    slope = detectable_slope(TIMES[:3], covariance[:3, :3], power=power, test=test)
    assert pretest(slope * TIMES, covariance, n_pre=3, test=test).power == pytest.approx(power)


def test_passing_can_make_bias_worse() -> None:
    # The variance of effects grows with distance and a common base ties them, as in a panel: among
    # samples that pass against a rising trend the effect after the start is biased upwards further.
    covariance = np.eye(4) + 1.0
    trend = 0.6 * np.array([-3.0, -2.0, -1.0, 1.0])
    assert pretest(trend, covariance, n_pre=3).passing[-1] > trend[-1]


def test_many_single_tests_reject_parallel_trends_more_than_half_the_time() -> None:
    times = -np.arange(1.0, 21.0)[::-1]
    assert detectable_slope(times, np.eye(20), power=0.5) == 0.0
    assert detectable_slope(times, np.eye(20), power=0.5, test="joint") > 0


def test_likelihood_ratio_and_bayes_factor_by_hand() -> None:
    found = pretest(np.array([1.0, 1.0]), np.eye(2), n_pre=1, estimate=np.array([0.3, 9.0]))
    by_hand = stats.norm.pdf(0.3, 1.0) / stats.norm.pdf(0.3)
    assert found.likelihood_ratio == pytest.approx(by_hand)
    assert found.bayes_factor == pytest.approx((1 - found.power) / 0.95, abs=1e-6)


def test_a_box_far_in_the_tail_keeps_its_digits() -> None:
    far, inside = box(np.zeros(1), np.eye(1), low=np.array([9.0]), high=np.array([9.5]))
    assert far == pytest.approx(stats.norm.sf(9) - stats.norm.sf(9.5), rel=1e-9)
    assert 9.0 < inside[0] < 9.2


def test_few_clusters_are_held_against_hotelling() -> None:
    effect, covariance = np.array([0.5, -0.2]), np.diag([0.04, 0.09])
    wide = 0.25 / 0.04 + 0.04 / 0.09
    assert joint_test(effect, covariance).p_value == pytest.approx(stats.chi2.sf(wide, 2))
    few = joint_test(effect, covariance, df=7)
    assert few.p_value == pytest.approx(stats.f.sf(wide * 6 / 14, 2, 6))
    assert np.isnan(joint_test(effect, covariance, df=1).p_value)
    assert np.isnan(joint_test(effect, np.full((2, 2), np.nan), reduced=True).p_value)
    one_way = np.array([0.5, 0.5]), np.full((2, 2), 0.04)
    assert np.isnan(joint_test(*one_way).p_value)
    repeated = joint_test(*one_way, reduced=True)
    assert repeated.n_effects == 1
    assert repeated.p_value == pytest.approx(stats.chi2.sf(6.25, 1))
