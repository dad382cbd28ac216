"""Length of stay as a treatment: told at a landmark, not by months yet to come.

In this world accompaniment changes nothing. Persons find work with the same chance every month, and whoever
finds it leaves; others leave by lot. Those who stay long are those who found no work.
"""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest

from whatworks import Exact, MatchedDifference, Panel, Question, WhatworksError, compare
from whatworks.ledger import Ledger
from whatworks.sources.records import Coverage

BEGIN, MONTHS, PERSONS, STAY = 24_240, 20, 6_000, 4
STATES = {"employment": ("cdi",), "accompaniment": ("job_search",)}


@pytest.fixture(scope="module")
def lives() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    entry = rng.integers(3, 9, PERSONS)
    found = rng.geometric(0.12, PERSONS) + entry  # first month of work, never left again
    drawn = rng.geometric(0.15, PERSONS) + entry  # first month out, by lot
    month = np.arange(MONTHS)
    work = (month >= found[:, None]).astype("int32")
    stay = ((month >= entry[:, None]) & (month < np.minimum(found, drawn)[:, None])).astype("int32")
    return pd.DataFrame(
        {
            "person_id": np.repeat(np.arange(PERSONS), MONTHS),
            "month": np.tile(BEGIN + month, PERSONS).astype("int32"),
            "employment": work.ravel(),
            "employment_cdi": 30 * work.ravel(),
            "accompaniment": stay.ravel(),
            "accompaniment_job_search": 30 * stay.ravel(),
            "joblessness": 1 - work.ravel(),
            "joblessness_registered": 30 - 30 * work.ravel(),
        }
    )


@pytest.fixture(scope="module")
def world(lives: pd.DataFrame) -> Panel:
    con = ibis.duckdb.connect()
    states = {**STATES, "joblessness": ("registered",)}
    return Panel(
        connection=con,
        table=con.create_table("panel", lives),
        persons=con.create_table("persons", pd.DataFrame({"person_id": np.arange(PERSONS)})),
        states=states,
        attributes={},
        first=BEGIN,
        last=BEGIN + MONTHS - 1,
        n_persons=PERSONS,
        coverage=tuple(
            Coverage(source="s", kind=k, first=BEGIN, last=BEGIN + MONTHS - 1) for k in states
        ),
        operator_declared=frozenset(),
        mapping_hash="",
        ledger=Ledger(),
    )


def question(**options: object) -> Question:
    given: dict[str, object] = {
        "treatment": "job_search",
        "outcome": "employment_presence",
        "months": (3,),
        "covariates": ("employment.lag1",),
        "eligible": ("joblessness",),
        **options,
    }
    return Question(**given)  # type: ignore[arg-type]


def naive_difference(lives: pd.DataFrame) -> float:
    """Entrants told apart by how long they will have stayed, three months after they entered."""
    wide = lives.pivot_table(index="person_id", columns="month", values="accompaniment")
    work = lives.pivot_table(index="person_id", columns="month", values="employment").to_numpy()
    entry = wide.to_numpy().argmax(axis=1)
    long = wide.sum(axis=1).to_numpy() >= STAY
    after = work[np.arange(PERSONS), entry + 3]
    return float(100 * (after[long].mean() - after[~long].mean()))


@pytest.mark.parametrize("options", [{"stay_at_least": STAY}, {"stay_at_most": STAY - 1}])
def test_a_stay_that_changes_nothing_has_no_effect(
    world: Panel, lives: pd.DataFrame, options: dict[str, int]
) -> None:
    assert naive_difference(lives) < -25  # months already spent without work pass for an effect
    design = compare(world, question(**options), using=Exact(on=()))
    found = MatchedDifference().fit(design).at(3)
    assert found["n_treated"] > 300
    assert abs(found["estimate"]) < 3 * found["std_error"] < 12


def test_who_is_treated_is_told_by_months_before_entry_alone(
    world: Panel, lives: pd.DataFrame
) -> None:
    design = compare(world, question(stay_at_least=STAY), using=Exact(on=()))
    stay = lives.pivot_table(index="person_id", columns="month", values="accompaniment")
    work = lives.pivot_table(index="person_id", columns="month", values="employment")
    for row in design.units.sample(200, random_state=1).itertuples():
        before = stay.loc[row.person_id, row.entry_month - STAY : row.entry_month - 1]  # type: ignore[misc]
        assert before.iloc[0] == 1
        assert bool(before.all()) is bool(row.treated)
        assert work.loc[row.person_id, row.entry_month - 1] == 0  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stay_at_least": 3, "versus": "no_accompaniment"}, "same landmark"),
        ({"stay_at_least": 3, "stay_at_most": 5}, "at most one"),
        ({"after": "aided_contract"}, "together"),
        ({"after": "job_search", "within": 3}, "differ"),
        ({"versus": "job_search"}, "differ"),
        ({"washout": 0}, "1 or more"),
        ({"territories": ("08",)}, "level=code"),
        ({"ages": (40, 30)}, "youngest"),
        ({"later_starts": "forget"}, "keep"),
    ],
)
def test_a_question_that_contradicts_itself_is_refused(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(WhatworksError, match=words):
        question(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"versus": "not_yet_startd"}, "not_yet_started"),
        ({"elapsed_in": "joblesness"}, "joblessness"),
        ({"territories": ("zone=Z1",)}, "places"),
        ({"ages": (20, 30)}, "month"),
        ({"covariates": ("employment.transitions1",)}, "employment"),
    ],
)
def test_what_the_panel_does_not_hold_is_named(
    world: Panel, options: dict[str, object], words: str
) -> None:
    with pytest.raises(WhatworksError, match=words):
        compare(world, question(**options))
