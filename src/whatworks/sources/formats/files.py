"""First pass over a file of text, byte by byte: is it whole, is it text, which file is it."""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from whatworks.sources.formats.packing import (
    PackingError,
    damaged_archive,
    is_packed,
    pieces,
)
from whatworks.sources.formats.table import unreadable
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem, counted

_UTF8: Final = ("utf-8", "utf-8-sig", "ascii")
_WIDE: Final = ("utf-16", "utf-32")
_FORMATS: Final = (
    (b"\xff\xfe", "the mark that opens UTF-16 files", "write encoding = 'utf-16' in the mapping"),
    (b"\xfe\xff", "the mark that opens UTF-16 files", "write encoding = 'utf-16' in the mapping"),
    (b"PAR1", "a Parquet file", "write format = 'parquet' in the mapping"),
    (
        b"<?xml",
        "an XML file",
        "write format = 'xml' in the mapping, and describe its rows in 'xml'",
    ),
    *(
        (opening, "a web page", "download the file again: the site answered with a page")
        for opening in (b"<!DOCTYPE html", b"<!doctype html", b"<html")
    ),
    (
        b"PK\x03\x04",
        "a spreadsheet (.xlsx, .ods) or another zip archive",
        "open it and save the sheet as CSV, or unpack the archive",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "a spreadsheet in the old format (.xls)",
        "open it and save the sheet as CSV",
    ),
)
"""First bytes of files that are not text in one byte after the other, what they are, the remedy."""


LONGEST_ROW: Final = 2_000_000
"""Bytes of the longest row that the engine takes; beyond its buffer it loses rows without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """A raw file that could be read to its end.

    Parameters
    ----------
    name : str
        As errors and outputs call it.
    sha256 : str
        Of its bytes as they lie on the disk.
    text : Path
        The same text in UTF-8: the file itself, a link to it where the engine cannot take its
        path, or a copy where it is compressed or its encoding is another.
    mixed_line_ends : bool
        Both CR LF and LF alone occur.
    """

    name: str
    sha256: str
    text: Path
    mixed_line_ends: bool


@dataclass(slots=True)
class _Tally:
    """What the pass has seen so far."""

    lines: int = 0
    carriage_returns: int = 0
    nuls: int = 0
    first_nul_line: int = 0
    last: str = ""
    run: int = 0
    long_lines: int = 0
    first_long_line: int = 0

    def add(self, text: str) -> None:
        self._measure(text)
        if not self.nuls and "\0" in text:
            self.first_nul_line = self.lines + text.count("\n", 0, text.index("\0")) + 1
        self.nuls += text.count("\0")
        self.lines += text.count("\n")
        self.carriage_returns += text.count("\r\n") + (self.last == "\r" and text[:1] == "\n")
        self.last = text[-1:] or self.last

    def _measure(self, text: str) -> None:
        """Follow the length of the line; within one piece none can be too long."""
        breaks = [place for place in (text.find("\n"), text.find("\r")) if place >= 0]
        before = self.run
        self.run += min(breaks, default=len(text))
        if before <= LONGEST_ROW < self.run:
            self.long_lines += 1
            self.first_long_line = self.first_long_line or self.lines + 1
        if breaks:
            self.run = len(text) - 1 - max(text.rfind("\n"), text.rfind("\r"))


def inspect(
    path: Path, source: Source, *, name: str, spool: Path
) -> tuple[RawFile | None, list[Problem]]:
    """Read a file once from end to end.

    Parameters
    ----------
    path : Path
        Of text, or of a gzip archive of it.
    source : Source
        Declares encoding and final newline.
    name : str
        What to call the file.
    spool : Path
        Where to write a UTF-8 copy when the file is compressed or in another encoding.

    Returns
    -------
    file : RawFile or None
        None when its text cannot be used at all.
    problems : list of Problem
    """
    digest = hashlib.sha256()
    tally = _Tally()
    decoder = codecs.getincrementaldecoder(source.encoding)("strict")
    try:
        start = next(pieces(path, hashlib.sha256()), b"")
        if (other := _another_format(start, source, name)) is not None:
            return None, [other]
        copied = is_packed(path) or codecs.lookup(source.encoding).name not in _UTF8
        text = engine_path(spool, None) if copied else engine_path(path, spool.with_name("link"))
        if text is None:
            return None, [no_path(name)]
        with spool.open("w", encoding="utf-8", newline="") as copy:
            for piece in _decoded(pieces(path, digest), decoder):
                tally.add(piece)
                if copied:
                    _write(copy, piece)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(source.encoding, errors="ignore")
        return None, [_not_decoded(name, source, line=tally.lines + before.count("\n") + 1)]
    except (PackingError, OSError) as error:
        return None, [not_read(name, error)]
    if not tally.last:
        return None, [_empty(name)]
    file = RawFile(
        name=name,
        sha256=digest.hexdigest(),
        text=text,
        mixed_line_ends=0 < tally.carriage_returns < tally.lines,
    )
    unfit = tally.nuls or tally.long_lines
    return (None if unfit else file), list(_flaws(tally, source, name))


def engine_path(path: Path, link: Path | None) -> Path | None:
    """Give a path in which the engine, which writes every path in UTF-8, finds a file.

    Where the system's locale is not UTF-8 a path with accents has other bytes than the engine
    would look for; a link to it then stands in a folder whose path has none.

    Parameters
    ----------
    path : Path
    link : Path or None
        Where a link may be made.

    Returns
    -------
    Path or None
        None when no path will do.
    """
    if _same_in_utf8(path.absolute()):
        return path
    if link is None or not _same_in_utf8(link.absolute()):
        return None
    link.unlink(missing_ok=True)
    link.symlink_to(path.absolute())
    return link


def literal_path(path: Path) -> str:
    """Absolute path in which the engine sees no pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path.absolute()))


