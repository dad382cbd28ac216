"""A Parquet file gives the text that the same table has as CSV, or is refused in plain words."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unit.sources.folder import Folder, rows
from unit.sources.raw import refusal, taken
from whatworks.errors import SourceRefused
from whatworks.sources.records import Records

PARQUET = 'format = "parquet"\n'
DAY = dt.date(2021, 3, 31)
MIDNIGHT = dt.datetime(2021, 3, 31)


def written(folder: Folder, name: str = "a.parquet", **columns: Any) -> None:
    pq.write_table(pa.table(columns), folder.path / name)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array(["01", "", None]), ["01", "", ""]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([1, -2, None], pa.int64()), ["1", "-2", ""]),
        (pa.array([1.0, 2.5, None]), ["1", "2.5", ""]),
        (pa.array([float("nan"), -0.0, 1850399123456.0]), ["", "0", "1850399123456"]),
        (pa.array([0.1, 3.0, 2.5], pa.float32()), ["0.1", "3", "2.5"]),
        (pa.array([1e20, 1e-7, 0.1 + 0.2]), ["1e+20", "1e-07", "0.30000000000000004"]),
        (pa.array([decimal.Decimal("12.50"), None, decimal.Decimal(3)]), ["12.50", "", "3.00"]),
        (pa.array([True, False, None]), ["1", "0", ""]),
        (pa.array([DAY, None, DAY]), ["2021-03-31", "", "2021-03-31"]),
        (pa.array([DAY, None, DAY], pa.date64()), ["2021-03-31", "", "2021-03-31"]),
        (
            pa.array([MIDNIGHT, None, MIDNIGHT], pa.timestamp("ns")),
            ["2021-03-31", "", "2021-03-31"],
        ),
        (
            pa.array([dt.datetime(2021, 3, 31, 8, 5), None, MIDNIGHT], pa.timestamp("us")),
            ["2021-03-31 08:05:00", "", "2021-03-31 00:00:00"],
        ),
        (pa.nulls(3), ["", "", ""]),
    ],
    ids=str,
)
def test_text_of_each_type(folder: Folder, column: pa.Array, text: list[str]) -> None:
    written(folder, id=["A", "B", "C"], value=column)
    got, _, _ = taken(folder, "a.parquet", ("id", "value"), keys=PARQUET)
    assert sorted(got) == list(zip("ABC", text, strict=True))


def test_the_mapping_of_a_csv_file_means_the_same(folder: Folder) -> None:
    people = {
        "nir": ["001", "002", "003"],
        "zone": [11, 12, None],
        "age": [30.0, 41.5, None],
        "parent": [True, None, False],
        "born": [dt.date(1990, 5, 1), None, dt.date(1985, 12, 1)],
    }
    written(folder, **people)
    folder.file(
        "a.csv",
        "nir;zone;age;parent;born\n001;11;30;1;1990-05-01\n002;12;41.5;;\n003;;;0;1985-12-01\n",
    )
    mapping = """\
