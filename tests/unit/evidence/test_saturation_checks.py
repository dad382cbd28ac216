"""Checks on shares that were drawn: silent elsewhere, each failing on data that deserve it."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from whatworks import (
    Design,
    Estimate,
    Finding,
    MatchedDifference,
    NearestNeighbours,
    SaturationRegression,
    worlds,
)
from whatworks.design.markets.attach import competing
from whatworks.design.markets.competition import Competition
from whatworks.estimate.reassigned.two_stage import Assigned
from whatworks.estimate.shares.exposure_regression import exposure_regression
from whatworks.evidence.checks import (
    clusters,
    cross_boundary,
    equal_spillovers,
    exchangeability,
    market_influence,
    saturation_attrition,
    saturation_balance,
    saturation_placebo,
    saturation_shares,
)
from whatworks.evidence.on_shares import joint, read
from whatworks.stats.clusters.covariance import cluster_robust
from whatworks.vocabulary import Supply, Verdict

ROLES: dict[str, Any] = {
    "treatment": "treat",
    "outcome": "y",
    "market": "market",
    "stratum": "stratum",
    "saturation": "share",
}
SHARES = (0.0, 0.25, 0.5, 0.75)
ON_SHARES = (
    equal_spillovers,
    exchangeability,
    cross_boundary,
    market_influence,
    saturation_balance,
    saturation_placebo,
    saturation_shares,
    saturation_attrition,
)


def table(
    seed: int = 1, *, n_markets: int = 60, size: int = 24, coins: bool = False
) -> pd.DataFrame:
    """Markets in strata of four shares; a covariate; nobody moved by anything."""
    rng = np.random.default_rng(seed)
    market = np.repeat(np.arange(n_markets), size)
    share = np.concatenate([rng.permutation(SHARES) for _ in range(n_markets // 4)])
    if coins:
        treat = rng.random(market.size) < share[market]
    else:
        rank = np.tile(np.arange(size), n_markets)
        treat = rank < share[market] * size
    x = rng.standard_normal(market.size)
    y = x + rng.standard_normal(market.size) + 0.2 * rng.standard_normal(n_markets)[market]
    return pd.DataFrame(
        {
            "market": market,
            "stratum": market // (4 * size),
            "share": share[market],
            "treat": treat.astype(int),
            "x": x,
            "y": y,
        }
    ).assign(stratum=lambda t: t["market"] // 4)


def drawn(frame: pd.DataFrame, *covariates: str) -> Design:
    return Design.from_cross_section(frame, **ROLES, covariates=covariates, randomised=True)


def answer(check: ModuleType, design: Design) -> Finding:
    found = check.run(design, [SaturationRegression().fit(design)], rng=np.random.default_rng(0))
    assert isinstance(found, Finding)
    assert found.check == check.__name__.rpartition(".")[2]
    return found


def test_silent_where_no_share_was_drawn() -> None:
    frame = table()
    undrawn = Design.from_cross_section(frame, **ROLES, covariates=["x"])
    plain = Design.from_cross_section(frame, treatment="treat", outcome="y", covariates=["x"])
    alone: Estimate = SaturationRegression().fit(drawn(frame))
    plainly = replace(alone, effects=alone.effects.assign(term="att"))
    for check in ON_SHARES:
        for design, estimate in ((undrawn, alone), (plain, plainly), (drawn(frame), plainly)):
            assert check.run(design, [estimate], rng=np.random.default_rng(0)) is None


def test_all_hold_where_all_is_well() -> None:
    design = drawn(table(2), "x")
    for check in (equal_spillovers, exchangeability, saturation_balance, saturation_shares):
        assert answer(check, design).verdict is Verdict.HOLDS
    assert answer(market_influence, design).verdict is not Verdict.FAILS
    for check in (cross_boundary, saturation_placebo, saturation_attrition):
        estimate = SaturationRegression().fit(design)
        assert check.run(design, [estimate], rng=np.random.default_rng(0)) is None


def test_spillovers_that_differ_by_share() -> None:
    frame = table()
    frame["y"] -= 1.5 * (frame["share"] == 0.75)
    found = answer(equal_spillovers, drawn(frame, "x"))
    assert found.verdict is Verdict.FAILS
    assert found.table is not None
    assert found.table["group"].tolist() == ["0.25", "0.5", "0.75"]
    one = drawn(frame[frame["share"].isin([0.0, 0.75])])
    estimate = SaturationRegression().fit(one)
    assert equal_spillovers.run(one, [estimate], rng=np.random.default_rng(0)) is None


def test_peers_that_matter_beyond_the_share() -> None:
    frame = table(3, coins=True)
    peers = frame.groupby("market")["treat"].transform("sum") - frame["treat"]
    assert answer(exchangeability, drawn(frame, "x")).verdict is Verdict.HOLDS
    moved = frame.assign(y=frame["y"] - 6 * peers / 23)
    found = answer(exchangeability, drawn(moved, "x"))
    assert found.verdict is Verdict.FAILS
    assert found.table is not None
    assert found.table["estimate"].iloc[:2].to_numpy() == pytest.approx([-6, -6], abs=2.5)
    # Numbers that are those of the share exactly, and no covariate: peers differ by one, oneself.
    nothing = answer(exchangeability, drawn(table(3)))
    assert nothing.verdict is Verdict.NOT_TESTABLE


def test_who_peers_are_that_matters() -> None:
    frame = table(4)
    theirs = frame["x"].where(frame["treat"] == 1).groupby(frame["market"]).transform("mean")
    moved = frame.assign(y=frame["y"] - 3 * theirs.fillna(0) * (1 - frame["treat"]))
    assert answer(exchangeability, drawn(moved, "x")).verdict is Verdict.FAILS


def neighbours(design: Design, *, on_a_ring: bool = True) -> Design:
    names = tuple(sorted(str(name) for name in design.units["market"].unique()))
    n = len(names)
    weights = np.zeros((n, n))
    for k in range(n):
        weights[k, k] += 0.5
        weights[k, (k + 1) % n if on_a_ring else k] += 0.5
    competition = Competition(names=names, weights=csr_array(weights), source="commuting")
    return competing(design, competition)


def test_shares_of_neighbours() -> None:
    frame = table(5)
    frame["market"] = frame["market"] + 100
    design = neighbours(drawn(frame, "x"))
    assert answer(cross_boundary, design).verdict is Verdict.HOLDS
    names = sorted(frame["market"].unique().astype(str))
    share = frame.groupby(frame["market"].astype(str))["share"].first()
    # Controls beside treated markets: neighbours of low shares have high ones, and take their jobs.
    after = {name: share[names[(k + 1) % len(names)]] for k, name in enumerate(names)}
    met = frame["market"].astype(str).map(after)
    leak = neighbours(drawn(frame.assign(y=frame["y"] - 4 * met), "x"))
    found = answer(cross_boundary, leak)
    assert found.verdict is Verdict.FAILS
    assert found.table is not None
    rows = found.table.set_index("exposure")
    assert rows.loc["neighbours", "p_value"] < 0.01
    assert rows.loc["neighbours", "estimate"] == pytest.approx(-8, abs=2)  # half of the competition
    moved = rows.loc["spillover_with_neighbours", "estimate"] - rows.loc["spillover", "estimate"]
    assert found.facts["difference"] == pytest.approx(moved)
    apart = neighbours(drawn(frame, "x"), on_a_ring=False)
    assert answer(cross_boundary, apart).verdict is Verdict.NOT_TESTABLE


@pytest.mark.parametrize("most_strata", [1, 99])
def test_without_each_market_by_brute_force(most_strata: int) -> None:
    frame = table(6, n_markets=16, size=12).assign(w=lambda t: 1 + (t["x"] > 0))
    for weight in (None, "w"):
        design = Design.from_cross_section(
            frame, **ROLES, covariates=["x"], weight=weight, randomised=True
        )
        assigned = Assigned.of(design, what="test")
        found = exposure_regression(assigned, 0, most_strata=most_strata)
        form = found.form("spillover", "all")
        assert form is not None
        for c, estimate in enumerate(found.without(form)):
            rest = frame[frame["market"].astype(str) != str(assigned.names[c])]
            assert len(rest) == len(frame) - 12
            shares = rest.groupby("share")["market"].nunique()
            again = Assigned.of(
                Design.from_cross_section(
                    rest, **ROLES, covariates=["x"], weight=weight, randomised=True
                ),
                what="test",
            )
            fit = exposure_regression(again, 0)
            by_share = [
                float(np.asarray(fit.form("spillover", format(p, ".6g"))) @ fit.blocks.beta)
                for p in SHARES[1:]
            ]
            assert (shares.to_numpy() >= 3).all()
            assert estimate == pytest.approx(np.mean(by_share), rel=1e-7)


def test_strata_taken_out_beforehand_cost_what_they_cost() -> None:
    assigned = Assigned.of(drawn(table(13, n_markets=40), "x"), what="test")
    told, p_values = [], []
    for most_strata in (1, 99):
        found = exposure_regression(assigned, 0, most_strata=most_strata)
        forms = np.array([found.form("spillover", "all"), found.form("direct", "all")])
        told.append(cluster_robust(found.blocks, kind="CR2", contrasts=forms))
        p_values.append([joint(found, forms), *read(found, forms).p_value])
    assert told[0].estimate == pytest.approx(told[1].estimate, rel=1e-8)
    assert told[0].covariance == pytest.approx(told[1].covariance, rel=1e-8)
    assert p_values[0] == pytest.approx(p_values[1], abs=0.03)  # laws of the same statistic


def test_one_market_that_makes_the_spillover() -> None:
    frame = table(7, n_markets=24)
    alone = frame["market"] == frame.loc[frame["share"] == 0.5, "market"].iloc[0]
    found = answer(market_influence, drawn(frame.assign(y=frame["y"] + 60 * alone), "x"))
    assert found.verdict is Verdict.FAILS
    assert found.statistic > 2
    assert found.table is not None
    assert found.facts["low"] < found.facts["high"]
    # What is clear with all markets, and of the other sign without one.
    steady = frame.assign(y=0.01 * frame["y"] - 0.05 * (frame["share"] > 0))
    assert answer(market_influence, drawn(steady, "x")).verdict is Verdict.HOLDS
    assert answer(market_influence, drawn(frame, "x")).verdict is not Verdict.FAILS
    small = frame[frame.groupby("market").cumcount() < 9]
    estimate = SaturationRegression().fit(drawn(small))
    assert market_influence.run(drawn(small), [estimate], rng=np.random.default_rng(0)) is None


def test_covariates_that_follow_the_share() -> None:
    frame = table(8)
    frame["x"] += 0.6 * (frame["share"] > 0)
    found = answer(saturation_balance, drawn(frame, "x"))
    assert found.verdict is Verdict.FAILS
    assert found.facts["covariate"] == "x"
    assert found.table is not None
    assert found.table["exposed"].iloc[0] == pytest.approx(0.6, abs=0.25)
    bare = drawn(frame)
    estimate = SaturationRegression().fit(bare)
    assert saturation_balance.run(bare, [estimate], rng=np.random.default_rng(0)) is None


def followed(frame: pd.DataFrame, before: np.ndarray, after: np.ndarray | None = None) -> Design:
    design = drawn(frame, "x")
    values = np.column_stack([before, design.outcomes.values[:, 0] if after is None else after])
    return replace(design, outcomes=replace(design.outcomes, months=(-1, 0), values=values))


def test_outcomes_before_entry() -> None:
    frame = table(9)
    rng = np.random.default_rng(9)
    noise = rng.standard_normal(len(frame))
    assert answer(saturation_placebo, followed(frame, noise)).verdict is Verdict.HOLDS
    moved = noise - 1.0 * (frame["share"] > 0).to_numpy()
    found = answer(saturation_placebo, followed(frame, moved))
    assert found.verdict is Verdict.FAILS
    assert found.table is not None
    assert found.table["month"].eq(-1).all()


def test_shares_of_the_data() -> None:
    frame = table(10)
    assert answer(saturation_shares, drawn(frame)).verdict is Verdict.HOLDS
    over = frame[(frame["treat"] == 1) | (frame["share"] == 0) | (frame.index % 2 == 0)]
    found = answer(saturation_shares, drawn(over))
    assert found.verdict is Verdict.FAILS
    first = frame.loc[frame["share"] == 0.25, "market"].iloc[0]
    missed = frame[(frame["market"] != first) | (frame["treat"] == 0)]
    told = answer(saturation_shares, drawn(missed))
    assert told.verdict is Verdict.STRAINED
    assert told.facts["n"] == 1


def test_outcomes_lost_where_many_are_assigned() -> None:
    frame = table(11)
    rng = np.random.default_rng(11)
    before, after = rng.standard_normal((2, len(frame)))
    some = np.where(rng.random(len(frame)) < 0.1, np.nan, after)
    assert answer(saturation_attrition, followed(frame, before, some)).verdict is Verdict.HOLDS
    chance = 0.05 + 0.4 * (frame["share"] > 0).to_numpy()
    lost = np.where(rng.random(len(frame)) < chance, np.nan, after)
    found = answer(saturation_attrition, followed(frame, before, lost))
    assert found.verdict is Verdict.FAILS
    assert found.table is not None
    assert found.table["n"].sum() == len(frame)
    dropped = frame.assign(y=frame["y"].where(frame.index % 9 > 0))
    assert answer(saturation_attrition, drawn(dropped)).verdict is Verdict.NOT_TESTABLE


def test_the_inference_of_few_markets_is_told() -> None:
    design = drawn(table(12, n_markets=24), "x")
    found = answer(clusters, design)
    assert found.facts["n"] == 6
    assert found.facts["inference"] == "randomisation"
    assert found.table is not None
    assert set(found.table["method"]) >= {"cr2_satterthwaite", "randomisation", "wild_restricted"}


def test_matched_designs_are_left_alone() -> None:
    world = worlds.simulate_jobs(worlds.FiniteJobs(n_markets=10)).frame
    design = Design.from_cross_section(world, treatment="treated", outcome="y", covariates=["x"])
    assert Supply.SATURATION not in design.supplies
    matched = design.matched(using=NearestNeighbours())
    estimate = MatchedDifference().fit(matched)
    for check in ON_SHARES:
        assert check.run(matched, [estimate], rng=np.random.default_rng(0)) is None
