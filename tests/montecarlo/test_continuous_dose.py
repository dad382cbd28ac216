"""Curves of the dose over many draws: unbiased, and covered as often as said, persons and cohorts alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import ContinuousDose, Design

DRAWS = 400
N = 400
pytestmark = pytest.mark.montecarlo


def gain(hours: np.ndarray) -> np.ndarray:
    return 0.12 * hours - 0.001 * hours**2


def slope(hours: np.ndarray) -> np.ndarray:
    return 0.12 - 0.002 * hours


def draw(rng: np.random.Generator, *, starts: tuple[int, ...], periods: int) -> pd.DataFrame:
    """Hours unrelated to how persons would have changed; errors that grow with hours."""
    start = rng.choice(np.array([0, *starts]), N)
    hours = np.where(start > 0, 5 + 55 * rng.beta(2, 2, N), 0.0)
    time = np.arange(1, periods + 1)
    y = rng.normal(size=(N, 1)) * 2 + 0.4 * time + rng.normal(size=(N, periods))
    effect = gain(hours)[:, None] + hours[:, None] / 40 * rng.normal(size=(N, 1))
    y = y + np.where((start[:, None] > 0) & (time >= start[:, None]), effect, 0.0)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(N), periods),
            "period": np.tile(time, N),
            "start": np.repeat(start, periods),
            "hours": np.repeat(hours, periods),
            "y": y.ravel(),
        }
    )


WORLDS = {"two periods": ((2,), 2), "staggered": ((3, 4), 5)}


@pytest.mark.parametrize("name", WORLDS)
def test_curves_of_the_dose(name: str) -> None:
    starts, periods = WORLDS[name]
    method = ContinuousDose(degree=2, grid=(0.1, 0.5, 0.9))
    rows = []
    for k in range(DRAWS):
        table = draw(np.random.default_rng([31, k]), starts=starts, periods=periods)
        design = Design.from_panel(
            table,
            unit="unit",
            period="period",
            first_treated="start",
            outcome="y",
            dose="hours",
        )
        effects = method.fit(design).effects.query("term in ('att_dose', 'acrt_dose')")
        at = effects["group"].astype(float).to_numpy()
        truth = np.where(effects["term"] == "att_dose", gain(at), slope(at))
        error = effects["estimate"].to_numpy() - truth
        inside = (effects["conf_low"] <= truth) & (truth <= effects["conf_high"])
        band = (effects["band_low"] <= truth) & (truth <= effects["band_high"])
        rows.append((error, effects["std_error"].to_numpy(), inside.to_numpy(), band.to_numpy()))
    error, said, inside, band = (np.array(part) for part in zip(*rows, strict=True))
    spread = error.std(axis=0, ddof=1)
    bias = error.mean(axis=0) / spread
    curves = [band[:, :3].all(axis=1).mean(), band[:, 3:].all(axis=1).mean()]
    print(
        f"\nContinuousDose, {name}: bias {np.round(bias, 2)} sd, mean se / sd "
        f"{np.round(said.mean(axis=0) / spread, 2)}, coverage {inside.mean(axis=0)}, bands {curves}"
    )
    assert (np.abs(bias) < 0.1 + 3 / np.sqrt(DRAWS)).all()
    assert 0.93 <= inside.mean() <= 0.97
    assert min(curves) >= 0.92
    assert max(curves) <= 0.98
