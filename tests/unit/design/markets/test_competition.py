"""Who competes with whom across markets, and what reaches each from the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from whatworks import Competition, Design, competing, exposures, with_markets
from whatworks.errors import DesignRefused, OptionError
from whatworks.vocabulary import Supply

RNG = np.random.default_rng(7)
NAMES = [f"z{k:02d}" for k in range(40)]
PLACES = pd.DataFrame(
    {
        "zone": NAMES,
        "latitude": RNG.uniform(47, 49, 40),
        "longitude": RNG.uniform(1, 4, 40),
        "x": RNG.uniform(0, 100, 40),
        "y": RNG.uniform(0, 100, 40),
        "seekers": RNG.gamma(6, 30, 40),
        "share": RNG.choice([0.0, 0.25, 0.5, 0.75], 40),
    }
)


def great_circle(one: pd.Series, other: pd.Series) -> float:
    """Haversine, another way round than ours."""
    a, b = np.radians([one["latitude"], other["latitude"]])
    turn = np.radians(other["longitude"] - one["longitude"])
    half = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(turn / 2) ** 2
    return float(2 * 6371.0088 * np.arcsin(np.sqrt(half)))


@pytest.mark.parametrize("kernel", ["exponential", "gaussian", "inverse", "uniform"])
@pytest.mark.parametrize("sized", [True, False])
def test_by_distance_is_kernel_times_seekers_of_each_pair(kernel: str, sized: bool) -> None:
    found = Competition.by_distance(
        PLACES,
        market="zone",
        scale=30,
        cut=60,
        kernel=kernel,  # type: ignore[arg-type]  # one of them
        seekers="seekers" if sized else None,
    )
    assert found.names == tuple(NAMES)
    by_hand = np.zeros((40, 40))
    for i, one in PLACES.iterrows():
        for j, other in PLACES.iterrows():
            apart = great_circle(one, other)
            assert found.distance is not None
            assert found.distance[i, j] == pytest.approx(apart, abs=1e-6)
            if apart <= 60:
                value = {
                    "exponential": np.exp(-apart / 30),
                    "gaussian": np.exp(-0.5 * (apart / 30) ** 2),
                    "inverse": 1 / (1 + apart / 30),
                    "uniform": 1.0,
                }[kernel]
                by_hand[i, j] = value * (other["seekers"] if sized else 1)
    by_hand /= by_hand.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.weights.toarray(), by_hand, atol=1e-9)


def test_a_plane_has_the_unit_of_its_coordinates_and_the_cut_belongs() -> None:
    corners = pd.DataFrame({"zone": ["b", "a", "c"], "x": [3.0, 0.0, 30.0], "y": [4.0, 0.0, 40.0]})
    made = Competition.by_distance(
        corners, market="zone", coordinates=("x", "y"), scale=1, cut=5, kernel="uniform"
    )
    assert made.names == ("a", "b", "c")
    assert made.weights.toarray().tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]
    assert made.distance is not None
    assert made.distance[0, 2] == 50


def test_by_commuting_is_where_one_looks_times_whom_one_meets() -> None:
    flows = pd.DataFrame(
        [("a", "A", 80), ("a", "B", 20), ("b", "A", 20), ("b", "B", 30), ("c", "C", 10)],
        columns=["home", "work", "n"],
    )
    found = Competition.by_commuting(flows, home="home", work="work", workers="n")
    # From a: 0.8 of the search at A, where 80 of 100 come from a; 0.2 at B, where 20 of 50 do.
    assert found.names == ("a", "b", "c")
    np.testing.assert_allclose(
        found.weights.toarray(),
        [
            [0.8 * 0.8 + 0.2 * 0.4, 0.8 * 0.2 + 0.2 * 0.6, 0],
            [0.4 * 0.8 + 0.6 * 0.4, 0.4 * 0.2 + 0.6 * 0.6, 0],
            [0, 0, 1],
        ],
    )
    with pytest.raises(OptionError, match="1 of 2 without"):
        Competition.by_commuting(
            pd.DataFrame([("a", "A", 3), ("b", "A", 0)], columns=["home", "work", "n"]),
            home="home",
            work="work",
            workers="n",
        )


def test_by_skills_is_the_cosine_of_what_occupations_use() -> None:
    uses = pd.DataFrame(
        [
            ("cook", "heat", 1.0),
            ("cook", "clean", 1.0),
            ("maid", "clean", 2.0),
            ("clerk", "type", 1.0),
        ],
        columns=["occupation", "skill", "much"],
    )
    found = Competition.by_skills(uses, market="occupation", skill="skill", weight="much")
    near = 1 / np.sqrt(2)
    by_hand = np.array([[1, 0, 0], [0, 1, near], [0, near, 1]])
    np.testing.assert_allclose(
        found.weights.toarray(), by_hand / by_hand.sum(axis=1, keepdims=True)
    )
    alone = Competition.by_skills(
        uses, market="occupation", skill="skill", weight="much", least=0.8
    )
    np.testing.assert_allclose(alone.weights.toarray(), np.eye(3))


def links(weights: dict[tuple[str, str], float]) -> Competition:
    table = pd.DataFrame([(*pair, w) for pair, w in weights.items()], columns=["a", "b", "w"])
    return Competition.by_links(table, market="a", other="b", weight="w")


def test_zones_across_occupations_and_only_those_that_exist() -> None:
    zones = links({("n", "n"): 3, ("n", "s"): 1, ("s", "s"): 1})
    jobs = links({("cook", "cook"): 1, ("cook", "maid"): 1, ("maid", "maid"): 1})
    every = zones.across(jobs)
    assert every.names == ("n × cook", "n × maid", "s × cook", "s × maid")
    np.testing.assert_allclose(
        every.weights.toarray(), np.kron(zones.weights.toarray(), jobs.weights.toarray())
    )
    some = zones.across(jobs, only=["n × cook", "n × maid", "s × maid"])
    np.testing.assert_allclose(some.weights.toarray()[0], np.array([3, 3, 1]) / 7)
    with pytest.raises(OptionError, match="1 of other names"):
        zones.across(jobs, only=["n x cook"])


def test_both_needs_the_same_markets() -> None:
    one = links({("a", "a"): 3, ("a", "b"): 1, ("b", "b"): 1, ("b", "a"): 1})
    other = links({("a", "a"): 1, ("a", "b"): 1, ("b", "b"): 1})
    np.testing.assert_allclose(one.times(other).weights.toarray(), [[0.75, 0.25], [0, 1]])
    with pytest.raises(OptionError, match="2 and 1, 1 in common"):
        one.times(links({("a", "a"): 1}))


def design_of(shares: np.ndarray, *, saturation: bool = True) -> Design:
    """Ten units in every zone."""
    market = np.repeat(NAMES, 10)
    share = np.repeat(shares, 10)
    treated = (np.tile(np.arange(10), 40) < np.round(10 * share)).astype(int)
    table = pd.DataFrame({"zone": market, "share": share, "treated": treated, "y": 1.0 * treated})
    return Design.from_cross_section(
        table,
        treatment="treated",
        outcome="y",
        market="zone",
        saturation="share" if saturation else None,
    )


def test_what_reaches_each_market_from_the_others() -> None:
    shares = PLACES["share"].to_numpy()
    rivals = Competition.by_distance(PLACES, market="zone", scale=30, cut=90, seekers="seekers")
    design = competing(design_of(shares), rivals)
    assert Supply.COMPETITION in design.supplies
    found = exposures(design, rings=(0, 40, 90))
    w, distance = rivals.weights.toarray(), rivals.distance
    assert distance is not None
    np.testing.assert_allclose(found["met"], w @ shares)
    for i in range(40):
        others = np.arange(40) != i
        assert found["met_elsewhere"][i] == pytest.approx(
            (w[i, others] @ shares[others]) / w[i, others].sum(), nan_ok=True
        )
        for low, high in ((0, 40), (40, 90)):
            ring = others & (distance[i] > low) & (distance[i] <= high)
            mean = shares[ring].mean() if ring.any() else np.nan
            assert found[f"within_{high}"][i] == pytest.approx(mean, nan_ok=True)
    told = with_markets(design, PLACES, market="zone", seekers="seekers", saturation="share")
    weighed = exposures(told, rings=(0, 90))
    ring = (distance[3] <= 90) & (np.arange(40) != 3)
    size = PLACES["seekers"].to_numpy()
    assert weighed["within_90"][3] == pytest.approx((size * shares)[ring].sum() / size[ring].sum())


def test_what_is_not_known_reaches_nobody_as_a_number() -> None:
    shares = PLACES["share"].to_numpy()
    rivals = Competition.by_distance(PLACES, market="zone", scale=30, cut=50)
    design = competing(design_of(shares), rivals)
    assert design.markets is not None
    table = design.markets.table.copy()
    table.loc[table["market"] == "z05", "saturation"] = np.nan
    found = exposures(replace(design, markets=replace(design.markets, table=table)))
    blind = rivals.weights.toarray()[:, 5] > 0
    assert np.isnan(found["met"][blind]).all()
    assert found["met"][~blind].notna().all()
    assert not np.isnan(found["met_elsewhere"][5]) or rivals.weights.toarray()[5, 5] == 1


def test_markets_and_distances_must_be_known() -> None:
    shares = PLACES["share"].to_numpy()
    design = design_of(shares)
    with pytest.raises(DesignRefused, match="nothing of it"):
        exposures(design)
    few = Competition.by_distance(PLACES.iloc[:30], market="zone", scale=30, cut=50)
    with pytest.raises(DesignRefused, match="10 of 40 that it does not know"):
        competing(design, few)
    everyone = {(a, b): 1.0 for a in NAMES for b in NAMES}
    linked = competing(design, links(everyone))
    with pytest.raises(DesignRefused, match="by links"):
        exposures(linked, rings=(0, 10))
    near = competing(design, Competition.by_distance(PLACES, market="zone", scale=30, cut=50))
    with pytest.raises(OptionError, match="increase from 0"):
        exposures(near, rings=(10, 5))
    nobody = competing(
        design_of(shares, saturation=False),
        Competition.by_distance(PLACES, market="zone", scale=30, cut=50),
    )
    with pytest.raises(DesignRefused, match="share of markets"):
        exposures(nobody)


def test_no_order_of_rows_decides() -> None:
    order = np.random.default_rng(2).permutation(40)
    one = Competition.by_distance(PLACES, market="zone", scale=30, cut=60, seekers="seekers")
    other = Competition.by_distance(
        PLACES.iloc[order], market="zone", scale=30, cut=60, seekers="seekers"
    )
    assert one.names == other.names
    np.testing.assert_allclose(one.weights.toarray(), other.weights.toarray(), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": 0.0}, "scale"),
        ({"cut": np.inf}, "cut"),
        ({"kernel": "flat"}, "kernel"),
        ({"coordinates": ("latitude",)}, "two columns"),
        ({"market": "zones"}, "zone"),
    ],
)
def test_options_out_of_range(change: dict[str, object], message: str) -> None:
    asked = {"market": "zone", "scale": 30.0, "cut": 60.0} | change
    with pytest.raises(OptionError, match=message):
        Competition.by_distance(PLACES, **asked)  # type: ignore[arg-type]  # wrong on purpose


def test_places_out_of_the_globe_or_told_twice() -> None:
    with pytest.raises(OptionError, match="latitude first"):
        Competition.by_distance(PLACES.assign(latitude=120.0), market="zone", scale=1, cut=1)
    with pytest.raises(OptionError, match="40 repeated"):
        Competition.by_distance(pd.concat([PLACES, PLACES]), market="zone", scale=1, cut=1)
    with pytest.raises(OptionError, match="positive"):
        Competition.by_distance(
            PLACES.assign(seekers=0), market="zone", scale=1, cut=1, seekers="seekers"
        )


def test_twenty_thousand_markets_cost_what_their_weights_cost() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    places = pd.DataFrame(
        {
            "zone": [f"z{k:05d}" for k in range(n)],
            "latitude": rng.uniform(42, 51, n),
            "longitude": rng.uniform(-4, 8, n),
        }
    )
    found = Competition.by_distance(places, market="zone", scale=10, cut=15)
    assert found.distance is None
    assert isinstance(found.weights, csr_array)
    assert found.weights.nnz < 40 * n
    np.testing.assert_allclose(found.weights.sum(axis=1), 1)
