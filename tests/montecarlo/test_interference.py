"""Shares that nobody drew, small groups, overlapping markets: bias and coverage under what is assumed.

The share of markets follows tightness, which also moves outcomes: comparing markets as they are is
biased. Truths are closed forms of the data-generating processes below. Run with ``make montecarlo``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import t as student

from whatworks import (
    Competition,
    Design,
    Estimate,
    ExposureMapping,
    PartialInterference,
    SaturationScore,
    competing,
    worlds,
)

pytestmark = pytest.mark.montecarlo
DRAWS = 400


def verdict(name: str, found: np.ndarray, truth: float, *, df: float, high: float = 0.99) -> None:
    """Hold bias within three Monte Carlo errors, and coverage from 93 % less its own error on."""
    points, errors = found[:, 0], found[:, 1]
    spread = points.std(ddof=1)
    noise = spread / np.sqrt(points.size)
    cover = (np.abs(points - truth) <= student.ppf(0.975, df) * errors).mean()
    print(
        f"\n{name}: truth {truth:.4f}, mean {points.mean():.4f} (±{noise:.4f}), "
        f"mean se / sd {errors.mean() / spread:.2f}, coverage {cover:.3f} of {points.size}"
    )
    assert abs(points.mean() - truth) < 3 * noise
    miss = 3 * np.sqrt(0.05 * 0.95 / points.size)
    assert 0.93 - miss / 2 <= cover <= high


def pick(estimate: Estimate, *asked: tuple[str, str]) -> list[tuple[float, float]]:
    """Effects and standard errors, by term and group."""
    rows = estimate.effects.set_index(["term", "group"])
    return [(rows.loc[a, "estimate"], rows.loc[a, "std_error"]) for a in asked]


def undrawn(rng: np.random.Generator, n_markets: int) -> pd.DataFrame:
    """Markets of sixty, tight ones treated more; outcomes fall by 6 a unit share, rise with tightness."""
    tight = rng.normal(size=n_markets)
    share = expit(-0.3 + 0.7 * tight + 0.8 * rng.normal(size=n_markets))
    share[rng.random(n_markets) < expit(-1.2 - 0.5 * tight)] = 0.0
    market = np.repeat(np.arange(n_markets), 60)
    x = rng.normal(size=market.size) + 0.3 * tight[market]
    treat = rng.random(market.size) < share[market]
    y = 0.30 + 0.06 * tight[market] + 0.03 * x + treat * 0.10 - 0.06 * share[market]
    y = y + 0.02 * rng.normal(size=n_markets)[market] + 0.4 * rng.normal(size=market.size)
    columns = {"treat": treat.astype(int), "x": x, "tight": tight[market]}
    return pd.DataFrame({**columns, "market": market, "share": share[market], "y": y})


ASKED = (("spillover", "0.4"), ("direct", "0.4"), ("total", "0.4"))


@pytest.mark.parametrize("n_markets", [80, 235])
def test_saturation_score_where_shares_follow_tightness(n_markets: int) -> None:
    found, naive = [], []
    method = SaturationScore(at=(0.25, 0.4, 0.55))
    for seed in range(DRAWS):
        table = undrawn(np.random.default_rng(seed), n_markets)
        design = Design.from_cross_section(
            table,
            treatment="treat",
            outcome="y",
            covariates=["x", "tight"],
            market="market",
            saturation="share",
        )
        found.append(pick(method.fit(design), *ASKED))
        none = table[table["treat"] == 0]
        slope = np.polyfit(none["share"], none["y"], 1)[0]
        naive.append(0.4 * slope)
    results = np.array(found)
    df = n_markets - 6
    for k, truth in enumerate((-0.024, 0.10, 0.076)):
        verdict(f"SaturationScore, {n_markets} markets, {ASKED[k]}", results[:, k], truth, df=df)
    # Markets compared as they are find a gain where there is a loss.
    print(f"\nnaive spillover at 0.4: {np.mean(naive):.4f}, truth -0.024")
    assert np.mean(naive) > 0


def test_saturation_score_where_jobs_are_finite_and_shares_follow_tightness() -> None:
    """The world of finite jobs, its shares decided by tightness."""
    found, naive = [], []
    method = SaturationScore(at=(0.2, 0.4, 0.6))
    kinds = worlds.Tightness(values=(0.5, 0.75, 1.0, 1.5, 2.0), level=0.5, moves_saturation=0.5)
    shares = tuple(np.arange(10) / 10)
    for seed in range(DRAWS // 2):
        options = worlds.FiniteJobs(
            seed=seed, n_markets=240, saturations=shares, tightness=kinds, effect=1.0
        )
        table = worlds.simulate_jobs(options).frame
        table["log_tightness"] = np.log(table["tightness"])
        design = Design.from_cross_section(
            table,
            treatment="treated",
            outcome="y",
            covariates=["x", "log_tightness"],
            market="market",
            saturation="saturation",
        )
        found.append(pick(method.fit(design), *ASKED))
        none = table[table["treated"] == 0].groupby("saturation")["y"].mean()
        naive.append(none[0.4] - none[0.0])
    truth = worlds.jobs_truth(options, shocks=True).set_index("saturation").loc[0.4]
    results = np.array(found)
    for k, (term, _) in enumerate(ASKED):
        verdict(f"SaturationScore, finite jobs, {term}", results[:, k], float(truth[term]), df=233)
    print(f"\nnaive spillover at 0.4: {np.mean(naive):.4f}, truth {truth['spillover']:.4f}")
    assert abs(np.mean(naive) - truth["spillover"]) > 0.02


@pytest.mark.parametrize("means", ["doubly_robust", "hajek"])
def test_small_groups(means: str) -> None:
    """Groups of three to seven: own gain 1, loss of 0.8 times the share of others treated."""
    found = []
    method = PartialInterference(policies=(0.0, 0.3, 0.45), means=means)
    asked = (("direct", "0.45"), ("spillover", "0.45"), ("total", "0.3"))
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        size = rng.integers(3, 7, 1_000)
        group = np.repeat(np.arange(1_000), size)
        x = rng.normal(size=group.size)
        z = (rng.random(group.size) < expit(-0.6 + 0.4 * x)).astype(int)
        others = (np.bincount(group, z)[group] - z) / (size[group] - 1)
        y = 1 + 0.5 * x + z - 0.8 * others + 0.3 * rng.normal(size=1_000)[group]
        y = y + 0.5 * rng.normal(size=group.size)
        design = Design.from_cross_section(
            pd.DataFrame({"z": z, "x": x, "group": group, "y": y}),
            treatment="z",
            outcome="y",
            covariates=["x"],
            market="group",
        )
        found.append(pick(method.fit(design), *asked))
    results = np.array(found)
    for k, truth in enumerate((1.0, -0.36, 1 - 0.24)):
        verdict(f"PartialInterference, {means}, {asked[k]}", results[:, k], truth, df=999)


def test_overlapping_markets() -> None:
    """Markets on a circle that each meet the next: classes of the share met, in two sizes of spillover."""
    found = []
    method = ExposureMapping(cuts=(0.2, 0.4), draws=500)
    asked = (("direct", "all"), ("spillover", "all"), ("total", "all"))
    for seed in range(DRAWS // 2):
        rng = np.random.default_rng(seed)
        n = 120
        share = rng.permutation(np.repeat([0.0, 0.0, 0.5], n // 3))
        met = 0.7 * share + 0.3 * np.roll(share, -1)
        market = np.repeat(np.arange(n), 20)
        z = (rng.permuted(np.tile(np.arange(20), (n, 1)), axis=1) < 20 * share[:, None]).ravel()
        lost = np.select([met == 0, met <= 0.2, met <= 0.4], [0.0, 0.1, 0.3], 0.5)
        y = z - lost[market] + 0.3 * rng.normal(size=n)[market] + rng.normal(size=market.size)
        names = market.astype(str)
        table = pd.DataFrame({"z": z.astype(int), "market": names, "share": share[market], "y": y})
        design = Design.from_cross_section(
            table, treatment="z", outcome="y", market="market", saturation="share", randomised=True
        )
        place = np.arange(n).astype(str)
        links = pd.DataFrame(
            {
                "market": np.tile(place, 2),
                "other": np.append(place, np.roll(place, -1)),
                "weight": np.repeat([0.7, 0.3], n),
            }
        )
        competition = Competition.by_links(links, market="market", other="other", weight="weight")
        estimate = method.fit(competing(design, competition))
        weight = estimate.extras["responses"].weight
        both = {s: w for s, w in weight.items() if s > 0.2}
        loss = (0.3 * both[min(both)] + 0.5 * both[max(both)]) / sum(both.values())
        row = pick(estimate, *asked)
        found.append(
            [(row[0][0], row[0][1]), (row[1][0] + loss, row[1][1]), (row[2][0] + loss, row[2][1])]
        )
    results = np.array(found)
    for k, truth in enumerate((1.0, 0.0, 1.0)):
        # Its variance bounds what neighbours never show together: it may be too large, never too small.
        name = f"ExposureMapping, {asked[k][0]}, own loss added"
        verdict(name, results[:, k], truth, df=115, high=1.0)
