"""Risk sets of the engine against the same rules told person by person, on panels drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import ibis
import numpy as np
import pandas as pd
import pytest

from one_by_one import Asked, Life
from one_by_one import risk_sets as one_by_one
from whatworks import Panel, Question, WhatworksError
from whatworks.design.cohorts import lay_out, risk_sets
from whatworks.design.riskset.reading import reading_of
from whatworks.indicators import lookup
from whatworks.ledger import Ledger
from whatworks.sources.records import Coverage

BEGIN = 24_240
MONTHS = 22
CODES = ("job_search", "aided_contract", "social_participation")
STATES: Mapping[str, tuple[str, ...]] = {
    "employment": ("cdi",),
    "joblessness": ("registered",),
    "accompaniment": CODES,
}
TERMS = (
    "employment.lag1",
    "employment.lag3",
    "employment.months4",
    "employment.months",
    "employment.spells5",
    "employment.spells1",
    "employment.transitions4",
    "employment.since",
    "employment.since3",
    "joblessness.elapsed",
    "accompaniment_job_search.months3",
    "zone",
)
PERSONS = 120


def runs(rng: np.random.Generator, *, begin: float, end: float, unseen: float) -> list[int | None]:
    """Months in and out of a state, and some unseen."""
    state, column = int(rng.random() < begin), []
    for _ in range(MONTHS):
        state = int(rng.random() > end) if state else int(rng.random() < begin)
        column.append(None if rng.random() < unseen else state)
    return column


def a_life(rng: np.random.Generator) -> dict[str, list[object]]:
    life: dict[str, list[object]] = {}
    for kind in ("employment", "joblessness"):
        life[kind] = list(runs(rng, begin=0.3, end=0.3, unseen=0.01))
    several = rng.random() < 0.3
    types = CODES if several else (CODES[int(rng.integers(3))],)
    drawn = {c: runs(rng, begin=0.06, end=0.3, unseen=0) for c in types}
    blind = rng.random() < 0.1
    unseen = [blind and m >= int(MONTHS * rng.random()) for m in range(MONTHS)]
    for code in CODES:
        told = drawn.get(code, [0] * MONTHS)
        told = [0 if m == 0 else v for m, v in enumerate(told)]  # nobody begins with the panel
        life[f"accompaniment_{code}"] = [
            None if u else v for u, v in zip(unseen, told, strict=True)
        ]
    life["accompaniment"] = [
        None if u else max(int(life[f"accompaniment_{c}"][m] or 0) for c in CODES)  # type: ignore[call-overload]
        for m, u in enumerate(unseen)
    ]
    zone = [str(rng.choice(["Z1", "Z2"]))]
    for _ in range(MONTHS - 1):
        zone.append(str(rng.choice(["Z1", "Z2"])) if rng.random() < 0.05 else zone[-1])
    life["zone"] = list(zone)
    life["born"] = [None if rng.random() < 0.05 else -int(rng.integers(18, 60) * 12)]
    return life


def world(seed: int) -> tuple[Panel, dict[int, Life]]:
    """A panel and the lives it was written from; persons' numbers have gaps."""
    rng = np.random.default_rng(seed)
    lives = {7 * i + 3: a_life(rng) for i in range(PERSONS)}
    rows = []
    for person, life in lives.items():
        for m in range(MONTHS):
            row = {c: life[c][m] for c in life if c != "born"}
            for kind in ("employment", "joblessness"):
                row[f"{kind}_{STATES[kind][0]}"] = row[kind]
            rows.append({"person_id": person, "month": BEGIN + m, **row})
    frame = pd.DataFrame(rows)
    states = [c for c in frame if c not in ("person_id", "zone", "month")]
    frame = frame.astype(dict.fromkeys(states, "Int32") | {"month": "int32"})
    people = pd.DataFrame(
        {
            "person_id": list(lives),
            "birth_month": pd.array(
                [None if v["born"][0] is None else BEGIN + v["born"][0] for v in lives.values()],  # type: ignore[operator]
                dtype="Int32",
            ),
        }
    )
    con = ibis.duckdb.connect()
    shuffled = frame.sample(frac=1, random_state=seed)
    panel = Panel(
        connection=con,
        table=con.create_table("panel", shuffled),
        persons=con.create_table("persons", people),
        states=STATES,
        attributes={"birth_month": "month"},
        first=BEGIN,
        last=BEGIN + MONTHS - 1,
        n_persons=PERSONS,
        coverage=tuple(
            Coverage(source="s", kind=k, first=BEGIN, last=BEGIN + MONTHS - 1) for k in STATES
        ),
        operator_declared=frozenset(),
        mapping_hash="",
        ledger=Ledger(),
    )
    return panel, lives  # type: ignore[return-value]  # columns of text beside those of numbers


