"""A row per person and month; zero where nothing was seen, null where nobody looked."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from hand import panel, records, spell
from whatworks import WhatworksError, assess
from whatworks.indicators import lookup
from whatworks.months import to_index
from whatworks.sources.records import Coverage
from whatworks.vocabulary import GateVerdict


def test_a_day_in_the_month_is_enough() -> None:
    made = panel(
        records(["a"], episodes=[spell("a", "employment", "cdd", "2020-02-29", "2020-04-01")])
    )
    table = made.to_pandas()
    assert table["employment"].tolist() == [0, 1, 1, 1] + [0] * 8
    assert table["employment_cdd"].tolist() == [0, 33, 33, 33] + [0] * 8
    assert table["employment_cdi"].eq(0).all()


def test_months_nobody_sees_are_null() -> None:
    made = records(["a"], episodes=[spell("a", "benefit", "rsa", "2020-01-01", "2020-12-31")])
    partial = tuple(
        Coverage(source="s", kind=c.kind, first=c.first + 2, last=c.last) for c in made.coverage
    )
    table = panel(replace(made, coverage=partial)).to_pandas()
    assert table["benefit"].isna().tolist() == [True, True] + [False] * 10


def test_the_longest_contract_of_the_month_counts() -> None:
    made = panel(
        records(
            ["a"],
            episodes=[
                spell("a", "employment", "cdd", "2020-01-01", "2020-01-31"),
                spell("a", "employment", "cdd", "2020-01-15", "2020-09-30"),
            ],
        )
    )
    assert made.to_pandas()["employment_cdd"].tolist()[:10] == [260] * 9 + [0]


def test_a_window_backwards_is_refused() -> None:
    with pytest.raises(WhatworksError, match="window"):
        panel(records(["a"]), "2020-05", "2020-01")


def outcome(name: str, **options: object) -> list[float]:
    made = panel(records(["a"], **options))  # type: ignore[arg-type]
    monthly = lookup(name).monthly
    assert monthly is not None
    table = made.table.mutate(value=monthly(made)).order_by("month").execute()
    return table["value"].tolist()


def test_the_programmes_own_contract_is_not_its_result() -> None:
    episodes = [
        spell("a", "employment", "aided", "2020-01-01", "2020-06-30"),
        spell("a", "employment", "cdd", "2020-06-10", "2020-08-31"),
    ]
    assert outcome("employment_presence", episodes=episodes) == [0] * 5 + [1] * 3 + [0] * 4


def test_durable_employment_is_permanent_or_six_months_long() -> None:
    short = [spell("a", "employment", "cdd", "2020-01-01", "2020-06-30")]  # 182 days
    long = [spell("a", "employment", "cdd", "2020-01-01", "2020-07-01")]  # 183 days
    assert sum(outcome("durable_employment", episodes=short)) == 0
    assert sum(outcome("durable_employment", episodes=long)) == 7
    permanent = [spell("a", "employment", "cdi", "2020-12-01", None)]
    assert outcome("durable_employment", episodes=permanent)[-1] == 1


def test_leaving_the_rsa_takes_three_unpaid_months() -> None:
    first = to_index("2020-01")
    paid = [("s", "a", "benefit", "rsa", first + k) for k in (0, 1, 2, 5)]
    found = outcome("rsa_exit", states=paid)
    assert np.isnan(found[:2]).all()  # two months back are not seen yet
    assert found[2:] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("name", ["interviews_held", "credits_consumed", "days_to_first_meeting"])
def test_activity_is_refused_with_the_four_things(name: str) -> None:
    found = assess(panel(records(["a"])), name)
    assert found.verdict is GateVerdict.REFUSED
    refusal = found.refusals[0]
    assert (refusal.what, refusal.code.endswith("_not_outcome")) == (name, True)
    assert "2020-01" in refusal.where
    assert "employment_presence" in str(refusal.facts["alternatives"])
    with pytest.raises(WhatworksError, match="ask for one of") as caught:
        found.raise_if_refused()
    assert caught.value.exit_code == 3


def test_a_state_no_source_shows_is_refused() -> None:
    made = panel(records(["a"], codes={"benefit": ("rsa",)}))
    found = assess(made, "employment_presence")
    assert found.verdict is GateVerdict.REFUSED
    assert found.refusals[0].code == "unknown_states"


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 400), st.integers(0, 200)), max_size=6)
)
def test_the_panel_is_what_a_loop_over_days_would_say(rows: list[tuple[str, int, int]]) -> None:
    origin = np.datetime64("2019-11-01")
    episodes = []
    expected = np.zeros((2, 12), dtype=int)
    for person, start, length in rows:
        begin, end = origin + start, origin + start + length
        episodes.append(spell(person, "benefit", "rsa", str(begin), str(end)))
        days = np.arange(begin, end + 1).astype("datetime64[M]").astype(int) - 50 * 12
        inside = np.unique(days[(days >= 0) & (days < 12)])
        expected["ab".index(person), inside] = 1
    table = panel(records(["a", "b"], episodes=episodes)).to_pandas()
    np.testing.assert_array_equal(table["benefit"].to_numpy().reshape(2, 12), expected)
