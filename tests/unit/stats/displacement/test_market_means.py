"""Means of arms within markets: by hand, doubly robust, and how they move with common slopes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whatworks.errors import DesignRefused
from whatworks.stats.displacement.market_means import Sample, entry, market_means, slopes_within


def drawn(
    seed: int = 0, n_markets: int = 12, size: int = 25
) -> tuple[Sample, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    market = np.repeat(np.arange(n_markets), size)
    x = rng.normal(size=(market.size, 2)) + rng.normal(size=(n_markets, 1))[market]
    treated = rng.random(market.size) < 1 / (1 + np.exp(0.3 - 0.6 * x[:, 0]))
    weight = rng.uniform(0.5, 2, market.size)
    sample = Sample(covariates=x, market=market, weight=weight, n_markets=n_markets)
    y = 1 + x @ [0.5, -0.3] + treated * (1 + 0.4 * x[:, 0]) + rng.normal(size=market.size)
    return sample, treated, y


def test_without_covariates_a_mean_is_the_mean_of_the_arm() -> None:
    sample = Sample(
        covariates=np.empty((5, 0)),
        market=np.array([0, 0, 0, 1, 1]),
        weight=np.array([1.0, 2.0, 1.0, 1.0, 1.0]),
        n_markets=2,
    )
    treated = np.array([True, True, False, False, False])
    y = np.array([1.0, 4.0, 7.0, 2.0, 4.0])
    chance = entry(sample, treated)
    one = market_means(y, sample, in_arm=treated, treated=True, chance=chance)
    none = market_means(y, sample, in_arm=~treated, chance=chance)
    np.testing.assert_allclose(one.mean, [3.0, np.nan])
    np.testing.assert_allclose(none.mean, [7.0, 3.0])
    assert chance.least == pytest.approx(0.25)


def test_doubly_robust_mean_is_that_of_its_formula() -> None:
    sample, treated, y = drawn()
    chance, slopes = entry(sample, treated), slopes_within(y, sample, in_arm=treated)
    found = market_means(y, sample, in_arm=treated, treated=True, chance=chance, slopes=slopes)
    for m in range(sample.n_markets):
        here = sample.market == m
        arm = here & treated
        w = sample.weight[arm] / chance.chance[arm]
        fitted = sample.covariates @ slopes.slopes
        predicted = np.average(fitted[here], weights=sample.weight[here])
        residual = np.average(y[arm] - fitted[arm], weights=w)
        assert found.mean[m] == pytest.approx(predicted + residual, rel=1e-12)


def test_derivatives_in_common_slopes_are_those_of_finite_differences() -> None:
    sample, treated, y = drawn(1)
    chance, slopes = entry(sample, treated), slopes_within(y, sample, in_arm=~treated)
    found = market_means(y, sample, in_arm=~treated, chance=chance, slopes=slopes)
    h, k = 1e-6, sample.k
    for j in range(k):
        step = h * np.eye(k)[j]
        moved = [
            market_means(
                y,
                sample,
                in_arm=~treated,
                chance=chance,
                slopes=replace(slopes, slopes=slopes.slopes + sign * step),
            ).mean
            for sign in (1, -1)
        ]
        np.testing.assert_allclose(found.slope[:, j], (moved[0] - moved[1]) / (2 * h), atol=1e-7)
    # Slopes of treatment move log-odds along covariates, market intercepts following.
    odds = np.log(chance.chance / (1 - chance.chance))
    for j in range(k):
        around = []
        for sign in (1, -1):
            eta = odds + sign * h * chance.apart[:, j]
            other = replace(chance, chance=1 / (1 + np.exp(-eta)))
            around.append(
                market_means(y, sample, in_arm=~treated, chance=other, slopes=slopes).mean
            )
        numeric = (around[0] - around[1]) / (2 * h)
        np.testing.assert_allclose(found.slope[:, k + j], numeric, atol=1e-7)


def test_intercepts_of_markets_follow_the_slopes_of_treatment() -> None:
    sample, treated, _ = drawn(2)
    chance = entry(sample, treated)
    curve = sample.weight * chance.chance * (1 - chance.chance)
    np.testing.assert_allclose(
        sample.totals(curve[:, None] * chance.apart), np.zeros((sample.n_markets, 2)), atol=1e-10
    )
    np.testing.assert_allclose(chance.influence.sum(axis=0), 0, atol=1e-8)


def test_treatment_that_a_covariate_decides_is_refused() -> None:
    sample, _, _ = drawn(3)
    with pytest.raises(DesignRefused, match="tell apart"):
        entry(sample, sample.covariates[:, 0] > np.median(sample.covariates[:, 0]))
