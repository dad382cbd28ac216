"""Matches that stand for those who were censored: whose weight goes where."""

from __future__ import annotations

import numpy as np
import pytest

from whatworks.stats.matched_effects import matched_effect, matched_influence, regressions
from whatworks.stats.matching import MatchedPairs, matching

TREATED = np.array([True, True, False, False, False])
PAIRS = MatchedPairs.of(np.array([0, 1, 1]), np.array([2, 3, 4]), np.array([1.0, 0.5, 0.5]), n=5)
SOUGHT = TREATED.astype(float)


def test_weight_of_the_censored_goes_to_everyone_who_remains_and_no_treated_is_lost() -> None:
    standing = np.array([1.0, 1.0, 0.0, 2.0, 1.0])
    month = matching(PAIRS, weight=SOUGHT, is_treated=TREATED, standing=standing)
    np.testing.assert_allclose(month.own, [0.5, 0.5, 0, 0, 0])
    np.testing.assert_allclose(month.lent, [0, 0, 0, 2 / 3, 1 / 3])
    assert month.before is not None
    np.testing.assert_allclose(month.before.lent, [0, 0, 0.5, 0.25, 0.25])
    values = np.array([[5.0], [7.0], [100.0], [3.0], [6.0]])
    effect = matched_effect(values, np.empty((5, 0)), month, None)
    assert effect[0] == pytest.approx(6.0 - (2 * 3.0 + 6.0) / 3)


def test_a_match_not_seen_leaves_its_part_to_its_own_set() -> None:
    seen = np.array([1.0, 1.0, 1.0, 0.0, 1.0])
    month = matching(PAIRS, weight=SOUGHT, is_treated=TREATED, factor=seen)
    np.testing.assert_allclose(month.lent, [0, 0, 0.5, 0, 0.5])
    assert month.before is None


def test_nobody_left_counts_nobody() -> None:
    standing = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
    month = matching(PAIRS, weight=SOUGHT, is_treated=TREATED, standing=standing)
    assert not month.own.any()
    assert not month.lent.any()


def test_errors_count_that_who_remains_differs_by_chance() -> None:
    """Outcomes told entirely by a covariate: only whom censoring left makes the effect vary."""
    rng = np.random.default_rng(0)
    n = 4_000
    treated = np.arange(2 * n) < n
    x = np.tile(rng.normal(size=n), 2)[:, None]
    pairs = MatchedPairs.of(np.arange(n), np.arange(n, 2 * n), np.ones(n), n=2 * n)
    effects, errors = [], []
    for _ in range(200):
        standing = np.where(treated, 1.0, 2.0 * (rng.random(2 * n) < 0.5))
        month = matching(pairs, weight=treated.astype(float), is_treated=treated, standing=standing)
        lending = regressions(x, x, month.lent, treated)
        effects.append(matched_effect(x, x, month, None)[0])
        found = matched_influence(
            x, x, month, lending, bias_adjust=False, sample=False, unbiased=True
        )
        errors.append(np.sqrt((found**2).sum()))
    # Each comparison left or doubled: variance 1/n, since 2·Bernoulli(1/2) − 1 has variance one.
    assert np.mean(errors) == pytest.approx(1 / np.sqrt(n), rel=0.1)
    assert np.std(effects) == pytest.approx(1 / np.sqrt(n), rel=0.2)
