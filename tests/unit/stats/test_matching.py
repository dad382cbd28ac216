"""Neighbours by a full search, and the logit against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from whatworks.stats.balance import effective_size, moments, standardised_difference
from whatworks.stats.logit import fit_logit
from whatworks.stats.neighbours import nearest_in_space, nearest_on_line, whiten


def test_logit_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3_000, 3))
    group = rng.integers(0, 4, 3_000)
    weight = rng.uniform(0.5, 2, 3_000)
    treated = rng.random(3_000) < 1 / (1 + np.exp(1 - x @ [0.5, -0.3, 0] - 0.2 * group))
    ours = fit_logit(x, treated, group=group, weight=weight)
    design = np.column_stack([x, np.eye(4)[group]])
    theirs = sm.GLM(
        treated.astype(float), design, family=sm.families.Binomial(), freq_weights=weight
    ).fit(tol=1e-14, maxiter=100)
    assert ours.converged
    np.testing.assert_allclose(np.append(ours.slopes, ours.intercepts), theirs.params, rtol=1e-9)


def test_logit_says_when_covariates_separate() -> None:
    x = np.arange(40.0)[:, None]
    group, weight = np.zeros(40, dtype=int), np.ones(40)
    assert fit_logit(x, x[:, 0] > 20, group=group, weight=weight).separated


def test_a_kind_of_person_never_treated_separates_nobody() -> None:
    never = (np.arange(40.0) < 10)[:, None].astype(float)
    treated = (np.arange(40) % 2 == 0) & (never[:, 0] == 0)
    found = fit_logit(never, treated, group=np.zeros(40, dtype=int), weight=np.ones(40))
    assert not found.separated
    assert found.converged
    np.testing.assert_allclose(found.linear[10:], 0, atol=1e-8)


def test_collinear_covariates_leave_scores_unchanged() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(500, 2))
    treated = rng.random(500) < 1 / (1 + np.exp(-x[:, 0]))
    group, weight = np.zeros(500, dtype=int), np.ones(500)
    one = fit_logit(x, treated, group=group, weight=weight)
    two = fit_logit(np.column_stack([x, x[:, 0] * 2]), treated, group=group, weight=weight)
    np.testing.assert_allclose(one.linear, two.linear, atol=1e-8)


@pytest.mark.parametrize("space", [False, True])
def test_neighbours_are_those_of_a_full_search(space: bool) -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        n, m, k = int(rng.integers(1, 12)), int(rng.integers(1, 30)), int(rng.integers(1, 4))
        mine, theirs = rng.integers(0, 9, n) / 3, rng.integers(0, 9, m) / 3
        c_mine, c_theirs = rng.integers(0, 3, n), rng.integers(0, 3, m)
        caliper = float(rng.choice([np.inf, 0.7]))
        cells = {
            "cell_treated": c_mine, "cell_comparison": c_theirs, "ratio": k, "caliper": caliper
        }  # fmt: skip
        if space:
            found = nearest_in_space(mine[:, None], theirs[:, None], **cells)
        else:
            found = nearest_on_line(mine, theirs, **cells)
        expected = set()
        for i in range(n):
            gaps = {j: abs(theirs[j] - mine[i]) for j in range(m) if c_theirs[j] == c_mine[i]}
            near = sorted(g for g in gaps.values() if g <= caliper)[:k]
            expected |= {(i, j) for j, g in gaps.items() if near and g <= near[-1] + 1e-9}
        assert set(zip(found.treated.tolist(), found.comparison.tolist(), strict=True)) == expected
        totals = np.bincount(found.treated, weights=found.weight, minlength=n)
        np.testing.assert_allclose(np.delete(totals, found.unmatched), 1)


def test_whitened_distance_is_mahalanobis() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3))
    inverse = np.linalg.inv(np.cov(x.T))
    white = whiten(x, weight=np.ones(50))
    gap = x[3] - x[8]
    assert np.sum((white[3] - white[8]) ** 2) == pytest.approx(gap @ inverse @ gap)


def test_moments_and_effective_size() -> None:
    x = np.array([[1.0, 0], [3.0, 1], [8.0, 1]])
    found = moments(x, weight=np.ones(3))
    np.testing.assert_allclose(found.mean, [4, 2 / 3])
    np.testing.assert_allclose(found.variance, [13, 2 / 9])  # a 0/1 column has p (1 - p)
    assert effective_size(np.ones(7)) == pytest.approx(7)
    constant = standardised_difference(
        np.array([1.0, 1.0]), np.array([1.0, 0.5]), variance=np.zeros(2)
    )
    assert constant[0] == 0
    assert np.isnan(constant[1])
