"""A few lives that touch every part of a panel, for tests of what is filed and of other engines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from hand import day, records, table
from whatworks import connect
from whatworks.months import to_index
from whatworks.panel import Panel, build
from whatworks.sources.records import Geography, Records

JAN = to_index("2019-01")
PEOPLE = tuple(f"p{n:02d}" for n in range(23))
WINDOW = ("2019-01", "2021-06")


def lives(
    people: tuple[str, ...] = PEOPLE, *, window: tuple[str, str] = WINDOW, **more: object
) -> Records:
    """Records of every kind of part."""
    episodes, states, measures, places = [], [], [], []
    for person in people:
        n = int(person[1:])
        start = day("2019-01-05") + pd.Timedelta(days=31 * n)
        end = start + pd.Timedelta(days=90 + 10 * n)
        episodes.append(("s", person, "employment", "cdd", start, end, None, None))
        search = (start + pd.Timedelta(days=20), end + pd.Timedelta(days=33))
        episodes.append(("s", person, "accompaniment", "job_search", *search, f"S{n % 3}", 7.5 + n))
        states += [("s", person, "benefit", "rsa", JAN + k) for k in range(n % 5, 30, 1 + n % 3)]
        measures += [("s", person, "earnings", JAN + k, 10.0 * n + k) for k in range(n, 30, 4)]
        places.append(("s", person, "08001" if n % 2 else "74001", JAN + n % 4, None))
    made = records(
        people,
        episodes=episodes,
        states=states,
        window=window,
        attributes={"sex": ("category", ["w" if int(p[1:]) % 2 else "m" for p in people])},
        measures=measures,
        places=places,
        blind=[("s", "p03", "benefit", JAN + 9)],
        connection=connect(memory_limit="500MB", threads=2),
        **more,  # type: ignore[arg-type]
    )
    communes = [("08001", "ZE1", "08"), ("74001", "ZE2", "74")]
    types = {"commune": "string", "zone": "string", "departement": "string"}
    tight = [(zone, JAN + k, k / 10) for zone in ("ZE1", "ZE2") for k in range(30)]
    kinds = {"place": "string", "month": "int32", "value": "float64"}
    con = made.connection
    return replace(
        made,
        schemes=frozenset({("accompaniment", "job_search")}),
        intensities=frozenset({("accompaniment", "job_search")}),
        units={"earnings": "EUR"},
        gaps={"s": 1},
        geography=Geography(
            year="2023", communes=table(con, communes, types), tightness=table(con, tight, kinds)
        ),
    )


def built(made: Records, folder: Path, *, last: str = WINDOW[1]) -> Panel:
    return build(made, folder, first=WINDOW[0], last=last, block_persons=5)


def added(made: Records, *episodes: tuple[object, ...]) -> Records:
    con = made.connection
    more = table(con, episodes, dict(made.episodes.schema().items()))  # type: ignore[arg-type]
    return replace(made, episodes=made.episodes.union(more))
