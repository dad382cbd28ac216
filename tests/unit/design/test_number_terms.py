"""Numbers of the panel as covariates: the value so many months before entry, or a person left out."""

from __future__ import annotations

import pytest

from hand import panel, records, spell
from whatworks import Question, WhatworksError
from whatworks.design.cohorts import risk_sets
from whatworks.indicators import lookup
from whatworks.months import to_index

# Income of January to June 2020 (months 1 to 6); p3 has none in April, which is silence, not zero.
INCOME = {"p1": (10, 20, 30, 40, 50, 60), "p2": (1, 2, 3, 4, 5, 6), "p3": (7, 7, 7, None, 7, 7)}


def question(*covariates: str) -> Question:
    return Question(
        treatment="job_search",
        outcome="employment_presence",
        months=(3,),
        covariates=covariates,
        first_entry="2020-06",
        last_entry="2020-06",
    )


def test_a_lag_is_the_number_of_that_month() -> None:
    made = records(
        list(INCOME),
        episodes=[
            spell("p1", "accompaniment", "job_search", "2020-06-10", None),
            spell("p2", "employment", "cdi", "2020-08-10", None),
            spell("p3", "employment", "cdi", "2020-08-10", None),
        ],
        measures=[
            ("s", person, "income", to_index(f"2020-{month:02d}"), float(value))
            for person, values in INCOME.items()
            for month, value in enumerate(values, start=1)
            if value is not None
        ],
    )
    laid = panel(made)
    asked = question("measure_income.lag1", "measure_income.lag3")
    risk = risk_sets(laid, asked, lookup("employment_presence"))
    assert risk.person.tolist() == [0, 1, 2]
    assert risk.history[:, 0].tolist() == [50, 5, 7]
    assert risk.history[:, 1].tolist() == [30, 3, 7]
    silent = question("measure_income.lag2")
    assert risk_sets(laid, silent, lookup("employment_presence")).person.tolist() == [0, 1]
    with pytest.raises(WhatworksError, match=r"number\.lagK"):
        risk_sets(laid, question("measure_income.months3"), lookup("employment_presence"))
