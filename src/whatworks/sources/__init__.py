"""The first room: raw files come in as their producers write them, `Records` go out.

A mapping file (TOML, one table per raw source) says which file has which layout, where the person,
the dates and the codes are, and what each code means. `read` reads what it names, refuses what
cannot be trusted, and accounts for every row in the ledger; it infers nothing and resolves
nothing: overlaps, gaps and contradictions are the next room's.

To add a source, write a table in a mapping file. To add a layout, write one file in ``layouts/``
(`whatworks.sources.layout.Layout`), register it there and list its keys in ``mapping/source.py``.
"""

from __future__ import annotations

from whatworks.sources.carrying import read_records, write_records
from whatworks.sources.engine import connect, connect_spark
from whatworks.sources.mapping import Mapping, load
from whatworks.sources.read import read
from whatworks.sources.records import Coverage, FileRead, Records

__all__ = [
    "Coverage",
    "FileRead",
    "Mapping",
    "Records",
    "connect",
    "connect_spark",
    "load",
    "read",
    "read_records",
    "write_records",
]
