"""Shares and persons drawn again: against the method fitted again, published p-values, what is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from whatworks import (
    Design,
    Estimate,
    MatchedDiD,
    SaturationRegression,
    SpilloverTest,
    TwoStage,
    few_clusters,
    randomisation,
    spillover_test,
    stack,
    worlds,
)
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.reassigned.two_stage import Assigned
from whatworks.vocabulary import Supply

COLUMNS: dict[str, Any] = {
    "treatment": "treated",
    "outcome": "y",
    "market": "market",
    "stratum": "stratum",
    "saturation": "saturation",
}


def trial(seed: int = 1, *, randomised: bool = True, n_markets: int = 30, **options: Any) -> Design:
    world = worlds.simulate_jobs(
        worlds.FiniteJobs(seed=seed, n_markets=n_markets, mean_pool=70.0, **options)
    )
    return Design.from_cross_section(
        world.frame, **COLUMNS, covariates=["x"], randomised=randomised
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Halved:
    """Not a regression's effects: half of them, with half their influence."""

    needs: ClassVar[frozenset[Supply]] = SaturationRegression.needs

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        whole = SaturationRegression(errors="CR1").fit(design)
        told = whole.effects.assign(
            estimate=whole.effects["estimate"] / 2, std_error=whole.effects["std_error"] / 2
        )
        half = whole.uncertainty.combine(np.eye(len(told)) / 2)
        return replace(whole, effects=told, uncertainty=half)


def test_sums_and_fits_tell_the_same_law() -> None:
    """The law of the statistic is one, whether worked out from sums or by fitting each time."""
    design = trial(n_markets=15)
    fast = randomisation(
        design, SaturationRegression(errors="CR1"), assignment=TwoStage(), draws=2_000
    )
    slow = randomisation(design, Halved(), assignment=TwoStage(), draws=60)
    keys = ["term", "group", "month"]
    both = fast.table.merge(slow.table, on=keys, suffixes=("", "_slow"))
    assert len(both) == len(fast.table) == len(slow.table)
    assert both["statistic"].to_numpy() == pytest.approx(both["statistic_slow"].to_numpy())
    gap = (both["p_value"] - both["p_value_slow"]).abs()
    assert (gap < 4 * np.sqrt(both["p_value"] * (1 - both["p_value"]) / 60) + 0.03).all()
    assert fast.n_assignments == 120**3
    assert not fast.exact
    assert fast.n_tried == 2_000
    assert fast.sets[0].intervals == ()


def test_rows_labels_and_scale_do_not_matter() -> None:
    world = worlds.simulate_jobs(worlds.FiniteJobs(seed=3, n_markets=15, mean_pool=70.0)).frame
    shuffled = world.sample(frac=1.0, random_state=1).reset_index(drop=True)
    shuffled = shuffled.assign(
        market="m" + (7 * shuffled["market"] % 31).astype(str),
        stratum=-shuffled["stratum"],
        y=100 * shuffled["y"],
    )
    found = []
    for frame in (world, shuffled):
        design = Design.from_cross_section(frame, **COLUMNS, covariates=["x"], randomised=True)
        test = randomisation(design, SaturationRegression(), assignment=TwoStage(), draws=99)
        found.append((test.table["p_value"].to_numpy(), spillover_test(design, draws=99).p_value))
    assert found[0][0] == pytest.approx(found[1][0])
    assert found[0][1] == pytest.approx(found[1][1])


def test_an_effect_is_found_and_no_effect_is_not() -> None:
    design = trial(effect=4.0, displacement=1.0)
    test = randomisation(design, SaturationRegression(), assignment=TwoStage(), draws=499)
    assert test.at(0, term="direct")["p_value"] == pytest.approx(1 / 500)
    assert test.at(0, term="direct")["p_greater"] == pytest.approx(1 / 500)
    assert test.at(0, term="spillover")["p_less"] < 0.05
    assert test.at(0)["term"] == "total"
    assert test.p_joint == pytest.approx(1 / 500)
    with pytest.raises(OptionError, match="among those tested"):
        test.at(3)


