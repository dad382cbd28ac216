"""A rollout read off pathways: who takes part, when they start, what is known of them, what came of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hand import records, table
from whatworks import Question, WhatworksError, expand, reconcile, roll_out
from whatworks.months import to_index
from whatworks.panel import Panel
from whatworks.sources.records import Geography
from whatworks.vocabulary import NEVER, Clock, Supply

N = 60
JAN = to_index("2020-01")
PLACES = ("08001", "74001", "51001")


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Sixty persons of three communes; person n works from month n % 20 on, for n % 7 + 3 months."""
    people = [f"p{n:02d}" for n in range(N)]
    episodes: list[tuple[object, ...]] = []
    states: list[tuple[object, ...]] = []
    places: list[tuple[object, ...]] = []
    for n, person in enumerate(people):
        begin = pd.Timestamp("2020-01-01") + pd.DateOffset(months=n % 20)
        end = begin + pd.DateOffset(months=n % 7 + 3, days=-1)
        episodes.append(("s", person, "employment", "cdd", begin.date(), end.date(), None, None))
        helped = begin + pd.DateOffset(months=4)
        if n % 3:
            over = helped + pd.DateOffset(months=2)
            row = (
                "s",
                person,
                "accompaniment",
                "job_search",
                helped.date(),
                over.date(),
                None,
                None,
            )
            episodes.append(row)
        if n % 5:
            states += [("s", person, "benefit", "rsa", JAN + k) for k in range(24)]
        places.append(("s", person, PLACES[n % 3], JAN, JAN + 12))
        places.append(("s", person, PLACES[(n + 1) % 3], JAN + 13, None))
    made = records(
        people,
        episodes=episodes,
        states=states,
        places=places,
        window=("2020-01", "2021-12"),
        attributes={
            "sex": ("category", ["w" if n % 2 else "m" for n in range(N)]),
            "birth_month": ("month", [to_index("1980-01") + 6 * n for n in range(N)]),
        },
    )
    communes = [("08001", "ZE1", "08"), ("74001", "ZE2", "74"), ("51001", "ZE3", "51")]
    types = {"commune": "string", "zone": "string", "departement": "string"}
    kinds = {"place": "string", "month": "int32", "value": "float64"}
    con = made.connection
    placed = replace(
        made,
        geography=Geography(
            year="2023", communes=table(con, communes, types), tightness=table(con, [], kinds)
        ),
    )
    return expand(reconcile(placed), first="2020-01", last="2021-12")


def question(**more: object) -> Question:
    given = {"treatment": "reform", "outcome": "employment_presence", "months": (3, 6), **more}
    return Question(**given)  # type: ignore[arg-type]


def by_hand(n: int) -> np.ndarray:
    """In employment or not, of person n, by month."""
    month = np.arange(24)
    return np.where((month >= n % 20) & (month < n % 20 + n % 7 + 3), 100.0, 0.0)


def test_a_territory_starts_and_its_residents_with_it(panel: Panel) -> None:
    design = roll_out(panel, question(), starts={"08": "2020-11", "74": "2021-03"})
    units = design.units
    assert design.outcomes.clock is Clock.CALENDAR
    assert design.outcomes.months == tuple(range(JAN, JAN + 24))
    n = units["person_id"].to_numpy()
    assert n.tolist() == list(range(N))
    # The base month is October 2020: everybody still lives in the first place.
    expected = np.array([to_index("2020-11"), to_index("2021-03"), NEVER])[n % 3]
    assert (units["entry_month"] == expected).all()
    assert (units["treated"] == (expected != NEVER)).all()
    assert units["market"].tolist() == [("08", "74", "51")[k % 3] for k in n]
    np.testing.assert_array_equal(design.outcomes.values, np.vstack([by_hand(k) for k in n]))
    assert {Supply.ROLLOUT, Supply.MARKETS, Supply.NEVER_TREATED} <= design.supplies
    assert design.seal is not None
    assert design.seal.before_outcomes


