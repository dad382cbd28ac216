"""From totals of territories to net per 100 participants, and against what persons say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks import (
    CallawaySantAnna,
    Design,
    Estimate,
    Finding,
    SaturationRegression,
    SyntheticDiD,
    market_totals,
    participation,
    territories,
    weigh,
)
from whatworks.design.markets.record import EVERY_MONTH, MARKET_COLUMNS, Markets
from whatworks.errors import OptionError
from whatworks.estimate.shares.market_totals import TOTALS, MarketTotals
from whatworks.evidence.checks import micro_macro
from whatworks.vocabulary import Verdict
from whatworks.worlds import FiniteJobs, jobs_truth, simulate_jobs

BEFORE = 5
"""Periods before the programme, each a draw of the world in which nobody is helped."""
SHARE = 0.5


def world(displacement: float, *, seed: int = 11, n_markets: int = 400) -> FiniteJobs:
    return FiniteJobs(
        seed=seed,
        n_markets=n_markets,
        mean_pool=300,
        saturations=(0.0, SHARE),
        displacement=displacement,
        shock=0.05,
    )


def persons(options: FiniteJobs) -> pd.DataFrame:
    return simulate_jobs(options).pool


def land(options: FiniteJobs) -> Design:
    """Everybody's outcomes, market by market: before the programme, then under it."""
    drawn = persons(options).groupby("market").agg(y=("y", "mean"), p=("saturation", "first"))
    rows = []
    for period in range(BEFORE):
        still = replace(options, effect=0.0, seed=options.seed * 100 + period)
        rows.append(persons(still).groupby("market")["y"].mean().rename(period + 1))
    rows.append(drawn["y"].rename(BEFORE + 1))
    table = pd.concat(rows, axis=1).reset_index()
    table["start"] = np.where(drawn["p"].to_numpy() > 0, BEFORE + 1, 0)
    # Names that sort as those of the persons' design do.
    long = table.melt(["market", "start"], var_name="period", value_name="rate")
    return Design.from_panel(
        long.assign(period=long["period"].astype(int), name=long["market"].astype(str)),
        unit="market",
        period="period",
        first_treated="start",
        outcome="rate",
        market="name",
    )


def trial(options: FiniteJobs) -> Design:
    table = simulate_jobs(options).frame
    return Design.from_cross_section(
        table.assign(market=table["market"].astype(str)),
        treatment="treated",
        outcome="y",
        market="market",
        saturation="saturation",
        randomised=True,
    )


def totals_of(options: FiniteJobs, *, named: bool = True) -> Estimate:
    made = territories(land(options))
    pool = persons(options)
    under = pool[pool["saturation"] > 0]
    return market_totals(
        CallawaySantAnna().fit(made),
        participants=float(under["treated"].mean()),
        design=made if named else None,
    )


def naive(design: Design, estimate: Estimate) -> Estimate:
    """What a comparison within markets says: the direct effect, and nothing of others."""
    effects = estimate.effects
    kept = np.flatnonzero(((effects["term"] == "direct") & (effects["group"] == "all")).to_numpy())
    form = np.eye(len(effects))[kept]
    return replace(
        estimate,
        effects=effects.iloc[kept].reset_index(drop=True),
        uncertainty=estimate.uncertainty.combine(form),
        extras={},
    )


def answer(displacement: float, **options: float) -> Finding:
    drawn = world(displacement, **options)
    made = trial(drawn)
    found = micro_macro.run(
        made,
        [naive(made, SaturationRegression().fit(made)), totals_of(drawn)],
        rng=np.random.default_rng(0),
    )
    assert found is not None
    return found


def test_it_fires_where_jobs_are_taken_from_others() -> None:
    found = answer(0.8)
    assert found.verdict is Verdict.FAILS
    truth = jobs_truth(world(0.8)).set_index("saturation").loc[SHARE]
    table = found.table.set_index("side")
    assert table.loc["micro", "estimate"] == pytest.approx(100 * truth["direct"], abs=1.5)
    macro = table.loc["macro"]
    assert macro["conf_low"] < truth["net_pool"] < macro["conf_high"]
    assert found.facts["gap"] > 4


def test_it_is_silent_where_every_gain_is_a_new_job() -> None:
    found = answer(0.0)
    assert found.verdict is Verdict.HOLDS
    assert (
        abs(found.facts["gap"]) < 2 * found.table.set_index("side").loc["difference", "std_error"]
    )


