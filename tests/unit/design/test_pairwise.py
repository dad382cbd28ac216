"""Every pair of types from one reading: each design is the one its own question gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import whatworks.design.cohorts as cohorts
from hand import CODES, panel, records, spell
from whatworks import Exact, Panel, Question, WhatworksError, compare, pairwise
from whatworks.vocabulary import CONDITIONS_ON_THE_FUTURE

TYPES = ("job_search", "aided_contract", "social_participation")
QUESTION = Question(
    treatment="job_search",
    outcome="employment_presence",
    months=(3,),
    covariates=("employment.lag1",),
)
USING = Exact(on=("employment.lag1",))


@pytest.fixture(scope="module")
def sixty() -> Panel:
    """Sixty persons: each type has entrants in April and in June; some work."""
    people = [f"p{i:02d}" for i in range(60)]
    stays = []
    for i, p in enumerate(people):
        if i % 5 < 3:
            month = 4 if i % 2 else 6
            begins = f"2020-{month:02d}-05"
            stays.append(spell(p, "accompaniment", TYPES[i % 5], begins, "2020-07-20"))
        if i % 3 == 0:
            stays.append(spell(p, "employment", "cdi", "2020-02-01", "2020-05-31"))
        if i % 7 < 3:
            stays.append(spell(p, "employment", "cdd", f"2020-{7 + i % 4:02d}-05", None))
    codes = {**CODES, "accompaniment": (*TYPES, "access_to_rights")}
    return panel(records(people, episodes=stays, codes=codes))


def test_every_pair_is_the_design_of_its_own_question(
    sixty: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    laid: Callable[..., object] = cohorts.lay_out_pass

    def counted(*args: object) -> object:
        passes.append(1)
        return laid(*args)

    monkeypatch.setattr(cohorts, "lay_out_pass", counted)
    pairs = pairwise(sixty, QUESTION, types=TYPES, using=USING)
    assert len(passes) == 1
    assert [(p.treatment, p.versus) for p in pairs] == [
        ("job_search", "aided_contract"),
        ("job_search", "social_participation"),
        ("aided_contract", "social_participation"),
        *((t, "not_yet_started") for t in TYPES),
    ]
    for pair in pairs:
        asked = replace(QUESTION, treatment=pair.treatment, versus=pair.versus)
        alone = compare(sixty, asked, using=USING)
        assert pair.design is not None
        pd.testing.assert_frame_equal(pair.design.units, alone.units)
        np.testing.assert_array_equal(pair.design.outcomes.values, alone.outcomes.values)
        assert pair.design.ledger == alone.ledger
        assert pair.design.history is not None
        assert alone.history is not None
        pd.testing.assert_frame_equal(pair.design.history, alone.history)


def test_a_type_that_nobody_enters_is_refused_beside_the_others(sixty: Panel) -> None:
    pairs = pairwise(sixty, QUESTION, types=("job_search", "access_to_rights"), using=USING)
    refused = {(p.treatment, p.versus): p.refused is not None for p in pairs}
    assert refused == {
        ("job_search", "access_to_rights"): True,
        ("job_search", "not_yet_started"): False,
        ("access_to_rights", "not_yet_started"): True,
    }


@pytest.mark.parametrize("types", [("job_search",), ("job_search", "job_search")])
def test_fewer_than_two_types_make_no_pair(sixty: Panel, types: tuple[str, ...]) -> None:
    with pytest.raises(WhatworksError, match="types"):
        pairwise(sixty, QUESTION, types=types)


def test_never_accompanied_is_allowed_and_leaves_a_caution(sixty: Panel) -> None:
    never = compare(sixty, replace(QUESTION, versus="never_in_window"), using=USING)
    waiting = compare(sixty, QUESTION, using=USING)
    assert never.cautions == (CONDITIONS_ON_THE_FUTURE,)
    assert waiting.cautions == ()
    entered = {p for p in range(60) if p % 5 < 3}
    compared = set(never.units.loc[~never.units["treated"], "person_id"])
    assert not compared & entered
    assert set(waiting.units.loc[~waiting.units["treated"], "person_id"]) & entered
