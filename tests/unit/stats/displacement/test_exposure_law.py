"""Exposures under a known draw: exactly unbiased over every assignment, and variances no smaller."""

from __future__ import annotations

from itertools import chain, combinations, product

import numpy as np
import pytest
from scipy.sparse import csr_array

from whatworks.stats.displacement.exposure_law import (
    CANNOT,
    Exposure,
    classes,
    drawn_shares,
    exposure_law,
    exposure_means,
    met,
)

SIZE = np.array([2, 4, 4, 2, 4])
MARKET = np.repeat(np.arange(5), SIZE)
ALONE = np.eye(5)
OVERLAP = np.array(
    [
        [0.7, 0.3, 0.0, 0.0, 0.0],
        [0.2, 0.8, 0.0, 0.0, 0.0],
        [0.0, 0.4, 0.6, 0.0, 0.0],
        [0.0, 0.0, 0.1, 0.9, 0.0],
        [0.2, 0.0, 0.2, 0.0, 0.6],
    ]
)
THREE = (Exposure(arm=0, level=0), Exposure(arm=0, level=1), Exposure(arm=1, level=1))
CASES = {
    "alone": (ALONE, [0, 0, 0.5, 0.5, 0.5], [0, 0, 0, 0, 0], [1.0], THREE),
    "strata": (ALONE, [0, 0.5, 0.5, 0, 0.5], [0, 0, 1, 1, 1], [1.0], THREE),
    "two shares": (
        ALONE,
        [0, 0, 0.5, 0.5, 1.0],
        [0, 0, 0, 0, 0],
        [0.6],
        (*THREE, Exposure(arm=1, level=2)),
    ),
    "overlap": (
        OVERLAP,
        [0, 0, 0.5, 0.5, 0.5],
        [0, 0, 0, 0, 0],
        [0.35],
        (Exposure(arm=0, level=1), Exposure(arm=0, level=2), Exposure(arm=1, level=2)),
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_over_every_assignment(case: str) -> None:
    weights, share, stratum, edges, exposures = CASES[case]
    rng = np.random.default_rng(5)
    drawn = drawn_shares(np.array(share), np.array(stratum), draws=500, rng=rng)
    assert drawn.exact
    law = exposure_law(
        drawn,
        csr_array(weights),
        exposures,
        np.array(edges),
        near_zero=0.0,
        size=SIZE.astype(float),
    )
    could = law.chance[:, MARKET] > 0
    outcomes = [1 + rng.normal(size=MARKET.size) + rng.normal(size=5)[MARKET] for _ in exposures]
    chances, means, variances = [], [], []
    for p, level in zip(drawn.shares, law.level, strict=True):
        ways = [
            list(combinations(np.flatnonzero(m == MARKET), round(p[m] * SIZE[m]))) for m in range(5)
        ]
        for chosen in product(*ways):
            z = np.zeros(MARKET.size, dtype=int)
            z[list(chain(*chosen))] = 1
            sums = []
            for exposure, y in zip(exposures, outcomes, strict=True):
                here = (z == exposure.arm) & (level[MARKET] == exposure.level)
                m = MARKET[here]
                powers = (np.ones(m.size), y[here], y[here] ** 2)
                sums.append([np.bincount(m, power, 5) for power in powers])
            n, total, square = np.array(sums).transpose(1, 0, 2)
            found = exposure_means(
                law,
                counts=n,
                sums=total,
                squares=(n, total, square),
                people=np.full(len(exposures), float(MARKET.size)),
                hajek=False,
            )
            chances.append(1 / len(drawn.shares) / np.prod([len(w) for w in ways]))
            means.append(found.mean)
            variances.append(found.covariance)
    weight, mean = np.array(chances), np.array(means)
    assert weight.sum() == pytest.approx(1.0)
    # Exactly unbiased, over the people who could have been in the exposure.
    truth = [(y * c).sum() / MARKET.size for y, c in zip(outcomes, could, strict=True)]
    np.testing.assert_allclose(weight @ mean, truth, rtol=1e-10)
    gap = mean - weight @ mean
    true = gap.T @ (gap * weight[:, None])
    told = np.tensordot(weight, np.array(variances), 1)
    # Conservative for every linear form, and not by much for means and contrasts of two.
    k = len(exposures)
    plain = [np.eye(k)[i] - np.eye(k)[j] * (i != j) for i in range(k) for j in range(i + 1)]
    for form in (*plain, *rng.normal(size=(50, k))):
        assert form @ told @ form >= (form @ true @ form) * (1 - 1e-9)
    for form in plain:
        assert form @ told @ form <= 8 * (form @ true @ form)


def test_chances_of_two_people_are_those_of_counting() -> None:
    """One market of three eligible and one ineligible at a half: one or two of three are assigned."""
    drawn = drawn_shares(
        np.array([0.5]), np.zeros(1, dtype=int), draws=10, rng=np.random.default_rng()
    )
    one, none = Exposure(arm=1, level=1), Exposure(arm=0, level=1)
    apart = Exposure(arm=CANNOT, level=1)
    law = exposure_law(
        drawn,
        csr_array(np.eye(1)),
        (one, none, apart),
        np.array([]),
        near_zero=0.0,
        size=np.array([3.0]),
    )
    # With one of three (half the time) or two, ordered pairs of six.
    assert law.together(0, 0)[0] == pytest.approx((0 + 2) / 2 / 6)
    assert law.together(1, 1)[0] == pytest.approx((2 + 0) / 2 / 6)
    assert law.together(0, 1)[0] == pytest.approx((2 + 2) / 2 / 6)
    assert law.together(1, 0)[0] == law.together(0, 1)[0]
    assert law.together(0, 2)[0] == pytest.approx(0.5)
    assert law.together(2, 2)[0] == pytest.approx(1.0)


def test_draws_keep_to_strata_and_are_enumerated_where_few() -> None:
    share = np.array([0.0, 0.5, 0.0, 0.5, 1.0])
    stratum = np.array([0, 0, 1, 1, 1])
    every = drawn_shares(share, stratum, draws=12, rng=np.random.default_rng(0))
    assert every.exact
    assert len(np.unique(every.shares, axis=0)) == 12
    some = drawn_shares(share, stratum, draws=11, rng=np.random.default_rng(0))
    assert not some.exact
    assert some.shares.shape == (11, 5)
    assert (np.sort(some.shares[:, :2], axis=1) == [0, 0.5]).all()


def test_shares_met_fall_in_classes() -> None:
    found = met(np.array([[0.0, 0.4]]), csr_array(np.array([[0.5, 0.5], [0.25, 0.75]])))
    np.testing.assert_allclose(found, [[0.2, 0.3]])
    edges = np.array([0.25, 0.5])
    assert classes(np.array([0.0, 0.02, 0.25, 0.3, 0.9]), edges, near_zero=0.02).tolist() == [
        0,
        0,
        1,
        2,
        3,
    ]


def test_influences_of_markets_carry_the_covariance() -> None:
    rng = np.random.default_rng(6)
    share = np.tile([0.0, 0.5], 20)
    market = np.repeat(np.arange(40), 6)
    level = (share[market] > 0).astype(int)
    drawn = drawn_shares(share, np.zeros(40, dtype=int), draws=400, rng=rng)
    law = exposure_law(
        drawn, csr_array(np.eye(40)), THREE, np.array([]), near_zero=0.0, size=np.full(40, 6.0)
    )
    z = np.tile([1, 0, 1, 0, 1, 0], 40) * level
    y = rng.normal(size=240) + rng.normal(size=40)[market]
    sums = []
    for exposure in THREE:
        here = (z == exposure.arm) & (level == exposure.level)
        m = market[here]
        powers = (np.ones(m.size), y[here], y[here] ** 2)
        sums.append([np.bincount(m, power, 40) for power in powers])
    n, total, square = np.array(sums).transpose(1, 0, 2)
    found = exposure_means(
        law, counts=n, sums=total, squares=(n, total, square), people=np.full(3, 240.0), hajek=True
    )
    np.testing.assert_allclose(found.influence.T @ found.influence, found.covariance, rtol=1e-9)
    assert found.lifted == pytest.approx(0.0, abs=1e-12)
    for k, exposure in enumerate(THREE):
        # Chances are one a market here, so that ratios are plain means over markets drawn alike.
        here = (z == exposure.arm) & (level == exposure.level)
        assert found.mean[k] == pytest.approx(
            np.average(y[here], weights=1 / law.chance[k][market[here]]), rel=1e-12
        )
