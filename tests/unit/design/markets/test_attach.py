"""What is known of markets, attached, kept and read back; and the table of a design by market."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from whatworks import Competition, Design, competing, saturation_table, with_markets
from whatworks.design.markets.record import EVERY_MONTH
from whatworks.errors import DesignRefused, OptionError
from whatworks.vocabulary import DesignClass, Supply
from whatworks.worlds.finite_jobs import FiniteJobs, simulate_jobs

ROLES = {"treatment": "treated", "outcome": "y", "market": "market"}
POOL = simulate_jobs(FiniteJobs(n_markets=40, mean_pool=80, seed=2)).pool
PEOPLE = POOL[POOL["eligible"] == 1].reset_index(drop=True)
KNOWN = (
    POOL.groupby("market")
    .agg(
        seekers=("person_id", "size"),
        eligible=("eligible", "sum"),
        share=("saturation", "first"),
    )
    .reset_index()
    .assign(tight=np.linspace(0.2, 3, 40), sector=["town", "land"] * 20, rate=np.arange(40.0))
)


def design(**more: object) -> Design:
    return Design.from_cross_section(PEOPLE, **ROLES, **more)  # type: ignore[arg-type]  # options of one function


def test_what_is_known_is_attached_and_counted() -> None:
    more = pd.concat([KNOWN, KNOWN.iloc[[0]].assign(market=99)])
    found = with_markets(
        design(),
        more,
        market="market",
        seekers="seekers",
        eligible="eligible",
        saturation="share",
        tightness="tight",
        tightness_before=True,
        moderators=["sector", "rate"],
        hired_across=0.1,
        shares_from="files",
    )
    assert found.markets is not None
    table = found.markets.table
    assert table["market"].tolist() == sorted(str(m) for m in more["market"])
    assert (table["month"] == EVERY_MONTH).all()
    told = table.set_index("market").loc[PEOPLE["market"].astype(str)]
    assert np.array_equal(
        told["seekers"], PEOPLE["market"].map(KNOWN.set_index("market")["seekers"])
    )
    assert np.array_equal(found.units["saturation"], PEOPLE["saturation"])
    assert table["treated"].isna().all()
    assert table["sector"].dtype == object
    assert table["rate"].dtype == np.float64
    assert {Supply.MARKETS, Supply.SATURATION} <= found.supplies
    assert Supply.DRAWN_SATURATION not in found.supplies
    step = found.ledger.steps[-1]
    assert (step.name, step.before, step.after) == ("markets", 41, 40)


def test_shares_drawn_in_a_randomised_design_are_said_to_be() -> None:
    found = with_markets(
        design(randomised=True), KNOWN, market="market", saturation="share", shares_from="design"
    )
    assert found.design_class is DesignClass.RANDOMISED
    assert Supply.DRAWN_SATURATION in found.supplies


def test_months_are_labels_or_numbers() -> None:
    for month in (["2020-03"] * 40, [24242] * 40):
        found = with_markets(
            design(), KNOWN.assign(month=month), market="market", month="month", tightness="tight"
        )
        assert found.markets is not None
        assert (found.markets.table["month"] == 24242).all()
    with pytest.raises(DesignRefused, match="40 of 40 without"):
        with_markets(
            design(),
            KNOWN.assign(month="2020-03"),
            market="market",
            month="month",
            saturation="share",
        )


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"share": 1.5}, {"saturation": "share"}, "from 0 to 1: needed|numbers from 0 to 1"),
        ({"tight": -1.0}, {"tightness": "tight"}, "not negative"),
        ({"eligible": 1e6}, {"seekers": "seekers", "eligible": "eligible"}, "at most the seekers"),
        ({"market": 1}, {}, "39 repeated"),
        ({}, {"saturation": "shares"}, "'share'"),
        ({}, {"hired_across": 30.0}, "a share from 0 to 1"),
        ({}, {"shares_from": "survey"}, "design, files, sample"),
        ({"tightness": 1.0}, {"moderators": ["tightness"]}, "names other than"),
    ],
)
def test_tables_that_cannot_be_right(
    change: dict[str, object], options: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        with_markets(design(), KNOWN.assign(**change), market="market", **options)  # type: ignore[arg-type]


def test_every_market_of_the_design_must_be_told() -> None:
    with pytest.raises(DesignRefused, match="3 of 40 that it does not tell"):
        with_markets(design(), KNOWN.iloc[3:], market="market")
    nowhere = Design.from_cross_section(PEOPLE, treatment="treated", outcome="y")
    with pytest.raises(DesignRefused, match="units without"):
        with_markets(nowhere, KNOWN, market="market")
    told = design(saturation="saturation")
    with pytest.raises(OptionError, match="others in 32 markets"):
        with_markets(
            told, KNOWN.assign(share=KNOWN["share"] / 2), market="market", saturation="share"
        )


def test_saved_and_read_back_with_markets_and_competition(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    places = KNOWN.assign(x=rng.uniform(0, 90, 40), y=rng.uniform(0, 90, 40))
    made = with_markets(
        design(),
        places.assign(tight=np.where(places["market"] < 3, np.nan, places["tight"])),
        market="market",
        seekers="seekers",
        saturation="share",
        tightness="tight",
        tightness_before=False,
        moderators=["sector", "rate"],
        shares_from="sample",
    )
    rivals = Competition.by_distance(
        places, market="market", coordinates=("x", "y"), scale=10, cut=25
    )
    made = competing(made, rivals)
    assert made.markets is not None
    made.save(tmp_path / "design")
    back = Design.load(tmp_path / "design")
    assert back.markets is not None
    pd.testing.assert_frame_equal(back.markets.table, made.markets.table)
    for name in ("moderators", "tightness_before", "shares_from"):
        assert getattr(back.markets, name) == getattr(made.markets, name)
    assert np.isnan(back.markets.hired_across)
    assert back.markets.competition is not None
    assert back.markets.competition.names == rivals.names
    assert (back.markets.competition.weights != rivals.weights).nnz == 0
    assert np.array_equal(back.markets.competition.distance, rivals.distance)  # type: ignore[arg-type]
    assert back.supplies == made.supplies
    assert back.sealed().seal == back.seal
    file = tmp_path / "design" / "design.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace('"shares_from": "sample"', '"shares_from": "design"'), encoding="utf-8"
    )
    with pytest.raises(DesignRefused, match="as they were sealed"):
        Design.load(tmp_path / "design")


def test_the_table_of_a_drawn_design() -> None:
    found = saturation_table(
        Design.from_cross_section(
            POOL,
            **ROLES,  # type: ignore[arg-type]
            saturation="saturation",
            stratum="stratum",
            eligible="eligible",
            covariates=["x"],
            randomised=True,
        )
    )
    assert found.supplies == "saturation_drawn"
    arms = POOL.assign(
        arm=np.where(
            POOL["eligible"] == 0,
            "ineligible",
            np.where(POOL["treated"] == 1, "assigned", "unassigned"),
        )
    )
    by_hand = arms.groupby(["saturation", "arm"]).agg(
        n_units=("person_id", "size"), n_markets=("market", "nunique")
    )
    some = found.cells[found.cells["n_units"] > 0].set_index(["saturation_from", "arm"])
    assert some[["n_units", "n_markets"]].sort_index().to_numpy().tolist() == (
        by_hand.sort_index().to_numpy().tolist()
    )
    sample = PEOPLE.groupby("saturation")["treated"].mean()
    np.testing.assert_allclose(found.shares["sample_share"], sample)
    np.testing.assert_allclose(found.shares["saturation"], sample.index)


def test_balance_has_the_errors_of_the_draw_of_markets() -> None:
    table = PEOPLE.assign(age=30 + 3 * PEOPLE["x"] + PEOPLE["market"] % 3)
    made = Design.from_cross_section(
        table,
        **ROLES,  # type: ignore[arg-type]
        saturation="saturation",
        stratum="stratum",
        covariates=["x", "age"],
        randomised=True,
    )
    found = saturation_table(made)
    strata = pd.get_dummies(table["stratum"], dtype=float)
    exposure = pd.DataFrame(
        {"assigned": table["treated"] * 1.0, "treated_market": (table["saturation"] > 0) * 1.0}
    )
    x = pd.concat([exposure, strata], axis=1)
    balance = found.balance.set_index(["contrast", "covariate"])
    for name in ("x", "age"):
        fit = sm.OLS(table[name], x).fit(cov_type="cluster", cov_kwds={"groups": table["market"]})
        for contrast in exposure:
            row = balance.loc[(contrast, name)]
            assert row["difference"] == pytest.approx(fit.params[contrast], rel=1e-9)
            assert row["std_error"] == pytest.approx(fit.bse[contrast], rel=1e-9)
    assert balance.loc[("assigned", "all"), "p_value"] > 0.001
    leverage = found.leverage
    np.testing.assert_allclose(leverage[["assigned", "treated_market"]].sum(), 1)
    rest = sm.OLS(exposure["treated_market"], x.drop(columns="treated_market")).fit().resid
    by_market = (rest**2).groupby(table["market"].astype(str)).sum() / (rest**2).sum()
    mine = leverage.set_index("market")["treated_market"]
    np.testing.assert_allclose(mine, by_market.loc[mine.index])
    assert leverage["treated_market"].is_monotonic_decreasing


def test_what_a_design_supplies_in_words() -> None:
    assert saturation_table(design(saturation="saturation")).supplies == "saturation_varies"
    assert saturation_table(design()).supplies == "markets_only"
    half = PEOPLE[PEOPLE["saturation"] == 0.5]
    alike = Design.from_cross_section(half, **ROLES, saturation="saturation", randomised=True)  # type: ignore[arg-type]
    assert saturation_table(alike).supplies == "markets_only"
    nothing = saturation_table(Design.from_cross_section(PEOPLE, treatment="treated", outcome="y"))
    assert nothing.supplies == "nothing"
    assert nothing.sentence
    for name in ("cells", "shares", "one_armed", "balance", "leverage"):
        empty = getattr(nothing, name)
        assert empty.empty
        full = getattr(saturation_table(design(saturation="saturation")), name)
        assert list(empty) == list(full)


def test_many_shares_are_shown_by_fifths_and_pure_control_apart() -> None:
    rng = np.random.default_rng(5)
    share = np.where(np.arange(40) < 8, 0.0, rng.uniform(0.1, 0.9, 40))[PEOPLE["market"]]
    treated = (rng.random(len(PEOPLE)) < share).astype(int)
    made = Design.from_cross_section(
        PEOPLE.assign(saturation=share, treated=treated),
        **ROLES,
        saturation="saturation",  # type: ignore[arg-type]
    )
    found = saturation_table(made)
    assert len(found.shares) == 6
    assert found.shares["n_markets"].tolist()[0] == 8
    assert found.shares["n_markets"].sum() == 40
    assert found.shares["saturation_to"].iloc[0] == 0
    assert found.cells["n_units"].sum() == len(PEOPLE)
