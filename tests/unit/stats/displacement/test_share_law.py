"""Laws of the share of a market: closed forms, other programs, and derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from statsmodels.othermod.betareg import BetaModel

from whatworks.stats.displacement.share_law import (
    LAWS,
    density,
    derivative,
    fit_membership,
    fit_share,
    solved,
)

RNG = np.random.default_rng(4)
X = np.column_stack([np.ones(150), RNG.normal(size=150)])
MEAN = 1 / (1 + np.exp(0.4 - 0.6 * X[:, 1]))
SHARE = RNG.beta(8 * MEAN, 8 * (1 - MEAN))


def test_normal_laws_are_least_squares() -> None:
    for law, t in (("normal", SHARE), ("logit_normal", np.log(SHARE / (1 - SHARE)))):
        slopes, rss = np.linalg.lstsq(X, t, rcond=None)[:2]
        found = fit_share(SHARE, X, law=law)
        np.testing.assert_allclose(found.theta[:2], slopes, rtol=1e-10)
        assert np.exp(found.theta[2]) == pytest.approx(np.sqrt(rss[0] / 150), rel=1e-10)
        np.testing.assert_allclose(
            found.influence[:, :2],
            (t - X @ slopes)[:, None] * X @ np.linalg.inv(X.T @ X),
            rtol=1e-7,
        )


def test_beta_law_is_that_of_statsmodels() -> None:
    found = fit_share(SHARE, X, law="beta")
    theirs = BetaModel(SHARE, X).fit(disp=0, gtol=1e-10)
    np.testing.assert_allclose(found.theta, theirs.params, rtol=1e-6)
    assert found.converged
    values = density(found.theta, X, SHARE, law="beta")
    assert np.log(values).sum() == pytest.approx(theirs.llf, rel=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_densities_integrate_to_one_and_derivatives_are_exact(law: str) -> None:
    theta = fit_share(SHARE, X, law=law).theta
    ends = (-1.0, 2.0) if law == "normal" else (0.0, 1.0)
    total = quad(lambda p: float(density(theta, X[:1], p, law=law)[0]), *ends, epsabs=1e-10)[0]
    assert total == pytest.approx(1.0, abs=1e-3 if law == "normal" else 1e-7)
    exact = derivative(lambda t: density(t, X, SHARE, law=law), theta)
    h = 1e-6
    for k in range(theta.size):
        step = h * np.eye(theta.size)[k]
        near = [density(theta + s * step, X, SHARE, law=law) for s in (1, -1)]
        np.testing.assert_allclose(exact[:, k], (near[0] - near[1]) / (2 * h), atol=1e-7)


def test_membership_is_a_logit_whose_influences_sum_to_nothing() -> None:
    member = RNG.random(150) < 1 / (1 + np.exp(1 - X[:, 1]))
    found = fit_membership(member, X)
    score = X.T @ (member - 1 / (1 + np.exp(-X @ found.theta)))
    np.testing.assert_allclose(score, 0, atol=1e-9)
    np.testing.assert_allclose(found.influence.sum(axis=0), 0, atol=1e-9)


def test_markets_at_a_share_told_without_error_have_no_law() -> None:
    assert not fit_membership(X[:, 1] > 0, X).converged


def test_roots_are_found_from_afar() -> None:
    found = solved(
        lambda t: np.column_stack([np.exp(t) - np.array([[2.0], [4.0]])]), np.array([5.0])
    )
    assert found.theta[0] == pytest.approx(np.log(3))
