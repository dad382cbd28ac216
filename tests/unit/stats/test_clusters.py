"""Few clusters by brute force: matrices of the size of the data, regressions fitted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from whatworks.errors import DesignRefused
from whatworks.stats.assignments import (
    drawn_assignments,
    every_assignment,
    number_of_assignments,
    share_as_far,
)
from whatworks.stats.clusters.blocks import cluster_blocks
from whatworks.stats.clusters.covariance import cluster_robust, hotelling_test
from whatworks.stats.clusters.inversion import ConfidenceSet, not_rejected
from whatworks.stats.clusters.rules import Clusters, verdict
from whatworks.stats.clusters.score import score_bootstrap
from whatworks.stats.clusters.wild import wild_bootstrap, wild_interval

Floats = NDArray[np.float64]


def drawn(
    n: int = 90, g: int = 9, *, treated: int = 4, seed: int = 3
) -> tuple[Floats, Floats, NDArray[np.int64], Floats]:
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, g, n)
    x = np.column_stack([np.ones(n), cluster < treated, rng.standard_normal(n) * 100])
    y = x[:, 1] + rng.standard_normal(g)[cluster] + rng.standard_normal(n)
    return x.astype(float), y, cluster, rng.uniform(0.5, 3.0, n)


def power(matrix: Floats, exponent: float) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    there = values > 1e-9
    raised = np.where(there, np.where(there, values, 1.0) ** exponent, 0.0)
    return np.asarray((vectors * raised) @ vectors.T)


def by_brute_force(
    x: Floats, y: Floats, cluster: NDArray[np.int64], w: Floats, form: Floats
) -> tuple[float, float]:
    """CR2 variance and Satterthwaite's degrees of freedom with matrices of the size of the data."""
    n = y.size
    m = np.linalg.inv(x.T @ (x * w[:, None]))
    residual_maker = np.eye(n) - x @ m @ (x * w[:, None]).T
    u = residual_maker @ y
    parts, vectors = [], []
    for g in np.unique(cluster):
        rows = cluster == g
        a = power(residual_maker[rows] @ residual_maker[rows].T, -0.5)
        own = a @ (x[rows] * w[rows, None]) @ m @ form
        parts.append(own @ u[rows])
        vectors.append(residual_maker[rows].T @ own)
    p = np.array(vectors)
    return float(np.sum(np.square(parts))), float(
        np.einsum("gi,gi->", p, p) ** 2 / np.sum((p @ p.T) ** 2)
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_cr2_and_its_degrees_of_freedom(weighted: bool) -> None:
    x, y, cluster, w = drawn()
    w = w if weighted else np.ones_like(w)
    blocks = cluster_blocks(x, y, cluster, weight=w if weighted else None)
    forms = np.array([[0.0, 1.0, 0.0], [0.3, 0.5, 4.0]])
    found = cluster_robust(blocks, contrasts=forms)
    for k, form in enumerate(forms):
        variance, df = by_brute_force(x, y, cluster, w, form)
        assert found.std_error[k] ** 2 == pytest.approx(variance, rel=1e-9)
        assert found.df[k] == pytest.approx(df, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_jackknife_leaves_clusters_out_one_by_one(weighted: bool) -> None:
    x, y, cluster, w = drawn()
    w = w if weighted else np.ones_like(w)

    def beta(rows: NDArray[np.bool_]) -> Floats:
        root = np.sqrt(w[rows])
        return np.linalg.lstsq(x[rows] * root[:, None], y[rows] * root, rcond=None)[0]

    whole = beta(np.ones(y.size, dtype=bool))
    apart = np.array([beta(cluster != g) - whole for g in range(9)])
    found = cluster_robust(
        cluster_blocks(x, y, cluster, weight=w if weighted else None), kind="jackknife"
    )
    assert found.covariance == pytest.approx(8 / 9 * apart.T @ apart, rel=1e-8)


def test_weights_of_one_value_are_no_weights() -> None:
    x, y, cluster, _ = drawn()
    plain = cluster_robust(cluster_blocks(x, y, cluster))
    even = cluster_robust(cluster_blocks(x, y, cluster, weight=np.full(y.size, 7.0)))
    assert even.covariance == pytest.approx(plain.covariance, rel=1e-9)
    assert even.df == pytest.approx(plain.df, rel=1e-9)


def test_rows_alike_may_be_counted() -> None:
    x, y, cluster, _ = drawn()
    x = x[:, :2]
    cells, where = np.unique(np.column_stack([x, cluster]), axis=0, return_inverse=True)
    count = np.bincount(where)
    mean = np.bincount(where, weights=y) / count
    counted = cluster_blocks(cells[:, :2], mean, cells[:, 2], count=count)
    whole = cluster_blocks(x, y, cluster)
    assert counted.n == whole.n == 90
    form = np.array([0.0, 1.0])
    for kind in ("CR1S", "CR2", "jackknife"):
        one, other = (cluster_robust(b, kind=kind, contrasts=form) for b in (counted, whole))
        assert one.std_error == pytest.approx(other.std_error, rel=1e-10)
        assert one.df == pytest.approx(other.df, rel=1e-10)
    assert wild_interval(counted, form).low == pytest.approx(wild_interval(whole, form).low)


def test_a_cluster_that_alone_decides_leaves_nothing_defined() -> None:
    x, y, cluster, _ = drawn(treated=1)
    blocks = cluster_blocks(x, y, cluster)
    for kind in ("CR2", "CR3", "jackknife"):
        found = cluster_robust(blocks, kind=kind)
        assert np.isnan(found.std_error[1])
        assert np.isnan(found.p_value[1])
        assert np.isfinite(found.std_error[2])
    # CR1 takes the residuals of the lone cluster, which sum to nothing, for its chance.
    naive = cluster_robust(blocks, kind="CR1S").std_error[1]
    ends = wild_interval(blocks, np.array([0.0, 1.0, 0.0]), draws=2**9)
    assert ends.high - ends.low > 5 * 2 * 1.96 * naive


def test_columns_that_repeat_each_other_are_refused() -> None:
    x, y, cluster, _ = drawn()
    with pytest.raises(DesignRefused, match="lower rank"):
        cluster_blocks(np.column_stack([x, x[:, 0] - x[:, 1]]), y, cluster)


def test_hotelling_of_one_form_is_its_t() -> None:
    x, y, cluster, w = drawn()
    blocks = cluster_blocks(x, y, cluster, weight=w)
    form = np.array([[0.0, 1.0, 0.0]])
    joint, alone = hotelling_test(blocks, form), cluster_robust(blocks, contrasts=form)
    assert joint.p_value == pytest.approx(float(alone.p_value[0]), rel=1e-9)
    assert joint.df_residual == pytest.approx(float(alone.df[0]), rel=1e-9)


def one_by_one(
    x: Floats, y: Floats, cluster: NDArray[np.int64], w: Floats, null: float, restricted: bool
) -> tuple[float, Floats]:
    """t of the second coefficient and of every pattern of signs, each regression fitted."""
    g = 9
    root = np.sqrt(w)

    def fit(columns: Floats, outcome: Floats) -> Floats:
        return np.linalg.lstsq(columns * root[:, None], outcome * root, rcond=None)[0]

    inverse = np.linalg.inv(x.T @ (x * w[:, None]))

    def t(outcome: Floats, about: float) -> float:
        beta = fit(x, outcome)
        scores = x * (w * (outcome - x @ beta))[:, None]
        meat = sum(np.outer(s, s) for s in (scores[cluster == h].sum(axis=0) for h in range(g)))
        n, k = x.shape
        factor = g / (g - 1) * (n - 1) / (n - k)
        return float((beta[1] - about) / np.sqrt(factor * (inverse @ meat @ inverse)[1, 1]))

    others = x[:, [0, 2]]
    fitted = others @ fit(others, y - null * x[:, 1]) + null * x[:, 1]
    centre = null
    if not restricted:
        fitted, centre = x @ fit(x, y), fit(x, y)[1]
    signs = 1.0 - 2.0 * (np.arange(2**g)[:, None] >> np.arange(g) & 1)
    return t(y, null), np.array([t(fitted + v[cluster] * (y - fitted), centre) for v in signs])


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_pattern_of_signs(weighted: bool, restricted: bool) -> None:
    x, y, cluster, w = drawn()
    w = w if weighted else np.ones_like(w)
    t, others = one_by_one(x, y, cluster, w, 0.4, restricted)
    blocks = cluster_blocks(x, y, cluster, weight=w if weighted else None)
    found = wild_bootstrap(
        blocks, np.array([0.0, 1.0, 0.0]), null=0.4, restricted=restricted, draws=2**9
    )
    assert found.t == pytest.approx(t, rel=1e-9)
    assert found.p_value == (np.abs(others) >= abs(t) - 1e-9).mean()
    assert found.p_lower == (others < t - 1e-9).mean()
    assert found.p_upper == (others > t + 1e-9).mean()


@pytest.mark.parametrize("law", ["rademacher", "webb", "mammen", "normal"])
@pytest.mark.parametrize("restricted", [True, False])
def test_the_interval_is_where_the_test_does_not_reject(law: str, restricted: bool) -> None:
    x, y, cluster, _ = drawn()
    blocks, form = cluster_blocks(x, y, cluster), np.array([0.0, 1.0, 0.0])
    ends = wild_interval(blocks, form, restricted=restricted, weights=law, draws=999)
    # Mammen's two points lean: with nine clusters some sets have no end on one side.
    low, high = np.clip([ends.low, ends.high], -20, 20)
    for value in np.linspace(low - 1, high + 1, 61):
        p = wild_bootstrap(
            blocks, form, null=float(value), restricted=restricted, weights=law, draws=999
        ).p_value
        assert (p > 0.05) == any(a < value < b for a, b in ends.intervals)


def test_an_unchanging_outcome_has_no_test() -> None:
    x, _, cluster, _ = drawn()
    blocks = cluster_blocks(x, np.full(90, 4.0), cluster)
    form = np.array([0.0, 1.0, 0.0])
    assert np.isnan(wild_bootstrap(blocks, form).p_value)
    assert wild_interval(blocks, form).intervals == ()
    assert np.isnan(wild_interval(blocks, form).low)
    assert np.isnan(score_bootstrap(1.0, np.zeros(9)).p_value)


def test_rows_and_labels_decide_nothing() -> None:
    x, y, cluster, _ = drawn(g=30, n=300, treated=12)
    form = np.array([0.0, 1.0, 0.0])
    order = np.random.default_rng(1).permutation(y.size)
    renamed = np.random.default_rng(2).permutation(30)[cluster]
    one = wild_bootstrap(cluster_blocks(x, y, cluster), form, draws=999)
    other = wild_bootstrap(cluster_blocks(x[order], y[order], renamed[order]), form, draws=999)
    assert not one.enumerated
    assert one.p_value == other.p_value


def test_laws_have_mean_zero_and_variance_one() -> None:
    """A draw of each law through the score bootstrap of many clusters: its t is near Student's."""
    influence = np.random.default_rng(0).standard_normal(400) / 400
    influence -= influence.mean()
    point = 1.5 * float(np.sqrt((influence**2).sum()))
    for law in ("rademacher", "webb", "mammen", "normal"):
        found = score_bootstrap(point, influence, weights=law, draws=20_000)
        assert found.p_value == pytest.approx(0.134, abs=0.012)


def test_score_bootstrap_by_hand() -> None:
    """Three clusters, eight patterns; with the hypothesis imposed it is the test of changed signs."""
    influence = np.array([-0.2, 0.05, 0.15])
    share = np.full(3, 1 / 3)
    found = score_bootstrap(0.6, influence, share=share, draws=8)
    own = influence + 0.2
    patterns = 1.0 - 2.0 * (np.arange(8)[:, None] >> np.arange(3) & 1)
    t = []
    for v in patterns:
        drawn_ = v * own
        t.append(abs(drawn_.sum()) / np.sqrt(((drawn_ - drawn_.mean()) ** 2).sum()))
    mine = 0.6 / np.sqrt((influence**2).sum())
    assert found.enumerated
    assert found.p_value == np.mean(np.array(t) >= mine - 1e-9) == 0.5


def test_sets_may_be_unbounded_empty_or_several_intervals() -> None:
    def of(*rows: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
        found = not_rejected(np.array(rows), always=0.0, total=float(len(rows)), level=0.6)
        return found.intervals

    inf = float("inf")
    assert of((1.0, 0.0, -1.0, 0.0, 0.0)) == ((-1.0, 1.0),)
    assert of((-1.0, 0.0, 1.0, 0.0, 0.0)) == ((-inf, -1.0), (1.0, inf))
    assert of((-1.0, 0.0, -1.0, 0.0, 0.0)) == ()
    assert of((0.0, 0.0, 0.0, 0.0, 0.0)) == ((-inf, inf),)
    assert of((0.0, 1.0, 0.0, 0.0, 0.0)) == ((0.0, inf),)
    between = of((-4.0, 0.0, 5.0, 0.0, -1.0))
    assert between == (pytest.approx((-2.0, -1.0)), pytest.approx((1.0, 2.0)))
    # Two of three must agree for a share above 0.4.
    row = (1.0, 0.0, -1.0, 0.0, 0.0)
    assert of(row, (4.0, 0.0, -1.0, 0.0, 0.0), (-1.0, 0.0, 0.0, 0.0, 0.0)) == ((-1.0, 1.0),)
    assert not ConfidenceSet(intervals=((-1.0, 0.0), (1.0, 2.0))).connected
    assert ConfidenceSet(intervals=((-1.0, inf),)).moved(centre=1.0, scale=2.0).intervals == (
        (-inf, 3.0),
    )


def test_assignments_keep_the_numbers_of_each_stratum() -> None:
    start = np.array([4, 4, 7, 9, 9, 4, 9])
    stratum = np.array([0, 0, 0, 0, 0, 1, 1])
    every = [tuple(a) for a in every_assignment(start, stratum)]
    assert len(every) == len(set(every)) == number_of_assignments(start, stratum) == 30 * 2
    assert tuple(start) in every
    seen = set()
    for a in drawn_assignments(start, stratum, draws=600, rng=np.random.default_rng(0)):
        assert sorted(a[:5]) == [4, 4, 7, 9, 9]
        assert sorted(a[5:]) == [4, 9]
        seen.add(tuple(a))
    assert seen <= set(every)
    assert len(seen) == 60


def test_undefined_assignments_count_as_being_as_far() -> None:
    others = np.array([3.0, -2.0, 1.0, np.nan])
    assert share_as_far(2.0, others, exact=True) == 3 / 4
    assert share_as_far(2.0, others, exact=False) == 4 / 5
    assert share_as_far(2.0, others, exact=True, side="greater") == 2 / 4
    assert share_as_far(2.0, others, exact=True, side="less") == 3 / 4
    assert np.isnan(share_as_far(np.nan, others, exact=True))


@pytest.mark.parametrize(
    ("method", "arms", "options", "said"),
    [
        ("cluster_robust", (60, 30, 30), {}, "legal"),
        ("cluster_robust", (60, 15, 45), {}, "few_clusters"),
        ("score", (12, 6, 6), {}, "few_clusters"),
        ("cr2_satterthwaite", (12, 6, 6), {"df": 9.0}, "legal"),
        ("cr2_satterthwaite", (12, 6, 6), {"df": 3.9}, "low_df"),
        ("wild_restricted", (12, 6, 6), {"df": 9.0}, "legal"),
        ("wild_restricted", (12, 6, 6), {"df": 2.0}, "low_df"),
        ("wild_restricted", (11, 4, 7), {"df": 5.0}, "few_in_arm"),
        ("wild_restricted", (5, 5, 5), {"df": 4.0}, "legal"),
        ("wild_restricted", (40, 0, 40), {"df": 5.0}, "one_arm"),
        ("jackknife", (30, 1, 29), {"defined": False}, "one_treated"),
        ("randomisation", (30, 1, 29), {"n_assignments": 30}, "one_treated"),
        ("randomisation", (30, 4, 26), {}, "no_assignment"),
        ("randomisation", (5, 2, 3), {"n_assignments": 10}, "few_assignments"),
        ("randomisation", (7, 3, 4), {"n_assignments": 35}, "legal"),
    ],
)
def test_which_inference_is_legal(
    method: str, arms: tuple[int, int, int], options: dict[str, float], said: str
) -> None:
    clusters = Clusters(n=arms[0], treated=arms[1], comparison=arms[2])
    assert verdict(method, clusters, **options) == said
