"""Hear what a layout says of a few rows, without a file: rows in, settled events out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import ibis
from ibis.backends.duckdb import Backend

from unit.sources.folder import rows
from whatworks.sources.layout import LISTED, REASON, Events, required
from whatworks.sources.layouts import LAYOUTS
from whatworks.sources.mapping import Mapping, Source
from whatworks.sources.scratch import Scratch
from whatworks.sources.settling import Place, settle

Row = tuple[object, ...]


def source_of(text: str) -> Source:
    """The one source of a mapping written as TOML."""
    mapping = Mapping.model_validate(tomllib.loads(f"schema = 1\n{text}"))
    (source,) = mapping.sources.values()
    return source


@dataclass(frozen=True)
class Heard:
    """What a layout says of rows, settled."""

    events: list[Row]
    dropped: dict[str, int]
    beside: dict[str, list[Row] | None]


class Hearing:
    """Rows of text under a header, heard through a mapping, in an engine of its own."""

    def __init__(self, engine: Backend) -> None:
        self.engine = engine

    def __call__(
        self,
        mapping: str,
        header: str,
        *lines: str,
        columns: Sequence[str] = (),
        listed: Sequence[Sequence[str] | None] = (),
    ) -> Heard:
        """Settle the events of ``lines`` (fields apart by ``;``, first the person)."""
        source = source_of(mapping)
        with Scratch(self.engine) as scratch, self._said(source, header, lines, listed) as said:
            held = [c for c in columns if c in said.table.columns]
            place = Place(source="heard", files=("heard.csv",), unit=said.unit)
            table, dropped = settle(
                said.table,
                said.flags,
                keep=["file", "person_id", *held],
                place=place,
                scratch=scratch,
            )
            kept = table.filter(table[REASON].isnull()).select("person_id", *held)
            beside = {
                name: None if part is None else rows(scratch.keep(name, part, what=name))
                for name in ("measures", "blind", "places")
                for part in [getattr(said, name)]
            }
            return Heard(rows(kept), dropped, beside)

    @contextmanager
    def _said(
        self,
        source: Source,
        header: str,
        lines: Sequence[str],
        listed: Sequence[Sequence[str] | None],
    ) -> Iterator[Events]:
        names = header.split(";")
        layout = LAYOUTS[source.layout]
        read = layout.columns(source, names, self.engine)
        cells = [line.split(";") for line in lines]
        text = [
            (0, cell[0], *(cell[names.index(theirs)] for theirs in read.values())) for cell in cells
        ]
        schema = {"file": "int32", "person_id": "string"} | dict.fromkeys(read, "string")
        made = [self._table(text, schema)]
        lists = [
            None if one is None else self._table([(v,) for v in one], {LISTED: "string"})
            for one in listed
        ]
        try:
            yield required(layout.events(made[0], source, listed=lists))
        finally:
            for table in (*made, *(t for t in lists if t is not None)):
                self.engine.drop_table(table.op().name, force=True)

    def _table(self, values: Sequence[Row], schema: dict[str, str]) -> ibis.Table:
        name = ibis.util.gen_name("heard")
        frame = ibis.memtable(list(values), schema=ibis.schema(schema))
        return self.engine.create_table(name, frame, temp=True)
