"""Rings in a staggered rollout: bias and coverage of effects on the treated and on those near them.

Places scattered in a square, some of them treated from three dates on; the treated gain more month after
month, and those near them lose, less so further away. Noise lasts from one period to the next. In a
second world it is shared by neighbours, and errors reach across space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, SpilloverDiD

WORLDS = 400
N_PERIODS = 10
SIDE = 160.0
"""Of the square: about four places in ten stay clean to the end."""
STARTS = (4, 6, 8)
GAIN, GROWTH = 2.0, 0.2
LOSSES = ((8.0, -1.0), (16.0, -0.4))
METHOD = SpilloverDiD(rings=(8, 16), coordinates=("x", "z"), pretrends=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A world as a design, and the mean effect on the treated observations it holds."""

    design: Design
    total: float


def draw(rng: np.random.Generator, *, n: int = 300, shared: float = 0.0) -> Drawn:
    points = rng.uniform(0, SIDE, (n, 2))
    start = np.zeros(n, dtype=int)
    start[rng.choice(n, 24, replace=False)] = np.repeat(STARTS, 8)
    period = np.arange(1, N_PERIODS + 1)
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(apart, np.inf)
    treated = (start[:, None] > 0) & (period >= start[:, None])
    near = [np.where(under, apart, np.inf).min(axis=1) for under in treated.T]
    near = np.column_stack(near)
    noise = rng.normal(size=(n, N_PERIODS))
    if shared:
        # Disturbances of squares, ten on a side.
        cell = (points // 10).astype(int) @ [16, 1]
        noise += shared * rng.normal(size=(256, N_PERIODS))[cell]
    for t in range(1, N_PERIODS):
        noise[:, t] = 0.5 * noise[:, t - 1] + np.sqrt(0.75) * noise[:, t]
    gain = np.where(treated, GAIN + GROWTH * (period - start[:, None]), 0.0)
    y = rng.normal(size=(n, 1)) + rng.normal(size=N_PERIODS) + noise + gain
    inner = 0.0
    for bound, loss in LOSSES:
        y += loss * (~treated & (near > inner) & (near <= bound))
        inner = bound
    table = pd.DataFrame(
        {
            "u": np.repeat(np.arange(n), N_PERIODS),
            "t": np.tile(period, n),
            "g": np.repeat(start, N_PERIODS),
            "y": y.ravel(),
            "x": np.repeat(points[:, 0], N_PERIODS),
            "z": np.repeat(points[:, 1], N_PERIODS),
        }
    )
    design = Design.from_panel(
        table, unit="u", period="t", first_treated="g", outcome="y", covariates=["x", "z"]
    )
    return Drawn(design=design, total=float(gain[treated].mean()))


def simulate(method: SpilloverDiD, *, seed: int, shared: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(WORLDS):
        world = draw(rng, shared=shared)
        effects = method.fit(world.design).effects.set_index(["term", "group"])
        truth = {("total", "throughout"): world.total}
        truth |= {
            ("spillover", f"throughout@{group}"): loss
            for group, (_, loss) in zip(("0-8", "8-16"), LOSSES, strict=True)
        }
        for name, value in truth.items():
            row = effects.loc[name]
            inside = row["conf_low"] <= value <= row["conf_high"]
            rows.append((name[1], row["estimate"] - value, row["std_error"], float(inside)))
        naive = effects.loc[("ordinary", "throughout")]
        inside = naive["conf_low"] <= world.total <= naive["conf_high"]
        rows.append(
            ("ordinary", naive["estimate"] - world.total, naive["std_error"], float(inside))
        )
        apart = effects.loc[("contamination", "throughout")]
        rows.append(
            ("contamination", apart["estimate"], apart["std_error"], float(apart["p_value"] < 0.05))
        )
    return pd.DataFrame(rows, columns=["term", "error", "std_error", "inside"])


def told(found: pd.DataFrame) -> pd.DataFrame:
    by = found.groupby("term")
    table = pd.DataFrame(
        {
            "bias": by["error"].mean(),
            "spread": by["error"].std(),
            "std_error": np.sqrt(by["std_error"].apply(lambda s: (s**2).mean())),
            "inside": by["inside"].mean(),
        }
    )
    print("\n" + table.round(4).to_string())
    return table


@pytest.mark.montecarlo
def test_rings_are_unbiased_and_covered_and_the_ordinary_did_is_not() -> None:
    table = told(simulate(METHOD, seed=1))
    for term in ("throughout", "throughout@0-8", "throughout@8-16"):
        row = table.loc[term]
        assert abs(row["bias"]) < 3 * row["spread"] / np.sqrt(WORLDS)
        assert 0.93 <= row["inside"] <= 0.97
        assert row["std_error"] == pytest.approx(row["spread"], rel=0.12)
    # Exposed places lose: taken for a comparison, they make the treated seem to gain more.
    assert table.loc["ordinary", "bias"] > 0.15
    assert table.loc["ordinary", "inside"] < 0.90
    naive = table.loc["ordinary", "bias"]
    assert table.loc["contamination", "bias"] == pytest.approx(naive, abs=0.03)
    assert table.loc["contamination", "inside"] > 0.5  # told apart from 0, world by world


@pytest.mark.montecarlo
def test_errors_across_space_cover_where_neighbours_share_their_noise() -> None:
    across = SpilloverDiD(
        rings=(8, 16), coordinates=("x", "z"), pretrends=0, cluster="space", cutoff=14.0
    )
    alone = told(simulate(METHOD, seed=2, shared=0.7))
    table = told(simulate(across, seed=2, shared=0.7))
    for term in ("throughout@0-8", "throughout@8-16"):
        assert table.loc[term, "inside"] > alone.loc[term, "inside"]
        assert table.loc[term, "inside"] >= 0.90
