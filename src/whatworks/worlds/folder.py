"""A world laid down as files, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whatworks.errors import OptionError

MAPPING: Final = "sources.toml"
"""What tells a folder that holds a world from any other."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """One file before it is written: header and columns of equal length, in reading order."""

    name: str
    header: tuple[str, ...]
    columns: tuple[list[str], ...]
    separator: str = ";"
    encoding: str = "utf-8"

    def text(self) -> str:
        """Lay out the whole file, every line ended."""
        lines = [self.separator.join(self.header)]
        lines += map(self.separator.join, zip(*self.columns, strict=True))
        return "\n".join(lines) + "\n"

    def content(self) -> bytes:
        """The file as it lies on the disk."""
        return self.text().encode(self.encoding)


def lay_down(
    folder: Path | str, contents: Iterable[tuple[str, bytes]], *, stale: Iterable[str] = ()
) -> tuple[Path, ...]:
    """Write files beside a folder and move them at the end: an interrupted run leaves what was there.

    Parameters
    ----------
    folder : path
        Absent, empty, or holding a world already; its other files stay.
    contents : iterable of (str, bytes)
        Names and contents, asked for one at a time.
    stale : iterable of str
        Patterns of files of a former world that go unless written again.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    OptionError
        When ``folder`` holds something else than a world, or cannot be written.
    """
    target = Path(folder)
    target = target if target.name else target.resolve()
    with _writing(target):
        _check_target(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}-{os.getpid()}")
        beside.mkdir()
    try:
        for name, content in contents:
            with _writing(target):
                (beside / name).write_bytes(content)
        with _writing(target):
            return _move(beside, target, stale)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Say which folder could not be written, and why, when the system refuses."""
    try:
        yield
    except OSError as error:
        raise OptionError(
            what=f"the folder to write, {str(target)!r}",
            needed="a folder that can be written, in folders that exist or can be made",
            found=(error.strerror or type(error).__name__).lower(),
            remedy="name another folder, or correct its permissions",
        ) from None


def _check_target(target: Path) -> None:
    empty = target.is_dir() and not any(target.iterdir())
    if target.exists() and not empty and not (target / MAPPING).is_file():
        raise OptionError(
            what="the folder to write",
            needed=f"one that does not exist, or that holds a world with its {MAPPING}",
            found="something else of that name",
            remedy="name another folder",
        )


def _move(beside: Path, target: Path, stale: Iterable[str]) -> tuple[Path, ...]:
    """Put finished files in place; those of the former world that the new one has not go."""
    names = sorted(path.name for path in beside.iterdir())
    if target.exists() and not any(target.iterdir()):
        target.rmdir()
    if not target.exists():
        beside.replace(target)
        return tuple(target / name for name in names)
    for pattern in stale:
        for former in target.glob(pattern):
            if former.name not in names:
                former.unlink(missing_ok=True)
    return tuple((beside / name).replace(target / name) for name in names)
