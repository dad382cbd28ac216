"""Each way in which a world of finite jobs departs from a clean experiment, against its own truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks.design import Design
from whatworks.errors import OptionError
from whatworks.worlds import (
    Employers,
    FiniteJobs,
    Sampling,
    TakeUp,
    Tightness,
    employers_truth,
    fill_rate_at,
    jobs_truth,
    jobs_truth_by_tightness,
    market_truth,
    simulate_jobs,
)
from whatworks.worlds.jobs.search import LAW, NODES, Search, drawn_with

LARGE = FiniteJobs(n_markets=100, mean_pool=2_000.0, shock=0.0)
"""Markets large enough for the closed form."""


def gaps(options: FiniteJobs) -> pd.DataFrame:
    """Mean outcome of each arm of the eligible less its truth, and the error of that mean."""
    world = simulate_jobs(options)
    truth = market_truth(world)
    people = world.pool[world.pool["eligible"] == 1]
    means = people.groupby(["market", "treated"])["y"].mean().unstack()
    table = truth.set_index("market")
    rows = []
    for arm, name in ((1, "mean_assigned"), (0, "mean_unassigned")):
        gap = (means[arm] - table[name]).dropna()
        rows.append((name, gap.mean(), gap.std() / np.sqrt(gap.size)))
    return pd.DataFrame(rows, columns=["arm", "gap", "error"])


@pytest.mark.parametrize(
    "options",
    [
        replace(LARGE, tightness=Tightness(level=0.4)),
        replace(LARGE, tightness=Tightness(level=0.4, moves_saturation=-0.7)),
        replace(LARGE, take_up=TakeUp(assigned=0.5, unassigned=0.15, leaning=0.6)),
        replace(LARGE, vacancy_response=0.5),
        replace(LARGE, crossing=0.4),
        replace(LARGE, displacement=1.0, effect=2.0),
        replace(LARGE, effect=-0.5),
        replace(LARGE, shock=0.2),
    ],
    ids=["tightness", "confounded", "take-up", "vacancies", "crossing", "all", "harm", "shocks"],
)
def test_arms_have_the_means_of_the_closed_form_market_by_market(options):
    for row in gaps(options).itertuples():
        assert abs(row.gap) < 4 * row.error + 3e-4, row


def test_selection_on_the_covariate_moves_arms_and_reweighting_finds_the_means_again():
    options = replace(LARGE, selection=1.0)
    world = simulate_jobs(options)
    people = world.pool[(world.pool["eligible"] == 1) & (world.pool["saturation"] == 0.5)]
    truth = jobs_truth(options).set_index("saturation").loc[0.5]
    raw = people.groupby("treated")["y"].mean()
    assert raw[1] - raw[0] > truth["direct"] + 0.05
    chance = np.interp(people["x"], NODES, drawn_with(1.0, np.array(0.5)))
    one = people["treated"].to_numpy() == 1
    weight = np.where(one, 1 / chance, 1 / (1 - chance))
    found = [np.average(people["y"][a], weights=weight[a]) for a in (one, ~one)]
    assert found[0] - found[1] == pytest.approx(truth["direct"], abs=0.008)


def test_chosen_with_leaning_average_to_the_share():
    for share in (0.1, 0.5, 0.9):
        assert LAW @ drawn_with(0.8, np.array(share)) == pytest.approx(share, abs=1e-12)
    assert (drawn_with(0.8, np.array(1.0)) == 1).all()
    assert (drawn_with(0.8, np.array(0.0)) == 0).all()


def test_closing_time_spends_exactly_the_jobs_there_are():
    search = Search(effect=0.5, slope=0.5)
    helped, time = np.full((3, NODES.size), 0.3), np.array([0.2, 0.4, 0.8])
    d = np.array([0.0, 0.5, 1.0])
    closing = search.closing(time, helped, d)
    free, none = search.mixed(time, helped), search.mixed(time, 0 * helped)
    assert search.mixed(closing, helped) == pytest.approx((1 - d) * free + d * none, abs=1e-12)
    assert closing[0] == pytest.approx(time[0], abs=1e-12)
    assert (closing[1:] < time[1:]).all()


def test_tightness_moves_displacement_and_the_average_is_that_of_its_markets():
    options = FiniteJobs(tightness=Tightness(values=(0.25, 1.0, 4.0)))
    by = jobs_truth_by_tightness(options)
    half = by[by["saturation"] == 0.5].set_index("tightness")
    assert half["net_pool"].round(2).to_dict() == {0.25: 1.58, 1.0: 5.37, 4.0: 9.17}
    assert half["displacement"].round(3).to_dict() == {0.25: 0.853, 1.0: 0.5, 4.0: 0.147}
    whole = jobs_truth(options).set_index("saturation")
    assert whole.loc[0.5, "net_pool"] == pytest.approx(half["net_pool"].mean(), abs=1e-12)


def test_vacancies_that_respond_leave_nobody_displaced_in_the_long_run():
    for response, net in ((0.0, 3.2247), (0.5, 6.9869), (1.0, 10.7491)):
        truth = jobs_truth(FiniteJobs(vacancy_response=response)).set_index("saturation")
        assert truth.loc[0.5, "net_pool"] == pytest.approx(net, abs=1e-3)
    assert truth["spillover"].abs().max() < 1e-12


def test_help_to_compliers_is_the_direct_effect_divided_by_participation():
    options = FiniteJobs(take_up=TakeUp(assigned=0.45))
    truth = jobs_truth(options)
    assert truth["participation"].unique() == pytest.approx([0.45])
    assert np.allclose(truth["compliers"] * 0.45, truth["direct"], atol=1e-12)
    leaning = jobs_truth(replace(options, take_up=TakeUp(assigned=0.45, leaning=0.8)))
    assert np.allclose(leaning["compliers"] * leaning["participation"], leaning["direct"])
    assert (leaning["compliers"] > 1.005 * truth["compliers"]).all()
    assert jobs_truth(options).loc[2, "net_pool"] / 0.45 == pytest.approx(3.2247, abs=1e-3)


def test_saturation_follows_tightness_only_where_it_is_told_to():
    def correlation(moves: float) -> float:
        options = FiniteJobs(n_markets=500, tightness=Tightness(moves_saturation=moves))
        table = simulate_jobs(options).markets
        return float(np.corrcoef(np.log(table["tightness"]), table["saturation"])[0, 1])

    assert abs(correlation(0.0)) < 0.15
    assert correlation(-0.8) < -0.6
    assert correlation(0.8) > 0.6


def test_survey_shares_are_not_those_of_the_design_and_weights_give_them_back():
    sampling = Sampling(rates=((0.25, 0.9, 0.3), (0.75, 0.5, 0.8)), one_armed=(0.75, 0.25))
    world = simulate_jobs(FiniteJobs(n_markets=400, seed=3, sampling=sampling))
    frame = world.frame
    at = frame.groupby("saturation")["treated"].mean()
    assert at[0.25] == pytest.approx(0.5, abs=0.02)
    markets = frame[frame["saturation"] == 0.75].groupby("market")["treated"]
    assert (markets.min() == 1).sum() == 20
    two_armed = frame[frame["market"].isin(markets.min().index[markets.min() == 0])]
    weighted = np.average(two_armed["treated"], weights=two_armed["weight"])
    assert weighted == pytest.approx(0.75, abs=0.01)
    assert two_armed["treated"].mean() < 0.67


def test_seekers_who_cross_fill_their_share_of_jobs_and_compete_where_they_look():
    options = FiniteJobs(n_markets=30, crossing=0.2, seed=1)
    world = simulate_jobs(options)
    crossing = world.crossing.toarray()
    assert crossing.sum(axis=1) == pytest.approx(np.ones(30))
    assert np.diag(crossing) == pytest.approx(np.full(30, 0.8))
    assert ((crossing > 0).sum(axis=1) == 3).all()
    competition = world.competition()
    weights = competition.weights.toarray()
    assert list(competition.names) == sorted(str(m) for m in range(30))
    assert weights.sum(axis=1) == pytest.approx(np.ones(30))
    size = world.markets["seekers"].to_numpy(dtype=float)
    by_hand = np.zeros((30, 30))
    for i in range(30):
        for j in range(30):
            for k in range(30):
                there = crossing[:, k] @ size
                by_hand[i, j] += crossing[i, k] * crossing[j, k] * size[j] / there
    order = [int(name) for name in competition.names]
    assert weights == pytest.approx(by_hand[np.ix_(order, order)])
    with pytest.raises(OptionError, match="competition"):
        simulate_jobs(FiniteJobs(n_markets=10)).competition()


def test_helping_neighbours_takes_jobs_across_the_border():
    options = FiniteJobs(
        n_markets=40, mean_pool=800.0, crossing=0.4, displacement=1.0, saturations=(0.0, 1.0)
    )
    world = simulate_jobs(options)
    truth = market_truth(world).set_index("market")
    order = [int(name) for name in world.competition().names]
    near = world.competition().weights @ world.markets["saturation"].to_numpy()[order]
    control = world.markets["saturation"].to_numpy()[order] == 0
    lost = truth["spillover"].to_numpy()[order][control]
    assert (lost <= 1e-12).all()
    assert lost.min() < -0.01
    assert np.corrcoef(near[control], lost)[0, 1] < -0.95


@pytest.mark.parametrize("seed", [0, 1])
def test_vacancies_of_helped_employers_are_filled_more_and_others_less(seed):
    employers = Employers(saturations=(0.0, 0.5), additional=0.1, from_others=0.4)
    options = FiniteJobs(
        n_markets=200, mean_pool=600.0, saturations=(0.0,), employers=employers, seed=seed
    )
    world = simulate_jobs(options)
    rows = world.vacancies.assign(full=world.vacancies["filled"].notna())
    by = rows.groupby(["market", "treated"])["full"].mean().unstack()
    share = rows.groupby("market")["saturation"].first()
    none = by[0][share == 0]
    truth = employers_truth(options).set_index("saturation").loc[0.5]
    assert none.mean() == pytest.approx(fill_rate_at(1.0), abs=0.01)
    for arm, known in ((1, truth["total"]), (0, truth["spillover"])):
        there = by[arm][share == 0.5]
        error = np.hypot(there.std(), none.std()) / np.sqrt(100)
        assert abs(there.mean() - none.mean() - known) < 4 * error
    added = world.markets["jobs_added"] * world.markets["seekers"]
    supported = rows.groupby("market")["treated"].sum()
    assert 100 * added.sum() / supported.sum() == pytest.approx(truth["net"], abs=0.3)
    assert truth["net"] == pytest.approx(6.0)


def test_every_job_is_one_vacancy_filled_and_one_seeker_hired():
    world = simulate_jobs(FiniteJobs(n_markets=20, employers=Employers(from_others=0.5), seed=4))
    vacancies = world.vacancies
    filled = vacancies.groupby("market")["filled"].count()
    hired = world.pool.groupby("market")["y"].sum()
    assert (filled == hired).all()
    assert not (vacancies["filled"].notna() & vacancies["withdrawn"].notna()).any()
    assert (vacancies[["filled", "withdrawn"]].sub(vacancies["posted"], axis=0).min() >= 0).all()
    assert vacancies.groupby("employer")["treated"].nunique().max() == 1
    assert vacancies.groupby("employer")["market"].nunique().max() == 1


def test_variants_leave_the_rest_of_the_world_as_it_was():
    plain = simulate_jobs(FiniteJobs(n_markets=20, seed=9)).pool
    sampled = simulate_jobs(
        FiniteJobs(n_markets=20, seed=9, sampling=Sampling(rates=((0.5, 0.5, 0.5),)))
    ).pool
    assert plain.equals(sampled[plain.columns])
    nobody = simulate_jobs(FiniteJobs(n_markets=20, seed=9, effect=0.0)).pool
    assert plain.drop(columns="y").equals(nobody.drop(columns="y"))


def test_a_frame_of_variants_enters_a_design():
    options = FiniteJobs(
        n_markets=20,
        tightness=Tightness(),
        take_up=TakeUp(),
        sampling=Sampling(rates=((0.5, 0.5, 0.9),)),
    )
    design = Design.from_cross_section(
        simulate_jobs(options).frame,
        treatment="treated",
        outcome="y",
        covariates=["x", "tightness"],
        market="market",
        stratum="stratum",
        saturation="saturation",
        took_part="took_part",
        weight="weight",
        randomised=True,
    )
    assert design.units["took_part"].sum() < design.units["treated"].sum()


@pytest.mark.parametrize(
    "made",
    [
        lambda: FiniteJobs(n_markets=2, saturations=(0.5,), crossing=0.2),
        lambda: FiniteJobs(effect=-1.0),
        lambda: FiniteJobs(vacancy_response=1.2),
        lambda: FiniteJobs(n_markets=5, employers=Employers(saturations=(0.0, 0.5))),
        lambda: TakeUp(assigned=0.3, unassigned=0.4),
        lambda: Tightness(values=(0.0, 1.0)),
        lambda: Tightness(moves_saturation=2.0),
        lambda: Sampling(rates=((0.5, 0.0, 1.0),)),
        lambda: Sampling(one_armed=(0.75, 1.0)),
        lambda: Employers(additional=1.5),
        lambda: Employers(vacancies_each=0),
    ],
)
def test_options_of_variants_out_of_range_are_refused(made):
    with pytest.raises(OptionError):
        made()
