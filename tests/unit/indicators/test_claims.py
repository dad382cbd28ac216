"""A figure announced in public, put to the gate: "one in two has a job within five months"."""

from __future__ import annotations

from dataclasses import replace

import pytest

from whatworks.indicators import Claim, examine
from whatworks.vocabulary import GateVerdict

# The table said: 40 % started a job within five months, among persons followed for five months.
ONE_IN_TWO = Claim(
    statement="one in two has a job within five months",
    indicator="employment_access",
    claimed=0.5,
    measured=0.40,
    denominator="still_followed",
    followed_months=5,
)
FOUR = ["claim_above_table", "survivors_only", "access_not_presence", "no_comparison"]


def test_it_is_refused_as_an_effect_and_says_which_four_things_are_wrong() -> None:
    found = examine(ONE_IN_TWO, presented_as="effect")
    assert found.verdict is GateVerdict.REFUSED
    assert [r.code for r in found.refusals] == ["survivors_only", "no_comparison"]
    assert {r.code for r in (*found.refusals, *found.reserves)} == set(FOUR)
    with pytest.raises(Exception, match="count again over the entrants"):
        found.raise_if_refused()


def test_it_is_a_description_with_four_reserves() -> None:
    found = examine(ONE_IN_TWO, presented_as="description")
    assert found.verdict is GateVerdict.WITH_RESERVE
    assert [r.code for r in found.reserves] == FOUR
    assert found.refusals == ()


def test_a_figure_over_entrants_with_a_comparison_stands() -> None:
    sound = replace(
        ONE_IN_TWO,
        indicator="employment_presence",
        claimed=0.4,
        denominator="entrants",
        followed_months=0,
        compared=True,
    )
    assert examine(sound, presented_as="effect").verdict is GateVerdict.PUBLISHED


def test_exits_of_leavers_are_no_result_even_with_a_comparison() -> None:
    leavers = replace(
        ONE_IN_TWO, indicator="dynamic_exits_iae", denominator="leavers", compared=True
    )
    found = examine(leavers, presented_as="effect")
    assert found.refusals[0].code == "description_not_outcome"
    assert examine(leavers, presented_as="description").verdict is GateVerdict.WITH_RESERVE
