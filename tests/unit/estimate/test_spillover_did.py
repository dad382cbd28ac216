"""Spillover-aware difference in differences, by hand and against dense regressions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from whatworks import Design, SpilloverDiD
from whatworks.design.markets.competition import Competition
from whatworks.design.markets.record import EVERY_MONTH, MARKET_COLUMNS, Markets
from whatworks.design.rollout.rings import by_distance, by_share
from whatworks.errors import DesignRefused, DisplacementRefused, OptionError
from whatworks.stats.did.near import Places, moran
from whatworks.vocabulary import Supply, Unidentified

LINE = {"rings": (10.0,), "coordinates": ("x", "z"), "pretrends": 0}


def design(table: pd.DataFrame, *, covariates: tuple[str, ...] = (), **roles: str) -> Design:
    return Design.from_panel(
        table,
        unit="u",
        period="t",
        first_treated="g",
        outcome="y",
        covariates=[*covariates],
        **roles,
    )


def on_a_line() -> pd.DataFrame:
    """One treated at 0, one exposed at 5, two clean ones far away, two periods."""
    return pd.DataFrame(
        {
            "u": np.repeat([0, 1, 2, 3], 2),
            "t": [1, 2] * 4,
            "g": np.repeat([2, 0, 0, 0], 2),
            "y": [1.0, 6.0, 2.0, 1.0, 0.0, 1.0, 4.0, 7.0],
            "x": np.repeat([0.0, 5.0, 100.0, 200.0], 2),
            "z": 0.0,
        }
    )


def test_two_periods_by_hand() -> None:
    found = SpilloverDiD(**LINE).fit(design(on_a_line(), covariates=("x", "z")))
    rows = found.effects.set_index(["term", "group"])["estimate"]
    # Clean changes: 1 and 3, mean 2. Treated +5, exposed −1; all three untreated: mean 1.
    assert rows["total", "throughout"] == pytest.approx(5 - 2)
    assert rows["spillover", "throughout@0-10"] == pytest.approx(-1 - 2)
    assert rows["ordinary", "throughout"] == pytest.approx(5 - 1)
    assert rows["contamination", "throughout"] == pytest.approx(1)
    table = found.extras["widths"].set_index(["rings", "term"])["estimate"]
    assert table[0, "total"] == pytest.approx(4)


def scattered(seed: int = 3, n: int = 60, n_periods: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 60, (n, 2))
    start = np.zeros(n, dtype=int)
    start[rng.choice(n, 9, replace=False)] = np.repeat([3, 5, 6], 3)
    unit, period = np.repeat(np.arange(n), n_periods), np.tile(np.arange(1, n_periods + 1), n)
    table = pd.DataFrame({"u": unit, "t": period, "g": start[unit]})
    table[["x", "z"]] = points[unit]
    table["c"] = rng.normal(size=n)[unit]
    table["region"] = (points[:, 0] // 10)[unit]
    table["w"] = rng.uniform(0.5, 2, n)[unit]
    table["y"] = rng.normal(size=n)[unit] + 0.2 * period * table["c"] + rng.normal(size=unit.size)
    keep = rng.random(unit.size) > 0.08
    return table[keep].reset_index(drop=True)


def exposure(table: pd.DataFrame) -> np.ndarray:
    """Distance of each row to the nearest other treated unit then, by loops."""
    first = table.groupby("u").first()
    near = np.full(len(table), np.inf)
    for k, row in enumerate(table.itertuples()):
        for other, told in zip(first.index, first.itertuples(), strict=True):
            if other != row.u and 0 < told.g <= row.t:
                near[k] = min(near[k], np.hypot(row.x - told.x, row.z - told.z))
    return near


def dense(
    table: pd.DataFrame, columns: np.ndarray, *, weighted: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Means of imputed effects, and the sums by unit of their influence, all by dense matrices."""
    clean = columns.sum(axis=1) == 0
    unit, levels = np.unique(table["u"], return_inverse=True)
    months = np.eye(table["t"].max())[table["t"] - 1][:, 1:]
    fixed = np.hstack([np.eye(unit.size)[levels], months, months * table[["c"]].to_numpy()])
    w = table["w"].to_numpy() if weighted else np.ones(len(table))
    root = np.sqrt(w * clean)
    y = table["y"].to_numpy()
    fit = np.linalg.lstsq(fixed * root[:, None], y * root, rcond=None)[0]
    left = y - fixed @ fit
    mass = (w[:, None] * columns).sum(axis=0)
    effect = (w * left) @ columns / mass
    bread = np.linalg.pinv(fixed.T @ (fixed * (w * clean)[:, None]))
    loading = bread @ fixed.T @ (w[:, None] * columns / mass)
    scores = (w[:, None] * columns / mass) * (left[:, None] - effect)
    scores -= (w * clean * left)[:, None] * (fixed @ loading)
    sums = np.zeros((unit.size, columns.shape[1]))
    np.add.at(sums, levels, scores)
    return effect, sums


