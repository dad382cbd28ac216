"""Imputation where effects grow and differ between cohorts: unbiased, covered; two-way regression is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, Imputation
from whatworks.stats.did.two_way import Units, apart, sweep

DRAWS = 300
PERIODS = np.arange(1, 9)
STARTS = np.repeat([3, 6, 0], [14, 14, 12])
"""Of 40 markets, or in the same shares of persons."""
SIZE = {3: 1.5, 6: 0.5}
pytestmark = pytest.mark.montecarlo


def truth(start: int, month: int) -> float:
    """Effects grow by month, faster in the earlier cohort."""
    return SIZE[start] * (1 + month)


def world(rng: np.random.Generator, *, by_market: bool) -> pd.DataFrame:
    """400 persons in 40 markets; markets start together, and share shocks, when ``by_market``."""
    n, t = 400, PERIODS.size
    market = np.arange(n) % 40
    start = STARTS[(market if by_market else rng.permutation(n)) % 40]
    since = PERIODS - start[:, None]
    gain = np.array([SIZE.get(int(g), 0.0) for g in start])[:, None] * (since + 1)
    noise = rng.normal(size=(n, t))
    noise[:, 1:] += 0.5 * noise[:, :-1]
    if by_market:
        noise += rng.normal(size=(40, t))[market]
    level = rng.normal(size=n) + (start > 0)
    y = level[:, None] + 0.2 * PERIODS**1.5 + np.where((start[:, None] > 0) & (since >= 0), gain, 0)
    y = y + noise
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), t),
            "period": np.tile(PERIODS, n),
            "start": np.repeat(start, t),
            "market": np.repeat(market, t),
            "y": y.ravel(),
        }
    )


def expected(effects: pd.DataFrame, share: dict[int, float]) -> np.ndarray:
    """True effect of each row: over all cohorts, by those observed that month."""
    found = []
    for cohort, month in zip(effects["cohort"], effects["month"], strict=True):
        if month < 0:
            found.append(0.0)
        elif cohort > 0:
            found.append(truth(int(cohort), int(month)))
        else:
            seen = [g for g in share if g + month <= PERIODS[-1]]
            total = sum(share[g] for g in seen)
            found.append(sum(share[g] * truth(g, int(month)) for g in seen) / total)
    return np.array(found)


def two_way_coefficient(design: Design) -> float:
    start = design.units["entry_month"].to_numpy()
    names, cohort = np.unique(start, return_inverse=True)
    since = PERIODS - names[:, None]
    units = Units(
        values=design.outcomes.values,
        weight=np.ones(start.size),
        known=np.ones((start.size, 1)),
        cohort=cohort.astype(np.int64),
        used=np.ones(since.shape, dtype=bool),
    )
    found = apart(sweep(units), (since >= 0)[None])
    return float(found.outcome[0] / found.product[0, 0])


@pytest.mark.parametrize("cluster", ["person", "market"])
def test_coverage_of_dynamic_effects(cluster: str) -> None:
    points, covered, errors, naive, average = [], [], [], [], []
    bands = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        rows = world(rng, by_market=cluster == "market")
        design = Design.from_panel(
            rows,
            unit="unit",
            period="period",
            first_treated="start",
            outcome="y",
            market="market",
        )
        effects = Imputation(cluster=cluster).fit(design).effects  # type: ignore[arg-type]  # a word
        sizes = rows.groupby("unit")["start"].first().value_counts()
        share = {g: float(sizes[g]) for g in SIZE}
        true = expected(effects, share)
        points.append(effects["estimate"].to_numpy() - true)
        errors.append(effects["std_error"].to_numpy())
        covered.append(((effects["conf_low"] <= true) & (true <= effects["conf_high"])).to_numpy())
        curve = ((effects["cohort"] == -1) & (effects["month"] >= 0)).to_numpy()
        inside = (effects["band_low"] <= true) & (true <= effects["band_high"])
        bands.append(bool(inside[curve].all()))
        after = (effects["cohort"] > 0).to_numpy()
        average.append(float(np.average(true[after], weights=effects.loc[after, "n_treated"])))
        naive.append(two_way_coefficient(design))
    gaps, share_covered = np.array(points), np.array(covered).mean(axis=0)
    spread = gaps.std(axis=0, ddof=1)
    bias = gaps.mean(axis=0) / spread
    apart_from = np.mean(naive) - np.mean(average)
    print(
        f"\nImputation by {cluster}: bias at most {np.abs(bias).max():.2f} sd, coverage "
        f"{share_covered.min():.3f} to {share_covered.max():.3f}, mean {share_covered.mean():.3f}, "
        f"band {np.mean(bands):.3f}, mean se / sd {(np.mean(errors, axis=0) / spread).mean():.2f}; "
        f"two-way {np.mean(naive):.2f} where the mean effect is {np.mean(average):.2f}"
    )
    noise = 1 / np.sqrt(DRAWS)
    assert np.abs(bias).max() < 3.5 * noise
    assert 0.93 <= share_covered.mean() <= 0.97
    assert share_covered.min() > 0.95 - 4 * np.sqrt(0.95 * 0.05 / DRAWS)
    assert 0.92 <= np.mean(bands) <= 0.98
    assert apart_from < -0.2 * np.mean(average)
