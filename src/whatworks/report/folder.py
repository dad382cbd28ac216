"""A folder of the report: signed by its manifest, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from whatworks.errors import OptionError

MANIFEST: Final = "manifest.json"
PRODUCER: Final = "whatworks"


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
        Naming how many files stand there that no manifest of ours lists.
    """
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
            what=f"output folder {folder.name!r}",
            needed="a folder that does not exist, is empty, or was written by an earlier report",
            found=f"{len(foreign)} file(s) that no report wrote, such as {min(foreign)!r}",
            remedy="choose another folder, or move those files away",
        )


def _ours(folder: Path) -> set[str]:
    """Names listed by a manifest of ours, itself included; empty when there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(manifest, dict) or manifest.get("producer") != PRODUCER:
        return set()
    return {*manifest.get("files", ()), MANIFEST}


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files beside the folder, then put them in its place in one move.

    A failure on the way leaves the folder as it was, and nothing beside it.

    Raises
    ------
    OptionError
        When the folder holds files that are not ours.
    """
    folder = folder.resolve()
    refuse_foreign(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        fresh, former = Path(beside, "fresh"), Path(beside, "former")
        fresh.mkdir()
        for name, content in files.items():
            place = fresh / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        _swap(fresh, folder, former)


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
