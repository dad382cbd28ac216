"""Power found by simulation is what planning said: within two points where market sizes vary.

Two-level normal data, then markets with finite jobs. Estimates and errors are those of
`whatworks.SaturationRegression`, computed from market sums here so that thousands of draws take seconds; one
draw checks that they are the same. Run with ``make montecarlo``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from whatworks import Design, SaturationRegression
from whatworks.planning import Assumed, Trial, power
from whatworks.worlds.finite_jobs import FiniteJobs, jobs_truth, simulate_jobs

pytestmark = pytest.mark.montecarlo
TERMS = ("direct", "spillover", "total")
SHARE = 0.5


def fitted(
    sums: np.ndarray, counts: np.ndarray, helped: np.ndarray, *, cr2: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Direct, spillover, total and their CR1, or CR2, errors from sums and counts by market.

    Parameters
    ----------
    sums, counts : ndarray of shape (n_draws, 2, n_markets)
        Of outcomes and of persons, unassigned first.
    helped : ndarray of bool, shape (n_draws, n_markets)
    """
    draws, _, g = sums.shape
    cells = [
        (sums[:, 0] * ~helped, counts[:, 0] * ~helped),
        (sums[:, 0] * helped, counts[:, 0] * helped),
        (sums[:, 1] * helped, counts[:, 1] * helped),
    ]
    means, influence = np.empty((draws, 3)), np.empty((draws, 3, g))
    for c, (total, size) in enumerate(cells):
        means[:, c] = total.sum(axis=1) / size.sum(axis=1)
        part = size / size.sum(axis=1, keepdims=True)
        influence[:, c] = (total - size * means[:, [c]]) / size.sum(axis=1, keepdims=True)
        if cr2:  # a market weighs on the mean it is compared with
            influence[:, c] /= np.sqrt(1 - part)
    forms = np.array([[0.0, -1, 1], [-1, 1, 0], [-1, 0, 1]])
    n = counts[0].sum()
    factor = 1.0 if cr2 else g / (g - 1) * (n - 1) / (n - 3)
    moved = np.einsum("kc,dcg->dkg", forms, influence)
    return means @ forms.T, np.sqrt(factor * (moved**2).sum(axis=2))


def told(points: np.ndarray, errors: np.ndarray, *, n_markets: int) -> np.ndarray:
    return (np.abs(points) > stats.t(n_markets - 1).isf(0.025) * errors).mean(axis=0)


def compare(name: str, found: np.ndarray, said: pd.DataFrame, *, draws: int) -> None:
    rows = said.set_index(["term", "group"])["power"]
    for term, share in zip(TERMS, found, strict=True):
        planned = float(rows[term, "0.5"])
        noise = np.sqrt(planned * (1 - planned) / draws)
        print(f"\n{name}, {term}: planned {planned:.3f}, found {share:.3f} ± {noise:.3f}", end="")
        assert abs(share - planned) < 0.02 + (noise if draws < 10_000 else 0.0)


@pytest.mark.parametrize(
    ("n_markets", "shape"), [(120, 2.0), (60, 4.0)], ids=["120 uneven", "60 less uneven"]
)
@pytest.mark.parametrize("uneven_means", [False, True], ids=["", "means go with size"])
def test_two_level_normal_data(n_markets: int, shape: float, uneven_means: bool) -> None:
    rng = np.random.default_rng(n_markets)
    draws = 20_000
    size = np.maximum(rng.gamma(shape, 60 / shape, n_markets).astype(int), 8)
    n1 = size // 2
    usual = 0.004 * (size - size.mean()) if uneven_means else np.zeros(n_markets)
    assumed = Assumed(
        sizes=tuple(size.tolist()),
        sd=1.0,
        icc=0.05,
        means=tuple(usual.tolist()) if uneven_means else (),
    )
    effects = {"direct": 0.10, "spillover": -0.16}
    said = power(Trial(shares=(0, SHARE)), assumed, **effects)
    found = np.zeros(3)
    for _ in range(20):
        some = draws // 20
        helped = np.argsort(rng.random((some, n_markets)), axis=1) < n_markets // 2
        shared = usual + np.sqrt(0.05) * rng.normal(size=(some, n_markets))
        arms = np.stack([size - n1, n1])[None], np.stack([size, 0 * size])[None]
        counts = np.where(helped[:, None], *arms)
        mean = shared[:, None] + np.stack(
            [effects["spillover"] * helped, sum(effects.values()) * helped], axis=1
        )
        noise = np.sqrt(0.95 * counts) * rng.normal(size=counts.shape)
        # With tens of markets CR1 errors are too small: power is planned for a test of the right size.
        sums = counts * mean + noise
        points, errors = fitted(sums, counts.astype(float), helped, cr2=n_markets < 100)
        found += told(points, errors, n_markets=n_markets) / 20
    compare(f"{n_markets} markets of {size.min()} to {size.max()}", found, said, draws=draws)


def sums_of(frame: pd.DataFrame, n_markets: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    market, arm = frame["market"].to_numpy(), frame["treated"].to_numpy()
    y = frame["y"].to_numpy()
    place = arm * n_markets + market
    shape = (1, 2, n_markets)
    counts = np.bincount(place, minlength=2 * n_markets).reshape(shape).astype(float)
    sums = np.bincount(place, y, minlength=2 * n_markets).reshape(shape)
    helped = np.zeros((1, n_markets), dtype=bool)
    helped[0, market[frame["saturation"].to_numpy() > 0]] = True
    return sums, counts, helped


def test_finite_jobs_planned_from_another_world_of_the_kind() -> None:
    n_markets, draws = 100, 1_500
    options = FiniteJobs(n_markets=n_markets, saturations=(0.0, SHARE), shock=0.25, effect=0.25)
    truth = jobs_truth(options).set_index("saturation").loc[SHARE]
    pilot = simulate_jobs(
        FiniteJobs(seed=99, n_markets=3_000, saturations=(0.0, SHARE), shock=0.25, effect=0.25)
    ).frame
    design = Design.from_cross_section(
        pilot, treatment="treated", outcome="y", market="market", saturation="saturation"
    )
    learned = Assumed.from_design(design)
    # Markets of these worlds are drawn anew each time: plan for a hundred that stand for them.
    sizes = np.quantile(learned.sizes, (np.arange(n_markets) + 0.5) / n_markets).round().astype(int)
    assumed = replace(learned, sizes=tuple(sizes.tolist()))
    said = power(
        Trial(shares=(0, SHARE)), assumed, direct=truth["direct"], spillover=truth["spillover"]
    )
    points, errors = np.empty((draws, 3)), np.empty((draws, 3))
    for seed in range(draws):
        world = simulate_jobs(
            FiniteJobs(
                seed=seed, n_markets=n_markets, saturations=(0.0, SHARE), shock=0.25, effect=0.25
            )
        ).frame
        (points[seed],), (errors[seed],) = fitted(*sums_of(world, n_markets))
    # The same numbers as the estimator prints.
    design = Design.from_cross_section(
        world,
        treatment="treated",
        outcome="y",
        market="market",
        saturation="saturation",
        randomised=True,
    )
    printed = SaturationRegression().fit(design).effects
    ours = printed[printed["group"] == "0.5"].set_index("term").loc[list(TERMS)]
    np.testing.assert_allclose(points[-1], ours["estimate"], rtol=1e-9)
    np.testing.assert_allclose(errors[-1], ours["std_error"], rtol=1e-9)
    found = told(points, errors, n_markets=n_markets)
    compare("finite jobs", found, said, draws=draws)
