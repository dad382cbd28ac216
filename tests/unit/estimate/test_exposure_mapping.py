"""ExposureMapping: by hand, across accounts of who competes with whom, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks import Competition, Design, ExposureMapping, competing, vary_competition
from whatworks.errors import DesignRefused, DisplacementRefused, OptionError
from whatworks.estimate.shares.responses import ASSIGNED, INELIGIBLE, UNASSIGNED, responses_of
from whatworks.vocabulary import Supply, Unidentified


def table(n: int = 30, *, size: int = 10, noise: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    share = rng.permutation(np.resize([0.0, 0.0, 0.5], n))
    market = np.repeat(np.arange(n), size)
    rank = rng.permuted(np.tile(np.arange(size), (n, 1)), axis=1)
    z = (rank < size * share[:, None]).ravel().astype(int)
    y = z - share[market] + noise * rng.normal(size=market.size)
    return pd.DataFrame({"z": z, "market": market, "share": share[market], "y": y})


def design(rows: pd.DataFrame, **more: str) -> Design:
    return Design.from_cross_section(
        rows,
        treatment="z",
        outcome="y",
        market="market",
        saturation="share",
        randomised=True,
        **more,
    )


def circle(n: int, own: float) -> Competition:
    """Each market meets itself and the next."""
    place = np.arange(n).astype(str)
    links = pd.DataFrame(
        {
            "market": np.tile(place, 2),
            "other": np.append(place, np.roll(place, -1)),
            "weight": np.repeat([own, 1 - own], n),
        }
    )
    return Competition.by_links(
        links[links["weight"] > 0], market="market", other="other", weight="weight"
    )


def test_markets_on_their_own_are_plain_means_of_those_drawn_alike() -> None:
    rows = table()
    estimate = ExposureMapping(draws=4_000).fit(competing(design(rows), circle(30, 1.0)))
    responses = responses_of(estimate, what="a test")
    found = dict(
        zip(zip(responses.arm, responses.saturation, strict=True), responses.mean, strict=True)
    )
    for (arm, share), mean in found.items():
        here = rows[(rows["z"] == (arm == ASSIGNED)) & np.isclose(rows["share"], share)]
        # Chances are alike in all markets, but for the draws they are counted on.
        assert mean == pytest.approx(here["y"].mean(), abs=0.01)
    assert set(found) == {(ASSIGNED, 0.5), (UNASSIGNED, 0.5), (UNASSIGNED, 0.0)}


def test_effects_are_those_of_the_share_met() -> None:
    rows = table(60, size=20, noise=0.0)
    share = rows.drop_duplicates("market").sort_values("market")["share"].to_numpy()
    met = 0.8 * share + 0.2 * np.roll(share, -1)
    rows["y"] = rows["z"] - met[rows["market"]]
    # Shares met: 0, 0.1, 0.4, 0.5, one class each.
    method = ExposureMapping(cuts=(0.2, 0.45), draws=300)
    estimate = method.fit(competing(design(rows), circle(60, 0.8)))
    assert not estimate.extras["exact"]
    found = estimate.effects.set_index(["term", "group"])["estimate"]
    for label in ("0.1", "0.4", "0.5"):
        assert found["spillover", label] == pytest.approx(-float(label), abs=1e-9)
    assert found["direct", "0.5"] == pytest.approx(1.0, abs=1e-9)
    assert found["total", "0.4"] == pytest.approx(0.6, abs=1e-9)
    assert ("direct", "0.1") not in found.index  # nobody assigned meets so little


def test_chances_are_exact_where_orders_are_few() -> None:
    rows = table(9, size=6)
    estimate = ExposureMapping().fit(competing(design(rows), circle(9, 1.0)))
    assert estimate.extras["exact"]  # 84 ways to place three markets of nine
    told = estimate.extras["exposures"].set_index(["arm", "saturation"])
    assert told.loc[(ASSIGNED, 0.5), "mean_chance"] == pytest.approx(1 / 3 * 0.5)
    assert told.loc[(UNASSIGNED, 0.0), "least_chance"] == pytest.approx(2 / 3)


def test_accounts_of_who_competes_stand_side_by_side() -> None:
    rows = table(60)
    accounts = {"own": circle(60, 1.0), "next": circle(60, 0.7)}
    side = vary_competition(
        design(rows), accounts, method=ExposureMapping(near_zero=0.01, draws=200)
    )
    assert side.columns[0] == "competition"
    assert set(side["competition"]) == {"own", "next"}
    own = side[(side["competition"] == "own") & (side["term"] == "direct")]
    alone = ExposureMapping(near_zero=0.01, draws=200).fit(competing(design(rows), circle(60, 1.0)))
    assert own["estimate"].iloc[0] == alone.effects["estimate"].iloc[0]


def test_those_who_could_not_have_been_exposed_are_left_out_and_counted() -> None:
    rows = table(40)
    # In the first stratum every market has a half: nobody there could have been in a pure control.
    first = rows["market"] < 6
    rows.loc[first, "share"] = 0.5
    rows.loc[first, "z"] = np.tile([0, 1], int(first.sum()) // 2)
    rows["stratum"] = np.where(first, "a", "b")
    estimate = ExposureMapping().fit(competing(design(rows, stratum="stratum"), circle(40, 1.0)))
    assert dict(estimate.ledger.steps[-1].dropped) == {"no_chance_of_exposure": 60}
    n = estimate.extras["exposures"]["n_units"].sum()
    assert n == 340


def test_the_ineligible_meet_shares_too() -> None:
    rows = table(45)
    rows["may"] = (np.arange(len(rows)) % 5 > 0).astype(int)
    rows = rows[(rows["may"] == 1) | (rows["z"] == 0)].reset_index(drop=True)
    responses = responses_of(
        ExposureMapping(draws=200).fit(competing(design(rows, eligible="may"), circle(45, 1.0))),
        what="t",
    )
    assert set(responses.arm) == {ASSIGNED, UNASSIGNED, INELIGIBLE}


def test_months_are_told_together() -> None:
    rows = table(45)
    made = competing(design(rows), circle(45, 1.0))
    values = np.column_stack([made.outcomes.values[:, 0], 2 * made.outcomes.values[:, 0]])
    made = replace(made, outcomes=replace(made.outcomes, months=(6, 12), values=values))
    estimate = ExposureMapping(draws=200).fit(made)
    rows_of = estimate.effects.reset_index(drop=True)
    one = rows_of.index[(rows_of["term"] == "direct") & (rows_of["month"] == 6)][0]
    two = rows_of.index[(rows_of["term"] == "direct") & (rows_of["month"] == 12)][0]
    weights = np.zeros((1, len(rows_of)))
    weights[0, one], weights[0, two] = 2.0, -1.0
    # Twice the one outcome is the other: nothing is left to be unsure of.
    left = estimate.uncertainty.combine(weights).covariance()[0, 0]
    assert left == pytest.approx(0.0, abs=1e-12)


def test_what_is_refused() -> None:
    rows = table(30)
    with pytest.raises(DesignRefused, match="competition"):
        ExposureMapping().fit(design(rows))
    undrawn = competing(design(rows), circle(30, 1.0))
    undrawn = replace(undrawn, supplies=undrawn.supplies - {Supply.DRAWN_SATURATION})
    with pytest.raises(DesignRefused, match="drawn_saturation"):
        ExposureMapping().fit(undrawn)
    some = rows[rows["market"] < 20].reset_index(drop=True)
    alone = competing(design(some), circle(30, 0.7))
    with pytest.raises(DesignRefused, match="without a share"):
        ExposureMapping().fit(alone)
    level = competing(design(rows), circle(30, 1.0))
    with pytest.raises(DisplacementRefused) as caught:
        ExposureMapping(near_zero=0.49, cuts=(0.6,)).fit(
            replace(
                level,
                outcomes=level.outcomes,
                units=level.units.assign(saturation=level.units["saturation"] * 0.9),
            )
        )
    assert caught.value.code is Unidentified.NO_SATURATION_VARIATION


@pytest.mark.parametrize(
    "wrong", [{"cuts": (0.4, 0.2)}, {"draws": 10}, {"near_zero": 0.7}, {"means": "mean"}]
)
def test_options_are_held_against_what_they_may_be(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        ExposureMapping(**wrong)