@pytest.mark.parametrize("statistic", ["studentised", "raw"])
def test_numbers_by_coins_and_weights(statistic: str) -> None:
    frame = worlds.simulate_jobs(worlds.FiniteJobs(seed=5, n_markets=15, mean_pool=70.0)).frame
    frame["w"] = 1.0 + (frame["x"] > 0)
    design = Design.from_cross_section(frame, **COLUMNS, weight="w", randomised=True)
    test = randomisation(
        design,
        SaturationRegression(errors="CR1"),
        assignment=TwoStage(numbers="coin"),
        draws=199,
        statistic=statistic,  # type: ignore[arg-type] - parametrised
    )
    rows = test.table[test.table["term"] != "joint"]
    expected = rows["estimate"] / (rows["std_error"] if statistic == "studentised" else 1)
    assert rows["statistic"].to_numpy() == pytest.approx(expected.to_numpy())
    assert test.table["p_value"].between(0, 1).all()


def test_the_ineligible_are_never_drawn() -> None:
    pool = worlds.simulate_jobs(worlds.FiniteJobs(seed=2, n_markets=15, mean_pool=100.0)).pool
    whole = Design.from_cross_section(pool, **COLUMNS, eligible="eligible", randomised=True)
    some = Design.from_cross_section(
        pool[pool["eligible"] == 1].drop(columns="eligible"), **COLUMNS, randomised=True
    )
    mine, theirs = (spillover_test(design, draws=199).p_value for design in (whole, some))
    assert mine == theirs
    others = spillover_test(whole, draws=199, focal="ineligible")
    assert others.n_focal == int((pool["eligible"] == 0).sum())
    assert others.n_set_aside == 0
    with pytest.raises(DesignRefused, match="could not be treated"):
        spillover_test(some, focal="ineligible")


def test_what_is_refused() -> None:
    design = trial()
    fit = SaturationRegression()
    with pytest.raises(DesignRefused, match="drawn at random"):
        randomisation(trial(randomised=False), fit, assignment=TwoStage())
    with pytest.raises(DesignRefused, match="drawn at random"):
        spillover_test(trial(randomised=False))
    with pytest.raises(OptionError, match="months"):
        randomisation(design, fit, assignment=TwoStage(), months=(7,))
    with pytest.raises(OptionError, match="numbers"):
        TwoStage(numbers="exactly")  # type: ignore[arg-type]
    frame = design.units.assign(y=design.outcomes.values[:, 0])
    alone = Design.from_cross_section(
        frame.assign(stratum=frame["saturation"]), **COLUMNS, randomised=True
    )
    with pytest.raises(DesignRefused, match="orders of shares"):
        randomisation(alone, Halved(), assignment=TwoStage())
    with pytest.raises(DesignRefused, match="could change shares"):
        spillover_test(alone)


def four_against_four(seed: int, **options: Any) -> Design:
    return trial(seed, n_markets=8, saturations=(0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5), **options)


def test_few_markets_are_enumerated() -> None:
    found = spillover_test(four_against_four(3), adjusted=False)
    assert found.exact
    assert found.n_assignments == found.n_tried == 70
    assert found.p_value * 70 == pytest.approx(round(found.p_value * 70))
    assert found.p_mid == pytest.approx(
        found.p_value - 1 / 70
    )  # each order ties with its mirror image
    assert isinstance(found, SpilloverTest)


def test_the_direct_effect_is_no_spillover() -> None:
    """Treatment that helps the treated alone: the untreated do not say otherwise."""
    design = trial(effect=4.0, displacement=0.0)
    assert spillover_test(design, draws=499).p_value > 0.05
    loss = trial(effect=4.0, displacement=1.0)
    found = spillover_test(loss, draws=499)
    assert found.p_less < 0.05
    assert found.estimate < 0
    raw = spillover_test(loss, draws=499, statistic="raw")
    assert raw.statistic == raw.estimate == pytest.approx(found.estimate)


