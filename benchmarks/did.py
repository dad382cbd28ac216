"""Group-time effects of a rollout, Callaway and Sant'Anna: ours and peers.

    python benchmarks/did.py [--size 10000x12 100000x24] [--peer diff-diff=/path/to/python ...]

Six cohorts, two units in five never treated, five covariates or none, never- and not-yet-treated
comparisons, analytic errors by unit, then effects by month since the start. Each case has a process of
its own, which makes the same table as all others: seconds begin once it stands, and go from that table to
effects with errors. Peak memory is that of the process, table and imported modules included; the table
alone, and what was in use before it, are told beside. A peer runs in the interpreter it is installed
in, named by ``--peer``; one not named, or that does not import, is said to be skipped. ``--compact``
gives whole numbers and outcomes their narrowest types, as tens of millions of units ask.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from apart import asked_apart, peak, pythons_of, timed

COHORTS = 6
NAMES = [f"x{k}" for k in range(5)]
CHUNK = 100_000
Act = Callable[[], float]
"""What is timed; it answers the effect of the first cohort in the last period."""


def first_periods(n_periods: int) -> np.ndarray:
    return np.linspace(n_periods // 4 + 1, n_periods - 1, COHORTS).astype(int)


def table_of(n: int, n_periods: int, *, covariates: int, compact: bool) -> Any:
    """Rows by unit then period, made some units at a time so that little else is ever held."""
    whole, real = (np.int64, np.float64) if not compact else (np.int32, np.float32)
    small = np.int64 if not compact else np.int8
    rows = n * n_periods
    columns = {
        "id": np.empty(rows, dtype=whole),
        "t": np.empty(rows, dtype=small),
        "g": np.empty(rows, dtype=small),
        "y": np.empty(rows, dtype=real),
        **{name: np.empty(rows, dtype=real) for name in NAMES[:covariates]},
    }
    t = np.arange(1, n_periods + 1)
    for number, begin in enumerate(range(0, n, CHUNK)):
        rng = np.random.default_rng([7, number])
        size = min(CHUNK, n - begin)
        x = rng.normal(size=(size, 5))
        x[:, 4] = x[:, 4] > 0.3
        never = rng.random(size) < 0.4 + 0.1 * np.tanh(x[:, 0] - 0.5 * x[:, 1])
        start = np.where(never, 0, first_periods(n_periods)[rng.integers(0, COHORTS, size)])
        y = rng.normal(size=(size, n_periods)) + rng.normal(size=(size, 1)) + 0.1 * t
        y += (x @ np.array([0.5, 0.2, 0.0, 0.1, 0.3]))[:, None] * t / n_periods
        y += (start[:, None] > 0) & (t >= start[:, None])
        part = slice(begin * n_periods, (begin + size) * n_periods)
        columns["id"][part] = np.repeat(np.arange(begin, begin + size), n_periods)
        columns["t"][part] = np.tile(t, size)
        columns["g"][part] = np.repeat(start, n_periods)
        columns["y"][part] = y.ravel()
        for k, name in enumerate(NAMES[:covariates]):
            columns[name][part] = np.repeat(x[:, k], n_periods)
    return import_module("pandas").DataFrame(columns, copy=False)


# --- ours and peers, as their documentation has them -------------------------------------------


def whatworks(table: Any, names: list[str], control: str) -> Act:
    ww = import_module("whatworks")
    design_of, method = ww.Design, ww.CallawaySantAnna  # names load when first used

    def act() -> float:
        design = design_of.from_panel(
            table, unit="id", period="t", first_treated="g", outcome="y", covariates=names
        )
        effects = method(control=control).fit(design).effects
        mine = effects[effects["cohort"] == effects["cohort"].where(effects["cohort"] > 0).min()]
        return float(mine["estimate"].iloc[-1])

    return act


def redrawn(table: Any, names: list[str], control: str) -> Act:
    """The same, then a thousand draws of the multiplier bootstrap."""
    ww = import_module("whatworks")

    def act() -> float:
        design = ww.Design.from_panel(
            table, unit="id", period="t", first_treated="g", outcome="y", covariates=names
        )
        estimate = ww.CallawaySantAnna(control=control).fit(design)
        held = hasattr(estimate.uncertainty, "cluster")
        effects = ww.bootstrap(estimate, multipliers="rademacher" if held else "normal").effects
        mine = effects[effects["cohort"] == effects["cohort"].where(effects["cohort"] > 0).min()]
        return float(mine["estimate"].iloc[-1])

    return act


def diff_diff(table: Any, names: list[str], control: str) -> Act:
    estimator = import_module("diff_diff").CallawaySantAnna

    def act() -> float:
        found = estimator(control_group=control).fit(
            table,
            outcome="y",
            unit="id",
            time="t",
            first_treat="g",
            covariates=names or None,
            aggregate="event_study",
        )
        cells = found.group_time_effects
        return float(cells[min(g for g, _ in cells), table["t"].iloc[-1]]["effect"])

    return act


def csdid(table: Any, names: list[str], control: str) -> Act:
    estimator = import_module("csdid.att_gt").ATTgt

    def act() -> float:
        found = estimator(
            yname="y",
            tname="t",
            idname="id",
            gname="g",
            data=table,
            control_group=[control.replace("_", "")],
            xformla="y~" + ("+".join(names) or "1"),
        ).fit(est_method="dr", bstrap=False)
        found.aggte("dynamic", bstrap=False, cband=False)
        cells = found.results
        last = max(k for k, g in enumerate(cells["group"]) if g == min(cells["group"]))
        return float(cells["att"][last])

    return act


def moderndid(table: Any, names: list[str], control: str) -> Act:
    module = import_module("moderndid")

    def act() -> float:
        found = module.att_gt(
            table,
            yname="y",
            tname="t",
            idname="id",
            gname="g",
            xformla="~" + ("+".join(names) or "1"),
            control_group=control.replace("_", ""),
            cband=False,
        )
        module.aggte(found, type="dynamic", cband=False)
        mine = np.asarray(found.groups) == np.min(found.groups)
        return float(np.asarray(found.att_gt)[mine][-1])

    return act


def differences(table: Any, names: list[str], control: str) -> Act:
    """It wants the index to be unit and period, and no cohort where never treated."""
    estimator = import_module("differences").ATTgt
    indexed = table.assign(g=table["g"].where(table["g"] > 0)).set_index(["id", "t"])

    def act() -> float:
        found = estimator(data=indexed, cohort_column="g")
        cells = found.fit(
            "y" + (" ~ " + " + ".join(names) if names else ""),
            est_method="dr",
            control_group=control,
            progress_bar=False,
        ).to_pandas()
        found.aggregate("event")
        cohort = cells.index.get_level_values(0)
        return float(cells[cohort == cohort.min()].iloc[-1, 0])

    return act


def pyfixest(table: Any, names: list[str], control: str) -> Act:
    """Two-way effects saturated by cohort and month (Sun and Abraham): another estimator."""
    if names or control != "never_treated":
        message = "no such option"
        raise ValueError(message)
    study = import_module("pyfixest").event_study

    def act() -> float:
        found = study(table, "y", "id", "t", "g", cluster="id", estimator="saturated")
        return float(found.coef().iloc[-1])

    return act


OWN = "whatworks"
CASES: dict[str, tuple[str, Callable[[Any, list[str], str], Act]]] = {
    "whatworks": (OWN, whatworks),
    "whatworks, and 1,000 draws": (OWN, redrawn),
    "diff-diff": ("diff-diff", diff_diff),
    "csdid": ("csdid", csdid),
    "moderndid": ("moderndid", moderndid),
    "differences": ("differences", differences),
    "pyfixest, saturated": ("pyfixest", pyfixest),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", nargs="*", default=["10000x12", "100000x24"], metavar="NxT")
    parser.add_argument("--covariates", type=int, nargs="*", default=[5, 0])
    parser.add_argument("--control", nargs="*", default=["never_treated", "not_yet_treated"])
    parser.add_argument("--only", nargs="*", default=list(CASES), metavar="CASE")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--compact", action="store_true")
    parser.add_argument("--case", nargs=4, metavar=("CASE", "SIZE", "COVARIATES", "CONTROL"))
    asked = parser.parse_args()
    if asked.case:
        run(*asked.case, compact=asked.compact)
        return
    pythons = pythons_of(asked.peer, own=OWN)
    for size in asked.size:
        for covariates in asked.covariates:
            for control in asked.control:
                print(f"\n{size}, {covariates} covariates, {control}", flush=True)
                for case in asked.only:
                    options = [case, size, str(covariates), control]
                    print(f"  {case:28s} " + told(options, pythons, asked), flush=True)


def told(options: list[str], pythons: dict[str, str], asked: argparse.Namespace) -> str:
    """One line: what a case took, or why it did not run."""
    place = CASES[options[0]][0]
    if place not in pythons:
        return "skipped: no interpreter named"
    command = [pythons[place], __file__, "--case", *options]
    one = asked_apart(command + ["--compact"] * asked.compact, seconds=asked.seconds)
    if isinstance(one, str):
        return one
    return (
        f"cpu {one['cpu']:8.3f} s  wall {one['wall']:8.3f} s  peak {one['peak']:7,.0f} MB"
        f" (modules {one['modules']:4,.0f}, table {one['table']:6,.0f})  effect {one['effect']:.8f}"
    )


def run(case: str, size: str, covariates: str, control: str, *, compact: bool) -> None:
    """One case, timed by itself, once it ran on a thousand units and so has all it needs loaded."""
    warnings.simplefilter("ignore")
    n, n_periods = (int(part) for part in size.split("x"))
    some = table_of(1_000, n_periods, covariates=int(covariates), compact=False)
    names = NAMES[: int(covariates)]
    act = CASES[case][1]
    act(some, names, control)()  # modules are read in here, and what they load when first used
    modules = peak()
    table = table_of(n, n_periods, covariates=int(covariates), compact=compact)
    found = timed(act(table, names, control))
    held = float(table.memory_usage(index=False).sum()) / 2**20
    print(json.dumps({**found, "modules": modules, "table": held}))


if __name__ == "__main__":
    main()
