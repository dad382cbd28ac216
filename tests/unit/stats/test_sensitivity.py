"""Intervals under trends that differ, against linear programmes and searches of the most naive kind."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linprog, minimize

from whatworks.errors import OptionError
from whatworks.stats.did import sensitivity
from whatworks.stats.did.conditional_test import Moments, compatible, least_favourable, moments
from whatworks.stats.did.event_study import EventStudy
from whatworks.stats.did.fixed_length import Frontier, half_length, lasso_path


def study(n_pre: int = 3, n_post: int = 3, *, noise: float = 0.1, seed: int = 2) -> EventStudy:
    rng = np.random.default_rng(seed)
    k = n_pre + n_post
    root = rng.normal(size=(k, k))
    return EventStudy(
        estimate=rng.normal(size=k) + 2.0 * (np.arange(k) >= n_pre),
        covariance=noise**2 * (root @ root.T / k + np.eye(k)),
        n_pre=n_pre,
        weights=np.full(n_post, 1 / n_post),
    )


def least_violation(asked: EventStudy, rows: np.ndarray, limit: float, theta: float) -> float:
    """The linear programme itself: smallest largest violation over paths of effects."""
    spread = np.sqrt(np.diag(rows @ asked.covariance @ rows.T))
    after = rows[:, asked.n_pre :]
    found = linprog(
        c=np.append(np.zeros(asked.n_post), 1.0),
        A_ub=np.column_stack([-after, -spread]),
        b_ub=limit - rows @ asked.estimate,
        A_eq=np.append(asked.weights, 0.0)[None, :],
        b_eq=[theta],
        bounds=[(None, None)] * (asked.n_post + 1),
        method="highs",
    )
    return float(found.fun)


@pytest.mark.parametrize("limit", [0.0, 0.3])
@pytest.mark.parametrize("weights", [[1, 0, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3], [-1, 0, 1]])
def test_vertices_known_by_hand_solve_the_linear_programme(
    weights: list[float], limit: float
) -> None:
    base = study()
    asked = EventStudy(
        estimate=base.estimate,
        covariance=base.covariance,
        n_pre=base.n_pre,
        weights=np.array(weights, dtype=float),
    )
    moves = np.diff(np.insert(np.eye(6), 3, 0.0, axis=0), axis=0)
    rows = np.stack([moves[3:], -moves[3:]]) - 0.8 * moves[1]
    spread = np.sqrt(np.einsum("ijk,kl,ijl->ij", rows, asked.covariance, rows))
    tested = moments(rows, spread, limit, asked.weights)
    for theta in (-3.0, 0.0, 1.7, 5.0):
        by_hand = (tested.read @ asked.estimate - tested.bound - theta * tested.slope).max()
        whole = least_violation(asked, rows.reshape(6, 6), limit, theta)
        assert by_hand == pytest.approx(whole, abs=1e-8)


def test_one_moment_without_nuisance_is_a_normal_test() -> None:
    tested = Moments(read=np.eye(1), bound=np.zeros(1), slope=np.ones(1))
    theta = np.linspace(-3, 3, 601)
    kept = compatible(theta, tested, np.zeros(1), np.eye(1), critical=np.inf)
    # Rejects when 0 − θ is large: truncated nowhere, at (0.05 − 0.005)/0.995.
    edge = -stats.norm.isf((0.05 - 0.005) / 0.995)
    np.testing.assert_array_equal(kept, theta >= edge)


def test_least_favourable_value_of_one_moment_is_a_normal_quantile() -> None:
    found = least_favourable(np.eye(1), np.eye(1), size=0.05)
    assert found == pytest.approx(stats.norm.isf(0.05), abs=0.03)


def test_intervals_without_noise_are_the_identified_sets() -> None:
    asked = study(noise=1e-5)
    moves = np.diff(np.insert(asked.estimate, 3, 0.0))
    largest = np.abs(moves[:3]).max()
    reach = largest * (1 + 2 / 3 + 1 / 3)  # move t counts in the effects from t on
    found = sensitivity.relative_magnitudes(asked, np.array([0.5, 1.0]))
    for m, low, high in zip(found.departure, found.low, found.high, strict=True):
        assert low == pytest.approx(asked.effect - m * reach, abs=2e-3)
        assert high == pytest.approx(asked.effect + m * reach, abs=2e-3)


def test_smooth_intervals_without_noise_are_the_identified_set() -> None:
    asked = study(n_pre=1, noise=1e-5)
    # One period before: its slope goes on, bent by at most M each period.
    centre = asked.effect + asked.estimate[0] * 2.0  # mean of 1, 2, 3 periods of −slope
    reach = 0.2 * (1 + 3 + 6) / 3
    for method in (sensitivity.smooth_conditional, sensitivity.smooth_fixed_length):
        found = method(asked, np.array([0.2]))
        assert found.low[0] == pytest.approx(centre - reach, abs=2e-3)
        assert found.high[0] == pytest.approx(centre + reach, abs=2e-3)


def test_parallel_trends_exactly_are_nearly_the_plain_interval() -> None:
    asked = study(noise=0.5)
    found = sensitivity.relative_magnitudes(asked, np.zeros(1))
    plain = 1.96 * asked.std_error
    assert asked.effect - found.low[0] == pytest.approx(plain, rel=0.25)
    assert found.high[0] - asked.effect == pytest.approx(plain, rel=0.25)


def test_intervals_widen_with_what_is_allowed() -> None:
    asked = study(n_pre=4, n_post=2)
    for method in (
        sensitivity.relative_magnitudes,
        sensitivity.smooth_conditional,
        sensitivity.smooth_fixed_length,
    ):
        found = method(asked, np.array([0.0, 0.3, 0.6, 1.2]))
        assert (np.diff(found.high - found.low) > 0).all()


def test_the_breakdown_is_where_zero_enters() -> None:
    asked = study(n_pre=2, n_post=2, noise=0.05, seed=8)
    value = sensitivity.breakdown_magnitude(asked)
    assert 0 < value < 8
    out, within = sensitivity.relative_magnitudes(asked, np.array([value - 0.02, value + 0.02])).low
    assert out > 0 > within or -out > 0
    assert sensitivity.breakdown_magnitude(asked, most=value / 2) == np.inf
    nil = EventStudy(
        estimate=asked.estimate * np.array([1, 1, 0, 0]),
        covariance=asked.covariance,
        n_pre=2,
        weights=asked.weights,
    )
    assert sensitivity.breakdown_magnitude(nil) == 0.0
    bend = sensitivity.breakdown_smoothness(asked, most=5.0)
    low, high = Frontier.of(asked).interval(bend + 1e-3)
    assert low < 0 < high or bend == 0.0


@pytest.mark.parametrize("m", [0.0, 0.05, 0.3, 2.0])
@pytest.mark.parametrize("n_pre", [1, 2, 5])
def test_no_other_estimator_has_a_shorter_interval(n_pre: int, m: float) -> None:
    asked = study(n_pre=n_pre, noise=0.3)
    frontier = Frontier.of(asked)
    weights, bias = frontier.best(m)
    error = np.sqrt(weights @ asked.covariance @ weights)
    best = half_length(m * bias, float(error))
    start = frontier.weights[0]
    # Any weights before the start that cancel straight lines: searched without the path.
    times = np.arange(-n_pre, 0.0)
    free = np.linalg.svd(times[None, :])[2][1:]

    def length(x: np.ndarray) -> float:
        tried = start.copy()
        tried[:n_pre] += x @ free
        spread = np.sqrt(tried @ asked.covariance @ tried)
        return half_length(m * worst_bias(asked, tried), float(spread))

    searched = min(
        minimize(length, x0, method="Nelder-Mead", options={"maxiter": 4_000, "xatol": 1e-7}).fun
        if n_pre > 1
        else length(x0)
        for x0 in (np.zeros(n_pre - 1), np.full(n_pre - 1, 0.1))
    )
    assert best <= searched + 1e-9
    assert best == pytest.approx(searched, rel=2e-3)
    assert worst_bias(asked, weights) == pytest.approx(bias)


def worst_bias(asked: EventStudy, weights: np.ndarray) -> float:
    """Largest bias over slopes that change by one at most: bend by bend."""
    n = asked.n_pre
    total = 0.0
    for c in range(-n + 1, asked.n_post):
        times = asked.times
        after = np.maximum(times - c, 0.0) if c >= 0 else np.maximum(c - times, 0.0)
        total += abs(float(weights @ after))
    return total


def test_the_path_of_the_lasso_meets_its_conditions() -> None:
    rng = np.random.default_rng(5)
    root = rng.normal(size=(7, 7))
    quadratic, linear = root @ root.T + 0.1 * np.eye(7), rng.normal(size=7)
    knots = lasso_path(quadratic, linear)
    np.testing.assert_allclose(knots[-1], -np.linalg.solve(quadratic, linear), atol=1e-8)
    for z in knots:
        gradient = quadratic @ z + linear
        penalty = np.abs(gradient).max()
        held = np.abs(z) > 1e-10
        np.testing.assert_allclose(gradient[held], -penalty * np.sign(z[held]), atol=1e-8)


def test_an_event_study_that_cannot_be_read_says_why() -> None:
    with pytest.raises(OptionError, match="a period before the base"):
        EventStudy(estimate=np.ones(2), covariance=np.eye(2), n_pre=0, weights=np.ones(2))
    with pytest.raises(OptionError, match="variances above zero"):
        EventStudy(estimate=np.ones(2), covariance=np.zeros((2, 2)), n_pre=1, weights=np.ones(1))
    with pytest.raises(OptionError, match="one that is not zero"):
        EventStudy(estimate=np.ones(2), covariance=np.eye(2), n_pre=1, weights=np.zeros(1))
