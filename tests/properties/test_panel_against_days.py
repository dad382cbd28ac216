"""`reconcile`, `expand` and `build` against a panel reckoned day by day (``days.py``), exactly."""

from __future__ import annotations

import datetime as dt
import os
import random
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings

import hand
from properties import days
from properties.days import CODES, SOURCES, STATES, World
from whatworks.months import to_index, to_label
from whatworks.panel import Panel, build, expand
from whatworks.sources.records import Coverage, Geography, Records
from whatworks.spells import Overlap, Spells, reconcile

EXAMPLES = int(os.environ.get("WHATWORKS_EXAMPLES", "6"))
JAN = to_index("2020-01")
LAST = 16
PEOPLE = ("b", "d", "a", "c", "e", "h", "g", "f")
COMMUNES = ("08001", "74001", "74002", "99999")
ZONES = {"08001": ("Z1", "08"), "74001": ("Z2", "74"), "74002": (None, "74")}
EVERY = frozenset(STATES)
SCHEMES = (None, None, "A", "B")
DOSES = (None, None, 1.0, 2.5, 10.0, 1 / 3)

Chance = random.Random
SEED = st.integers(0, 2**32 - 1)
"""A world is drawn from one number: it would take minutes to shrink, and what differs is named."""


def a_stay(rng: Chance) -> tuple[Any, ...]:
    month = JAN + rng.randint(-3, LAST)
    start = days.first_day(month) + dt.timedelta(days=rng.choice([0, 0, 1, 14, 27]))
    length = rng.choice([None, None, 0, 1, 12, 27, 30, 45, 90, 200])
    end = None if length is None else start + dt.timedelta(days=length)
    return (*a_state(rng), start, end, rng.choice(SCHEMES), rng.choice(DOSES))


def a_state(rng: Chance) -> tuple[Any, ...]:
    return (rng.choice(SOURCES), rng.choice(PEOPLE), rng.choice(STATES))


def a_place(rng: Chance) -> tuple[Any, ...]:
    first, more = a_month(rng), rng.choice([None, 0, 1, 2, 5])
    last = None if more is None else first + more
    return (rng.choice(SOURCES), rng.choice(PEOPLE), rng.choice(COMMUNES), first, last)


def a_month(rng: Chance) -> int:
    return JAN + rng.randrange(LAST)


def a_window(rng: Chance) -> tuple[int, int]:
    first = rng.randint(-2, LAST - 1)
    return JAN + first, JAN + rng.randint(first, LAST)


def some_policies(rng: Chance) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = {}
    for kind in CODES:
        policy = rng.choice([None, "keep", "union", "priority", "priority"])
        order = tuple(rng.sample(SOURCES, rng.randint(1, 3)))
        if policy is not None:
            found[kind] = (policy, order if policy == "priority" else ())
    return found


def some_gaps(rng: Chance, most: int) -> dict[str, int]:
    return {s: rng.randint(0, most) for s in SOURCES if rng.random() < 0.3}


def some_told(rng: Chance) -> dict[tuple[str, str], tuple[str, ...]]:
    """Codes that a source can tell of a kind, where they are not all of them."""
    return {
        (s, kind): tuple(rng.sample(codes, rng.randint(1, len(codes))))
        for s in SOURCES
        for kind, codes in CODES.items()
        if rng.random() < 0.3
    }


def drawn(rng: Chance) -> World:
    """A world in which rows of every sort meet."""
    tight = [(place, JAN + k) for place in ("Z1", "Z2", "08", "74") for k in range(LAST)]
    world = World(
        people=tuple(rng.sample(PEOPLE, rng.randint(2, len(PEOPLE)))),
        stays=tuple(a_stay(rng) for _ in range(rng.randrange(50))),
        months=tuple(
            (*a_state(rng), a_month(rng), rng.choice(SCHEMES), rng.choice(DOSES))
            for _ in range(rng.randrange(80))
        ),
        measures=tuple(
            (*a_state(rng)[:2], rng.choice(["earnings", "hours"]), a_month(rng), value)
            for value in rng.choices([0.0, 1.5, -2.0], k=rng.randrange(20))
        ),
        places=tuple(a_place(rng) for _ in range(rng.randrange(25))),
        blind=tuple(
            (*a_state(rng)[:2], rng.choice(list(CODES)), a_month(rng))
            for _ in range(rng.randrange(25))
        ),
        coverage={(s, k): a_window(rng) for s in SOURCES for k in CODES},
        policies=some_policies(rng),
        gap_days=rng.choice([0, 0, 5]),
        source_gap_days=some_gaps(rng, 20),
        source_gap_months=some_gaps(rng, 2),
        zones=ZONES,
        level=rng.choice(["zone", "departement"]),
        tightness={at: rng.choice([0.5, 2.0]) for at in tight if rng.random() < 0.4},
        tells=some_told(rng),
    )
    return at_home(world)


def later(world: World, rng: Chance) -> World:
    """The world as a later reading of the files tells it: some rows gone, some new."""
    other, changes = drawn(rng), {}
    for part in ("people", "stays", "months", "measures", "places", "blind"):
        if rng.random() < 0.5:
            kept = [r for r in getattr(world, part) if rng.random() < 0.8]
            new = [r for r in getattr(other, part) if r not in kept and rng.random() < 0.3]
            changes[part] = tuple(kept + new) or getattr(world, part)
    parts = ("coverage", "tells", "tightness", "policies", "source_gap_days", "source_gap_months")
    for part in parts:
        if rng.random() < 0.25:
            changes[part] = getattr(other, part)
    return at_home(replace(world, **changes))


