"""Contracts of employers, of the paying agency and PASS IAE say what was simulated."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib

from templates.sample import (
    FIRST_MONTH,
    SAMPLES,
    dropped,
    episodes,
    in_panel,
    listed,
    raw_lines,
    records,
)
from templates.truth import accompaniments, contracts, first_of, last_of
from whatworks.months import to_index
from whatworks.panel import expand
from whatworks.spells import reconcile

MMO, ASP, PASS = "mmo_dsn", "asp_fluxiae", "pass_iae"
FIRST, LAST = 12, 47
YEARS = ((12, 23), (24, 35), (36, 47))


def identifier(person: int) -> str:
    return f"midas:M{person + 1:06d}"


def hashed(person: int) -> str:
    return "asp:" + hashlib.sha256(f"fictitious person {person}".encode()).hexdigest()


def known(number: int, code: str, end: str | None) -> str | None:
    """End that the newest file of a contract holds."""
    if end is None or (code == "interim" and (number - 1) % 9 == 0):
        return None
    closing = last_of(LAST)
    if end <= closing.isoformat():
        return end
    if code == "cdi":
        return None
    planned = dt.date.fromisoformat(end) + dt.timedelta(days=30 if number % 5 == 0 else 0)
    return planned.isoformat()


def territories() -> list[tuple[str, str, str]]:
    """Person, first and last day of contracts of zero-unemployment territories."""
    opening = first_of(36)
    days = [(k, opening + dt.timedelta(days=7 * k)) for k in range(10, 13)]
    return [
        (identifier(8 * k), start.isoformat(), (start + dt.timedelta(days=45)).isoformat())
        for k, start in days
    ]


def test_contracts_are_those_that_were_held() -> None:
    """One row per contract though it is in the file of every year; 98 stays apart."""
    expected = [
        (identifier(p), "employment", code, start, known(number, code, end))
        for number, p, code, start, end in contracts(FIRST, LAST)
    ]
    expected += [(p, "employment", "tzcld", start, end) for p, start, end in territories()]
    assert episodes(MMO, source="contracts") == sorted(expected, key=repr)


def test_contracts_of_programmes_are_accompaniments_too() -> None:
    """Code 71, and the employers of an approved list that do not bear it; 98 is none of the types."""
    types = {"aided": "aided_contract", "iae": "work_integration"}
    expected = [
        (identifier(p), "accompaniment", types[code], start, known(number, code, end))
        for number, p, code, start, end in contracts(FIRST, LAST)
        if code in types
    ]
    assert episodes(MMO, source="supported_contracts") == sorted(expected, key=repr)


def test_temporary_work_integration_bears_no_code_71() -> None:
    raw = [row for year in (2022, 2023, 2024) for row in raw_lines(MMO, f"mmo_{year}-12.csv")]
    assert any(row[6] == "03" and row[7] == "99" and row[2].endswith("17") for row in raw)
    assert not any(row[6] == "03" and row[7] == "71" for row in raw)
    temporary = {
        identifier(p) for _, p, code, *_ in contracts(FIRST, LAST) if code == "iae" and p % 2
    }
    found = {p for p, _, code, *_ in episodes(MMO, source="contracts") if code == "iae"}
    assert temporary
    assert temporary <= found


def test_stages_and_training_are_not_jobs() -> None:
    found = dropped(records(MMO), "contracts")
    assert (found["traineeship"], found["training"]) == (6, 4)


def test_every_contract_row_is_accounted_for() -> None:
    rows = sum(len(raw_lines(MMO, f"mmo_{year}-12.csv")) for year in (2022, 2023, 2024))
    last = [
        max(y for y, (a, b) in enumerate(YEARS) if has_a_day(number, code, start, end, a, b))
        for number, _, code, start, end in contracts(FIRST, LAST)
    ]
    first = [
        min(y for y, (a, b) in enumerate(YEARS) if has_a_day(number, code, start, end, a, b))
        for number, _, code, start, end in contracts(FIRST, LAST)
    ]
    older = sum(b - a for a, b in zip(first, last, strict=True))
    found = dropped(records(MMO), "contracts")
    # A row of an older year that equals that of a newer one is a duplicate of it.
    assert found.pop("duplicate_row") + found.pop("superseded_row") == older + 2
    assert found == {"traineeship": 6, "training": 4, "end_before_start": 3}
    assert len(episodes(MMO, source="contracts")) == rows - older - 2 - 6 - 4 - 3


def has_a_day(number: int, code: str, start: str, end: str | None, first: int, last: int) -> bool:
    lost = code == "interim" and (number - 1) % 9 == 0
    until = None if lost else end
    opening, closing = first_of(first).isoformat(), last_of(last).isoformat()
    return start <= closing and (until is None or until >= opening)


def test_an_end_never_declared_is_not_a_job_for_ever() -> None:
    """It runs to the end of what the source covers; beyond, nothing is known."""
    panel = expand(reconcile(records(MMO)), first="2024-11", last="2025-02")
    table = panel.table
    lost = [
        identifier(p)
        for number, p, code, start, end in contracts(FIRST, LAST)
        if code == "interim" and (number - 1) % 9 == 0
    ]
    rows = listed(table.filter(table.person_id == in_panel(MMO)[lost[0]]), "month", "employment")
    assert rows == [
        (to_index("2024-11"), 1),
        (to_index("2024-12"), 1),
        (to_index("2025-01"), None),
        (to_index("2025-02"), None),
    ]


def test_yearly_salaries_are_not_monthly_wages() -> None:
    text = (SAMPLES / MMO / "sources.toml").read_text("utf-8")
    assert 'column = "Salaire_Base"' not in text
    measures = records(MMO).measures
    assert measures is None or not int(measures.count().execute())


def signed(person: int, start: str, end: str) -> list[tuple[str, str]]:
    """First and last day of a hiring and of each of its renewals, of 120 days at most."""
    first, last = dt.date.fromisoformat(start), dt.date.fromisoformat(end)
    found = []
    while first <= last:
        until = min(first + dt.timedelta(days=119), last)
        found.append((first.isoformat(), until.isoformat()))
        first = until + dt.timedelta(days=1)
    return found


def asp_rows() -> list[list[str]]:
    path = SAMPLES / ASP / "fluxIAE_ContratMission_15012025_061530.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    return [line.split("|") for line in text.splitlines()[1:]]


def test_stays_of_one_person_in_two_structures_are_one_persons() -> None:
    """contrat_id_pph is per structure: the bridge leads to hash_nir. The true exit day wins."""
    expected = [
        (hashed(p), "accompaniment", kind, first, last)
        for p, kind, start, end in accompaniments()
        if kind in ("work_integration", "intensive_integrated")
        for first, last in signed(p, start, end)
        if first <= last_of(LAST).isoformat()
    ]
    assert episodes(ASP) == sorted(expected, key=repr)
    structures = {}
    for row in asp_rows():
        structures.setdefault(int(row[1]) // 10, set()).add(row[1])
    assert max(map(len, structures.values())) > 1


def test_convergence_contracts_are_the_sixth_type() -> None:
    raw = {row[9] for row in asp_rows()}
    assert {"CDDI CVG", "CDDI PHC"} <= raw
    intensive = {p for p, _, code, *_ in episodes(ASP) if code == "intensive_integrated"}
    assert intensive == {
        hashed(p) for p, kind, *_ in accompaniments() if kind == "intensive_integrated"
    }


def test_a_waiting_number_stands_for_nobody() -> None:
    assert dropped(records(ASP), "contracts")["placeholder_person"] == 3
    assert "asp:" + 64 * "0" not in {p for (p,) in listed(records(ASP).persons, "person_id")}


def test_every_row_of_the_agency_is_accounted_for() -> None:
    old = SAMPLES / ASP / "fluxIAE_ContratMission_15072024_060102.csv.gz"
    superseded = len(gzip.decompress(old.read_bytes()).decode().splitlines()) - 1
    found = dropped(records(ASP), "contracts")
    assert found == {
        "superseded_vintage": superseded,
        "duplicate_row": 2,
        "placeholder_person": 3,
        "zero_hours": 4,
        "code_none": 2,
        "end_before_start": 3,
    }
    assert records(ASP).operator_declared == {"accompaniment"}
    (coverage,) = records(ASP).coverage
    assert coverage.last == FIRST_MONTH + 46


def test_renewals_are_one_stay_once_reconciled() -> None:
    spells = reconcile(records(ASP))
    expected = [
        (hashed(p), start)
        for p, kind, start, _ in accompaniments()
        if kind in ("work_integration", "intensive_integrated")
    ]
    assert listed(spells.table, "person_id", "start") == sorted(expected, key=repr)


def test_the_sentinel_of_2040_is_no_end() -> None:
    expected = []
    for p, kind, start, _ in accompaniments():
        if kind in ("work_integration", "intensive_integrated"):
            end = dt.date.fromisoformat(start) + dt.timedelta(days=729)
            until = None if p % 3 == 0 else end.isoformat()
            expected.append((hashed(p), "accompaniment", "pass_iae", start, until))
    assert episodes(PASS) == sorted(expected, key=repr)
    assert {row[4] for row in expected} >= {None}


def test_every_pass_row_is_accounted_for() -> None:
    assert dropped(records(PASS), "pass_iae") == {
        "approval_before_pass": 4,
        "stock_taken_over": 5,
    }