[sources.people]
layout = "persons"
files = "a.csv"
person = {column = "nir"}
[sources.people.attributes]
market = {column = "zone", type = "category"}
age = {column = "age", type = "number"}
parent = {column = "parent", type = "boolean"}
birth_month = {column = "born", type = "month", format = "%Y-%m-%d"}
"""
    read: list[Records] = [
        folder.read(mapping),
        folder.read(mapping.replace('"a.csv"', '"a.parquet"\nformat = "parquet"')),
    ]
    assert rows(read[0].persons) == rows(read[1].persons)
    assert len(rows(read[1].persons)) == 3


def test_duplicates_are_told_by_every_column_but_not_by_row_numbers(folder: Folder) -> None:
    frame = pd.DataFrame({"id": ["A", "A", "A"], "unread": [[1], [1], [2]]}, index=[7, 8, 9])
    frame.to_parquet(folder.path / "a.parquet", index=True)
    _, prints, _ = taken(folder, "a.parquet", ("id",), keys=PARQUET)
    assert len(set(prints)) == 2


def test_lists_that_look_alike_as_text_are_not_duplicates(folder: Folder) -> None:
    written(folder, id=["A", "A"], unread=[["a, b"], ["a", "b"]])
    assert len(set(taken(folder, "a.parquet", ("id",), keys=PARQUET)[1])) == 2


def test_names_that_differ_in_case_only(folder: Folder) -> None:
    table = pa.Table.from_arrays(
        [pa.array(["A"]), pa.array(["b"]), pa.array(["c"])], ["id", "ID", "Id"]
    )
    pq.write_table(table, folder.path / "a.parquet")
    assert taken(folder, "a.parquet", ("Id",), keys=PARQUET)[0] == [("c",)]


def test_missing_and_repeated_columns(folder: Folder) -> None:
    table = pa.Table.from_arrays(
        [pa.array(["A"]), pa.array(["b"]), pa.array(["c"])], ["id", "x", "x"]
    )
    pq.write_table(table, folder.path / "a.parquet")
    text = refusal(folder, "a.parquet", ("id", "idd", "x"), keys=PARQUET)
    assert "a.parquet, column 'idd': needed that column; found 3 columns, none of that" in text
    assert "the nearest is 'id'" in text
    assert "column 'x': needed one column of that name; found 2" in text


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ([["secret"]], "a list or a table in each row"),
        ([{"a": "secret"}], "a list or a table in each row"),
        (pa.array([b"secret"]), "bytes"),
        (
            pa.array([MIDNIGHT], pa.timestamp("us", "Europe/Paris")),
            "the day depends on where one stands",
        ),
    ],
)
def test_column_without_one_text(folder: Folder, column: Any, found: str) -> None:
    written(folder, id=["A"], value=column)
    text = refusal(folder, "a.parquet", ("id", "value"), keys=PARQUET, secrets=("secret",))
    assert text.startswith("a.parquet, column 'value': needed ")
    assert found in text
    assert taken(folder, "a.parquet", ("id",), keys=PARQUET)[0] == [("A",)]


def test_no_rows(folder: Folder) -> None:
    written(folder, id=pa.array([], pa.string()))
    text = refusal(folder, "a.parquet", ("id",), keys=PARQUET)
    assert "found a Parquet file with 0 rows" in text


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"id;sex\n", "found another format. To do: correct format in the mapping"),
        (b"", "found another format"),
        (b"PARE" + bytes(90), "found an encrypted one"),
        (b"PAR1", "damaged, or cut"),
        (b"PAR1" + bytes(90) + b"PAR1", "damaged, or cut"),
    ],
)
def test_not_parquet(folder: Folder, content: bytes, found: str) -> None:
    folder.file("a.parquet", content)
    assert found in refusal(folder, "a.parquet", ("id",), keys=PARQUET)


def test_damage_never_gives_a_part_of_the_rows(folder: Folder) -> None:
    rng = np.random.default_rng(20240131)
    written(folder, id=[f"PX-{i:05d}" for i in range(2000)], sex=["F", "M"] * 1000)
    whole = (folder.path / "a.parquet").read_bytes()
    for turn in range(80):
        damaged = bytearray(whole)
        if turn % 2:
            del damaged[rng.integers(len(damaged)) :]
        else:
            for _ in range(rng.integers(1, 9)):
                damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
        folder.file("b.parquet", bytes(damaged))
        got, _, problems = taken(folder, "b.parquet", ("id", "sex"), keys=PARQUET, secrets=("PX-",))
        assert problems or len(got) == 2000
        assert problems or not turn % 2
    assert folder.tables() == []


def test_several_files_and_a_damaged_one_among_them(folder: Folder) -> None:
    mapping = """\
[sources.people]
layout = "persons"
files = "part-*.parquet"
format = "parquet"
person = {column = "id"}
attributes = {market = {column = "zone", type = "category"}}
"""
    for part in range(3):
        written(folder, f"part-{part}.parquet", id=[f"P{part}"], zone=["08"])
    assert [row[0] for row in rows(folder.read(mapping).persons)] == ["P0", "P1", "P2"]
    file = folder.path / "part-1.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(SourceRefused, match=r"part-1\.parquet: needed a whole Parquet file"):
        folder.read(mapping)