QUESTIONS: tuple[dict[str, object], ...] = (
    {},
    {"washout": 3},
    {"versus": "no_accompaniment"},
    {"versus": "no_accompaniment", "washout": 2},
    {"versus": "never_in_window"},
    {"versus": "never_in_window", "washout": 2},
    {"versus": "aided_contract"},
    {"versus": "aided_contract", "washout": 4},
    {"eligible": ("joblessness",), "territories": ("zone=Z1",), "ages": (25, 49)},
    {"elapsed_in": "joblessness", "elapsed_band": 2},
    {"elapsed_in": "joblessness", "versus": "no_accompaniment", "washout": 1},
    {"treatment": "aided_contract", "after": "job_search", "within": 4},
    {"treatment": "aided_contract", "after": "job_search", "within": 5, "washout": 3},
    {
        "treatment": "aided_contract",
        "after": "job_search",
        "within": 5,
        "washout": 2,
        "versus": "no_accompaniment",
    },
    {
        "treatment": "aided_contract",
        "after": "job_search",
        "within": 5,
        "versus": "social_participation",
        "washout": 2,
    },
    {"stay_at_least": 2},
    {"stay_at_least": 3, "washout": 2, "eligible": ("joblessness",)},
    {"stay_at_most": 1, "washout": 2, "elapsed_in": "joblessness"},
    {"stay_at_least": 1, "washout": 1, "territories": ("zone=Z2",)},
)


def asked_of(panel: Panel, question: Question) -> Asked:
    reading = reading_of(panel, question, lookup(question.outcome))
    return Asked(
        treatment=question.treatment,
        versus=question.versus,
        terms=question.covariates,
        first=reading.first - BEGIN,
        last=reading.last - BEGIN,
        latest=reading.latest - BEGIN,
        eligible=question.eligible,
        washout=question.washout,
        after=question.after,
        within=question.within,
        at_least=question.stay_at_least,
        at_most=question.stay_at_most,
        elapsed_in=question.elapsed_in,
        band=question.elapsed_band,
        zones=tuple(t.partition("=")[2] for t in question.territories),
        ages=question.ages,
    )


@pytest.mark.parametrize("options", QUESTIONS, ids=[str(o) for o in QUESTIONS])
def test_the_engine_finds_whom_the_rules_say(options: dict[str, object]) -> None:
    found_somebody = 0
    for seed in (1,):
        panel, lives = world(seed)
        given = {"treatment": "job_search", "outcome": "employment_presence", "months": (2,)}
        question = Question(**{**given, "covariates": TERMS, **options})  # type: ignore[arg-type]
        asked = asked_of(panel, question)
        units, counts = one_by_one(lives, CODES, asked)
        if not any(treated for _, _, treated, _ in units):
            with pytest.raises(WhatworksError, match="entries between"):
                risk_sets(panel, question, lookup(question.outcome))
            continue
        risk = risk_sets(panel, question, lookup(question.outcome))
        rows = zip(risk.person, risk.entry, risk.treated, risk.history.tolist(), strict=True)
        found = {(int(p), int(e) - BEGIN, bool(t), tuple(h)) for p, e, t, h in rows}
        assert found == units
        for step, side in zip(risk.ledger.steps, (1, 0), strict=True):
            assert step.after == counts[side].pop("", 0)
            assert dict(step.dropped) == dict(counts[side])
        told = risk.places["zone"]
        assert all(
            lives[int(p)]["zone"][e - BEGIN - question.landmark[1] - 1] == z
            for p, e, z in zip(risk.person, risk.entry, told, strict=True)
        )
        found_somebody += 1
    assert found_somebody


def test_one_pass_serves_many_questions_as_their_own_would() -> None:
    panel, _ = world(5)
    given = {"outcome": "employment_presence", "covariates": TERMS, "months": (2,), "washout": 2}
    questions = [
        Question(treatment=a, versus=b, **given)  # type: ignore[arg-type]
        for a, b in (*pairwise(CODES), *((c, "no_accompaniment") for c in CODES))
    ]
    questions.append(Question(treatment="job_search", versus="never_in_window", **given))  # type: ignore[arg-type]
    (layout,) = lay_out(panel, questions)
    indicator = lookup("employment_presence")
    for question in questions:
        assert layout.serves(question, reading_of(panel, question, indicator))
        shared = risk_sets(panel, question, indicator, layouts=(layout,))
        alone = risk_sets(panel, question, indicator)
        for name in ("person", "entry", "cell", "treated", "history"):
            np.testing.assert_array_equal(getattr(shared, name), getattr(alone, name))
        assert shared.ledger == alone.ledger
        assert list(shared.places["zone"]) == list(alone.places["zone"])
