"""Tables of markets and of persons as a draw reads them: names as text, in order, nothing twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.tables.table import numeric, require
from whatworks.errors import OptionError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Rows in the order of their names.

    Parameters
    ----------
    names : tuple of str
        Each once, sorted.
    numbers : mapping of str to ndarray
        Columns read as numbers.
    labels : mapping of str to tuple of str
        Columns read as text.
    """

    names: tuple[str, ...]
    numbers: dict[str, Floats]
    labels: dict[str, tuple[str, ...]]

    def digest(self) -> str:
        """SHA-256 of names and columns, whatever the order of rows."""
        seen = hashlib.sha256(json.dumps(self.names).encode())
        for column in sorted(self.numbers):
            seen.update(f"{column}\0".encode())
            seen.update((self.numbers[column] + 0.0).astype("<f8").tobytes())
        for column in sorted(self.labels):
            seen.update(f"{column}\0".encode())
            seen.update(json.dumps(self.labels[column]).encode())
        return seen.hexdigest()


def read_named(
    table: pd.DataFrame,
    name: str,
    *,
    what: str,
    numbers: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Named:
    """Rows of a table, sorted by the column that names them.

    Raises
    ------
    OptionError
        When a column is missing, a name is missing or there twice, or a number is not known. Messages
        count rows; they show none.
    """
    require(table, (name, *numbers, *labels))
    names = _texts(table[name], what=f"{what}: column {name!r}")
    order = np.argsort(names, kind="stable")
    told = names[order]
    again = int((told[1:] == told[:-1]).sum())
    if again:
        raise OptionError(
            what=what,
            needed=f"each {name!r} once",
            found=f"{again} of {len(table)} rows that repeat another",
            remedy="keep one row for each",
        )
    columns = {}
    for column in numbers:
        values = numeric(table, column)
        unknown = int(np.isnan(values).sum())
        if unknown:
            raise OptionError(
                what=f"{what}: column {column!r}",
                needed="a number on every row",
                found=f"{unknown} rows without",
                remedy="complete them, or leave that column out",
            )
        columns[column] = values[order]
    texts = {c: tuple(_texts(table[c], what=f"{what}: column {c!r}")[order]) for c in labels}
    return Named(names=tuple(told.tolist()), numbers=columns, labels=texts)


def read_file(path: str | Path) -> pd.DataFrame:
    """A table from a CSV (commas or semicolons) or Parquet file, identifiers kept as they are written.

    Raises
    ------
    OptionError
        When it cannot be read.
    """
    place = Path(path)
    try:
        if place.suffix.lower() == ".parquet":
            return pd.read_parquet(place)
        with place.open(encoding="utf-8-sig") as file:
            head = file.readline()
        sep = ";" if head.count(";") > head.count(",") else ","
        table = pd.read_csv(place, sep=sep, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    except (OSError, ValueError) as failure:
        told = getattr(failure, "strerror", None) or type(failure).__name__
        raise OptionError(
            what=place.name,
            needed="a CSV file in UTF-8 with a header, or a Parquet file",
            found=str(told).lower(),
            remedy="correct the path, or write the file again",
        ) from None
    table = table.replace("", np.nan)
    if sep == ";":  # as spreadsheets of France write numbers
        return table.apply(_with_points)
    return table


def read_sizes(path: str | Path, column: str) -> tuple[int, ...]:
    """Sizes of markets, one a row, from a column of a file."""
    table = read_file(path)
    require(table, (column,))
    sizes = numeric(table, column)
    wrong = int((~(sizes >= 1) | (sizes != np.floor(sizes))).sum())
    if wrong:
        raise OptionError(
            what=f"column {column!r}",
            needed="whole numbers of persons, 1 or more",
            found=f"{wrong} rows with something else",
            remedy="complete the column, and drop markets without anyone eligible",
        )
    return tuple(int(size) for size in sizes)


def _with_points(column: pd.Series) -> pd.Series:
    told = column.dropna()
    if told.str.fullmatch(r"[+-]?\d+,\d+").any() and told.str.fullmatch(r"[+-]?\d+(,\d+)?").all():
        return column.str.replace(",", ".", regex=False)
    return column


def _texts(column: pd.Series, *, what: str) -> NDArray[np.object_]:
    """Identifiers as text: whole numbers without a decimal point, whatever held them."""
    missing = int(column.isna().sum())
    if missing:
        raise OptionError(
            what=what,
            needed="a value on every row",
            found=f"{missing} rows without",
            remedy="complete or drop them",
        )
    values = column.to_numpy()
    if values.dtype.kind == "f":
        broken = int((values != np.floor(values)).sum())
        if broken:
            raise OptionError(
                what=what,
                needed="names, or whole numbers",
                found=f"{broken} numbers that are not whole",
                remedy="name rows by a column of identifiers",
            )
        values = values.astype(np.int64)
    return np.array([str(value) for value in values.tolist()], dtype=object)
