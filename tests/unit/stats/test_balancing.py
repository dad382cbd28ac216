"""Balancing weights and bounds of propensities against plain searches."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from whatworks.stats.balancing import Pull, solve_balance
from whatworks.stats.stable import stable_weights
from whatworks.stats.trimming import crump_bounds, percentile_bounds


@pytest.mark.parametrize("kind", ["up", "down", "both"])
def test_the_minimum_is_that_of_a_general_solver(kind: str) -> None:
    rng = np.random.default_rng(1)
    n = 60
    x = rng.normal(size=(n, 2))
    group = np.arange(n) % 3
    treated = rng.random(n) < 1 / (1 + np.exp(-x[:, 0]))
    q = rng.uniform(0.5, 2, n)
    own, other = np.where(treated, q, 0.0), np.where(treated, 0.0, q)
    nothing = np.zeros(n)
    pull = {
        "up": Pull(up=other, down=nothing, level=own),
        "down": Pull(up=nothing, down=own, level=-other),
        "both": Pull(up=other, down=own, level=own - other),
    }[kind]
    z = np.hstack([np.eye(3)[group], x])

    def value(theta: np.ndarray) -> float:
        eta = z @ theta
        return float(pull.up @ np.exp(eta) + pull.down @ np.exp(-eta) - pull.level @ eta)

    def slope(theta: np.ndarray) -> np.ndarray:
        eta = z @ theta
        return (pull.up * np.exp(eta) - pull.down * np.exp(-eta) - pull.level) @ z

    solved = minimize(value, np.zeros(5), jac=slope, method="BFGS", options={"gtol": 1e-9})
    found = solve_balance(x, group=group, pull=pull)
    assert found.feasible
    assert np.abs(found.gap).max() < 1e-13
    np.testing.assert_allclose(found.linear, z @ solved.x, atol=1e-6)
    np.testing.assert_allclose(
        found.rising - found.falling,
        pull.up * np.exp(found.linear) - pull.down * np.exp(-found.linear),
        rtol=1e-10,
        atol=1e-12,
    )


def test_a_start_far_from_the_end_is_climbed() -> None:
    # One comparison in two hundred is alike: weights differ by a factor of e⁹.
    rng = np.random.default_rng(2)
    comparison = rng.normal(size=(4_000, 2))
    treated = np.array([2.3, -2.1]) + 0.2 * rng.normal(size=(50, 2))
    x = np.concatenate([treated, comparison])
    is_treated = np.arange(x.shape[0]) < 50
    pull = Pull(
        up=(~is_treated).astype(float), down=np.zeros(x.shape[0]), level=is_treated.astype(float)
    )
    found = solve_balance(x, group=np.zeros(x.shape[0], dtype=np.int64), pull=pull)
    assert found.feasible
    np.testing.assert_allclose(found.rising @ x / 50, treated.mean(axis=0), rtol=1e-12)


def test_without_covariates_groups_are_balanced() -> None:
    treated = np.array([1, 1, 0, 0, 0, 1, 0], dtype=bool)
    group = np.array([0, 0, 0, 0, 0, 1, 1])
    pull = Pull(up=(~treated).astype(float), down=np.zeros(7), level=treated.astype(float))
    found = solve_balance(np.empty((7, 0)), group=group, pull=pull)
    np.testing.assert_allclose(found.rising[~treated], [2 / 3, 2 / 3, 2 / 3, 1.0])


def test_stable_weights_by_hand() -> None:
    # Totals 4 over values −1, 0, 1, to a mean of 1/2: equal weights tilted by a line, 4/3 + η x.
    x = np.array([[-1.0], [0.0], [1.0]])
    found = stable_weights(
        x,
        group=np.zeros(3, dtype=np.int64),
        weight=np.ones(3),
        totals=np.array([4.0]),
        sums=np.array([2.0]),
        tolerance=np.zeros(1),
    )
    np.testing.assert_allclose(found.weight, [1 / 3, 4 / 3, 7 / 3], atol=1e-12)
    # To a mean of 0.9 the line would cross zero: the first has none.
    sharp = stable_weights(
        x,
        group=np.zeros(3, dtype=np.int64),
        weight=np.ones(3),
        totals=np.array([4.0]),
        sums=np.array([3.6]),
        tolerance=np.zeros(1),
    )
    np.testing.assert_allclose(sharp.weight, [0.0, 0.4, 3.6], atol=1e-12)
    # Within reach of a tolerance nothing is tilted.
    slack = stable_weights(
        x,
        group=np.zeros(3, dtype=np.int64),
        weight=np.ones(3),
        totals=np.array([4.0]),
        sums=np.array([2.0]),
        tolerance=np.array([0.6]),
    )
    np.testing.assert_allclose(slack.weight, 4 / 3)
    assert not slack.multiplier.any()
    beyond = stable_weights(
        x,
        group=np.zeros(3, dtype=np.int64),
        weight=np.ones(3),
        totals=np.array([4.0]),
        sums=np.array([4.4]),
        tolerance=np.zeros(1),
    )
    assert not beyond.feasible


def test_crump_bounds_solve_their_equation() -> None:
    rng = np.random.default_rng(7)
    p = 1 / (1 + np.exp(-2.5 * rng.normal(size=4_000)))
    q = rng.uniform(0.5, 2, p.size)
    low, high = crump_bounds(p, weight=q, estimand="ATE")
    kept = (p >= low) & (p <= high)
    cost = 1 / (p * (1 - p))
    ceiling = 2 * np.average(cost[kept], weights=q[kept])
    # The rule of the paper: those whose cost is at most twice the average of those kept.
    np.testing.assert_array_equal(kept, cost <= ceiling)
    assert 0.05 < low < 0.15
    for estimand, side in (("ATT", p), ("ATC", 1 - p)):
        low, high = crump_bounds(p, weight=q, estimand=estimand)
        kept = (p >= low) & (p <= high)
        ceiling = 2 * np.average(1 / (1 - side[kept]), weights=(q * side)[kept])
        np.testing.assert_array_equal(kept, 1 / (1 - side) <= ceiling)
        assert (low == 0.0) if estimand == "ATT" else (high == 1.0)


def test_crump_bounds_keep_all_where_nobody_is_costly() -> None:
    p = np.linspace(0.3, 0.7, 50)
    assert crump_bounds(p, weight=np.ones(50), estimand="ATE") == (0.0, 1.0)


def test_percentile_bounds_count_weights() -> None:
    p = np.arange(1, 11) / 11
    assert percentile_bounds(p, weight=np.ones(10), share=0.1, estimand="ATE") == (p[0], p[8])
    heavy = np.array([9.0, *np.ones(9)])
    assert percentile_bounds(p, weight=heavy, share=0.1, estimand="ATC") == (p[0], 1.0)
    assert percentile_bounds(p, weight=heavy, share=0.25, estimand="ATT") == (0.0, p[5])
