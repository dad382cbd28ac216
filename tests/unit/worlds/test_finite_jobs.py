"""Finite jobs: the closed form to its printed digits, and draws that agree with it."""

from __future__ import annotations

import numpy as np
import pytest

from whatworks.design import Design
from whatworks.errors import OptionError
from whatworks.worlds import FiniteJobs, displacement_at, jobs_truth, simulate_jobs

# tightness: d, DE, TT, SNT, lost per participant, net per 100 (pool), ratio, net per 100 (eligible)
HALF_ASSIGNED = {
    0.25: (0.853, 0.1025, 0.0808, -0.0217, 0.0651, 1.58, 0.805, 5.92),
    0.5: (0.707, 0.1034, 0.0854, -0.0180, 0.0539, 3.15, 0.631, 6.75),
    1.0: (0.500, 0.1046, 0.0919, -0.0127, 0.0382, 5.37, 0.415, 7.92),
    2.0: (0.293, 0.1058, 0.0984, -0.0075, 0.0224, 7.60, 0.228, 9.09),
    4.0: (0.147, 0.1067, 0.1029, -0.0037, 0.0112, 9.17, 0.109, 9.92),
}
SEVEN_TENTHS = {
    0.25: (0.1055, 0.0963, -0.0092),
    0.5: (0.1035, 0.0857, -0.0178),
    0.75: (0.1015, 0.0755, -0.0260),
    1.0: (None, 0.0659, -0.0337),
}


@pytest.mark.parametrize("tightness", HALF_ASSIGNED)
def test_closed_form_by_tightness(tightness):
    d, direct, total, spillover, lost, net_pool, ratio, net_eligible = HALF_ASSIGNED[tightness]
    options = FiniteJobs(displacement=displacement_at(tightness))
    row = jobs_truth(options).set_index("saturation").loc[0.5]
    share = options.eligible_share * 0.5
    taken = -row["spillover"] * (1 - share) / share
    assert options.displacement == pytest.approx(d, abs=5e-4)
    assert row["direct"] == pytest.approx(direct, abs=5.1e-5)
    assert row["total"] == pytest.approx(total, abs=5.1e-5)
    assert row["spillover"] == pytest.approx(spillover, abs=5.1e-5)
    assert taken == pytest.approx(lost, abs=5.1e-5)
    assert row["net_pool"] == pytest.approx(net_pool, abs=5.1e-3)
    assert taken / row["total"] == pytest.approx(ratio, abs=5.1e-4)
    assert row["net_eligible"] == pytest.approx(net_eligible, abs=5.1e-3)


def test_closed_form_by_saturation():
    truth = jobs_truth(FiniteJobs(displacement=0.7)).set_index("saturation")
    for p, (direct, total, spillover) in SEVEN_TENTHS.items():
        if direct is not None:
            assert truth.loc[p, "direct"] == pytest.approx(direct, abs=5.1e-5)
        assert truth.loc[p, "total"] == pytest.approx(total, abs=5.1e-5)
        assert truth.loc[p, "spillover"] == pytest.approx(spillover, abs=5.1e-5)
    assert truth["net_pool"].dropna().round(4).eq(3.2247).all()
    assert truth.loc[0.5, "net_eligible"] == pytest.approx(6.785, abs=5e-4)
    assert truth.loc[0.0, "direct"] == pytest.approx(0.1075, abs=5.1e-5)
    assert truth.loc[0.0, "spillover"] == pytest.approx(0, abs=1e-12)
    assert np.isnan(truth.loc[0.0, "net_pool"])


def test_direct_and_spillover_add_up_to_total_and_move_with_displacement():
    for d in (0.0, 0.4, 1.0):
        truth = jobs_truth(FiniteJobs(displacement=d)).set_index("saturation")
        assert np.allclose(truth["direct"] + truth["spillover"], truth["total"])
        net = truth["net_pool"].dropna()
        assert np.allclose(net, 100 * (1 - d) * 0.10749, atol=1e-3)
    assert np.allclose(jobs_truth(FiniteJobs(displacement=0.0))["spillover"], 0, atol=1e-12)


def test_market_averages_are_those_of_the_closed_form():
    truth = jobs_truth().set_index("saturation")
    draws = []
    for seed in range(60):
        frame = simulate_jobs(FiniteJobs(seed=seed)).frame
        mean = frame.groupby(["saturation", "treated"])["y"].mean()
        draws.append(mean - mean.loc[(0.0, 0)])
    draws = np.array([d.to_numpy() for d in draws])
    cells = mean.index
    middle, error = draws.mean(axis=0), draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    for (p, treated), value, sd in zip(cells, middle, error, strict=True):
        if p == 0:
            continue
        known = truth.loc[p, "total" if treated else "spillover"]
        # Shocks and small markets move the large-market figure by a little over a tenth of a point.
        assert abs(value - known) < 3 * sd + 0.0013, (p, treated)


def test_each_stratum_has_each_saturation_and_each_market_its_share():
    world = simulate_jobs(FiniteJobs(n_markets=50, seed=4))
    pool = world.pool
    by_market = pool.groupby("market").agg(
        stratum=("stratum", "first"), saturation=("saturation", "first"), size=("y", "size")
    )
    for _, stratum in by_market.groupby("stratum"):
        assert sorted(stratum["saturation"]) == [0, 0.25, 0.5, 0.75, 1]
    assert by_market["size"].min() >= 60
    eligible = world.frame.groupby("market")
    share = eligible["treated"].sum() - eligible["saturation"].first() * eligible.size()
    assert (share.abs() < 1).all()
    assert not pool.loc[pool["eligible"] == 0, "treated"].any()
    assert "eligible" not in world.frame


def test_with_full_displacement_help_adds_no_job():
    helped = FiniteJobs(displacement=1.0, effect=3.0, saturations=(1.0,), n_markets=40, seed=8)
    alone = FiniteJobs(displacement=1.0, effect=0.0, saturations=(1.0,), n_markets=40, seed=8)
    jobs = [simulate_jobs(o).pool.groupby("market")["y"].sum() for o in (helped, alone)]
    assert jobs[0].equals(jobs[1])
    who = [simulate_jobs(o).pool.groupby("treated")["y"].mean() for o in (helped, alone)]
    assert who[0][1] > who[1][1] + 0.1


def test_same_seed_same_draw():
    once, twice = simulate_jobs(FiniteJobs(seed=2)), simulate_jobs(FiniteJobs(seed=2))
    assert once.pool.equals(twice.pool)
    assert not once.pool["y"].equals(simulate_jobs(FiniteJobs(seed=3)).pool["y"])


def test_frame_enters_a_design():
    frame = simulate_jobs(FiniteJobs(n_markets=20)).frame
    design = Design.from_cross_section(
        frame,
        treatment="treated",
        outcome="y",
        covariates=["x"],
        market="market",
        stratum="stratum",
        saturation="saturation",
    )
    assert len(design.units) == len(frame)


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_markets", 12), ("displacement", 1.5), ("base_share", 1.0), ("saturations", (0.0, 2.0))],
)
def test_options_out_of_range_are_named(field, value):
    with pytest.raises(OptionError, match=field):
        FiniteJobs(**{field: value})
