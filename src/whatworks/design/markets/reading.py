"""Columns of tables of markets, read once and the same way everywhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.tables.table import numeric, require
from whatworks.errors import OptionError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.object_]


def named(table: pd.DataFrame, column: str) -> tuple[tuple[str, ...], Ints]:
    """Distinct names of a column as text, in alphabetical order, and the position of each row.

    Raises
    ------
    OptionError
        When the column is not there, or lacks a name.
    """
    require(table, (column,))
    lacking = int(table[column].isna().sum())
    if lacking:
        raise OptionError(
            what=f"column {column!r}",
            needed="a name on every row",
            found=f"{lacking} rows without one",
            remedy="complete or drop them before",
        )
    names, place = coded(table[column].astype(str).to_numpy(dtype=object))
    return tuple(str(name) for name in names), place


def numbers(table: pd.DataFrame, column: str) -> Floats:
    """A column of finite numbers as floats, NaN where not known."""
    require(table, (column,))
    return numeric(table, column)


def coded(labels: Texts | pd.Series) -> tuple[Texts, Ints]:
    """Distinct labels in alphabetical order and the position of each row among them; −1 for none.

    Hashing, where sorting a million texts would take seconds.
    """
    codes, found = pd.factorize(np.asarray(labels, dtype=object))
    order = np.argsort(found.astype(str), kind="stable")
    place = np.empty(order.size + 1, dtype=np.int64)
    place[order], place[-1] = np.arange(order.size), -1
    return np.asarray(found, dtype=object)[order], place[codes]
