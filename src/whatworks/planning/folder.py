"""The folder of an assignment: written whole or not at all, never over another, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from whatworks.errors import OptionError
from whatworks.folders import new_folder
from whatworks.planning.inputs import read_file
from whatworks.vocabulary import MARKET, PERSON, SATURATION, STRATUM, TREATED

MARKETS: Final = "markets.csv"
PERSONS: Final = "persons.csv"
PERSONS_PARQUET: Final = "persons.parquet"
SEED: Final = "seed.txt"
AUDIT: Final = "audit.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a folder holds.

    Parameters
    ----------
    markets : DataFrame
    persons : DataFrame or None
    seed : str
    audit : mapping
    """

    markets: pd.DataFrame
    persons: pd.DataFrame | None
    seed: str
    audit: Mapping[str, Any]

    def options(self, name: str) -> dict[str, Any]:
        """Options of the audit trail, lists as tuples."""
        return {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in self.audit[name].items()
        }


def write_folder(
    folder: str | Path,
    *,
    markets: pd.DataFrame,
    persons: pd.DataFrame | None,
    seed: str,
    audit: Mapping[str, Any],
    parquet: bool,
) -> Path:
    """Write the files beside the folder, then put them in its place in one move."""
    place = Path(folder).resolve()
    with new_folder(place, never="an assignment") as fresh:
        markets.to_csv(fresh / MARKETS, index=False, lineterminator="\n")
        if persons is not None and parquet:
            persons.to_parquet(fresh / PERSONS_PARQUET, index=False)
        elif persons is not None:
            persons.to_csv(fresh / PERSONS, index=False, lineterminator="\n")
        (fresh / SEED).write_text(f"{seed}\n", encoding="utf-8")
        (fresh / SEED).chmod(0o600)
        text = json.dumps(audit, ensure_ascii=False, indent=1, allow_nan=False)
        (fresh / AUDIT).write_text(text + "\n", encoding="utf-8")
    return place


def read_folder(folder: str | Path) -> Kept:
    """Read an assignment back, as it stands.

    Raises
    ------
    OptionError
        When a file is missing or cannot be read.
    """
    place = Path(folder)
    try:
        audit = json.loads((place / AUDIT).read_text(encoding="utf-8"))
        seed = (place / SEED).read_text(encoding="utf-8").rstrip("\n")
        _ = {**audit["rules"]}, audit["digest"]  # an object with both, or no audit trail of ours
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise OptionError(
            what=f"folder {place.name!r}",
            needed="an assignment written by Assignment.save, whole",
            found=f"{type(failure).__name__} while reading it",
            remedy="bring back the files as they were written",
        ) from None
    markets = read_file(place / MARKETS)
    persons = None
    for name in (PERSONS, PERSONS_PARQUET):
        if (place / name).exists():
            persons = read_file(place / name)
    _columns(markets, (MARKET, STRATUM, SATURATION), MARKETS)
    if persons is not None:
        _columns(persons, (PERSON, MARKET, STRATUM, SATURATION, TREATED), PERSONS)
    return Kept(markets=_numbered(markets), persons=_numbered(persons), seed=seed, audit=audit)


def _numbered(table: Any) -> Any:
    if table is None:
        return None
    numbers = [c for c in (SATURATION, TREATED, "eligible") if c in table]
    return table.assign(**{c: pd.to_numeric(table[c], errors="coerce") for c in numbers})


def _columns(table: pd.DataFrame, names: tuple[str, ...], file: str) -> None:
    lost = [name for name in names if name not in table]
    if lost:
        raise OptionError(
            what=file,
            needed="the columns " + ", ".join(names),
            found=f"no column {lost[0]!r}",
            remedy="bring back the file as it was written",
        )
