"""Is this number a NIR? French social security number of 13 characters, and its key of 2.

===========  ==========================================================================
1            sex: 1, 2 (3, 4, 7, 8 are temporary numbers, which do not tell who it is)
2-3          year of birth
4-5          month of birth: 01-12, or 20, 30-42, 50-99 where it is not known
6-7          département of birth: two digits, 2A or 2B
8-10, 11-13  commune or country, order in its register
14-15        key: 97 - (the 13 digits modulo 97), 2A counting as 19 and 2B as 18
===========  ==========================================================================
"""

from __future__ import annotations

from typing import Final

import ibis

LENGTH: Final = 13
WITH_KEY: Final = 15
VALID: Final = "valid"
_SHAPE: Final = r"^[1-478][0-9]{4}([0-9]{2}|2A|2B)[0-9]{6}([0-9]{2})?$"
_MONTH: Final = r"^(0[1-9]|1[0-2]|20|3[0-9]|4[0-2]|[5-9][0-9])$"
_DIGEST: Final = r"^[0-9a-fA-F]+$"
_DIGEST_LENGTHS: Final = (32, 40, 56, 64, 96, 128)
"""Hexadecimal digits of MD5, SHA-1 and the members of SHA-2 and SHA-3."""


def plain(raw: ibis.Value) -> ibis.Value:
    """The characters that count: no blank, point or hyphen, capitals.

    Parameters
    ----------
    raw : ibis string column
    """
    return raw.re_replace(r"[\s.\-\x{00A0}\x{202F}]+", "").upper().nullif("")


def looks_hashed(raw: ibis.Value) -> ibis.Value:
    """True where a value is written like a digest, which no NIR is."""
    text = raw.strip()
    return text.length().isin(_DIGEST_LENGTHS) & text.re_search(_DIGEST)


def verdict(number: ibis.Value, *, sex: ibis.Value, birth_date: ibis.Value) -> ibis.Value:
    """Say whether a number may identify the person, or why not.

    Parameters
    ----------
    number : ibis string column
        As `plain` leaves it.
    sex : ibis string column
        ``F``, ``M`` or null: what the file says elsewhere.
    birth_date : ibis date column
        What the file says elsewhere, or null.

    Returns
    -------
    ibis string column
        Null where there is no number, else ``valid`` or the first of ``length``, ``characters``,
        ``temporary``, ``month``, ``order``, ``key``, ``sex_disagrees``, ``birth_disagrees``.

    Notes
    -----
    A month of birth agrees with the day of the file's date too (day and month are often swapped) and
    with any 1 January (what files write when they know the year alone).
    """
    month = number.substr(3, 2)
    year_differs = number.substr(1, 2).try_cast("int32") != birth_date.year() % 100
    known = month.try_cast("int32") <= 12
    month_differs = (
        month.try_cast("int32").notin([birth_date.month(), birth_date.day()])
        & ~((birth_date.month() == 1) & (birth_date.day() == 1))
        & known
    )
    sex_differs = number.substr(0, 1) != sex.cases(("M", "1"), ("F", "2"))
    no = ibis.literal(False)  # noqa: FBT003 - a column constant, not a flag
    return ibis.cases(
        (number.isnull(), ibis.null("string")),
        (number.length().notin([LENGTH, WITH_KEY]), "length"),
        (~number.re_search(_SHAPE), "characters"),
        (number.substr(0, 1).notin(["1", "2"]), "temporary"),
        (~month.re_search(_MONTH), "month"),
        (number.substr(10, 3) == "000", "order"),
        (number.substr(LENGTH, 2).nullif("").try_cast("int32") != _key(number), "key"),
        (ibis.coalesce(sex_differs, no), "sex_disagrees"),
        (ibis.coalesce(year_differs | month_differs, no), "birth_disagrees"),
        else_=VALID,
    )


def _key(number: ibis.Value) -> ibis.Value:
    """The two digits that should follow the thirteen."""
    digits = number.substr(0, LENGTH).replace("2A", "19").replace("2B", "18")
    return 97 - digits.try_cast("int64") % 97