def test_noisy_totals_are_not_a_proof_of_no_displacement() -> None:
    found = answer(0.8, n_markets=16, seed=20)
    assert found.verdict is Verdict.NOT_TESTABLE
    assert found.facts["found_from"] > found.facts["micro"]
    assert found.facts["total_from"] > 5


def test_the_difference_has_the_error_of_both_together() -> None:
    drawn = world(0.8, n_markets=100)
    made = trial(drawn)
    micro = naive(made, SaturationRegression().fit(made))
    rng = np.random.default_rng(0)
    joint = micro_macro.run(made, [micro, totals_of(drawn)], rng=rng)
    apart = micro_macro.run(made, [micro, totals_of(drawn, named=False)], rng=rng)
    assert joint is not None
    assert apart is not None
    one, two = (f.table.set_index("side")["std_error"] for f in (joint, apart))
    assert two["difference"] == pytest.approx(np.hypot(two["micro"], two["macro"]))
    assert one["difference"] != pytest.approx(two["difference"], rel=1e-6)
    # By hand: both sums over markets, in the order of their names.
    whole = totals_of(drawn)
    at = np.flatnonzero((whole.effects["month"] == 0) & (whole.effects["cohort"] == -1))[0]
    a, b = micro.uncertainty, whole.uncertainty
    shared = 100 * np.sqrt(a.factor * b.factor) * a.values[:, 0] @ b.values[:, at]
    expected = np.sqrt(one["micro"] ** 2 + one["macro"] ** 2 - 2 * shared)
    assert one["difference"] == pytest.approx(expected)


def test_the_check_is_run_with_the_others() -> None:
    drawn = world(0.8, n_markets=100)
    made = trial(drawn)
    primary = naive(made, SaturationRegression().fit(made))
    found = weigh(made, [primary, totals_of(drawn)])
    assert "micro_macro" in {f.check for f in found.findings}
    assert micro_macro.run(made, [primary], rng=np.random.default_rng(0)) is None


def test_a_rescaled_estimate_and_what_it_could_have_found() -> None:
    drawn = world(0.5, n_markets=40)
    made = territories(land(drawn))
    whole = SyntheticDiD().fit(made)
    found = market_totals(whole, participants=0.25)
    row, per = whole.at(0), found.at(0)
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        assert per[name] == pytest.approx(400 * row[name])
    assert per["p_value"] == row["p_value"]
    np.testing.assert_allclose(
        found.uncertainty.covariance()[0, 0], 160_000 * whole.uncertainty.covariance()[0, 0]
    )
    totals = found.extras[TOTALS]
    assert isinstance(totals, MarketTotals)
    law = totals.table.iloc[0]
    assert totals.mde == pytest.approx(law["mde"])
    assert law["mde"] > 2.8 * law["std_error"]
    # Half as many participants, twice the smallest effect that can be found.
    half = market_totals(whole, participants=0.125).extras[TOTALS]
    assert half.mde == pytest.approx(2 * totals.mde)
    points = replace(made, outcomes=replace(made.outcomes, unit="pp"))
    assert market_totals(SyntheticDiD().fit(points), participants=0.25).at(0)[
        "estimate"
    ] == pytest.approx(4 * row["estimate"])


def test_participants_from_the_markets_of_a_design() -> None:
    made = trial(world(0.5, n_markets=4))
    with pytest.raises(OptionError, match="seekers"):
        participation(made)
    table = pd.DataFrame(dict.fromkeys(MARKET_COLUMNS, np.nan), index=range(3))
    table = table.assign(
        market=["a", "b", "c"],
        month=EVERY_MONTH,
        seekers=[100.0, 300.0, 50.0],
        treated=[10.0, 50.0, 0.0],
    )
    assert participation(replace(made, markets=Markets(table=table))) == pytest.approx(60 / 400)


def test_refusals() -> None:
    drawn = world(0.5, n_markets=20)
    whole = CallawaySantAnna().fit(territories(land(drawn)))
    for wrong in (0.0, 1.5):
        with pytest.raises(OptionError, match="participants"):
            market_totals(whole, participants=wrong)
    with pytest.raises(OptionError, match="month"):
        market_totals(whole, participants=0.2, month=7)
    made = trial(drawn)
    with pytest.raises(OptionError, match="treated territories"):
        market_totals(SaturationRegression().fit(made), participants=0.2)
