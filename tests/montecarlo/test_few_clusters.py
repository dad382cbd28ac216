"""Few territories with shocks of their own that last: who rejects 5 % of true hypotheses.

Twelve territories, half treated, and eleven with two treated; each has a persistent shock, and treatment
was drawn among them. ``make montecarlo`` prints the shares that the documentation quotes.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whatworks.stats.assignments import every_assignment, share_as_far
from whatworks.stats.clusters.blocks import cluster_blocks
from whatworks.stats.clusters.covariance import cluster_robust
from whatworks.stats.clusters.wild import wild_bootstrap

WORLDS = 2_000
PERSONS = 12
pytestmark = pytest.mark.montecarlo


def changes(rng: np.random.Generator, n_territories: int) -> tuple[np.ndarray, np.ndarray]:
    """Long differences of persons, their territory's shock following an autoregression of 0.8."""
    size = rng.integers(PERSONS // 2, 2 * PERSONS, n_territories)
    territory = np.repeat(np.arange(n_territories), size)
    shock = np.zeros((n_territories, 8))
    shock[:, 0] = rng.standard_normal(n_territories)
    for t in range(1, 8):
        shock[:, t] = 0.8 * shock[:, t - 1] + 0.6 * rng.standard_normal(n_territories)
    after, before = shock[:, 4:].mean(axis=1), shock[:, 3]
    return (after - before)[territory] + rng.standard_normal(territory.size), territory


def rejected(n_territories: int, n_treated: int) -> dict[str, float]:
    """Share of worlds without effect in which each test rejects at 5 %."""
    rng = np.random.default_rng(20)
    counts: dict[str, int] = {}
    form = np.array([0.0, 1.0])
    for _ in range(WORLDS):
        y, territory = changes(rng, n_territories)
        given = rng.permutation(np.arange(n_territories) < n_treated)
        blocks = cluster_blocks(np.column_stack([np.ones(y.size), given[territory]]), y, territory)
        p = {}
        for name in ("CR1S", "CR2", "jackknife"):
            found = cluster_robust(blocks, kind=name, contrasts=form)
            df = found.df[0] if name == "CR2" else n_territories - 1
            p[name] = 2 * stats.t(df).sf(abs(found.estimate[0] / found.std_error[0]))
        for name, restricted in (("WCR", True), ("WCU", False)):
            test = wild_bootstrap(blocks, form, restricted=restricted, draws=4_096)
            p[name] = test.p_value
        p["randomisation"] = reassigned(y, territory, given)
        for name, value in p.items():
            counts[name] = counts.get(name, 0) + (value <= 0.05)
    shares = {name: count / WORLDS for name, count in counts.items()}
    print(f"\n{n_treated} of {n_territories} treated: {shares}")
    return shares


def reassigned(y: np.ndarray, territory: np.ndarray, given: np.ndarray) -> float:
    """Exact p-value of the difference of means over its CR1 error, from sums of territories."""
    n = np.bincount(territory).astype(float)
    total = np.bincount(territory, weights=y)

    def t(treated: np.ndarray) -> np.ndarray:
        top, variance = 0.0, 0.0
        for arm, sign in ((treated, 1.0), (~treated, -1.0)):
            mass = (arm * n).sum(axis=-1, keepdims=True)
            mean = (arm * total).sum(axis=-1, keepdims=True) / mass
            top = top + sign * mean[..., 0]
            variance = variance + ((arm * (total - n * mean) / mass) ** 2).sum(axis=-1)
        return np.asarray(top / np.sqrt(variance))

    key = given.size, int(given.sum())
    if key not in _EVERY:
        every = every_assignment(given.astype(np.int64), np.zeros(given.size, dtype=np.int64))
        _EVERY[key] = np.array(list(every)) == 1
    return share_as_far(float(t(given)), t(_EVERY[key]), exact=True)


_EVERY: dict[tuple[int, int], np.ndarray] = {}


def test_half_of_twelve_territories() -> None:
    shares = rejected(12, 6)
    assert shares["CR1S"] > 0.065
    for name in ("CR2", "WCR", "randomisation"):
        assert 0.03 <= shares[name] <= 0.07, name


def test_two_of_eleven_territories() -> None:
    shares = rejected(11, 2)
    assert shares["WCR"] < 0.03
    assert shares["WCU"] > 0.1
    assert shares["CR1S"] > 0.15
    assert 0.03 <= shares["randomisation"] <= 0.06
