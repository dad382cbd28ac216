"""Files that installed packages ship, found without importing the package and checked before use."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from whatworks.errors import SourceRefused, UsageError


def shipped(package: str, relative: str) -> Path:
    """Path of a file inside an installed package; the package is not imported.

    Raises
    ------
    UsageError
        When the package is not installed or no longer ships the file.
    """
    spec = find_spec(package)
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    path = Path(places[0]) / relative if places else None
    if path is None or not path.is_file():
        raise UsageError(
            what=f"the data of package {package!r}",
            needed=f"its file {relative}",
            found="no such package" if not places else "a version without it",
            remedy="install the studies: pip install 'whatworks[studies]'",
        )
    return path


def read_stata(
    package: str, relative: str, *, column: str, total: float, rows: int
) -> pd.DataFrame:
    """Stata file of a package, checked by its number of rows and the sum of one column.

    Integers are widened to 64 bits: Stata's bytes overflow in silence when squared.

    Raises
    ------
    SourceRefused
        When the file is not the one the study was written on.
    """
    table = pd.read_stata(shipped(package, relative), convert_categoricals=False)
    _check(table, package, relative, column=column, total=total, rows=rows)
    small = table.select_dtypes("integer").columns
    return table.astype(dict.fromkeys(small, "int64"))


def read_pickle(
    package: str, relative: str, *, column: str, total: float, rows: int
) -> pd.DataFrame:
    """Compressed pickle of a package, checked by its number of rows and the sum of one column.

    Raises
    ------
    SourceRefused
        When the file is not the one the study was written on.
    """
    # A pickle runs code when read: only from a package whose version is pinned.
    table = pd.read_pickle(shipped(package, relative), compression="xz")  # noqa: S301
    _check(table, package, relative, column=column, total=total, rows=rows)
    return pd.DataFrame(table)


def _check(
    table: pd.DataFrame, package: str, relative: str, *, column: str, total: float, rows: int
) -> None:
    """Refuse a file that is not the one the study was written on."""
    if len(table) != rows or not np.isclose(table[column].sum(), total, rtol=1e-6):
        raise SourceRefused(
            what=relative,
            needed=f"{rows} rows whose {column} sum to {total:,.0f}",
            found=f"{len(table)} rows with another sum",
            remedy=f"install the version of {package!r} pinned in constraints.txt",
        )
