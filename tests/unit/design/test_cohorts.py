"""Monthly risk sets against a case of twelve persons worked by hand."""

from __future__ import annotations

import pytest

from hand import panel, records, spell
from whatworks import Exact, MatchedDifference, Panel, Question, WhatworksError, compare
from whatworks.design.cohorts import RiskSets, risk_sets
from whatworks.indicators import lookup
from whatworks.months import to_label

# Months of 2020. Everyone is on RSA all year unless said. Horizon of 3 months: entries until September.
# Two lags of history: entries from March.
#  p01 job search from May                       treated in May
#  p02 job search from June                      compared in March and May, treated in June
#  p03 nothing                                   compared in March, May and June
#  p04 nothing; RSA January-April                compared in March and May (no RSA in May: not in June)
#  p05 aided contract from May                   compared in March
#  p06 job search from January                   begun with the panel: never at risk
#  p07 job search from March                     treated in March
#  p08 job search from May; never on RSA         not eligible
#  p09 job search from November                  compared in March, May, June; entry too late to follow
#  p10 nothing; RSA from May                     compared in June
#  p11 job search from February                  entered before histories reach back far enough
#  p12 job search and aided contract from June   compared in March and May; two types at once in June
STARTS = {
    "p01": [("job_search", 5)],
    "p02": [("job_search", 6)],
    "p05": [("aided_contract", 5)],
    "p06": [("job_search", 1)],
    "p07": [("job_search", 3)],
    "p08": [("job_search", 5)],
    "p09": [("job_search", 11)],
    "p11": [("job_search", 2)],
    "p12": [("job_search", 6), ("aided_contract", 6)],
}
RSA = {"p04": ("2020-01-01", "2020-04-30"), "p08": None, "p10": ("2020-05-01", None)}
BY_HAND = {
    "2020-03": ({7}, {1, 2, 3, 4, 5, 9, 12}),
    "2020-05": ({1}, {2, 3, 4, 9, 12}),
    "2020-06": ({2}, {3, 9, 10}),
}
QUESTION = Question(
    treatment="job_search",
    outcome="employment_presence",
    months=(3,),
    eligible=("benefit_rsa",),
    covariates=("employment.lag1", "employment.lag2"),
)


@pytest.fixture(scope="module")
def twelve() -> Panel:
    persons = [f"p{i:02d}" for i in range(1, 13)]
    episodes = [
        spell(p, "accompaniment", code, f"2020-{month:02d}-15", None)
        for p, starts in STARTS.items()
        for code, month in starts
    ]
    for p in persons:
        when = RSA.get(p, ("2020-01-01", None))
        if when is not None:
            episodes.append(spell(p, "benefit", "rsa", *when))
    episodes.append(spell("p03", "employment", "cdi", "2020-08-20", None))
    return panel(records(persons, episodes=episodes))


@pytest.fixture(scope="module")
def risk(twelve: Panel) -> RiskSets:
    return risk_sets(twelve, QUESTION, lookup("employment_presence"))


def test_each_month_compares_whom_the_hand_says(risk: RiskSets) -> None:
    found: dict[str, tuple[set[int], set[int]]] = {}
    for person, entry, treated in zip(risk.person, risk.entry, risk.treated, strict=True):
        sets = found.setdefault(to_label(int(entry)), (set(), set()))
        sets[0 if treated else 1].add(int(person) + 1)  # the panel numbers persons from 0, sorted
    assert found == BY_HAND


def test_the_ledger_names_what_became_of_every_entrant(risk: RiskSets) -> None:
    entrants, comparisons = risk.ledger.steps
    # Everyone who began job search: p12 too, who began two types at once.
    assert (entrants.before, entrants.after) == (8, 3)
    assert dict(entrants.dropped) == {
        "entry_before_window": 2,
        "followup_too_short": 1,
        "not_eligible": 1,
        "other_accompaniment": 1,
    }
    assert comparisons.after == sum(len(c) for _, c in BY_HAND.values())


def test_outcomes_are_those_of_the_months_after_entry(twelve: Panel) -> None:
    design = compare(twelve, QUESTION, using=Exact(on=("employment.lag1",)))
    # Only p03 finds a job, in August: three months after May, two after June.
    units = design.units
    at = {
        (int(p) + 1, to_label(int(m))): design.outcomes.values[i]
        for i, (p, m) in enumerate(zip(units["person_id"], units["entry_month"], strict=True))
    }
    months = design.outcomes.months
    assert at[(3, "2020-05")][months.index(3)] == 100
    assert at[(3, "2020-05")][months.index(2)] == 0
    assert at[(3, "2020-06")][months.index(2)] == 100
    assert not [c for c in units.columns if "outcome" in c or "presence" in c]


def test_the_effect_is_the_one_worked_by_hand(twelve: Panel) -> None:
    design = compare(twelve, QUESTION, using=Exact(on=("employment.lag1",)))
    found = MatchedDifference().fit(design).at(3)
    # Treated: nobody works. Comparisons three months on: March 0 of 7, May 1 of 5, June 1 of 3.
    assert found["estimate"] == pytest.approx(-(0 + 100 / 5 + 100 / 3) / 3)
    assert (found["n_treated"], found["n_comparison"]) == (3, 15)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"treatment": "job_serch"}, "job_search"),
        ({"covariates": ("employement.lag1",)}, "employment"),
        ({"eligible": ("benefit_rs",)}, "benefit_rsa"),
        ({"months": (24,)}, "follow-up"),
        ({"outcome": "interviews_held"}, "activity"),
    ],
)
def test_what_cannot_be_asked_is_said(twelve: Panel, change: dict[str, object], words: str) -> None:
    given = {
        "treatment": "job_search",
        "outcome": "employment_presence",
        "months": (3,),
        "covariates": ("employment.lag1",),
        **change,
    }
    with pytest.raises(WhatworksError, match=words):
        compare(twelve, Question(**given))  # type: ignore[arg-type]
