"""Which state a row tells: second columns, lists, sizes, schemes and doses."""

from __future__ import annotations

import pytest

from unit.sources.hearing import Hearing, source_of
from whatworks.sources import connect
from whatworks.sources.problems import ProblemsError

CONTRACTS = """\
[sources.contracts]
layout = "spells"
files = "*.csv"
kind = "employment"
coverage = ["2021-01", "2022-12"]
person.column = "id"
start.column = "from"
end.column = "to"
code.column = "policy"
code.values = {"71" = "iae", "" = "ordinary"}
"""
HEADER = "id;from;to;policy;siret;form"
STATE = ("kind", "code")


@pytest.fixture(scope="module")
def hear() -> Hearing:
    return Hearing(connect(memory_limit="200MB", threads=1))


def test_contracts_of_listed_establishments_are_integration_whatever_their_policy(
    hear: Hearing,
) -> None:
    """An ETTI hires on ordinary temporary contracts: only its SIRET tells that it is one."""
    mapping = CONTRACTS + (
        "[[sources.contracts.code.overrides]]\n"
        'column = "siret"\nlisted_in = {files = "siae.csv", column = "siret"}\ncode = "iae"\n'
    )
    heard = hear(
        mapping,
        HEADER,
        "1;2021-01-01;;;12345678900011;",
        "2;2021-01-01;;71;12345678900011;",
        "3;2021-01-01;;71;99999999900099;",
        "4;2021-01-01;;;99999999900099;",
        "5;2021-01-01;;zz; 12345678900011 ;",
        columns=STATE,
        listed=[["12345678900011", "55555555500055"]],
    )
    assert heard.events == [
        ("1", "employment", "iae"),
        ("2", "employment", "iae"),
        ("3", "employment", "iae"),
        ("4", "employment", "ordinary"),
        ("5", "employment", "iae"),
    ]
    assert heard.dropped == {}


def test_overrides_are_tried_in_order_before_values_none_and_constant(hear: Hearing) -> None:
    overrides = (
        "[[sources.contracts.code.overrides]]\n"
        'column = "form"\nvalues = {"CVG" = "accompaniment:intensive_integrated"}\n'
        "[[sources.contracts.code.overrides]]\n"
        'column = "siret"\nlisted_in = {files = "x.csv", column = "s"}\ncode = "iae"\n'
    )
    lines = (
        "1;2021-01-01;;71;A;CVG",  # the first override
        "2;2021-01-01;;00;A;",  # the second, although 00 is nothing to record
        "3;2021-01-01;;00;B;",  # nothing to record
        "4;2021-01-01;;71;B;",  # the code
    )
    mapping = CONTRACTS + 'code.none = ["00"]\n'
    heard = hear(mapping + overrides, HEADER, *lines, columns=STATE, listed=[None, ["A"]])
    assert heard.events == [
        ("1", "accompaniment", "intensive_integrated"),
        ("2", "employment", "iae"),
        ("4", "employment", "iae"),
    ]
    assert heard.dropped == {"code_none": 1}
    constant = CONTRACTS.split("code.", maxsplit=1)[0] + 'code.constant = "any"\n'
    heard = hear(constant + overrides, HEADER, *lines, columns=STATE, listed=[None, ["A"]])
    assert [row[2] for row in heard.events] == ["intensive_integrated", "iae", "any", "any"]


def test_states_of_overrides_are_states_of_the_source() -> None:
    source = source_of(
        CONTRACTS
        + '[[sources.contracts.code.overrides]]\ncolumn = "form"\n'
        + 'values = {"CVG" = "accompaniment:intensive_integrated"}\n'
    )
    assert source.kinds == ("employment", "accompaniment")


REGISTERED = """\
[sources.registered]
layout = "snapshots"
files = "*.csv"
kind = "joblessness"
person.column = "id"
month = {column = "month"}
"""


def bands(more: str = "", last: str = '{code = "long_hours"}') -> str:
    lower = '{upto = 0, code = "no_hours"}, {upto = 78, code = "short_hours"}'
    return REGISTERED + f'code = {{column = "hours", bands = [{lower}, {last}]{more}}}\n'


def test_hours_decide_by_their_size(hear: Hearing) -> None:
    """Category B is 78 hours or fewer, bound included; above is C."""
    heard = hear(
        bands(),
        "id;month;hours",
        "1;2021-01-01;0",
        "2;2021-01-01;78",
        "3;2021-01-01;78.5",
        "4;2021-01-01;200",
        "5;2021-01-01;0.5",
        columns=("code",),
    )
    assert [code for _, code in heard.events] == [
        "no_hours", "short_hours", "long_hours", "long_hours", "short_hours",
    ]  # fmt: skip


