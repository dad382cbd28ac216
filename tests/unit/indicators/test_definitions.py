"""Every outcome on a few persons, worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hand import CODES, panel, records, spell
from whatworks.indicators import assess, indicators, lookup, possible, usable_as
from whatworks.indicators.record import Shown
from whatworks.panel import Panel
from whatworks.vocabulary import GateVerdict, Nature, Role

EMPLOYMENT = (
    *("cdi", "cdd", "interim", "aided", "iae", "apprenticeship", "self_employment"),
    "civil_service",
)


def by_month(made: Panel, name: str) -> np.ndarray:
    """An indicator as persons (in the order of their identifiers) by months."""
    definition = lookup(name)
    assert definition.monthly is not None
    rows = made.table.select("person_id", "month", value=definition.monthly(made)).execute()
    return rows.pivot_table(
        index="person_id", columns="month", values="value", dropna=False
    ).to_numpy(float)


def contracts(*spells: tuple[str, str, str, str]) -> Panel:
    """A panel of 2020 whose persons have contracts ``(person, code, start, end)``."""
    persons = sorted({who for who, *_ in spells})
    rows = [spell(who, "employment", code, start, end) for who, code, start, end in spells]
    codes = {**CODES, "employment": EMPLOYMENT, "joblessness": ("registered", "category_e")}
    return panel(records(persons, episodes=rows, codes=codes))


def test_access_counts_a_start_after_a_month_without() -> None:
    made = contracts(
        ("a", "cdi", "2019-06-01", "2020-02-15"),
        ("a", "cdd", "2020-03-20", "2020-04-10"),
        ("a", "interim", "2020-06-05", "2020-06-05"),
        ("a", "aided", "2020-09-01", "2020-10-31"),
    )
    found = by_month(made, "employment_access")[0]
    assert np.isnan(found[0])  # whoever works in the first month began nobody knows when
    assert found[1:].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    definition = lookup("employment_access")
    assert (definition.accumulates, definition.ever) == (True, True)


def test_retention_asks_for_both_months_and_knows_nothing_before_six() -> None:
    made = contracts(
        ("a", "cdi", "2020-01-10", "2020-01-20"), ("a", "cdd", "2020-07-01", "2020-08-31")
    )
    found = by_month(made, "employment_retention")[0]
    assert np.isnan(found[:6]).all()
    assert found[6:].tolist() == [1, 0, 0, 0, 0, 0]


def test_an_aided_contract_is_employment_only_where_the_definition_says_so() -> None:
    made = contracts(("a", "aided", "2020-03-01", "2020-05-31"))
    march = 2
    assert by_month(made, "any_employment")[0, march] == 1
    for name in ("employment_presence", "unaided_employment", "durable_employment"):
        assert by_month(made, name)[0, march] == 0


# Days declared: 2020-01-01 to 2020-06-30 is 182, to 2020-07-01 is 183, to 2020-07-03 is 185.
@pytest.mark.parametrize(
    ("name", "code", "end", "counted"),
    [
        ("durable_employment", "cdd", "2020-06-30", 0),
        ("durable_employment", "cdd", "2020-07-01", 1),
        ("durable_employment", "interim", "2020-12-31", 0),
        ("durable_employment", "apprenticeship", "2020-12-31", 0),
        ("ed_france_travail", "cdd", "2020-07-01", 1),
        ("ed_france_travail", "interim", "2020-07-01", 1),
        ("ed_france_travail", "interim", "2020-06-30", 0),
        ("ed_france_travail", "self_employment", "2020-01-31", 1),
        ("ed_france_travail", "aided", "2020-12-31", 0),
        ("ed_midas_presence", "cdd", "2020-07-01", 0),
        ("ed_midas_presence", "cdd", "2020-07-03", 1),
        ("ed_midas_presence", "aided", "2020-12-31", 1),
        ("ed_midas_presence", "interim", "2020-12-31", 0),
        ("ed_garantie_jeunes", "apprenticeship", "2020-07-03", 1),
        ("ed_garantie_jeunes", "apprenticeship", "2020-07-01", 0),
        ("ed_garantie_jeunes", "aided", "2020-12-31", 0),
        ("ed_siae", "interim", "2020-07-03", 1),
        ("ed_siae", "interim", "2020-07-01", 0),
        ("ed_siae", "civil_service", "2020-01-31", 1),
        ("ed_siae", "self_employment", "2020-01-31", 1),
        ("ed_siae", "iae", "2020-12-31", 0),
    ],
)
def test_each_definition_of_durable_employment_counts_what_it_says(
    name: str, code: str, end: str, counted: int
) -> None:
    made = contracts(("a", code, "2020-01-01", end), ("b", "cdi", "2020-05-01", "2020-12-31"))
    found = by_month(made, name)
    assert found[0, 0] == counted
    assert found[1, 5] == 1


def test_a_return_is_durable_when_a_long_contract_runs_six_months_later() -> None:
    rows = [
        spell("a", "employment", "cdd", "2020-03-05", "2020-03-20"),
        spell("a", "employment", "cdi", "2020-08-01", None),
        spell("b", "employment", "cdd", "2020-03-05", "2020-12-31"),
        spell("b", "joblessness", "registered", "2020-01-01", "2020-02-28"),
        spell("c", "employment", "interim", "2020-03-05", "2020-03-20"),
        spell("c", "joblessness", "category_e", "2020-09-01", "2020-09-30"),
        spell("d", "employment", "interim", "2020-03-05", "2020-03-20"),
    ]
    codes = {**CODES, "employment": EMPLOYMENT, "joblessness": ("registered", "category_e")}
    made = panel(records(["a", "b", "c", "d"], episodes=rows, codes=codes))
    september = 8
    assert by_month(made, "ed_midas_retour")[:, september].tolist() == [1, 1, 1, 0]


def test_five_durable_definitions_are_told_apart_by_their_switches() -> None:
    names = [n for n in indicators(Nature.OUTCOME) if n.startswith("ed_")]
    printed = {tuple(sorted(lookup(n).switches.items())) for n in names}
    assert len(names) == len(printed) == 5
    five = {
        *("fixed_term", "temporary_work", "apprenticeship", "aided_contracts", "self_employment")
    }
    assert all(five <= set(lookup(n).switches) for n in names)


def test_a_definition_is_refused_by_a_panel_that_does_not_tell_apart_what_it_needs() -> None:
    made = panel(records(["a"], episodes=[spell("a", "employment", "cdi", "2020-01-01", None)]))
    found = assess(made, "ed_siae")
    assert found.verdict is GateVerdict.REFUSED
    refusal = found.refusals[0]
    assert refusal.code == "unknown_states"
    for state in ("self_employment", "civil_service", "interim"):
        assert f"employment_{state}" in str(refusal.facts["missing"])
    assert assess(made, "durable_employment").verdict is GateVerdict.PUBLISHED


def test_six_months_out_of_the_rsa_and_a_suspension_that_is_no_exit() -> None:
    months = [f"2020-{m:02d}" for m in range(1, 13)]
    rows = [spell("a", "benefit", "rsa", "2020-01-01", "2020-03-31")]
    rows += [spell("a", "benefit", "rsa_suspended", "2020-05-01", "2020-05-31")]
    codes = {**CODES, "benefit": ("rsa", "rsa_suspended")}
    made = panel(records(["a"], episodes=rows, codes=codes))
    at = {m: k for k, m in enumerate(months)}
    three, six = (by_month(made, n)[0] for n in ("rsa_exit", "rsa_exit_6"))
    assert (three[at["2020-05"]], three[at["2020-06"]]) == (0, 1)
    assert (six[at["2020-08"]], six[at["2020-09"]]) == (0, 1)
    assert np.isnan(six[:5]).all()
    closed = by_month(made, "rsa_exit_closed")[0]
    assert (closed[at["2020-07"]], closed[at["2020-08"]]) == (0, 1)


def test_income_keeps_zeros_and_leaves_the_unknown_unknown() -> None:
    made = panel(
        records(
            ["a", "b"],
            measures=[
                ("s", "a", "earnings", 24240, 0.0),
                ("s", "a", "earnings", 24241, 1200.5),
                ("s", "b", "earnings", 24241, 900.0),
            ],
        )
    )
    found = by_month(made, "earnings")
    assert found[0, :2].tolist() == [0.0, 1200.5]
    assert np.isnan(found[1, 0])
    assert found[1, 1] == 900.0
    assert lookup("earnings").unit == "EUR/month"


def test_categories_follow_from_hours_and_not_from_registration() -> None:
    rows = [
        spell("a", "joblessness", "registered", "2020-01-01", "2020-06-30"),
        spell("a", "joblessness", "category_b", "2020-02-01", "2020-02-29"),
        spell("a", "joblessness", "category_c", "2020-03-01", "2020-03-31"),
        spell("a", "joblessness", "category_b", "2020-09-01", "2020-09-30"),
    ]
    codes = {**CODES, "joblessness": ("registered", "category_b", "category_c")}
    made = panel(records(["a"], episodes=rows, codes=codes))
    expected = {
        "registered_a": [1, 0, 0, 1, 1, 1, 0, 0, 0],
        "registered_b": [0, 1, 0, 0, 0, 0, 0, 0, 0],
        "registered_c": [0, 0, 1, 0, 0, 0, 0, 0, 0],
        "registered_abc": [1, 1, 1, 1, 1, 1, 0, 0, 0],
    }
    for name, months in expected.items():
        assert by_month(made, name)[0, :9].tolist() == months, name


def test_a_right_obtained_is_not_the_rsa() -> None:
    rows = [
        spell("a", "benefit", "c2s", "2020-04-01", "2020-12-31"),
        spell("b", "benefit", "rsa", "2020-04-01", "2020-12-31"),
        spell("c", "benefit", "housing", "2020-01-01", "2020-12-31"),
    ]
    codes = {**CODES, "benefit": ("rsa", "c2s", "housing")}
    made = panel(records(["a", "b", "c"], episodes=rows, codes=codes))
    found = by_month(made, "rights_obtained")
    assert np.flatnonzero(found[0] == 1).tolist() == [3]
    assert not (found[1:] == 1).any()
    only_rsa = panel(records(["a"], episodes=[spell("a", "benefit", "rsa", "2020-01-01", None)]))
    assert assess(only_rsa, "rights_obtained").refusals[0].code == "unknown_states"


@pytest.mark.parametrize(
    ("name", "uses"),
    [
        ("employment_presence", {Role.RESULT}),
        ("interviews_held", {Role.DOSE, Role.COST}),
        ("credits_consumed", {Role.DOSE, Role.COST}),
        ("trainings_entered", {Role.DOSE}),
        ("dynamic_exits_iae", set()),
        ("non_take_up", set()),
    ],
)
def test_a_nature_allows_its_uses_only(name: str, uses: set[Role]) -> None:
    assert {role for role in Role if usable_as(name, role)} == uses


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("dynamic_exits_iae", "description_not_outcome"),
        ("employment_after_exit", "description_not_outcome"),
        ("non_take_up", "unobserved_not_outcome"),
        ("power_to_act", "unobserved_not_outcome"),
        ("trainings_entered", "process_not_outcome"),
    ],
)
def test_what_is_no_result_is_refused_with_its_reason(name: str, code: str) -> None:
    found = assess(panel(records(["a"])), name)
    assert (found.verdict, found.refusals[0].code) == (GateVerdict.REFUSED, code)
    assert not found.refusals[0].waivable


def test_what_a_source_can_show_is_known_without_reading_it() -> None:
    shown = Shown(states={"accompaniment": ("job_search",)})
    assert possible(shown) == (
        *("followups_open", "entries_in_accompaniment", "days_to_first_meeting"),
    )
    assert "employment_presence" in possible(Shown(states={"employment": ("cdi",)}))


def test_every_outcome_can_be_computed_and_says_how() -> None:
    for name in indicators(Nature.OUTCOME):
        definition = lookup(name)
        assert definition.monthly is not None, name
        assert definition.switches, name
        assert definition.kinds or definition.measures, name
        assert not definition.ever or definition.accumulates, name


def test_an_unread_month_is_unknown_in_every_outcome_of_states() -> None:
    rows = [spell("a", "employment", "cdi", "2020-01-01", "2020-12-31")]
    made = panel(records(["a"], episodes=rows, window=("2020-01", "2020-06")))
    found = by_month(made, "employment_presence")[0]
    assert found[:6].tolist() == [1] * 6
    assert pd.isna(found[6:]).all()
