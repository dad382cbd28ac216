"""Records whose sources say who persons are, written by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

import ibis
import pandas as pd
import pyarrow as pa
from ibis.backends import BaseBackend

import hand
from whatworks.sources.engine import connect
from whatworks.sources.records import Records

FIELDS = {
    "space": "string",
    "person_id": "string",
    "nir": "string",
    "birth_name": "string",
    "usage_name": "string",
    "first_names": "string",
    "birth_date": "date",
    "sex": "string",
    "birth_commune": "string",
    "commune": "string",
    "postcode": "string",
    "email": "string",
    "phone": "string",
}


def who(person: str, **fields: str) -> dict[str, object]:
    """One identity; ``person`` is ``space:identifier``."""
    said: dict[str, object] = {"space": person.partition(":")[0], "person_id": person, **fields}
    if "birth_date" in fields:
        said["birth_date"] = dt.date.fromisoformat(fields["birth_date"])
    return said


def known(
    identities: Sequence[Mapping[str, object]],
    *,
    attributes: Mapping[str, tuple[str, Sequence[object]]] | None = None,
    **told: Sequence[tuple[object, ...]],
) -> Records:
    """Records of these persons; ``told`` are rows of the other tables, as in `hand.records`."""
    con = connect(memory_limit="1GB", threads=2)
    keys = {name: "string" for row in identities for name in row if name.startswith("key_")}
    types = FIELDS | keys
    rows = [tuple(row.get(name) for name in types) for row in identities]
    persons = [str(row["person_id"]) for row in identities]
    made = hand.records(persons, attributes=attributes, connection=con, **told)  # type: ignore[arg-type]
    return replace(made, identities=hand.table(con, rows, types))


def of_register(identities: pd.DataFrame, con: BaseBackend | None = None) -> Records:
    """Records that hold a simulated register and nothing else."""
    engine = connect(memory_limit="1GB", threads=2) if con is None else con
    said = identities.astype(object).where(identities.notna(), None)
    table = pa.table(
        {
            name: pa.array(list(said[name]), type=pa.date32() if kind == "date" else pa.string())
            for name, kind in FIELDS.items()
        }
    )
    held = engine.create_table(ibis.util.gen_name("register"), table, temp=True)
    persons = engine.create_table(
        ibis.util.gen_name("register"), held.select("person_id"), temp=True
    )
    return replace(hand.records([], connection=engine), persons=persons, identities=held)


def clusters(original: Records, linked: Records, persons: Sequence[str]) -> list[set[str]]:
    """Which of these persons are one, read off a measure written for each of them before linking."""
    assert linked.measures is not None
    assert original.measures is not None
    told = linked.measures.select("person_id", "value").execute()
    groups: dict[str, set[str]] = {}
    for name, number in zip(told["person_id"], told["value"], strict=True):
        groups.setdefault(name, set()).add(persons[int(number)])
    return sorted(groups.values(), key=min)


def marks(persons: Sequence[str]) -> list[tuple[object, ...]]:
    """A measure for each person whose value is its rank: it tells, after linking, who became whom."""
    return [("s", person, "rank", 24241, float(k)) for k, person in enumerate(persons)]
