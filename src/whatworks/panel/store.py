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

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from whatworks.errors import UsageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FORMAT: Final = 1
"""Version of the folder's layout; another one is not read."""
MANIFEST: Final = "manifest.json"
REGISTER: Final = "register.parquet"
MONTHS: Final = "months"
BESIDE: Final = "beside"
_PART: Final = ".part"
_ROW_GROUP: Final = 131_072


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other builds; a build that was killed holds nothing.

    Raises
    ------
    UsageError
        When another build holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / "lock").open("a+b")
    except OSError as error:
        raise UsageError(
            what=str(folder),
            needed="a folder that can be written",
            found=(error.strerror or type(error).__name__).lower(),
            remedy="give another, or ask for the right to write there",
        ) from None
    with handle:
        try:
            _hold(handle)
        except OSError:
            raise UsageError(
                what=str(folder),
                needed="a folder in which no other build is writing",
                found="one that another build holds",
                remedy="wait until that build ends, or write to another folder",
            ) from None
        yield


def _hold(handle: IO[bytes]) -> None:
    """Lock an open file; the system lets go of it when its process ends, however it ends."""
    if sys.platform == "win32":
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_table(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write Parquet under a temporary name, then give it its own; returns the rows written.

    The same rows in the same order give the same bytes: row groups are cut by number of rows, not
    by how batches happen to arrive.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + _PART)
    rows = 0
    with part.open("wb") as sink, pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group in _groups(batches, schema):
            writer.write_table(group, row_group_size=_ROW_GROUP)
            rows += group.num_rows
    _settle(part, path)
    return rows


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
        When it holds no panel, one of another format, or one that lacks files.
    """
    try:
        content: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(
            folder, found=f"no manifest that can be read ({type(error).__name__})"
        ) from None
    if content.get("format") != FORMAT:
        raise _unreadable(folder, found=f"a panel of format {content.get('format')!r}")
    missing = sum(not (folder / name).is_file() for name in files_of(content))
    if missing:
        raise _unreadable(folder, found=f"{missing} files of its manifest missing")
    return content


def _unreadable(folder: Path, *, found: str) -> UsageError:
    return UsageError(
        what=str(folder),
        needed=f"a folder written by build(), format {FORMAT}",
        found=found,
        remedy="build it again there; what is whole is kept",
    )


def files_of(manifest: dict[str, Any]) -> set[str]:
    """Every file a manifest names, relative to its folder."""
    months = {str(p["path"]) for p in manifest["partitions"]}
    return months | {str(name) for name in manifest["beside"].values()}


def sweep(folder: Path, *, keep: set[str] | None = None) -> None:
    """Remove what killed builds left half written and, given what to keep, every other file."""
    for room in (MONTHS, BESIDE):
        for path in sorted((folder / room).rglob("*.parquet*")):
            name = path.relative_to(folder).as_posix()
            if path.suffix == _PART or (keep is not None and name not in keep):
                path.unlink()
    for path in folder.glob(f"*{_PART}"):
        path.unlink()


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
