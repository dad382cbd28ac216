"""Small records written by hand, straight in the engine, for tests of the rooms after reading."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import ibis

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
}
STATE = {
    "source": "string",
    "person_id": "string",
    "kind": "string",
    "code": "string",
    "month": "int32",
}
CODES: Mapping[str, tuple[str, ...]] = {
    "employment": ("cdi", "cdd", "aided"),
    "benefit": ("rsa",),
    "accompaniment": ("job_search", "aided_contract"),
}


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def records(
    persons: Sequence[str],
    *,
    episodes: Sequence[tuple[object, ...]] = (),
    states: Sequence[tuple[object, ...]] = (),
    window: tuple[str, str] = ("2020-01", "2020-12"),
    codes: Mapping[str, tuple[str, ...]] = CODES,
    attributes: Mapping[str, tuple[str, Sequence[object]]] | None = None,
) -> Records:
    """Records of a few persons; every kind is covered over the whole window by one source."""
    con = ibis.duckdb.connect()
    columns: dict[str, Sequence[object]] = {"person_id": list(persons)}
    types = {"category": "string", "number": "float64", "boolean": "int8", "month": "int32"}
    schema = {"person_id": "string"}
    for name, (kind, values) in (attributes or {}).items():
        columns[name], schema[name] = values, types[kind]
    rows = list(zip(*columns.values(), strict=True))
    make = {
        "persons": (rows, schema),
        "episodes": (list(episodes), EPISODE),
        "states": (list(states), STATE),
    }
    tables = {}
    for name, (values, types_) in make.items():
        empty = con.create_table(f"t_{name}", schema=ibis.schema(types_), temp=True)
        if values:
            con.insert(
                f"t_{name}", ibis.memtable(values, schema=ibis.schema(types_)), database=None
            )
        tables[name] = empty
    first, last = (to_index(m) for m in window)
    return Records(
        connection=con,
        persons=tables["persons"],
        episodes=tables["episodes"],
        states=tables["states"],
        codes=codes,
        attributes={n: kind for n, (kind, _) in (attributes or {}).items()},
        coverage=tuple(Coverage(source="s", kind=k, first=first, last=last) for k in codes),
        files=(),
        ledger=Ledger(),
        mapping_hash="",
    )


def spell(person: str, kind: str, code: str, start: str, end: str | None) -> tuple[object, ...]:
    return ("s", person, kind, code, day(start), None if end is None else day(end))


def panel(made: Records, first: str = "2020-01", last: str = "2020-12") -> Panel:
    return expand(reconcile(made), first=first, last=last)
