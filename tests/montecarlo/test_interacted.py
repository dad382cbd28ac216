"""Six estimators of rollouts on worlds that their assumptions describe: bias, and coverage of 95 %.

Five periods, cohorts that start in the third and fourth, others never. Effects differ between cohorts,
grow with time and, where the method says so, with a covariate that bends trends. Run with
``make montecarlo``; what it prints is what the documentation quotes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from whatworks import (
    Design,
    ExtendedTwoWay,
    RandomTiming,
    RollingDiD,
    StackedDiD,
    SunAbraham,
    TripleDifference,
    aggregate,
)
from whatworks.vocabulary import DesignClass

DRAWS = 400
PERIODS = np.arange(1, 6)
STARTS = np.array([0, 3, 4])
SHARES = np.array([0.4, 0.35, 0.25])
Floats = NDArray[np.float64]
pytestmark = pytest.mark.montecarlo


def effect(start: NDArray[np.int64], x: Floats | float = 0.0) -> Floats:
    """Effect in every period on units of a start, shape (n, 5)."""
    since = PERIODS - start[:, None]
    treated = (start[:, None] > 0) & (since >= 0)
    size = 1.0 + 0.4 * since + 0.5 * (start[:, None] == 4) + 0.6 * np.reshape(x, (-1, 1))
    return np.asarray(np.where(treated, size, 0.0))


def truth(mean: Callable[[int], float] = lambda g: 0.0) -> float:
    """Average over cells by the cohorts' shares."""
    each = [effect(np.array([g]), mean(g))[0] for g in (3, 4)]
    mass = SHARES[1:] * [(g <= PERIODS).sum() for g in (3, 4)]
    return float(sum(p * e.sum() for p, e in zip(SHARES[1:], each, strict=True)) / mass.sum())


def world(rng: np.random.Generator, *, n: int = 300, markets: int = 0) -> dict[str, Any]:
    """Starts, noise with a memory, and a covariate whose mean differs by cohort."""
    if markets:
        market = np.arange(n) % markets
        start = rng.choice(STARTS, markets, p=SHARES)[market]
        shared = rng.normal(size=(markets, 5))[market] * 0.4
    else:
        market, start, shared = np.arange(n), rng.choice(STARTS, n, p=SHARES), 0.0
    noise = rng.normal(size=(n, 5))
    for t in range(1, 5):
        noise[:, t] += 0.5 * noise[:, t - 1]
    x = rng.normal(size=n) + 0.5 * (start == 3)
    values = rng.normal(size=(n, 1)) + 0.5 * (start[:, None] == 3) + 0.1 * PERIODS + noise + shared
    return {"start": start, "x": x, "values": values, "market": market}


def design(made: dict[str, Any], *, covariates: tuple[str, ...] = ()) -> Design:
    n = made["start"].size
    table = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), 5),
            "t": np.tile(PERIODS, n),
            "y": made["values"].ravel(),
            **{name: np.repeat(made[name], 5) for name in ("start", "market", *covariates)},
        }
    )
    return Design.from_panel(
        table,
        unit="id",
        period="t",
        first_treated="start",
        outcome="y",
        covariates=covariates,
        market="market",
    )


def plain(rng: np.random.Generator) -> Design:
    made = world(rng)
    made["values"] += effect(made["start"])
    return design(made)


def by_market(rng: np.random.Generator) -> Design:
    made = world(rng, n=400, markets=40)
    made["values"] += effect(made["start"])
    return design(made)


def bent(rng: np.random.Generator) -> Design:
    """Trends and effects that depend on the covariate."""
    made = world(rng)
    made["values"] += effect(made["start"], made["x"]) + 0.3 * PERIODS * made["x"][:, None]
    return design(made, covariates=("x",))


def sloped(rng: np.random.Generator) -> Design:
    """Cohorts that go up at their own pace."""
    made = world(rng)
    made["values"] += effect(made["start"]) + 0.4 * PERIODS * (made["start"][:, None] == 3)
    return design(made)


def concerned(rng: np.random.Generator) -> Design:
    """Only the eligible gain; cohorts and the eligible have paths of their own, bent by the covariate."""
    made = world(rng, n=600)
    made["young"] = (rng.random(600) < 0.4 + 0.2 * (made["start"] == 3)).astype(int)
    young = made["young"][:, None]
    made["values"] += young * effect(made["start"], made["x"])
    made["values"] += 0.3 * PERIODS * (made["start"][:, None] == 3) + 0.2 * PERIODS * young
    made["values"] += 0.2 * PERIODS * made["x"][:, None] * (1 + young)
    return design(made, covariates=("young", "x"))