def test_the_rule_chooses_by_the_number_of_markets() -> None:
    fit = SaturationRegression()
    few = four_against_four(1)
    told = few_clusters(few, fit.fit(few), term="spillover", draws=199)
    rows = told.table.set_index("method")
    assert told.used == "conditional"
    by_sums = ["cluster_robust", "cr2_satterthwaite", "wild_restricted"]
    assert (rows.loc[by_sums, "reason"] == "few_in_arm").all()
    assert few_clusters(few, fit.fit(few), term="total", draws=199).used == "randomisation"
    middle = trial(2, n_markets=50)
    estimate = fit.fit(middle)
    told = few_clusters(middle, estimate, term="direct", draws=199)
    assert told.used == "cr2_satterthwaite"  # thirty markets with both arms
    assert told.regression is not None
    assert told.regression.estimate == pytest.approx(estimate.at(0, term="direct")["estimate"])
    assert few_clusters(middle, estimate, term="spillover", draws=199).used == "conditional"
    many = trial(3, n_markets=125)
    told = few_clusters(many, fit.fit(many), term="spillover", draws=199)
    assert (
        told.used == "cr2_satterthwaite"
    )  # five markets to a stratum: sums do not know their means
    assert told.table.set_index("method").loc["cluster_robust", "reason"] == "few_clusters"
    one = pd.Series(["one"] * len(many.units), dtype=object)
    whole = replace(many, units=many.units.assign(stratum=one))
    assert few_clusters(whole, fit.fit(whole), term="spillover", draws=199).used == "cluster_robust"
    undrawn = replace(middle, supplies=middle.supplies - {Supply.DRAWN_SATURATION})
    told = few_clusters(undrawn, estimate, term="spillover", draws=199)
    assert told.used == "cr2_satterthwaite"  # forty markets with someone untreated
    assert told.table.set_index("method").loc["randomisation", "reason"] == "no_assignment"


def test_disagreement_is_told() -> None:
    design = trial(4)
    told = few_clusters(design, SaturationRegression().fit(design), term="spillover", draws=199)
    table = told.table.assign(
        legal=told.table["method"].isin(["cr2_satterthwaite", "randomisation"]),
        p_value=np.where(told.table["method"] == "randomisation", 0.02, 0.05),
    )
    assert replace(told, table=table).spread == pytest.approx(2.5)
    assert replace(told, table=table).disagree
    assert not replace(told, table=table.assign(p_value=0.05)).disagree
    assert np.isnan(replace(told, table=table.assign(legal=False)).spread)


def test_one_effect_a_month_has_no_other_term() -> None:
    pilots = worlds.simulate_pilots(worlds.Pilots(n_zones=12, n_months=12, adoptions=((6, 0.5),)))
    design = stack(
        Design.from_panel(
            pilots.frame,
            unit="unit",
            period="period",
            first_treated="first_treated",
            outcome="outcome",
        )
    )
    with pytest.raises(DesignRefused, match="by share"):
        few_clusters(design, MatchedDiD().fit(design), term="spillover")


def test_persons_are_drawn_at_the_new_share() -> None:
    assigned = Assigned.of(trial(6), what="test")
    share = assigned.orders(1, np.random.default_rng(1))[0]
    under = assigned.under(share, "rounded", np.random.default_rng(2))
    told = under.units.groupby("market")[["treated", "saturation"]].mean()
    size = under.units.groupby("market").size()
    assert not np.array_equal(under.units["saturation"], assigned.design.units["saturation"])
    assert ((told["treated"] - told["saturation"]).abs() * size < 1).all()
    by_stratum = [
        d.units.groupby("market")[["stratum", "saturation"]]
        .first()
        .sort_values(["stratum", "saturation"])["saturation"]
        .to_numpy()
        for d in (under, assigned.design)
    ]
    assert by_stratum[0] == pytest.approx(by_stratum[1])
    assert pd.Series(under.outcomes.values[:, 0]).equals(
        pd.Series(assigned.design.outcomes.values[:, 0])
    )
