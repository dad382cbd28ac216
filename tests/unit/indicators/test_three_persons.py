"""Every definition on the same three persons over 2020, each answer reckoned in the head.

What is not known stays unknown: the year is covered to October for contracts, to November for benefits,
and to December for registrations.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hand import panel, records, spell
from whatworks import Question
from whatworks.design.looking.outcomes import open_outcomes
from whatworks.indicators import indicators, lookup
from whatworks.months import to_index
from whatworks.panel import Panel
from whatworks.vocabulary import Nature

JAN = to_index("2020-01")
CODES = {
    "employment": (
        *("cdi", "cdd", "interim", "aided", "iae", "apprenticeship", "self_employment"),
        "civil_service",
    ),
    "benefit": ("rsa", "rsa_suspended", "c2s"),
    "joblessness": ("registered", "category_b", "category_c", "category_e"),
    "accompaniment": ("job_search",),
}
COVERED_TO = {"employment": 10, "benefit": 11, "joblessness": 12, "accompaniment": 12}
# a works, then works no more: a fixed term of 182 days from February, aided from September.
# b finds a job and keeps it: agency work in February, permanent from August.
# c never works; is registered all year, and declares hours in two months.
ROWS = [
    spell("a", "employment", "cdd", "2020-02-01", "2020-07-31"),
    spell("a", "employment", "aided", "2020-09-01", "2020-12-31"),
    spell("a", "benefit", "rsa", "2020-01-01", "2020-02-29"),
    spell("a", "benefit", "rsa_suspended", "2020-04-01", "2020-04-30"),
    spell("a", "benefit", "c2s", "2020-06-10", None),
    spell("b", "employment", "interim", "2020-02-20", "2020-02-20"),
    spell("b", "employment", "cdi", "2020-08-31", None),
    spell("b", "benefit", "rsa_suspended", "2020-05-01", "2020-05-31"),
    spell("b", "joblessness", "registered", "2020-01-01", "2020-03-31"),
    spell("c", "benefit", "rsa", "2020-01-01", "2020-12-31"),
    spell("c", "joblessness", "registered", "2020-01-01", "2020-12-31"),
    spell("c", "joblessness", "category_b", "2020-03-01", "2020-03-31"),
    spell("c", "joblessness", "category_c", "2020-04-01", "2020-04-30"),
    spell("c", "joblessness", "category_e", "2020-12-01", "2020-12-31"),
]
# One character a month, January to December; a dot is unknown.
EXPECTED = {
    "employment_presence": ("0111111000..", "0100000111..", "0000000000.."),
    "unaided_employment": ("0111111000..", "0100000111..", "0000000000.."),
    "any_employment": ("0111111011..", "0100000111..", "0000000000.."),
    "months_in_employment": ("0111111000..", "0100000111..", "0000000000.."),
    "employment_access": (".100000000..", ".100000100..", ".000000000.."),
    "employment_retention": ("......0000..", "......0100..", "......0000.."),
    # 182 days is not six months; an agency day is nobody's durable job but the permanent one is.
    "durable_employment": ("0000000000..", "0000000111..", "0000000000.."),
    "ed_france_travail": ("0000000000..", "0000000111..", "0000000000.."),
    "ed_midas_presence": ("0000000000..", "0000000111..", "0000000000.."),
    "ed_garantie_jeunes": ("0000000000..", "0000000111..", "0000000000.."),
    "ed_siae": ("0000000000..", "0000000111..", "0000000000.."),
    # A start in February, and six months later: a's fixed term has just ended, b's permanent job begun.
    "ed_midas_retour": (".......000..", ".......100..", ".......000.."),
    # Unpaid from March: out in May for whom suspension counts as unpaid; in July for whom it does not.
    "rsa_exit": ("..001111111.", "..111111111.", "..000000000."),
    "rsa_exit_6": (".....001111.", ".....111111.", ".....000000."),
    "rsa_exit_closed": ("..000011111.", "..110001111.", "..000000000."),
    "rights_obtained": (".0000100000.", ".0000000000.", ".0000000000."),
    "registered_a": ("000000000000", "111000000000", "110011111111"),
    "registered_b": ("000000000000", "000000000000", "001000000000"),
    "registered_c": ("000000000000", "000000000000", "000100000000"),
    "registered_abc": ("000000000000", "111000000000", "111111111111"),
    "earnings": ("..7.........", "0...........", "............"),
    "activity_income": ("............", "............", "..7........."),
    "obstacles": ("............", "............", "3.....0....."),
    "wellbeing": ("............", "5...........", "............"),
}
NUMBERS = [
    ("s", "a", "earnings", JAN + 2, 7.0),
    ("s", "b", "earnings", JAN, 0.0),
    ("s", "c", "activity_income", JAN + 2, 7.0),
    ("s", "c", "obstacles", JAN, 3.0),
    ("s", "c", "obstacles", JAN + 6, 0.0),
    ("s", "b", "wellbeing", JAN, 5.0),
]


@pytest.fixture(scope="module")
def three() -> Panel:
    made = records(["a", "b", "c"], episodes=ROWS, codes=CODES, measures=NUMBERS)
    coverage = tuple(replace(c, last=JAN + COVERED_TO[c.kind] - 1) for c in made.coverage)
    return panel(replace(made, coverage=coverage))


def months(text: str) -> list[float]:
    return [np.nan if m == "." else float(m) for m in text]


def by_month(made: Panel, name: str) -> np.ndarray:
    monthly = lookup(name).monthly
    assert monthly is not None
    rows = made.table.select("person_id", "month", value=monthly(made)).execute()
    ordered = rows.sort_values(["person_id", "month"])["value"]
    return ordered.to_numpy(float).reshape(made.n_persons, -1)


def test_every_outcome_is_worked_by_hand() -> None:
    assert set(EXPECTED) == set(indicators(Nature.OUTCOME))


@pytest.mark.parametrize("name", list(EXPECTED))
def test_each_month_is_what_the_hand_says(three: Panel, name: str) -> None:
    expected = [months(text) for text in EXPECTED[name]]
    np.testing.assert_array_equal(by_month(three, name), expected)


def test_an_unknown_contract_is_not_an_absent_one() -> None:
    """Registrations go on after contracts stop being seen: a return is then unknown, whatever they say."""
    rows = [
        spell("a", "employment", "interim", "2020-03-01", "2020-03-05"),
        spell("a", "joblessness", "registered", "2020-04-01", None),
        spell("b", "employment", "interim", "2020-03-01", "2020-03-05"),
        spell("b", "joblessness", "category_e", "2020-04-01", None),
    ]
    made = records(["a", "b"], episodes=rows, codes=CODES)
    cut = tuple(replace(c, last=JAN + 7) if c.kind == "employment" else c for c in made.coverage)
    found = by_month(panel(replace(made, coverage=cut)), "ed_midas_retour")
    september = 8
    assert np.isnan(found[:, september]).all()


def at_horizons(made: Panel, name: str, *, horizons: tuple[int, ...]) -> dict[int, list[float]]:
    """The outcome of everyone as if they had entered in May, by month since entry."""
    question = Question(treatment="job_search", outcome=name, months=horizons)
    units = pd.DataFrame({"person_id": range(made.n_persons), "entry_month": JAN + 4})
    found = open_outcomes(made, question, lookup(name), units)
    return dict(zip(found.months, found.values.T.tolist(), strict=True))


# Months since an entry in May: -4 is January, 5 is October, the last month of contracts known.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("employment_presence", {-3: [100, 100, 0], 3: [0, 100, 0], 5: [0, 100, 0]}),
        ("months_in_employment", {-4: [3, 1, 0], -1: [1, 0, 0], 0: [0, 0, 0], 2: [2, 0, 0],
                                  3: [2, 1, 0], 5: [2, 3, 0]}),
        ("employment_access", {-3: [100, 100, 0], -2: [0, 0, 0], 2: [0, 0, 0], 3: [0, 100, 0],
                               5: [0, 100, 0]}),
        ("rights_obtained", {-3: [0, 0, 0], 1: [100, 0, 0], 6: [100, 0, 0]}),
    ],
)  # fmt: skip
def test_outcomes_accumulate_from_entry_and_back_from_it(
    three: Panel, name: str, expected: dict[int, list[float]]
) -> None:
    found = at_horizons(three, name, horizons=(6, 7))
    for month, values in expected.items():
        assert found[month] == values, month


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("employment_presence", {6, 7}),
        ("months_in_employment", {6, 7}),
        ("employment_access", {-4, 6, 7}),
        ("rights_obtained", {-4, 7}),
    ],
)
def test_a_sum_over_an_unknown_month_is_unknown(three: Panel, name: str, unknown: set[int]) -> None:
    found = at_horizons(three, name, horizons=(6, 7))
    for month, values in found.items():
        assert np.isnan(values).tolist() == [month in unknown] * 3, month
