"""The door of methods on displacement: each typed refusal from the data that deserve it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks import Design
from whatworks.design.markets.identified import require_shares, why_not
from whatworks.design.markets.record import EVERY_MONTH, Markets
from whatworks.errors import DesignRefused, DisplacementRefused
from whatworks.vocabulary import Supply, Unidentified
from whatworks.worlds.finite_jobs import FiniteJobs, simulate_jobs

ROLES = {"treatment": "treated", "outcome": "y", "market": "market", "saturation": "saturation"}


def jobs(n_markets: int = 50, **options: object) -> pd.DataFrame:
    """Eligible seekers of the markets of a world with finite jobs."""
    return simulate_jobs(FiniteJobs(n_markets=n_markets, mean_pool=90, seed=3, **options)).frame  # type: ignore[arg-type]  # options of one record


def drawn(table: pd.DataFrame, **more: object) -> Design:
    return Design.from_cross_section(
        table,
        **ROLES,
        stratum="stratum",
        randomised=True,
        **more,  # type: ignore[arg-type]  # options of one function
    )


def counted(table: pd.DataFrame, **more: object) -> Design:
    """Shares nobody drew."""
    return Design.from_cross_section(table, **ROLES, **more)  # type: ignore[arg-type]  # options of one function


def known(design: Design, *, tightness: np.ndarray | float = np.nan, **more: object) -> Design:
    """The design with what is known of its markets."""
    names = sorted(design.units["market"].unique())
    table = pd.DataFrame(
        {
            "market": np.array(names, dtype=object),
            "month": EVERY_MONTH,
            "seekers": np.nan,
            "eligible": np.nan,
            "treated": np.nan,
            "saturation": np.nan,
            "tightness": tightness,
        }
    )
    return replace(design, markets=Markets(table=table, **more))  # type: ignore[arg-type]  # options of one record


def refused(design: Design, **asked: bool) -> Unidentified:
    with pytest.raises(DisplacementRefused) as caught:
        require_shares(design, method="a method", **asked)
    assert caught.value.remedy
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own object
    assert again.code is caught.value.code
    found = why_not(design, method="a method", **asked)
    assert isinstance(found, DisplacementRefused)
    assert found.code is caught.value.code
    return caught.value.code


def test_a_drawn_design_passes_and_tells_its_markets() -> None:
    table = jobs()
    shares = require_shares(drawn(table), method="a method")
    assert shares.levels.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert shares.n_markets.tolist() == [10] * 5
    assert shares.sides == (10, 40)
    assert shares.p_values
    by_market = table.astype({"market": str}).groupby("market")
    assert shares.names.tolist() == sorted(by_market.groups)
    assert shares.n_units.sum() == len(table)
    pd.testing.assert_series_equal(
        pd.Series(shares.n_units[:, 1], index=shares.names),
        by_market["treated"].sum(),
        check_names=False,
    )
    assert np.array_equal(shares.saturation[shares.cell], table["saturation"])
    assert np.array_equal(shares.names[shares.market], table["market"].astype(str))
    assert why_not(drawn(table), method="a method") is None


def test_one_market() -> None:
    table = jobs()
    one = table[table["market"] == table["market"][table["saturation"] == 0.5].iloc[0]]
    assert refused(counted(one)) is Unidentified.ONE_MARKET
    nowhere = Design.from_cross_section(table, treatment="treated", outcome="y")
    assert refused(nowhere) is Unidentified.ONE_MARKET


def test_no_variation() -> None:
    table = jobs()
    half = table[table["saturation"] == 0.5]
    assert refused(drawn(half)) is Unidentified.NO_SATURATION_VARIATION
    unknown = Design.from_cross_section(table, treatment="treated", outcome="y", market="market")
    assert refused(unknown) is Unidentified.NO_SATURATION_VARIATION


def test_no_pure_control_forbids_spillovers_and_leaves_direct_effects() -> None:
    some = drawn(jobs().query("saturation > 0"))
    assert refused(some) is Unidentified.NO_PURE_CONTROL
    shares = require_shares(some, method="a method", pure_control=False)
    assert shares.sides == (20, 20)


@pytest.mark.parametrize(("kept", "told"), [(2, None), (3, False), (5, False), (6, True)])
def test_too_few_markets(kept: int, told: bool | None) -> None:
    table = jobs()
    controls = sorted(table["market"][table["saturation"] == 0].unique())[:kept]
    few = table[(table["saturation"] > 0) | table["market"].isin(controls)]
    design = Design.from_cross_section(few, **ROLES, randomised=True)  # type: ignore[arg-type]
    if told is None:
        assert refused(design) is Unidentified.TOO_FEW_MARKETS
        return
    assert require_shares(design, method="a method").p_values is told


def test_few_markets_without_a_pure_control_are_counted_on_the_most_even_split() -> None:
    table = jobs().query("saturation > 0")
    low = sorted(table["market"][table["saturation"] == 0.25].unique())[:2]
    few = table[(table["saturation"] == 0.75) | table["market"].isin(low)]
    design = Design.from_cross_section(few, **ROLES, randomised=True)  # type: ignore[arg-type]
    assert refused(design, pure_control=False) is Unidentified.TOO_FEW_MARKETS


@pytest.mark.parametrize("decimals", [None, 4, 2])
def test_shares_computed_from_the_sample(decimals: int | None) -> None:
    rng = np.random.default_rng(0)
    # A survey that drew the assigned of each arm at its own rate.
    table = jobs().loc[lambda t: rng.random(len(t)) < np.where(t["treated"] == 1, 0.9, 0.5)]
    share = table.groupby("market")["treated"].transform("mean")
    table = table.assign(saturation=share if decimals is None else share.round(decimals))
    design = drawn(table)
    assert refused(design) is Unidentified.SATURATION_FROM_SAMPLE
    for source in ("design", "files", "sample"):
        assert require_shares(known(design, shares_from=source), method="a method").levels.size > 5


def test_shares_drawn_and_carried_out_exactly_are_not_mistaken_for_those_of_the_sample() -> None:
    share = np.repeat([0.0, 0.25, 0.5, 0.75], 4)
    table = pd.DataFrame(
        {"market": np.repeat(np.arange(16), 20), "saturation": np.repeat(share, 20)}
    )
    place = np.tile(np.arange(20), 16)
    table = table.assign(treated=(place < table["saturation"] * 20).astype(int), y=place * 1.0)
    assert require_shares(counted(table), method="a method").levels.size == 4


def test_shares_determined_by_strata_or_by_a_covariate_of_markets() -> None:
    table = jobs()
    strata = table.assign(stratum=table["saturation"].astype(str))
    assert refused(drawn(strata)) is Unidentified.P_COLLINEAR
    # Everyone is treated somewhere in stratum b, and the pure controls are all in stratum a.
    apart = table.assign(stratum=np.where(table["saturation"] == 0, "a", "b"))
    assert refused(drawn(apart)) is Unidentified.P_COLLINEAR
    assert require_shares(drawn(apart), method="a method", pure_control=False).levels.size == 5
    rate = drawn(table.assign(rate=20 - 8 * table["saturation"]), covariates=["rate"])
    assert refused(rate) is Unidentified.P_COLLINEAR


def test_undrawn_shares_that_follow_tightness() -> None:
    design = counted(jobs())
    shares = require_shares(design, method="a method")
    ranks = np.argsort(np.argsort(shares.saturation, kind="stable"))
    followed = known(design, tightness=np.exp(-ranks / 10))
    assert refused(followed) is Unidentified.P_COLLINEAR
    other = known(design, tightness=np.random.default_rng(1).gamma(2, size=50))
    assert require_shares(other, method="a method").levels.size == 5


def test_shares_decided_by_the_outcome_of_the_month_before() -> None:
    rng = np.random.default_rng(4)
    market = np.repeat(np.arange(60), 30)
    trouble = rng.normal(size=60)
    for follows, code in ((1.0, Unidentified.P_COLLINEAR), (0.0, None)):
        index = follows * trouble + 0.5 * rng.normal(size=60)
        share = np.array([0, 0.2, 0.4, 0.6])[
            np.digitize(index, np.quantile(index, [0.25, 0.5, 0.75]))
        ]
        treated = (rng.random(market.size) < share[market]).astype(int)
        table = pd.DataFrame(
            {"market": market, "saturation": share[market], "treated": treated, "y": 0.0}
        )
        made = counted(table)
        before = -trouble[market] + rng.normal(size=market.size)
        outcomes = replace(
            made.outcomes,
            months=(-1, 6),
            values=np.column_stack([before, rng.normal(size=market.size)]),
        )
        design = replace(made, outcomes=outcomes, supplies=made.supplies | {Supply.PRE_MONTHS})
        if code is None:
            assert why_not(design, method="a method") is None
            continue
        assert refused(design) is code
        # Drawn shares meet the past by chance only: that is for checks of balance to say.
        lucky = replace(design, supplies=design.supplies | {Supply.DRAWN_SATURATION})
        assert why_not(lucky, method="a method") is None


@pytest.mark.parametrize("before", [None, False, True])
def test_tightness_measured_after(before: bool | None) -> None:
    tight = np.random.default_rng(2).gamma(2, size=50)
    design = known(drawn(jobs()), tightness=tight, tightness_before=before)
    assert require_shares(design, method="a method").names.size == 50
    if before:
        assert require_shares(design, method="a method", by_tightness=True).names.size == 50
        return
    assert refused(design, by_tightness=True) is Unidentified.POST_TREATMENT_TIGHTNESS
    with pytest.raises(DesignRefused, match="the tightness of markets"):
        require_shares(drawn(jobs()), method="a method", by_tightness=True)


def test_hires_across_borders() -> None:
    design = known(drawn(jobs()), hired_across=0.3)
    assert refused(design) is Unidentified.BOUNDARY_LEAK
    assert require_shares(design, method="a method", across=True).names.size == 50
    kept = known(drawn(jobs()), hired_across=0.25)
    assert require_shares(kept, method="a method").names.size == 50


def test_cells_of_one_arm_are_listed_and_not_refused() -> None:
    table = jobs()
    lost = sorted(table["market"][table["saturation"] == 0.75].unique())[:3]
    one_armed = table[~(table["market"].isin(lost) & (table["treated"] == 0))]
    found = require_shares(drawn(one_armed), method="a method").one_armed
    assert found["market"].tolist() == sorted(str(m) for m in lost)
    assert set(found["missing"]) == {"unassigned"}
    assert set(found["saturation"]) == {0.75}
    assert found["n_units"].tolist() == [
        int((one_armed["market"].astype(str) == m).sum()) for m in found["market"]
    ]


def test_data_that_contradict_the_design() -> None:
    table = jobs()
    percent = drawn(table.assign(saturation=100 * table["saturation"]))
    with pytest.raises(DesignRefused, match="divide percentages by 100"):
        require_shares(percent, method="a method")
    first = table.index == table.index[0]
    several = drawn(table.assign(saturation=table["saturation"].where(~first, 0.33)))
    with pytest.raises(DesignRefused, match="1 markets with several"):
        require_shares(several, method="a method")
    stray = table.assign(treated=np.where(table["saturation"] == 0, 1, table["treated"]))
    n = int((table["saturation"] == 0).sum())
    with pytest.raises(DesignRefused, match=f"{n} assigned units in such markets"):
        require_shares(drawn(stray), method="a method")


def test_the_ineligible_count_for_the_market_and_not_for_the_shares_of_arms() -> None:
    pool = simulate_jobs(FiniteJobs(n_markets=50, mean_pool=90, seed=3)).pool
    shares = require_shares(drawn(pool, eligible="eligible"), method="a method")
    assert shares.n_units.sum() == pool["eligible"].sum()
    assert shares.n_ineligible.sum() == (1 - pool["eligible"]).sum()


def test_months_of_entry_have_their_own_share_of_a_market() -> None:
    made = counted(jobs())
    later = made.units.assign(entry_month=1, saturation=made.units["saturation"] / 2)
    units = pd.concat([made.units, later], ignore_index=True)
    units["unit_id"] = np.arange(len(units))
    outcomes = replace(made.outcomes, values=np.concatenate([made.outcomes.values] * 2))
    shares = require_shares(replace(made, units=units, outcomes=outcomes), method="a method")
    assert shares.saturation.size == 100
    assert shares.names.size == 50
    assert sorted(set(shares.month)) == [0, 1]
    assert shares.sides == (10, 40)


def test_crepon_2013_shares_are_those_of_the_design(shared_data: Path) -> None:
    file = shared_data / "crepon2013" / "JD_publicdata_12.dta"
    raw = pd.read_stata(file, convert_categoricals=False)
    kept = raw[(raw["session"] != 12) & (raw["emploiav"] != 1)].reset_index(drop=True)
    roles = {**ROLES, "treatment": "assigned", "outcome": "cdd6m", "market": "anonale"}
    by_design = {**roles, "saturation": "pct0"}
    design = Design.from_cross_section(kept, **by_design, stratum="noq", randomised=True)  # type: ignore[arg-type]
    shares = require_shares(design, method="a method")
    assert shares.n_markets.tolist() == [47] * 5
    alone = shares.one_armed
    at_three_quarters = alone[(alone["saturation"] == 0.75) & (alone["missing"] == "unassigned")]
    assert len(at_three_quarters) == 12
    sample = kept.assign(saturation=kept.groupby("anonale")["assigned"].transform("mean"))
    assert (
        refused(Design.from_cross_section(sample, **roles, stratum="noq", randomised=True))  # type: ignore[arg-type]
        is Unidentified.SATURATION_FROM_SAMPLE
    )


def test_shares_that_arithmetic_alone_sets_apart_are_one() -> None:
    table = jobs()
    written = table.assign(saturation=table["saturation"] + 1e-12 * (table["market"] == 7))
    shares = require_shares(drawn(written), method="a method")
    assert shares.levels.tolist() == sorted(table["saturation"].unique())


def test_assignment_that_contradicts_the_share_or_who_could_be_is_refused() -> None:
    table = jobs()
    full = table.index[table["saturation"] == 1][0]
    left = table.assign(treated=table["treated"].where(table.index != full, 0))
    with pytest.raises(DesignRefused, match="where the share drawn is one; found 1 unassigned"):
        require_shares(drawn(left), method="a method")
    barred = table.assign(could=(table.index != full).astype(int))
    with pytest.raises(DesignRefused, match="found 1 assigned units said not to be eligible"):
        require_shares(drawn(barred, eligible="could"), method="a method")
