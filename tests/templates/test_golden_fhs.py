"""The historical file of the employment service, read through its templates, says what was simulated."""

from __future__ import annotations

import datetime as dt
import shutil
from functools import cache
from pathlib import Path

from templates.sample import (
    FIRST_MONTH,
    SAMPLES,
    dropped,
    episodes,
    in_panel,
    listed,
    raw_lines,
    records,
    states,
)
from templates.truth import accompaniments, employed, first_of, last_of, paid, runs
from whatworks.panel import expand
from whatworks.sources import read
from whatworks.spells import reconcile

DE, PARCOURS = "fhs_registrations", "fhs_pathways"
FIRST, LAST = 12, 47
PERSONS = range(120)


def identifier(person: int) -> str:
    return f"midas:M{person + 1:06d}"


def stays(person: int) -> list[tuple[int, int, str]]:
    """First month, last month and category of each registration of the window."""
    listed_ = [not e or p for e, p in zip(employed(person), paid(person), strict=True)]
    seeking = str(person % 3 + 1)
    found = []
    for first, last in runs(listed_):
        if last < FIRST or first > LAST:
            continue
        long = last - first >= 6
        if person % 7 == 2 and long and last < LAST:
            found += [(first, last - 2, seeking), (last - 1, last, "4")]
        elif person % 4 == 1 and long:
            middle = (first + last) // 2
            found += [(first, middle, seeking), (middle + 1, last, seeking)]
        else:
            found.append((first, last, seeking))
    return [stay for stay in found if stay[0] <= LAST]


def registered() -> list[tuple[object, ...]]:
    found = []
    for person in PERSONS:
        previous = None
        for first, last, category in stays(person):
            follows = previous == first - 1
            start = first_of(first) + dt.timedelta(days=0 if follows else 3)
            end = last_of(last).isoformat() if last < LAST else None
            code = "category_d" if category == "4" else "registered"
            found.append((identifier(person), "joblessness", code, start.isoformat(), end))
            previous = last
    return sorted(found, key=repr)


@cache
def declared() -> dict[tuple[int, int], int]:
    """Hours of each person and month worked while registered and seeking."""
    return {
        (person, month): 78 if (person + month) % 23 == 0 else (37 * person + 11 * month) % 201
        for person in PERSONS
        for first, last, category in stays(person)
        for month in range(max(first, FIRST), min(last, LAST) + 1)
        if category != "4" and employed(person)[month]
    }


def test_exclusive_ends_are_one_day_earlier() -> None:
    """DATANN is the first day off the list: a registration ends the day before."""
    assert episodes(DE, source="registrations") == registered()


def test_the_category_of_registration_is_not_a_b_or_c() -> None:
    """1, 2 and 3 are one state; B and C come from the hours of the month."""
    raw = {row[4] for row in raw_lines(DE, "DE_202412.csv")}
    assert raw == {"1", "2", "3", "4"}
    codes = {row[2] for row in episodes(DE, source="registrations")}
    assert codes == {"registered", "category_d"}


def test_hours_of_the_month_tell_b_from_c() -> None:
    expected = [
        (identifier(p), "joblessness", "category_b" if hours <= 78 else "category_c", m)
        for (p, m), hours in declared().items()
    ]
    assert states(DE, source="reduced_activity") == sorted(expected, key=repr)
    assert {0, 78} <= set(declared().values())


def test_category_a_is_registered_without_hours() -> None:
    """In the panel: registered, and neither B nor C."""
    panel = expand(reconcile(records(DE)), first="2022-01", last="2024-12")
    table = panel.table
    a = (table.joblessness_registered > 0) & (
        (table.joblessness_category_b == 0) & (table.joblessness_category_c == 0)
    )
    expected = [
        (in_panel(DE)[identifier(person)], FIRST_MONTH + month)
        for person in PERSONS
        for first, last, category in stays(person)
        for month in range(max(first, FIRST), min(last, LAST) + 1)
        if category != "4" and (person, month) not in declared()
    ]
    assert listed(table.filter(a), "person_id", "month") == sorted(expected, key=repr)


def test_of_several_declarations_of_a_month_the_largest_counts() -> None:
    table = records(DE).states
    found = listed(
        table.filter(table.source == "reduced_activity"), "person_id", "month", "intensity"
    )
    expected = [(identifier(p), FIRST_MONTH + m, float(h)) for (p, m), h in declared().items()]
    assert found == sorted(expected, key=repr)


def test_every_registration_row_is_accounted_for() -> None:
    old, new = raw_lines(DE, "DE_202312.csv"), raw_lines(DE, "DE_202412.csv")
    cancelled = len([p for p in PERSONS if p % 15 == 4])
    assert dropped(records(DE), "registrations") == {
        "superseded_vintage": len(old),
        "end_before_start": cancelled,
    }
    assert len(episodes(DE, source="registrations")) == len(new) - cancelled


def test_every_activity_row_is_accounted_for() -> None:
    old = raw_lines(DE, "E0_202312.csv")
    again = [1 for p, m in declared() if (p + m) % 20 == 0]
    less = [1 for (p, m), h in declared().items() if (p + m) % 9 == 0 and h]
    assert dropped(records(DE), "reduced_activity") == {
        "superseded_vintage": len(old),
        "duplicate_row": len(again),
        "superseded_row": len(less),
    }


def test_unstable_numbers_of_registration_change_nothing(tmp_path: Path) -> None:
    """NDEM is renumbered in each extract; the old one alone, and the new one alone, agree."""
    numbers = [{(r[0], r[2]): r[1] for r in raw_lines(DE, f"DE_{v}.csv")} for v in (202312, 202412)]
    both = numbers[0].keys() & numbers[1].keys()
    assert any(numbers[0][key] != numbers[1][key] for key in both)
    shutil.copytree(SAMPLES / DE, tmp_path / "new")
    for old in (tmp_path / "new").glob("*_202312.csv"):
        old.unlink()
    alone = read(tmp_path / "new" / "sources.toml")
    columns = ("source", "person_id", "kind", "code", "start", "end")
    assert listed(alone.episodes, *columns) == listed(records(DE).episodes, *columns)


def test_modalities_are_the_accompaniments_of_the_service() -> None:
    types = {
        "job_search": ("SUI", "GUI", "REN"),
        "intensive_integrated": ("GLO",),
        "access_to_rights": ("PSO",),
    }
    closing = last_of(LAST).isoformat()
    expected = [
        (
            *(identifier(p), "accompaniment", kind, start, end if end <= closing else None),
            types[kind][p % len(types[kind])],
        )
        for p, kind, start, end in accompaniments()
        if kind in types
    ]
    table = records(PARCOURS).episodes
    found = listed(table, "person_id", "kind", "code", "start", "end", "scheme")
    assert found == sorted(expected, key=repr)
    assert dropped(records(PARCOURS), "pathways") == {
        "superseded_vintage": len(raw_lines(PARCOURS, "PARCOURS_202312.csv"))
    }
