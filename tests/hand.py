"""Small records written by hand, straight in the engine, for tests of the rooms after reading."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import ibis
from ibis.backends import BaseBackend

from whatworks.ledger import Ledger
from whatworks.months import to_index
from whatworks.panel import Panel, expand
from whatworks.sources.records import Coverage, Records
from whatworks.spells import reconcile

EPISODE = {
    "source": "string",
    "person_id": "string",
    "kind": "string",
    "code": "string",
    "start": "date",
    "end": "date",
    "scheme": "string",
    "intensity": "float64",
}
STATE = {
    "source": "string",
    "person_id": "string",
    "kind": "string",
    "code": "string",
    "month": "int32",
    "scheme": "string",
    "intensity": "float64",
}
CODES: Mapping[str, tuple[str, ...]] = {
    "employment": ("cdi", "cdd", "aided"),
    "benefit": ("rsa",),
    "accompaniment": ("job_search", "aided_contract"),
}


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


OPTIONAL = {
    "measures": {
        "source": "string",
        "person_id": "string",
        "measure": "string",
        "month": "int32",
        "value": "float64",
    },
    "blind": {"source": "string", "person_id": "string", "kind": "string", "first": "int32"},
    "places": {
        "source": "string",
        "person_id": "string",
        "commune": "string",
        "first": "int32",
        "last": "int32",
    },
}


def records(
    persons: Sequence[str],
    *,
    episodes: Sequence[tuple[object, ...]] = (),
    states: Sequence[tuple[object, ...]] = (),
    window: tuple[str, str] = ("2020-01", "2020-12"),
    codes: Mapping[str, tuple[str, ...]] = CODES,
    attributes: Mapping[str, tuple[str, Sequence[object]]] | None = None,
    connection: BaseBackend | None = None,
    **optional: Sequence[tuple[object, ...]],
) -> Records:
    """Records of a few persons; every kind is covered over the whole window by one source.

    ``optional``: rows of ``measures``, ``blind`` and ``places``. Rows may leave out what comes last.
    """
    con = ibis.duckdb.connect() if connection is None else connection
    columns: dict[str, Sequence[object]] = {"person_id": list(persons)}
    types = {"category": "string", "number": "float64", "boolean": "int8", "month": "int32"}
    schema = {"person_id": "string"}
    for name, (kind, values) in (attributes or {}).items():
        columns[name], schema[name] = values, types[kind]
    rows = list(zip(*columns.values(), strict=True))
    first, last = (to_index(m) for m in window)
    return Records(
        connection=con,
        persons=table(con, rows, schema),
        episodes=table(con, episodes, EPISODE),
        states=table(con, states, STATE),
        codes=codes,
        attributes={n: kind for n, (kind, _) in (attributes or {}).items()},
        coverage=tuple(Coverage(source="s", kind=k, first=first, last=last) for k in codes),
        files=(),
        ledger=Ledger(),
        mapping_hash="",
        **{name: table(con, rows, OPTIONAL[name]) for name, rows in optional.items()},
    )


def table(
    con: BaseBackend, rows: Sequence[tuple[object, ...]], types: Mapping[str, str]
) -> ibis.Table:
    """A table of the engine; rows may leave out what comes last."""
    name = ibis.util.gen_name("by_hand")
    con.create_table(name, schema=ibis.schema(types), temp=True)
    if rows:
        whole = [(*row, *[None] * (len(types) - len(row))) for row in rows]
        con.insert(name, ibis.memtable(whole, schema=ibis.schema(types)))
    return con.table(name)


def spell(person: str, kind: str, code: str, start: str, end: str | None) -> tuple[object, ...]:
    return ("s", person, kind, code, day(start), None if end is None else day(end))


def panel(made: Records, first: str = "2020-01", last: str = "2020-12") -> Panel:
    return expand(reconcile(made), first=first, last=last)
