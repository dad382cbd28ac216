"""The engine that holds every table up to the design: DuckDB, embedded, bounded and offline.

Spark is the other one, for those whose data already live there. Everything between the raw files and
the design is written once, in expressions both understand; what they do not say alike is here.
"""

from __future__ import annotations

import re
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import ibis
import pyarrow as pa
from ibis.backends import BaseBackend
from ibis.backends.duckdb import Backend

from whatworks import doors
from whatworks.errors import OptionError, UsageError
from whatworks.sources.private import PrivateFolder

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
        (readable by its owner only) is made there and removed with the engine, or, should this
        process be killed, by the next one.

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
        spill = PrivateFolder(directory)
    except OSError:
        raise OptionError(
            what="directory",
            needed="a directory that can be written, for tables larger than memory",
            found="one that is missing or closed",
            remedy="create it or give another",
        ) from None
    cores = {} if threads is None else {"threads": threads}
    backend = ibis.duckdb.connect(
        temp_directory=str(spill.path),
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
    weakref.finalize(backend, spill.close)
    return backend


def connect_spark(*, cores: int = 2, memory: str = "2g", partitions: int = 2) -> BaseBackend:
    """Open Spark on this machine, or take up the session that already runs.

    Parameters
    ----------
    cores : int
        Cores of a session opened here.
    memory : str
        Memory of its driver, as Spark writes it.
    partitions : int
        Partitions of its joins and aggregates.

    Returns
    -------
    ibis PySpark backend
        A session that runs already (on a cluster, say) keeps its own options.

    Raises
    ------
    UsageError
        When PySpark is not installed, or Java is missing.
    """
    with warnings.catch_warnings():
        # PySpark warns of the pandas in use each time it converts; the results are tested.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            builder = doors.pyspark_sql().SparkSession.builder
            options = {
                "spark.master": f"local[{cores}]",
                "spark.driver.memory": memory,
                "spark.driver.host": "127.0.0.1",
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.ui.enabled": "false",
                "spark.ui.showConsoleProgress": "false",
                "spark.sql.shuffle.partitions": str(partitions),
                "spark.sql.session.timeZone": "UTC",
                "spark.sql.execution.arrow.pyspark.enabled": "true",
            }
            session = builder.config(map=options).getOrCreate()
        except (ImportError, RuntimeError) as error:
            # PySpark raises a RuntimeError of its own when it finds no Java to start.
            raise UsageError(
                what="Spark",
                needed="the extra 'scale' and Java 17 or later",
                found=type(error).__name__,
                remedy="install whatworks[scale] and Java, or use the embedded engine: connect()",
            ) from None
        return ibis.pyspark.connect(session)


def hold_table(connection: BaseBackend, stem: str, table: ibis.Table) -> ibis.Table:
    """Compute a table now and hold it in the engine under a name of its own.

    Parameters
    ----------
    connection : ibis backend
    stem : str
        What the name begins with.
    table : ibis.Table
    """
    name = str(ibis.util.gen_name(f"whatworks_{stem}"))
    if connection.name != "pyspark":
        return connection.create_table(name, table, temp=True)
    # Spark has no temporary tables. A frame at a checkpoint forgets what it was made from, so that
    # the plan of what comes next stays small. Numbers come as wide as Spark counts them: the types
    # promised are set here.
    view = str(ibis.util.gen_name(f"whatworks_{stem}"))
    connection.create_view(view, table)
    typed = connection.table(view).cast(table.schema())
    frame = connection._session.sql(connection.compile(typed))  # noqa: SLF001 - the backend has no checkpoint
    frame.localCheckpoint(eager=True).createOrReplaceTempView(name)
    connection.drop_view(view)
    return connection.table(name)


def batches_of(table: ibis.Table, *, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
    """Rows of a table, so many at a time, in the order it has."""
    batches = iter(table.to_pyarrow_batches(chunk_size=rows))
    while True:
        with warnings.catch_warnings():
            # ibis asks recent DuckDB for batches by a name it is about to give up.
            warnings.simplefilter("ignore", DeprecationWarning)
            batch = next(batches, None)
        if batch is None:
            return
        yield batch
