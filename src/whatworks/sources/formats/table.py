"""One raw file becomes one table of text in the engine, whatever its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import ibis
from ibis.backends.duckdb import Backend

from whatworks.errors import suggestion
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem, counted

FILE: Final = "file"
"""Number of the file within its source."""
MOST_COLUMNS: Final = 10_000
"""A file of more has another separator, or its rows as columns; the engine would take minutes."""
FINGERPRINT: Final = "fingerprint"
"""Of every column of the raw row, mapped or not; equal only for exact duplicates."""

Columns = Callable[[Source, Sequence[str], Backend], Mapping[str, str]]
"""What a layout reads: our name of each column and its header in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """Rows of one file.

    Parameters
    ----------
    table : ibis.Table
        `FILE`, `FINGERPRINT` and the columns of the layout, all text; blank is ``""``, never null.
    rows : int
    sha256 : str
        Of the bytes of the file as they lie on the disk.
    """

    table: ibis.Table
    rows: int
    sha256: str


def chosen(
    fields: ibis.Table, header: Sequence[str], wanted: Mapping[str, str], *, number: int
) -> ibis.Table:
    """Columns of a `RawTable`.

    Parameters
    ----------
    fields : ibis.Table
        Every field of every row as text, in the order of the header.
    header : sequence of str
    wanted : mapping of our name to header
    number : int
        Of the file within its source.
    """
    mapped = {ours: fields[header.index(theirs)] for ours, theirs in wanted.items()}
    return fields.select(
        **{FILE: ibis.literal(number, "int32"), FINGERPRINT: _fingerprint(fields, header)}, **mapped
    )


def _fingerprint(fields: ibis.Table, header: Sequence[str]) -> ibis.Value:
    """128 bits of every field, in the order of the names of the columns.

    Held as an identifier of 16 bytes rather than as 32 digits: rows are grouped by it. Written as JSON
    first: joined by a mark, fields that hold the mark could be confused.
    """
    ordered = sorted(range(len(header)), key=lambda i: (header[i], i))
    texts = ibis.array([fields[i] for i in ordered])
    return texts.cast("json").cast("string").hexdigest("md5").cast("uuid")


def header_problems(
    name: str, header: Sequence[str], wanted: Mapping[str, str], *, first_line: bool = False
) -> Iterator[Problem]:
    """Columns that a layout reads and that a file lacks, or has twice; or far too many of them.

    Where the header is only the ``first_line`` of a file, it may be a person's row: nothing of it is
    shown unless another column of ours is there.
    """
    if len(header) > MOST_COLUMNS:
        yield Problem(
            what=name,
            needed=f"at most {MOST_COLUMNS:,} columns",
            found=f"{len(header):,}",
            remedy="check separator in the mapping; if it is right, ask for the columns it reads",
        )
        return
    shown = not first_line or not set(header).isdisjoint(wanted.values())
    for column in dict.fromkeys(wanted.values()):
        if column in header:
            continue
        near = suggestion(column, header) if shown else ""
        yield Problem(
            what=f"{name}, column {column!r}",
            needed="that column",
            found=f"{counted(len(header), 'column')}, none of that name",
            remedy=(
                near.replace("write", "the nearest is", 1) + ": correct the mapping or the file"
            )
            if near
            else "correct the mapping, or ask for the file with its header",
        )
    counts = Counter(header)
    for column in sorted(set(wanted.values())):
        if counts[column] > 1:
            yield Problem(
                what=f"{name}, column {column!r}",
                needed="one column of that name",
                found=f"{counts[column]}",
                remedy="give each column its own name",
            )


def unreadable(name: str, error: OSError) -> Problem:
    """Tell that the system does not give a file."""
    return Problem(
        what=name,
        needed="a file that can be read",
        found=(error.strerror or "an unreadable one").lower(),
        remedy="check its place and its permissions",
    )
