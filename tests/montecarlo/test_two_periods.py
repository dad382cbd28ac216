"""Double robustness and coverage of two-period estimators, on the worlds of Kang and Schafer (2007).

Estimators see :math:`z`; who is treated and how outcomes move follow either :math:`z` or other
covariates that :math:`z` is a curved function of, so that each working model is right or wrong. The true
effect is zero (the four worlds of Sant'Anna & Zhao 2020, §5, doi:10.1016/j.jeconom.2020.06.003).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from whatworks.stats.did import two_cross_sections as cross
from whatworks.stats.did import two_periods as panel

DRAWS = 1_000
N = 1_000
RIGHT = {
    "both": (True, True),
    "odds": (True, False),
    "lines": (False, True),
    "neither": (False, False),
}
CENTRES = np.array([1.6487213, 10.0, 0.21887, 402.0])
"""Means of the curved covariates, and below their spreads."""
SPREADS = np.array([2.1611974, 0.5447, 0.04453, 56.63891])


def world(rng: np.random.Generator, *, odds: bool, lines: bool) -> dict[str, np.ndarray]:
    x = rng.normal(size=(N, 4))
    curved = np.column_stack(
        [
            np.exp(x[:, 0] / 2),
            10 + x[:, 1] / (1 + np.exp(x[:, 0])),
            (0.6 + x[:, 0] * x[:, 2] / 25) ** 3,
            (20 + x[:, 1] + x[:, 3]) ** 2,
        ]
    )
    z = (curved - CENTRES) / SPREADS
    by_odds, by_lines = (z if odds else x), (z if lines else x)
    index = 0.75 * by_odds @ [-1.0, 0.5, -0.25, -0.1]
    treated = rng.random(N) < 1 / (1 + np.exp(-index))
    level = 210 + by_lines @ [27.4, 13.7, 13.7, 13.7]
    own = level * treated + rng.normal(size=N)
    before = level + own + rng.normal(size=N)
    later = 2 * level + own + rng.normal(size=N)
    return {"z": z, "treated": treated, "before": before, "later": later}


def followed(function: Callable[..., Any], w: dict[str, np.ndarray]) -> Any:
    change = (w["later"] - w["before"])[:, None]
    return function(change, treated=w["treated"], covariates=w["z"], weight=np.ones(N))


def seen_once(function: Callable[..., Any], w: dict[str, np.ndarray]) -> Any:
    after = np.arange(N) % 2 == 0
    y = np.where(after, w["later"], w["before"])[:, None]
    return function(y, after=after, treated=w["treated"], covariates=w["z"], weight=np.ones(N))


def simulate(
    fit: Callable[..., Any], functions: dict[str, Callable[..., Any]], name: str
) -> dict[str, tuple[float, float, float]]:
    """Mean, its standard error, and coverage of each estimator in one world."""
    rng = np.random.default_rng([2020, list(RIGHT).index(name)])
    odds, lines = RIGHT[name]
    told: dict[str, list[tuple[float, float]]] = {key: [] for key in functions}
    for _ in range(DRAWS):
        w = world(rng, odds=odds, lines=lines)
        for key, function in functions.items():
            found = fit(function, w)
            told[key].append((found.effect[0], np.sqrt((found.influence**2).sum())))
    summary = {}
    for key, pairs in told.items():
        effect, error = np.array(pairs).T
        covered = float((np.abs(effect) <= 1.959964 * error).mean())
        summary[key] = (float(effect.mean()), float(effect.std() / DRAWS**0.5), covered)
        print(f"{name:8s} {key:36s} mean {effect.mean():8.3f} sd {effect.std():7.3f} {covered:.3f}")
    return summary


PANEL = {
    f.__name__: f
    for f in (
        panel.improved,
        panel.traditional,
        panel.regression,
        panel.standardised_inverse_probability,
    )
}
CROSS = {f.__name__: f for f in (cross.improved, cross.traditional)}


@pytest.mark.montecarlo
@pytest.mark.parametrize("right", RIGHT)
def test_units_followed(right: str) -> None:
    found = simulate(followed, PANEL, right)
    for name in ("improved", "traditional"):
        mean, error, covered = found[name]
        if right == "neither":
            assert abs(mean) > 10 * error
            assert covered < 0.9
        else:
            assert abs(mean) < 4 * error
            assert 0.93 <= covered <= 0.97
    mean, error, _ = found["regression"]
    assert (abs(mean) < 4 * error) == RIGHT[right][1]
    mean, error, _ = found["standardised_inverse_probability"]
    if right != "lines":  # where its model is wrong and it happens to lose little
        assert (abs(mean) < 4 * error) == RIGHT[right][0]


@pytest.mark.montecarlo
@pytest.mark.parametrize("right", RIGHT)
def test_units_seen_once(right: str) -> None:
    found = simulate(seen_once, CROSS, right)
    for mean, error, covered in found.values():
        if right == "neither":
            assert abs(mean) > 4 * error
        else:
            assert abs(mean) < 4 * error
            assert 0.93 <= covered <= 0.97
