"""Numbers, units, dates and spaces as readers of each language write them."""

from __future__ import annotations

import math

import pytest

from whatworks.errors import OptionError
from whatworks.report.language import FIXED, MINUS, NARROW, words
from whatworks.report.numbers import Scale

PP = Scale(unit="pp", decimals=1)
USD = Scale(unit="USD", decimals=0)


def test_french_number() -> None:
    assert words("fr").number(-12345.678, 1) == f"{MINUS}12{NARROW}345,7"


def test_english_number() -> None:
    assert words("en").number(-12345.678, 1) == f"{MINUS}12,345.7"


def test_signed_number_shows_a_plus_and_zero_has_no_sign() -> None:
    assert words("en").number(2.0, 1, signed=True) == "+2.0"
    assert words("en").number(-0.04, 1, signed=True) == "0.0"


def test_undefined_and_infinite_numbers_are_words() -> None:
    assert words("fr").number(math.nan, 1) == "non défini"
    assert words("fr").number(-math.inf, 1) == f"{MINUS}infini"


@pytest.mark.parametrize(
    ("lang", "value", "said"),
    [
        ("fr", 1.9, "1,9 point"),
        ("fr", 2.0, "2,0 points"),
        ("fr", -0.5, f"{MINUS}0,5 point"),
        ("en", 1.0, "1.0 percentage points"),
        ("en", 0.5, "0.5 percentage points"),
    ],
)
def test_differences_are_points_with_the_plural_of_the_language(
    lang: str, value: float, said: str
) -> None:
    assert words(lang).amount(value, PP) == said


def test_a_single_dollar_in_each_language() -> None:
    assert words("en").amount(1, USD) == "1 dollar"
    assert words("fr").amount(1794.4, USD) == f"1{NARROW}794 dollars"


def test_a_unit_of_the_users_own_is_printed_as_it_is() -> None:
    assert words("fr").amount(3.14, Scale(unit="kg", decimals=1)) == f"3,1{FIXED}kg"
    assert words("fr").axis("kg") == "kg"


def test_interval_in_words() -> None:
    assert words("fr").span(-1.14, 7.5, PP) == f"de {MINUS}1,1 à 7,5 points"
    assert words("en").span(math.nan, 7.5, PP) == "undefined"


def test_durations_agree_with_their_number() -> None:
    assert words("en").duration(1, "month") == "1 month"
    assert words("en").duration(-24, "month") == f"{MINUS}24 months"
    assert words("fr").duration(2, "period") == "2 périodes"


def test_measures_have_the_decimals_they_need() -> None:
    assert [words("en").measure(v) for v in (419.0, 0.0914, 0.05, 0.9996)] == [
        "419",
        "0.091",
        "0.05",
        "1",
    ]
    assert words("en").measure(math.nan) == "undefined"


def test_shares_are_percentages_with_one_decimal() -> None:
    assert words("fr").share(0.1234) == f"12,3{NARROW}%"
    assert words("en").share(0.1234) == "12.3%"
    assert words("fr").share(math.nan) == "non défini"


def test_a_share_fixed_by_design_has_no_idle_decimal() -> None:
    assert words("en").percent(0.25) == "25%"
    assert words("en").percent(0.125) == "12.5%"


def test_small_p_values_are_said_to_be_below_a_bound() -> None:
    assert words("fr").p_value(0.00004) == "moins de 0,001"
    assert words("en").p_value(0.0412) == "0.041"


def test_months_in_words() -> None:
    assert words("fr").month("2021-08") == "août 2021"
    assert words("en").month("2021-08") == "August 2021"


def test_lists_are_those_of_the_language() -> None:
    assert words("fr").listing(["a", "b", "c"]) == "a, b et c"
    assert words("fr").series(["a, b", "c"]) == f"a, b{NARROW}; c"


def test_another_language_is_refused() -> None:
    with pytest.raises(OptionError, match="one of fr, en"):
        words("de")
