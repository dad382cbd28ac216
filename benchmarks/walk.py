"""Time and peak memory of each room, from raw files to effects: one million spells of 200,000 persons.

    python benchmarks/walk.py [--persons 200000] [--memory 1500MB]

Prints one line per room: wall seconds, CPU seconds of the process, and the greatest resident memory so far.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from whatworks import (
    MatchedDifference,
    NearestNeighbours,
    Question,
    compare,
    connect,
    expand,
    read,
    reconcile,
    weigh,
)

MAPPING = """
schema = 1
[sources.people]
layout = "persons"
files = "people.csv"
person = { column = "id" }
[sources.people.attributes]
sex = { column = "sex", type = "category" }
market = { column = "market", type = "category" }
birth_month = { column = "birth", type = "month", format = "%Y-%m" }
"""
SOURCE = """
[sources.{name}]
layout = "spells"
files = "{name}.csv"
kind = "{kind}"
person = {{ column = "id" }}
coverage = ["2019-01", "2023-12"]
start = {{ column = "start", format = "%Y-%m-%d" }}
end = {{ column = "end", format = "%Y-%m-%d", open = [""] }}
code = {{ column = "code", values = {{ {codes} }} }}
duplicates = "count"
"""
KINDS = {
    "contracts": ("employment", ("cdi", "cdd", "interim"), 2),
    "rsa": ("benefit", ("rsa",), 2),
    "operator": (
        "accompaniment",
        ("job_search", "aided_contract", "work_integration", "social_participation",
         "access_to_rights", "intensive_integrated"),
        1,
    ),
}  # fmt: skip


def write_files(folder: Path, persons: int) -> int:
    """Five spells a person, written by the engine; returns the number of spells."""
    engine = duckdb.connect()
    engine.execute("select setseed(0.4)")
    text, total = MAPPING, 0
    engine.execute(
        f"copy (select 'p' || lpad(i::varchar, 8, '0') as id, if(random() < .5, 'F', 'M') as sex,"
        f" 'ZE' || (i % 20) as market, (1960 + (random() * 40)::int) || '-' ||"
        f" lpad((1 + floor(random() * 12))::int::varchar, 2, '0') as birth from range({persons}) t(i))"
        f" to '{folder}/people.csv' (header, delimiter ';')"
    )
    for name, (kind, codes, each) in KINDS.items():
        listed = ", ".join(f"'{c}'" for c in codes)
        # RSA stays are long, so that most people are eligible most of the time.
        longest = 1_200 if kind == "benefit" else 400
        engine.execute(
            f"copy (select 'p' || lpad((i % {persons})::varchar, 8, '0') as id,"
            f" ([{listed}])[1 + floor(random() * {len(codes)})::int] as code,"
            f" (date '2018-06-01' + s::int)::varchar as start,"
            f" if(random() < .05, '', (date '2018-06-01' + s::int + (random() * {longest})::int)::varchar)"
            f' as "end" from (select i, random() * 1900 as s from range({persons * each}) t(i)))'
            f" to '{folder}/{name}.csv' (header, delimiter ';')"
        )
        pairs = ", ".join(f'{c} = "{c}"' for c in codes)
        text += SOURCE.format(name=name, kind=kind, codes=pairs)
        total += persons * each
    (folder / "sources.toml").write_text(text, encoding="utf-8")
    return total


@contextmanager
def room(name: str) -> Iterator[None]:
    """Print what a room cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:<28} {time.perf_counter() - wall:8.1f} s wall {time.process_time() - cpu:8.1f} s CPU"
        f" {peak:8.0f} MiB peak so far",
        flush=True,
    )


def main() -> None:
    """Write the files, then walk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=200_000)
    parser.add_argument("--memory", default="1500MB", help="limit of the engine")
    given = parser.parse_args()
    question = Question(
        treatment="intensive_integrated", outcome="employment_presence", months=(6, 12, 18, 24),
        eligible=("benefit_rsa",),
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        spells_written = write_files(Path(folder), given.persons)
        print(f"{spells_written:,} spells of {given.persons:,} persons, 60 months", flush=True)
        with room("all rooms, raw to evidence"):
            with room("sources    read"):
                records = read(
                    Path(folder) / "sources.toml", connection=connect(memory_limit=given.memory)
                )
            with room("spells     reconcile"):
                spells = reconcile(records)
            with room("panel      expand"):
                panel = expand(spells, first="2019-01", last="2023-12")
            with room("design     compare"):
                design = compare(panel, question, using=NearestNeighbours(ratio=3, caliper_sd=0.2))
            with room("estimate   fit"):
                estimate = MatchedDifference(bias_adjust=True).fit(design)
            with room("evidence   weigh"):
                weigh(design, [estimate])
    print(design.ledger.frame().tail(12).to_string(index=False))
    matches = 0 if design.matches is None else len(design.matches)
    print(f"{len(design.covariates)} covariates, {matches:,} matches")


if __name__ == "__main__":
    main()
