"""Vintages: which rows a newer extract replaces, and how far a source vouches for months."""

from __future__ import annotations

import pytest

from unit.sources.folder import Folder, states
from whatworks.months import to_index, to_label
from whatworks.sources import Coverage, Records

NAMED = "vintage = {from_name = '_(\\d{6})', format = \"%%Y%%m\"%s}\n"
SPELLS = """\
[sources.s]
layout = "spells"
files = "s_*.csv"
kind = "employment"
person = {column = "id"}
start = {column = "from"}
end = {column = "to"}
code = {constant = "job"}
"""
MONTHS = """\
[sources.s]
layout = "snapshots"
files = "s_*.csv"
kind = "benefit"
person = {column = "id"}
month = {column = "month", format = "%Y-%m"}
code = {constant = "rsa"}
"""


def covered(records: Records) -> tuple[str, str, str | None]:
    (one,) = records.coverage
    assert isinstance(one, Coverage)
    late = None if one.unsettled is None else to_label(one.unsettled)
    return to_label(one.first), to_label(one.last), late


def account(records: Records) -> tuple[int, int, dict[str, int]]:
    (step,) = [s for s in records.ledger.steps if s.name == "s"]
    return step.before, step.after, dict(step.dropped)


def seen(records: Records) -> list[tuple[object, str]]:
    return [(row[1], to_label(row[4])) for row in states(records.states)]  # type: ignore[arg-type]


def months(folder: Folder, vintage: str, *lines: str) -> None:
    text = "".join(f"{line};{vintage}\n" for line in lines)
    folder.file(f"s_{vintage}.csv", f"id;month;note\n{text}")


def test_vintages_are_read_from_names(folder: Folder) -> None:
    months(folder, "202102", "1;2021-01")
    months(folder, "202104", "1;2021-02")
    records = folder.read(MONTHS + NAMED % "")
    assert [f.vintage for f in records.files] == [to_index("2021-02"), to_index("2021-04")]
    assert account(records) == (2, 2, {})
    fixed = folder.read(MONTHS + 'vintage = {month = "2021-06"}\n')
    assert [f.vintage for f in fixed.files] == [to_index("2021-06")] * 2


@pytest.mark.parametrize("name", ["s_new.csv", "s_202113.csv"])
def test_a_name_without_a_vintage_is_refused(folder: Folder, name: str) -> None:
    months(folder, "202102", "1;2021-01")
    folder.file(name, "id;month;note\n1;2021-02;x\n")
    text = folder.refused(MONTHS + NAMED % "")
    assert f"{name}: needed a name in which" in text
    assert "finds a month written %Y%m; found none" in text


def test_the_newest_file_of_each_month_replaces_the_others(folder: Folder) -> None:
    months(folder, "202103", "1;2021-01", "2;2021-01", "1;2021-02")
    months(folder, "202104", "1;2021-02", "3;2021-02", "1;2021-03")
    records = folder.read(MONTHS + NAMED % ', supersedes = "months"')
    assert seen(records) == [
        ("1", "2021-01"), ("1", "2021-02"), ("1", "2021-03"), ("2", "2021-01"), ("3", "2021-02"),
    ]  # fmt: skip
    assert account(records) == (6, 5, {"superseded_vintage": 1})


def test_the_newest_file_replaces_the_others_as_a_whole(folder: Folder) -> None:
    months(folder, "202103", "1;2021-01", "2;2021-01", "1;2021-02")
    months(folder, "202104", "1;2021-01", "1;2021-02")
    records = folder.read(MONTHS + NAMED % ', supersedes = "all"')
    assert seen(records) == [("1", "2021-01"), ("1", "2021-02")]
    assert account(records) == (5, 2, {"superseded_vintage": 3})


def test_a_replaced_row_is_nobodys_twin(folder: Folder) -> None:
    for vintage in ("202103", "202104"):
        folder.file(f"s_{vintage}.csv", "id;from;to\n1;2021-01-05;\n2;2021-01-05;2021-02-01\n")
    mapping = SPELLS + 'coverage = ["2021-01", "auto"]\n' + NAMED % ', supersedes = "all"'
    text = folder.refused(mapping.replace('"all"', '"nothing"'))
    assert "needed rows that differ in at least one column; found 2 of 4 rows" in text
    records = folder.read(mapping)
    assert account(records) == (4, 2, {"superseded_vintage": 2})
    assert len(states(records.episodes)) == 2


