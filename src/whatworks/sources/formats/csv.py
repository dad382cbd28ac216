"""Format ``csv``: text with a header and separators, packed by gzip or not, read strictly."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO

import ibis
from ibis import _
from ibis.backends.duckdb import Backend

from whatworks.sources.formats.files import LONGEST_ROW, RawFile, inspect, literal_path
from whatworks.sources.formats.table import Columns, RawTable, chosen, header_problems
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem, ProblemsError, UnfitHeaderError, counted, reworded
from whatworks.sources.scratch import Scratch

_SEPARATORS: Final = (";", ",", "\t", "|")
_SHOWN_ROWS: Final = 5


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
    """Read a file of text; see `whatworks.sources.formats.read_file`."""
    file, problems = inspect(path, source, name=name, spool=spool)
    if file is None:
        return None, problems
    table, more = load_file(file, source, columns=columns, number=number, scratch=scratch)
    problems += more
    return (None if problems else table), problems


def load_file(
    file: RawFile, source: Source, *, columns: Columns, number: int, scratch: Scratch
) -> tuple[RawTable | None, list[Problem]]:
    """Read a file whose text is sound into the engine.

    Parameters
    ----------
    file : RawFile
    source : Source
    columns : callable
        The layout's, from source, header and connection.
    number : int
        Of the file within its source.
    scratch : Scratch

    Returns
    -------
    table : RawTable or None
        None when there is a problem.
    problems : list of Problem
    """
    try:
        header = _header(file.text, source)
    except (csv.Error, StopIteration):
        return None, [_no_header(file)]
    try:
        wanted = columns(source, header, scratch.connection)
    except UnfitHeaderError as unfit:
        return None, [_unfit(file, source, header, unfit)]
    problems = list(_header_problems(file, source, header, wanted))
    if problems:
        return None, problems
    return _rows(file, source, header, wanted, number=number, scratch=scratch)


def _header(path: Path, source: Source) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = _first_lines(stream)
        reader = csv.reader(lines, delimiter=source.separator, quotechar=source.quote, strict=True)
        return next(reader)


def _first_lines(stream: TextIO) -> Iterator[str]:
    """Lines of a file, as long as all of them together could be a header."""
    left = LONGEST_ROW
    while line := stream.readline(left + 1):
        left -= len(line)
        if left < 0:
            raise csv.Error
        yield line


def _no_header(file: RawFile) -> Problem:
    return Problem(
        what=file.name,
        needed="a first line with the names of the columns",
        found="none that can be read",
        remedy="check separator and quote in the mapping, or ask for the file again",
    )


def _header_problems(
    file: RawFile, source: Source, header: Sequence[str], wanted: Mapping[str, str]
) -> Iterator[Problem]:
    missing = any(name not in header for name in wanted.values())
    if missing and (separator := _other_separator(header, source)):
        yield _wrong_separator(file, source, separator)
        return
    if header and header[0].startswith("ï»¿"):
        yield Problem(
            what=file.name,
            needed=f"text encoded in {source.encoding}",
            found="the mark that opens UTF-8 files",
            remedy="write encoding = 'utf-8' in the mapping",
        )
        return
    yield from header_problems(file.name, header, wanted, first_line=True)


def _wrong_separator(file: RawFile, source: Source, other: str) -> Problem:
    return Problem(
        what=file.name,
        needed=f"columns separated by {source.separator!r}",
        found=f"a header of 1 column with {other!r} in it",
        remedy=f"write separator = {other!r} in the mapping",
    )


def _unfit(
    file: RawFile, source: Source, header: Sequence[str], unfit: UnfitHeaderError
) -> Problem:
    if other := _other_separator(header, source):
        return _wrong_separator(file, source, other)
    return Problem(what=file.name, needed=unfit.needed, found=unfit.found, remedy=unfit.remedy)


def _other_separator(header: Sequence[str], source: Source) -> str | None:
    """Give the separator the header seems written with, when it holds none of the declared one."""
    if len(header) > 1:
        return None
    line = "".join(header)
    best = max((s for s in _SEPARATORS if s != source.separator), key=line.count)
    return best if best in line else None


def _rows(
    file: RawFile,
    source: Source,
    header: Sequence[str],
    wanted: Mapping[str, str],
    *,
    number: int,
    scratch: Scratch,
) -> tuple[RawTable | None, list[Problem]]:
    """Rows of a file whose header is as it should be."""
    names = _Names(scratch)
    try:
        with reworded(file.name):
            lines = _lines(file, source, names, width=len(header), connection=scratch.connection)
        rows = chosen(lines, header, wanted, number=number)
        table = scratch.keep("raw", rows, what=file.name)
    except ProblemsError as error:
        return None, [_mixed_line_ends(file)] if file.mixed_line_ends else list(error.problems)
    finally:
        scratch.connection.drop_view(names.view, force=True)
    problems = list(_broken_rows(file, scratch.connection.table(names.rejects), len(header)))
    count = int(table.count().execute())
    if not count and not problems:
        problems = [_header_only(file)]
    if problems:
        return None, problems
    return RawTable(table=table, rows=count, sha256=file.sha256), []


class _Names:
    """Names, in the engine, of what reading one file makes beside its table."""

    def __init__(self, scratch: Scratch) -> None:
        self.view = str(ibis.util.gen_name("read_view"))
        self.rejects = scratch.name("rejects")
        self.scans = scratch.name("scans")


def _lines(
    file: RawFile, source: Source, names: _Names, *, width: int, connection: Backend
) -> ibis.Table:
    """Fields of a file as text, ``c0, c1, ...``; rows not so cut go to the table of rejects."""
    places = [f"c{i}" for i in range(width)]
    return connection.read_csv(
        literal_path(file.text),
        table_name=names.view,
        columns=dict.fromkeys(places, "VARCHAR"),
        auto_detect=False,
        header=True,
        delim=source.separator,
        quote=source.quote,
        escape=source.quote,
        strict_mode=True,
        null_padding=False,
        force_not_null=places,
        compression="none",
        hive_partitioning=False,
        store_rejects=True,
        rejects_table=names.rejects,
        rejects_scan=names.scans,
    )


def _broken_rows(file: RawFile, rejects: ibis.Table, width: int) -> Iterator[Problem]:
    """Rows that the engine could not cut into fields, counted and placed, never shown."""
    flaws = rejects.select("line", flaw=rejects.error_type.cast("string")).distinct()
    counts = flaws.group_by("flaw").aggregate(rows=_.count()).order_by("flaw")
    for row in counts.execute().itertuples():
        lines = flaws.filter(flaws.flaw == row.flaw).order_by("line").limit(_SHOWN_ROWS)
        places = ", ".join(str(line) for line in lines.line.execute())
        needed = {
            "UNQUOTED VALUE": "quotes that are closed",
            "INVALID ENCODING": "text in the declared encoding",
            "LINE SIZE OVER MAXIMUM": f"rows shorter than {LONGEST_ROW:,} bytes",
        }.get(row.flaw, f"{counted(width, 'field')} in every row")
        yield Problem(
            what=file.name,
            needed=needed,
            found=f"{counted(int(row.rows), 'row')} otherwise, first at row {places} of the file"
            " (its header is row 1)",
            remedy="check separator and quote in the mapping; if they are right, the file is"
            " damaged or cut: ask for it again",
        )


def _header_only(file: RawFile) -> Problem:
    return Problem(
        what=file.name,
        needed="rows after the header",
        found="a header and 0 rows",
        remedy="ask the producer for the file again or leave it out of the glob",
    )


def _mixed_line_ends(file: RawFile) -> Problem:
    return Problem(
        what=file.name,
        needed="the same line break after every row",
        found="rows that end in CR LF and rows that end in LF",
        remedy="save the file with one kind of line break; it may be two files put together",
    )
