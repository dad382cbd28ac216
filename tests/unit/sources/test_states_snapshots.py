"""Rows of a month: numbers, places, and rows by which a source loses sight of a person."""

from __future__ import annotations

import pytest

from unit.sources.hearing import Hearing
from whatworks.months import to_index
from whatworks.sources import connect
from whatworks.sources.problems import ProblemsError

RSA = """\
[sources.rsa]
layout = "snapshots"
files = "*.csv"
kind = "benefit"
person.column = "id"
month = {column = "month", format = "%Y%m"}
code = {column = "state", values = {"2" = "rsa"}, none = ["5"]}
"""
HEADER = "id;month;state;why;paid;earned;where"
JANUARY = to_index("2021-01")


@pytest.fixture(scope="module")
def hear() -> Hearing:
    return Hearing(connect(memory_limit="200MB", threads=1))


# --- moves are not exits ---------------------------------------------------------------------


def test_closings_by_a_move_are_not_exits(hear: Hearing) -> None:
    """MUT and RGD send the file to another payer; PCG closes the right: an exit."""
    mapping = RSA + 'censored_by = {column = "why", one_of = ["MUT", "RGD"]}\n'
    heard = hear(
        mapping,
        HEADER,
        "1;202101;2;;;;",
        "1;202102;5;MUT;;;",
        "2;202102;5;RGD;;;",
        "3;202102;5;PCG;;;",
        columns=("code", "month"),
    )
    assert heard.events == [("1", "rsa", JANUARY)]
    assert heard.dropped == {"censored": 2, "code_none": 1}
    assert heard.beside["blind"] == [("1", "benefit", JANUARY + 1), ("2", "benefit", JANUARY + 1)]


def test_rows_of_a_move_give_no_number_and_no_place(hear: Hearing) -> None:
    mapping = RSA + (
        'censored_by = {column = "why", one_of = ["MUT"]}\nplace.column = "where"\n'
        'measures.paid = {column = "paid", unit = "EUR"}\n'
    )
    heard = hear(mapping, HEADER, "1;202101;5;MUT;?;;08105", "2;202101;5;;0;;08105")
    assert heard.beside["measures"] == [("2", "paid", JANUARY, 0.0)]
    assert heard.beside["places"] == [("2", "08105", JANUARY, JANUARY)]


# --- numbers of the month --------------------------------------------------------------------

MEASURED = RSA + (
    'measures.paid = {column = "paid", unit = "EUR"}\n'
    'measures.earned = {column = "earned", decimal = ",", unit = "EUR"}\n'
)


def test_measures(hear: Hearing) -> None:
    heard = hear(
        MEASURED + 'coverage = ["2021-01", "2021-12"]\n',
        HEADER,
        "1;202101;2;;500.5;0;",
        "2;202101;5;; ;1200,75;",  # no state, but a number
        "3;202101;2;;;;",  # silence
        "4;202201;2;;500;;",  # beyond the coverage
        columns=("month",),
    )
    assert heard.beside["measures"] == [
        ("1", "earned", JANUARY, 0.0),
        ("1", "paid", JANUARY, 500.5),
        ("2", "earned", JANUARY, 1200.75),
    ]
    assert heard.events == [("1", JANUARY), ("3", JANUARY)]
    assert heard.dropped == {"code_none": 1, "outside_coverage": 1}


def test_measures_that_are_no_number_refuse(hear: Hearing) -> None:
    with pytest.raises(ProblemsError) as caught:
        hear(MEASURED, HEADER, "1;202101;2;;500,5;;", "2;202101;5;;n/a;12,5;", "3;202101;2;;;;")
    (problem,) = caught.value.problems
    assert "column 'paid'" in problem.what
    assert problem.found.startswith("2 of 3 rows")
    assert "measures.paid.decimal" in problem.remedy
    assert "500,5" not in str(problem)


