"""Which rows count: conditions, repeated rows, the row of a key that decides."""

from __future__ import annotations

import pytest

from unit.sources.folder import Folder, rows, states
from whatworks.sources import Records

STAYS = """\
[sources.stays]
layout = "spells"
files = "stays*.csv"
kind = "employment"
coverage = ["2021-01", "2021-12"]
person = {column = "id"}
start = {column = "from"}
end = {column = "to"}
code = {constant = "job"}
"""


def stays(folder: Folder, *lines: str, header: str, name: str = "stays.csv") -> None:
    text = "".join(f"{line};2021-01-05;2021-02-05\n" for line in lines)
    folder.file(name, f"{header};from;to\n{text}")


def account(records: Records) -> tuple[int, int, dict[str, int]]:
    (step,) = [s for s in records.ledger.steps if s.name == "stays"]
    return step.before, step.after, dict(step.dropped)


def people(records: Records) -> list[object]:
    return [row[1] for row in states(records.episodes)]


# --- where -----------------------------------------------------------------------------------


def where(*conditions: str) -> str:
    return STAYS + "".join(f"[[sources.stays.where]]\n{c}\n" for c in conditions)


def test_each_condition_leaves_rows_under_its_reason(folder: Folder) -> None:
    stays(
        folder,
        "1;O;A;10", "2;N;A;10", "3;O;B;10", "4;N;B;0", "5;O;A;0", "6;O;A;1 000", "7;O;A;0,5", "8;O;A; ",
        header="id;active;kind;hours",
    )  # fmt: skip
    mapping = where(
        'column = "active"\none_of = ["O"]\nreason = "historised"',
        'column = "kind"\nnone_of = ["B"]',
        'column = "hours"\nabove = 0\ndecimal = ","\nreason = "zero_hours"',
    )
    records = folder.read(mapping)
    assert people(records) == ["1", "7"]
    assert account(records) == (8, 2, {"filtered": 1, "historised": 2, "zero_hours": 3})


def test_rows_a_condition_leaves_out_are_not_looked_at(folder: Folder) -> None:
    folder.file(
        "stays.csv",
        "id;type;from;to\n;total;x;y\n1;row;2021-01-05;\n;total;x;y\n;total;;\n",
    )
    records = folder.read(where('column = "type"\nnone_of = ["total"]\nreason = "total_line"'))
    assert account(records) == (4, 1, {"total_line": 3})


def test_a_condition_may_leave_nothing(folder: Folder) -> None:
    stays(folder, "1;N", "2;N", header="id;active")
    text = folder.refused(where('column = "active"\none_of = ["O"]'))
    assert "found 2 rows, all left out (filtered 2)" in text


def test_a_reason_may_be_one_of_ours(folder: Folder) -> None:
    stays(folder, "1;O", "2;N", "3;O", "3;O", header="id;active")
    mapping = where('column = "active"\none_of = ["O"]\nreason = "duplicate_row"')
    records = folder.read(mapping.replace("[[", 'duplicates = "count"\n[[', 1))
    assert account(records) == (4, 2, {"duplicate_row": 2})


# --- duplicates ------------------------------------------------------------------------------


def test_one_of_each_repeated_row_stays(folder: Folder) -> None:
    stays(folder, "1;a", "2;a", "1;a", "1;b", "3;a", header="id;note")
    stays(folder, "1;a", "4;a", header="id;note", name="stays2.csv")
    text = folder.refused(STAYS)
    assert "found 2 of 7 rows (stays.csv 1, stays2.csv 1) otherwise" in text
    records = folder.read(STAYS + 'duplicates = "count"\n')
    assert people(records) == ["1", "1", "2", "3", "4"]
    assert account(records) == (7, 5, {"duplicate_row": 2})