# --- coverage --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('coverage = ["2020-06", "auto"]', ("2020-06", "2021-06", None)),
        ('coverage = ["2020-06", "auto"]\nlag_months = 2', ("2020-06", "2021-04", None)),
        ('coverage = ["2020-06", "2021-03"]\nlag_months = 2', ("2020-06", "2021-03", None)),
    ],
)
def test_coverage_of_stays_ends_with_the_vintage(
    folder: Folder, keys: str, expected: tuple[str, str, str | None]
) -> None:
    folder.file("s_202105.csv", "id;from;to\n1;2021-01-05;\n")
    folder.file("s_202106.csv", "id;from;to\n2;2021-01-05;2021-02-01\n")
    assert covered(folder.read(SPELLS + NAMED % "" + keys)) == expected


@pytest.mark.parametrize(("lag", "last"), [("", "2021-07"), ("lag_months = 3\n", "2021-04")])
def test_without_a_vintage_it_ends_with_the_last_start_for_an_end_may_be_planned(
    folder: Folder, lag: str, last: str
) -> None:
    folder.file("s_1.csv", "id;from;to\n1;2021-01-05;2021-09-01\n2;2021-07-05;\n")
    mapping = SPELLS + 'coverage = ["2021-01", "auto"]\n' + lag
    assert covered(folder.read(mapping)) == ("2021-01", last, None)


@pytest.mark.parametrize(
    ("keys", "last", "left"),
    [
        (NAMED % "" + 'coverage = ["2021-01", "auto"]\nlag_months = 3', "2021-02", 1),
        (NAMED % "" + 'coverage = ["2021-02", "auto"]', "2021-05", 1),
        (NAMED % "" + "lag_months = 3", "2021-02", 1),
        (NAMED % "" + "lag_months = 1", "2021-03", 0),
        ("lag_months = 1", "2021-02", 1),
        ('coverage = ["2021-01", "auto"]\nlag_months = 2', "2021-01", 2),
    ],
)
def test_rows_after_the_coverage_are_counted(
    folder: Folder, keys: str, last: str, left: int
) -> None:
    months(folder, "202105", "1;2021-01", "1;2021-02", "1;2021-03")
    records = folder.read(MONTHS + keys)
    assert covered(records)[1] == last
    assert account(records) == (3, 3 - left, {"outside_coverage": left} if left else {})


def test_a_lag_may_leave_no_month(folder: Folder) -> None:
    months(folder, "202103", "1;2021-01")
    text = folder.refused(MONTHS + NAMED % "" + 'coverage = ["2021-01", "auto"]\nlag_months = 4')
    assert "source 's': needed a coverage of at least one month" in text
    assert "found 2021-01 to 2020-11, a lag of 4 months deducted" in text


def test_a_missing_month_is_still_refused(folder: Folder) -> None:
    months(folder, "202105", "1;2021-01", "1;2021-03", "1;2021-05")
    text = folder.refused(MONTHS + NAMED % "" + "lag_months = 1")
    assert "found 1 month without any row: 2021-02" in text


# --- settled ---------------------------------------------------------------------------------


def test_months_near_the_vintage_may_still_change(folder: Folder) -> None:
    folder.file("s_202106.csv", "id;from;to\n1;2021-01-05;\n")
    mapping = SPELLS + 'coverage = ["2020-06", "auto"]\n' + NAMED % ", settled_after = 6"
    assert covered(folder.read(mapping)) == ("2020-06", "2021-06", "2021-01")
    ended = mapping.replace('"auto"', '"2020-12"')
    assert covered(folder.read(ended)) == ("2020-06", "2020-12", None)


def test_each_month_is_as_settled_as_the_newest_file_that_holds_it(folder: Folder) -> None:
    months(folder, "202107", "1;2021-01")
    months(folder, "202108", "1;2021-02")
    months(folder, "202105", "1;2021-03")
    months(folder, "202110", "1;2021-04")
    keys = NAMED % ', supersedes = "months", settled_after = 6'
    assert covered(folder.read(MONTHS + keys)) == ("2021-01", "2021-04", "2021-03")
