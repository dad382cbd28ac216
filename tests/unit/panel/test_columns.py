"""Schemes, doses, measures, places, tightness, blind months: one row per person and month, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hand import day, panel, records, spell, table
from whatworks.months import to_index
from whatworks.panel import Panel, expand
from whatworks.sources.records import Geography, Records
from whatworks.spells import reconcile

JAN = to_index("2020-01")
SEARCH = frozenset({("accompaniment", "job_search")})


def stay(start: str, end: str | None, *told: object, source: str = "s") -> tuple[object, ...]:
    last = None if end is None else day(end)
    return (source, "a", "accompaniment", "job_search", day(start), last, *told)


def frame(made: Records | Panel, person: int = 0) -> pd.DataFrame:
    laid = made if isinstance(made, Panel) else panel(made)
    whole = laid.to_pandas()
    return whole[whole["person_id"] == person].reset_index(drop=True)


def test_stays_whose_length_nobody_declares_count_days_so_far() -> None:
    made = records(["a"], episodes=[spell("a", "benefit", "rsa", "2020-01-10", "2020-03-05")])
    assert frame(made)["benefit_rsa"].tolist() == [22, 51, 56] + [0] * 9


def test_employment_told_by_month_counts_days_so_far() -> None:
    states = [("s", "a", "employment", "cdd", JAN + k) for k in range(3)]
    assert frame(records(["a"], states=states))["employment_cdd"].tolist()[:4] == [31, 60, 91, 0]


def test_several_accompaniments_at_once() -> None:
    episodes = [
        spell("a", "accompaniment", "job_search", "2020-01-01", "2020-03-31"),
        spell("a", "accompaniment", "aided_contract", "2020-03-01", "2020-04-30"),
    ]
    found = frame(records(["a"], episodes=episodes))
    assert (found["accompaniment_job_search"] > 0).tolist()[:5] == [True] * 3 + [False] * 2
    assert (found["accompaniment_aided_contract"] > 0).tolist()[:5] == [False] * 2 + [True] * 2 + [
        False
    ]
    assert found["accompaniment"].tolist()[:5] == [1, 1, 1, 1, 0]


def test_schemes_of_a_month_are_sorted_and_joined() -> None:
    made = records(
        ["a"],
        episodes=[
            stay("2020-01-01", "2020-02-29", "PLIE"),
            stay("2020-02-10", "2020-03-31", "Boost"),
            stay("2020-02-20", "2020-02-25", "Boost"),
            stay("2020-04-01", "2020-04-30", None),
        ],
    )
    found = frame(replace(made, schemes=SEARCH))["accompaniment_job_search_scheme"]
    assert found.astype(object).where(found.notna(), None).tolist()[:5] == [
        "PLIE",
        "Boost+PLIE",
        "Boost",
        None,
        None,
    ]


def test_a_dose_is_spread_over_the_days_of_its_stay_and_adds_up() -> None:
    episodes = [
        stay("2020-01-30", "2020-02-03", None, 10.0),
        stay("2020-05-17", "2020-11-02", None, 1.0),
    ]
    made = replace(records(["a"], episodes=episodes), intensities=SEARCH)
    found = frame(made)["accompaniment_job_search_intensity"]
    assert found.tolist()[:4] == [4.0, 6.0, 0.0, 0.0]
    assert round(float(found[4:].sum()), 9) == 1.0
    assert found[5] == pytest.approx(30 / 170, abs=1e-6)


def test_a_dose_told_by_month_is_that_of_the_month() -> None:
    states = [
        ("s", "a", "accompaniment", "job_search", JAN + k, None, dose)
        for k, dose in enumerate([2.0, 0.5, None, 7.0])
    ]
    made = replace(records(["a"], states=states), intensities=SEARCH)
    found = frame(made)["accompaniment_job_search_intensity"]
    assert found.tolist()[:5] == [2.0, 0.5, 0.0, 7.0, 0.0]


def test_a_dose_nobody_could_see_is_null() -> None:
    made = replace(records(["a"], window=("2020-03", "2020-12")), intensities=SEARCH)
    found = frame(made)["accompaniment_job_search_intensity"]
    assert found.isna().tolist() == [True, True] + [False] * 10


def test_silence_is_not_a_measure_of_zero() -> None:
    rows = [
        ("s", "a", "earnings", JAN, 100.0),
        ("t", "a", "earnings", JAN, 120.0),
        ("s", "a", "earnings", JAN + 2, 0.0),
        ("s", "a", "hours", JAN + 1, 7.0),
    ]
    made = panel(records(["a"], measures=rows))
    found = frame(made)
    np.testing.assert_array_equal(found["measure_earnings"][:4], [120.0, np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(found["measure_hours"][:3], [np.nan, 7.0, np.nan])
    assert made.measures == ("earnings", "hours")
    step = made.ledger.steps[-1]
    assert (step.name, step.before, dict(step.dropped)) == ("measures", 4, {"told_twice": 1})


def with_places(
    rows: Sequence[tuple[object, ...]], *, level: str = "zone", people: Sequence[str] = ("a",)
) -> Records:
    made = records(people, places=rows)
    con = made.connection
    communes = [("08001", "ZE1", "08"), ("74001", "ZE2", "74"), ("74002", "ZE3", "74")]
    tight = [("ZE1", JAN, 0.5), ("ZE2", JAN + 5, 2.0), ("74", JAN + 5, 3.0)]
    return replace(
        made,
        geography=Geography(
            year="2023",
            level=level,
            communes=table(
                con, communes, {"commune": "string", "zone": "string", "departement": "string"}
            ),
            tightness=table(con, tight, {"place": "string", "month": "int32", "value": "float64"}),
        ),
    )


def test_the_last_place_told_holds_until_another_is() -> None:
    rows = [
        ("s", "a", "08001", JAN + 1, JAN + 2),
        ("s", "a", "74001", JAN + 5, None),
        ("s", "b", "99999", JAN, None),
        ("s", "b", "74002", JAN + 3, None),
    ]
    made = panel(with_places(rows, people=("a", "b", "c")))
    found = frame(made)
    assert found["commune"].isna().tolist() == [True] + [False] * 11
    assert found["commune"].tolist()[1:7] == ["08001"] * 4 + ["74001"] * 2
    assert found["zone"].tolist()[4:6] == ["ZE1", "ZE2"]
    assert found["departement"].tolist()[4:6] == ["08", "74"]
    assert found["tightness"].notna().tolist() == [False] * 5 + [True] + [False] * 6
    assert made.attributes == {"market": "category"}
    people = made.persons.order_by("person_id").execute()
    assert people["market"].tolist()[:2] == ["ZE1", "ZE3"]
    assert people["market"].isna().tolist() == [False, False, True]


def test_tightness_can_be_that_of_the_departement() -> None:
    found = frame(with_places([("s", "a", "74001", JAN, None)], level="departement"))
    assert found["tightness"].tolist()[5] == 3.0


def test_of_two_places_the_one_told_last_holds() -> None:
    rows = [
        ("s", "a", "08001", JAN, JAN + 11),  # told all year
        ("t", "a", "74001", JAN + 2, JAN + 3),  # told for two months, and more recent while told
    ]
    found = frame(with_places(rows))
    assert found["commune"].tolist() == ["08001"] * 2 + ["74001"] * 2 + ["08001"] * 8


def test_a_mapped_market_is_left_alone() -> None:
    made = with_places([("s", "a", "74001", JAN, None)])
    mapped = replace(
        made,
        persons=made.persons.mutate(market=made.persons["person_id"] + "-market"),
        attributes={"market": "category"},
    )
    assert panel(mapped).persons.execute()["market"].tolist() == ["a-market"]


def test_places_without_a_geography_are_communes_only() -> None:
    laid = panel(replace(with_places([("s", "a", "74001", JAN, None)]), geography=None))
    assert "commune" in laid.table.columns
    assert "zone" not in laid.table.columns
    assert laid.attributes == {}


def test_a_person_out_of_sight_is_null_until_shown_again() -> None:
    states = [("s", "a", "benefit", "rsa", JAN + k) for k in (0, 1, 6)]
    blind = [("s", "a", "benefit", JAN + 3)]
    found = frame(records(["a"], states=states, blind=blind))
    unseen = [False] * 3 + [True] * 3 + [False] * 6
    assert found["benefit"].isna().tolist() == unseen
    assert found["benefit_rsa"].isna().tolist() == unseen
    assert found["benefit"].tolist()[:3] == [1, 1, 0]
    assert found["employment"].notna().all()


def test_another_source_still_sees_the_person() -> None:
    made = records(["a"], blind=[("s", "a", "benefit", JAN + 3)])
    second = tuple(replace(c, source="t") for c in made.coverage)
    both = replace(made, coverage=(*made.coverage, *second))
    assert frame(both)["benefit"].tolist() == [0] * 12
    late = tuple(replace(c, first=JAN + 6) for c in second)
    half = frame(replace(made, coverage=(*made.coverage, *late)))["benefit"]
    assert half.isna().tolist() == [False] * 3 + [True] * 3 + [False] * 6


def test_unsettled_coverage_and_units_are_carried() -> None:
    made = records(["a"])
    told = tuple(replace(c, unsettled=JAN + 9) for c in made.coverage)
    laid = expand(
        reconcile(replace(made, coverage=told, units={"earnings": "EUR"})),
        first="2020-01",
        last="2020-12",
    )
    assert {c.unsettled for c in laid.coverage} == {JAN + 9}
    assert laid.units == {"earnings": "EUR"}