def test_a_row_left_out_already_has_no_twin(folder: Folder) -> None:
    stays(folder, "1;N", "1;N", "2;O", header="id;active")
    records = folder.read(where('column = "active"\none_of = ["O"]'))
    assert account(records) == (3, 1, {"filtered": 2})


# --- keep ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('order = "n"', ["1:9:x", "2:1:x"]),
        ('order = "n", which = "first"', ["1:10:x", "2:1:x"]),
        ('order = "n", type = "number"', ["1:10:x", "2:1:x"]),
        ('order = "n", type = "number", which = "first"', ["1:2:x", "2:1:x"]),
    ],
)
def test_one_row_of_a_key_counts(folder: Folder, keys: str, expected: list[str]) -> None:
    stays(folder, "1;9;x", "1;10;x", "1;;x", "1;2;x", "2;1;x", "2; ;x", header="id;n;note")
    mapping = STAYS + f'keep = {{by = ["id"], {keys}}}\n' + ATTRIBUTES
    records = folder.read(mapping)
    assert [f"{p}:{n}:{note}" for p, n, note in rows(records.persons)] == expected
    assert account(records) == (6, 2, {"superseded_row": 4})


ATTRIBUTES = """\
attributes.n = {column = "n", type = "category"}
attributes.note = {column = "note", type = "category"}
"""


def test_a_key_of_several_columns_and_an_order_of_dates(folder: Folder) -> None:
    lines = ("1;a;01/02/2021", "1;a;15/01/2021", "1;b;01/01/2020", "2;a;03/03/2021")
    stays(folder, *lines, header="id;contract;changed")
    keep = (
        'keep = {by = ["id", "contract"], order = "changed", type = "date", format = "%d/%m/%Y"}\n'
    )
    records = folder.read(STAYS + keep)
    assert people(records) == ["1", "1", "2"]
    assert account(records) == (4, 3, {"superseded_row": 1})


def test_an_order_that_cannot_be_read(folder: Folder) -> None:
    stays(folder, "1;2", "1;two", "2;3", header="id;n")
    text = folder.refused(STAYS + 'keep = {by = ["id"], order = "n", type = "number"}\n', "two")
    assert "column 'n': needed numbers with the decimal mark '.', or nothing" in text
    assert "found 1 of 3 rows otherwise" in text


def test_equal_rows_of_a_key_are_chosen_whatever_their_order(folder: Folder) -> None:
    lines = [f"1;5;{note}" for note in "abcdef"]
    mapping = STAYS + 'keep = {by = ["id"], order = "n"}\n' + ATTRIBUTES
    stays(folder, *lines, header="id;n;note")
    once = rows(folder.read(mapping).persons)
    stays(folder, *lines[3:], header="id;n;note")
    stays(folder, *lines[:3], header="id;n;note", name="stays2.csv")
    assert rows(folder.read(mapping).persons) == once


def test_repeated_rows_are_judged_before_keys(folder: Folder) -> None:
    stays(folder, "1;5", "1;5", "1;4", "2;1", header="id;n")
    keep = 'keep = {by = ["id"], order = "n", which = "first"}\n'
    assert "found 1 of 4 rows otherwise" in folder.refused(STAYS + keep)
    records = folder.read(STAYS + keep + 'duplicates = "count"\n')
    assert account(records) == (4, 2, {"duplicate_row": 1, "superseded_row": 1})


def test_the_newest_file_decides_where_no_column_does(folder: Folder) -> None:
    keep = """\
keep = {by = ["id"]}
vintage = {from_name = '_(\\d{4}-\\d{2})'}
"""
    stays(folder, "1;old;", "2;old;", header="id;note;n", name="stays_2021-05.csv")
    stays(folder, "1;new;", header="id;note;n", name="stays_2021-06.csv")
    records = folder.read(STAYS + keep + ATTRIBUTES)
    assert [(p, note) for p, _, note in rows(records.persons)] == [("1", "new"), ("2", "old")]
    assert account(records) == (3, 2, {"superseded_row": 1})
