"""Net effects, ratio sets, break-even and bounds, against hand-worked numbers and closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from whatworks.stats.displacement.bounds import bounds, break_even
from whatworks.stats.displacement.net import AtShare, displacement_at, lost, lost_seen, net, overall
from whatworks.stats.displacement.ratios import ratio_set
from whatworks.worlds import FiniteJobs, jobs_truth

TABLE = (
    (0.25, 0.853, 0.1025, 0.0808, -0.0217, 0.0651, 1.58, 0.805, 5.92),
    (0.5, 0.707, 0.1034, 0.0854, -0.0180, 0.0539, 3.15, 0.631, 6.75),
    (1.0, 0.500, 0.1046, 0.0919, -0.0127, 0.0382, 5.37, 0.415, 7.92),
    (2.0, 0.293, 0.1058, 0.0984, -0.0075, 0.0224, 7.60, 0.228, 9.09),
    (4.0, 0.147, 0.1067, 0.1029, -0.0037, 0.0112, 9.17, 0.109, 9.92),
)
"""Tightness, d, DE, TT, SNT, lost per participant, net over the pool, DR, net among the eligible."""


def at(share, direct, spillover, total, ineligible=None):
    """Effects known as numbers: forms of one constant term."""
    forms = [None if v is None else np.array([v]) for v in (direct, spillover, total, ineligible)]
    return AtShare(
        share=share, direct=forms[0], spillover=forms[1], total=forms[2], ineligible=forms[3]
    )


def of_truth(row):
    return at(row.saturation, row.direct, row.spillover, row.total, row.spillover)


@pytest.mark.parametrize("row", TABLE)
def test_published_table_of_the_world_of_finite_jobs(row):
    theta, d, direct, total, spillover, taken, pool, ratio, eligible = row
    assert displacement_at(theta) == pytest.approx(d, abs=5e-4)
    options = FiniteJobs(displacement=displacement_at(theta), saturations=(0.0, 0.5), n_markets=40)
    here = of_truth(jobs_truth(options).iloc[1])
    found = lost(here, pool_share=0.5, exposure=1.0)

    assert here.direct[0] == pytest.approx(direct, abs=5.1e-5)
    assert here.total[0] == pytest.approx(total, abs=5.1e-5)
    assert here.spillover[0] == pytest.approx(spillover, abs=5.1e-5)
    assert found[0] == pytest.approx(taken, abs=5.1e-5)
    assert net(here, found)[0] == pytest.approx(pool, abs=5.1e-3)
    assert found[0] / here.total[0] == pytest.approx(ratio, abs=1.1e-3)
    assert net(here, lost(here))[0] == pytest.approx(eligible, abs=5.1e-3)


@pytest.mark.parametrize("displacement", [0.0, 0.3, 0.7, 1.0])
def test_net_over_the_pool_is_the_jobs_created_at_every_share(displacement):
    options = FiniteJobs(
        displacement=displacement,
        eligible_share=0.4,
        saturations=(0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
        n_markets=60,
    )
    created = jobs_truth(options)["net_pool"].iloc[1:]
    assert np.ptp(created) < 1e-9
    for row in jobs_truth(options).iloc[1:].itertuples():
        here = of_truth(row)
        for taken in (lost(here, pool_share=0.4, exposure=1.0), lost_seen(here, pool_share=0.4)):
            assert net(here, taken)[0] == pytest.approx(created.iloc[0], abs=1e-9)
        whole = here.total[0] + here.spillover[0] * (1 - 0.4 * row.saturation) / (
            0.4 * row.saturation
        )
        assert net(here, lost(here, pool_share=0.4, exposure=1.0))[0] == pytest.approx(100 * whole)


def test_net_is_the_gain_per_eligible_over_the_share():
    here = at(0.25, 0.08, -0.02, 0.06)
    assert overall(here)[0] == pytest.approx(0.25 * 0.06 + 0.75 * -0.02)
    assert net(here, lost(here))[0] == pytest.approx(100 * overall(here)[0] / 0.25)
    assert net(here, lost(here))[0] == pytest.approx(100 * (0.08 - 0.02 / 0.25))
    assert net(here, lost(here), scale=1.0)[0] == pytest.approx(0.0, abs=1e-12)


def test_where_all_are_assigned_the_total_tells_the_net_and_nothing_of_the_rest_of_the_pool():
    here = at(1.0, None, None, 0.02)
    assert net(here, lost(here))[0] == pytest.approx(2.0)
    assert overall(here)[0] == pytest.approx(0.02)
    assert lost(here, pool_share=0.5, exposure=1.0) is None
    assert net(here, None) is None


def test_what_cannot_be_told_is_none():
    one_armed = at(0.5, None, None, 0.02)
    assert overall(one_armed) is None
    assert lost(one_armed) is None
    assert lost_seen(one_armed, pool_share=0.5) is None


def test_ratio_set_is_the_interval_of_published_graduates():
    covariance = np.array(
        [[0.00922**2, 0.59 * 0.00922 * 0.00759], [0.59 * 0.00922 * 0.00759, 0.00759**2]]
    )
    found = ratio_set(0.0134441, 0.0232426, covariance)
    assert found.point == pytest.approx(0.578, abs=1e-3)
    assert (found.low, found.high) == pytest.approx((-0.35, 1.32), abs=0.02)


@given(
    a=st.floats(-3, 3),
    b=st.floats(-3, 3),
    sa=st.floats(0.05, 2),
    sb=st.floats(0.05, 2),
    r=st.floats(-0.95, 0.95),
    df=st.sampled_from([4.0, 20.0, np.inf]),
)
def test_ratio_set_is_the_inverted_test(a, b, sa, sb, r, df):
    covariance = np.array([[sa**2, r * sa * sb], [r * sa * sb, sb**2]])
    found = ratio_set(a, b, covariance, df=df)
    quantile = stats.t(df).ppf(0.975) if np.isfinite(df) else stats.norm.ppf(0.975)
    for value in np.concatenate([np.linspace(-8, 8, 41), [1e5, -1e5]]):
        variance = sa**2 - 2 * value * r * sa * sb + value**2 * sb**2
        far = abs(a - value * b) / np.sqrt(variance)
        if abs(far - quantile) > 1e-6:
            assert found.holds(value) == (far < quantile)
    separated = abs(b / sb) > quantile
    assert found.separated == separated
    assert np.isnan(found.point) == (not separated)


@pytest.mark.parametrize(
    ("numerator", "denominator", "kind"),
    [(1.0, 3.0, "interval"), (1.0, 0.1, "outside"), (0.1, 0.1, "line"), (np.nan, 1.0, "undefined")],
)
def test_the_four_kinds_of_set(numerator, denominator, kind):
    found = ratio_set(numerator, denominator, np.diag([0.04, 0.04]))
    assert found.kind == kind
    assert found.separated == (kind == "interval")
    if kind == "outside":
        assert found.low < found.high
        assert found.holds(1e9)
        assert found.holds(-1e9)
        assert not found.holds((found.low + found.high) / 2)


def test_ratio_of_an_edge_is_a_half_line_and_no_error_is_no_set():
    q = float(stats.norm.ppf(0.975))
    edge = ratio_set(1.0, q, np.diag([0.0, 1.0]))
    assert not edge.separated
    assert np.isnan(edge.point)
    assert ratio_set(1.0, 1.0, np.zeros((2, 2))).kind == "undefined"
    assert not ratio_set(1.0, 1.0, np.zeros((2, 2))).holds(1.0)


@given(effect=st.floats(0.02, 0.3), error=st.floats(0.001, 0.2), df=st.sampled_from([5.0, np.inf]))
def test_break_even_is_the_image_of_the_interval_of_the_effect(effect, error, df):
    found = break_even(effect, error**2, cost=800.0, value=20_000.0, df=df)
    q = stats.t(df).ppf(0.975) if np.isfinite(df) else stats.norm.ppf(0.975)
    low, high = effect - q * error, effect + q * error
    if low > 1e-9:
        ends = [1 - 800.0 / (20_000.0 * e) for e in (low, high)]
        assert found.point == pytest.approx(1 - 0.04 / effect)
        assert (found.low, found.high) == pytest.approx(tuple(ends), rel=1e-6, abs=1e-9)
    elif low < -1e-9:
        assert not found.separated
        assert np.isnan(found.point)


def test_bounds_are_nested_from_the_weakest_assumption_to_the_strongest():
    found = bounds(0.1, share=0.5, assigned=0.4, unassigned=0.3)
    assert [b.assumption for b in found] == ["bounded", "others_never_gain", "no_net_loss"]
    # By hand: mean .35; N = 100 (.35 - m)/.5 for m from 0 to 1, from .3 to 1, from .3 to .35.
    assert [(b.low, b.high) for b in found] == [
        (pytest.approx(-130.0), pytest.approx(70.0)),
        (pytest.approx(-130.0), pytest.approx(10.0)),
        (0.0, pytest.approx(10.0)),
    ]
    for wide, narrow in pairwise(found):
        assert wide.low <= narrow.low
        assert narrow.high <= wide.high


def test_bounds_hold_the_truth_of_the_world_at_every_displacement():
    for d in (0.0, 0.5, 1.0):
        for row in jobs_truth(FiniteJobs(displacement=d)).iloc[1:-1].itertuples():
            base = 0.3
            found = bounds(
                row.direct,
                share=row.saturation,
                assigned=base + row.total,
                unassigned=base + row.spillover,
            )
            assert all(b.low - 1e-9 <= row.net_eligible <= b.high + 1e-9 for b in found)


def test_bounds_without_a_share_are_those_of_the_last_assumption():
    found = bounds(-4.0, share=np.nan, assigned=np.nan, unassigned=np.nan, top=100.0)
    assert [(b.assumption, b.low, b.high) for b in found] == [("no_net_loss", -4.0, 0.0)]
