"""Starting now rather than never, who starts later being censored: time, memory and contrast.

    python benchmarks/risk_sets.py [--persons 2000 10000 50000] [--peer-python PYTHON]

whatworks and pySEQTarget read one table of simulated person-months (`whatworks.worlds.simulate_waiting`)
from one Parquet file, each in a process of its own, and answer: employed 12 months after starting, against
never. The effect is known by construction. pySEQTarget is looked for where ``--peer-python`` says, and
skipped, saying so, where it is not installed; an answer is stopped at 8 GB or 300 s.

What differs. Ours: entry weighted by the inverse of its chance (`InverseProbability`, ATE, month
intercepts), censoring by a hazard of its own with month intercepts; errors by influence functions,
clustered by person; 18 months of outcome; the gate on the outcome, balance and seal are part of the time.
Peer: the same months as trials; one treatment model for both (pooled logistic on the same histories with a
spline of month, for it cannot predict with month as a factor); a person's first trial has no weight for
entry; one month of outcome, averaged; no error without a bootstrap, and none was asked for.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MOST_BYTES, MOST_SECONDS = 8 << 30, 300
HORIZON = 12
ENTRIES = (5, 15)
LAGS = (1, 2, 3)
PEER = "pySEQTarget"


def write_table(file: Path, persons: int) -> None:
    """One row per person-month: level, employment, its three lags, started or not."""
    worlds = import_module("whatworks.worlds")
    frame = worlds.simulate_waiting(worlds.Waiting(seed=4, n_persons=persons)).frame()
    frame["employed"] = frame["employed"].astype("int8")
    frame["started"] = frame["started"].astype("int8")
    for k in LAGS:
        frame[f"lag{k}"] = frame.groupby("person_id")["employed"].shift(k, fill_value=0)
    frame.to_parquet(file)


def ours(file: Path) -> dict[str, float]:
    ww = import_module("whatworks")
    panel = panel_of(file, ww.connect())
    question = ww.Question(
        treatment="job_search",
        outcome="employment_presence",
        estimand="ATE",
        months=(HORIZON,),
        covariates=("level", *(f"employment.lag{k}" for k in LAGS)),
        first_entry="2021-06",
        last_entry="2022-04",
        later_starts="censor",
    )
    design = ww.compare(panel, question, using=ww.InverseProbability())
    row = ww.WeightedDifference().fit(design).at(HORIZON)
    return {"estimate": float(row["estimate"]), "std_error": float(row["std_error"])}


def panel_of(file: Path, connection: Any) -> Any:
    """The table as a panel of the engine."""
    waiting = import_module("whatworks.worlds.waiting")
    arrow = import_module("pyarrow.parquet").read_table(
        file, columns=["person_id", "month", "level", "employed", "started"]
    )
    months = arrow["month"].to_numpy().max() + 1
    grid = {n: arrow[n].to_numpy().reshape(-1, months) for n in ("level", "employed", "started")}
    started = grid["started"] > 0
    world = waiting.WaitingWorld(
        options=waiting.Waiting(n_persons=len(started), n_months=months),
        level=grid["level"][:, 0],
        employed=grid["employed"] > 0,
        start=started.argmax(axis=1) - (~started.any(axis=1)),
    )
    return waiting.waiting_panel(world, connection)


def peer(file: Path) -> dict[str, float]:
    pl, seq = import_module("polars"), import_module(PEER)
    table = pl.read_parquet(file).with_columns(
        eligible=(
            pl.col("month").is_between(*ENTRIES)
            & (pl.col("started").shift(1).over("person_id") == 0)
        ).cast(pl.Int8)
    )
    # A trial needs the month before it; earlier ones, in which nobody starts, would bend the spline.
    # Time begins at zero: it is checked.
    begin = ENTRIES[0] - 1
    table = table.filter(pl.col("month").is_between(begin, ENTRIES[1] + HORIZON))
    table = table.with_columns(pl.col("month") - begin)
    options = seq.SEQopts(
        weighted=True,
        weight_preexpansion=True,
        numerator="1",
        weight_spline=True,
        weight_spline_df=8,
        end_of_fup=True,
        end_of_fup_time=HORIZON,
        followup_max=HORIZON,
        ncores=1,
    )
    found = seq.SEQuential(
        table,
        id_col="person_id",
        time_col="month",
        eligible_col="eligible",
        treatment_col="started",
        outcome_col="employed",
        time_varying_cols=["lag1", "lag2", "lag3"],
        fixed_cols=["level"],
        method="censoring",
        parameters=options,
    )
    found.expand()
    found.fit()
    found.end_of_followup()
    arms = dict(found.outcome_model[0]["eof"].select("started_bas", "estimate").iter_rows())
    return {"estimate": 100 * (arms[1] - arms[0]), "std_error": float("nan")}


RUNS: dict[str, Callable[[Path], dict[str, float]]] = {"whatworks": ours, PEER: peer}


def alone(name: str, file: Path) -> None:
    """Answer in this process and print what it took; imports are made before the clock starts."""
    import_module({"whatworks": "whatworks.design.compare"}.get(name, name))
    wall, cpu = time.perf_counter(), time.process_time()
    found = RUNS[name](file)
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(found | took | {"peak": peak}))


def measured(name: str, file: Path, python: str) -> str:
    """One line: what an answer took in a process of its own."""
    psutil = import_module("psutil")
    command = [python, __file__, "--alone", name, "--file", str(file)]
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watched = psutil.Process(child.pid)
    while child.poll() is None:
        time.sleep(0.1)
        try:
            held = watched.memory_info().rss
        except psutil.NoSuchProcess:
            break
        if held > MOST_BYTES or time.perf_counter() - start > MOST_SECONDS:
            child.kill()
            child.wait()
            return "stopped at 8 GB" if held > MOST_BYTES else "stopped at 300 s"
    out = child.communicate()[0]
    if child.returncode:
        return f"failed ({child.returncode})"
    told = json.loads(out.splitlines()[-1])
    return (
        f"{told['wall']:7.2f} s wall {told['cpu']:7.2f} s CPU {told['peak'] / 1e6:7,.0f} MB peak"
        f"  effect {told['estimate']:6.2f} (se {told['std_error']:.2f})"
    )


def installed(python: str) -> bool:
    """Whether an interpreter finds the peer."""
    if python == sys.executable:
        return find_spec(PEER) is not None
    command = [python, "-c", f"import {PEER}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, nargs="+", default=[2_000, 10_000, 50_000])
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter of the peer")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        alone(given.alone, given.file)
        return
    truth = import_module("whatworks.worlds.waiting").effect_of_start(HORIZON)[-1]
    print(f"effect at {HORIZON} months, by construction: {truth:.2f} points")
    runs = {"whatworks": sys.executable}
    if installed(given.peer_python):
        runs[PEER] = given.peer_python
    else:
        print(f"{PEER} is not installed: skipped (pip install {PEER}, or --peer-python)")
    with TemporaryDirectory(prefix="whatworks-bench-") as folder:
        for persons in given.persons:
            file = Path(folder) / f"{persons}.parquet"
            write_table(file, persons)
            for name, python in runs.items():
                print(f"{persons:8,} persons  {name:12} {measured(name, file, python)}", flush=True)


if __name__ == "__main__":
    main()
