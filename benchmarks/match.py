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
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from apart import asked_apart, peak, pythons_of, timed

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
        n = data["d"].size
        candidates = import_module("whatworks.design.parts").Candidates(
            treated=data["d"],
            cell=np.zeros(n, dtype=np.int64),
            covariates=data["x"],
            names=tuple(NAMES),
            weight=np.ones(n),
        )
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


def paired(data: Data, treated: np.ndarray, control: np.ndarray) -> float:
    """Mean difference of pairs given by row."""
    last = data["y"][:, -1].astype(float)
    return float((last[np.asarray(treated)] - last[np.asarray(control)]).mean())


def causalml(data: Data) -> Prepared:
    """It takes a score of the user's: a logit of scikit-learn here, converged."""
    match = import_module("causalml.match").NearestNeighborMatch
    logistic = import_module("sklearn.linear_model").LogisticRegression
    table = frame(data)

    def act() -> float:
        model = logistic(C=1e10, tol=1e-8, max_iter=1_000, solver="newton-cholesky")
        model.fit(data["x"], data["d"])
        table["score"] = model.decision_function(data["x"])
        found = match(caliper=1e9, replace=True, ratio=1, random_state=0).match(
            table, treatment_col="treat", score_cols=["score"]
        )
        means = found.groupby("treat")["y"].mean()
        return float(means[1] - means[0])

    return act


def dowhy(data: Data) -> Prepared:
    model = import_module("dowhy").CausalModel
    table = frame(data)

    def act() -> float:
        causal = model(table, treatment="treat", outcome="y", common_causes=NAMES)
        identified = causal.identify_effect(proceed_when_unidentifiable=True)
        name = "backdoor.propensity_score_matching"
        found = causal.estimate_effect(identified, method_name=name, target_units="att")
        return float(found.value)

    return act


def pyrollmatch(metric: str) -> Callable[[Data], Prepared]:
    def prepare(data: Data) -> Prepared:
        polars, rollmatch = import_module("polars"), import_module("pyrollmatch").rollmatch
        columns = {name: data["x"][:, k] for k, name in enumerate(NAMES)}
        n = data["d"].size
        table = polars.DataFrame(
            {
                "id": np.arange(n),
                "tm": np.ones(n, dtype=np.int64),
                "entry": np.where(data["d"], 2, 99),
                "treat": data["d"].astype(np.int64),
                **columns,
            }
        )

        def act() -> float:
            found = rollmatch(
                table,
                treat="treat",
                tm="tm",
                entry="entry",
                id="id",
                covariates=NAMES,
                num_matches=1,
                replacement="unrestricted",
                model_type=metric,
                verbose=False,
            ).matched_data
            return paired(data, found["treat_id"].to_numpy(), found["control_id"].to_numpy())

        return act

    return prepare


def pymatchit(metric: str) -> Callable[[Data], Prepared]:
    def prepare(data: Data) -> Prepared:
        matchit = import_module("pymatchit").MatchIt
        table = frame(data)

        def act() -> float:
            found = matchit(table, method="nearest", distance=metric, replace=True)
            found.fit("treat ~ " + " + ".join(NAMES))
            pairs = found.matches()
            return paired(data, pairs["treated_index"], pairs["control_index"])

        return act

    return prepare


def statspai(metric: str) -> Callable[[Data], Prepared]:
    def prepare(data: Data) -> Prepared:
        match = import_module("statspai").match
        table = frame(data)

        def act() -> float:
            found = match(
                table, y="y", treat="treat", covariates=NAMES, distance=metric, replace=True
            )
            return float(found.estimate)

        return act

    return prepare


# --- cases ----------------------------------------------------------------------------------

OWN = "whatworks"
PROPENSITY: dict[str, tuple[str, Callable[[Data], Prepared]]] = {
    "floor": (OWN, floor_propensity),
    "whatworks, chosen": (OWN, chosen("linear_propensity")),
    "whatworks, chosen + balance + 24 effects": (OWN, effects),
    "causalml": ("causalml", causalml),
    "dowhy": (OWN, dowhy),
    "pyrollmatch": ("pyrollmatch", pyrollmatch("logistic")),
    "pymatchit-causal": ("pymatchit", pymatchit("glm")),
    "StatsPAI": ("statspai", statspai("propensity")),
}
MAHALANOBIS: dict[str, tuple[str, Callable[[Data], Prepared]]] = {
    "floor": (OWN, floor_mahalanobis),
    "whatworks, overall covariance": (OWN, chosen("mahalanobis")),
    "whatworks, covariance within arms": (OWN, chosen("mahalanobis_pooled")),
    "pyrollmatch": ("pyrollmatch", pyrollmatch("mahalanobis")),
    "pymatchit-causal": ("pymatchit", pymatchit("mahalanobis")),
    "StatsPAI": ("statspai", statspai("mahalanobis")),
}
SETS = {"propensity": PROPENSITY, "mahalanobis": MAHALANOBIS}
SMALL = 5_000
"""Peers that compare everyone with everyone are asked no more than this many treated."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--treated", type=int, nargs="*", default=[5_000, 50_000])
    parser.add_argument("--space", type=int, nargs="*", default=[5_000, 50_000])
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", nargs=3, metavar=("SET", "CASE", "DATA"))
    asked = parser.parse_args()
    if asked.case:
        run(*asked.case)
        return
    pythons = pythons_of(asked.peer, own=OWN)
    for kind, sizes in (("propensity", asked.treated), ("mahalanobis", asked.space)):
        for size in sizes:
            with TemporaryDirectory() as folder:
                path = Path(folder) / "data.npz"
                generate(path, treated=size, seed=asked.seed)
                print(f"\n{kind}, {size:,} treated among {5 * size:,}")
                table(kind, size, path, pythons, seconds=asked.seconds)


def table(kind: str, size: int, path: Path, pythons: dict[str, str], *, seconds: float) -> None:
    """One line per case, beside the floor."""
    floor = float("nan")
    for case, (place, _) in SETS[kind].items():
        brute = kind == "mahalanobis" and place != OWN
        if place not in pythons or (brute and size > SMALL):
            why = "not asked at this size" if place in pythons else "no interpreter named"
            print(f"  {case:42s} skipped: {why}", flush=True)
            continue
        command = [pythons[place], __file__, "--case", kind, case, str(path)]
        found = asked_apart(command, seconds=seconds)
        if isinstance(found, str):
            print(f"  {case:42s} {found}", flush=True)
            continue
        floor = found["cpu"] if case == "floor" else floor
        print(
            f"  {case:42s} cpu {found['cpu']:8.3f} s ({found['cpu'] / floor:5.2f} floors)"
            f"  wall {found['wall']:8.3f} s  peak {found['peak']:6,.0f} MB, of which the act"
            f" {found['peak'] - found['loaded']:6,.0f}  effect {found['effect']:.5f}",
            flush=True,
        )


def run(kind: str, case: str, path: str) -> None:
    """One case, timed by itself, once what it needs is loaded."""
    warnings.simplefilter("ignore")
    data = dict(np.load(path))
    act = SETS[kind][case][1](data)
    loaded = peak()
    print(json.dumps({**timed(act), "loaded": loaded}))


if __name__ == "__main__":
    main()
