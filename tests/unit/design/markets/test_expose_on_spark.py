"""Spark counts the same markets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from ibis.backends import BaseBackend

from lives import PEOPLE, lives
from spark_engine import NEEDS_SPARK, spark_engine
from whatworks import Everyone, Question, expand, reconcile
from whatworks.design import choose
from whatworks.design.markets.expose import expose
from whatworks.panel import Panel
from whatworks.sources.carrying import read_records, write_records

pytestmark = NEEDS_SPARK


@pytest.fixture(scope="module")
def spark() -> Iterator[BaseBackend]:
    with spark_engine() as connection:
        yield connection


def test_the_same_pools_on_both_engines(tmp_path: Path, spark: BaseBackend) -> None:
    write_records(lives(PEOPLE[:10]), tmp_path)
    question = Question(treatment="job_search", outcome="employment_presence", months=(3,))
    panels: list[Panel] = []
    for connection in (None, spark):
        spells = reconcile(read_records(tmp_path, connection))
        panels.append(expand(spells, first="2019-01", last="2020-03"))
    chosen = choose(panels[0], question, using=Everyone())
    found = [
        expose(
            replace(chosen, units=chosen.units.copy()),
            panel,
            markets=["zone", "sex"],
            seekers=["benefit", "employment"],
            tightness_as_of="2019-03",
        )
        for panel in panels
    ]
    one, other = (design.markets for design in found)
    assert one is not None
    assert other is not None
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.table["treated"].sum() > 0
    assert one.tightness_before == other.tightness_before
    pd.testing.assert_frame_equal(found[0].units, found[1].units)
    assert found[0].ledger.steps[-2:] == found[1].ledger.steps[-2:]