@pytest.mark.parametrize("weighted", [False, True])
def test_points_and_errors_are_those_of_dense_regressions(weighted: bool) -> None:
    table = scattered()
    near = exposure(table)
    treated = ((table["g"] > 0) & (table["t"] >= table["g"])).to_numpy()
    rings = [~treated & (near <= 6), ~treated & (near > 6) & (near <= 12)]
    columns = np.column_stack([treated, *rings, treated & (near > 12)]).astype(float)
    effect, sums = dense(table, columns[:, :3], weighted=weighted)
    _, alone = effect, columns[:, 3]
    roles = {"weight": "w"} if weighted else {}
    made = design(table, covariates=("x", "z", "c"), **roles)
    method = SpilloverDiD(rings=(6, 12), coordinates=("x", "z"))
    found = method.fit(made).effects.set_index(["term", "group"])
    names = [
        ("total", "throughout"),
        ("spillover", "throughout@0-6"),
        ("spillover", "throughout@6-12"),
    ]
    n = sums.shape[0]
    for k, name in enumerate(names):
        assert found.loc[name, "estimate"] == pytest.approx(effect[k], abs=1e-9)
        error = np.sqrt((sums[:, k] ** 2).sum() * n / (n - 1))
        assert found.loc[name, "std_error"] == pytest.approx(error, rel=1e-7)
    assert (
        found.loc[("total", "throughout@alone"), "n_treated"] == table.loc[alone > 0, "u"].nunique()
    )
    # The other fit: exposed units are a comparison; the difference has the error of both together.
    naive, beside = dense(table, columns[:, :1], weighted=weighted)
    assert found.loc[("ordinary", "throughout"), "estimate"] == pytest.approx(naive[0], abs=1e-9)
    apart = beside[:, 0] - sums[:, 0]
    error = np.sqrt((apart**2).sum() * n / (n - 1))
    assert found.loc[("contamination", "throughout"), "std_error"] == pytest.approx(error, rel=1e-7)


