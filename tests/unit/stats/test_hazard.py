"""Chances of starting and what they make of those who remain, by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from whatworks.stats.hazard import capped, fit_hazard, log_remaining, standing_for


def test_without_covariates_the_chance_is_the_share_that_starts() -> None:
    starts = np.array([True, False, False, False, True, True, False, False, False])
    group = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    found = fit_hazard(np.empty((9, 0)), starts, group=group, weight=np.ones(9))
    expected = np.array([1 / 4] * 4 + [2 / 3] * 3 + [0.0] * 2)
    np.testing.assert_allclose(found.chance, expected, atol=1e-10)
    assert found.n_starts == 3
    assert not found.certain


def test_weights_count_as_repetitions() -> None:
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=(400, 2)), rng.integers(0, 3, 400)
    starts = rng.random(400) < 1 / (1 + np.exp(2 - x[:, 0]))
    times = rng.integers(1, 4, 400)
    once = fit_hazard(x, starts, group=group, weight=times.astype(float))
    often = np.repeat(np.arange(400), times)
    repeated = fit_hazard(x[often], starts[often], group=group[often], weight=np.ones(often.size))
    np.testing.assert_allclose(once.chance[often], repeated.chance, atol=1e-9)


def test_who_starts_for_certain_is_said() -> None:
    x = np.concatenate([np.zeros(50), np.ones(50)])[:, None]
    starts = x[:, 0] > 0
    found = fit_hazard(x, starts, group=np.zeros(100, dtype=np.int64), weight=np.ones(100))
    assert found.certain


def test_factors_are_products_month_by_month() -> None:
    rng = np.random.default_rng(1)
    n, months = 7, 9
    chance = rng.random((n, months)) * 0.5
    person, month = np.nonzero(rng.random((n, months)) < 0.8)
    remaining = log_remaining(
        chance[person, month], person=person, month=month, n_persons=n, n_months=months
    )
    units, entry = np.array([0, 0, 3, 6]), np.array([1, 4, 0, 2])
    horizons = np.arange(-2, 5)
    followed = rng.random((4, horizons.size)) < 0.7
    found = standing_for(remaining, person=units, entry=entry, months=horizons, followed=followed)
    there = set(zip(person.tolist(), month.tolist(), strict=True))
    for i in range(4):
        for j, h in enumerate(horizons):
            expected = 1.0
            for m in range(entry[i] + 1, entry[i] + h + 1):
                if (int(units[i]), m) in there:
                    expected /= 1 - chance[units[i], m]
            assert found[i, j] == pytest.approx(expected if followed[i, j] else 0.0)


def test_someone_who_had_to_start_stands_for_nobody_and_leaves_no_nan() -> None:
    remaining = log_remaining(
        np.array([0.5, 1.0]),
        person=np.array([0, 0]),
        month=np.array([1, 2]),
        n_persons=1,
        n_months=4,
    )
    found = standing_for(
        remaining,
        person=np.array([0]),
        entry=np.array([0]),
        months=np.array([0, 1, 2, 3]),
        followed=np.array([[True, True, False, False]]),
    )
    np.testing.assert_allclose(found, [[1.0, 2.0, 0.0, 0.0]])


def test_cap_is_a_multiple_of_the_weighted_mean_of_those_followed() -> None:
    standing = np.array([[1.0], [1.0], [0.0], [10.0]])
    weight = np.array([3.0, 1.0, 5.0, 1.0])
    found, n = capped(standing, weight=weight, most=2.0)
    mean = (3 + 1 + 10) / 5
    np.testing.assert_allclose(found[:, 0], [1.0, 1.0, 0.0, 2 * mean])
    assert n.tolist() == [1]