def _same_in_utf8(path: Path) -> bool:
    try:
        return str(path).encode("utf-8") == os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _another_format(start: bytes, source: Source, name: str) -> Problem | None:
    """Recognise, by its first bytes, a file that is not text as the mapping declares it."""
    if codecs.lookup(source.encoding).name.startswith(_WIDE):
        formats = [f for f in _FORMATS if "UTF-16" not in f[1]]
    else:
        formats = list(_FORMATS)
    for mark, found, remedy in formats:
        if start.startswith(mark):
            needed = f"text encoded in {source.encoding}"
            return Problem(what=name, needed=needed, found=found, remedy=remedy)
    return None


def no_path(name: str) -> Problem:
    """Tell that the engine can take no path to a file."""
    return Problem(
        what=name,
        needed="a path the engine can take, or a temporary directory with one",
        found="accents in both, and a locale that does not write them in UTF-8",
        remedy="set a UTF-8 locale (such as LC_ALL=C.UTF-8), or a temporary directory without"
        " accents (TMPDIR)",
    )


def _decoded(raw: Iterator[bytes], decoder: codecs.IncrementalDecoder) -> Iterator[str]:
    """Text of a file piece by piece."""
    for piece in raw:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _write(copy: TextIO, piece: str) -> None:
    """Append to the UTF-8 copy, without the mark that opens files of some producers."""
    copy.write(piece.removeprefix("\ufeff") if copy.tell() == 0 else piece)


def _flaws(tally: _Tally, source: Source, name: str) -> Iterator[Problem]:
    if tally.nuls:
        yield Problem(
            what=name,
            needed="text",
            found=f"{counted(tally.nuls, 'NUL byte')}, first on line {tally.first_nul_line}",
            remedy="declare the encoding if it is UTF-16, or ask the producer for the file again",
        )
    if tally.long_lines:
        yield Problem(
            what=name,
            needed=f"rows shorter than {LONGEST_ROW:,} bytes",
            found=f"{counted(tally.long_lines, 'line')} otherwise, first on line"
            f" {tally.first_long_line}",
            remedy="check separator and quote in the mapping; if they are right, the file is"
            " damaged: ask for it again",
        )
    if source.final_newline == "required" and tally.last not in "\r\n":
        yield Problem(
            what=name,
            needed="a line break after the last row",
            found=f"none after line {tally.lines + 1}: the file may have been cut",
            remedy="ask for the file again; if the producer writes none, put"
            " final_newline = 'optional' in the mapping",
        )


def _not_decoded(name: str, source: Source, *, line: int) -> Problem:
    other = "cp1252" if codecs.lookup(source.encoding).name in _UTF8 else "utf-8"
    return Problem(
        what=name,
        needed=f"text encoded in {source.encoding}",
        found=f"bytes that are not, first on line {line}",
        remedy=f"declare its encoding in the mapping, for instance encoding = '{other}', or save"
        f" it as {source.encoding}; a file cut in the middle can look so too",
    )


def not_read(name: str, error: PackingError | OSError) -> Problem:
    """Tell why the bytes of a file did not come, or could not be copied."""
    if isinstance(error, PackingError):
        return damaged_archive(name, error)
    return no_room(name) if error.errno == errno.ENOSPC else unreadable(name, error)


def no_room(name: str) -> Problem:
    """Tell that the disk is full."""
    return Problem(
        what=name,
        needed="room in the temporary directory for a copy of its rows",
        found="a full disk",
        remedy="free space there, or set TMPDIR to a larger disk; a compressed file can stand for"
        " a thousand times its size",
    )


def _empty(name: str) -> Problem:
    return Problem(
        what=name,
        needed="a header and rows",
        found="an empty file (0 rows)",
        remedy="ask the producer for the file again or leave it out of the glob",
    )
