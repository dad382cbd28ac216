"""Counts of participants and leavers, by the codes of the fund."""

from __future__ import annotations

from pathlib import Path

import pytest

from hand import panel, records, spell
from whatworks.errors import OptionError
from whatworks.indicators import esf_counts
from whatworks.indicators.esf import WARNING
from whatworks.months import to_index
from whatworks.panel import Panel


# 60 persons enter in March; 40 leave after June, of whom 20 work from July to August and 15 in
# December; 20 are still there. 30 were born in 1960, 30 in 1995; 12 work before entry.
def operation() -> Panel:
    who = [f"p{k:02d}" for k in range(60)]
    rows = []
    for k, person in enumerate(who):
        end = "2020-06-30" if k < 40 else None
        rows.append(spell(person, "accompaniment", "job_search", "2020-03-01", end))
        if k < 20:
            rows.append(spell(person, "employment", "cdd", "2020-07-10", "2020-08-31"))
        if k < 15:
            rows.append(spell(person, "employment", "cdi", "2020-12-01", "2020-12-31"))
        if k >= 48:
            rows.append(spell(person, "employment", "cdd", "2020-02-01", "2020-02-28"))
    births = [to_index("1960-05") if k % 2 else to_index("1995-05") for k in range(60)]
    return panel(records(who, episodes=rows, attributes={"birth_month": ("month", births)}))


def count(code: str) -> int | None:
    table = esf_counts(operation(), "job_search").table.set_index("code")
    value = table.loc[code, "persons"]
    return None if value is None or str(value) == "<NA>" else int(value)


@pytest.mark.parametrize(
    ("code", "persons"),
    [
        ("EECO01", 60),
        ("EECO07", 30),
        ("EECO08", 30),
        ("EECR04", 20),
        ("EECR05", 15),
    ],
)
def test_persons_are_counted_at_entry_and_after_they_left(code: str, persons: int) -> None:
    assert count(code) == persons


def test_counts_are_rounded_and_small_ones_hidden() -> None:
    counted = esf_counts(operation(), "job_search")
    table = counted.table.set_index("code")
    assert (counted.participants, counted.leavers) == (60, 40)
    assert int(table.loc["EECO05", "persons"]) == 10  # 12 work in the month before entry
    assert table.loc["EECO06", "not_counted"] == "hidden: few persons"
    assert counted.warning == WARNING
    assert "not effects" in WARNING


def test_what_the_panel_does_not_hold_says_so_and_unverified_codes_are_marked() -> None:
    table = esf_counts(operation(), "job_search").table.set_index("code")
    assert "homeless" in table.loc["EECO16", "not_counted"]
    assert "joblessness" in table.loc["EECR01", "not_counted"]
    assert "entities" in table.loc["EECO19", "not_counted"]
    assert not table.loc["EECR05", "verified"]
    assert len(table) == 19 + 6


def test_an_export_of_ones_own(tmp_path: Path) -> None:
    place = tmp_path / "esf.toml"
    place.write_text(
        'schema = 1\n[indicators.EECO08]\nlabel = "sixty"\nrule = { age = "birth_month", from = 61 }\n',
        encoding="utf-8",
    )
    assert esf_counts(operation(), "job_search", export=place).table["code"].tolist() == ["EECO08"]
    place.write_text('schema = 1\n[indicators.EECO08]\nlabel = "x"\nrule = {}\n', encoding="utf-8")
    with pytest.raises(OptionError, match="keep exactly one"):
        esf_counts(operation(), "job_search", export=place)


def test_an_accompaniment_nobody_mapped() -> None:
    with pytest.raises(OptionError, match="treatment"):
        esf_counts(operation(), "jobsearch")
