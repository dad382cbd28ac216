"""One verb, `build`: a panel larger than memory, as files, block of persons by block of persons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend

from whatworks.errors import OptionError
from whatworks.panel.expand import account, persons_of, window_of
from whatworks.panel.fingerprints import Partition, partitions
from whatworks.panel.layout import column_types, lay_out
from whatworks.panel.manifest import open_panel, told, write_sides
from whatworks.panel.parts import NUMBER, Columns, Parts, columns_of, parts_of
from whatworks.panel.record import Panel
from whatworks.panel.register import number_persons
from whatworks.panel.store import (
    locked,
    marks_of,
    plainly,
    standing,
    sweep,
    write_manifest,
    write_table,
)
from whatworks.sources.records import Records
from whatworks.spells.reconcile import reconcile
from whatworks.spells.record import Spells
from whatworks.vocabulary import MONTH, PERSON

_ARROW: Final = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "float64": pa.float64(),
    "string": pa.string(),
}


def build(
    spells: Spells | Records,
    folder: str | Path,
    *,
    first: str,
    last: str,
    block_persons: int = 100_000,
    progress: Callable[[str], None] = lambda _: None,
) -> Panel:
    """Lay spells out by person and month into a folder of Parquet files.

    Parameters
    ----------
    spells : Spells or Records
        Reconciled stays; records are reconciled by the usual policies first. The engine's
        ``memory_limit`` (`whatworks.connect`) bounds the memory of what follows.
    folder : path
        Where the panel is written, or refreshed. It holds the identifiers of the persons
        (``register.parquet``): keep it as the sources are kept.
    first, last : str
        Window, ``YYYY-MM``, both included.
    block_persons : int
        Persons laid out at a time, the same from one refresh to the next.
    progress : callable
        Told in a few words what goes on.

    Returns
    -------
    Panel
        Read from the folder as it is used; see `open_panel`.

    Raises
    ------
    OptionError
        When the window or the block is impossible, or the engine is not DuckDB.
    UsageError
        When the folder cannot be written, the disk or the memory is full, or another build is
        writing there. What stood in the folder still does.

    Notes
    -----
    Partitions are calendar years of blocks of persons, rows in order of person and month. What each
    would be made from is summed up first; one that stands already, unchanged since it was written, is left
    alone, so that a refresh
    touches what changed and a build that was cut goes on where it stopped. The manifest comes last:
    until then readers see the panel as it was.
    """
    begin, stop = window_of(first, last)
    folder = Path(folder)
    if block_persons < 1:
        raise OptionError(
            what="block_persons",
            needed="1 or more",
            found=str(block_persons),
            remedy="leave it out: 100,000 persons at a time fit in one gigabyte",
        )
    if isinstance(spells, Records):
        spells = reconcile(spells)
    con = spells.records.connection
    if con.name != "duckdb":
        raise OptionError(
            what="build, the engine",
            needed="spells held by DuckDB",
            found=con.name,
            remedy="read them there: read_records(folder, connection=connect()), or use expand()",
        )
    with locked(folder), plainly(folder):
        sweep(folder)
        manifest = _write(
            con,
            spells,
            folder,
            window=(begin, stop),
            block_persons=block_persons,
            progress=progress,
        )
        sweep(folder, keep=manifest)
    return open_panel(folder, connection=con)


def _write(
    con: Backend,
    spells: Spells,
    folder: Path,
    *,
    window: tuple[int, int],
    block_persons: int,
    progress: Callable[[str], None],
) -> set[str]:
    """Write what is missing and the manifest; returns the files that belong to it."""
    columns = columns_of(spells)
    progress("numbering persons")
    people = number_persons(con, spells.records.persons, folder)
    n_persons = int(people.count().execute())
    progress("ordering spells by person")
    staged = Staged(con, parts_of(spells, people.select(PERSON, NUMBER), columns))
    try:
        progress("summing up what each partition is made from")
        wanted = partitions(
            con,
            staged.names,
            columns,
            n_persons=n_persons,
            block_persons=block_persons,
            window=window,
        )
        stands = standing(folder, [p.path for p in wanted])
        missing = [p for p in wanted if p.path not in stands]
        kept = len(wanted) - len(missing)
        progress(f"{len(missing)} of {len(wanted)} partitions to write, {kept} left as they are")
        _lay_out_blocks(con, staged, columns, folder, missing, block_persons=block_persons)
        persons, attributes = persons_of(spells, people, staged.parts, columns)
        beside = write_sides(folder, spells.records, persons)
        content = told(
            spells,
            columns,
            attributes=attributes,
            window=window,
            n_persons=n_persons,
            ledger=account(spells, staged.parts, begin=window[0], stop=window[1]),
        )
    finally:
        staged.drop()
        con.drop_table(str(people.op().name), force=True)
    files = [{"path": p.path, "year": p.year, "block": p.block} for p in wanted]
    places = staged.parts.places is not None
    names = {p.path for p in wanted} | set(beside.values())
    write_manifest(
        folder,
        {
            **content,
            "columns": column_types(columns, places=places),
            "block_persons": block_persons,
            "partitions": files,
            "beside": beside,
            "marks": marks_of(folder, names, known=stands),
        },
    )
    return names


class Staged:
    """Parts in the order of persons, held by the engine so that a block is read in one stretch."""

    def __init__(self, connection: Backend, parts: Parts) -> None:
        self.connection = connection
        self.names: dict[str, str] = {}
        self.parts = parts.each(self._hold)

    def _hold(self, name: str, table: ibis.Table) -> ibis.Table:
        """Compute a part once, in order."""
        held = str(ibis.util.gen_name(f"staged_{name}"))
        self.names[name] = held
        return self.connection.create_table(held, table.order_by(PERSON), temp=True)

    def block(self, low: int, high: int) -> None:
        """Bring the rows of a block of persons to the tables of `block_parts`."""
        for held in self.names.values():
            self.connection.raw_sql(
                f"CREATE OR REPLACE TEMP TABLE {held}_block AS SELECT * FROM {held}"  # noqa: S608 - names of ours
                f" WHERE person_id BETWEEN {low} AND {high}"
            )

    @property
    def block_parts(self) -> Parts:
        """Parts of the block brought last."""
        return self.parts.each(lambda name, _: self.connection.table(f"{self.names[name]}_block"))

    def drop(self) -> None:
        """Give the engine its memory back."""
        for held in self.names.values():
            self.connection.raw_sql(f"DROP TABLE IF EXISTS {held}_block")
            self.connection.raw_sql(f"DROP TABLE IF EXISTS {held}")


def _lay_out_blocks(
    con: Backend,
    staged: Staged,
    columns: Columns,
    folder: Path,
    missing: Sequence[Partition],
    *,
    block_persons: int,
) -> None:
    """Lay out and write partitions; one is being written while the engine works on the next."""
    types = column_types(columns, places=staged.parts.places is not None)
    schema = pa.schema([pa.field(name, _ARROW[kind]) for name, kind in types.items()])
    queries: dict[tuple[int, int], str] = {}
    pending: Future[int] | None = None
    at = -1
    with ThreadPoolExecutor(max_workers=1) as writer:
        for partition in missing:
            if partition.block != at:
                at = partition.block
                staged.block(at * block_persons, (at + 1) * block_persons - 1)
            months = (partition.first, partition.last)
            if months not in queries:
                # The tables of a block keep their names: a query is worded once for all blocks.
                rows = lay_out(staged.block_parts, columns, begin=months[0], stop=months[1])
                queries[months] = con.compile(rows.order_by([PERSON, MONTH]))
            table = con.con.sql(queries[months]).to_arrow_table()
            if pending is not None:
                pending.result()
            path = folder / partition.path
            pending = writer.submit(write_table, path, table.to_batches(), schema)
        if pending is not None:
            pending.result()
