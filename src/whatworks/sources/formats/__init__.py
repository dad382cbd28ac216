"""How a raw file is written: one module per format, all of which give the same table of text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from whatworks.sources.formats import csv, parquet, xml
from whatworks.sources.formats.table import Columns, RawTable
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem
from whatworks.sources.scratch import Scratch


class Format(Protocol):
    """The act of one module of this folder."""

    def __call__(
        self,
        path: Path,
        source: Source,
        *,
        name: str,
        columns: Columns,
        number: int,
        spool: Path,
        scratch: Scratch,
    ) -> tuple[RawTable | None, list[Problem]]:
        """Read one file."""
        ...


FORMATS: Final[Mapping[str, Format]] = {"csv": csv.read, "parquet": parquet.read, "xml": xml.read}
"""Reader of each format that a mapping can name."""


def read_file(
    path: Path,
    source: Source,
    *,
    name: str,
    columns: Columns,
    number: int,
    spool: Path,
    scratch: Scratch,
) -> tuple[RawTable | None, list[Problem]]:
    """Read one raw file into the engine, in the format its source declares.

    Parameters
    ----------
    path : Path
    source : Source
    name : str
        What to call the file in errors.
    columns : callable
        The layout's: from source, header and connection, our name and the header of each column.
    number : int
        Of the file within its source.
    spool : Path
        In a private folder that outlives the tables: where a file that the engine cannot take as
        it is may be copied, one at a time.
    scratch : Scratch

    Returns
    -------
    table : RawTable or None
        None when the file cannot be trusted as it is.
    problems : list of Problem
        Everything found wrong; empty when there is a table.
    """
    return FORMATS[source.format](
        path,
        source,
        name=name,
        columns=columns,
        number=number,
        spool=spool,
        scratch=scratch,
    )