WORLDS: dict[str, tuple[Any, Callable[[np.random.Generator], Design], float]] = {
    "SunAbraham": (SunAbraham(), plain, truth()),
    "SunAbraham by market": (SunAbraham(cluster="market"), by_market, truth()),
    "StackedDiD": (StackedDiD(before=2, after=1), plain, np.nan),
    "ExtendedTwoWay": (ExtendedTwoWay(), bent, truth(lambda g: 0.5 * (g == 3))),
    "ExtendedTwoWay by market": (ExtendedTwoWay(cluster="market"), by_market, truth()),
    "RollingDiD": (
        RollingDiD(adjustment="doubly_robust"),
        bent,
        truth(lambda g: 0.5 * (g == 3)),
    ),
    "RollingDiD, detrended": (RollingDiD(detrend=True), sloped, truth()),
    "TripleDifference": (TripleDifference(eligible="young"), concerned, np.nan),
}


def target(name: str) -> float:
    """What the average of a method is an estimate of."""
    if name == "StackedDiD":  # months 0 and 1 only, over the same cohorts
        each = [effect(np.array([g]))[0][g <= PERIODS][:2].mean() for g in (3, 4)]
        return float(SHARES[1:] @ each / SHARES[1:].sum())
    if name == "TripleDifference":  # cohorts count by their eligible
        part = SHARES[1:] * [0.6, 0.4]
        each = [effect(np.array([g]), 0.5 * (g == 3))[0] for g in (3, 4)]
        cells = part * [(g <= PERIODS).sum() for g in (3, 4)]
        return float(sum(p * e.sum() for p, e in zip(part, each, strict=True)) / cells.sum())
    return WORLDS[name][2]


def verdict(name: str, rows: pd.DataFrame, wanted: float, *, most: float = 0.97) -> None:
    """Print and hold bias, ratio of standard errors, and coverage."""
    points, spread = rows["estimate"], rows["estimate"].std(ddof=1)
    bias = (points.mean() - wanted) / spread
    share = ((rows["conf_low"] <= wanted) & (wanted <= rows["conf_high"])).mean()
    noise = 1 / np.sqrt(len(rows))
    print(
        f"\n{name}: bias {bias:+.2f} of one sd (noise {noise:.2f}), "
        f"mean se / sd {rows['std_error'].mean() / spread:.2f}, coverage {share:.3f} of {len(rows)}"
    )
    assert abs(bias) < 3 * noise
    assert 0.93 <= share <= most


@pytest.mark.parametrize("name", list(WORLDS))
def test_average_effect(name: str) -> None:
    estimator, make, _ = WORLDS[name]
    rows = [
        aggregate(estimator.fit(make(np.random.default_rng([7, seed])))).effects.iloc[0]
        for seed in range(DRAWS)
    ]
    verdict(name, pd.DataFrame(rows), target(name))


@pytest.mark.parametrize(("differing", "most"), [(0.0, 0.97), (1.0, 1.0)])
def test_timing_drawn_again_and_again(differing: float, most: float) -> None:
    """One population; only who starts when is drawn.

    When each unit has its own effect, no error that can be estimated is small enough: intervals may
    hold more often than they say, never less.
    """
    made = world(np.random.default_rng(11))
    own = differing * np.random.default_rng(12).normal(size=(300, 1))
    sizes = np.array([120, 105, 75])
    rows = []
    for seed in range(DRAWS):
        start = np.random.default_rng([13, seed]).permutation(np.repeat(STARTS, sizes))
        gain = effect(start) + (effect(start) > 0) * own
        drawn = design({**made, "start": start, "values": made["values"] + gain})
        drawn = replace(drawn, design_class=DesignClass.RANDOMISED)
        rows.append(RandomTiming().fit(drawn).at(0, term="average"))
    cells = sizes[1:] * [(g <= PERIODS).sum() for g in (3, 4)]
    each = [effect(np.array([g]))[0].sum() for g in (3, 4)]
    wanted = float(sizes[1:] @ each / cells.sum() + own.mean())
    verdict(
        f"RandomTiming, effects {differing:.0f} sd apart", pd.DataFrame(rows), wanted, most=most
    )
