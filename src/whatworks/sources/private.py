"""Folders for what memory does not hold: private, gone after use, swept when a killed run left one.

What is spilled or unpacked there names persons in clear. A process that is killed removes nothing, so
each folder is locked while it is used: one that nobody holds is left over, and the next run removes it.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import weakref
from pathlib import Path
from types import TracebackType
from typing import IO, Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PREFIX: Final = "whatworks-spill-"
_LOCK: Final = "lock"
_ATTEMPTS: Final = 5


def hold(handle: IO[bytes]) -> None:
    """Lock an open file; the system lets go of it when its process ends, however it ends.

    Raises
    ------
    BlockingIOError or PermissionError
        When another holds it.
    OSError
        When the file system knows no locks.
    """
    if sys.platform == "win32":
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class PrivateFolder:
    """A folder that its owner alone can enter; a context manager that removes it.

    Parameters
    ----------
    directory : Path, optional
        Where it is made; the system's temporary directory by default. Folders that killed runs of
        this user left there are removed first.

    Raises
    ------
    OSError
        When it cannot be made.
    """

    def __init__(self, directory: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir() if directory is None else directory)
        sweep(parent)
        self.path, lock = _made(parent)
        self._finalizer = weakref.finalize(self, _removed, self.path, lock)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder and all it holds."""
        self._finalizer()


def sweep(parent: Path) -> int:
    """Remove the folders that killed runs of this user left; returns how many."""
    removed = 0
    for folder in sorted(parent.glob(f"{PREFIX}*")):
        if not _is_ours(folder):
            continue
        try:
            lock = (folder / _LOCK).open("r+b")
        except OSError:
            continue  # being made, or being removed
        with lock:
            try:
                hold(lock)
            except OSError:
                continue  # in use
            if sys.platform == "win32":
                lock.close()  # an open file cannot be removed there
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _is_ours(folder: Path) -> bool:
    """Whether it is a folder, no link to one, of the user who runs this."""
    try:
        told = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(told.st_mode) and (sys.platform == "win32" or told.st_uid == os.geteuid())


def _made(parent: Path) -> tuple[Path, IO[bytes]]:
    """Make a folder and lock it, unless another run sweeps it in between."""
    for attempt in range(1, _ATTEMPTS + 1):
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        try:
            lock = (path / _LOCK).open("x+b")
            hold(lock)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
            if attempt == _ATTEMPTS:
                raise
            continue
        return path, lock
    raise AssertionError("the last attempt returns or raises")


def _removed(path: Path, lock: IO[bytes]) -> None:
    if sys.platform == "win32":
        lock.close()  # an open file cannot be removed there
    shutil.rmtree(path, ignore_errors=True)
    lock.close()
