"""What an experiment could tell: against published numbers, formulas of others, and brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks import Design
from whatworks.errors import OptionError
from whatworks.planning import (
    Assumed,
    Trial,
    allocate,
    compare_trials,
    detectable,
    displacement_told,
    optimum,
    power,
)
from whatworks.stats.planning import power as law
from whatworks.stats.planning.areas import areas_needed
from whatworks.stats.planning.random_effects import pooled_variances
from whatworks.stats.planning.variance import components
from whatworks.stats.planning.varying_sizes import cell_variance

YOUNG = Trial(shares=(0, 0.25, 0.5, 0.75, 1))


def among_likes(shared_data: Path, outcome: str) -> tuple[float, float, float]:
    """Persons per area, total variance and ICC as Jiang, Imai & Malani's package computes them on ``jd``.

    Areas at 25, 50 and 75 % with both arms, session 12 included. The package corrects both arms' variances
    between areas by the number of the assigned; so does this, for the published numbers come from there.
    """
    raw = pd.read_stata(
        shared_data / "crepon2013" / "JD_publicdata_12.dta", convert_categoricals=False
    )
    raw = raw[raw["pct0"].isin([0.25, 0.5, 0.75])]
    both = raw.groupby("anonale")["assigned"].transform(lambda z: z.min() != z.max())
    kept = raw[both]
    cells = kept.groupby(["pct0", "anonale", "assigned"])[outcome].agg(["mean", "var", "size"])
    within = float(cells["var"].fillna(0.0).mean())
    between = float(cells.groupby(["pct0", "assigned"])["mean"].var().mean())
    n = kept.groupby("anonale").size()
    n1 = kept.groupby("anonale")["assigned"].sum()
    between -= float((1 / n1 - 1 / n).mean()) * within
    return float(n.mean()), between + within, between / (between + within)


@pytest.mark.parametrize(
    ("outcome", "published"), [("cdd6m", (428.4, 96.6, 511.5)), ("cdi", (515.7, 116.5, 614.2))]
)
def test_areas_needed_of_jiang_imai_malani(
    shared_data: Path, outcome: str, published: tuple[float, float, float]
) -> None:
    size, variance, icc = among_likes(shared_data, outcome)
    found = areas_needed(
        0.03,
        shares=(0.25, 0.5, 0.75),
        allocation=(1 / 3, 1 / 3, 1 / 3),
        size=round(size),  # 101.6 persons an area, entered as 102
        sd=variance**0.5,
        icc=icc,
    )
    ours = (found.direct, found.marginal, found.spillover)
    assert [round(areas, 1) for areas in ours] == list(published)


def test_two_hundred_clusters_of_which_ten_are_large() -> None:
    # Cruces, Tortarolo & Vazquez-Bare (2025), section 2: 80 % claimed, 69 % with sizes, 48 % with means.
    sizes = np.repeat([100.0, 25.0], [10, 190])
    usual = np.repeat([1.0, 0.0], [10, 190])
    usual = usual - sizes @ usual / sizes.sum()

    def error(size: np.ndarray, away: np.ndarray) -> float:
        found = cell_variance(
            np.vstack([size, size]),
            np.array([0, 1]),
            allocation=np.array([0.5, 0.5]),
            variance=np.ones(200),
            icc=np.full(200, 0.5),
            together=np.ones((2, 2)),
            away=away,
        )
        return float(np.sqrt([1, -1] @ found.told @ [1, -1]))

    same = error(np.full(200, sizes.mean()), np.zeros(200))
    effect = float(law.detectable(same))
    assert effect == pytest.approx(0.29, abs=0.006)  # printed 0.29; 0.285
    assert round(float(law.power(effect, error(sizes, np.zeros(200)))), 2) == 0.69
    assert round(float(law.power(effect, error(sizes, usual))), 2) == 0.48


def test_what_crepon_2013_could_detect() -> None:
    even = (0.2,) * 5
    found = pooled_variances(
        n_clusters=235, size=91, shares=YOUNG.shares, allocation=even, sd=0.16679**0.5, icc=0.019
    )
    assert round(float(law.detectable(found.total**0.5)) * 100, 1) == 3.3
    assert round(float(law.detectable(found.spillover**0.5)) * 100, 1) == 3.5


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_equal_sizes_and_one_share_are_the_random_effects_formula(share: float) -> None:
    trial = Trial(shares=(0, share), per_stratum=(1, 2))
    assumed = Assumed(sizes=(40,) * 90, sd=2.0, icc=0.1)
    found = detectable(trial, assumed).set_index(["term", "group"])["std_error"]
    pooled = pooled_variances(
        n_clusters=90, size=40, shares=trial.shares, allocation=trial.allocation, sd=2.0, icc=0.1
    )
    assert found["total", "all"] == pytest.approx(pooled.total**0.5, rel=1e-12)
    assert found["spillover", "all"] == pytest.approx(pooled.spillover**0.5, rel=1e-12)


def test_variances_are_those_of_the_paper_written_out() -> None:
    rng = np.random.default_rng(4)
    n = rng.integers(10, 80, 30).astype(float)
    away = rng.normal(size=30)
    away -= n @ away / n.sum()
    s2, rho, p, q0, qt = 1.7, 0.2, 0.3, 0.4, 0.6
    found = cell_variance(
        np.vstack([n, p * n, (1 - p) * n]),
        np.array([0, 1, 1]),
        allocation=np.array([q0, qt]),
        variance=np.full(30, s2),
        icc=np.full(30, rho),
        together=np.ones((3, 3)),
        away=away,
    )
    for row, part in ((1, p), (2, 1 - p)):
        pairs = n * part - 1  # others of the same arm, their number being fixed
        within = (n * part * s2 * (1 + rho * pairs)).sum() / part**2
        between = (n * part * away**2 * (1 + pairs)).sum() / part**2
        none = (n * s2 * (1 + rho * (n - 1)) + n**2 * away**2).sum()
        told = ((within + between) / qt + none / q0) / n.sum() ** 2
        form = np.zeros(3)
        form[[0, row]] = (-1, 1)
        assert form @ found.told @ form == pytest.approx(told, rel=1e-12)
        # The last line of equation 8: with one mean per market, nothing differs between arms.
        assert form @ (found.told - found.true) @ form == pytest.approx(0, abs=1e-15)
    assert np.linalg.eigvalsh(found.true).min() > 0


def test_clustered_errors_are_told_wider_than_they_are_on_the_overall_level_only() -> None:
    sizes = (20, 40, 60, 80) * 5
    flat = Assumed(sizes=sizes, sd=1.0, icc=0.05)
    uneven = Assumed(sizes=sizes, sd=1.0, icc=0.05, means=tuple(0.01 * n for n in sizes))
    stratified = Assumed(
        sizes=sizes,
        sd=1.0,
        icc=0.05,
        means=tuple(0.01 * n for n in sizes),
        stratum=tuple(str(n) for n in sizes),
    )
    trial = Trial(shares=(0, 0.5))
    errors = [detectable(trial, a)["std_error"].to_numpy() for a in (flat, uneven, stratified)]
    assert (errors[1][1:4] > 1.15 * errors[0][1:4]).all()  # spillover, total, overall
    assert errors[1][0] == pytest.approx(errors[0][0])  # within markets nothing is lost
    np.testing.assert_allclose(errors[2], errors[0], rtol=1e-12)  # strata of likes bring it back


def test_power_of_smallest_effects_is_what_was_asked() -> None:
    assumed = Assumed.of_share(0.2, sizes=tuple(range(30, 150)), icc=0.03)
    trial = Trial(shares=(0, 0.5))
    least = detectable(trial, assumed, target=0.9).set_index(["term", "group"])["detectable"]
    for effects in (
        {"direct": least["direct", "0.5"], "spillover": 0.0},
        {"direct": 0.0, "spillover": -least["spillover", "0.5"]},
    ):
        found = power(trial, assumed, **effects).set_index(["term", "group"])["power"]
        term = "direct" if effects["direct"] else "spillover"
        assert found[term, "0.5"] == pytest.approx(0.9, abs=1e-6)
    nothing = power(trial, assumed, direct=0.0, spillover=0.0)
    np.testing.assert_allclose(nothing["power"], 0.05, atol=1e-9)


def test_net_is_jobs_per_hundred_who_take_part() -> None:
    assumed = Assumed.of_share(0.2, sizes=(50,) * 40, icc=0.02, take_up=0.5)
    trial = Trial(shares=(0, 0.25, 0.5))
    found = power(trial, assumed, direct=(10.0, 8.0), spillover=(-1.0, -3.0))
    effect = found.set_index(["term", "group"])["effect"]
    assert effect["net", "0.25"] == pytest.approx((0.25 * 9 + 0.75 * -1) / 0.25 / 0.5)
    assert effect["net", "0.5"] == pytest.approx((0.5 * 5 + 0.5 * -3) / 0.5 / 0.5)
    # All markets together: jobs over participants.
    jobs = (0.25 * 9 + 0.75 * -1) + (0.5 * 5 + 0.5 * -3)
    assert effect["net", "all"] == pytest.approx(jobs / 0.75 / 0.5)


def test_the_ineligible_count_in_the_net_once_they_are_observed() -> None:
    sizes = (50,) * 40
    alone = detectable(Trial(shares=(0, 0.5)), Assumed(sizes=sizes, sd=1.0, icc=0.05))
    both = detectable(
        Trial(shares=(0, 0.5)), Assumed(sizes=sizes, sd=1.0, icc=0.05, ineligible=(100,) * 40)
    )
    net = [t.set_index(["term", "group"]).loc[("net", "0.5"), "std_error"] for t in (alone, both)]
    assert net[1] > 2 * net[0]
    assert "spillover_ineligible" in set(both["term"])


def test_a_share_without_pure_control_tells_direct_effects_only() -> None:
    found = detectable(Trial(shares=(0.25, 0.75)), Assumed(sizes=(50,) * 40, sd=1.0, icc=0.05))
    assert set(found["term"]) == {"direct"}
    with pytest.raises(OptionError, match="share 0"):
        optimum((0.25, 0.75), Assumed(sizes=(50,) * 40, sd=1.0, icc=0.05), goal="net")


def test_best_allocation_is_where_a_search_finds_it() -> None:
    assumed = Assumed(sizes=tuple(range(20, 120)), sd=1.0, icc=0.05)
    best = np.array(optimum((0, 0.2, 0.8), assumed))

    def burden(parts: np.ndarray) -> float:
        counts = np.maximum(np.round(parts * 10_000), 1).astype(int)
        trial = Trial(shares=(0, 0.2, 0.8), per_stratum=tuple(counts.tolist()))
        found = detectable(trial, assumed)
        kept = found[found["term"].isin(["spillover", "total"]) & (found["group"] != "all")]
        return float((kept["std_error"] ** 2).sum())

    least = burden(best)
    rng = np.random.default_rng(0)
    for _ in range(40):
        near = np.abs(best + rng.normal(scale=0.03, size=3))
        assert burden(near / near.sum()) > least * (1 - 1e-6)


def test_allocation_is_rounded_to_whole_markets() -> None:
    assumed = Assumed(sizes=(60,) * 100, sd=1.0, icc=0.05)
    for size in (4, 5, 9, 40):
        trial = allocate((0, 0.25, 0.5, 0.75), assumed, stratum_size=size)
        assert trial.stratum_size == size
        assert min(trial.per_stratum) >= 1
    parts = optimum((0, 0.25, 0.5, 0.75), assumed)
    np.testing.assert_allclose(trial.allocation, parts, atol=1 / 40)
    with pytest.raises(OptionError, match="one at each share"):
        allocate((0, 0.5, 1), assumed, stratum_size=2)


def test_trials_compared_say_what_more_shares_cost() -> None:
    assumed = Assumed.of_share(0.17, sizes=(91,) * 235, icc=0.019)
    found = compare_trials(assumed, among=(0.25, 0.75, 1.0)).set_index("shares")
    assert len(found) == 7
    assert np.isnan(found.loc[[(1.0,)], "spillover"].iloc[0])
    assert np.isnan(found.loc[[(0.25,)], "slope"].iloc[0])
    assert found.loc[[(0.25, 0.75)], "slope"].iloc[0] > 0


def test_a_displacement_ratio_is_told_through_its_parts() -> None:
    assumed = Assumed.of_share(0.17, sizes=(91,) * 235, icc=0.019)
    trial = Trial(shares=(0, 0.5))
    told = displacement_told(trial, assumed, total=8.0).set_index("group").loc["0.5"]
    least = detectable(trial, assumed).set_index(["term", "group"])["detectable"]
    # Lost per participant at one half is what one unassigned neighbour loses.
    assert told["told_from_none"] == pytest.approx(least["spillover", "0.5"] / 8.0)
    assert told["told_from_complete"] == pytest.approx(1 - least["net", "0.5"] / 8.0)
    total = power(trial, assumed, direct=8.0, spillover=0.0).set_index(["term", "group"])
    assert told["bounded"] == pytest.approx(total.loc[("total", "0.5"), "power"])
    with pytest.raises(OptionError, match="share 0 and shares below 1"):
        displacement_told(Trial(shares=(0, 1)), assumed, total=8.0)


def test_components_of_a_balanced_table_are_those_of_textbooks() -> None:
    rng = np.random.default_rng(2)
    market = np.repeat(np.arange(400), 25)
    y = rng.normal(scale=1.0, size=400)[market] + rng.normal(scale=3.0, size=10_000)
    found = components(y, market=market, cell=np.zeros(10_000, dtype=int))
    table = y.reshape(400, 25)
    within = table.var(axis=1, ddof=1).mean()
    assert found.within == pytest.approx(within)
    assert found.between == pytest.approx(table.mean(axis=1).var(ddof=1) - within / 25)
    assert found.icc == pytest.approx(0.1, abs=0.02)


def test_a_pilot_says_what_to_assume() -> None:
    rng = np.random.default_rng(7)
    n = rng.integers(15, 60, 60)
    market = np.repeat(np.arange(60), n)
    share = np.tile([0.0, 0.25, 0.75], 20)[market]
    treat = (rng.random(market.size) < share).astype(int)
    y = 5 * treat + rng.normal(size=60)[market] + rng.normal(scale=3, size=market.size)
    table = pd.DataFrame({"z": treat, "y": y, "m": market, "p": share, "took": treat})
    pilot = Design.from_cross_section(
        table, treatment="z", outcome="y", market="m", saturation="p", took_part="took", unit="h"
    )
    found = Assumed.from_design(pilot)
    assert sorted(found.sizes) == sorted(n.tolist())
    assert found.sd == pytest.approx(10**0.5, rel=0.05)  # the effect itself is no variance
    assert found.icc == pytest.approx(0.1, abs=0.05)
    assert (found.take_up, found.unit) == (1.0, "h")
    assert found.of_assigned == pytest.approx((10**0.5, 0.1), abs=0.2)
    assert found.together > 0.7


def test_arms_that_do_not_go_together_cost_power_to_direct_effects_alone() -> None:
    trial, sizes = Trial(shares=(0, 0.5)), (50,) * 40
    one, half = (
        detectable(trial, Assumed(sizes=sizes, sd=1.0, icc=0.1, together=r)).set_index(
            ["term", "group"]
        )["std_error"]
        for r in (1.0, 0.5)
    )
    # Of 20 treated markets, each with 25 persons of each arm.
    assert one["direct", "0.5"] ** 2 == pytest.approx(2 * 0.9 / 500)
    assert half["direct", "0.5"] ** 2 == pytest.approx(2 * 0.9 / 500 + 2 * 0.1 * 0.5 / 20)
    assert one["spillover", "0.5"] == pytest.approx(half["spillover", "0.5"])
    assert one["overall", "0.5"] > half["overall", "0.5"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sizes": (5,), "sd": 1.0, "icc": 0.1}, "two markets"),
        ({"sizes": (5, 5), "sd": 0.0, "icc": 0.1}, "positive"),
        ({"sizes": (5, 5), "sd": 1.0, "icc": 1.0}, "less than 1"),
        ({"sizes": (5, 5), "sd": 1.0, "icc": 0.1, "means": (1.0,)}, "one for each market"),
        ({"sizes": (5, 5), "sd": 1.0, "icc": 0.1, "take_up": 0.0}, "more than 0"),
    ],
)
def test_assumptions_that_cannot_be_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Assumed(**options)  # type: ignore[arg-type] - what a user may write


@pytest.mark.parametrize("shares", [(0.5,), (0.5, 0.25), (0.0, 1.5), (-0.1, 0.5)])
def test_shares_that_cannot_be_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(OptionError, match="increasing"):
        Trial(shares=shares)
    with pytest.raises(OptionError, match="one for each share"):
        Trial(shares=(0, 0.5), per_stratum=(1,))
