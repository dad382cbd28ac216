"""The door of the room: columns and types of what it hands on, checked before it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.datatypes as dt
import pandera.ibis as pa
from pandera.errors import SchemaErrors

from whatworks.vocabulary import CODE, END, KIND, MONTH, PERSON, SOURCE, START

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
EPISODES: Final = Product(
    name="episodes", types={**_STATE, START: dt.date, END: dt.date}, nullable=frozenset({END})
)
STATES: Final = Product(name="states", types={**_STATE, MONTH: dt.int32})


def persons_product(attributes: Mapping[str, str]) -> Product:
    """Persons with these attributes (name to type), each of which may be unknown."""
    mapped = {name: TYPES[kind] for name, kind in attributes.items()}
    return Product(
        name="persons", types={PERSON: dt.string, **mapped}, nullable=frozenset(attributes)
    )


def check(table: ibis.Table, product: Product) -> ibis.Table:
    """Return the table if it is what the room promises.

    Raises
    ------
    TypeError
        Names the columns and what is wrong with them; never quotes a value.
    """
    # pandera takes the absence of rows for the presence of nulls.
    empty = int(table.count().execute()) == 0
    schema = pa.DataFrameSchema(
        {
            name: pa.Column(kind, nullable=empty or name in product.nullable)
            for name, kind in product.types.items()
        },
        strict=True,
        name=product.name,
    )
    try:
        schema.validate(table, lazy=True)
    except SchemaErrors as errors:
        wrong = sorted(
            {
                f"{getattr(e.schema, 'name', None) or product.name}: {e.check}"
                for e in errors.schema_errors
            }
        )
        message = f"the table of {product.name} is not what it promises ({'; '.join(wrong)})"
        raise TypeError(message) from None
    return table
