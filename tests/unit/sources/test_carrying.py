"""Records as files: what is read again is what was written."""

from __future__ import annotations

import stat
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from hand import records, spell, table
from whatworks import WhatworksError
from whatworks.ledger import Ledger
from whatworks.sources.carrying import read_records, write_records
from whatworks.sources.records import FileRead, Geography, Linked, Records

TABLES = ("persons", "episodes", "states", "measures", "blind", "places", "identities")


def made() -> Records:
    base = records(
        ["a", "b"],
        episodes=[spell("a", "employment", "cdi", "2020-01-01", None)],
        attributes={"age": ("number", [30.0, None])},
        measures=[("s", "a", "earnings", 24_240, 3.0)],
    )
    con = base.connection
    types = {"commune": "string", "zone": "string", "departement": "string"}
    links = {"space": "string", "person_id": "string", "method": "string", "probability": "float64"}
    return replace(
        base,
        ledger=Ledger().add("sources", "s", unit="rows", before=3, dropped={"duplicate_row": 1}),
        files=(FileRead(source="s", name="a.csv", sha256="0", rows=3, vintage=24_250),),
        schemes=frozenset({("accompaniment", "job_search")}),
        gaps={"s": 2},
        gap_days={"s": 5},
        units={"earnings": "EUR"},
        geography=Geography(year="2023", communes=table(con, [("08001", "Z", "08")], types)),
        linked=Linked(
            links=table(con, [("s", "a", "nir", 1.0)], links),
            rates=pd.DataFrame({"by": ["all"], "persons": [12], "link_rate": [0.9]}),
            threshold=0.8,
        ),
    )


def test_everything_comes_back(tmp_path: Path) -> None:
    first = made()
    again = read_records(write_records(first, tmp_path / "records"))
    for name in TABLES:
        ours, theirs = getattr(first, name), getattr(again, name)
        assert (ours is None) == (theirs is None), name
        if ours is not None:
            pd.testing.assert_frame_equal(ours.execute(), theirs.execute())
    for name in ("codes", "attributes", "coverage", "files", "ledger", "schemes", "gaps",
                 "gap_days", "units", "operator_declared", "mapping_hash"):  # fmt: skip
        assert getattr(first, name) == getattr(again, name), name
    assert again.geography is not None
    assert again.geography.tightness is None
    assert again.linked is not None
    assert again.linked.rates["link_rate"].tolist() == [0.9]


def test_records_are_not_written_over_records(tmp_path: Path) -> None:
    write_records(made(), tmp_path)
    with pytest.raises(WhatworksError, match="a folder without records"):
        write_records(made(), tmp_path)


def test_a_folder_without_records_is_named(tmp_path: Path) -> None:
    with pytest.raises(WhatworksError, match="write_records"):
        read_records(tmp_path)
    (tmp_path / "records.json").write_text('{"format": 1, "tables": []}')
    with pytest.raises(WhatworksError, match="KeyError"):
        read_records(tmp_path)


def test_a_folder_of_any_name_is_its_owner_s(tmp_path: Path) -> None:
    folder = write_records(made(), tmp_path / "rec[1]*'s")
    assert read_records(folder).persons.count().execute() == 2
    assert sys.platform == "win32" or stat.S_IMODE(folder.stat().st_mode) == 0o700
