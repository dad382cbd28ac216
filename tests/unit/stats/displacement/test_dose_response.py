"""Means of markets on shares and scores: exact where they should be, and influences that hold."""

from __future__ import annotations

import numpy as np
import pytest

from whatworks.stats.displacement.common_support import imbalance, nearest, supported
from whatworks.stats.displacement.dose_response import BETWEEN, dose_response, scored

AT = np.array([0.2, 0.4, 0.6])


def markets(seed: int, n: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    p = 1 / (1 + np.exp(0.3 - 0.6 * x - 0.8 * rng.normal(size=n)))
    columns = np.column_stack([np.ones(n), (x - x.mean()) / x.std()])
    return p, columns, rng.normal(size=n)


@pytest.mark.parametrize("how", ["index", "regression", "doubly_robust"])
def test_means_that_are_linear_in_share_and_market_are_told_exactly(how: str) -> None:
    p, columns, _ = markets(0)
    weight = np.linspace(1, 3, p.size)
    law = scored(p, columns, np.ones(p.size, dtype=bool), law="logit_normal")
    means = 2 - 0.5 * p + 0.3 * p**2 + 0.7 * columns[:, 1]
    found = dose_response(means, law, AT, weight=weight, how=how, degree=2)
    truth = 2 - 0.5 * AT + 0.3 * AT**2 + 0.7 * np.average(columns[:, 1], weights=weight)
    np.testing.assert_allclose(found.mean, truth, rtol=1e-9)
    np.testing.assert_allclose(found.residual, 0, atol=1e-12)


@pytest.mark.parametrize("how", BETWEEN)
@pytest.mark.parametrize("law", ["logit_normal", "beta"])
def test_gains_are_derivatives_and_influences_are_those_of_the_jackknife(
    how: str, law: str
) -> None:
    p, columns, noise = markets(1, n=400)
    weight = np.ones(p.size)
    means = 1 - p + 0.3 * columns[:, 1] + 0.4 * noise
    every = np.ones(p.size, dtype=bool)
    one = scored(p, columns, every, law=law)
    found = dose_response(means, one, AT, weight=weight, how=how, degree=2)
    np.testing.assert_allclose(found.influence.sum(axis=0), 0, atol=3e-2 * np.abs(found.mean).max())
    moved = means.copy()
    moved[7] += 1e-3
    again = dose_response(moved, one, AT, weight=weight, how=how, degree=2)
    np.testing.assert_allclose(
        (again.mean - found.mean) / 1e-3, found.gain[7], rtol=1e-6, atol=1e-12
    )
    left = []
    for m in range(0, p.size, 20):
        kept = np.arange(p.size) != m
        fewer = scored(p[kept], columns[kept], every[kept], law=law)
        left.append(
            dose_response(means[kept], fewer, AT, weight=weight[kept], how=how, degree=2).mean
        )
    jackknife = found.mean - np.array(left)
    mine = found.influence[::20]
    for k in range(AT.size):
        assert np.corrcoef(jackknife[:, k], mine[:, k])[0, 1] > 0.97
        assert np.std(mine[:, k]) == pytest.approx(np.std(jackknife[:, k]), rel=0.2)


def test_markets_at_one_share_stand_for_those_like_them() -> None:
    p, columns, noise = markets(2, n=200)
    none = noise > 0.5 - 0.5 * columns[:, 1]
    p = np.where(none, 0.0, p)
    law = scored(p, columns, none, law=None)
    found = dose_response(
        1 + columns[:, 1], law, np.zeros(1), weight=np.ones(p.size), how="index", degree=2
    )
    # Means follow the index of membership, which follows the one column of markets.
    assert found.mean[0] == pytest.approx(1.0, abs=1e-9)
    assert (1 + columns[none, 1]).mean() > 1.2


def test_one_sided_arms_are_averaged_over_every_market() -> None:
    p, columns, _ = markets(3)
    law = scored(p, columns, np.ones(p.size, dtype=bool), law="normal")
    means = 2 + columns[:, 1] - p
    means[columns[:, 1] > 1] = np.nan
    found = dose_response(means, law, AT, weight=np.ones(p.size), how="regression", degree=1)
    np.testing.assert_allclose(found.mean, 2 - AT, rtol=1e-9)


def test_support_and_balance() -> None:
    p, columns, _ = markets(4, n=300)
    law = scored(p, columns, np.ones(p.size, dtype=bool), law="logit_normal")
    near = nearest(np.array([0.05, 0.3, 0.31, 0.9]), AT)
    assert near.tolist() == [0, 0, 1, 2]
    alike = supported(law, AT, weight=np.ones(p.size))
    assert (alike > 0.7).all()
    assert (alike <= 1).all()
    before, after = imbalance(law, weight=np.ones(p.size))
    assert before[0] > 0.4
    assert np.isnan(after[0])  # one column: the score is that column
