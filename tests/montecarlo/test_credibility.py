"""Intervals cover under trends of the set they are made for, and tests before the start keep their size.

Run with ``make montecarlo``; what it prints is what the documentation quotes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whatworks import CallawaySantAnna, Design
from whatworks.evidence.checks import placebo
from whatworks.stats.did.event_study import EventStudy
from whatworks.stats.did.fixed_length import Frontier, half_length
from whatworks.stats.did.sensitivity import by_magnitude, by_smoothness
from whatworks.worlds import Pilots, simulate_pilots

DRAWS = 500
pytestmark = pytest.mark.montecarlo


def panel_noise(n_pre: int, n_post: int) -> np.ndarray:
    """Covariance of effects of a panel whose errors last: all share the base period."""
    t = np.arange(-n_pre, n_post + 1)
    levels = 0.7 ** np.abs(t[:, None] - t)
    against = np.delete(np.eye(t.size), n_pre, axis=0)
    against[:, n_pre] = -1.0
    return np.asarray(0.2**2 * against @ levels @ against.T)


def drawn(
    trend: np.ndarray, covariance: np.ndarray, n_pre: int, weights: np.ndarray, n: int = DRAWS
):
    rng = np.random.default_rng(17)
    for estimate in rng.multivariate_normal(trend, covariance, n):
        yield EventStudy(estimate=estimate, covariance=covariance, n_pre=n_pre, weights=weights)


@pytest.mark.parametrize("scale", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("mbar", [0.5, 1.0])
@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1 / 3, 1 / 3, 1 / 3)])
def test_relative_magnitudes_cover_the_worst_trend_of_the_set(
    weights: tuple[float, ...], mbar: float, scale: float
) -> None:
    n_pre = 4
    moves = scale * np.array([0.3, -0.4, 1.0, 0.2])  # one period to the next
    before = -np.cumsum(moves[::-1])[::-1]
    after = mbar * scale * np.arange(1.0, 4.0)
    covariance = panel_noise(n_pre, 3)
    trend = np.concatenate([before, after])  # no effect at all: all of it is trend
    kept = np.array(
        [
            by_magnitude(study, mbar)(np.zeros(1))[0]
            for study in drawn(trend, covariance, n_pre, np.array(weights))
        ]
    )
    print(f"relative magnitudes, Mbar {mbar}, moves of {scale}: {kept.mean():.3f}")
    assert kept.mean() >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / DRAWS)


@pytest.mark.parametrize("m", [0.0, 0.05, 0.5])
def test_smoothness_covers_the_worst_trend_of_the_set(m: float) -> None:
    n_pre, weights = 4, np.full(3, 1 / 3)
    covariance = panel_noise(n_pre, 3)
    t = np.concatenate([np.arange(-n_pre, 0.0), np.arange(1.0, 4.0)])
    trend = 0.4 * t + m * np.maximum(t, 0) * (np.maximum(t, 0) + 1) / 2
    n = 4 * DRAWS
    studies = list(drawn(trend, covariance, n_pre, weights, n))
    frontier = Frontier.of(studies[0])
    weights_of, bias = frontier.best(m)
    half = half_length(m * bias, float(np.sqrt(weights_of @ covariance @ weights_of)))
    fixed = np.mean([abs(weights_of @ study.estimate) <= half for study in studies])
    hybrid = np.mean([by_smoothness(study, m)(np.zeros(1))[0] for study in studies])
    print(f"smoothness, M {m}: fixed length {fixed:.3f}, hybrid {hybrid:.3f}")
    slack = 2 * np.sqrt(0.05 * 0.95 / n)
    assert min(fixed, hybrid) >= 0.95 - slack


@pytest.mark.parametrize("cluster", ["person", "market"])
def test_the_joint_test_before_the_start_keeps_its_size(cluster: str) -> None:
    options = Pilots(n_zones=30, persons_per_zone=10, n_months=12, adoptions=((7, 0.5),))
    rejected = []
    for seed in range(300):
        frame = simulate_pilots(replace(options, seed=seed)).frame
        design = Design.from_panel(
            frame,
            unit="unit",
            period="period",
            first_treated="first_treated",
            outcome="outcome",
            market="zone",
        )
        method = CallawaySantAnna(base_period="universal", cluster=cluster)  # type: ignore[arg-type]  # one of two words
        found = placebo.run(design, [method.fit(design)], rng=np.random.default_rng(0))
        assert found is not None
        rejected.append(found.statistic < 0.05)
    print(f"joint test before the start, by {cluster}: rejects {np.mean(rejected):.3f}")
    assert np.mean(rejected) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
