"""Raw files as bytes: the same ones each time."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

EPOCH: Final = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True, slots=True)
class File:
    """One raw file before it is written."""

    name: str
    content: bytes


def delimited(
    name: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    separator: str = ";",
    encoding: str = "utf-8",
) -> File:
    """Lay out a text file, every line ended."""
    lines = [separator.join(header), *(separator.join(row) for row in rows)]
    return File(name, ("\n".join(lines) + "\n").encode(encoding))


def packed(file: File) -> File:
    """Compress a file, without the hour at which it was."""
    return File(f"{file.name}.gz", gzip.compress(file.content, mtime=0))


def iso(day: int) -> str:
    """``2022-03-01`` for a day since 1970-01-01."""
    return str(EPOCH + np.timedelta64(day, "D"))


def french(day: int) -> str:
    """``01/03/2022`` for a day since 1970-01-01."""
    written = iso(day)
    return f"{written[8:]}/{written[5:7]}/{written[:4]}"