def at_home(world: World) -> World:
    """The world without rows about persons it does not have."""
    own = {
        name: tuple(r for r in getattr(world, name) if r[1] in world.people)
        for name in ("stays", "months", "measures", "places", "blind")
    }
    return replace(world, **own)


def told(world: World) -> Records:
    """The same world as records of the library."""
    made = hand.records(
        world.people,
        episodes=[
            (s, p, *state, start, end, scheme, dose)
            for s, p, state, start, end, scheme, dose in world.stays
        ],
        states=[
            (s, p, *state, month, scheme, dose) for s, p, state, month, scheme, dose in world.months
        ],
        codes=CODES,
        attributes={"name": ("category", list(world.people))},
        measures=world.measures,
        places=world.places,
        blind=world.blind,
    )
    text = {"commune": "string", "zone": "string", "departement": "string"}
    tight = {"place": "string", "month": "int32", "value": "float64"}
    return replace(
        made,
        coverage=tuple(
            Coverage(source=s, kind=k, first=first, last=last, codes=world.tells.get((s, k), ()))
            for (s, k), (first, last) in world.coverage.items()
        ),
        schemes=EVERY,
        intensities=EVERY,
        gaps=world.source_gap_months,
        gap_days=world.source_gap_days,
        geography=Geography(
            year="2023",
            level=world.level,
            communes=hand.table(
                made.connection, [(c, z, d) for c, (z, d) in world.zones.items()], text
            ),
            tightness=hand.table(
                made.connection, [(p, m, v) for (p, m), v in world.tightness.items()], tight
            ),
        ),
    )


def resolved(world: World) -> Spells:
    overlaps = {
        kind: Overlap(policy=policy, sources=order)
        for kind, (policy, order) in world.policies.items()
    }
    return reconcile(told(world), gap_days=world.gap_days, overlaps=overlaps)


def plain(value: Any) -> Any:
    """A value of a data frame as Python has it."""
    if value is None or value is pd.NaT or (not isinstance(value, str) and pd.isna(value)):
        return None
    return value.date() if isinstance(value, pd.Timestamp) else value


def laid(panel: Panel, numbers: dict[int, str]) -> dict[tuple[str, int], dict[str, Any]]:
    """Rows of a panel by identifier and month."""
    frame = panel.to_pandas()
    names = [c for c in frame if c not in ("person_id", "month")]
    found = {}
    for row in frame.to_dict("records"):
        found[numbers[row["person_id"]], row["month"]] = {n: plain(row[n]) for n in names}
    assert len(found) == len(frame)
    return found


def known(panel: Panel) -> dict[str, tuple[Any, Any]]:
    """Number and market of each person, by the name that stands beside them."""
    people = panel.persons.execute()
    assert len(people) == panel.n_persons
    rows = zip(people["name"], people["person_id"], people["market"], strict=True)
    return {name: (number, plain(market)) for name, number, market in rows}


def same(panel: Panel, world: World, numbers: dict[int, str]) -> None:
    expected = days.panel(world, panel.first, panel.last)
    found = laid(panel, numbers)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert found[key] == row, key
    by_name = {name: number for number, name in numbers.items()}
    markets = {p: (by_name[p], days.market(world.of(p))) for p in world.people}
    assert known(panel) == markets


def by_rank(world: World) -> dict[int, str]:
    return dict(enumerate(sorted(world.people)))


def registered(folder: Path) -> dict[int, str]:
    """Numbers of the folder's register."""
    register = pq.read_table(folder / "register.parquet").to_pandas()
    return dict(zip(register["panel number"], register["person_id"], strict=True))


SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@SETTINGS
@given(SEED)
def test_stays_are_those_reckoned_day_by_day(seed: int) -> None:
    world = drawn(Chance(seed))
    found = resolved(world).table.execute()
    columns = ["person_id", "kind", "code", "scheme", "start", "end", "days", "open_ended"]
    ours = Counter(
        tuple(plain(v) for v in row)
        for row in found[[*columns, "intensity"]].itertuples(index=False)
    )
    expected = Counter(
        (
            *(p, s["kind"], s["code"], s["scheme"], s["start"], s["end"]),
            *(s["days"], s["open"], s["dose"]),
        )
        for p in world.people
        for s in days.spells(world.of(p))
    )
    assert ours == expected


@SETTINGS
@given(SEED)
def test_months_are_those_reckoned_day_by_day(seed: int) -> None:
    rng = Chance(seed)
    world = drawn(rng)
    first, last = map(to_label, a_window(rng))
    same(expand(resolved(world), first=first, last=last), world, by_rank(world))


@SETTINGS
@given(SEED)
def test_files_hold_the_same_rows_after_refreshes(seed: int) -> None:
    rng = Chance(seed)
    world, block = drawn(rng), rng.randint(1, 4)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        window = a_window(rng)
        for _ in range(3):
            first, last = map(to_label, window)
            filed = build(resolved(world), folder, first=first, last=last, block_persons=block)
            same(filed, world, registered(folder))
            world = later(world, rng)
            window = rng.choice([window, (window[0], window[1] + 1), a_window(rng)])
