"""Optimal pairs and full matching beside scipy's assignment, and sets at the size of a region.

Run: ``python benchmarks/optimal.py [pairs|full|sets]``. Prints one line a task: wall and processor seconds,
peak memory of the process, total distance where there is one.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from whatworks import CoarsenedExact, Exact, Subclassification
from whatworks.design.parts import Candidates
from whatworks.stats.cover import full_sets
from whatworks.stats.flow import Within, optimal_pairs
from whatworks.stats.line import pairs_on_line


@contextmanager
def told(task: str) -> Iterator[None]:
    wall, processor = time.perf_counter(), time.process_time()
    yield
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{task:62s} wall {wall:7.2f} s  cpu {processor:7.2f} s  peak {peak:5.2f} GB", flush=True)


def units(n: int, *, width: int, shift: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width)) + shift


def scores(n: int, *, shift: float, seed: int) -> np.ndarray:
    return 1 / (1 + np.exp(1 - units(n, width=1, shift=shift, seed=seed)[:, 0]))


def pairs() -> None:
    for n in (5_000, 50_000):
        one, other = scores(n, shift=0.7, seed=1), scores(4 * n, shift=0.0, seed=2)
        for ratio in (1, 2):
            with told(f"propensity, {ratio}:1, {n:,} in {4 * n:,}"):
                row, column = pairs_on_line(one, other, ratio=ratio)
            print(f"  total {np.abs(one[row] - other[column]).sum():.9f}")
    one, other = scores(5_000, shift=0.7, seed=1), scores(20_000, shift=0.0, seed=2)
    with told("propensity, 1:1, caliper 0.01, 5,000 in 20,000"):
        row, _ = pairs_on_line(one, other, caliper=0.01)
    print(f"  pairs {row.size}")
    points = units(5_000, width=8, shift=0.3, seed=3), units(20_000, width=8, shift=0.0, seed=4)
    with told("8 covariates, 1:1, 5,000 in 20,000"):
        row, column = optimal_pairs(points, Within.everything(5_000, 20_000))
    print(f"  total {np.linalg.norm(points[0][row] - points[1][column], axis=1).sum():.6f}")
    with told("8 covariates, scipy linear_sum_assignment on all distances"):
        distance = cdist(*points)
        row, column = linear_sum_assignment(distance)
    print(f"  total {distance[row, column].sum():.6f}")
    with told("propensity, scipy linear_sum_assignment on all distances"):
        distance = np.abs(one[:, None] - other)
        row, column = linear_sum_assignment(distance)
    print(f"  total {distance[row, column].sum():.9f}")


def full() -> None:
    for n in (5_000, 20_000):
        one = scores(n, shift=0.7, seed=1)[:, None]
        other = scores(4 * n, shift=0.0, seed=2)[:, None]
        with told(f"full on the propensity, {n:,} in {4 * n:,}"):
            full_sets((one, other), Within.everything(n, 4 * n), on_line=True)
        with told(f"full, at most 8 and 2 in a set, {n:,} in {4 * n:,}"):
            full_sets((one, other), Within.everything(n, 4 * n), most=(2, 8), on_line=True)
    points = units(5_000, width=3, shift=0.3, seed=3), units(20_000, width=3, shift=0.0, seed=4)
    with told("full on 3 covariates, 5,000 in 20,000"):
        full_sets(points, Within.everything(5_000, 20_000))


def sets() -> None:
    n, treated = 2_500_000, 500_000
    rng = np.random.default_rng(5)
    covariates = np.column_stack(
        [rng.integers(0, 2, n), rng.integers(18, 66, n), rng.normal(size=n), rng.integers(0, 12, n)]
    ).astype(float)
    given = Candidates(
        treated=np.arange(n) % (n // treated) == 0,
        cell=rng.integers(600, 624, n),
        covariates=covariates,
        names=("sex", "age", "income", "months"),
        weight=np.ones(n),
    )
    with told("exact on 3 covariates and 24 months, 500,000 in 2,000,000"):
        Exact(on=("sex", "age", "months")).choose(given)
    with told("coarsened exact on 4 covariates, 500,000 in 2,000,000"):
        CoarsenedExact().choose(given)
    with told("6 subclasses of the propensity, 500,000 in 2,000,000"):
        Subclassification().choose(given)


TASKS: dict[str, Callable[[], None]] = {"pairs": pairs, "full": full, "sets": sets}

if __name__ == "__main__":
    for name in sys.argv[1:] or TASKS:
        TASKS[name]()
