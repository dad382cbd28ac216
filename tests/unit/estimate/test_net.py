"""Net effects read off responses: identities, published numbers, sets, refusals."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from unit.estimate.responses_by_hand import arms, fitted, known
from whatworks.design import Design
from whatworks.errors import DisplacementRefused, OptionError
from whatworks.estimate.record import Estimate, effects_table
from whatworks.estimate.shares.net import net
from whatworks.estimate.shares.responses import ASSIGNED, UNASSIGNED
from whatworks.ledger import Ledger
from whatworks.stats.uncertainty import Covariance
from whatworks.studies import crepon2013
from whatworks.vocabulary import Unidentified
from whatworks.worlds import FiniteJobs, jobs_truth, simulate_jobs


@pytest.fixture(scope="module")
def design() -> Design:
    return of_world(simulate_jobs(FiniteJobs(n_markets=60, seed=5)).frame)


def of_world(frame: pd.DataFrame, **more) -> Design:
    return Design.from_cross_section(
        frame,
        treatment="treated",
        outcome="y",
        market="market",
        saturation="saturation",
        stratum="stratum",
        randomised=True,
        **more,
    )


@pytest.mark.parametrize("displacement", [0.0, 0.7, 1.0])
def test_the_pool_wide_net_of_closed_form_cells_is_one_less_d_at_every_share(
    design: Design, displacement: float
):
    options = FiniteJobs(displacement=displacement)
    truth = jobs_truth(options)
    made = truth["net_pool"].iloc[-1]
    seen = known(arms(truth, base=0.3, ineligible=True))
    found = net(seen, design, pool_share=options.eligible_share)
    for share in (0.25, 0.5, 0.75):
        for pool in ("everyone_exposed", "seen"):
            assert found.at("net_pool", share=share, pool=pool)["estimate"] == pytest.approx(
                made, abs=1e-8
            )
        row = truth[truth["saturation"] == share].iloc[0]
        assert found.at("net_assigned", share=share)["estimate"] == pytest.approx(
            row["net_eligible"], abs=1e-8
        )
        pool_only = found.at("net_pool", share=share, pool="eligible_only")["estimate"]
        assert pool_only == pytest.approx(row["net_eligible"], abs=1e-8)
    # Everyone assigned: those who could not be are seen, the eligible who were not are no one.
    assert found.at("net_pool", share=1.0, pool="seen")["estimate"] == pytest.approx(made, abs=1e-8)
    lone = found.at("net_pool", share=1.0, pool="everyone_exposed")
    assert np.isnan(lone["estimate"])
    assert lone["code"] == Unidentified.ONE_ARM_CELL


def test_the_fixture_of_the_world_at_seven_tenths_displaced(design: Design):
    found = net(known(arms(jobs_truth(), base=0.3)), design, pool_share=0.5, at=0.5)
    exact = {
        ("direct", ""): (0.1035, 1e-4),
        ("total", ""): (0.0857, 1e-4),
        ("spillover", ""): (-0.0178, 1e-4),
        ("overall", ""): (0.0339, 1e-4),
        ("net_assigned", ""): (6.785, 1e-3),
        ("net_pool", "everyone_exposed"): (3.2247, 1e-4),
    }
    for (quantity, pool), (value, within) in exact.items():
        row = found.at(quantity, share=0.5, pool=pool)
        assert row["estimate"] == pytest.approx(value, abs=within)
    ratio = found.at("displacement_ratio", share=0.5, pool="everyone_exposed")
    assert ratio["estimate"] == pytest.approx(3 * 0.0178 / 0.0857, abs=2e-3)
    over = found.at("overstatement", share=0.5, pool="everyone_exposed")
    assert over["estimate"] == pytest.approx(10.35 / 3.2247, abs=5e-3)


def test_the_three_ratios_are_kept_apart(design: Design):
    rows = [(UNASSIGNED, 0.0, 0.30), (ASSIGNED, 0.5, 0.38), (UNASSIGNED, 0.5, 0.28)]
    found = net(known(rows), design, at=0.5, pool_share=0.5, cost=1_000.0, value=20_000.0)

    def at(quantity, pool=""):
        return float(found.at(quantity, share=0.5, pool=pool)["estimate"])

    # DE .10, SNT -.02, TT .08; others lose .02 (eligible), .02 + .02*.5/.25 = .06 (the pool).
    assert at("spillover_over_direct") == pytest.approx(0.2)
    assert at("displacement_ratio", "eligible_only") == pytest.approx(0.02 / 0.08)
    assert at("displacement_ratio", "everyone_exposed") == pytest.approx(0.06 / 0.08)
    assert at("structural_displacement", "eligible_only") == pytest.approx(1 - 6 / 10)
    assert at("structural_displacement", "everyone_exposed") == pytest.approx(1 - 2 / 10)
    assert at("overstatement", "everyone_exposed") == pytest.approx(5.0)
    assert at("cost_per_net_job", "everyone_exposed") == pytest.approx(50_000.0)
    assert at("break_even_total") == pytest.approx(1 - 1_000 / (20_000 * 0.08))
    assert at("break_even_direct") == pytest.approx(0.5)
    # The pool of which the eligible are so small a part that nothing is left: .02/(.5 x .10).
    assert at("pool_share_at_zero") == pytest.approx(0.4)
    nil = net(known(rows), design, at=0.5, pool_share=0.4)
    left = nil.at("net_pool", share=0.5, pool="everyone_exposed")["estimate"]
    assert left == pytest.approx(0.0, abs=1e-9)


def test_points_are_already_for_a_hundred(design: Design):
    rows = [(UNASSIGNED, 0.0, 30.0), (ASSIGNED, 0.5, 38.0), (UNASSIGNED, 0.5, 28.0)]
    people = simulate_jobs(FiniteJobs(n_markets=60, seed=5)).frame
    in_points = of_world(people, unit="pp")
    found = net(known(rows, unit="pp"), in_points, at=0.5, cost=1_000.0, value=20_000.0)
    assert found.at("net_assigned", share=0.5)["estimate"] == pytest.approx(6.0)
    price = found.at("cost_per_net_job", share=0.5, pool="eligible_only")["estimate"]
    assert price == pytest.approx(1_000 / 0.06)
    assert found.at("break_even_direct", share=0.5)["estimate"] == pytest.approx(0.5)


def test_levels_have_their_joint_covariance_and_ratios_their_sets(design: Design):
    frame = simulate_jobs(FiniteJobs(n_markets=60, seed=5)).frame
    estimate = fitted(frame)
    found = net(estimate, design, pool_share=0.5)
    table, covariance = found.table, found.covariance()
    for share in (0.25, 0.5, 0.75):
        for fit in ("saturated", "pooled", "linear"):
            here = table[(table["share"] == share) & (table["fit"] == fit)]
            place = here.reset_index().drop_duplicates("quantity").set_index("quantity")["index"]
            de, snt, n = (place[q] for q in ("direct", "spillover", "net_assigned"))
            variance = covariance[de, de] + 2 / share * covariance[de, snt]
            variance += covariance[snt, snt] / share**2
            assert covariance[n, n] == pytest.approx(1e4 * variance)
            assert table.loc[n, "std_error"] == pytest.approx(100 * np.sqrt(variance))
            assert table.loc[n, "band_low"] <= table.loc[n, "low"]
    assert len(covariance) + len(found.sets) == len(found.table)
    row = found.at("spillover_over_direct", share=0.5, fit="pooled")
    direct = found.at("direct", share=0.5, fit="pooled")["estimate"]
    spillover = found.at("spillover", share=0.5, fit="pooled")["estimate"]
    assert row["estimate"] == pytest.approx(-spillover / direct)
    assert row["low"] < row["estimate"] < row["high"]


def test_fewer_degrees_of_freedom_widen_every_set(design: Design):
    frame = simulate_jobs(FiniteJobs(n_markets=60, seed=5)).frame
    wide, narrow = (net(fitted(frame, df=df), design, at=0.5) for df in (4.0, np.inf))
    both = wide.table["set_kind"].eq("interval") & narrow.table["set_kind"].eq("interval")
    reach = [t.loc[both, "high"] - t.loc[both, "low"] for t in (wide.table, narrow.table)]
    assert (reach[0] > reach[1]).all()


def test_a_denominator_not_told_from_zero_has_a_set_and_no_point(design: Design):
    rows = [(UNASSIGNED, 0.0, 0.30), (ASSIGNED, 0.5, 0.31), (UNASSIGNED, 0.5, 0.29)]
    found = net(known(rows, covariance=np.eye(3) * 0.01**2), design, at=0.5)
    row = found.at("displacement_ratio", share=0.5, pool="eligible_only")
    assert np.isnan(row["estimate"])
    assert row["code"] == Unidentified.DENOMINATOR_NOT_SEPARATED
    assert row["set_kind"] in ("outside", "line")
    assert row["numerator"] / row["denominator"] == pytest.approx(1.0)


def test_between_two_shares_cells_are_joined_and_beyond_them_refused(design: Design):
    truth = jobs_truth()
    estimate = known(arms(truth, base=0.3))
    found = net(estimate, design, at=(0.25, 0.5, 0.3))
    ends = [found.at("direct", share=s)["estimate"] for s in (0.25, 0.5)]
    row = found.at("direct", share=0.3)
    assert row["estimate"] == pytest.approx(0.8 * ends[0] + 0.2 * ends[1])
    assert row["read"] == "between"
    with pytest.raises(DisplacementRefused, match=r"from 0\.25 to 1") as refused:
        net(estimate, design, at=0.1)
    assert refused.value.code is Unidentified.EXTRAPOLATED_P
    # Of the unassigned nothing is known beyond .75.
    alone = net(estimate, design, at=0.9).at("spillover", share=0.9)
    assert np.isnan(alone["estimate"])
    assert alone["code"] == Unidentified.EXTRAPOLATED_P


def test_the_default_shares_are_those_observed_and_their_mean(design: Design):
    found = net(known(arms(jobs_truth(), base=0.3)), design)
    assert sorted(found.table["share"].unique()) == [0.25, 0.5, 0.625, 0.75, 1.0]
    assert found.mean_share == pytest.approx(0.625)


def test_nets_per_participant_divide_by_those_who_came_because_assigned():
    frame = simulate_jobs(FiniteJobs(n_markets=60, seed=8)).frame
    rng = np.random.default_rng(1)
    came = (frame["treated"] == 1) & (rng.random(len(frame)) < 0.4)
    stray = (frame["treated"] == 0) & (frame["saturation"] > 0) & (rng.random(len(frame)) < 0.05)
    frame = frame.assign(came=(came | stray).astype(int))
    design = of_world(frame, took_part="came")
    found = net(fitted(frame), design, at=0.5, cost=500.0)
    here = frame[frame["saturation"] == 0.5].groupby("treated")["came"].mean()
    per_assigned = here[1] + here[0]  # nobody in markets left alone; as many unassigned at .5
    net_assigned = found.at("net_assigned", share=0.5)["estimate"]
    row = found.at("net_participants", share=0.5)
    assert row["estimate"] == pytest.approx(net_assigned / per_assigned)
    assert row["low"] < row["estimate"] < row["high"]
    price = found.at("cost_per_net_job", share=0.5, pool="eligible_only")
    if np.isfinite(price["estimate"]):
        assert price["estimate"] == pytest.approx(500 * per_assigned / (net_assigned / 100))


def test_a_net_claim_without_a_design_is_refused(design: Design):
    term = {
        "term": "att",
        "cohort": -1,
        "month": 0,
        "group": "all",
        "n_treated": 9,
        "n_comparison": 9,
    }
    alone = Estimate(
        method="MatchedDifference",
        options={},
        effects=effects_table([term], np.array([1.0]), np.eye(1), unit=""),
        uncertainty=Covariance(matrix=np.eye(1)),
        ledger=Ledger(),
    )
    with pytest.raises(DisplacementRefused, match="says nothing of what others lost") as refused:
        net(alone, design)
    assert refused.value.code is Unidentified.NET_CLAIM_WITHOUT_DESIGN


def test_without_pure_control_or_with_one_market_no_net_is_told():
    frame = simulate_jobs(FiniteJobs(n_markets=60, seed=5)).frame
    helped = frame[frame["saturation"] > 0]
    some = known([r for r in arms(jobs_truth(), base=0.3) if r[1] > 0])
    with pytest.raises(DisplacementRefused) as refused:
        net(some, of_world(helped))
    assert refused.value.code is Unidentified.NO_PURE_CONTROL
    one = frame[frame["market"] == frame["market"].iloc[0]]
    with pytest.raises(DisplacementRefused) as refused:
        net(known(arms(jobs_truth(), base=0.3)), of_world(one))
    assert refused.value.code is Unidentified.ONE_MARKET


@pytest.mark.parametrize(
    "options", [{"pool_share": 0.0}, {"pool_share": 1.2}, {"cost": -1.0}, {"value": 0.0}]
)
def test_options_out_of_bounds_are_refused(design: Design, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        net(known(arms(jobs_truth(), base=0.3)), design, **options)


def test_a_quantity_that_is_not_there_is_said_so(design: Design):
    found = net(known(arms(jobs_truth(), base=0.3)), design)
    with pytest.raises(OptionError, match="net_pool"):
        found.at("net_pool", share=0.5)
    with pytest.raises(OptionError, match="group 'sex=women'"):
        net(known(arms(jobs_truth(), base=0.3)), design, group="sex=women")
    assert "<table" in found._repr_html_()
    assert found.tidy() is not found.table


@pytest.fixture(scope="module")
def graduates(shared_data):
    """Designs and estimates of the trial of help to graduates, points, without the estimators."""
    path = shared_data / "crepon2013" / "JD_publicdata_12.dta"
    if not path.is_file():
        pytest.skip("published microdata of the trial not found beside the project")

    @lru_cache
    def of(outcome: str, sample: str):
        design = crepon2013.design(path, outcome=outcome, sample=sample)
        units = design.units
        frame = pd.DataFrame(
            {
                "y": design.outcomes.values[:, -1],
                "treated": units["treated"],
                "saturation": units["saturation"],
                "market": units["market"],
            }
        )
        strata = pd.get_dummies(units["stratum"], drop_first=True, dtype=float).to_numpy()
        held = np.column_stack([units[list(design.covariates)].to_numpy(float), strata])
        return design, fitted(frame, controls=held, unit="pp")

    return of


@pytest.mark.parametrize(
    ("outcome", "sample", "share", "expected", "error"),
    [
        ("long_fixed_term", "not_employed", 0.5, -0.36, 1.53),
        ("long_fixed_term", "not_employed", 0.625, 0.17, 1.20),
        ("long_fixed_term", "not_employed", 1.0, 0.98, 0.78),
        ("long_term", "not_employed", 0.625, -0.94, 1.63),
        ("long_fixed_term", "men", 0.625, -1.41, 1.61),
    ],
)
def test_net_jobs_of_the_french_trial(graduates, outcome, sample, share, expected, error):
    design, estimate = graduates(outcome, sample)
    row = net(estimate, design, at=share).at("net_assigned", share=share, fit="pooled")
    assert row["estimate"] == pytest.approx(expected, abs=0.0051)
    assert row["std_error"] == pytest.approx(error, abs=0.0151)


def test_the_ratios_of_the_french_trial_and_their_sets(graduates):
    design, estimate = graduates("long_fixed_term", "not_employed")
    found = net(estimate, design, pool_share=0.9)
    assert found.mean_share == pytest.approx(0.625)
    ratio = found.at("spillover_over_direct", share=0.625, fit="pooled")
    assert ratio["estimate"] == pytest.approx(0.58, abs=0.005)
    assert (ratio["low"], ratio["high"]) == pytest.approx((-0.35, 1.32), abs=0.011)
    lost = found.at("displacement_ratio", share=0.625, fit="pooled", pool="eligible_only")
    assert lost["numerator"] / lost["denominator"] == pytest.approx(0.82, abs=0.005)
    # The assigned gain 1.0 point, give or take .8: no ratio to it can be printed.
    assert np.isnan(lost["estimate"])
    assert lost["code"] == Unidentified.DENOMINATOR_NOT_SEPARATED
    pair = estimate.uncertainty.covariance()[np.ix_(*[pooled_rows(estimate)] * 2)]
    assert pair[0, 1] / np.sqrt(pair[0, 0] * pair[1, 1]) == pytest.approx(-0.59, abs=0.005)


def test_pooled_and_saturated_fits_of_the_trial_disagree_and_are_both_told(graduates):
    design, estimate = graduates("long_fixed_term", "not_employed")
    found = net(estimate, design, at=1.0)
    smooth, apart = (
        found.at("total", share=1.0, fit=f)["estimate"] for f in ("pooled", "saturated")
    )
    assert smooth == pytest.approx(0.98, abs=0.005)
    assert apart == pytest.approx(2.50, abs=0.005)
    assert set(found.table["fit"]) == {"saturated", "pooled", "linear"}


def test_lack_of_fit_is_told_where_the_fits_smooth_over_what_differs(design: Design):
    frame = simulate_jobs(FiniteJobs(n_markets=60, seed=5)).frame
    alike = net(fitted(frame), design).lack_of_fit.set_index("fit")
    bent = frame.assign(
        y=frame["y"] + 0.5 * ((frame["saturation"] == 0.5) & (frame["treated"] == 0))
    )
    apart = net(fitted(bent), design).lack_of_fit.set_index("fit")
    # By hand: four totals and three spillovers; alike take 3 + 2, on lines take 2 + 2.
    assert alike["df1"].tolist() == apart["df1"].tolist() == [5, 4]
    assert (apart["p_value"] < 1e-6).all()
    assert (alike["p_value"] > 0.01).all()


def pooled_rows(estimate) -> list[int]:
    effects = estimate.effects
    rows = effects[(effects["group"] == "pooled") & effects["term"].isin(["direct", "spillover"])]
    return rows.index.tolist()
