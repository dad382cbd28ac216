"""Files of one's own say what was simulated, alike as text and as Parquet."""

from __future__ import annotations

import pytest

from templates.sample import FIRST_MONTH, dropped, episodes, listed, records, states, world
from templates.truth import accompaniments, contracts, paid

FIRST, LAST = 12, 47
NAMES = ("generic_csv", "generic_parquet")


def identifier(person: int) -> str:
    return f"{person + 1:04d}"


@pytest.mark.parametrize("name", NAMES)
def test_stays_are_contracts_and_accompaniments(name: str) -> None:
    expected: list[tuple[object, ...]] = [
        (identifier(p), "accompaniment", kind, start, end)
        for p, kind, start, end in accompaniments()
    ]
    for number, p, code, start, end in contracts(FIRST, LAST):
        lost = code == "interim" and (number - 1) % 9 == 0
        expected.append((identifier(p), "employment", code, start, None if lost else end))
    assert episodes(name) == sorted(expected, key=repr)


@pytest.mark.parametrize("name", NAMES)
def test_months_are_those_paid(name: str) -> None:
    expected = [
        (identifier(p), "benefit", "rsa", m)
        for p in range(120)
        for m in range(FIRST, LAST + 1)
        if paid(p)[m]
    ]
    assert states(name) == sorted(expected, key=repr)
    measures = listed(records(name).measures, "person_id", "month", "value")
    positive = {(p, m - FIRST_MONTH) for p, m, value in measures if value}  # type: ignore[operator] # a month
    assert positive == {(p, m) for p, _, _, m in expected}


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_accounted_for(name: str) -> None:
    stopped = [
        1 for p in range(120) for m in range(FIRST, LAST + 1) if paid(p)[m - 1] and not paid(p)[m]
    ]
    assert dropped(records(name), "stays") == {"duplicate_row": 2}
    assert dropped(records(name), "months") == {"code_none": len(stopped)}


@pytest.mark.parametrize("name", NAMES)
def test_persons_keep_their_zeros_and_their_attributes(name: str) -> None:
    persons = world().world.persons
    expected = [
        (identifier(p), "woman" if persons.woman[p] else "man", f"ZE{persons.market[p] + 1:02d}")
        for p in range(120)
    ]
    assert listed(records(name).persons, "person_id", "sex", "market") == sorted(expected, key=repr)
