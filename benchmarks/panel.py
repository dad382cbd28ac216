"""Spells to a person-month panel in Parquet, from 1 to 50 million spells, beside the naive expansion.

    python benchmarks/panel.py [--spells 1 5 10 25 50] [--months 30] [--memory 4GB] [--threads 2]

The sample's stays are stretched inside the engine: copies of its persons, each with its own shift of up
to two months. Every size is built in a process of its own. Prints, for each: spells, panel rows, seconds
of `reconcile` and of `build`, rows per second of both together, seconds of processor, and the greatest
resident memory; then
the same panel by pandas (one row per spell and month, grouped, joined to all persons and months) at the
sizes it can hold. Ends with 1 when each million spells more costs a
fifth more processor at one size than at another.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import whatworks as ww
from whatworks.panel import build
from whatworks.sources.carrying import read_records, write_records

SAMPLE = Path(__file__).parents[1] / "data" / "synthetic" / "sources.toml"
MILLION = 1_000_000
FIRST = "2021-01"
PERSONS_PER_SPELL = 0.2


def stretch(folder: Path, spells: int, memory: str, threads: int) -> Path:
    """Write records of so many spells and a fifth as many persons."""
    made = folder / "records"
    records = ww.read(SAMPLE, connection=ww.connect(memory_limit=memory, threads=threads))
    write_records(records, made)
    engine = records.connection
    stays = engine.to_pyarrow(ww.reconcile(records).table)
    people = engine.to_pyarrow(records.persons)
    con = engine.con
    con.register("stays", stays)
    con.register("people", people)
    copies = -(-int(spells * PERSONS_PER_SPELL) // people.num_rows)
    keep = spells / (stays.num_rows * copies)
    kept = f"hash(s.person_id, start, code, k) % 100000 < {keep * 100_000}"
    if keep > 1:
        raise SystemExit("the sample has fewer than five spells a person")
    con.execute(
        f"COPY (SELECT p.* REPLACE (p.person_id || '-' || k AS person_id)"
        f" FROM range({copies}) t(k), people p) TO '{made}/persons.parquet' (compression zstd)"
    )
    con.execute(
        f"COPY (SELECT 'stretched' AS source, s.person_id || '-' || k AS person_id, kind, code,"
        f' start + shift AS start, if(open_ended, NULL, "end" + shift) AS "end",'
        f" NULL::VARCHAR AS scheme, NULL::DOUBLE AS intensity"
        f" FROM (SELECT s.*, k, (hash(s.person_id, k) % 61)::INT AS shift FROM range({copies}) t(k), stays s"
        f" WHERE {kept}) s) TO '{made}/episodes.parquet' (compression zstd)"
    )
    con.execute(f"COPY (FROM '{made}/states.parquet' LIMIT 0) TO '{made}/none.parquet'")
    (made / "none.parquet").replace(made / "states.parquet")
    about = json.loads((made / "records.json").read_text(encoding="utf-8"))
    for coverage in about["coverage"]:
        coverage["source"] = "stretched"
    (made / "records.json").write_text(json.dumps(about), encoding="utf-8")
    return made


def last_month(months: int) -> str:
    """Last month of the window."""
    return str(pd.Period(FIRST, "M") + months - 1)


def ours(made: Path, folder: Path, months: int, memory: str, threads: int) -> dict[str, float]:
    """Reconcile and build, once."""
    con = ww.connect(memory_limit=memory, threads=threads, directory=folder)
    records = read_records(made, con)
    begin, cpu = time.perf_counter(), time.process_time()
    spells = ww.reconcile(records)
    reconciled = time.perf_counter()
    panel = build(spells, folder / "panel", first=FIRST, last=last_month(months), progress=say)
    done, cpu = time.perf_counter(), time.process_time() - cpu
    # Files alone, as a reader would count them.
    rows = int(panel.table.count().execute())
    written = sum(f.stat().st_size for f in (folder / "panel").rglob("*.parquet"))
    return {
        "spells": float(spells.table.count().execute()),
        "rows": rows,
        "reconcile": reconciled - begin,
        "build": done - reconciled,
        "cpu": cpu,
        "bytes": written,
    }


def say(what: str) -> None:
    """Say what goes on, and when."""
    print(f"    {time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def naive(made: Path, months: int) -> dict[str, float]:
    """Expand as one would in a notebook; merging of overlaps left out, to its advantage."""
    stays = pd.read_parquet(made / "episodes.parquet", dtype_backend="numpy_nullable")
    people = pd.read_parquet(made / "persons.parquet")["person_id"]
    begin, cpu = time.perf_counter(), time.process_time()
    first = pd.Period(FIRST, "M").ordinal
    low = pd.to_datetime(stays["start"]).dt.to_period("M").astype("int64").clip(lower=first)
    end = pd.to_datetime(stays["end"]).fillna(pd.Timestamp("2023-12-31"))
    high = end.dt.to_period("M").astype("int64").clip(upper=first + months - 1)
    state = stays["kind"] + "_" + stays["code"]
    lists = [range(a, b + 1) for a, b in zip(low, high, strict=True)]
    long = pd.DataFrame({"person_id": stays["person_id"], "state": state, "month": lists})
    long = long.explode("month").dropna()
    wide = long.assign(one=1).pivot_table(
        index=["person_id", "month"], columns="state", values="one", aggfunc="max", fill_value=0
    )
    grid = pd.MultiIndex.from_product(
        [people, np.arange(first, first + months)], names=["person_id", "month"]
    )
    panel = wide.reindex(grid, fill_value=0).reset_index()
    panel.to_parquet(made.parent / "naive.parquet")
    return {
        "spells": float(len(stays)),
        "rows": float(len(panel)),
        "reconcile": 0.0,
        "build": time.perf_counter() - begin,
        "cpu": time.process_time() - cpu,
        "bytes": float((made.parent / "naive.parquet").stat().st_size),
    }


def one(way: str, spells: int, given: argparse.Namespace) -> dict[str, float]:
    """One size, in this process."""
    with TemporaryDirectory(dir=given.directory) as name:
        folder = Path(name)
        again = [sys.executable, __file__, "--stretch", str(folder), "--only", str(spells)]
        subprocess.run([*again, "--memory", given.memory], check=True)
        made = folder / "records"
        if way == "pandas":
            found = naive(made, given.months)
        else:
            found = ours(made, folder, given.months, given.memory, given.threads)
        found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return found


def table(way: str, sizes: list[float], given: argparse.Namespace) -> list[dict[str, float]]:
    """Every size, each in a process of its own; one line each."""
    found = []
    for size in sizes:
        command = [sys.executable, __file__, "--way", way, "--only", str(int(size * MILLION))]
        options = ["--months", str(given.months), "--memory", given.memory]
        where = ["--threads", str(given.threads), "--directory", str(given.directory)]
        said = subprocess.run(
            [*command, *options, *where], stdout=subprocess.PIPE, text=True, check=False
        )
        if said.returncode:
            print(
                f"{way:<10} {size:>5} M spells: did not finish (code {said.returncode})", flush=True
            )
            break
        row = json.loads(said.stdout.splitlines()[-1])
        seconds = row["reconcile"] + row["build"]
        print(
            f"{way:<10} {row['spells'] / MILLION:6.2f} M spells {row['rows'] / MILLION:7.1f} M rows"
            f" {row['reconcile']:8.1f} s reconcile {row['build']:8.1f} s build"
            f" {row['rows'] / seconds / MILLION:6.2f} M rows/s"
            f" {row['cpu']:8.1f} s CPU {MILLION * row['cpu'] / row['spells']:6.2f} s CPU per M spells"
            f" {row['peak']:7.0f} MiB peak {row['bytes'] / 1e6:8.0f} MB",
            flush=True,
        )
        found.append(row)
    return found


def main() -> int:
    """Print the table; 1 when growth is not linear within a fifth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spells", type=float, nargs="+", default=[1, 5, 10, 25, 50])
    parser.add_argument("--naive", type=float, nargs="*", default=[0.5, 1, 2])
    parser.add_argument("--months", type=int, default=30)
    parser.add_argument("--memory", default="4GB", help="limit of the engine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--way", default="whatworks", help=argparse.SUPPRESS)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--stretch", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stretch is not None:
        stretch(given.stretch, given.only, given.memory, given.threads)
        return 0
    if given.only is not None:
        print(json.dumps(one(given.way, given.only, given)))
        return 0
    rows = table("whatworks", given.spells, given)
    if given.naive:
        table("pandas", given.naive, given)
    if not rows:
        return 1
    cost = [MILLION * row["cpu"] / row["spells"] for row in rows]
    line = sum(cost) / len(cost)
    off = [c / line - 1 for c in cost]
    text = ", ".join(f"{o:+.0%}" for o in off)
    print(f"one straight line: {line:.2f} CPU seconds per million spells; sizes off it by {text}")
    return int(len(rows) < len(given.spells) or max(map(abs, off)) > 0.2)


if __name__ == "__main__":
    sys.exit(main())
