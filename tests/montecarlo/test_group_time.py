"""Dynamic effects of CallawaySantAnna: no bias, intervals and joint bands that cover the truth.

Three worlds: persons who start one by one, with a covariate that moves both start and trend; forty
markets; twelve, three to a cohort. In the latter two markets start whole and share shocks. Run with
``make montecarlo``; what it prints is what the documentation quotes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import CallawaySantAnna, Design, bootstrap

DRAWS = 400
PERIODS = np.arange(1, 7)
pytestmark = pytest.mark.montecarlo


def truth(month: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 + 0.5 * month)


def table(y: np.ndarray, start: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
    n = len(start)
    gain = (start[:, None] > 0) & (start[:, None] <= PERIODS)
    y = y + np.where(gain, truth(PERIODS - start[:, None]), 0.0)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), PERIODS.size),
            "t": np.tile(PERIODS, n),
            "start": np.repeat(start, PERIODS.size),
            "y": y.ravel(),
            **{name: np.repeat(values, PERIODS.size) for name, values in columns.items()},
        }
    )


def persons(rng: np.random.Generator) -> Design:
    """Those of a high covariate start sooner and grow faster."""
    n = 600
    x = rng.normal(size=n)
    score = np.stack([np.zeros(n), 0.5 * x - 0.4, 0.8 * x - 0.4]) + rng.gumbel(size=(3, n))
    start = np.array([0, 3, 5])[score.argmax(axis=0)]
    y = rng.normal(size=(n, 1)) + 0.3 * x[:, None] * PERIODS + rng.normal(size=(n, 6))
    return Design.from_panel(
        table(y, start, x=x),
        unit="unit",
        period="t",
        first_treated="start",
        outcome="y",
        covariates=["x"],
    )


def markets(rng: np.random.Generator, *, n_markets: int) -> Design:
    """Fifteen persons in each; shocks of a market and period are as large as those of a person."""
    market = np.repeat(np.arange(n_markets), 15)
    start = np.array([0, 3, 5, 0])[np.arange(n_markets) % 4][market]
    shocks = rng.normal(size=(n_markets, 6))
    y = rng.normal(size=(market.size, 1)) + shocks[market] + rng.normal(size=(market.size, 6))
    return Design.from_panel(
        table(y, start, market=market),
        unit="unit",
        period="t",
        first_treated="start",
        outcome="y",
        market="market",
    )


WORLDS = {
    "persons": (persons, "person", (0.93, 0.97)),
    "40 markets": (lambda rng: markets(rng, n_markets=40), "market", (0.93, 0.97)),
    "12 markets": (lambda rng: markets(rng, n_markets=12), "market", (0.93, 0.97)),
}


@pytest.mark.parametrize("drawn", ["analytic", "bootstrap"])
@pytest.mark.parametrize("world", WORLDS)
def test_dynamic_effects_and_their_band(world: str, drawn: str) -> None:
    make, cluster, (least, most) = WORLDS[world]
    rng = np.random.default_rng(20_260)
    points, inside, held = [], [], []
    for _ in range(DRAWS):
        estimate = CallawaySantAnna(cluster=cluster).fit(make(rng))
        if drawn == "bootstrap":
            law = "webb" if cluster == "market" else "rademacher"
            estimate = bootstrap(estimate, multipliers=law, rng=rng)
        rows = estimate.effects.query("cohort == -1 and month >= 0")
        true = truth(rows["month"].to_numpy())
        points.append(rows["estimate"].to_numpy() - true)
        inside.append(((rows["conf_low"] <= true) & (true <= rows["conf_high"])).to_numpy())
        held.append(bool(((rows["band_low"] <= true) & (true <= rows["band_high"])).all()))
    error = np.array(points)
    bias = error.mean(axis=0) / error.std(axis=0, ddof=1)
    covered, joint = float(np.mean(inside)), float(np.mean(held))
    print(
        f"\n{world}, {drawn}: bias {np.abs(bias).max():.2f} sd at most, intervals "
        f"{covered:.3f}, band {joint:.3f} of {DRAWS}"
    )
    noise = 1 / np.sqrt(DRAWS)
    assert np.abs(bias).max() < 0.1 + 3 * noise
    # Months of one draw are not independent: the noise is that of draws.
    slack = 2 * np.sqrt(0.05 * 0.95 / DRAWS)
    assert least <= covered <= most
    assert least - slack <= joint <= most + slack