def test_hours_that_are_no_number_refuse_unless_listed_or_counted(hear: Hearing) -> None:
    lines = ("1;2021-01-01;78,5", "2;2021-01-01;", "3;2021-01-01;79")
    with pytest.raises(ProblemsError) as caught:
        hear(bands(', none = [""]'), "id;month;hours", *lines, columns=("code",))
    (problem,) = caught.value.problems
    assert "numbers with the decimal mark '.'" in problem.needed
    assert "column 'hours'" in problem.what
    assert problem.found.startswith("1 of 3 rows")
    assert "78,5" not in str(problem)
    comma = hear(bands(', none = [""], decimal = ","'), "id;month;hours", *lines, columns=("code",))
    assert comma.events == [("1", "long_hours"), ("3", "long_hours")]
    assert comma.dropped == {"code_none": 1}
    counting = bands(', none = [""], unmapped = "count"')
    counted = hear(counting, "id;month;hours", *lines, columns=("code",))
    assert counted.events == [("3", "long_hours")]
    assert counted.dropped == {"code_none": 1, "unreadable_code": 1}


def test_numbers_beyond_the_last_band_are_not_mapped(hear: Hearing) -> None:
    mapping = bands(', unmapped = "count"', '{upto = 200, code = "long_hours"}')
    heard = hear(
        mapping, "id;month;hours", "1;2021-01-01;200", "2;2021-01-01;200.1", columns=("code",)
    )
    assert heard.events == [("1", "long_hours")]
    assert heard.dropped == {"unmapped_code": 1}
    with pytest.raises(ProblemsError) as caught:
        hear(mapping.replace(', unmapped = "count"', ""), "id;month;hours", "2;2021-01-01;201")
    assert "numbers up to 200" in caught.value.problems[0].needed


def test_a_none_that_is_also_a_number_means_nothing_to_record(hear: Hearing) -> None:
    heard = hear(bands(', none = ["0"]'), "id;month;hours", "1;2021-01-01;0", columns=("code",))
    assert heard.events == []
    assert heard.dropped == {"code_none": 1}


def test_registration_categories_are_not_a_b_c(hear: Hearing) -> None:
    """CATREGR 1, 2, 3 seek work; only the hours of the month tell A from B and C."""
    mapping = (
        REGISTERED
        + 'code.column = "hours"\ncode.bands = [{upto = 78, code = "b"}, {code = "c"}]\n'
        + "[[sources.registered.code.overrides]]\n"
        + 'column = "catregr"\nvalues = {"4" = "d", "5" = "e"}\n'
        + "[[sources.registered.code.overrides]]\n"
        + 'column = "hours"\nvalues = {"" = "a"}\n'
    )
    heard = hear(
        mapping,
        "id;month;catregr;hours",
        "1;2021-01-01;1;",
        "2;2021-01-01;1;0",
        "3;2021-01-01;2;79",
        "4;2021-01-01;3;",
        "5;2021-01-01;5;",
        columns=("code",),
    )
    assert [code for _, code in heard.events] == ["a", "b", "c", "a", "e"]


def test_scheme_and_intensity(hear: Hearing) -> None:
    mapping = CONTRACTS + (
        'scheme = {column = "form", values = {"CVG" = "Convergence", "??" = ""}}\n'
        'intensity = {column = "siret", decimal = ",", unit = "hours"}\n'
    )
    heard = hear(
        mapping,
        HEADER,
        "1;2021-01-01;;71;12,5;CVG",
        "2;2021-01-01;;71;;local name",
        "3;2021-01-01;;71; ;??",
        "4;2021-01-01;;71;0; ",
        columns=("scheme", "intensity"),
    )
    assert heard.events == [
        ("1", "Convergence", 12.5),
        ("2", "local name", None),
        ("3", None, None),
        ("4", None, 0.0),
    ]
    with pytest.raises(ProblemsError) as caught:
        hear(mapping, HEADER, "1;2021-01-01;;71;12.5;CVG")
    (problem,) = caught.value.problems
    assert "column 'siret'" in problem.what
    assert "numbers with the decimal mark ','" in problem.needed
    assert "intensity.decimal" in problem.remedy
    assert "12.5" not in str(problem)


def test_the_intensity_of_a_row_left_behind_is_not_looked_at(hear: Hearing) -> None:
    mapping = CONTRACTS + 'code.unmapped = "count"\n'
    mapping += 'intensity = {column = "siret", unit = "hours"}\n'
    heard = hear(mapping, HEADER, "1;2021-01-01;;zz;many;", columns=("code",))
    assert heard.dropped == {"unmapped_code": 1}
