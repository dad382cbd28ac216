"""Orientations and schemes of the missions locales say what was simulated."""

from __future__ import annotations

import datetime as dt

from templates.sample import SAMPLES, dropped, episodes, listed, records, world
from templates.truth import accompaniments, last_of

RDV, MILO = "rdv_insertion", "imilo"
LAST = 47


def young() -> list[int]:
    groups = world().world.persons.age_group
    return [p for p in range(120) if int(groups[p]) == 0]


def dossier(person: int) -> str:
    """Mission locale, and rank of the person among its young."""
    market = world().world.persons.market
    rank = [p for p in young() if market[p] == market[person]].index(person)
    return f"imilo:ML{int(market[person]) + 1}|{rank + 1}"


def test_an_orientation_left_open_ends_when_the_next_begins() -> None:
    types = {
        "job_search": "job_search",
        "social_participation": "socio_professional",
        "access_to_rights": "access_to_rights",
    }
    expected = []
    for p, kind, start, end in accompaniments():
        if kind not in types:
            continue
        begins = dt.date.fromisoformat(start)
        before = (begins - dt.timedelta(days=75)).isoformat()
        until = (begins - dt.timedelta(days=1)).isoformat()
        user = f"rdv_insertion:{50_000 + p}"
        expected.append((user, "accompaniment", "job_search", before, until))
        expected.append((user, "accompaniment", types[kind], start, end))
    assert episodes(RDV) == sorted(expected, key=repr)
    assert dropped(records(RDV), "orientations") == {"duplicate_row": 2}


def test_users_keep_what_links_them_and_nothing_else() -> None:
    identities = records(RDV).identities
    assert identities is not None
    found = listed(identities, "person_id", "nir", "birth_name", "birth_date")
    assert len(found) == 120
    assert {nir for _, nir, *_ in found if nir} == {
        who.nir for p, who in enumerate(world().identities) if p % 2
    }
    assert "nir" not in records(RDV).persons.columns


def test_only_the_row_in_force_counts() -> None:
    """SCD_ACTIVE = N is the past of a row: another start, an end only planned."""
    closing = last_of(LAST).isoformat()
    expected = [
        (
            *(dossier(p), "accompaniment", "job_search", start, end if end <= closing else None),
            ("CEJ", "PACEA")[p % 2],
        )
        for p, kind, start, end in accompaniments()
        if kind == "job_search" and p in young()
    ]
    table = records(MILO).episodes
    found = listed(table, "person_id", "kind", "code", "start", "end", "scheme")
    assert found == sorted(expected, key=repr)
    assert dropped(records(MILO), "schemes") == {"historised": 2 * len(expected), "code_none": 4}
    assert dropped(records(MILO), "files")["historised"] == len([p for p in young() if p % 2])


def test_file_numbers_of_two_missions_locales_are_two_persons() -> None:
    text = (SAMPLES / MILO / "imilo_dossiers_202412.csv").read_text("cp1252")
    numbers = [line.split(";")[:2] for line in text.splitlines()[1:]]
    assert len({number for _, number in numbers}) < len({tuple(pair) for pair in numbers})
    assert int(records(MILO).persons.count().execute()) == len(young())
