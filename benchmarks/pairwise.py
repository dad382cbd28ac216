"""Fifteen pairwise designs and six against none, beside one of them alone.

    python benchmarks/pairwise.py [--persons 200000] [--months 60] [--memory 4GB] [--threads 2]

A panel of persons and months is drawn inside the engine: each person has one accompaniment of six types,
or begins it after the panel ends. ``one`` compares one type with those who have started nothing yet; ``each``
does the same for every type and every pair, one question after the other; ``shared`` gives all of them
to `whatworks.pairwise`. Every way runs in a process of its own. Prints, for each: designs, units, seconds,
seconds of processor, those of laying out the panel (measured on its own, before), and the greatest
resident memory. Ends with 1 when laying out for all costs more than twice as much as for one.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import whatworks as ww
from whatworks.design.cohorts import lay_out
from whatworks.ledger import Ledger
from whatworks.months import to_index
from whatworks.sources.records import Coverage
from whatworks.vocabulary import Accompaniment, Kind

TYPES = tuple(str(t) for t in Accompaniment)
FIRST = to_index("2019-01")
QUESTION = ww.Question(
    treatment=TYPES[0],
    outcome="employment_presence",
    months=(6, 12),
    eligible=("benefit_rsa",),
    covariates=(
        "sex",
        "birth_month.age",
        *(f"employment.lag{k}" for k in (1, 2, 3, 6)),
        *(f"employment.months{k}" for k in (6, 12, 24)),
        "employment.spells24",
        "employment.transitions12",
        "benefit.months12",
        "benefit.months24",
    ),
)
DRAWN = """
create table panel as
with persons as (
    select i::bigint person_id, ((hash(i, 1) >> 40) % 6)::int kind,
        (6 + (hash(i, 2) >> 20) % 150)::int begins, (3 + (hash(i, 3) >> 30) % 9)::int stays
    from range({persons}) t(i)),
months as (
    select p.*, m::int elapsed, elapsed >= begins and elapsed < begins + stays inside,
        hash(person_id, (elapsed + person_id) // 5, 5) % 3 = 0 works,
        hash(person_id, (elapsed + person_id) // 9, 6) % 3 < 2 paid
    from persons p, range({months}) r(m))
select person_id, ({first} + elapsed)::int as month, works::int employment, 30 * works::int employment_cdi,
    paid::int benefit, 30 * paid::int benefit_rsa, inside::int accompaniment, {types}
from months
"""


def draw(persons: int, months: int, memory: str, threads: int) -> ww.Panel:
    """A panel in the engine, with no record behind it."""
    con = ww.connect(memory_limit=memory, threads=threads)
    types = ", ".join(
        f"30 * (inside and kind = {k})::int accompaniment_{code}" for k, code in enumerate(TYPES)
    )
    con.raw_sql(DRAWN.format(persons=persons, months=months, first=FIRST, types=types))
    con.raw_sql(
        f"create table persons as select i::bigint person_id, if(hash(i, 9) % 2 = 0, 'w', 'm') sex,"
        f" ({FIRST} - 240 - hash(i, 8) % 480)::int birth_month from range({persons}) t(i)"
    )
    states = {Kind.EMPLOYMENT: ("cdi",), Kind.BENEFIT: ("rsa",), Kind.ACCOMPANIMENT: TYPES}
    last = FIRST + months - 1
    return ww.Panel(
        connection=con,
        table=con.table("panel"),
        persons=con.table("persons"),
        states=states,
        attributes={"sex": "category", "birth_month": "month"},
        first=FIRST,
        last=last,
        n_persons=persons,
        coverage=tuple(Coverage(source="s", kind=k, first=FIRST, last=last) for k in states),
        operator_declared=frozenset(),
        mapping_hash="",
        ledger=Ledger(),
    )


def questions() -> list[ww.Question]:
    """Fifteen pairs, then six against none."""
    pairs = [*combinations(TYPES, 2), *((t, QUESTION.versus) for t in TYPES)]
    return [replace(QUESTION, treatment=a, versus=b) for a, b in pairs]


def designs(way: str, panel: ww.Panel) -> Sequence[ww.Design | None]:
    """Designs of one way."""
    if way == "one":
        return [ww.compare(panel, QUESTION)]
    if way == "each":
        return [ww.compare(panel, q) for q in questions()]
    return [pair.design for pair in ww.pairwise(panel, QUESTION)]


def measure(way: str, given: argparse.Namespace) -> dict[str, float]:
    """One way, in this process."""
    panel = draw(given.persons, given.months, given.memory, given.threads)
    before = time.process_time()
    lay_out(panel, [QUESTION] if way == "one" else questions())
    laid = time.process_time() - before
    begin, cpu = time.perf_counter(), time.process_time()
    made = [d for d in designs(way, panel) if d is not None]
    return {
        "seconds": time.perf_counter() - begin,
        "cpu": time.process_time() - cpu,
        "laid": laid * (len(made) if way == "each" else 1),
        "designs": len(made),
        "units": sum(len(d.units) for d in made),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> int:
    """Print the table; 1 when sharing shares too little."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=200_000)
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--memory", default="4GB", help="limit of the engine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ways", nargs="+", default=["one", "shared"])
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only is not None:
        print(json.dumps(measure(given.only, given)))
        return 0
    options = [f"--{n}={getattr(given, n)}" for n in ("persons", "months", "memory", "threads")]
    found = {}
    for way in given.ways:
        said = subprocess.run(
            [sys.executable, __file__, "--only", way, *options],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        row = found[way] = json.loads(said.stdout.splitlines()[-1])
        print(
            f"{way:<8} {row['designs']:3.0f} designs {row['units']:9,.0f} units"
            f" {row['seconds']:7.1f} s {row['cpu']:7.1f} s CPU {row['laid']:6.1f} laying out"
            f" {row['peak']:6.0f} MiB peak",
            flush=True,
        )
    if not {"one", "shared"} <= found.keys():
        return 0
    ratio = found["shared"]["laid"] / found["one"]["laid"]
    print(f"laying out for all, against one: {ratio:.2f} times the processor")
    return int(ratio > 2)


if __name__ == "__main__":
    sys.exit(main())
