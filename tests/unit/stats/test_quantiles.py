"""Weighted quantiles by hand, and medians over splits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whatworks.stats.quantiles import Distribution, below
from whatworks.stats.ranking import cut, medians

LAW = Distribution.of(np.array([0.0, 10, 0, 20]), weight=np.array([1.0, 1, 1, 2]))


@pytest.mark.parametrize(("tau", "value"), [(0.1, 0), (0.4, 0), (0.41, 10), (0.6, 10), (0.61, 20)])
def test_quantile_is_the_least_value_that_reaches_the_share(tau: float, value: float) -> None:
    assert LAW.quantile(tau) == value


def test_shares_by_hand() -> None:
    np.testing.assert_allclose(LAW.at(np.array([-1.0, 0, 15, 20])), [0, 0.4, 0.6, 1])


def test_a_quantile_inside_a_mass_does_not_move() -> None:
    assert LAW.spacing(0.2, std_error=0.05) == 0


def test_spacing_approaches_the_inverse_of_the_density() -> None:
    values = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    law = Distribution.of(values, weight=np.ones(values.size))
    wanted = 1 / stats.norm.pdf(stats.norm.ppf(0.75))
    assert law.spacing(0.75, std_error=0.002) == pytest.approx(wanted, rel=1e-3)


def test_influence_on_a_share_is_its_derivative_in_each_weight() -> None:
    y, w = np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 1, 0])
    moved = below(y, 2.0, weight=w)
    for i in range(3):
        step = 1e-6 * (np.arange(4) == i)
        up, down = ((w + s) @ (y <= 2) / (w + s).sum() for s in (step, -step))
        assert moved[i] == pytest.approx((up - down) / 2e-6, rel=1e-6)
    assert moved[3] == 0


def test_groups_hold_equal_mass_and_ties_are_told_apart() -> None:
    group = cut(np.zeros(8), np.array([3, 1, 0, 2, 7, 5, 4, 6]), mass=np.ones(8), n_groups=4)
    assert group.tolist() == [1, 0, 0, 1, 3, 2, 2, 3]


def test_medians_double_p_values_and_widen_intervals() -> None:
    read = medians(np.array([[1.0], [2.0], [4.0]]), np.ones((3, 1)))
    assert read.estimate[0] == 2
    assert read.low[0] == pytest.approx(2 - stats.norm.ppf(0.9875))
    assert read.p_value[0] == pytest.approx(2 * 2 * stats.norm.sf(2))


def test_a_group_undefined_in_most_splits_is_undefined() -> None:
    nan = np.nan
    read = medians(np.array([[1.0], [nan], [nan]]), np.array([[1.0], [nan], [nan]]))
    assert np.isnan(read.estimate[0])
