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

DRAWS = 500
N = 600
START = 4
EFFECT = 2.0
pytestmark = pytest.mark.montecarlo


def panel(
    rng: np.random.Generator, *, lasting: float, fading: float, trend_by_age: float = 0.0
) -> pd.DataFrame:
    """Six periods; entry at the fourth, the likelier the higher the lasting level.

    ``fading`` is the persistence of what passes; what passed before entry is a covariate.
    """
    level = lasting * rng.normal(size=N)
    age = rng.normal(size=N)
    entered = rng.random(N) < 1 / (1 + np.exp(1.2 - 0.6 * level - 0.5 * age))
    passing = np.empty((N, 6))
    passing[:, 0] = rng.normal(size=N)
    for t in range(1, 6):
        passing[:, t] = fading * passing[:, t - 1] + np.sqrt(1 - fading**2) * rng.normal(size=N)
    time = np.arange(1, 7)
    y = level[:, None] + 0.3 * time + trend_by_age * age[:, None] * time + passing
    y = y + EFFECT * (entered[:, None] & (time >= START))
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(N), 6),
            "period": np.tile(time, N),
            "start": np.repeat(np.where(entered, START, 0), 6),
            "age": np.repeat(age, 6),
            "last": np.repeat(y[:, START - 2], 6),
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
    fit: Estimator, using: Comparison, *covariates: str, seed: int, draws: int = DRAWS, **world: float
) -> np.ndarray:
    """Estimate, standard error and coverage two periods after entry, draw by draw."""
    rows = []
    for k in range(draws):
        table = panel(np.random.default_rng([seed, k]), **world)
        row = fit.fit(design(table, *covariates).matched(using=using)).at(2)
        inside = row["conf_low"] <= EFFECT <= row["conf_high"]
        rows.append((row["estimate"], row["std_error"], float(inside)))
    return np.array(rows)


def told(name: str, found: np.ndarray) -> tuple[float, float]:
    """Bias in standard deviations and coverage, printed."""
    spread = found[:, 0].std(ddof=1)
    bias, cover = (found[:, 0].mean() - EFFECT) / spread, found[:, 2].mean()
    print(
        f"\n{name}: mean {found[:, 0].mean():.3f} of {EFFECT}, bias {bias:+.2f} sd, "
        f"mean se / sd {found[:, 1].mean() / spread:.2f}, coverage {cover:.3f} of {len(found)}"
    )
    return float(bias), float(cover)


AGE = NearestNeighbours(ratio=2)
LASTING = {"lasting": 2.0, "fading": 0.3, "trend_by_age": 0.3}
WAYS: dict[str, tuple[Estimator, Comparison]] = {
    "nearest neighbours": (MatchedDiD(bias_adjust=True), AGE),
    "nearest neighbours, not adjusted": (MatchedDiD(), NearestNeighbours(ratio=1)),
    "entropy balancing": (MatchedDiD(), EntropyBalancing()),
    "inverse probability": (MatchedDiD(), InverseProbability()),
    "inverse probability, adjusted": (MatchedDiD(bias_adjust=True), InverseProbability()),
}


@pytest.mark.parametrize("name", WAYS)
def test_lasting_levels_leave_changes_alone(name: str) -> None:
    fit, using = WAYS[name]
    bias, cover = told(f"MatchedDiD, {name}", drawn(fit, using, "age", seed=1, **LASTING))
    assert abs(bias) < 0.1 + 3 / np.sqrt(DRAWS)
    assert 0.93 <= cover <= 0.97


def test_lasting_levels_bias_levels() -> None:
    found = drawn(MatchedDifference(bias_adjust=True), AGE, "age", seed=1, draws=100, **LASTING)
    bias, cover = told("MatchedDifference, the same worlds", found)
    assert bias > 2
    assert cover < 0.5


def test_matching_on_an_outcome_that_goes_back_biases_changes() -> None:
    world = {"lasting": 2.0, "fading": 0.3}
    found = drawn(MatchedDiD(bias_adjust=True), AGE, "last", seed=2, draws=200, **world)
    bias, _ = told("MatchedDiD after matching on the last outcome", found)
    alone = drawn(MatchedDiD(), EntropyBalancing(), "age", seed=2, draws=200, **world)
    unmatched, _ = told("MatchedDiD without it, the same worlds", alone)
    assert bias > 0.5
    assert abs(unmatched) < 0.1 + 3 / np.sqrt(200)