def test_two_values_of_a_month_refuse_and_the_same_twice_is_one(hear: Hearing) -> None:
    same = ("1;202101;2;;500;;", "1;202101;5;;500.0;;", "1;202101;5;;;;", "1;202102;2;;510;;")
    heard = hear(MEASURED, HEADER, *same)
    assert heard.beside["measures"] == [
        ("1", "paid", JANUARY, 500.0),
        ("1", "paid", JANUARY + 1, 510.0),
    ]
    with pytest.raises(ProblemsError) as caught:
        hear(MEASURED, HEADER, *same, "1;202101;2;;501;;", "2;202101;2;;1;;")
    (problem,) = caught.value.problems
    assert "column 'paid'" in problem.what
    assert "one value for a person and month" in problem.needed
    assert problem.found.startswith("3 of 6 rows")
    assert "keep" in problem.remedy


def test_two_values_beyond_the_coverage_do_not_refuse(hear: Hearing) -> None:
    mapping = MEASURED + 'coverage = ["2021-01", "2021-12"]\n'
    heard = hear(
        mapping, HEADER, "1;202201;2;;1;;", "1;202201;2;;2;;", "1;202101;2;;3;;", columns=("code",)
    )
    assert heard.beside["measures"] == [("1", "paid", JANUARY, 3.0)]
    assert heard.dropped == {"outside_coverage": 2}


def test_rows_without_any_code(hear: Hearing) -> None:
    """A file of incomes tells of no state: its rows are settled all the same."""
    plain = "\n".join(
        line for line in MEASURED.splitlines() if not line.startswith(("code", "kind"))
    )
    mapping = plain + '\nplace.column = "where"\ncoverage = ["2021-01", "2021-12"]\n'
    heard = hear(
        mapping, HEADER, "1;202101;;;500;;8105", "2;202201;;;1;;", columns=("kind", "code", "month")
    )
    assert heard.events == [("1", JANUARY)]
    assert heard.dropped == {"outside_coverage": 1}
    assert heard.beside == {
        "measures": [("1", "paid", JANUARY, 500.0)],
        "blind": None,
        "places": [("1", "08105", JANUARY, JANUARY)],
    }
    with pytest.raises(ProblemsError):
        hear(mapping, HEADER, "1;202113;;;500;;")


def test_months_come_first(hear: Hearing) -> None:
    """A month that cannot be read refuses, whatever the code of its row."""
    with pytest.raises(ProblemsError) as caught:
        hear(RSA, HEADER, "1;2021;5;;;;")
    assert "column 'month'" in caught.value.problems[0].what


def test_first_month_that_is_not_blank(hear: Hearing) -> None:
    mapping = RSA.replace('column = "month"', 'first_of = ["paid", "month"]')
    heard = hear(mapping, HEADER, "1;202101;2;;202103;;", "2;202101;2;;;;", columns=("month",))
    assert heard.events == [("1", JANUARY + 2), ("2", JANUARY)]


# --- places ----------------------------------------------------------------------------------


def test_places_of_months_each_once(hear: Hearing) -> None:
    mapping = RSA + 'place = {column = "where", width = 5}\n'
    heard = hear(
        mapping,
        HEADER,
        "1;202101;2;;;;1004",
        "1;202101;5;;;;01004",
        "1;202102;2;;;;08105",
        "2;202101;2;;;;",
    )
    assert heard.beside["places"] == [
        ("1", "01004", JANUARY, JANUARY),
        ("1", "08105", JANUARY + 1, JANUARY + 1),
    ]


PEOPLE = """\
[sources.people]
layout = "persons"
files = "*.csv"
person.column = "id"
place.column = "where"
"""


def test_places_of_persons_hold_for_every_month(hear: Hearing) -> None:
    heard = hear(PEOPLE, "id;where", "1;8105", "1;08105", "2;", "3;2A004")
    beginning = to_index("1900-01")
    assert heard.beside["places"] == [
        ("1", "08105", beginning, None),
        ("3", "2A004", beginning, None),
    ]
    assert heard.dropped == {}
    with pytest.raises(ProblemsError) as caught:
        hear(PEOPLE, "id;where", "1;08105", "1;08106", "2;01004")
    (problem,) = caught.value.problems
    assert "column 'where'" in problem.what
    assert problem.found.startswith("2 of 3 rows")
