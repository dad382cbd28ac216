"""Territories that share factors and start at different times: coverage, and size of the placebo test.

Worlds are those the methods assume: territory and period effects, two common factors whose loadings move
the chance to start, errors correlated from a month to the next. Run with ``make montecarlo``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, Estimate, SyntheticControl, SyntheticDiD, aggregate

pytestmark = pytest.mark.montecarlo
EFFECT = 1.0


def world(seed: int, *, n: int, starts: tuple[int, ...], n_periods: int = 24) -> Design:
    """Territories of which as many as ``starts`` are treated, more often those with high loadings."""
    rng = np.random.default_rng(seed)
    loading = rng.normal(size=(n, 2))
    factor = rng.normal(size=(2, n_periods)).cumsum(axis=1) * 0.3
    noise = rng.normal(size=(n, n_periods))
    for t in range(1, n_periods):
        noise[:, t] = 0.3 * noise[:, t - 1] + noise[:, t] * np.sqrt(1 - 0.09)
    values = rng.normal(size=(n, 1)) + rng.normal(size=n_periods) + loading @ factor + noise
    pull = loading[:, 0] * 0.25 + rng.gumbel(size=n) if len(starts) > 1 else rng.random(n)
    start = np.zeros(n, dtype=int)
    start[np.argsort(-pull)[: len(starts)]] = starts
    period = np.arange(1, n_periods + 1)
    values += EFFECT * ((start[:, None] > 0) & (period >= start[:, None])) * (len(starts) > 1)
    table = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), n_periods),
            "period": np.tile(period, n),
            "start": np.repeat(start, n_periods),
            "y": values.ravel(),
        }
    )
    return Design.from_panel(
        table, unit="unit", period="period", first_treated="start", outcome="y"
    )


def held(name: str, rows: list[pd.Series], truth: float) -> None:
    """Print bias, ratio of standard errors and coverage; hold coverage near 93 to 97 %.

    Near: within two simulation errors of that range. The jackknife keeps weights and is conservative.
    """
    table = pd.DataFrame(rows).astype({"estimate": float, "std_error": float})
    spread = table["estimate"].std()
    covered = ((table["conf_low"] <= truth) & (truth <= table["conf_high"])).mean()
    bias = (table["estimate"].mean() - truth) / spread
    ratio = table["std_error"].mean() / spread
    print(f"\n{name}: bias {bias:+.2f} sd, mean se / sd {ratio:.2f}, coverage {covered:.3f}")
    noise = np.sqrt(0.05 * 0.95 / len(table))
    assert abs(bias) < 0.25
    assert 0.93 - 2 * noise <= covered <= 0.97 + 2 * noise


def simple(estimate: Estimate) -> pd.Series:
    return aggregate(estimate).effects.iloc[0]


@pytest.mark.parametrize(
    ("inference", "worlds"), [("jackknife", 500), ("placebo", 200)], ids=["jackknife", "placebo"]
)
def test_synthetic_did_covers(inference: str, worlds: int) -> None:
    starts = (13,) * 4 + (16,) * 3 + (19,) * 3
    method = SyntheticDiD(inference=inference, draws=100)  # type: ignore[arg-type]  # by name
    fitted = [method.fit(world(seed, n=60, starts=starts)) for seed in range(worlds)]
    held(f"synthetic DiD, {inference}, average", [simple(e) for e in fitted], EFFECT)
    held(f"synthetic DiD, {inference}, month 3", [e.at(3) for e in fitted], EFFECT)


def test_placebo_ranks_have_their_size_with_one_treated() -> None:
    """One of twenty drawn at random: p-values are uniform over the twentieths."""
    p_values = []
    for seed in range(400):
        fitted = SyntheticControl().fit(world(seed, n=20, starts=(17,), n_periods=22))
        p_values.append(float(fitted.extras["fit"]["p_value"].iloc[0]))
    found = np.array(p_values)
    assert found.min() == pytest.approx(1 / 20)
    sizes = [(found <= level + 1e-9).mean() for level in (0.05, 0.10, 0.25)]
    print(f"\nplacebo ranks, one of twenty: rejected at 5, 10, 25 %: {np.round(sizes, 3)}")
    for size, level in zip(sizes, (0.05, 0.10, 0.25), strict=True):
        assert abs(size - level) <= 3 * np.sqrt(level * (1 - level) / found.size)
