"""Spark lays out the same panel, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from ibis.backends import BaseBackend

from hand import day
from lives import added, built, lives
from spark_engine import NEEDS_SPARK, spark_engine
from whatworks import WhatworksError, expand, read, reconcile
from whatworks.panel import build, open_panel
from whatworks.sources.carrying import read_records, write_records
from whatworks.spells import Overlap

SAMPLE = Path(__file__).parents[3] / "data" / "synthetic" / "sources.toml"
PRIORITY = {"accompaniment": Overlap(policy="priority", sources=("s",))}

pytestmark = NEEDS_SPARK


@pytest.fixture(scope="module")
def spark() -> Iterator[BaseBackend]:
    with spark_engine() as connection:
        yield connection


def same(made: object, folder: Path, spark: BaseBackend, **options: object) -> None:
    """Records on both engines, laid out and compared."""
    write_records(made, folder)  # type: ignore[arg-type]
    first, last = "2019-01", "2021-06"
    frames, people, ledgers = [], [], []
    for connection in (None, spark):
        spells = reconcile(read_records(folder, connection), **options)  # type: ignore[arg-type]
        panel = expand(spells, first=first, last=last)
        frames.append(panel.to_pandas())
        people.append(panel.persons.order_by("person_id").execute())
        ledgers.append(panel.ledger)
    for ours, theirs in (frames, people):
        assert list(ours.columns) == list(theirs.columns)
        for name in ours:  # pandas holds what comes back from the two in different types
            pd.testing.assert_series_equal(
                plain(ours[name]), plain(theirs[name]), check_dtype=False, check_exact=True
            )
    assert ledgers[0] == ledgers[1]


def plain(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("float64")
    return column.astype(object).where(column.notna(), None)


def test_the_sample(tmp_path: Path, spark: BaseBackend) -> None:
    same(read(SAMPLE), tmp_path / "records", spark)


def test_every_kind_of_part_and_a_priority(tmp_path: Path, spark: BaseBackend) -> None:
    made = lives()
    search = ("accompaniment", "job_search")
    aided = ("accompaniment", "aided_contract")
    rows = [
        ("t", "p01", *aided, day("2019-04-01"), day("2019-04-20"), "X", 3.0),
        ("t", "p02", *search, day("2019-04-01"), None, None, None),
    ]
    same(added(made, *rows), tmp_path / "records", spark, overlaps=PRIORITY)


def test_files_of_one_engine_are_opened_by_the_other(tmp_path: Path, spark: BaseBackend) -> None:
    made = lives()
    write_records(made, tmp_path / "records")
    with pytest.raises(WhatworksError, match="spells held by DuckDB"):
        build(read_records(tmp_path / "records", spark), tmp_path, first="2019-01", last="2019-02")
    filed = built(made, tmp_path / "panel")
    seen = open_panel(tmp_path / "panel", spark).table
    assert seen.count().execute() == filed.table.count().execute()
    assert set(seen.columns) == set(filed.table.columns)