def test_errors_across_space_and_by_region() -> None:
    table = scattered()
    near = exposure(table)
    treated = ((table["g"] > 0) & (table["t"] >= table["g"])).to_numpy()
    columns = np.column_stack([treated, ~treated & (near <= 6)]).astype(float)
    _, sums = dense(table, columns, weighted=False)
    made = design(table, covariates=("x", "z", "c", "region"))
    points = table.groupby("u")[["x", "z"]].first().to_numpy()
    length = np.linalg.norm(points[:, None] - points, axis=2)
    for kernel, weights in (
        ("uniform", (length < 15).astype(float)),
        ("bartlett", np.maximum(1 - length / 15, 0.0)),
    ):
        method = SpilloverDiD(
            rings=(6,), coordinates=("x", "z"), cluster="space", cutoff=15, kernel=kernel
        )
        wider = replace(method, cluster="person", cutoff=None)
        found = method.fit(design(table, covariates=("x", "z", "c"))).effects
        assert np.isfinite(
            wider.fit(design(table, covariates=("x", "z", "c"))).effects["estimate"]
        ).all()
        rows = found.set_index(["term", "group"])
        variance = sums.T @ weights @ sums
        for k, name in enumerate([("total", "throughout"), ("spillover", "throughout@0-6")]):
            expected = np.sqrt(variance[k, k]) if variance[k, k] > 0 else np.nan
            assert rows.loc[name, "std_error"] == pytest.approx(expected, rel=1e-7, nan_ok=True)
    region = table.groupby("u")["region"].first().to_numpy().astype(int)
    totals = np.zeros((region.max() + 1, 2))
    np.add.at(totals, region, sums)
    g = np.unique(region).size
    found = SpilloverDiD(rings=(6,), coordinates=("x", "z"), cluster="region").fit(made)
    error = np.sqrt((totals[:, 0] ** 2).sum() * g / (g - 1))
    row = found.effects.set_index(["term", "group"]).loc[("total", "throughout")]
    assert row["std_error"] == pytest.approx(error, rel=1e-7)


def test_criteria_are_those_of_the_dense_regression() -> None:
    table = scattered()
    near = exposure(table)
    treated = ((table["g"] > 0) & (table["t"] >= table["g"])).to_numpy()
    found = SpilloverDiD(rings=(6, 12), coordinates=("x", "z")).fit(
        design(table, covariates=("x", "z"))
    )
    told = found.extras["widths"].drop_duplicates("rings").set_index("rings")
    unit = np.unique(table["u"], return_inverse=True)[1]
    base = [np.eye(unit.max() + 1)[unit], np.eye(7)[table["t"] - 1][:, 1:]]
    columns = [treated, ~treated & (near <= 6), ~treated & (near > 6) & (near <= 12)]
    for k in range(3):
        x = np.hstack([*base, np.column_stack(columns[: k + 1])])
        fit = np.linalg.lstsq(x, table["y"], rcond=None)[0]
        square = float(((table["y"] - x @ fit) ** 2).sum())
        bic = len(table) * np.log(square / len(table)) + x.shape[1] * np.log(len(table))
        assert told.loc[k, "bic"] == pytest.approx(bic, rel=1e-9)
    assert (told["cv"] > 0).all()


def competing(names: list[str], weights: np.ndarray, distance: np.ndarray | None = None) -> Markets:
    table = pd.DataFrame(dict.fromkeys(MARKET_COLUMNS, np.nan), index=range(len(names)))
    table = table.assign(market=names, month=EVERY_MONTH)
    held = Competition(names=tuple(names), weights=csr_array(weights), distance=distance)
    return Markets(table=table, competition=held)


def in_markets(seed: int = 5) -> pd.DataFrame:
    """Persons in six markets on a line; half of those of markets 0 and 1 are treated from period 3."""
    rng = np.random.default_rng(seed)
    market = np.repeat(np.arange(6), 20)
    start = np.where((market < 2) & (np.arange(120) % 2 == 0), 3, 0)
    unit, period = np.repeat(np.arange(120), 4), np.tile(np.arange(1, 5), 120)
    near = (period >= 3) & (start[unit] == 0)
    y = rng.normal(size=120)[unit] + rng.normal(size=unit.size, scale=0.1)
    y += 3.0 * ((start[unit] > 0) & (period >= 3)) - 2.0 * (near & (market[unit] < 2))
    y -= 1.0 * (near & (market[unit] == 2))
    names = np.array(["a", "b", "c", "d", "e", "f"])[market]
    return pd.DataFrame({"u": unit, "t": period, "g": start[unit], "m": names[unit], "y": y})


