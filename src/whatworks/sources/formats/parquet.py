"""Format ``parquet``: columns of any type, read as the text that the same table has as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
import pyarrow.parquet as pq

from whatworks.sources.formats.files import engine_path, literal_path, no_path, not_read
from whatworks.sources.formats.packing import digest, first_bytes
from whatworks.sources.formats.table import Columns, RawTable, chosen, header_problems
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem, ProblemsError, UnfitHeaderError, reworded
from whatworks.sources.scratch import Scratch

_MARK: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"
_EXACT: Final = 2**53
"""Beyond it a floating number no longer tells whole numbers apart."""
_NOT_DAMAGE: Final = (
    duckdb.OutOfMemoryException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.ParserException,
)
_INDEX: Final = re.compile(r"__index_level_\d+__")
"""Row numbers that a producer's tool adds by itself: two rows are the same row without them."""


class _DamagedError(Exception):
    """The bytes are not those of a whole Parquet file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """A file whose description, at its end, could be read."""

    name: str
    path: Path
    sha256: str
    rows: int
    header: tuple[str, ...]
    places: tuple[int, ...]
    """Position of each column of the header among all those of the file."""


def read(
    path: Path,
    source: Source,
    *,
    name: str,
    columns: Columns,
    number: int,
    spool: Path,
    scratch: Scratch,
) -> tuple[RawTable | None, list[Problem]]:
    """Read a Parquet file; see `whatworks.sources.formats.read_file`.

    Notes
    -----
    Numbers are written without superfluous decimals, dates as ``2021-03-31``, truth as ``1`` and
    ``0``, nothing as ``""``. A column of times that are all midnight is one of dates, as some
    producers know no other.
    """
    file = _opened(path, name, spool=spool)
    if isinstance(file, Problem):
        return None, [file]
    try:
        wanted = columns(source, file.header, scratch.connection)
    except UnfitHeaderError as unfit:
        return None, [
            Problem(what=name, needed=unfit.needed, found=unfit.found, remedy=unfit.remedy)
        ]
    problems = list(header_problems(name, file.header, wanted))
    if problems:
        return None, problems
    return _rows(file, wanted, number=number, scratch=scratch)


def _opened(path: Path, name: str, *, spool: Path) -> _Whole | Problem:
    """Read what a file says of itself."""
    try:
        start = first_bytes(path)
        if not start.startswith(_MARK):
            return _another_format(name, encrypted=start.startswith(_ENCRYPTED))
        sha256 = digest(path)
        with path.open("rb") as stream:
            footer = pq.read_metadata(stream)
        names = footer.schema.to_arrow_schema().names
    except (pa.ArrowException, UnicodeDecodeError):
        return _damaged(name)
    except OSError as error:
        # What the library finds damaged is an OSError too, without the number of a system's error.
        return _damaged(name) if error.errno is None else not_read(name, error)
    kept = [(i, column) for i, column in enumerate(names) if not _INDEX.fullmatch(column)]
    text = engine_path(path, spool.with_name("link"))
    if text is None:
        return no_path(name)
    if not footer.num_rows:
        return _no_rows(name)
    return _Whole(
        name=name,
        path=text,
        sha256=sha256,
        rows=footer.num_rows,
        header=tuple(column for _, column in kept),
        places=tuple(i for i, _ in kept),
    )


def _rows(
    file: _Whole, wanted: Mapping[str, str], *, number: int, scratch: Scratch
) -> tuple[RawTable | None, list[Problem]]:
    """Rows of a file whose header is as it should be."""
    view = str(ibis.util.gen_name("read_view"))
    try:
        with reworded(file.name), _told_damaged():
            whole = scratch.connection.read_parquet(
                literal_path(file.path), table_name=view, hive_partitioning=False
            )
            typed = whole.select(**{f"c{i}": whole[i] for i in file.places})
            problems = list(_untellable(file, typed, wanted))
            if problems:
                return None, problems
            rows = chosen(_as_text(typed), file.header, wanted, number=number)
            table = scratch.connection.create_table(scratch.name("raw"), rows, temp=True)
            count = int(table.count().execute())
    except _DamagedError:
        return None, [_damaged(file.name)]
    except ProblemsError as error:
        return None, list(error.problems)
    finally:
        scratch.connection.drop_view(view, force=True)
    if count != file.rows:
        return None, [_damaged(file.name)]
    return RawTable(table=table, rows=count, sha256=file.sha256), []


@contextmanager
def _told_damaged() -> Iterator[None]:
    """Take an error of the engine for what it is when bytes are at fault, not room or a query."""
    try:
        yield
    except _NOT_DAMAGE:
        raise
    except duckdb.Error:
        raise _DamagedError from None


def _untellable(file: _Whole, typed: ibis.Table, wanted: Mapping[str, str]) -> Iterator[Problem]:
    """Columns read by the mapping whose type has no one text."""
    for column in dict.fromkeys(wanted.values()):
        kind = typed[file.header.index(column)].type()
        what = f"{file.name}, column {column!r}"
        if kind.is_timestamp() and kind.timezone is not None:
            yield Problem(
                what=what,
                needed="dates, or times without a time zone",
                found=f"times of the zone {kind.timezone}: the day depends on where one stands",
                remedy="write the column as dates of the place concerned",
            )
        elif not _is_plain(kind):
            yield Problem(
                what=what,
                needed="text, numbers, dates or truth values",
                found="bytes" if kind.is_binary() else "a list or a table in each row",
                remedy="write it as text, or read another column"
                if kind.is_binary()
                else "write its parts as columns of their own, or read another column",
            )


def _is_plain(kind: dt.DataType) -> bool:
    return not (kind.is_nested() or kind.is_binary() or kind.is_json() or kind.is_unknown())


def _as_text(typed: ibis.Table) -> ibis.Table:
    """Every column as the text it would be in a CSV file."""
    times = [c for c in typed.columns if typed[c].type().is_timestamp()]
    days: dict[str, bool] = {}
    if times:
        midnight = {c: (typed[c] == typed[c].truncate("D")).all() for c in times}
        days = typed.aggregate(**midnight).execute().iloc[0].fillna(value=True).to_dict()
    return typed.select(
        **{c: _text(typed[c], day=bool(days.get(c))).fill_null("") for c in typed.columns}
    )


def _text(column: ibis.Value, *, day: bool) -> ibis.Value:
    kind = column.type()
    if kind.is_string():
        return column
    if kind.is_boolean():
        return column.cast("int8").cast("string")
    if kind.is_floating():
        whole = column.try_cast("int64")
        # The engine writes the shortest decimals that give the same number back.
        return ibis.cases(
            (column.isnan(), ibis.null("string")),
            ((whole == column) & (whole.abs() < _EXACT), whole.cast("string")),
            else_=column.cast("string"),
        )
    if kind.is_nested():
        return column.cast("json").cast("string")
    return (column.cast("date") if day else column).cast("string")


def _another_format(name: str, *, encrypted: bool) -> Problem:
    return Problem(
        what=name,
        needed="a Parquet file",
        found="an encrypted one" if encrypted else "another format",
        remedy="ask the producer for one that is not"
        if encrypted
        else "correct format in the mapping, or the glob",
    )


def _damaged(name: str) -> Problem:
    return Problem(
        what=name,
        needed="a whole Parquet file",
        found="one that is damaged, or cut before its end",
        remedy="ask for the file again, and compare its size with the producer's",
    )


def _no_rows(name: str) -> Problem:
    return Problem(
        what=name,
        needed="rows",
        found="a Parquet file with 0 rows",
        remedy="ask the producer for the file again or leave it out of the glob",
    )
