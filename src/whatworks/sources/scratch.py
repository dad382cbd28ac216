"""Tables that live only while files are read, so that nothing of a refused reading stays behind."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources.formats.files import literal_path
from whatworks.sources.problems import reworded


class Scratch:
    """Names, makes and drops temporary tables; a context manager that drops what is left.

    Parameters
    ----------
    connection : ibis DuckDB backend
        May hold the tables of other readings: no name is used twice.
    """

    def __init__(self, connection: Backend) -> None:
        self.connection = connection
        self._held: set[str] = set()
        self._files: dict[str, Path] = {}
        self._under: dict[str, str] = {}

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in tuple(self._held):
            self._drop(name)

    def name(self, stem: str) -> str:
        """Reserve a name that this connection has not seen; the table goes when the reading ends."""
        name = str(ibis.util.gen_name(f"read_{stem}"))
        self._held.add(name)
        return name

    def keep(self, stem: str, table: ibis.Table, *, what: str) -> ibis.Table:
        """Compute a table now and hold it in the engine; ``what`` names it should it fail."""
        name = self.name(stem)
        with reworded(what):
            return self.connection.create_table(name, table, temp=True)

    def scan(self, stem: str, file: Path) -> ibis.Table:
        """Rows of a Parquet file of ours, read each time they are asked for; it goes with them."""
        name = self.name(stem)
        self._files[name] = file
        return self.connection.read_parquet(
            literal_path(file), table_name=name, hive_partitioning=False
        )

    def view(self, stem: str, table: ibis.Table, *, over: ibis.Table) -> ibis.Table:
        """Name a table without computing it; ``over``, which nothing else reads, goes with it."""
        name = self.name(stem)
        self._under[name] = _name_of(over)
        return self.connection.create_view(name, table)

    def empty(self, stem: str, schema: ibis.Schema) -> ibis.Table:
        """Hold a table without rows."""
        return self.connection.create_table(self.name(stem), schema=schema, temp=True)

    def drop(self, table: ibis.Table) -> None:
        """Give the space of a table back."""
        self._drop(_name_of(table))

    def hand_over(self, *tables: ibis.Table) -> None:
        """Let tables outlive the reading."""
        self._held -= {_name_of(table) for table in tables}

    def _drop(self, name: str) -> None:
        self._held.discard(name)
        if name not in self._files and name not in self._under:
            self.connection.drop_table(name, force=True)
            return
        self.connection.drop_view(name, force=True)
        if (under := self._under.pop(name, None)) is not None:
            self._drop(under)
        if (file := self._files.pop(name, None)) is not None:
            file.unlink(missing_ok=True)


def _name_of(table: ibis.Table) -> str:
    """Name without catalog: `get_name` prefixes those of temporary tables."""
    return str(table.op().name)