def with_markets(table: pd.DataFrame, markets: Markets) -> Design:
    made = design(table, market="m")
    return replace(made, markets=markets, supplies=made.supplies | {Supply.COMPETITION})


LENGTHS = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0))) * 10


def test_the_untreated_of_a_treated_market_are_at_distance_nought() -> None:
    made = with_markets(in_markets(), competing(list("abcdef"), np.eye(6), LENGTHS))
    found = SpilloverDiD(rings=(0, 10), cluster="market", pretrends=1).fit(made)
    rows = found.effects.set_index(["term", "group"])["estimate"]
    assert rows["total", "throughout"] == pytest.approx(3, abs=0.2)
    assert rows["spillover", "throughout@0-0"] == pytest.approx(-2, abs=0.2)
    assert rows["spillover", "throughout@0-10"] == pytest.approx(-1, abs=0.2)
    # Without rings the losses of neighbours count as gains of the treated.
    assert rows["contamination", "throughout"] > 0.4
    assert (
        found.extras["exposure"].set_index(["group", "treated"]).loc[("0-0", False), "n_units"]
        == 20
    )


def test_levels_of_exposure_through_competition() -> None:
    # Each market meets half of its competition at home, a quarter from either neighbour.
    near = np.where(LENGTHS == 10, 0.25, 0.0) + np.eye(6) * 0.5
    weights = near / near.sum(axis=1, keepdims=True)
    table = in_markets()
    whole = table.assign(g=np.where(table["m"].isin(["a", "b"]), 3, 0))
    made = with_markets(whole, competing(list("abcdef"), weights, LENGTHS))
    measure = by_share(made)
    np.testing.assert_allclose(measure.untreated[:, 0], weights[:, :2].sum(axis=1))
    np.testing.assert_allclose(measure.treated[0, 0], weights[0, 1])
    found = SpilloverDiD(levels=(0.2,), rings=(), pretrends=0).fit(made)
    assert set(found.extras["exposure"]["group"]) >= {"0.2+"}
    row = found.effects.set_index(["term", "group"]).loc[("spillover", "throughout@0.2+")]
    assert row["n_treated"] == 20  # market c
    with pytest.raises(DisplacementRefused) as refused:
        by_share(with_markets(table, competing(list("abcdef"), weights)))
    assert refused.value.code is Unidentified.SATURATION_FROM_SAMPLE


def test_nearest_by_tree_matrix_and_globe() -> None:
    rng = np.random.default_rng(6)
    points = np.column_stack([rng.uniform(-60, 60, 40), rng.uniform(-180, 180, 40)])
    points[1] = points[0]
    lat, lon = np.radians(points).T
    haversine = np.sin((lat[:, None] - lat) / 2) ** 2
    haversine += np.cos(lat[:, None]) * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    length = 2 * 6371.0088 * np.arcsin(np.sqrt(haversine))
    members = np.array([0, 1, 7, 20])
    by_tree = Places(points=points, metric="globe").nearest(members)
    by_matrix = Places(distance=length).nearest(members)
    np.testing.assert_allclose(by_tree, by_matrix, atol=1e-6)
    assert by_tree[0] == pytest.approx(0, abs=1e-6)
    alone = Places(points=points, metric="globe").nearest(np.array([5]))
    assert np.isinf(alone[5])
    assert np.isfinite(np.delete(alone, 5)).all()
    near = Places(points=points, metric="globe").within(3_000, kernel="bartlett").toarray()
    np.testing.assert_allclose(near, np.maximum(1 - length / 3_000, 0), atol=1e-8)


