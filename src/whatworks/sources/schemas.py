"""The door of the room: columns and types of what it hands on, checked before it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.datatypes as dt

from whatworks.contracts import hold
from whatworks.vocabulary import (
    CODE,
    COMMUNE,
    END,
    FIRST,
    INTENSITY,
    KIND,
    LAST,
    MEASURE,
    MONTH,
    PERSON,
    SCHEME,
    SOURCE,
    START,
    VALUE,
)

TYPES: Final[Mapping[str, dt.DataType]] = {
    "category": dt.string,
    "number": dt.float64,
    "boolean": dt.int8,
    "month": dt.int32,
}
"""Type of an attribute in the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A table the room promises: its name, its columns, and those that may hold nulls."""

    name: str
    types: Mapping[str, dt.DataType]
    nullable: frozenset[str] = frozenset()


_STATE: Final = {SOURCE: dt.string, PERSON: dt.string, KIND: dt.string, CODE: dt.string}
_BESIDE: Final = {SCHEME: dt.string, INTENSITY: dt.float64}
EPISODES: Final = Product(
    name="episodes",
    types={**_STATE, START: dt.date, END: dt.date, **_BESIDE},
    nullable=frozenset({END, *_BESIDE}),
)
STATES: Final = Product(
    name="states", types={**_STATE, MONTH: dt.int32, **_BESIDE}, nullable=frozenset(_BESIDE)
)
MEASURES: Final = Product(
    name="measures",
    types={
        SOURCE: dt.string,
        PERSON: dt.string,
        MEASURE: dt.string,
        MONTH: dt.int32,
        VALUE: dt.float64,
    },
)
BLIND: Final = Product(
    name="blind", types={SOURCE: dt.string, PERSON: dt.string, KIND: dt.string, FIRST: dt.int32}
)
PLACES: Final = Product(
    name="places",
    types={
        SOURCE: dt.string,
        PERSON: dt.string,
        COMMUNE: dt.string,
        FIRST: dt.int32,
        LAST: dt.int32,
    },
    nullable=frozenset({LAST}),
)


def persons_product(attributes: Mapping[str, str]) -> Product:
    """Persons with these attributes (name to type), each of which may be unknown."""
    mapped = {name: TYPES[kind] for name, kind in attributes.items()}
    return Product(
        name="persons", types={PERSON: dt.string, **mapped}, nullable=frozenset(attributes)
    )


def check(table: ibis.Table, product: Product) -> ibis.Table:
    """Return the table once it is what the room promises; see `whatworks.contracts.hold`."""
    hold(table, product.types, room=f"sources ({product.name})", nullable=product.nullable)
    return table
