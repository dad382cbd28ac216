"""The same persons, stays and months as plain text and as Parquet, for files of one's own."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from whatworks.months import to_label
from whatworks.worlds.producers.extract import FIRST, LAST, Extract
from whatworks.worlds.producers.files import EPOCH, File, delimited, iso
from whatworks.worlds.producers.mmo_dsn import contracts
from whatworks.worlds.registers import CENTS

REPEATED: Final = 2
"""Stays written twice."""
_YEARS: Final = (range(FIRST, 24), range(24, 36), range(36, LAST + 1))
_PERSONS: Final = ("person", "sex", "born", "zone")
_STAYS: Final = ("person", "state", "start", "end")
_MONTHS: Final = ("person", "month", "paid", "amount")
Stay = tuple[str, str, int, int | None]


def text_files(extract: Extract) -> Iterator[File]:
    """Three files of text."""
    yield delimited("persons.csv", _PERSONS, _persons(extract))
    written = [
        (person, state, iso(start), "" if end is None else iso(end))
        for person, state, start, end in stays(extract)
    ]
    yield delimited("stays.csv", _STAYS, written + written[:REPEATED])
    for months in _YEARS:
        rows = [(p, m, str(paid), f"{amount:.2f}") for p, m, paid, amount in _paid(extract, months)]
        yield delimited(f"months_{extract.label(months[0])[:4]}.csv", _MONTHS, rows)


def parquet_files(extract: Extract) -> Iterator[File]:
    """The same, typed: days as dates, amounts as numbers."""
    yield _parquet("persons.parquet", _PERSONS, _persons(extract), {})
    rows = list(stays(extract))
    days = [
        (person, state, _day(start), None if end is None else _day(end))
        for person, state, start, end in [*rows, *rows[:REPEATED]]
    ]
    yield _parquet("stays.parquet", _STAYS, days, {"start": pa.date32(), "end": pa.date32()})
    types = {"paid": pa.int8(), "amount": pa.float64()}
    for months in _YEARS:
        name = f"months_{extract.label(months[0])[:4]}.parquet"
        yield _parquet(name, _MONTHS, list(_paid(extract, months)), types)


def stays(extract: Extract) -> Iterator[Stay]:
    """Yield the contracts and the accompaniments with a day in the window."""
    for held in contracts(extract):
        yield _name(held.person), held.code, held.start, held.end
    for person in extract.persons:
        kind = extract.accompaniment(person)
        if kind is not None:
            yield _name(person), kind, *extract.stay(person)


def _name(person: int) -> str:
    return f"{person + 1:04d}"


def _day(day: int) -> object:
    return (EPOCH + np.timedelta64(day, "D")).item()


def _persons(extract: Extract) -> list[tuple[str, ...]]:
    lived = extract.world.persons
    return [
        (
            *(_name(p), "MF"[int(lived.woman[p])], to_label(int(lived.birth[p]))),
            f"ZE{int(lived.market[p]) + 1:02d}",
        )
        for p in extract.persons
    ]


def _paid(extract: Extract, months: range) -> Iterator[tuple[str, str, int, float]]:
    """Yield person, month, whether paid, amount: one row of nothing paid where a payment stops."""
    paid = extract.world.pathways.rsa
    for month in months:
        for person in extract.persons:
            if paid[month, person]:
                cents = int(CENTS[int(extract.world.persons.children[person])])
                yield _name(person), extract.label(month), 1, cents / 100
            elif paid[month - 1, person]:
                yield _name(person), extract.label(month), 0, 0.0


def _parquet(
    name: str, header: Sequence[str], rows: Sequence[Sequence[object]], types: dict[str, object]
) -> File:
    columns = {
        column: pa.array([row[k] for row in rows], type=types.get(column, pa.string()))
        for k, column in enumerate(header)
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return File(name, buffer.getvalue())
