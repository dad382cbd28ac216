"""Doors between rooms: a product leaves with the columns it promised, or not at all.

A broken promise is a fault of ours, not of the user's data: it raises an `AssertionError` that names the
room and the column, and shows no row.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import ibis
from ibis.expr import datatypes as dt

# Where Spark is installed pandera tries its pandas at every turn, which warns of the pandas in use.
warnings.filterwarnings(
    "ignore", message="PySpark does not yet fully support pandas", category=FutureWarning
)

import pandera.ibis as pa  # noqa: E402 - the filter stands before
import pandera.pandas as frames  # noqa: E402
from pandera.errors import SchemaErrors  # noqa: E402

__all__ = ["frames", "hold"]


def hold(
    table: ibis.Table,
    columns: Mapping[str, dt.DataType],
    *,
    room: str,
    nullable: frozenset[str] = frozenset(),
) -> None:
    """Check that a table of the engine has exactly these columns, and no null where none may be.

    Parameters
    ----------
    table : ibis.Table
    columns : mapping of name to ibis data type
    room : str
        Named in the error.
    nullable : frozenset of str
        Columns that may hold nulls.
    """
    schema = pa.DataFrameSchema(
        {name: pa.Column(kind, nullable=True) for name, kind in columns.items()}, strict=True
    )
    try:
        schema.validate(table, lazy=True)
    except SchemaErrors as errors:
        # The library's message may show data; ours says which column broke which promise.
        wrong = sorted(
            {
                f"{getattr(e.schema, 'name', None) or 'table'}: {e.check}"
                for e in errors.schema_errors
            }
        )
        raise AssertionError(f"{room} is not what it promises ({'; '.join(wrong)})") from None
    full = [name for name in columns if name not in nullable]
    counts = table.aggregate([table[name].isnull().sum().name(name) for name in full]).execute()
    holes = [name for name in full if (counts[name].iloc[0] or 0) > 0]
    if holes:
        raise AssertionError(f"{room}: nulls in {', '.join(holes)}")