def test_covariates_are_those_of_the_month_before_the_first_start(panel: Panel) -> None:
    names = ("sex", "birth_month.age", "employment.lag2", "employment.months6", "departement")
    design = roll_out(panel, question(covariates=names), starts={"08": "2020-11"})
    base = to_index("2020-10")
    n = design.units["person_id"].to_numpy()
    worked = np.vstack([by_hand(k) for k in n]) / 100
    units = design.units
    assert (units["sex=w"] == n % 2).all()
    born = to_index("1980-01") + 6 * n
    np.testing.assert_allclose(units["birth_month.age"], (base + 1 - born) / 12)
    np.testing.assert_array_equal(units["employment.lag2"], worked[:, base - 1 - JAN])
    six = worked[:, base - 5 - JAN : base + 1 - JAN].sum(axis=1)
    np.testing.assert_array_equal(units["employment.months6"], six)
    assert (units["departement=74"] == (n % 3 == 1)).all()


def test_only_the_eligible_of_the_base_month_take_part(panel: Panel) -> None:
    asked = question(
        eligible=("benefit_rsa",), ages=(25, 40), territories=("departement=08", "departement=51")
    )
    design = roll_out(panel, asked, starts={"08": "2020-11"})
    n = np.arange(N)
    age = (to_index("2020-11") - to_index("1980-01") - 6 * n) // 12
    expected = n[(n % 5 != 0) & (n % 3 != 1) & (age >= 25) & (age <= 40)]
    assert design.units["person_id"].tolist() == expected.tolist()
    step = next(s for s in design.ledger.steps if s.name == "rollout_base")
    assert step.before == N
    assert dict(step.dropped)["not_eligible"] == N - expected.size


def test_persons_start_on_their_own(panel: Panel) -> None:
    asked = question(treatment="job_search", first_entry="2020-07")
    design = roll_out(panel, asked)
    n = np.arange(N)
    start = np.where(n % 3 > 0, JAN + n % 20 + 4, NEVER)
    start = np.where(start > JAN + 23, NEVER, start)  # begins past the panel: nobody sees it
    kept = start > to_index("2020-06")
    assert design.units["person_id"].tolist() == n[kept].tolist()
    assert design.units["entry_month"].tolist() == start[kept].tolist()
    dropped = {k: v for s in design.ledger.steps for k, v in s.dropped if s.name == "rollout"}
    assert dropped["treated_from_start"] == int((~kept).sum())


@pytest.mark.parametrize(
    ("asked", "starts", "told"),
    [
        ({}, {"O8": "2020-11"}, "08"),
        ({}, {}, "at least one territory"),
        ({}, {"08": "2020-1"}, "YYYY-MM"),
        ({}, {"08": "2020-01"}, "starts after 2020-02"),
        ({}, {"08": "2022-06"}, "before 2021-12"),
        ({"eligible": ("benefit_rsaa",)}, {"08": "2020-11"}, "benefit_rsa"),
        ({"covariates": ("employment.spells6",)}, {"08": "2020-11"}, "spells"),
        ({"covariates": ("employment.lag12",)}, {"08": "2020-11"}, "lag over 12"),
        ({"outcome": "employment_months"}, {"08": "2020-11"}, "outcome"),
        ({"treatment": "job_serch"}, None, "job_search"),
        ({"territories": ("departement=08",)}, {"08": "2020-11"}, "different starts"),
        (
            {"eligible": ("benefit_rsa",), "ages": (90, 99)},
            {"08": "2020-11"},
            "eligible in 2020-10",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    panel: Panel, asked: dict[str, object], starts: dict[str, str] | None, told: str
) -> None:
    with pytest.raises(WhatworksError, match=told) as caught:
        roll_out(panel, question(**asked), starts=starts)
    assert caught.value.remedy


def test_an_activity_is_no_outcome(panel: Panel) -> None:
    with pytest.raises(WhatworksError, match="interviews_held"):
        roll_out(panel, question(outcome="interviews_held"), starts={"08": "2020-11"})


def test_a_month_that_nobody_sees_is_not_in(panel: Panel) -> None:
    seen = panel.table["month"] < JAN + 21
    columns = [name for name in panel.table.columns if name.startswith("employment")]
    hidden = {name: seen.ifelse(panel.table[name], None) for name in columns}
    blind = replace(panel, table=panel.table.mutate(**hidden))
    design = roll_out(blind, question(), starts={"08": "2020-11"})
    assert design.outcomes.months[-1] == JAN + 20


def test_a_market_told_of_persons_may_start(panel: Panel) -> None:
    design = roll_out(panel, question(), starts={"ZE1": "2020-11"}, level="market")
    n = design.units["person_id"].to_numpy()
    assert (design.units["treated"] == (n % 3 == 0)).all()
    assert design.units["market"].unique().tolist() == ["ZE1", "ZE2", "ZE3"]
