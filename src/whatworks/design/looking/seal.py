"""A design fixed before its outcomes: its digest, its date, and the folder that keeps both.

The digest is the SHA-256 of what was decided (question, units, weights, matches, balance, ledger), not
of the bytes of a file format: the same choice has the same digest on another day and machine. Files
are checked against it when they are read back.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from whatworks.errors import DesignRefused, OptionError
from whatworks.folders import new_folder
from whatworks.stats.fitted import FittedScore

UNITS: Final = "units.parquet"
MATCHES: Final = "matches.parquet"
FITTED: Final = "fitted.npz"
RECORD: Final = "design.json"
_PARTS: Final = tuple(field.name for field in fields(FittedScore))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """When a design was fixed, and what it was.

    Parameters
    ----------
    digest : str
        SHA-256 of its content, 64 hexadecimal digits.
    date : str
        UTC day, ``YYYY-MM-DD``.
    before_outcomes : bool
        Whether no outcome had been attached to it by then.
    """

    digest: str
    date: str
    before_outcomes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What of a design is sealed and saved.

    Parameters
    ----------
    units : DataFrame
    matches : DataFrame or None
    fitted : tuple of FittedScore
    record : mapping
        Everything else, as JSON holds it.
    """

    units: pd.DataFrame
    matches: pd.DataFrame | None
    fitted: tuple[FittedScore, ...]
    record: Mapping[str, Any]

    def digests(self) -> dict[str, str]:
        """SHA-256 of the content of each file that holds columns."""
        found = {UNITS: _of_frame(self.units)}
        if self.matches is not None:
            found[MATCHES] = _of_frame(self.matches)
        if self.fitted:
            found[FITTED] = _of_fitted(self.fitted)
        return found

    def digest(self) -> str:
        """SHA-256 of the whole."""
        return _of_record({**self.record, "content": self.digests()})


def today() -> str:
    """UTC day."""
    return datetime.now(tz=UTC).date().isoformat()


def write(content: Content, seal: Seal, folder: str | Path) -> Path:
    """Write a design into a new folder, whole or not at all.

    Raises
    ------
    OptionError
        When something stands there, or the place cannot be written.
    """
    place = Path(folder).resolve()
    with new_folder(place, never="a sealed design") as fresh:
        _write_parts(content, seal, fresh)
    return place


def _write_parts(content: Content, seal: Seal, folder: Path) -> None:
    _as_text(content.units).to_parquet(folder / UNITS, index=False)
    if content.matches is not None:
        content.matches.to_parquet(folder / MATCHES, index=False)
    if content.fitted:
        arrays = {
            f"{k}.{part}": getattr(equation, part)
            for k, equation in enumerate(content.fitted)
            for part in _PARTS
            if getattr(equation, part) is not None
        }
        np.savez(folder / FITTED, allow_pickle=False, **arrays)
    record = {
        **content.record,
        "content": content.digests(),
        "seal": {
            "digest": seal.digest,
            "date": seal.date,
            "before_outcomes": seal.before_outcomes,
        },
    }
    text = json.dumps(_plain(record), ensure_ascii=False, indent=1, allow_nan=False)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def read(folder: str | Path) -> tuple[Content, Seal]:
    """Read a design back, and check that it is the one that was sealed.

    Raises
    ------
    OptionError
        When a file is missing or cannot be read.
    DesignRefused
        When a file is not as it was sealed; names it.
    """
    place = Path(folder)
    try:
        record = json.loads((place / RECORD).read_text(encoding="utf-8"))
        sealed, signed = record.pop("seal"), record.pop("content")
        content = Content(
            units=_as_objects(pd.read_parquet(place / UNITS)),
            matches=pd.read_parquet(place / MATCHES) if MATCHES in signed else None,
            fitted=_read_fitted(place / FITTED) if FITTED in signed else (),
            record=record,
        )
        seal = Seal(**sealed)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        raise OptionError(
            what=f"folder {place.name!r}",
            needed="a design written by Design.save, whole",
            found=f"{type(failure).__name__} while reading it",
            remedy="save the design again, or bring back the files as they were",
        ) from failure
    for file, digest in content.digests().items():
        if digest != signed[file]:
            raise _changed(place / file)
    if content.digest() != seal.digest:
        raise _changed(place / RECORD)
    return content, seal


def _changed(file: Path) -> DesignRefused:
    return DesignRefused(
        what=f"design in {file.parent.name!r}",
        needed="the files as they were sealed",
        found=f"a content of {file.name!r} whose digest is another",
        remedy="bring back the files that were saved, or choose again and seal anew",
    )


def _read_fitted(file: Path) -> tuple[FittedScore, ...]:
    with np.load(file, allow_pickle=False) as arrays:
        numbers = sorted({int(name.partition(".")[0]) for name in arrays.files})
        return tuple(
            FittedScore(**{p: arrays[f"{k}.{p}"] for p in _PARTS if f"{k}.{p}" in arrays.files})
            for k in numbers
        )


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Object columns as text, which is what a file keeps of labels."""
    labels = {str(name): _labels(frame[name]) for name in frame.select_dtypes(object)}
    return frame.assign(**{name: pd.Series(found, dtype=object) for name, found in labels.items()})


def _as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Labels as a design holds them: objects, None where there is none."""
    told = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    return frame.assign(**{str(n): pd.Series(_labels(frame[n]), dtype=object) for n in told})


def _labels(column: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in column]


def _of_frame(frame: pd.DataFrame) -> str:
    """SHA-256 of the columns, in order of their names, each under its name."""
    seen = hashlib.sha256()
    for name in sorted(frame.columns):
        column = frame[name]
        seen.update(f"{name}\0".encode())
        if not pd.api.types.is_numeric_dtype(column):
            seen.update(json.dumps(_labels(column)).encode())
        else:
            seen.update(_bytes(column.to_numpy()))
    return seen.hexdigest()


def _of_fitted(fitted: tuple[FittedScore, ...]) -> str:
    seen = hashlib.sha256()
    for equation in fitted:
        for part in _PARTS:
            values = getattr(equation, part)
            if values is None:
                continue
            seen.update(f"{part}{values.shape}\0".encode())
            seen.update(_bytes(values))
    return seen.hexdigest()


def _of_record(record: Mapping[str, Any]) -> str:
    text = json.dumps(_plain(record), sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _bytes(values: np.ndarray[Any, Any]) -> bytes:
    """Little-endian bytes of whole numbers, truths or floats; every undefined number the same."""
    if values.dtype.kind == "f":
        return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes()
    return values.astype("<i8").tobytes()


def _plain(value: Any) -> Any:
    """Value as JSON holds it: sequences as lists, undefined numbers null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
