"""A folder of the report: signed by its manifest, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from whatworks.errors import OptionError

MANIFEST: Final = "manifest.json"
PRODUCER: Final = "whatworks"
_FRESH: Final = "fresh"
_FORMER: Final = "former"


def signed(files: Mapping[str, bytes], *, lang: str) -> dict[str, bytes]:
    """Files with the manifest that lists them and their SHA-256."""
    manifest = {
        "producer": PRODUCER,
        "version": version(PRODUCER),
        "lang": lang,
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    return {**files, MANIFEST: text.encode()}


def refuse_foreign(folder: Path) -> None:
    """Let through a folder that is absent, empty, or holds only what an earlier report wrote.

    Raises
    ------
    OptionError
        Naming how many files stand there that no manifest of ours lists, or when the place
        cannot be read.
    """
    with _telling(folder):
        if not folder.exists():
            return
        found = (
            {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
            if folder.is_dir()
            else {folder.name}
        )
    foreign = found - _ours(folder)
    if foreign:
        raise OptionError(
            what=_called(folder),
            needed="a folder that does not exist, is empty, or was written by an earlier report",
            found=f"{len(foreign)} file(s) that no report wrote, such as {min(foreign)!r}",
            remedy="choose another folder, or move those files away",
        )


def check_writable(folder: Path) -> None:
    """Raise what writing the folder would raise, before any work; leave nothing behind.

    Raises
    ------
    OptionError
        When the folder holds files that are not ours, or its place cannot be written.
    """
    refuse_foreign(folder)
    with _telling(folder):
        ground = folder.resolve().parent
        while not ground.exists():
            ground = ground.parent
        with TemporaryDirectory(dir=ground, prefix=f".{PRODUCER}-"):
            pass


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files beside the folder, then put them in its place in one move.

    A failure on the way leaves the folder as it was, and nothing beside it. What a run killed on
    the way left beside it is cleared first, once the report it had moved aside is back in place;
    two runs must therefore not write the same folder at once.

    Raises
    ------
    OptionError
        When the folder holds files that are not ours, or its place cannot be written.
    """
    with _telling(folder):
        place = folder.resolve()
        _recover(place)
    refuse_foreign(place)
    with _telling(folder):
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as beside:
            fresh, former = Path(beside, _FRESH), Path(beside, _FORMER)
            fresh.mkdir()
            for name, content in files.items():
                target = fresh / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            _swap(fresh, place, former)


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    """Tell a failure of the disk as one of the option that named the folder."""
    try:
        yield
    except OSError as failure:
        raise OptionError(
            what=_called(folder),
            needed="a place that can be written",
            found=failure.strerror or str(failure),
            remedy="choose another folder, or make that place writable",
        ) from failure


def _called(folder: Path) -> str:
    """The folder by its name; the current one and a root, which have none, by what they are."""
    name = folder.name or folder.absolute().name or folder.absolute().as_posix()
    return f"output folder {name!r}"


def _ours(folder: Path) -> set[str]:
    """Names listed by a manifest of ours, itself included; empty when there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(manifest, dict) or manifest.get("producer") != PRODUCER:
        return set()
    return {*manifest.get("files", ()), MANIFEST}


def _recover(folder: Path) -> None:
    """Clear what killed runs left beside the folder; put back the report they had moved aside."""
    if not folder.parent.is_dir():
        return
    left = [p for p in folder.parent.iterdir() if _is_leftover(p, folder.name)]
    for beside in sorted(left, key=lambda p: p.stat().st_mtime_ns, reverse=True):
        former = beside / _FORMER
        if former.is_dir() and not folder.exists():
            former.rename(folder)
        shutil.rmtree(beside)


def _is_leftover(path: Path, name: str) -> bool:
    """Whether a hidden sibling is one `write` made: its name, and nothing in it but our two."""
    return (
        re.fullmatch(rf"\.{re.escape(name)}-[a-z0-9_]{{8}}", path.name) is not None
        and path.is_dir()
        and not path.is_symlink()
        and {p.name for p in path.iterdir()} <= {_FRESH, _FORMER}
    )


def _swap(fresh: Path, folder: Path, former: Path) -> None:
    """Put ``fresh`` in place of ``folder``; put the former one back if that fails."""
    if folder.exists():
        folder.rename(former)
    try:
        fresh.rename(folder)
    except OSError:
        if former.exists():
            former.rename(folder)
        raise
