"""`reconcile`, `expand` and `build` against a panel reckoned day by day (``days.py``), exactly."""

from __future__ import annotations

import datetime as dt
import os
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

EXAMPLES = int(os.environ.get("WHATWORKS_EXAMPLES", "15"))
JAN = to_index("2020-01")
LAST = 16
PEOPLE = ("b", "d", "a", "c", "e")
COMMUNES = ("08001", "74001", "74002", "99999")
ZONES = {"08001": ("Z1", "08"), "74001": ("Z2", "74"), "74002": (None, "74")}
SEEN = frozenset(STATES)

Month = st.integers(0, LAST - 1).map(lambda k: JAN + k)
Source = st.sampled_from(SOURCES)
Person = st.sampled_from(PEOPLE)
State = st.sampled_from(STATES)
Kind = st.sampled_from(tuple(CODES))
Scheme = st.sampled_from([None, None, "A", "B"])
Dose = st.sampled_from([None, None, 1.0, 2.5, 10.0, 1 / 3])
Day = st.tuples(st.integers(-3, LAST), st.sampled_from([1, 2, 15, 28])).map(
    lambda at: days.first_day(JAN + at[0]) + dt.timedelta(days=at[1] - 1)
)


@st.composite
def stay(draw: st.DrawFn) -> tuple[Any, ...]:
    start = draw(Day)
    length = draw(st.none() | st.sampled_from([0, 1, 12, 27, 30, 45, 90, 200]))
    end = None if length is None else start + dt.timedelta(days=length)
    return (draw(Source), draw(Person), draw(State), start, end, draw(Scheme), draw(Dose))


@st.composite
def policies(draw: st.DrawFn) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = {}
    for kind in CODES:
        policy = draw(st.sampled_from([None, "keep", "union", "priority"]))
        if policy is not None:
            order = draw(st.permutations(SOURCES))[: draw(st.integers(1, 3))]
            found[kind] = (policy, tuple(order) if policy == "priority" else ())
    return found


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, int]:
    first = draw(st.integers(-2, LAST - 1))
    return JAN + first, JAN + draw(st.integers(first, LAST))


def gaps(most: int) -> st.SearchStrategy[dict[str, int]]:
    return st.dictionaries(Source, st.integers(0, most), max_size=2)


def rows(one: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=most).map(tuple)


PLACE = st.tuples(Source, Person, st.sampled_from(COMMUNES), Month, st.none() | st.integers(0, 5))
WORLD = st.builds(
    World,
    people=st.lists(Person, min_size=1, unique=True).map(tuple),
    stays=rows(stay(), 14),
    months=rows(st.tuples(Source, Person, State, Month, Scheme, Dose), 14),
    measures=rows(
        st.tuples(
            Source,
            Person,
            st.sampled_from(["earnings", "hours"]),
            Month,
            st.sampled_from([0.0, 1.5, -2.0]),
        ),
        6,
    ),
    places=rows(
        PLACE.map(lambda p: (*p[:4], None if p[4] is None else p[3] + p[4])),
        7,
    ),
    blind=rows(st.tuples(Source, Person, Kind, Month), 5),
    coverage=st.fixed_dictionaries({(s, k): windows() for s in SOURCES for k in CODES}),
    policies=policies(),
    gap_days=st.sampled_from([0, 0, 5]),
    source_gap_days=gaps(20),
    source_gap_months=gaps(2),
    zones=st.just(ZONES),
    level=st.sampled_from(["zone", "departement"]),
    tightness=st.dictionaries(
        st.tuples(st.sampled_from(["Z1", "Z2", "08", "74"]), Month),
        st.sampled_from([0.5, 2.0]),
        max_size=12,
    ),
).map(lambda world: at_home(world))


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
            Coverage(source=s, kind=k, first=first, last=last)
            for (s, k), (first, last) in world.coverage.items()
        ),
        schemes=SEEN,
        intensities=SEEN,
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
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a world takes minutes to shrink
)


@SETTINGS
@given(WORLD)
def test_stays_are_those_reckoned_day_by_day(world: World) -> None:
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
@given(WORLD, windows())
def test_months_are_those_reckoned_day_by_day(world: World, window: tuple[int, int]) -> None:
    first, last = map(to_label, window)
    same(expand(resolved(world), first=first, last=last), world, by_rank(world))


@st.composite
def refreshed(draw: st.DrawFn) -> tuple[World, World]:
    """A world, and one later: some of each of its parts stays, some is new."""
    before, other = draw(WORLD), draw(WORLD)
    after = before
    for part in ("people", "stays", "months", "measures", "places", "blind"):
        old, new = getattr(before, part), getattr(other, part)
        if draw(st.booleans()):
            kept = tuple(r for r in old if draw(st.booleans()))
            fresh = tuple(r for r in new if r not in kept)
            after = replace(after, **{part: (kept + fresh) or old})
    for part in ("coverage", "tightness", "policies", "source_gap_days", "source_gap_months"):
        if draw(st.integers(0, 3)) == 0:
            after = replace(after, **{part: getattr(other, part)})
    return before, at_home(after)


@settings(SETTINGS, max_examples=max(EXAMPLES // 2, 1))
@given(refreshed(), windows(), windows(), st.integers(1, 4))
def test_files_hold_the_same_rows_after_a_refresh(
    worlds: tuple[World, World], first: tuple[int, int], second: tuple[int, int], block: int
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for world, window in zip(worlds, (first, second), strict=True):
            begin, stop = map(to_label, window)
            filed = build(resolved(world), folder, first=begin, last=stop, block_persons=block)
            same(filed, world, registered(folder))
