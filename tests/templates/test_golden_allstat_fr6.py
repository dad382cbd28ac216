"""Allstat-FR6, read through its template, says what was simulated."""

from __future__ import annotations

from templates.sample import FIRST_MONTH, SAMPLES, dropped, listed, raw_lines, records, states
from templates.truth import fund, paid

NAME = "allstat_fr6"
FIRST, LAST, NEWEST = 18, 35, 37
SETTLED = NEWEST - 6
"""Last month seen after six months."""
PERSONS = range(120)


def identifier(person: int) -> str:
    return f"midas:M{person + 1:06d}"


def late(person: int, month: int) -> bool:
    """Opened too late for the only vintage of a recent month."""
    is_paid = paid(person)
    opened = is_paid[month] and not is_paid[month - 1]
    return month > SETTLED and person % 3 == 2 and opened


def expected(*codes: str) -> list[tuple[object, ...]]:
    found = [
        (identifier(p), "benefit", code, month)
        for p in PERSONS
        for month, code in fund(p, FIRST, LAST).items()
        if code in codes and not late(p, month)
    ]
    return sorted(found, key=repr)


def superseded() -> list[list[str]]:
    """Rows of the first vintage of months that have a second."""
    early = [f"{2023 + k // 12}{k % 12 + 1:02d}" for k in range(2, 8)]
    vintages = [f"{2023 + k // 12}{k % 12 + 1:02d}" for k in range(4, 10)]
    return [
        row
        for month, vintage in zip(early, vintages, strict=True)
        for row in raw_lines(NAME, f"allstat_fr6_{month}_v{vintage}.csv")
    ]


def kept() -> list[list[str]]:
    """Every other row."""
    rows = [
        row for f in sorted((SAMPLES / NAME).glob("allstat*")) for row in raw_lines(NAME, f.name)
    ]
    for row in superseded():
        rows.remove(row)
    return rows


def test_paid_is_a_paying_state_and_an_amount() -> None:
    assert states(NAME, source="rsa_paid") == expected("rsa")


def test_suspension_is_not_an_exit() -> None:
    found = states(NAME, source="rsa_suspended")
    assert found == expected("rsa_suspended")
    assert found


def test_the_newest_vintage_of_a_month_replaces_the_older() -> None:
    """Those who opened late are in the months seen twice, and not yet in those seen once."""
    found = {(p, m) for p, _, _, m in states(NAME, source="rsa_paid")}
    opened = [
        (identifier(p), m)
        for p in PERSONS
        if p % 3 == 2
        for m, code in fund(p, FIRST, LAST).items()
        if code == "rsa" and not paid(p)[m - 1]
    ]
    assert {pair for pair in opened if pair in found} == {p for p in opened if p[1] <= SETTLED}
    assert any(month > SETTLED for _, month in opened)


def test_recent_months_may_still_change() -> None:
    (coverage,) = [c for c in records(NAME).coverage if c.source == "rsa_paid"]
    assert (coverage.first, coverage.last) == (FIRST_MONTH + FIRST, FIRST_MONTH + LAST)
    assert coverage.unsettled == FIRST_MONTH + SETTLED + 1


def test_every_row_is_accounted_for() -> None:
    rows, old = kept(), superseded()
    unpaid = [r for r in rows if r[5] == "0,00"]
    assert dropped(records(NAME), "rsa_paid") == {
        "superseded_vintage": len(old),
        "nothing_paid": len(unpaid),
    }
    assert dropped(records(NAME), "rsa_suspended") == {
        "superseded_vintage": len(old),
        "code_none": len([r for r in rows if r[4] not in "STU"]),
    }
    assert len(states(NAME, source="rsa_paid")) == len(rows) - len(unpaid)


def test_postcodes_find_their_zeros_again() -> None:
    assert {row[6] for row in kept()} == {"100", "110", "200"}
    communes = {c for _, c in listed(records(NAME).places, "person_id", "commune")}
    assert communes == {"00100", "00110", "00200"}


def test_amounts_have_a_decimal_comma() -> None:
    values = {v for _, v in listed(records(NAME).measures, "person_id", "value")}
    assert values <= {565.34, 848.01, 1017.61, 1243.75, 1469.88}
    assert len(values) > 1
