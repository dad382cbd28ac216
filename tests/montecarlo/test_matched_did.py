"""Changes against levels: when each of the two finds the effect, over many draws.

Persons keep a level of their own, enter the more the higher it is, and change alike: comparing levels
after matching on the last outcome alone is biased, comparing changes is not. Where what passes fades,
matching on it and then taking changes is biased: those alike for a month go back to what they were (Daw &
Hatfield 2018, doi:10.1111/1475-6773.12993).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import (
    Design,
    EntropyBalancing,
    InverseProbability,
    MatchedDiD,
    MatchedDifference,
    NearestNeighbours,
    stack,
)
from whatworks.design.comparison import Comparison
from whatworks.estimate.protocol import Estimator

DRAWS = 400
N = 600
PERIODS = 4
START = 3
MONTH = 1
EFFECT = 2.0
pytestmark = pytest.mark.montecarlo


def panel(
    rng: np.random.Generator, *, lasting: float, fading: float, trend_by_age: float = 0.0
) -> pd.DataFrame:
    """Four periods; entry at the third, the likelier the higher the lasting level.

    ``fading`` is the persistence of what passes; what passed before entry is a covariate.
    """
    level = lasting * rng.normal(size=N)
    age = rng.normal(size=N)
    entered = rng.random(N) < 1 / (1 + np.exp(1.2 - 0.6 * level - 0.5 * age))
    passing = np.empty((N, PERIODS))
    passing[:, 0] = rng.normal(size=N)
    for t in range(1, PERIODS):
        passing[:, t] = fading * passing[:, t - 1] + np.sqrt(1 - fading**2) * rng.normal(size=N)
    time = np.arange(1, PERIODS + 1)
    y = level[:, None] + 0.3 * time + trend_by_age * age[:, None] * time + passing
    y = y + EFFECT * (entered[:, None] & (time >= START))
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(N), PERIODS),
            "period": np.tile(time, N),
            "start": np.repeat(np.where(entered, START, 0), PERIODS),
            "age": np.repeat(age, PERIODS),
            "last": np.repeat(y[:, START - 2], PERIODS),
            "y": y.ravel(),
        }
    )


def design(table: pd.DataFrame, *covariates: str) -> Design:
    return stack(
        Design.from_panel(
            table,
            unit="unit",
            period="period",
            first_treated="start",
            outcome="y",
            covariates=list(covariates),
        )
    )


def drawn(
    ways: dict[str, tuple[Estimator, Comparison, str]], *, seed: int, draws: int, **world: float
) -> dict[str, np.ndarray]:
    """Estimate, standard error and coverage of each way, on the same worlds."""
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for k in range(draws):
        table = panel(np.random.default_rng([seed, k]), **world)
        stacked = {name: design(table, name) for name in {c for _, _, c in ways.values()}}
        for name, (method, using, covariate) in ways.items():
            row = method.fit(stacked[covariate].matched(using=using)).at(MONTH)
            inside = row["conf_low"] <= EFFECT <= row["conf_high"]
            rows[name].append((row["estimate"], row["std_error"], float(inside)))
    return {name: np.array(found) for name, found in rows.items()}


def told(name: str, found: np.ndarray) -> tuple[float, float]:
    """Bias in standard deviations and coverage, printed."""
    spread = found[:, 0].std(ddof=1)
    bias, cover = (found[:, 0].mean() - EFFECT) / spread, found[:, 2].mean()
    print(
        f"\n{name}: mean {found[:, 0].mean():.3f} of {EFFECT}, bias {bias:+.2f} sd, "
        f"mean se / sd {found[:, 1].mean() / spread:.2f}, coverage {cover:.3f} of {len(found)}"
    )
    return float(bias), float(cover)


NEAR = NearestNeighbours(ratio=2)
CHANGES: dict[str, tuple[Estimator, Comparison, str]] = {
    "nearest neighbours, adjusted": (MatchedDiD(bias_adjust=True), NEAR, "age"),
    "nearest neighbours": (MatchedDiD(), NearestNeighbours(ratio=1), "age"),
    "entropy balancing": (MatchedDiD(), EntropyBalancing(), "age"),
    "inverse probability": (MatchedDiD(), InverseProbability(), "age"),
    "inverse probability, adjusted": (MatchedDiD(bias_adjust=True), InverseProbability(), "age"),
}
LEVELS = {"levels": (MatchedDifference(bias_adjust=True), NEAR, "age")}


@pytest.fixture(scope="module")
def lasting() -> dict[str, np.ndarray]:
    """Worlds in which what tells entrants apart lasts."""
    ways = {**CHANGES, **LEVELS}
    return drawn(ways, seed=1, draws=DRAWS, lasting=2.0, fading=0.3, trend_by_age=0.3)


@pytest.mark.parametrize("name", CHANGES)
def test_lasting_levels_leave_changes_alone(lasting: dict[str, np.ndarray], name: str) -> None:
    bias, cover = told(f"MatchedDiD, {name}", lasting[name])
    assert abs(bias) < 0.1 + 3 / np.sqrt(DRAWS)
    assert 0.93 <= cover <= 0.97


def test_lasting_levels_bias_levels(lasting: dict[str, np.ndarray]) -> None:
    bias, cover = told("MatchedDifference, the same worlds", lasting["levels"])
    assert bias > 2
    assert cover < 0.5


def test_matching_on_an_outcome_that_goes_back_biases_changes() -> None:
    ways: dict[str, tuple[Estimator, Comparison, str]] = {
        "on the last outcome": (MatchedDiD(bias_adjust=True), NEAR, "last"),
        "on age": (MatchedDiD(), EntropyBalancing(), "age"),
    }
    found = drawn(ways, seed=2, draws=DRAWS // 2, lasting=2.0, fading=0.3)
    bias, _ = told("MatchedDiD after matching on the last outcome", found["on the last outcome"])
    spared, _ = told("MatchedDiD without it, the same worlds", found["on age"])
    assert bias > 0.5
    assert abs(spared) < 0.1 + 3 / np.sqrt(DRAWS // 2)
