"""A panel's folder: files that appear whole or not at all, and the manifest that names them.

::

    manifest.json                   what the panel is, and every file of it; written last
    register.parquet                number of each person, for the next build; no reader opens it
    months/2021/00012-<mark>.parquet    rows of a block of persons and a year
    beside/persons-<mark>.parquet       attributes; and the other small tables
    lock                            held by the build that writes

A file's mark tells its content, or what it was made from: a file that has its final name is whole and
right, and a new content is a new name. Readers of the old manifest are not disturbed until the new one
stands; what neither needs is then removed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from whatworks.errors import UsageError
from whatworks.sources.private import hold

FORMAT: Final = 1
"""Version of the folder's layout; another one is not read."""
MANIFEST: Final = "manifest.json"
REGISTER: Final = "register.parquet"
MONTHS: Final = "months"
BESIDE: Final = "beside"
_PART: Final = ".part"
_OURS: Final = re.compile(
    r"([0-9]{5,}|[a-z]+)-[0-9a-f]{16}[.]parquet([.]part)?|[a-z]+[.]whole[.]part([.]part)?"
)
"""Names of the files of `MONTHS` and `BESIDE`: no other is ever removed."""
_HELD: Final = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
Marks = Mapping[str, Mapping[str, int | str]]
"""Of each file by its path in the folder: ``bytes`` and ``sha256``."""
_ROW_GROUP: Final = 131_072


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other builds; a build that was killed holds nothing.

    Raises
    ------
    UsageError
        When another build holds it, or it cannot be written.
    """
    with plainly(folder):
        # Rows of persons: others enter a new folder once its owner lets them.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = (folder / "lock").open("a+b")
    with handle:
        try:
            hold(handle)
        except OSError as error:
            held = error.errno in _HELD
            found = "one that another build holds" if held else "a file system that knows no locks"
            wait = "wait until that build ends, or write to another folder"
            raise UsageError(
                what=str(folder),
                needed="a folder in which no other build is writing",
                found=found,
                remedy=wait if held else "write to a disk of this machine",
            ) from None
        yield


def check_place(folder: Path) -> None:
    """Raise what writing the folder would raise, before any work; leave nothing behind.

    Raises
    ------
    UsageError
        When its place cannot be written.
    """
    with plainly(folder):
        ground = folder.resolve()
        while not ground.exists():
            ground = ground.parent
        with TemporaryDirectory(dir=ground, prefix=".whatworks-"):
            pass


@contextmanager
def plainly(folder: Path) -> Iterator[None]:
    """Tell what the disk, or the engine, refuses while a folder is written or read.

    Raises
    ------
    UsageError
        Quotes neither the engine, whose errors may hold rows, nor anything behind it.
    """
    try:
        yield
    except OSError as error:
        told = _not_done(
            folder,
            needed="a folder that can be written, with room on its disk",
            # What the library cannot write is an OSError too, without a word of the system's.
            found=(error.strerror or type(error).__name__).lower(),
            remedy="free space, ask for the right to write there, or give another; what stands in"
            " it is whole, and a build goes on from it",
        )
    except duckdb.OutOfMemoryException:
        told = _not_done(
            folder,
            needed="more memory or more temporary disk than the engine may take",
            found="the limit reached",
            remedy="raise memory_limit of the connection, free space in its directory, or lower"
            " block_persons",
        )
    except duckdb.Error as error:
        told = _not_done(
            folder,
            needed="files the engine can read",
            found=f"an error of the engine ({type(error).__name__}), its text withheld because it"
            " can quote rows",
            remedy="if a build was replacing the panel, do it again; if not, a file is damaged:"
            " build it again there",
        )
    else:
        return
    try:
        raise told
    finally:
        told.__context__ = None  # frames of an error behind it can hold rows


def _not_done(folder: Path, *, needed: str, found: str, remedy: str) -> UsageError:
    return UsageError(what=str(folder), needed=needed, found=found, remedy=remedy)


def write_table(
    path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema, *, private: bool = False
) -> int:
    """Write Parquet under a temporary name, then give it its own; returns the rows written.

    The same rows in the same order give the same bytes: row groups are cut by number of rows, not
    by how batches happen to arrive. A ``private`` file is its owner's alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + _PART)
    rows = 0
    try:
        with (
            _opened(part, mode=0o600 if private else 0o666) as sink,
            pq.ParquetWriter(sink, schema, compression="zstd") as writer,
        ):
            for group in _groups(batches, schema):
                writer.write_table(group, row_group_size=_ROW_GROUP)
                rows += group.num_rows
        _settle(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return rows


def _opened(path: Path, *, mode: int) -> IO[bytes]:
    """A new file that was never more open than its mode."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, _NEW, mode), "wb")


def _groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of exactly `_ROW_GROUP` rows, the last one shorter."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows < _ROW_GROUP:
            continue
        table = pa.Table.from_batches(held).cast(schema)
        whole = rows - rows % _ROW_GROUP
        yield from (table.slice(at, _ROW_GROUP) for at in range(0, whole, _ROW_GROUP))
        held, rows = table.slice(whole).to_batches(), rows - whole
    if held:
        yield pa.Table.from_batches(held).cast(schema)


def write_beside(
    folder: Path, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> str:
    """Write a small table under a name that tells its content; returns its path in the folder."""
    whole = folder / BESIDE / f"{name}.whole{_PART}"
    write_table(whole, batches, schema)
    with whole.open("rb") as content:
        mark = hashlib.file_digest(content, "sha256").hexdigest()[:16]
    final = f"{BESIDE}/{name}-{mark}.parquet"
    _settle(whole, folder / final)
    return final


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Put a manifest in the place of the one before, in one act."""
    part = folder / (MANIFEST + _PART)
    text = json.dumps({"format": FORMAT, **content}, indent=1, sort_keys=True, ensure_ascii=False)
    part.write_text(text + "\n", encoding="utf-8")
    _settle(part, folder / MANIFEST)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a folder holds.

    Raises
    ------
    UsageError
        When it holds no panel, one of another format, or one whose files are missing or cut.
    """
    content = _manifest(folder)
    while lost := [
        name for name, mark in content["marks"].items() if not _there(folder / name, mark)
    ]:
        again = _manifest(folder)
        if again["marks"] == content["marks"]:
            raise unreadable(folder, found=f"{len(lost)} files of its manifest missing or cut")
        content = again  # a build has replaced it, and removed what the old one named
    return content


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(
            folder, found=f"no manifest that can be read ({type(error).__name__})"
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        told = content.get("format") if isinstance(content, dict) else None
        raise unreadable(folder, found=f"a panel of format {told!r}")
    if not isinstance(content.get("marks"), dict) or set(content["marks"]) != files_of(content):
        raise unreadable(folder, found="a manifest with other contents")
    return content


def _there(path: Path, mark: Mapping[str, int | str]) -> bool:
    """Whether a file stands, of the size it was written with."""
    try:
        return path.stat().st_size == mark["bytes"]
    except (OSError, KeyError, TypeError):
        return False


def unreadable(folder: Path, *, found: str) -> UsageError:
    """Tell that a folder holds no whole panel."""
    return UsageError(
        what=str(folder),
        needed=f"a folder written by build(), format {FORMAT}",
        found=found,
        remedy="build it again there; what is whole is kept",
    )


def marks_of(folder: Path, names: Iterable[str], *, known: Marks) -> Marks:
    """Size and hash of files; ``known`` are not read again."""
    return {name: known[name] if name in known else _mark(folder / name) for name in sorted(names)}


def standing(folder: Path, names: Iterable[str]) -> Marks:
    """Files that are there and are what they were when they were written.

    Those of the manifest are compared with it byte by byte. A build that was cut has left others,
    which have their names because they are whole.
    """
    try:
        told = dict(_manifest(folder)["marks"])
    except UsageError:
        told = {}
    found = {name: _mark(folder / name) for name in names if (folder / name).is_file()}
    return {
        name: mark
        for name, mark in found.items()
        if (mark == told[name] if name in told else _is_parquet(folder / name))
    }


def _mark(path: Path) -> dict[str, int | str]:
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        return {"bytes": content.tell(), "sha256": digest}


def _is_parquet(path: Path) -> bool:
    """Whether a file has the end that is written last."""
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return False
    return True


def files_of(manifest: dict[str, Any]) -> set[str]:
    """Every file a manifest names, relative to its folder."""
    try:
        months = {str(p["path"]) for p in manifest["partitions"]}
        return months | {str(name) for name in manifest["beside"].values()}
    except (KeyError, TypeError, AttributeError):
        return set()  # not a manifest of ours: no mark agrees with it


def sweep(folder: Path, *, keep: set[str] | None = None) -> None:
    """Remove what killed builds left half written and, given what to keep, every other file."""
    for room in (MONTHS, BESIDE):
        for path in sorted((folder / room).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if not _OURS.fullmatch(path.name):
                continue
            if path.suffix == _PART or (keep is not None and name not in keep):
                path.unlink()
    for name in (MANIFEST, REGISTER):
        (folder / (name + _PART)).unlink(missing_ok=True)


def _settle(part: Path, final: Path) -> None:
    """Make a written file last, then give it its name: after a cut it is there whole or not at all."""
    with part.open("rb+") as handle:
        os.fsync(handle.fileno())
    part.replace(final)
    if sys.platform != "win32":  # a directory cannot be opened there, and renaming is journalled
        directory = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
