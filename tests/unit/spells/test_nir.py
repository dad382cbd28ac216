"""Is this number a NIR: numbers worked by hand."""

from __future__ import annotations

import datetime as dt

import ibis
import pytest

import hand
from whatworks.spells.linking import nir

ROW = {"nir": "string", "sex": "string", "birth_date": "date"}


def verdict(number: str | None, sex: str | None = None, birth: str | None = None) -> str | None:
    con = ibis.duckdb.connect()
    day = None if birth is None else dt.date.fromisoformat(birth)
    table = hand.table(con, [(number, sex, day)], ROW)
    said = nir.verdict(nir.plain(table.nir), sex=table.sex, birth_date=table.birth_date)
    (answer,) = table.select(said=said).to_pyarrow()["said"].to_pylist()
    return answer


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("255081416802538", "valid"),  # 2550814168025 = 59 modulo 97, 97 - 59 = 38
        ("2 55 08 14 168 025 38", "valid"),
        ("2.55.08.14.168.025-38", "valid"),
        ("2\u00a055\u00a008\u00a014\u00a0168\u00a0025\u00a038", "valid"),
        ("2550814168025", "valid"),  # without its key there is none to check
        ("255081416802539", "key"),
        ("255081416802583", "key"),
        ("255081416802", "length"),
        ("25508141680253", "length"),
        ("2550814168O2538", "characters"),
        ("055081416802538", "characters"),
        ("7550814168025", "temporary"),
        ("8550814168025", "temporary"),
        ("3550814168025", "temporary"),
        ("2550014168025", "month"),
        ("2551314168025", "month"),
        ("2552014168025", "valid"),
        ("2553014168025", "valid"),
        ("2554214168025", "valid"),
        ("2554314168025", "month"),
        ("2555014168025", "valid"),
        ("2559914168025", "valid"),
        ("2550814168000", "order"),
        ("", None),
        ("   ", None),
        (None, None),
    ],
)
def test_shape_month_order_and_key(number: str | None, expected: str | None) -> None:
    assert verdict(number) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("184122A451089", "valid"),
        ("184122a45108933", "valid"),
        ("279052B03301253", "valid"),
        ("184122A45108953", "key"),
        ("184122C451089", "characters"),
    ],
)
def test_corsica_counts_as_19_and_18(number: str, expected: str) -> None:
    # 1841219451089 is 64 modulo 97, 2790518033012 is 44.
    assert verdict(number) == expected


@pytest.mark.parametrize(
    ("sex", "birth", "expected"),
    [
        ("F", "1955-08-17", "valid"),
        ("M", "1955-08-17", "sex_disagrees"),
        (None, "1956-08-17", "birth_disagrees"),
        (None, "1955-09-17", "birth_disagrees"),
        (None, "1955-03-08", "valid"),  # day and month exchanged
        (None, "1955-01-01", "valid"),  # the year alone was known
        (None, "1954-01-01", "birth_disagrees"),
        (None, None, "valid"),
    ],
)
def test_agreement_with_the_rest_of_the_file(
    sex: str | None, birth: str | None, expected: str
) -> None:
    assert verdict("255081416802538", sex, birth) == expected


def test_a_month_nobody_knew_agrees_with_any() -> None:
    assert verdict("2552014168025", "F", "1955-11-30") == "valid"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("d41d8cd98f00b204e9800998ecf8427e", True),
        ("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", True),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", True),
        (" e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 ", True),
        ("255081416802538", False),
        ("2 55 08 14 168 025 38", False),
        ("x41d8cd98f00b204e9800998ecf8427e", False),
    ],
)
def test_what_looks_like_a_hash(raw: str, expected: bool) -> None:
    con = ibis.duckdb.connect()
    table = hand.table(con, [(raw,)], {"nir": "string"})
    assert table.select(said=nir.looks_hashed(table.nir)).to_pyarrow()["said"].to_pylist() == [
        expected
    ]
