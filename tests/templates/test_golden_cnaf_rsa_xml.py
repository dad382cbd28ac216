"""The XML flow of the family fund, read through its template, says what was simulated."""

from __future__ import annotations

import re

from templates.sample import (
    FIRST_MONTH,
    SAMPLES,
    dropped,
    in_panel,
    listed,
    records,
    states,
    world,
)
from templates.truth import fund
from whatworks.panel import expand
from whatworks.spells import reconcile

NAME = "cnaf_rsa_xml"
FIRST, LAST, HOUSEHOLDS = 18, 29, 24
PARTNERS = {0: 24, 8: 25, 16: 26}
"""Household and the person who lives with its claimant."""
CENTS = (56_534, 84_801, 101_761, 124_375, 146_988)


def members(household: int) -> list[int]:
    return [household, *([PARTNERS[household]] if household in PARTNERS else [])]


def identifier(household: int, person: int) -> str:
    """Matricule without its zeros, and birth date."""
    return f"caf:{12_000 + 35 * household}|{world().identities[person].born}"


def flows() -> str:
    files = sorted((SAMPLES / NAME).glob("flux_rsa_??????.xml"))
    return "".join(file.read_text("utf-8") for file in files)


def test_states_are_the_payments_and_suspensions_of_each_adult() -> None:
    expected = [
        (identifier(home, person), "benefit", code, month)
        for home in range(HOUSEHOLDS)
        for month, code in fund(home, FIRST, LAST).items()
        if code.startswith("rsa")
        for person in members(home)
    ]
    assert states(NAME) == sorted(expected, key=repr)
    assert len({p for p, *_ in expected}) > HOUSEHOLDS // 2


def test_amounts_are_those_of_the_household_in_its_paid_months() -> None:
    children = world().world.persons.children
    expected = [
        (identifier(home, person), "rsa_amount", FIRST_MONTH + month, CENTS[children[home]] / 100)
        for home in range(HOUSEHOLDS)
        for month, code in fund(home, FIRST, LAST).items()
        if code == "rsa"
        for person in members(home)
    ]
    found = listed(records(NAME).measures, "person_id", "measure", "month", "value")
    assert found == sorted(expected, key=repr)


def test_moves_and_mergers_are_not_exits() -> None:
    """MUT and RGD: from that month the source is blind, it does not say *not paid*."""
    expected = [
        (identifier(home, person), "benefit", FIRST_MONTH + month)
        for home in range(HOUSEHOLDS)
        for month, code in fund(home, FIRST, LAST).items()
        if code in ("MUT", "RGD")
        for person in members(home)
    ]
    found = listed(records(NAME).blind, "person_id", "kind", "first")
    assert found == sorted(expected, key=repr)
    kinds = {code for home in range(HOUSEHOLDS) for code in fund(home, FIRST, LAST).values()}
    assert {"MUT", "RGD"} <= kinds


def test_a_month_after_a_move_is_unknown_and_after_a_closure_is_not_paid() -> None:
    panel = expand(reconcile(records(NAME)), first="2022-07", last="2023-06")
    rows = listed(panel.table, "person_id", "month", "benefit_rsa")
    seen = {(person, month): value for person, month, value in rows}
    for home in range(HOUSEHOLDS):
        shown = fund(home, FIRST, LAST)
        if "rsa" not in shown.values():
            continue
        person, out_of_sight = in_panel(NAME)[identifier(home, home)], False
        for month in range(FIRST, LAST + 1):
            code = shown.get(month, "")
            out_of_sight = code in ("MUT", "RGD") or (out_of_sight and code == "")
            value = seen[person, FIRST_MONTH + month]
            paid = None if value is None else value > 0
            assert paid == (None if out_of_sight else code == "rsa"), (home, month)


def test_persons_are_the_adults_seen_with_their_sex_and_birth_month() -> None:
    expected = []
    for home in range(HOUSEHOLDS):
        kept = [code for code in fund(home, FIRST, LAST).values() if code not in ("MUT", "RGD")]
        for person in members(home) if kept else []:
            who = world().identities[person]
            born = 12 * int(who.born[:4]) + int(who.born[5:7]) - 1
            sex = "man" if who.sex == "M" else "woman"
            expected.append((identifier(home, person), born, sex))
    found = listed(records(NAME).persons, "person_id", "birth_month", "sex")
    assert found == sorted(expected, key=repr)


def test_every_row_is_accounted_for() -> None:
    text = flows()
    daily = (SAMPLES / NAME / "flux_rsa_202301_quotidien.xml").read_text("utf-8")
    rows = text.count("<Prestations>") + daily.count("<Prestations>")
    children = text.count("<NATPREST>RSA</NATPREST><ROLEPERS>ENF")
    held = [
        (code, person)
        for home in range(HOUSEHOLDS)
        for code in fund(home, FIRST, LAST).values()
        for person in members(home)
    ]
    codes = [code for code, _ in held]
    found = dropped(records(NAME), "rsa")
    assert found.pop("duplicate_row") + found.pop("role_in_other_benefit") == (
        text.count("<NATPREST>PFA") + 2
    )
    assert found == {
        "daily_flow": daily.count("<Prestations>"),
        "not_an_adult_of_the_household": children,
        "censored": codes.count("MUT") + codes.count("RGD"),
        "code_none": codes.count("closed") + codes.count("pending"),
    }
    step = next(s for s in records(NAME).ledger.steps if s.name == "rsa" and s.unit == "rows")
    assert step.before == rows
    assert step.after == len(states(NAME))


def test_matricules_lose_their_zeros_in_one_month_and_keep_them_in_the_next() -> None:
    """Leading zeros and blanks are not part of it; zeros at its end are."""
    text = flows()
    assert re.search("<MATRICULE>0012000 +</MATRICULE>", text)
    assert "<MATRICULE>12000</MATRICULE>" in text
    assert identifier(0, 0).startswith("caf:12000|")


def test_adults_of_one_matricule_are_one_household() -> None:
    """However the matricule was written that month."""
    households = dict(listed(records(NAME).persons, "person_id", "household"))
    together = [
        {households[identifier(home, person)] for person in members(home)}
        for home in PARTNERS
        if identifier(home, home) in households
    ]
    assert together
    assert all(len(numbers) == 1 for numbers in together)
    assert households[identifier(0, 0)] == "12000"


def test_places_are_communes() -> None:
    places = listed(records(NAME).places, "person_id", "commune")
    assert {commune for _, commune in places} <= {"00101", "00102", "00203"}
    assert records(NAME).geography is not None