def test_moran_by_loops_and_by_shuffling() -> None:
    rng = np.random.default_rng(7)
    points = rng.uniform(0, 10, (30, 2))
    weights = Places(points=points).within(3, kernel="uniform")
    values = rng.normal(size=30) + points[:, 0]
    found = moran(values, weights)
    dense_weights = weights.toarray() - np.eye(30)
    z = values - values.mean()
    index = 30 / dense_weights.sum() * (z @ dense_weights @ z) / (z @ z)
    assert found.index == pytest.approx(index)
    drawn = []
    for _ in range(4_000):
        q = rng.permutation(z)
        drawn.append(30 / dense_weights.sum() * (q @ dense_weights @ q) / (q @ q))
    assert found.expected == pytest.approx(np.mean(drawn), abs=0.01)
    assert found.std_error == pytest.approx(np.std(drawn), rel=0.05)
    assert found.p_value < 0.001
    assert np.isnan(moran(np.ones(30), weights).p_value)


def test_what_is_beyond_the_outermost_ring_is_seen() -> None:
    rng = np.random.default_rng(8)
    n = 400
    points = rng.uniform(0, 100, (n, 2))
    start = np.zeros(n, dtype=int)
    start[:12] = 4
    unit, period = np.repeat(np.arange(n), 6), np.tile(np.arange(1, 7), n)
    near = np.linalg.norm(points[:, None] - points[:12], axis=2).min(axis=1)
    reach = (period >= 4) & (start[unit] == 0) & (near[unit] <= 16)
    y = rng.normal(size=unit.size) - 1.0 * reach + 2.0 * ((start[unit] > 0) & (period >= 4))
    table = pd.DataFrame(
        {
            "u": unit,
            "t": period,
            "g": start[unit],
            "y": y,
            "x": points[unit, 0],
            "z": points[unit, 1],
        }
    )
    made = design(table, covariates=("x", "z"))
    short = SpilloverDiD(rings=(8,), coordinates=("x", "z")).fit(made).extras["beyond"].iloc[0]
    long = SpilloverDiD(rings=(8, 16), coordinates=("x", "z")).fit(made).extras["beyond"].iloc[0]
    assert short["group"] == "8-16"
    assert short["p_value"] < 0.001
    assert short["moran_p_value"] < 0.05
    assert long["p_value"] > 0.05
    assert long["moran_p_value"] > 0.05


def test_who_is_never_clean_and_what_nobody_clean_saw_is_counted() -> None:
    table = on_a_line()
    late = table[(table["u"] != 1) | (table["t"] == 2)]
    found = SpilloverDiD(**LINE).fit(design(late, covariates=("x", "z")))
    dropped = found.ledger.frame()
    assert dropped.loc[dropped["reason"] == "no_untreated_period", "dropped"].sum() == 1
    always = pd.DataFrame({"u": 9, "t": [1, 2], "g": 1, "y": 0.0, "x": 100.0, "z": 0.0})
    with pytest.raises(DesignRefused, match="1 treated from the first period on"):
        SpilloverDiD(**LINE).fit(design(pd.concat([table, always]), covariates=("x", "z")))
    crowded = table.assign(x=table["x"] / 100)
    with pytest.raises(DesignRefused, match="neither treated nor near"):
        SpilloverDiD(**LINE).fit(design(crowded, covariates=("x", "z")))


@pytest.mark.parametrize(
    "options",
    [
        {"rings": (5, 3)},
        {"rings": ()},
        {"levels": (0.0, 0.5)},
        {"coordinates": ("x",)},
        {"cluster": "space"},
        {"cutoff": 5.0},
        {"pretrends": -1},
        {"kernel": "epanechnikov"},
    ],
)
def test_options_are_held_at_the_door(options: dict) -> None:
    with pytest.raises(OptionError):
        SpilloverDiD(**options)


def test_a_design_that_says_nothing_of_places_is_refused() -> None:
    made = design(on_a_line(), covariates=("x", "z"))
    with pytest.raises(DesignRefused, match="competition"):
        SpilloverDiD().fit(made)
    with pytest.raises(OptionError, match="coordinates"):
        by_distance(made, coordinates=("x", "latitude"))
    with pytest.raises(DesignRefused, match="distances between markets"):
        by_distance(made)
