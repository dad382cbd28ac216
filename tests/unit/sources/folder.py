"""A folder in which a test writes a mapping and raw files, and a register of contracts by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from ibis.backends.duckdb import Backend

from whatworks.errors import SourceRefused
from whatworks.sources import Records, read

CONTRACTS = """\
[sources.contracts]
layout = "spells"
files = "contrats*.csv"
kind = "employment"
coverage = ["2021-01", "2022-12"]
person = {column = "nir"}
start = {column = "debut", format = "%d/%m/%Y"}
end = {column = "fin", format = "%d/%m/%Y"}
code = {column = "nature", values = {"01" = "cdi", "02" = "cdd"}}
"""
"""A register of contracts; tests append keys and replace parts of it."""
HEADER = "nir;nom;debut;fin;nature\n"
PERSON, NAME = "PX-73914", "Zénaïde Quéré"
SOUND = f"{PERSON};{NAME};01/02/2021;28/02/2021;01\n"
"""One row that is in order."""


@dataclass(frozen=True)
class Folder:
    """Where the test works, and the engine it reads with."""

    path: Path
    connection: Backend

    def file(self, name: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        (self.path / name).write_bytes(data)

    def read(self, mapping: str) -> Records:
        self.file("sources.toml", f"schema = 1\n{mapping}")
        return read(self.path / "sources.toml", connection=self.connection)

    def refused(self, mapping: str, *secrets: str) -> str:
        """Text of the refusal, once sure that it is silent about persons and leaves no table."""
        with pytest.raises(SourceRefused) as caught:
            self.read(mapping)
        assert caught.value.exit_code == 3
        text = str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None  # nor anything whose frames hold rows
        for secret in (PERSON, NAME, "Zénaïde", "73914", *secrets):
            assert secret not in text
        assert self.tables() == []
        return text

    def tables(self) -> list[str]:
        """Tables and views in the engine."""
        tables = "select table_name from duckdb_tables() where not internal"
        views = "select view_name from duckdb_views() where not internal"
        return [name for query in (tables, views) for (name,) in self._fetch(query)]

    def _fetch(self, query: str) -> list[tuple[str]]:
        return self.connection.con.execute(query).fetchall()


def rows(table: object) -> list[tuple[object, ...]]:
    """Rows of an ibis table as sorted tuples, dates and months as text or numbers."""
    frame = table.execute()  # type: ignore[attr-defined] # an ibis table
    frame = frame.astype(object).where(frame.notna(), None)
    cells = [
        tuple(v.strftime("%Y-%m-%d") if hasattr(v, "strftime") else v for v in row)
        for row in frame.itertuples(index=False)
    ]
    return sorted(cells, key=repr)


def states(table: object) -> list[tuple[object, ...]]:
    """Rows of episodes or states without what stands beside the code: scheme and intensity."""
    return rows(table.drop("scheme", "intensity"))  # type: ignore[attr-defined] # an ibis table
