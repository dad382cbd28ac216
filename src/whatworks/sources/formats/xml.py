"""Format ``xml``: elements as rows, streamed: memory does not grow with the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from whatworks.sources.formats.elements import BrokenXmlError, complete, uncollected
from whatworks.sources.formats.files import engine_path, no_path, not_read
from whatworks.sources.formats.packing import PackingError, pieces
from whatworks.sources.formats.paths import (
    Flaw,
    Flaws,
    Picker,
    Plan,
    Values,
    plan_of,
    take,
)
from whatworks.sources.formats.table import Columns, RawTable, chosen, header_problems
from whatworks.sources.layout import required
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem, UnfitHeaderError, counted, reworded
from whatworks.sources.scratch import Scratch

_BATCH: Final = 8_192
"""Rows held before they are written."""
_FLAWS: Final = {
    Flaw.SEVERAL: (
        "several elements",
        "make each of them a row (xml.row), or do not read that path: none can be preferred",
    ),
    Flaw.PARTS: (
        "an element with others inside",
        "lead the path to the one of them that holds the text",
    ),
}
"""What was found at a path, and what to do."""


def read(
    path: Path,
    source: Source,
    *,
    name: str,
    columns: Columns,
    number: int,
    spool: Path,
    scratch: Scratch,
) -> tuple[RawTable | None, list[Problem]]:
    """Read an XML file; see `whatworks.sources.formats.read_file`.

    Notes
    -----
    Names are taken without their namespace, texts without the blanks around them; an element that
    is not there is ``""``. Rows are written to a Parquet file beside ``spool`` as they come, in
    their order, and the engine reads them there. Two rows are duplicates when they agree in
    everything that ``xml.columns`` names.
    """
    plan = plan_of(required(source.xml))
    header = tuple(plan.slots)
    file = spool.with_name(f"rows_{uuid4().hex}.parquet")
    try:
        wanted = columns(source, header, scratch.connection)
        problems = list(header_problems(name, header, wanted))
        if engine_path(file, None) is None:
            problems.append(no_path(name))
        if problems:
            return None, problems
        told = _copied(path, plan, file)
    except (UnfitHeaderError, BrokenXmlError) as error:
        problems = [Problem(what=name, needed=error.needed, found=error.found, remedy=error.remedy)]
    except (PackingError, OSError) as error:
        problems = [not_read(name, error)]
    else:
        problems = list(_flaws(told, plan, name))
    if problems:
        file.unlink(missing_ok=True)
        return None, problems
    with reworded(name):
        texts = scratch.scan("texts", file)
        fields = texts.select(
            **{f"f{i}": texts[_place(plan.slots[column])] for i, column in enumerate(header)}
        )
        table = scratch.view("raw", chosen(fields, header, wanted, number=number), over=texts)
    return RawTable(table=table, rows=told.rows, sha256=told.sha256), []


@dataclass(slots=True)
class _Told:
    """What one pass over a file has seen."""

    picker: Picker
    sha256: str = ""
    units: int = 0
    nested: int = 0
    rows: int = 0
    of_header: Flaws = field(default_factory=list)
    late: set[int] = field(default_factory=set)


def _copied(path: Path, plan: Plan, file: Path) -> _Told:
    """Copy the rows of an XML file to a Parquet file of text."""
    hashed = hashlib.sha256()
    told = _Told(Picker(plan, [None] * len(plan.paths)))
    schema = pa.schema([(_place(i), pa.string()) for i in range(len(plan.paths))])
    with pq.ParquetWriter(file, schema) as writer, uncollected():
        for batch in _batches(pieces(path, hashed), plan, told):
            texts = [
                pc.fill_null(pa.array(column, pa.string()), "")
                for column in zip(*batch, strict=True)
            ]
            writer.write_batch(pa.record_batch(texts, schema=schema))
            told.rows += len(batch)
    told.sha256 = hashed.hexdigest()
    return told


def _batches(raw: Iterator[bytes], plan: Plan, told: _Told) -> Iterator[list[Values]]:
    """Rows of a file in its order, what it has beside them noted on the way."""
    picker = told.picker
    rows: list[Values] = []
    for slot, element in complete(raw, unit=plan.unit, header=plan.header):
        if slot is not None:
            if told.units:
                told.late.add(slot)
            take(element, slot, picker.header, told.of_header)
            continue
        told.units += 1
        told.nested += next(islice(element.iter(element.tag), 1, None), None) is not None
        rows += picker.pick(element)
        if len(rows) >= _BATCH:
            yield rows
            rows = []
    if rows:
        yield rows


def _place(slot: int) -> str:
    return f"s{slot}"


def _flaws(told: _Told, plan: Plan, name: str) -> Iterator[Problem]:
    """What a file that could be read to its end has otherwise than its mapping says."""
    if not told.units:
        yield Problem(
            what=name,
            needed=f"elements {plan.unit!r}",
            found="none (0 rows)",
            remedy="correct xml.unit in the mapping, or leave the file out of the glob",
        )
        return
    if told.nested:
        yield Problem(
            what=name,
            needed=f"elements {plan.unit!r} that do not contain one another",
            found=f"{counted(told.nested, 'element')} of that name with another inside",
            remedy="name in xml.unit an element that does not repeat within itself",
        )
    if not told.rows:
        yield Problem(
            what=name,
            needed=f"elements {'/'.join(plan.row)!r} in elements {plan.unit!r}",
            found=f"{counted(told.units, 'element')} {plan.unit!r} without one (0 rows)",
            remedy="correct xml.row in the mapping, or leave the file out of the glob",
        )
    yield from _flaws_of_header(told, plan, name)
    for (flaw, slot), rows in sorted(told.picker.flawed.items(), key=lambda item: item[0][1]):
        found, remedy = _FLAWS[flaw]
        yield Problem(
            what=f"{name}, path {plan.paths[slot]!r}",
            needed="at most one element with one text for each row",
            found=f"{found} for {rows:,} of {counted(told.rows, 'row')}",
            remedy=remedy,
        )


def _flaws_of_header(told: _Told, plan: Plan, name: str) -> Iterator[Problem]:
    """Parts of the header that are missing, repeated, or come too late."""
    for slot in sorted(plan.header_slots):
        flaws = [_FLAWS[flaw][0] for flaw, at in told.of_header if at == slot]
        if slot in told.late:
            flaws = [f"one after the first {plan.unit!r}"]
        if told.picker.header[slot] is None:
            flaws = ["none"]
        if flaws:
            yield Problem(
                what=f"{name}, path {plan.paths[slot]!r}",
                needed=f"one element with one text, before the first {plan.unit!r}",
                found=flaws[0],
                remedy="correct that path under xml.columns, or ask for the file again",
            )
