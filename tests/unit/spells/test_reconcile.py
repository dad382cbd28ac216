"""Overlaps, open ends, months: by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from hand import day, records, spell
from whatworks import WhatworksError, reconcile
from whatworks.spells.record import OPEN_DAYS


def laid(*args: object, **options: object) -> pd.DataFrame:
    made = records(["a", "b"], **options)  # type: ignore[arg-type]
    table = reconcile(made, *args).table.execute()  # type: ignore[arg-type]
    return table.sort_values(["person_id", "kind", "code", "start"]).reset_index(drop=True)


def test_overlapping_and_adjacent_stays_are_one() -> None:
    found = laid(
        episodes=[
            spell("a", "benefit", "rsa", "2020-01-01", "2020-02-29"),
            spell("a", "benefit", "rsa", "2020-02-15", "2020-03-31"),
            spell("a", "benefit", "rsa", "2020-04-01", "2020-04-30"),
            spell("a", "benefit", "rsa", "2020-06-01", "2020-06-30"),
        ]
    )
    assert [(r.start.date(), r.end.date()) for r in found.itertuples()] == [
        (day("2020-01-01"), day("2020-04-30")),
        (day("2020-06-01"), day("2020-06-30")),
    ]


def test_a_stay_inside_another_does_not_shorten_it() -> None:
    found = laid(
        episodes=[
            spell("a", "benefit", "rsa", "2020-01-01", "2020-12-31"),
            spell("a", "benefit", "rsa", "2020-03-01", "2020-03-31"),
            spell("a", "benefit", "rsa", "2020-07-01", "2020-07-31"),
        ]
    )
    assert len(found) == 1
    assert found["end"].iloc[0].date() == day("2020-12-31")


def test_contracts_keep_their_own_length() -> None:
    found = laid(
        episodes=[
            spell("a", "employment", "cdd", "2020-01-01", "2020-01-31"),
            spell("a", "employment", "cdd", "2020-01-15", "2020-09-30"),
        ]
    )
    assert found["days"].tolist() == [31, 260]


def test_an_open_end_stops_where_the_source_stops_seeing() -> None:
    found = laid(episodes=[spell("a", "employment", "cdi", "2020-05-10", None)])
    row = found.iloc[0]
    assert row["end"].date() == day("2020-12-31")
    assert row["open_ended"]
    assert row["days"] == OPEN_DAYS


def test_consecutive_months_are_one_stay() -> None:
    first = 12 * 2020
    states = [("s", "a", "benefit", "rsa", first + k) for k in (0, 1, 2, 5)]
    found = laid(states=[*states, states[0]])
    assert [(r.start.date(), r.end.date()) for r in found.itertuples()] == [
        (day("2020-01-01"), day("2020-03-31")),
        (day("2020-06-01"), day("2020-06-30")),
    ]
    assert found["days"].isna().all()  # nobody declares in advance how long a benefit lasts


def test_a_gap_can_be_bridged() -> None:
    episodes = [
        spell("a", "benefit", "rsa", "2020-01-01", "2020-01-31"),
        spell("a", "benefit", "rsa", "2020-02-11", "2020-02-29"),
    ]
    made = records(["a"], episodes=episodes)
    assert reconcile(made, gap_days=9).table.count().execute() == 2
    assert reconcile(made, gap_days=10).table.count().execute() == 1


def test_a_negative_gap_is_refused() -> None:
    with pytest.raises(WhatworksError, match="gap_days"):
        reconcile(records(["a"]), gap_days=-1)


def test_the_ledger_counts_what_was_merged() -> None:
    made = records(
        ["a"],
        episodes=[
            spell("a", "benefit", "rsa", "2020-01-01", "2020-02-29"),
            spell("a", "benefit", "rsa", "2020-02-15", "2020-03-31"),
        ],
    )
    step = reconcile(made).ledger.steps[-1]
    assert (step.before, step.after, dict(step.dropped)) == (2, 1, {"merged": 1})
