"""Stays: where their days are, how one ends the other, when a closing is no exit, and where."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.sources.hearing import Hearing
from whatworks.months import to_index
from whatworks.sources import connect
from whatworks.sources.problems import ProblemsError

STAYS = """\
[sources.stays]
layout = "spells"
files = "*.csv"
kind = "accompaniment"
coverage = ["2021-01", "2022-12"]
person.column = "id"
start.column = "from"
end.column = "to"
code = {column = "what", values = {pro = "job_search", social = "social_participation"}, none = ["-"]}
"""
HEADER = "id;from;to;what;why;where"
DAYS = ("start", "end")


@pytest.fixture(scope="module")
def hear() -> Hearing:
    return Hearing(connect(memory_limit="200MB", threads=1))


# --- days ------------------------------------------------------------------------------------


def test_exclusive_ends_are_the_day_after_the_last(hear: Hearing) -> None:
    """DATANN of the historical file is the first day off the list; empty is still on it."""
    mapping = STAYS.replace('end.column = "to"', 'end = {column = "to", bound = "exclusive"}')
    heard = hear(
        mapping, HEADER, "1;2021-01-01;2021-03-01;pro;;", "2;2021-01-01;;pro;;", columns=DAYS
    )
    assert heard.events == [("1", "2021-01-01", "2021-02-28"), ("2", "2021-01-01", None)]


def test_sentinel_of_passes(hear: Hearing) -> None:
    """2040-01-01 on a PASS IAE is no date: the pass is open."""
    mapping = STAYS.replace('end.column = "to"', 'end = {column = "to", sentinel = ["2040-01-01"]}')
    heard = hear(
        mapping, HEADER, "1;2021-01-01;2040-01-01;pro;;", "2;2021-01-01;2040-01-02;pro;;",
        columns=DAYS,
    )  # fmt: skip
    assert heard.events == [("1", "2021-01-01", None), ("2", "2021-01-01", "2040-01-02")]


FIRST_OF = STAYS.replace(
    'end.column = "to"',
    'end = {first_of = ["date_sortie_definitive", "date_fin_contrat"], format = "%d/%m/%Y"}',
).replace('start.column = "from"', 'start = {column = "from", format = "%d/%m/%Y"}')
SORTIES = "id;from;date_sortie_definitive;date_fin_contrat;what"


def test_first_date_that_is_not_blank(hear: Hearing) -> None:
    heard = hear(
        FIRST_OF,
        SORTIES,
        "1;01/01/2021;05/02/2021;31/03/2021;pro",
        "2;01/01/2021;;31/03/2021;pro",
        "3;01/01/2021; ;31/03/2021;pro",
        "4;01/01/2021;;;pro",
        columns=("end",),
    )
    assert heard.events == [
        ("1", "2021-02-05"), ("2", "2021-03-31"), ("3", "2021-03-31"), ("4", None),
    ]  # fmt: skip


def test_errors_of_dates_name_every_column(hear: Hearing) -> None:
    with pytest.raises(ProblemsError) as caught:
        hear(
            FIRST_OF,
            SORTIES,
            "1;01/01/2021;2021-02-05;31/03/2021;pro",
            "2;01/03/2021;;28/02/2021;pro",
        )
    unreadable, reversed_ = caught.value.problems
    assert "columns 'date_sortie_definitive' and 'date_fin_contrat'" in unreadable.what
    assert unreadable.found.startswith("1 of 2 rows")
    assert "'from' and 'date_sortie_definitive' and 'date_fin_contrat'" in reversed_.what


# --- one stay ends the other -----------------------------------------------------------------

TRUNCATED = STAYS + 'truncate = true\nend_before_start = "count"\n'


def test_the_next_stay_ends_the_one_before(hear: Hearing) -> None:
    heard = hear(
        TRUNCATED,
        HEADER,
        "1;2021-01-01;2021-06-30;pro;;",  # shortened by the next
        "1;2021-03-01;2021-03-31;social;;",  # over before the one after
        "1;2021-05-01;;pro;;",  # the last one stays open
        "2;2021-01-01;;pro;;",  # another person
        columns=DAYS,
    )
    assert heard.events == [
        ("1", "2021-01-01", "2021-02-28"),
        ("1", "2021-03-01", "2021-03-31"),
        ("1", "2021-05-01", None),
        ("2", "2021-01-01", None),
    ]
    assert heard.dropped == {}


def test_of_stays_of_one_day_the_longest_remains(hear: Hearing) -> None:
    lines = (
        "1;2021-01-01;2021-01-31;pro;;",
        "1;2021-01-01;;social;;",
        "1;2021-01-01;2021-02-15;pro;;",
        "1;2021-04-01;;pro;;",
    )
    for order in (lines, lines[::-1]):
        heard = hear(TRUNCATED, HEADER, *order, columns=(*DAYS, "code"))
        assert heard.events == [
            ("1", "2021-01-01", "2021-03-31", "social_participation"),
            ("1", "2021-04-01", None, "job_search"),
        ]
        assert heard.dropped == {"truncated_away": 2}


def test_stays_of_the_same_days_leave_each_other_alone(hear: Hearing) -> None:
    heard = hear(
        TRUNCATED,
        HEADER,
        "1;2021-01-01;2021-06-30;pro;;",
        "1;2021-01-01;2021-06-30;social;;",
        "1;2021-06-30;;pro;;",
        columns=DAYS,
    )
    assert heard.events == [
        ("1", "2021-01-01", "2021-06-29"),
        ("1", "2021-01-01", "2021-06-29"),
        ("1", "2021-06-30", None),
    ]


def test_stays_without_order_end_no_other(hear: Hearing) -> None:
    heard = hear(
        TRUNCATED,
        HEADER,
        "1;2021-01-01;;pro;;",
        "1;2021-03-01;2021-02-01;pro;;",  # ends before it starts: counted, and ends nothing
        "1;2021-05-01;;-;;",  # nothing to record, but the stay before is over
        columns=DAYS,
    )
    assert heard.events == [("1", "2021-01-01", "2021-04-30")]
    assert heard.dropped == {"code_none": 1, "end_before_start": 1}


def test_without_truncation_stays_overlap(hear: Hearing) -> None:
    heard = hear(STAYS, HEADER, "1;2021-01-01;;pro;;", "1;2021-03-01;;social;;", columns=DAYS)
    assert heard.events == [("1", "2021-01-01", None), ("1", "2021-03-01", None)]


# --- moves are not exits ---------------------------------------------------------------------

MOVED = STAYS + 'censored_by = {column = "why", one_of = ["MUT", "RGD"]}\n'
JUNE = to_index("2021-06")


def test_moves_blind_the_source_from_the_month_after_the_end(hear: Hearing) -> None:
    heard = hear(
        MOVED,
        HEADER,
        "1;2021-01-01;2021-05-15;pro;MUT;",
        "2;2021-01-01;2021-05-31;pro;RGD;",
        "3;2021-01-01;2021-05-15;pro;PCG;",
        "4;2021-01-01;2021-05-15;-;MUT;",  # no state, but out of sight all the same
        columns=DAYS,
    )
    assert [row[0] for row in heard.events] == ["1", "2", "3"]
    assert heard.beside["blind"] == [
        ("1", "accompaniment", JUNE),
        ("2", "accompaniment", JUNE),
        ("4", "accompaniment", JUNE),
    ]


def test_a_move_on_a_day_unknown(hear: Hearing) -> None:
    heard = hear(MOVED, HEADER, "1;2021-06-20;;pro;MUT;", "2;2021-06-20;;pro;PCG;", columns=DAYS)
    assert heard.events == [("2", "2021-06-20", None)]
    assert heard.dropped == {"censored_end_unknown": 1}
    assert heard.beside["blind"] == [("1", "accompaniment", JUNE)]


def test_a_move_blinds_every_kind_of_the_source(hear: Hearing) -> None:
    mapping = MOVED.replace('social = "social', 'social = "benefit:social')
    heard = hear(mapping, HEADER, "1;2021-01-01;2021-05-15;pro;MUT;")
    assert heard.beside["blind"] == [("1", "accompaniment", JUNE), ("1", "benefit", JUNE)]


def test_the_end_of_a_shortened_stay_blinds_where_the_file_says(hear: Hearing) -> None:
    heard = hear(
        MOVED + "truncate = true\n",
        HEADER,
        "1;2021-01-01;2021-05-15;pro;MUT;",
        "1;2021-03-01;2021-03-31;pro;;",
        columns=DAYS,
    )
    assert heard.events[0] == ("1", "2021-01-01", "2021-02-28")
    assert heard.beside["blind"] == [("1", "accompaniment", JUNE)]


def test_without_censoring_nothing_is_blind(hear: Hearing) -> None:
    assert hear(STAYS, HEADER, "1;2021-01-01;2021-05-15;pro;MUT;").beside["blind"] is None


# --- places ----------------------------------------------------------------------------------


def test_places_of_stays(hear: Hearing) -> None:
    mapping = TRUNCATED + 'place.column = "where"\n'
    heard = hear(
        mapping,
        HEADER,
        "1;2021-01-15;2021-06-30;pro;;1004 ",
        "1;2021-03-01;;-;;2A004",
        "2;2021-01-15;2021-06-30;pro;;  ",
        "3;2021-03-01;2021-02-01;pro;;01004",
    )
    january, march = to_index("2021-01"), to_index("2021-03")
    assert heard.beside["places"] == [
        ("1", "01004", january, march - 1),
        ("1", "2A004", march, None),
    ]
    untouched = mapping.replace(
        'place.column = "where"', 'place = {column = "where", strip = "nothing"}'
    )
    heard = hear(untouched, HEADER, "1;2021-01-15;2021-06-30;pro;;1004 ")
    assert [row[1] for row in heard.beside["places"] or ()] == ["1004 "]


# --- any stays -------------------------------------------------------------------------------

Stay = tuple[int, int | None]
stays = st.lists(
    st.tuples(st.integers(0, 12), st.none() | st.integers(0, 8)),
    min_size=1,
    max_size=7,
    unique=True,
)


def by_hand(stays: list[Stay]) -> list[Stay]:
    """Each stay (first day, last day) until the day before the first that comes after it."""
    order = sorted(stays, key=lambda s: (s[0], 99 if s[1] is None else s[1]))
    kept = []
    for place, (first, last) in enumerate(order):
        following = order[place + 1 :]
        bound = following[0][0] - 1 if following else 99
        end = min(99 if last is None else last, bound)
        if end >= first:
            kept.append((first, None if end == 99 else end))
    return kept


@settings(max_examples=30, deadline=None)
@given(drawn=stays, data=st.data())
def test_truncation_is_that_by_hand_in_any_order(
    hear: Hearing, drawn: list[Stay], data: st.DataObject
) -> None:
    known = [(first, None if length is None else first + length) for first, length in drawn]
    lines = [f"1;{day(first)};{'' if last is None else day(last)};pro;;" for first, last in known]
    heard = hear(TRUNCATED, HEADER, *data.draw(st.permutations(lines)), columns=DAYS)
    expected = by_hand(known)
    assert heard.events == sorted(
        (("1", day(a), None if b is None else day(b)) for a, b in expected), key=repr
    )
    assert heard.dropped.get("truncated_away", 0) == len(known) - len(expected)


def day(number: int) -> str:
    return str(date(2021, 1, 1) + timedelta(days=number))
