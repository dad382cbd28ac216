"""Weights on a simplex, ranks among placebos, jackknife: by hand, and against other solvers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls

from whatworks.stats.synthetic.augmented import Penalties, chosen_penalty, ridge_weights
from whatworks.stats.synthetic.difference import noise_level, sdid_path
from whatworks.stats.synthetic.frank_wolfe import early_stopped_weights
from whatworks.stats.synthetic.jackknife import changes_without_each, jackknifed
from whatworks.stats.synthetic.placebos import Placebos, rank_p_value
from whatworks.stats.synthetic.simplex import optimality_gap, simplex_weights


def test_three_donors_by_hand() -> None:
    """Corners of a triangle: inside it weights are barycentric, outside the nearest point of an edge."""
    corners = np.array([[0.0, 4.0, 0.0], [0.0, 0.0, 4.0]])
    np.testing.assert_allclose(simplex_weights(corners, np.array([1.0, 1.0])), [0.5, 0.25, 0.25])
    np.testing.assert_allclose(simplex_weights(corners, np.array([3.0, -5.0])), [0.25, 0.75, 0])
    np.testing.assert_allclose(simplex_weights(corners, np.array([-1.0, -9.0])), [1, 0, 0])
    np.testing.assert_allclose(
        simplex_weights(corners, np.array([9.0, 9.0])), [0, 0.5, 0.5], atol=1e-12
    )


def test_a_penalty_by_hand() -> None:
    """One period, donors 0 and 1, target 1: w minimises (1−w)² + z(w² + (1−w)²)."""
    for z in (0.1, 1.0, 100.0):
        found = simplex_weights(np.array([[0.0, 1.0]]), np.array([1.0]), penalty=z)
        assert found[1] == pytest.approx((1 + z) / (1 + 2 * z))


def test_donors_all_alike_share_by_mass() -> None:
    found = simplex_weights(np.full((3, 2), 5.0), np.full(3, 5.0), mass=np.array([1.0, 3.0]))
    np.testing.assert_allclose(found, [0.25, 0.75])
    with pytest.raises(ArithmeticError):
        simplex_weights(np.array([[np.nan, 1.0]]), np.array([1.0]))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 30),
    n=st.integers(2, 60),
    away=st.sampled_from([0.0, 0.1, 3.0]),
    penalty=st.sampled_from([0.0, 1e-9, 0.1, 10.0]),
)
def test_weights_are_optimal(seed: int, k: int, n: int, away: float, penalty: float) -> None:
    """Karush–Kuhn–Tucker conditions, and no worse than least squares that are not negative."""
    rng = np.random.default_rng(seed)
    donors = rng.normal(size=(k, n))
    target = donors.mean(axis=1) + away * rng.normal(size=k)
    mass = rng.choice([1.0, 2.0, 5.0], n)
    w = simplex_weights(donors, target, penalty=penalty, mass=mass)
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1, abs=1e-12)
    assert optimality_gap(donors, target, w, penalty=penalty, mass=mass) < 1e-9
    apart = donors - target[:, None]
    rows = np.vstack([apart, np.diag(np.sqrt(penalty / mass)), np.ones((1, n))])
    u, _ = nnls(rows, np.r_[np.zeros(len(rows) - 1), 1.0])

    def objective(x: np.ndarray) -> float:
        return float(((apart @ x) ** 2).sum() + penalty * (x * x / mass).sum())

    assert objective(w) <= objective(u / u.sum()) + 1e-8 * (apart**2).mean()
    again = simplex_weights(donors, target, penalty=penalty, mass=mass, start=w)
    np.testing.assert_allclose(donors @ again, donors @ w, atol=1e-6)


def test_a_general_solver_finds_the_same() -> None:
    rng = np.random.default_rng(4)
    donors, target = rng.normal(size=(8, 5)), rng.normal(size=8)
    found = minimize(
        lambda w: ((target - donors @ w) ** 2).sum(),
        np.full(5, 0.2),
        method="SLSQP",
        bounds=[(0, 1)] * 5,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(simplex_weights(donors, target), found.x, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 20), (20, 6)], ids=["fits exactly", "fits in one way"])
def test_a_mass_of_two_is_a_donor_written_twice(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    donors = rng.normal(size=shape)
    target = donors.mean(axis=1)
    mass = np.where(np.arange(shape[1]) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(shape[1]), mass.astype(int))
    one = simplex_weights(donors, target, mass=mass)
    two = np.bincount(twice, simplex_weights(donors[:, twice], target))
    np.testing.assert_allclose(one, two, atol=1e-9)


def test_early_stops_come_near_the_optimum() -> None:
    rng = np.random.default_rng(6)
    donors, target = rng.normal(size=(12, 9)), rng.normal(size=12)
    near = early_stopped_weights(donors, target, penalty=2.0, least=1e-14, mass=np.ones(9))
    np.testing.assert_allclose(near, simplex_weights(donors, target, penalty=2.0), atol=1e-3)


def test_ridge_correction_by_hand() -> None:
    """One period, donors −1 and 1, target 3: the control stops at 1, the correction goes on."""
    donors, target = np.array([[-1.0, 1.0]]), np.array([3.0])
    plain = simplex_weights(donors, target)
    np.testing.assert_allclose(plain, [0, 1], atol=1e-12)
    # X'X = 2 and the shortfall is 2: each weight moves by ±2 / (2 + λ).
    found = ridge_weights(donors, target, plain, penalty=2.0, mass=np.ones(2))
    np.testing.assert_allclose(found, [-0.5, 1.5])
    assert ridge_weights(donors, target, plain, penalty=np.inf, mass=np.ones(2)) is plain
    assert Penalties.of(np.ones((3, 2)), mass=np.ones(2)).penalty.tolist() == [np.inf]


def test_penalty_chosen_as_by_refitting_every_one() -> None:
    """The bordered inverse says what a fit without each period says, penalty by penalty."""
    rng = np.random.default_rng(7)
    donors, target, mass = rng.normal(size=(6, 9)), rng.normal(size=6) + 1, np.ones(9)
    centred = donors - donors.mean(axis=1, keepdims=True)
    penalties = np.linalg.eigvalsh(centred @ centred.T)[-1] * np.geomspace(1, 1e-8, 20)
    wrong = np.empty((6, 20))
    for s in range(6):
        kept = np.arange(6) != s
        plain = simplex_weights(donors[kept], target[kept])
        for j, penalty in enumerate(penalties):
            gram = centred[kept] @ centred[kept].T + penalty * np.eye(5)
            short = target[kept] - donors[kept] @ plain
            w = plain + centred[kept].T @ np.linalg.solve(gram, short)
            wrong[s, j] = (target[s] - donors[s] @ w) ** 2
    mean = wrong.mean(axis=0)
    best = mean.argmin()
    within = mean <= mean[best] + wrong[:, best].std(ddof=1) / np.sqrt(6)
    among, start = Penalties.of(donors, mass=mass), simplex_weights(donors, target)
    found = chosen_penalty(donors, target, mass=mass, among=among, start=start)
    assert found == pytest.approx(penalties[within].max())


def test_noise_counts_a_mass_as_so_many_rows() -> None:
    rng = np.random.default_rng(8)
    before, mass = rng.normal(size=(6, 5)), np.array([1.0, 2, 1, 3, 1, 1])
    rows = np.repeat(before, mass.astype(int), axis=0)
    assert noise_level(before, mass) == pytest.approx(np.diff(rows, axis=1).std(ddof=1))


def test_ranks_by_hand() -> None:
    """Nineteen placebos: the least p-value is 1/20, and the interval reaches the largest."""
    values = np.arange(1.0, 20.0)[:, None]
    placebos = Placebos(values=values, scale=np.ones(19), own=1.0)
    told = placebos.interval(np.array([25.0]))
    assert (told.low[0], told.high[0], told.p_value[0]) == (6.0, 44.0, 1 / 20)
    assert placebos.interval(np.array([18.5])).p_value[0] == 2 / 20
    few = Placebos(values=values[:18], scale=np.ones(18), own=1.0).interval(np.array([25.0]))
    assert np.isnan(few.low[0])
    assert few.p_value[0] == pytest.approx(1 / 19)
    halved = Placebos(values=values, scale=np.full(19, 2.0), own=1.0).interval(np.array([25.0]))
    assert halved.high[0] == 25 + 9.5
    assert np.isnan(placebos.covariance()).all()


def test_ranks_where_nothing_varies_are_undefined() -> None:
    flat = Placebos(values=np.zeros((30, 1)), scale=np.ones(30), own=1.0)
    told = flat.interval(np.zeros(1))
    assert np.isnan([told.low[0], told.high[0], told.p_value[0]]).all()
    assert np.isnan(rank_p_value(np.array([np.nan]), np.ones((4, 1))))


def test_inversion_is_the_set_not_rejected() -> None:
    rng = np.random.default_rng(9)
    values, scale = rng.normal(size=(38, 1)), rng.uniform(0.5, 2, 38)
    placebos = Placebos(values=values, scale=scale, own=0.8)
    told = placebos.interval(np.array([1.2]))
    for effect in np.linspace(-4, 6, 201):
        p = placebos.interval(np.array([1.2 - effect])).p_value[0]
        assert (told.low[0] <= effect <= told.high[0]) == (p > 0.05)


def test_joint_reach_holds_both_terms() -> None:
    values = np.column_stack([np.arange(1.0, 20.0), np.arange(19.0, 0.0, -1)])
    placebos = Placebos(values=values, scale=np.ones(19), own=1.0)
    assert placebos.joint_reach(np.array([0, 1])) == 19.0
    crossed = placebos.combine(np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(crossed.values, 10.0)


def test_jackknife_is_leaving_each_one_out() -> None:
    """Closed form against dropping rows and bringing weights back to one."""
    rng = np.random.default_rng(10)
    values, rows, share = rng.normal(size=(9, 6)), np.array([7, 8]), np.array([0.3, 0.7])
    weights = np.zeros((2, 9))
    weights[:, :6] = rng.dirichlet(np.ones(6), 2)
    before = np.zeros((2, 6))
    before[:, :3] = rng.dirichlet(np.ones(3))

    def mean_path(w: np.ndarray, treated: list[int]) -> np.ndarray:
        gap = values[rows] - w @ values
        path = sdid_path(gap, before[0, :3])
        part = share[treated] / share[treated].sum()
        return np.asarray(part @ path[treated])

    paths = sdid_path(values[rows] - weights @ values, before[0, :3])
    found = changes_without_each(values, paths, weights, before, rows=rows, share=share)
    whole = mean_path(weights, [0, 1])
    for j in range(7):
        w = weights.copy()
        w[:, j] = 0
        w /= w.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found[j], mean_path(w, [0, 1]) - whole, atol=1e-12)
    np.testing.assert_allclose(found[7], mean_path(weights, [1]) - whole, atol=1e-12)
    influence, factor = jackknifed(found)
    n, apart = 9, found - found.mean(axis=0)
    np.testing.assert_allclose(
        factor * (influence**2).sum(axis=0), (n - 1) / n * (apart**2).sum(axis=0)
    )
