"""Methods for drawn shares against regressions written out, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IV2SLS

from whatworks import (
    Design,
    SaturationIV,
    SaturationMeans,
    SaturationRegression,
    WhatworksError,
    with_markets,
)
from whatworks.errors import DisplacementRefused
from whatworks.estimate.shares.responses import INELIGIBLE, responses_of
from whatworks.stats.clusters.blocks import cluster_blocks
from whatworks.stats.clusters.covariance import cluster_robust
from whatworks.stats.displacement.group_averages import direct_variance
from whatworks.stats.displacement.instrumented import ratio
from whatworks.vocabulary import Unidentified

SHARES = (0.0, 0.25, 0.5, 0.75)


def trial(seed: int = 0, *, n_markets: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.integers(15, 30, n_markets)
    market = np.repeat(np.arange(n_markets), size)
    share = np.array(SHARES)[np.arange(n_markets) % 4]
    n = market.size
    treat = (rng.random(n) < share[market]).astype(int)
    x = rng.normal(size=n)
    took = np.where(treat == 1, rng.random(n) < 0.4 + 0.3 * share[market], rng.random(n) < 0.05)
    y = 1 + 0.5 * took - share[market] * 0.4 + 0.3 * x + rng.normal(size=n_markets)[market] * 0.3
    return pd.DataFrame(
        {
            "treat": treat,
            "took": took.astype(int),
            "y": y + rng.normal(size=n),
            "x": x,
            "market": market,
            "stratum": market // 8,
            "share": share[market],
            "weight": rng.uniform(0.5, 2, n),
            "sex": rng.integers(0, 2, n),
        }
    )


def design(table: pd.DataFrame, **changed: Any) -> Design:
    roles: dict[str, Any] = {
        "treatment": "treat",
        "outcome": "y",
        "covariates": ["x"],
        "market": "market",
        "stratum": "stratum",
        "saturation": "share",
        "took_part": "took",
        "randomised": True,
    }
    return Design.from_cross_section(table, **(roles | changed))


def written_out(table: pd.DataFrame, *, interacted: bool) -> tuple[np.ndarray, np.ndarray]:
    """Columns of every cell but the first, covariate about its weighted mean, and strata."""
    cells = [(z, p) for p in SHARES for z in (0, 1) if not (p == 0 and z == 0)][1:]
    own = [((table["treat"] == z) & (table["share"] == p)).to_numpy(float) for z, p in cells]
    exposure = np.column_stack(own)
    w = table["weight"].to_numpy()
    x = table["x"].to_numpy() - np.average(table["x"], weights=w)
    strata = pd.get_dummies(table["stratum"]).to_numpy(float)
    parts = [exposure, x[:, None]]
    if interacted:
        parts.append(exposure * x[:, None])
    return np.column_stack([*parts, strata]), np.array(cells)


@pytest.mark.parametrize("errors", ["CR1", "CR2", "CR3"])
@pytest.mark.parametrize("interacted", [False, True])
def test_regression_is_that_with_strata_written_out(errors: str, interacted: bool) -> None:
    table = trial()
    how = "interacted" if interacted else "as_they_are"
    estimate = SaturationRegression(errors=errors, covariates=how).fit(  # type: ignore[arg-type]
        design(table, weight="weight")
    )
    found = estimate.effects.set_index(["term", "group"])
    columns, cells = written_out(table, interacted=interacted)
    blocks = cluster_blocks(
        columns,
        table["y"].to_numpy(),
        table["market"].to_numpy(),
        weight=table["weight"].to_numpy(),
    )
    place = {(int(z), p): i for i, (z, p) in enumerate(cells)}
    for share in SHARES[1:]:
        forms = np.zeros((2, columns.shape[1]))
        forms[0, place[1, share]], forms[0, place[0, share]] = 1, -1
        forms[1, place[0, share]] = 1
        theirs = cluster_robust(blocks, kind={"CR1": "CR1S"}.get(errors, errors), contrasts=forms)
        for k, term in enumerate(("direct", "spillover")):
            row = found.loc[(term, f"{share:g}")]
            assert row["estimate"] == pytest.approx(theirs.estimate[k], rel=1e-9)
            assert row["std_error"] == pytest.approx(theirs.std_error[k], rel=1e-9)


def test_participation_is_that_of_linearmodels_with_strata_written_out() -> None:
    table = trial(1)
    estimate = SaturationIV(errors="CR1").fit(design(table))
    found = estimate.effects.set_index(["term", "group"])
    here = np.column_stack([table["share"] == p for p in SHARES[1:]]).astype(float)
    assigned = here * table["treat"].to_numpy()[:, None]
    taking = here * table["took"].to_numpy()[:, None]
    held = np.column_stack([table["x"], pd.get_dummies(table["stratum"]).to_numpy(float)])
    y = table["y"]
    how = {"cov_type": "clustered", "clusters": table["market"], "debiased": True}
    by_share = IV2SLS(y, np.column_stack([here, held]), taking, assigned).fit(**how)
    for k, share in enumerate(SHARES[1:]):
        row = found.loc[("direct_participants", f"{share:g}")]
        assert row["estimate"] == pytest.approx(by_share.params.iloc[-3 + k], rel=1e-8)
        assert row["std_error"] == pytest.approx(by_share.std_errors.iloc[-3 + k], rel=1e-8)
    arms = table.groupby(["market", "treat"])["took"].mean().unstack()
    share = table.groupby("market")["share"].first()
    one = arms[1].fillna(arms[1].groupby(share).transform("mean")).fillna(0.0)
    others = (share * one + (1 - share) * arms[0])[table["market"]].to_numpy()
    both = IV2SLS(
        y,
        held,
        np.column_stack([table["took"], others]),
        np.column_stack([here, assigned]),
    ).fit(**how)
    for k, term in enumerate(("direct_participants", "spillover_participation")):
        row = found.loc[(term, "participation")]
        assert row["estimate"] == pytest.approx(both.params.iloc[-2 + k], rel=1e-8)
        assert row["std_error"] == pytest.approx(both.std_errors.iloc[-2 + k], rel=1e-8)
    # Beside them, the effects of being assigned, as regression has them.
    plain = SaturationRegression().fit(design(table)).effects.set_index(["term", "group"])
    for term in ("direct", "spillover", "total", "overall"):
        assert found.loc[(term, "all"), "estimate"] == pytest.approx(
            plain.loc[(term, "all"), "estimate"], rel=1e-12
        )
    taken = estimate.extras["take_up"]
    assert taken.arm.tolist() == responses_of(estimate, what="test").arm.tolist()


def test_complier_effects_are_ratios_of_averages() -> None:
    table = trial(2)
    made = design(table, stratum=None, covariates=[])
    rows = SaturationIV().fit(made).extras["compliers"].set_index(["effect", "arm", "saturation"])
    inside = table[table["share"] == 0.5].groupby("treat")[["y", "took"]].mean()
    gap = inside.loc[1] - inside.loc[0]
    row = rows.loc[("direct", "assigned", 0.5)]
    assert row["ratio"] == pytest.approx(gap["y"] / gap["took"], rel=1e-9)
    at = table[table["treat"] == 1].groupby("share")[["y", "took"]].mean()
    move = at.loc[0.75] - at.loc[0.5]
    spill = rows.loc[("spillover", "assigned", 0.75)]
    assert spill["versus"] == 0.5
    assert spill["ratio"] == pytest.approx(move["y"] / move["took"], rel=1e-9)


def test_a_ratio_of_nothing_is_undefined() -> None:
    found = ratio(1.0, 0.0, np.eye(2))
    assert np.isnan([found.value, found.std_error]).all()


def test_the_variance_of_the_markets_of_the_trial_by_hand() -> None:
    # Two markets of a share, of four: effects 2 and 4; each arm of two units, 0 and 2 apart.
    y = np.array([3.0, 5.0, 1.0, 3.0, 6.0, 8.0, 2.0, 4.0])
    arm = np.array([1, 1, 0, 0, 1, 1, 0, 0]) == 1
    effect, variance = direct_variance(y, arm, np.repeat([0, 1], 4), n_all=4)
    assert effect == 3.0
    # (1 − 2/4)·s²/2 with s² = 2, and (1/(4·2))·4·(2/2).
    assert variance == pytest.approx(0.5 + 0.5)


def test_averages_over_persons_are_another_estimand() -> None:
    table = trial(3)
    made = design(table)
    markets = SaturationMeans().fit(made)
    persons = SaturationMeans(average_over="persons").fit(made)
    assert (markets.extras["average_over"], persons.extras["average_over"]) == (
        "markets",
        "persons",
    )
    half = table[(table["share"] == 0.5)]
    by_arm = half.groupby(["market", "treat"])["y"].mean().unstack()
    gap = by_arm[1] - by_arm[0]
    size = half.groupby("market").size()
    one = markets.effects.set_index(["term", "group"]).loc[("direct", "0.5")]
    assert one["estimate"] == pytest.approx(gap.mean())
    assert one["std_error"] == pytest.approx(gap.std() / np.sqrt(gap.size))
    other = persons.effects.set_index(["term", "group"]).loc[("direct", "0.5")]
    assert other["estimate"] == pytest.approx(np.average(gap, weights=size))


def test_within_strata_each_weighs_as_its_markets() -> None:
    table = trial(4)
    made = design(table)
    found = SaturationMeans(within_strata=True).fit(made).effects.set_index(["term", "group"])
    means = table.groupby(["stratum", "share", "treat", "market"])["y"].mean()
    of_stratum = means.groupby(["stratum", "share", "treat"]).mean().unstack()
    gap = of_stratum.xs(0.5, level="share")
    # Five strata of eight markets each.
    assert found.loc[("direct", "0.5"), "estimate"] == pytest.approx((gap[1] - gap[0]).mean())


def test_strata_that_lack_a_cell_are_counted() -> None:
    table = trial(4)
    table = table[~((table["stratum"] == 0) & (table["share"] == 0.25) & (table["treat"] == 1))]
    estimate = SaturationMeans(within_strata=True).fit(design(table))
    step = estimate.ledger.steps[-1]
    assert dict(step.dropped) == {"stratum_without_cell": int((table["stratum"] == 0).sum())}


def test_the_ineligible_have_a_regression_of_their_own() -> None:
    table = trial(5).assign(may=1)
    rest = trial(6).assign(treat=0, took=0, may=0)
    plain = SaturationRegression().fit(design(table)).effects.set_index(["term", "group"])
    estimate = SaturationRegression().fit(design(pd.concat([table, rest]), eligible="may"))
    found = estimate.effects.set_index(["term", "group"])
    for term in ("direct", "spillover", "total", "overall"):
        assert found.loc[(term, "all"), "estimate"] == pytest.approx(
            plain.loc[(term, "all"), "estimate"], rel=1e-9
        )
    assert ("spillover_ineligible", "0.5") in found.index
    assert (responses_of(estimate, what="test").arm == INELIGIBLE).sum() == len(SHARES)


def test_covariates_that_determine_exposure_are_refused() -> None:
    table = trial().assign(z=lambda t: t["treat"] * (t["share"] == 0.5))
    with pytest.raises(DisplacementRefused, match="exposure") as caught:
        SaturationRegression().fit(design(table, covariates=["z"]))
    assert caught.value.code is Unidentified.P_COLLINEAR


def test_a_covariate_that_repeats_another_is_left_out_and_named() -> None:
    table = trial().assign(again=lambda t: 3 * t["x"] + 1)
    one = SaturationRegression().fit(design(table))
    two = SaturationRegression().fit(design(table, covariates=["x", "again"]))
    assert two.extras["repeated"] == ("again",)
    pd.testing.assert_frame_equal(one.effects, two.effects, rtol=1e-9)


def test_strata_that_split_markets_have_no_cr2() -> None:
    table = trial().assign(stratum=lambda t: t["sex"])
    by_market = SaturationRegression(errors="CR1").fit(design(table))
    assert by_market.effects["std_error"].notna().all()
    with pytest.raises(WhatworksError, match="whole markets"):
        SaturationRegression().fit(design(table))


def test_assignment_that_moves_nobody_is_no_instrument() -> None:
    table = trial().assign(took=0)
    with pytest.raises(WhatworksError, match="moves participation"):
        SaturationIV().fit(design(table))


def test_shares_that_were_not_drawn_need_another_method() -> None:
    for method in (SaturationRegression(), SaturationMeans(), SaturationIV()):
        with pytest.raises(WhatworksError, match="drawn_saturation"):
            method.fit(design(trial(), randomised=False))


def test_groups_of_markets_are_thirds_of_what_is_known_before() -> None:
    table = trial()
    rng = np.random.default_rng(9)
    known = pd.DataFrame({"market": np.arange(40), "tight": rng.uniform(0.2, 2, 40)})
    known["sector"] = np.where(known["market"] % 8 < 4, "care", "trade")
    made = with_markets(
        design(table),
        known,
        market="market",
        tightness="tight",
        tightness_before=True,
        moderators=["sector"],
    )
    estimate = SaturationRegression(by=("sector",)).fit(made)
    assert {"sector=care", "sector=trade"} <= set(estimate.effects["group"])
    tests = estimate.extras["tests"].set_index(["test", "group"])
    assert tests.loc[("groups_direct", "sector"), "df"] == 1
    loose = with_markets(
        design(table, stratum=None),
        known,
        market="market",
        tightness="tight",
        tightness_before=True,
    )
    thirds = SaturationRegression(by=("tightness",)).fit(loose).effects["group"]
    assert {f"tightness={word}" for word in ("low", "middle", "high")} <= set(thirds)
    late = with_markets(
        design(table), known, market="market", tightness="tight", tightness_before=False
    )
    with pytest.raises(DisplacementRefused) as caught:
        SaturationRegression(by=("tightness",)).fit(late)
    assert caught.value.code is Unidentified.POST_TREATMENT_TIGHTNESS


def test_means_on_a_line_are_not_rejected_and_have_its_slopes() -> None:
    table = trial()
    table["y"] = 2 + table["treat"] * (1 + 0.5 * table["share"]) - table["share"]
    table["y"] += np.random.default_rng(3).normal(size=len(table)) * 1e-3
    estimate = SaturationRegression().fit(design(table, covariates=[], stratum=None))
    found = estimate.effects.set_index(["term", "group"])["estimate"]
    assert found["slope_assigned", "linear"] == pytest.approx(-0.5, abs=2e-3)
    assert found["slope_unassigned", "linear"] == pytest.approx(-1.0, abs=2e-3)
    tests = estimate.extras["tests"].set_index("test")
    assert tests.loc["line", "p_value"] > 0.01
    assert tests.loc["flat", "p_value"] < 1e-6


def test_participation_by_cr2_is_that_of_assignment_where_everyone_follows_it() -> None:
    made = design(trial(8).assign(took=lambda t: t["treat"]))
    by_iv = SaturationIV(errors="CR2").fit(made).effects.set_index(["term", "group"])
    plain = SaturationRegression(errors="CR2").fit(made).effects.set_index(["term", "group"])
    for share in ("0.25", "0.5", "0.75"):
        for column in ("estimate", "std_error"):
            mine = by_iv.loc[("direct_participants", share), column]
            assert mine == pytest.approx(plain.loc[("direct", share), column], rel=1e-9)


@pytest.mark.parametrize("errors", ["CR1", "CR2", "CR3"])
def test_one_market_does_not_say_how_markets_of_its_share_vary(errors: str) -> None:
    table = trial()
    alone = table["market"] == 3
    table.loc[alone, "share"] = 0.6
    fitted = SaturationRegression(errors=errors, restricted=()).fit(  # type: ignore[arg-type]
        design(table, stratum=None)
    )
    rows = fitted.effects.set_index(["term", "group"])
    assert np.isfinite(rows.loc[("spillover", "0.6"), "estimate"])
    assert np.isnan(rows.loc[[("spillover", "0.6"), ("total", "0.6")], "std_error"]).all()
    assert np.isnan(rows.loc[("spillover", "0.25"), "std_error"]) == (errors != "CR1")
