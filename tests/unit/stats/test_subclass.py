"""Sets by hand: weights, quantiles, subclasses that lack an arm; bins of the rules of histograms."""

from __future__ import annotations

import numpy as np
import pytest

from whatworks.stats.bins import binned, equal_bins, freedman_diaconis, scott, sturges
from whatworks.stats.subclass import (
    filled,
    quantile_subclasses,
    rows_numbered,
    set_weights,
    sets_of_both,
    weighted_quantiles,
)

# Set 0: treated 1, untreated 2 and 2; set 1: treated 1 and 3, untreated 1; the last in none.
NUMBER = np.array([0, 0, 0, 1, 1, 1, -1])
TREATED = np.array([True, False, False, True, True, False, True])
WEIGHT = np.array([1.0, 2.0, 2.0, 1.0, 3.0, 1.0, 5.0])


@pytest.mark.parametrize(
    ("estimand", "wanted"),
    [
        ("ATT", [1, 0.5, 0.5, 1, 3, 4, 0]),
        ("ATC", [4, 2, 2, 0.25, 0.75, 1, 0]),
        ("ATE", [5, 2.5, 2.5, 1.25, 3.75, 5, 0]),
    ],
)
def test_members_stand_for_those_the_effect_is_of(estimand: str, wanted: list[float]) -> None:
    found = set_weights(NUMBER, TREATED, WEIGHT, estimand=estimand)
    np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_sets_without_an_arm_are_dissolved_and_others_numbered_anew() -> None:
    number = np.array([7, 7, 3, 3, 9, -1, -1])
    treated = np.array([True, False, True, True, True, True, False])
    assert sets_of_both(number, treated).tolist() == [0, 0, -1, -1, -1, -1, -1]


def test_a_weight_of_two_is_a_value_met_twice() -> None:
    rng = np.random.default_rng(1)
    values, weight = rng.normal(size=30), rng.integers(1, 4, 30).astype(float)
    shares = np.linspace(0, 1, 11)
    np.testing.assert_allclose(
        weighted_quantiles(values, weight, shares),
        np.quantile(np.repeat(values, weight.astype(int)), shares),
        rtol=1e-12,
    )


def test_scores_beyond_the_quantiles_fall_in_the_first_and_the_last() -> None:
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.0, 0.9])
    among = np.array([True] * 4 + [False] * 2)
    found = quantile_subclasses(score, np.ones(6), among, count=2)
    assert found.tolist() == [0, 0, 1, 1, 0, 1]


def test_a_subclass_short_of_an_arm_takes_the_nearest_along_the_line() -> None:
    # Treated 3, 0, 1: the one of subclass 0 nearest to subclass 1 moves up. Others have one each.
    number = np.array([0, 0, 0, 2, 0, 1, 2])
    treated = np.array([True, True, True, True, False, False, False])
    score = np.array([0.1, 0.3, 0.2, 0.9, 0.1, 0.5, 0.9])
    found = filled(number, treated, score, count=3, least=1)
    assert found.tolist() == [0, 1, 0, 2, 0, 1, 2]
    # Treated 4, 0, 0: two steps, order kept.
    found = filled(np.zeros(4, dtype=int), np.ones(4, dtype=bool), score[:4], count=3, least=1)
    assert found.tolist() == [0, 1, 0, 2]


def test_an_arm_too_small_is_left_as_it_is() -> None:
    number = np.array([0, 0, 1])
    treated = np.array([True, True, False])
    found = filled(number, treated, np.zeros(3), count=3, least=1)
    assert found.tolist() == [0, 0, 1]


def test_rows_are_numbered_in_the_order_of_their_values() -> None:
    columns = [np.array([2, 1, 2, 1]), np.array([0.5, 0.1, 0.2, 0.1])]
    assert rows_numbered(columns).tolist() == [2, 0, 1, 0]


def test_bins_are_those_of_the_rules() -> None:
    values = np.arange(1.0, 101.0)
    # log2(100) + 1 = 7.6; 2 * 49.5 / 100**(1/3) = 21.3, 99 / 21.3 = 4.6; 3.5 * 29.01 / 4.64 = 21.9.
    assert (sturges(values), freedman_diaconis(values), scott(values)) == (8, 5, 5)
    assert (freedman_diaconis(np.ones(9)), scott(np.ones(9))) == (1, 1)


def test_a_value_on_a_cut_belongs_to_the_bin_above() -> None:
    assert binned(np.array([0.0, 25.0, 30.0, 50.0]), np.array([50.0, 25.0])).tolist() == [
        0,
        1,
        1,
        2,
    ]
    assert equal_bins(np.array([0.0, 10.0]), 4).tolist() == [2.5, 5.0, 7.5]
