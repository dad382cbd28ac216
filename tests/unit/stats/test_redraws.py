"""Two stages drawn again: laws by enumeration, refits by ordinary regressions, conditional draws by count."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations, product
from math import comb

import numpy as np
import pytest
from scipy import stats

from whatworks.errors import DesignRefused
from whatworks.stats.assignments import mid_share, share_as_far
from whatworks.stats.clusters.blocks import cluster_blocks
from whatworks.stats.clusters.covariance import cluster_robust
from whatworks.stats.displacement import redraws
from whatworks.stats.displacement.conditional import most_focal, slopes
from whatworks.stats.displacement.exposures import Exposures, by_share, levels_of, pooled
from whatworks.stats.displacement.refits import market_sums, refitted
from whatworks.stats.uncertainty import sums_by_number

DRAWS = 30_000


def even(counts: np.ndarray) -> float:
    """P-value of all outcomes being as likely."""
    return float(stats.chisquare(counts).pvalue)


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_sums_over_drawn_are_those_of_every_subset_alike(number: int) -> None:
    values = 2.0 ** np.arange(6)[:, None]  # each subset has a sum of its own
    drawn = redraws.sums_over_drawn(
        values, np.array([0]), np.full((DRAWS, 1), number), rng=np.random.default_rng(1)
    )
    sums = Counter(drawn[:, 0, 0].tolist())
    expected = {float(values[list(s)].sum()) for s in combinations(range(6), number)}
    assert set(sums) == expected
    assert even(np.array([sums[s] for s in expected])) > 1e-3


def test_few_values_are_drawn_by_their_numbers() -> None:
    values = np.repeat([[0.0, 1.0], [1.0, 1.0], [3.0, 0.0]], 40, axis=0)
    drawn = redraws.sums_over_drawn(
        values, np.array([0]), np.full((DRAWS, 1), 50), rng=np.random.default_rng(2)
    )[:, 0]
    assert drawn[:, 0].mean() == pytest.approx(50 * values[:, 0].mean(), rel=0.002)
    covariance = np.cov(values.T) * 50 * (1 - 50 / 120)
    assert np.cov(drawn.T) == pytest.approx(covariance, rel=0.05)


def test_several_markets_at_once_and_nobody_or_everyone() -> None:
    rng = np.random.default_rng(3)
    size = np.array([3, 400, 1, 50, 50])
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    values = rng.standard_normal((size.sum(), 2))
    number = np.array([[0, 100, 1, 50, 7], [3, 399, 0, 0, 50], [2, 1, 1, 25, 25]] * 400)
    drawn = redraws.sums_over_drawn(values, first, number, rng=rng)
    parts = np.split(values, first[1:])
    whole = np.array([p.sum(axis=0) for p in parts])
    assert drawn[0::3, 0] == pytest.approx(np.zeros((400, 2)))
    assert drawn[1::3, 0] == pytest.approx(np.tile(whole[0], (400, 1)))
    assert drawn[0::3, 2] == pytest.approx(np.tile(whole[2], (400, 1)))
    assert drawn[1::3, 4] == pytest.approx(np.tile(whole[4], (400, 1)))
    left_out = whole[1] - drawn[1::3, 1]  # one person is left out: a row of the market
    gaps = np.abs(left_out[:, None] - parts[1]).sum(axis=2).min(axis=1)
    assert gaps.max() < 1e-9
    assert drawn[2::3, 3].mean(axis=0) == pytest.approx(whole[3] / 2, abs=0.9)


def test_pieces_do_not_change_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(4).standard_normal((200, 1))
    number = np.tile([30, 10], (2_000, 1))
    first = np.array([0, 120])
    drawn = redraws.sums_over_drawn(values, first, number, rng=np.random.default_rng(5))
    monkeypatch.setattr(redraws, "PIECE", 1_000)
    again = redraws.sums_over_drawn(values, first, number, rng=np.random.default_rng(6))
    for c in range(2):
        assert stats.ks_2samp(drawn[:, c, 0], again[:, c, 0]).pvalue > 1e-3


def test_numbers_are_rounded_by_chance_or_left_to_coins() -> None:
    share = np.full((DRAWS, 2), 0.3)
    size = np.array([10, 11])
    rounded = redraws.numbers_redrawn(share, size, rule="rounded", rng=np.random.default_rng(1))
    assert set(rounded[:, 0]) <= {3, 4}
    assert (rounded[:, 0] == 3).mean() > 0.999
    assert rounded[:, 1].mean() == pytest.approx(3.3, abs=0.02)
    coin = redraws.numbers_redrawn(share, size, rule="coin", rng=np.random.default_rng(1))
    assert coin.var(axis=0) == pytest.approx(size * 0.21, rel=0.05)


def test_shares_keep_to_their_strata_and_are_all_alike() -> None:
    share = np.array([0.0, 0.5, 1.0, 0.2, 0.2])
    stratum = np.array([1, 1, 1, 0, 0])
    drawn = redraws.shares_redrawn(share, stratum, draws=6_000, rng=np.random.default_rng(2))
    assert (drawn[:, 3:] == 0.2).all()
    orders = Counter(map(tuple, drawn[:, :3]))
    assert set(orders) == set(permutations((0.0, 0.5, 1.0)))
    assert even(np.array(list(orders.values()))) > 1e-3


SHARES = np.array([0.25, 0.5, 0.75, 1.0])
ARMS = np.array([[True, True]] * 3 + [[True, False]])


@pytest.mark.parametrize("covariates", [0, 2])
@pytest.mark.parametrize("exposures", [by_share(SHARES, arms=ARMS, markets=np.array([4, 4, 4, 4])),
                                       pooled(arms=np.array([True, True]))])  # fmt: skip
def test_refits_are_the_regressions_of_the_rows(exposures: Exposures, covariates: int) -> None:
    rng = np.random.default_rng(3)
    size = rng.integers(4, 20, 24)
    market, first = np.repeat(np.arange(24), size), np.concatenate([[0], np.cumsum(size)[:-1]])
    stratum, share = np.arange(24) // 6, np.tile([0, 0, 0.25, 0.5, 0.75, 1.0], 4)
    y = rng.standard_normal(market.size) + stratum[market]
    x = (rng.standard_normal((market.size, 2)) + share[market, None])[:, :covariates]
    weight = rng.random(market.size) + 0.5
    weight[rng.random(market.size) < 0.1] = 0
    y[weight == 0] = np.nan
    sums, columns = market_sums(y, x, weight, market, stratum)
    shares = redraws.shares_redrawn(share, stratum, draws=4, rng=rng)
    number = redraws.numbers_redrawn(shares, size, rule="rounded", rng=rng)
    treated = np.zeros((4, market.size), dtype=bool)
    for b, c in product(range(4), range(24)):
        treated[b, first[c] + rng.permutation(size[c])[: number[b, c]]] = True
    drawn = np.array([sums_by_number(columns * z[:, None], market, n_clusters=24) for z in treated])
    by_level = exposures.groups[0] != "pooled"
    level = levels_of(shares, SHARES) if by_level else (shares > 0).astype(np.int64)
    fits = refitted(sums, exposures, drawn, level)
    seen = weight > 0
    for b in range(4):
        exposed = exposures.columns(treated[b], level[b][market])
        rows = np.column_stack([exposed, np.eye(4)[stratum[market]], x])[seen]
        blocks = cluster_blocks(rows, y[seen], market[seen], weight=weight[seen])
        rest = np.zeros((len(exposures.forms), rows.shape[1] - exposed.shape[1]))
        told = cluster_robust(blocks, kind="CR1S", contrasts=np.hstack([exposures.forms, rest]))
        assert fits.effect[b] == pytest.approx(told.estimate, abs=1e-12)
        assert fits.covariance[b] == pytest.approx(told.covariance, abs=1e-13)
        two = np.array([0, 1])
        distance = told.estimate[two] @ np.linalg.solve(told.covariance[:2, :2], told.estimate[two])
        assert fits.wald(two)[b] == pytest.approx(distance, rel=1e-9)


def test_an_assignment_that_leaves_a_share_without_an_arm_is_undefined() -> None:
    exposures = pooled(arms=np.array([True, True]))
    market = np.repeat(np.arange(4), 3)
    y = np.arange(12.0) ** 2
    sums, columns = market_sums(y, np.empty((12, 0)), np.ones(12), market, np.zeros(4, dtype=int))
    treated = np.repeat([False, True, True, False], 3)  # markets of positive share: all treated
    drawn = sums_by_number(columns * treated[:, None], market, n_clusters=4)[None]
    fits = refitted(sums, exposures, drawn, np.array([[0, 1, 1, 0]]))
    assert np.isnan(fits.effect).all()
    assert np.isnan(fits.t).all()
    assert np.isnan(fits.wald(np.array([0, 1]))).all()


def test_covariates_that_strata_tell_are_refused() -> None:
    market = np.repeat(np.arange(4), 3)
    stratum = np.array([0, 0, 1, 1])
    x = stratum[market].astype(float)[:, None]
    with pytest.raises(DesignRefused, match="within strata"):
        market_sums(np.arange(12.0), x, np.ones(12), market, stratum)


def test_averages_add_up_and_weigh_markets() -> None:
    told = by_share(SHARES, arms=ARMS, markets=np.array([1, 2, 3, 9]))
    names = list(zip(told.terms, told.groups, strict=True))
    form = dict(zip(names, told.forms, strict=True))
    assert form["total", "all"] == pytest.approx(form["direct", "all"] + form["spillover", "all"])
    # Shares that tell all three terms: a quarter, a half, three quarters, of 1, 2 and 3 markets.
    assert form["direct", "all"].tolist() == pytest.approx([1 / 6, 0, 2 / 6, 0, 3 / 6, 0, 0])
    quarter = 0.25 * form["direct", "0.25"] + form["spillover", "0.25"]
    assert form["overall", "0.25"] == pytest.approx(quarter)
    assert ("total", "1") in names
    assert ("spillover", "1") not in names


def test_focal_persons_leave_the_order_of_shares_to_chance() -> None:
    """Brute force: two markets, both stages, then focal persons; given them, either order is as likely."""
    size, shares = (4, 6), (0.0, 0.5)
    focal = most_focal(np.array(size), np.array(shares), np.array([0, 0]))
    assert focal.tolist() == [2, 3]
    law: Counter[tuple[object, tuple[float, ...]]] = Counter()
    for order in permutations(shares):
        number = [round(p * n) for p, n in zip(order, size, strict=True)]
        ways = [list(combinations(range(n), t)) for n, t in zip(size, number, strict=True)]
        for treated in product(*ways):
            left = [[i for i in range(n) if i not in t] for n, t in zip(size, treated, strict=True)]
            picks = [list(combinations(rest, m)) for rest, m in zip(left, focal, strict=True)]
            chance = 1 / (comb(size[0], number[0]) * comb(size[1], number[1]))
            chance /= len(picks[0]) * len(picks[1])
            for picked in product(*picks):
                law[picked, order] += chance
    for picked in {key[0] for key in law}:
        assert law[picked, (0.0, 0.5)] == pytest.approx(law[picked, (0.5, 0.0)])


def test_the_slope_is_that_of_a_regression_with_strata() -> None:
    rng = np.random.default_rng(7)
    mass = rng.integers(1, 9, 9).astype(float)
    stratum = np.repeat([0, 1, 2], 3)
    share = np.tile([0.0, 0.25, 0.5], 3)
    outcome = rng.standard_normal(9) * mass
    found = slopes(outcome, mass, stratum, share[None])
    market = np.repeat(np.arange(9), mass.astype(int))
    columns = np.column_stack([share[market], np.eye(3)[stratum[market]]])
    blocks = cluster_blocks(columns, (outcome / mass)[market], market)
    rows = cluster_robust(blocks, kind="CR0", contrasts=np.eye(4)[0])
    assert found.slope[0] == pytest.approx(rows.estimate[0])
    assert found.std_error[0] == pytest.approx(rows.std_error[0])
    flat = slopes(outcome, mass, stratum, np.full((1, 9), 0.5))
    assert np.isnan(flat.slope[0])


def test_half_of_the_ties() -> None:
    drawn = np.array([3.0, -3.0, 2.0, -2.0, 1.0, -1.0, np.nan])
    assert mid_share(2.0, drawn, exact=True) == pytest.approx((3 + 1) / 7)
    assert share_as_far(2.0, drawn, exact=True) == pytest.approx(5 / 7)
    assert mid_share(2.0, drawn, exact=False) == pytest.approx((3 + 1.5) / 8)
    assert np.isnan(mid_share(np.nan, drawn, exact=True))
