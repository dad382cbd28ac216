"""Nearest neighbours one to one with replacement: ours, a floor of numpy and scipy, and peers.

    python benchmarks/match.py [--treated 5000 50000] [--space 5000] [--peer causalml=/path/to/python ...]

Ten covariates, four times as many controls as treated, a true effect of 1 in each of 24 months. Each
case has a process of its own: its seconds begin once the data are read, its peak memory is that of the
process. The floor of the propensity is one Newton logit, converged to machine precision, and one sort;
that of Mahalanobis' distance, whitening and a plain KD-tree of scipy. A peer runs in the interpreter it
is installed in, named by ``--peer``; one that is not named, or does not import, is said to be skipped.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

MONTHS = 24
NAMES = [f"x{k}" for k in range(10)]
Data = dict[str, np.ndarray]
Prepared = Callable[[], float]
"""An act to be timed; it answers the effect found in the last month."""


def generate(path: Path, *, treated: int, seed: int) -> None:
    """Correlated covariates; those likelier to be treated are likelier to do well."""
    rng = np.random.default_rng(seed)
    n = 5 * treated
    common = rng.normal(size=(n, 1))
    x = 0.5 * common + rng.normal(size=(n, 10))
    x[:, 7] = np.round(40 + 10 * x[:, 7])
    x[:, 8:] = x[:, 8:] > 0.5
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    index = scaled @ np.linspace(0.4, -0.2, 10)
    chosen = np.argsort(index + rng.logistic(size=n))[-treated:]
    d = np.zeros(n, dtype=bool)
    d[chosen] = True
    y = np.empty((n, MONTHS), dtype=np.float32)
    for month in range(MONTHS):
        y[:, month] = 0.5 * index + d + rng.normal(size=n)
    np.savez(path, x=x, d=d, y=y)


# --- the floors -----------------------------------------------------------------------------


def floor_propensity(data: Data) -> Prepared:
    def act() -> float:
        x, d = np.column_stack([np.ones(data["d"].size), data["x"]]), data["d"]
        beta = np.zeros(x.shape[1])
        for _ in range(50):
            p = 1 / (1 + np.exp(-(x @ beta)))
            step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x, x.T @ (d - p))
            beta += step
            if np.abs(step).max() < 1e-10:
                break
        score = x @ beta
        mine, order = score[d], np.argsort(score[~d])
        theirs = score[~d][order]
        right = np.searchsorted(theirs, mine)
        left, right = np.maximum(right - 1, 0), np.minimum(right, theirs.size - 1)
        nearer = np.abs(theirs[left] - mine) <= np.abs(theirs[right] - mine)
        return difference(data, order[np.where(nearer, left, right)])

    return act


def floor_mahalanobis(data: Data) -> Prepared:
    tree = import_module("scipy.spatial").cKDTree

    def act() -> float:
        root = np.linalg.cholesky(np.linalg.inv(np.cov(data["x"].T)))
        white = data["x"] @ root
        return difference(data, tree(white[~data["d"]]).query(white[data["d"]])[1])

    return act


def difference(data: Data, match: np.ndarray) -> float:
    last = data["y"][:, -1].astype(float)
    return float((last[data["d"]] - last[~data["d"]][match]).mean())


# --- ours -----------------------------------------------------------------------------------


def design_of(data: Data) -> Any:
    """A design not yet matched, of 24 months."""
    ww, pd = import_module("whatworks"), import_module("pandas")
    table = pd.DataFrame(data["x"], columns=NAMES).assign(
        treat=data["d"].astype(int), y=data["y"][:, -1].astype(float)
    )
    design = ww.Design.from_cross_section(table, treatment="treat", outcome="y", covariates=NAMES)
    months = tuple(range(1, MONTHS + 1))
    outcomes = replace(design.outcomes, months=months, values=data["y"].astype(float))
    question = replace(design.question, months=months, primary=MONTHS)
    return replace(design, outcomes=outcomes, question=question)


def chosen(metric: str) -> Callable[[Data], Prepared]:
    def prepare(data: Data) -> Prepared:
        candidates = design_of(data).candidates()
        using = import_module("whatworks").NearestNeighbours(metric=metric)
        d, last = data["d"], data["y"][:, -1].astype(float)

        def act() -> float:
            weight = using.choose(candidates).weight
            means = [np.average(last[arm], weights=weight[arm]) for arm in (d, ~d)]
            return float(means[0] - means[1])

        return act

    return prepare


def effects(data: Data) -> Prepared:
    """The design with its balance, and effects with Abadie-Imbens errors at every month."""
    ww = import_module("whatworks")
    table = import_module("whatworks.evidence.checks.balance").balance_table
    design = design_of(data)

    def act() -> float:
        matched = design.matched(using=ww.NearestNeighbours())
        found = ww.MatchedDifference(errors="abadie_imbens").fit(matched)
        assert len(table(matched)) == len(NAMES)
        assert found.effects["std_error"].notna().all()
        return float(found.effects["estimate"].iloc[-1])

    return act


# --- peers, as their documentation has them ----------------------------------------------------


def frame(data: Data) -> Any:
    table = import_module("pandas").DataFrame(data["x"], columns=NAMES)
    return table.assign(
        id=np.arange(len(table)), treat=data["d"].astype(int), y=data["y"][:, -1].astype(float)
    )
