"""Persons of three systems linked: precision, recall, seconds and memory, with and without NIR.

    python benchmarks/link.py [--persons 200000] [--memory 1500MB] [--seed 1]

A register of known persons is written as three files with typing errors, marriages, moves, twins and
namesakes, read through a mapping, and linked twice: with a NIR on 70 % of the rows, and with none.
Beside it, what an exact join on name, first name and date of birth finds. Each case has a process of its
own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import ibis
import numpy as np
import pandas as pd
from ibis import _

from whatworks.sources import Records, connect, read
from whatworks.spells.link import score
from whatworks.worlds.identities import SYSTEMS, Faults, simulate_register

SECRET = "WHATWORKS_BENCHMARK_SECRET"
PRECISION, RECALL = 0.995, 0.95
CASES = {"with NIR on 70 %": 0.30, "without NIR": 1.0}
SOURCE = """
[sources.{space}]
layout = "snapshots"
files = "{space}.csv"
person = {{ column = "id", space = "{space}" }}
month = {{ column = "month", format = "%Y-%m" }}
measures.truth = {{ column = "person", unit = "rank" }}
[sources.{space}.identity]
nir = "nir"
birth_name = "birth_name"
usage_name = "usage_name"
first_names = ["first_names"]
birth_date = {{ column = "birth_date", format = "%Y-%m-%d" }}
sex = {{ column = "sex", values = {{ F = "F", M = "M" }} }}
birth_commune = "birth_commune"
commune = "commune"
postcode = "postcode"
email = "email"
phone = "phone"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--persons", type=int, default=200_000)
    parser.add_argument("--memory", default="1500MB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", choices=CASES)
    asked = parser.parse_args()
    if asked.case is not None:
        run(asked.case, persons=asked.persons, memory=asked.memory, seed=asked.seed)
        return
    failed = False
    for case in CASES:
        told = subprocess.run([sys.executable, *sys.argv, "--case", case], check=False)
        failed |= told.returncode != 0
    if failed:
        sys.exit(f"below the bar: precision {PRECISION}, recall {RECALL}")


def run(case: str, *, persons: int, memory: str, seed: int) -> None:
    os.environ.setdefault(SECRET, secrets.token_hex(32))
    faults = Faults(nir_missing=CASES[case])
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, persons=persons, faults=faults, seed=seed)
        started = time.perf_counter()
        records = read(folder / "sources.toml", connection=connect(memory_limit=memory))
        after_read = time.perf_counter()
        scored = score(records)
        after_score = time.perf_counter()
        linked = scored.at()
        after_link = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{persons:,} persons, {case}")
    print(
        f"  read {after_read - started:.1f} s, compared {after_score - after_read:.1f} s,"
        f" linked {after_link - after_score:.1f} s, peak memory {peak:,.0f} MB"
    )
    precision, recall = judged(linked)
    print(f"  whatworks   precision {precision:.5f}  recall {recall:.4f}")
    print("  exact join  precision {:.5f}  recall {:.4f}".format(*exact_join(records)))
    print(by_method(linked).to_string())
    rates = linked.linked.rates if linked.linked else pd.DataFrame()
    print(rates[rates["by"].isin(["all", "space"])].to_string(index=False))
    if precision < PRECISION or recall < RECALL:
        sys.exit(1)


def write(folder: Path, *, persons: int, faults: Faults, seed: int) -> None:
    """Files of the three systems; the true person travels as a measure, which linkage cannot see."""
    register = simulate_register(persons, rng=np.random.default_rng(seed), faults=faults)
    rows = register.identities.merge(register.truth, on="person_id")
    rows["id"] = rows["person_id"].str.partition(":")[2]
    rows["month"] = "2024-01"
    for space in SYSTEMS:
        own = rows[rows["space"] == space].drop(columns=["space", "person_id"])
        own.to_csv(folder / f"{space}.csv", sep=";", index=False)
    sources = "".join(SOURCE.format(space=space) for space in SYSTEMS)
    (folder / "sources.toml").write_text(
        f'schema = 1\n[link]\nsecret_env = "{SECRET}"\n{sources}', encoding="utf-8"
    )


def judged(linked: Records) -> tuple[float, float]:
    """Share of the pairs made that are right, and of the right pairs that are made."""
    assert linked.measures is not None
    told = linked.measures
    both = pairs(told, ["person_id", "value"])
    return both / pairs(told, ["person_id"]), both / pairs(told, ["value"])


def pairs(told: ibis.Table, by: list[str]) -> int:
    sizes = told.group_by(by).aggregate(n=_.count())
    return int(sizes.aggregate(pairs=(_.n * (_.n - 1) // 2).sum()).execute()["pairs"].iloc[0])


def exact_join(records: Records) -> tuple[float, float]:
    """The same shares for pairs of two systems with the same capitals, letter for letter."""
    assert records.identities is not None
    assert records.measures is not None
    known = records.identities.join(records.measures.select("person_id", "value"), "person_id")
    key = known.select(
        "space", "value", "birth_date", name=_.birth_name.upper(), first=_.first_names.upper()
    ).filter(_.name.notnull(), _.first.notnull(), _.birth_date.notnull())
    other = key.view()
    alike = ["name", "first", "birth_date"]
    joined = key.join(other, [*(key[c] == other[c] for c in alike), key.space < other.space])
    counts = joined.aggregate(
        made=_.count(), right=(key["value"] == other["value"]).sum()
    ).execute()
    made, right = int(counts["made"].iloc[0]), int(counts["right"].iloc[0])
    return right / made, right / pairs(known, ["value"])


def by_method(linked: Records) -> pd.DataFrame:
    assert linked.linked is not None
    links = linked.linked.links
    shares = links.group_by("method").aggregate(rows=_.count(), probability=_.probability.mean())
    return shares.order_by("method").execute()


if __name__ == "__main__":
    main()
