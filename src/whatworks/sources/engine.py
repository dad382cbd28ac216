"""The engine that holds every table up to the design: DuckDB, embedded, bounded and offline."""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Final

import ibis
from ibis.backends.duckdb import Backend

from whatworks.errors import OptionError

_SIZE: Final = re.compile(r"[0-9]+([.][0-9]+)?\s*[KMGT]i?B")


def connect(
    *, memory_limit: str = "2GB", threads: int | None = None, directory: Path | None = None
) -> Backend:
    """Open an engine in memory that spills to disk when a table is larger than its share.

    Parameters
    ----------
    memory_limit : str
        Most memory the engine takes before it spills, e.g. ``"500MB"``, ``"8GB"``.
    threads : int, optional
        Cores to use; all of them by default.
    directory : Path, optional
        Where to spill; the system's temporary directory by default. A private directory
        (readable by its owner only) is made there and removed with the engine.

    Returns
    -------
    ibis DuckDB backend
        It downloads and loads no extension.

    Raises
    ------
    OptionError
        When a limit is not a size or the directory cannot be written.

    Examples
    --------
    >>> connect(memory_limit="200MB", threads=1).name
    'duckdb'
    """
    if threads is not None and threads < 1:
        raise OptionError(
            what="threads", needed="1 or more", found=str(threads), remedy="write 1 or leave it out"
        )
    if not _SIZE.fullmatch(memory_limit):
        raise OptionError(
            what="memory_limit",
            needed="a size such as '500MB' or '8GB'",
            found=repr(memory_limit),
            remedy="write a number and a unit",
        )
    try:
        spill = tempfile.mkdtemp(prefix="whatworks-", dir=directory)
    except OSError:
        raise OptionError(
            what="directory",
            needed="a directory that can be written, for tables larger than memory",
            found="one that is missing or closed",
            remedy="create it or give another",
        ) from None
    cores = {} if threads is None else {"threads": threads}
    backend = ibis.duckdb.connect(
        temp_directory=spill,
        memory_limit=memory_limit,
        preserve_insertion_order=False,
        autoinstall_known_extensions=False,
        autoload_known_extensions=False,
        allow_community_extensions=False,
        **cores,
    )
    backend.raw_sql(
        "PRAGMA disable_progress_bar"
    )  # the setting fails in a notebook without widgets
    weakref.finalize(backend, shutil.rmtree, spill, ignore_errors=True)
    return backend
