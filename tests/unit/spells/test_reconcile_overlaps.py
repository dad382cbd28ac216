"""Who stands before whom, what bridges a gap, schemes, doses, loss of sight: by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from hand import day, records
from whatworks import WhatworksError, expand, reconcile
from whatworks.months import to_index
from whatworks.sources.records import Coverage, Records
from whatworks.spells import Overlap
from whatworks.spells.record import OPEN_DAYS

KIND = "accompaniment"
BEFORE = {KIND: Overlap(policy="priority", sources=("operator", "department"))}


def row(
    source: str, code: str, start: str, end: str | None, *told: object, kind: str = KIND
) -> tuple[object, ...]:
    return (source, "a", kind, code, day(start), None if end is None else day(end), *told)


def made(episodes: Sequence[tuple[object, ...]], **options: object) -> Records:
    """Records whose sources are named by the rows."""
    base = records(["a"], episodes=episodes, **options)  # type: ignore[arg-type]
    sources = ("operator", "department", "other", "s")
    whole = tuple(replace(c, source=s) for s in sources for c in base.coverage)
    return replace(base, coverage=whole)


def stays(found: pd.DataFrame) -> list[tuple[str, str, str]]:
    ordered = found.sort_values(["code", "start"])
    return [(r.code, str(r.start.date()), str(r.end.date())) for r in ordered.itertuples()]


def test_the_more_believed_source_cuts_and_splits_the_other() -> None:
    rows = [
        row("department", "job_search", "2020-01-01", "2020-12-31"),
        row("operator", "aided_contract", "2020-03-01", "2020-03-31"),
        row("operator", "aided_contract", "2020-11-15", "2021-01-15"),
    ]
    spells = reconcile(made(rows), overlaps=BEFORE)
    assert stays(spells.table.execute()) == [
        ("aided_contract", "2020-03-01", "2020-03-31"),
        ("aided_contract", "2020-11-15", "2021-01-15"),
        ("job_search", "2020-01-01", "2020-02-29"),
        ("job_search", "2020-04-01", "2020-11-14"),
    ]
    days, rows_step, overlaps = spells.ledger.steps[-3:]
    assert (days.unit, days.before, dict(days.dropped)) == (
        "days",
        366 + 31 + 62,
        {"outranked": 78},
    )
    assert (rows_step.before, rows_step.dropped) == (3, ())
    assert (overlaps.before, overlaps.after) == (4, 4)


def test_a_row_wholly_outranked_is_counted_as_lost() -> None:
    rows = [
        row("department", "job_search", "2020-03-05", "2020-03-10"),
        row("operator", "aided_contract", "2020-03-01", "2020-03-31"),
    ]
    spells = reconcile(made(rows), overlaps=BEFORE)
    assert stays(spells.table.execute()) == [("aided_contract", "2020-03-01", "2020-03-31")]
    assert dict(spells.ledger.steps[-2].dropped) == {"outranked": 1}


def test_the_same_state_told_twice_is_one_stay_and_unlisted_sources_come_last() -> None:
    rows = [
        row("operator", "job_search", "2020-02-01", "2020-04-30"),
        row("department", "job_search", "2020-01-01", "2020-12-31"),
        row("other", "aided_contract", "2020-06-01", "2020-06-30"),
        row("s", "job_search", "2020-06-01", "2021-02-28"),
    ]
    found = stays(reconcile(made(rows), overlaps=BEFORE).table.execute())
    assert found == [("job_search", "2020-01-01", "2021-02-28")]


def test_sources_of_one_rank_and_several_states_of_one_source_stay_side_by_side() -> None:
    rows = [
        row("operator", "job_search", "2020-01-01", "2020-12-31"),
        row("operator", "aided_contract", "2020-03-01", "2020-03-31"),
    ]
    for overlaps in (None, BEFORE):
        found = stays(reconcile(made(rows), overlaps=overlaps).table.execute())
        assert found == [
            ("aided_contract", "2020-03-01", "2020-03-31"),
            ("job_search", "2020-01-01", "2020-12-31"),
        ]


def test_benefits_can_be_kept_apart_and_contracts_merged() -> None:
    rows = [
        row("s", "rsa", "2020-01-01", "2020-02-29", kind="benefit"),
        row("s", "rsa", "2020-02-15", "2020-03-31", kind="benefit"),
        row("s", "cdd", "2020-01-01", "2020-02-29", kind="employment"),
        row("s", "cdd", "2020-02-15", "2020-03-31", kind="employment"),
    ]
    other_way = {"benefit": Overlap(policy="keep"), "employment": Overlap(policy="union")}
    assert len(reconcile(made(rows)).table.execute()) == 3
    found = reconcile(made(rows), overlaps=other_way).table.execute()
    assert found["code"].value_counts().to_dict() == {"rsa": 2, "cdd": 1}
    assert found.loc[found["code"] == "cdd", "days"].tolist() == [60]


def test_a_source_can_bridge_its_own_gaps_in_days_and_in_months() -> None:
    rows = [
        row("operator", "job_search", "2020-01-01", "2020-01-31"),
        row("operator", "job_search", "2020-02-11", "2020-02-29"),
        row("department", "aided_contract", "2020-01-01", "2020-01-31"),
        row("department", "aided_contract", "2020-02-11", "2020-02-29"),
        row("operator", "cdd", "2020-01-01", "2020-01-31", kind="employment"),
        row("operator", "cdd", "2020-02-05", "2020-07-31", kind="employment"),
    ]
    first = to_index("2020-01")
    states = [("s", "a", "benefit", "rsa", first + k) for k in (0, 1, 3, 6)]
    told = replace(made(rows, states=states), gap_days={"operator": 10}, gaps={"s": 1})
    found = reconcile(told).table.execute()
    assert stays(found) == [
        ("aided_contract", "2020-01-01", "2020-01-31"),
        ("aided_contract", "2020-02-11", "2020-02-29"),
        ("cdd", "2020-01-01", "2020-07-31"),
        ("job_search", "2020-01-01", "2020-02-29"),
        ("rsa", "2020-01-01", "2020-04-30"),
        ("rsa", "2020-07-01", "2020-07-31"),
    ]
    assert found.loc[found["code"] == "cdd", "days"].tolist() == [213]  # the renewals as one


def test_schemes_stay_apart_and_doses_follow_their_days() -> None:
    rows = [
        row("operator", "job_search", "2020-01-01", "2020-01-31", "A", 31.0),
        row("operator", "job_search", "2020-01-15", "2020-02-14", "A", 31.0),
        row("operator", "job_search", "2020-02-01", "2020-02-29", "B", None),
    ]
    given_doses = replace(made(rows), intensities=frozenset({(KIND, "job_search")}))
    spells = reconcile(given_doses)
    found = spells.table.execute().sort_values("scheme")
    assert found["scheme"].tolist() == ["A", "B"]
    assert found["intensity"].iloc[0] == 62.0
    assert np.isnan(found["intensity"].iloc[1])
    assert spells.doses is not None
    assert spells.doses.execute()["intensity"].tolist() == [31.0, 31.0]


def test_a_cut_leaves_its_share_of_the_dose() -> None:
    rows = [
        row("department", "job_search", "2020-01-11", "2020-02-19", None, 40.0),
        row("operator", "aided_contract", "2020-01-21", "2020-02-09", None, None),
    ]
    told = replace(made(rows), intensities=frozenset({(KIND, "job_search")}))
    spells = reconcile(told, overlaps=BEFORE)
    found = spells.table.filter(spells.table["code"] == "job_search").execute()
    assert sorted(found["intensity"]) == [pytest.approx(10.0), pytest.approx(10.0)]
    laid = expand(spells, first="2020-01", last="2020-03").to_pandas()
    assert laid["accompaniment_job_search_intensity"].tolist() == [10.0, 10.0, 0.0]


def test_an_open_stay_ends_the_day_before_its_source_loses_sight() -> None:
    rows = [
        row("operator", "job_search", "2020-02-10", None),
        row("department", "job_search", "2020-09-10", None),
        row("operator", "cdi", "2020-08-01", None, kind="employment"),
    ]
    lost = [("operator", "a", KIND, to_index("2020-05"))]
    found = reconcile(made(rows, blind=lost)).table.execute()
    assert stays(found) == [
        ("cdi", "2020-08-01", "2020-12-31"),
        ("job_search", "2020-02-10", "2020-04-30"),
        ("job_search", "2020-09-10", "2020-12-31"),
    ]
    assert found.loc[found["code"] == "cdi", "days"].tolist() == [OPEN_DAYS]


@pytest.mark.parametrize(
    ("overlap", "named"),
    [
        ({"policy": "first"}, "overlap policy"),
        ({"policy": "priority"}, "order of distinct sources"),
        ({"policy": "union", "sources": ("a",)}, "order of distinct sources"),
        ({"policy": "priority", "sources": ("a", "a")}, "order of distinct sources"),
    ],
)
def test_a_policy_that_says_nothing_is_refused(overlap: dict[str, object], named: str) -> None:
    with pytest.raises(WhatworksError, match=named):
        Overlap(**overlap)  # type: ignore[arg-type]


def test_unknown_kinds_and_sources_are_named() -> None:
    with pytest.raises(WhatworksError, match="accompaniment"):
        reconcile(made([]), overlaps={"acompaniment": Overlap()})
    wrong = {KIND: Overlap(policy="priority", sources=("operater",))}
    with pytest.raises(WhatworksError, match="write 'operator'"):
        reconcile(made([]), overlaps=wrong)


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["operator", "department", "other"]),
        st.sampled_from(["job_search", "aided_contract"]),
        st.integers(0, 60),
        st.integers(0, 30),
    ),
    max_size=7,
)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_priority_is_what_a_loop_over_days_would_say(
    drawn: list[tuple[str, str, int, int]],
) -> None:
    origin = np.datetime64("2020-01-01")
    rank = {"operator": 0, "department": 1, "other": 2}
    rows = [row(s, code, str(origin + a), str(origin + a + length)) for s, code, a, length in drawn]
    spells = reconcile(made(rows), overlaps=BEFORE)
    expected = set()
    for source, code, a, length in drawn:
        for at in range(a, a + length + 1):
            outranked = any(
                b <= at <= b + m and rank[s] < rank[source] and c != code for s, c, b, m in drawn
            )
            if not outranked:
                expected.add((code, at))
    found = set()
    for r in spells.table.execute().itertuples():
        low, high = ((np.datetime64(d, "D") - origin).astype(int) for d in (r.start, r.end))
        days = {(r.code, at) for at in range(low, high + 1)}
        assert not days & found  # one state never covers a day twice
        found |= days
    assert found == expected
    lengths = {s.unit: s for s in spells.ledger.steps if s.name == "priority"}
    assert lengths["days"].before == sum(length + 1 for *_, length in drawn)


def test_coverage_of_each_source_closes_its_own_open_ends() -> None:
    rows = [
        row("operator", "job_search", "2020-02-10", None),
        row("department", "aided_contract", "2020-02-10", None),
    ]
    told = made(rows)
    short = tuple(
        Coverage(source=c.source, kind=c.kind, first=c.first, last=to_index("2020-06"))
        if c.source == "operator"
        else c
        for c in told.coverage
    )
    assert stays(reconcile(replace(told, coverage=short)).table.execute()) == [
        ("aided_contract", "2020-02-10", "2020-12-31"),
        ("job_search", "2020-02-10", "2020-06-30"),
    ]


def test_a_stay_that_begins_in_the_month_of_the_loss_is_no_loss() -> None:
    """The source moved the person from one file to another: it shows them again at once."""
    rows = [
        row("s", "rsa", "2020-01-10", "2020-03-31", kind="benefit"),
        row("s", "rsa", "2020-04-10", None, kind="benefit"),
    ]
    lost = [("s", "a", "benefit", to_index("2020-04"))]
    whole = made(rows, blind=lost)
    only = replace(whole, coverage=tuple(c for c in whole.coverage if c.source == "s"))
    found = expand(reconcile(only), first="2020-01", last="2020-12").to_pandas()
    assert found["benefit"].tolist() == [1] * 12
