"""Regressions within an arm, tilts and augmented means, against statsmodels, derivatives and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from whatworks.stats.adjustment import regress
from whatworks.stats.augmented import augmented, tilt

RNG = np.random.default_rng(5)
N = 60
X = RNG.normal(size=(N, 3))
GROUP = np.arange(N) % 4
WEIGHT = RNG.uniform(0.5, 2, N) * (np.arange(N) > 7)
Y = X @ np.array([[1.0], [2], [0]]) + GROUP[:, None] + RNG.normal(size=(N, 1))


def test_slopes_and_intercepts_are_those_of_dummies() -> None:
    fit = regress(Y, X, group=GROUP, weight=WEIGHT)
    inside = WEIGHT > 0
    z = np.column_stack([X, np.eye(4)[GROUP]])
    theirs = sm.WLS(Y[inside, 0], z[inside], weights=WEIGHT[inside]).fit().params
    np.testing.assert_allclose(np.concatenate([fit.slopes, fit.intercepts])[:, 0], theirs)
    assert fit.rank == 7


def test_leverage_is_the_derivative_in_each_outcome() -> None:
    target = RNG.uniform(size=N)
    fit = regress(Y, X, group=GROUP, weight=WEIGHT)
    leverage = fit.leverage(X, GROUP, target=target)
    for i in (3, 12, 40):
        moved = Y.copy()
        moved[i] += 1.0
        other = regress(moved, X, group=GROUP, weight=WEIGHT)
        gained = target @ (other.predict(X, GROUP) - fit.predict(X, GROUP))[:, 0]
        assert gained == pytest.approx(leverage[i], abs=1e-12)


def test_collinear_covariates_change_no_prediction() -> None:
    wide = np.column_stack([X, X[:, 0] - 2 * X[:, 1], np.ones(N)])
    one = regress(Y, X, group=GROUP, weight=WEIGHT)
    two = regress(Y, wide, group=GROUP, weight=WEIGHT)
    np.testing.assert_allclose(two.predict(wide, GROUP), one.predict(X, GROUP), atol=1e-10)
    assert two.rank == one.rank


def test_an_empty_group_has_no_intercept() -> None:
    fit = regress(Y, X, group=GROUP, weight=WEIGHT * (GROUP != 2))
    assert np.isnan(fit.intercepts[2]).all()
    assert np.isfinite(np.delete(fit.intercepts, 2)).all()


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE", "ATO"])
def test_tilts_move_with_the_propensity_as_they_say(estimand: str) -> None:
    d, e, step = RNG.random(N) < 0.5, RNG.uniform(0.1, 0.9, N), 1e-6
    at = tilt(estimand, d, e)
    up, down = tilt(estimand, d, e + step), tilt(estimand, d, e - step)
    np.testing.assert_allclose(
        at.balance_slope, (up.balance - down.balance) / (2 * step), rtol=1e-5
    )
    np.testing.assert_allclose(
        at.target_slope, (up.target - down.target) / (2 * step), rtol=1e-5, atol=1e-8
    )


def test_overlap_weights_by_hand() -> None:
    at = tilt("ATO", np.array([True, False]), np.array([0.2, 0.3]))
    np.testing.assert_allclose(at.balance, [0.8, 0.3])
    np.testing.assert_allclose(at.target, [0.64, 0.09])


def test_augmented_means_by_hand() -> None:
    # Population 1 and 3: mean gap (1·2 + 3·6)/4 = 5. Residuals: +1 (treated), (1 + 3·(−1))/4 = −½ (others).
    found = augmented(
        np.array([[2.0], [6.0], [0], [0]]),
        np.array([[1.0], [1.0], [1.0], [-1.0]]),
        np.array([True, True, False, False]),
        target=np.array([1.0, 3, 0, 0]),
        balance=np.array([1.0, 1, 1, 3]),
    )
    assert found.effect[0] == pytest.approx(5 + 1 + 0.5)
    np.testing.assert_allclose(
        found.influence[:, 0], [(2 - 5) / 4, 3 * (6 - 5) / 4, -(1 + 0.5) / 4, 3 * (1 - 0.5) / 4]
    )
