"""Five hundred worlds in which people wait, start one by one, and are compared with who has not yet.

Who starts depends on their employment of the last three months and goes on depending on it, month after
month (``whatworks.worlds.waiting``). Two questions are asked of each world: the effect of starting now
rather than waiting (comparisons are kept), and rather than never (they are censored when they start, and
those who remain are weighted). Every estimator with its defaults must be unbiased, and its intervals must
cover; compared with persons who never start in the window, none may. Run with ``make montecarlo``.

Risk sets are laid out in numpy, which spares the engine; one world is laid out both ways.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from whatworks import (
    ESTIMATORS,
    Design,
    InverseProbability,
    NearestNeighbours,
    Question,
    compare,
)
from whatworks.design.censoring import MOST_TIMES_MEAN
from whatworks.design.choosing.kept import frame_of_units
from whatworks.design.comparison import Chosen, Comparison
from whatworks.design.looking.balance import population
from whatworks.design.parts import Candidates, Outcomes
from whatworks.ledger import Ledger
from whatworks.stats.hazard import capped, fit_hazard, log_remaining, standing_for
from whatworks.vocabulary import DesignClass, Supply
from whatworks.worlds.waiting import (
    FIRST,
    NEVER,
    Waiting,
    WaitingWorld,
    simulate_waiting,
    waiting_panel,
    waiting_truth,
)

DRAWS = int(os.environ.get("WHATWORKS_DRAWS", "500"))
HORIZON = 12
ENTRIES = (5, 15)
LAGS = (1, 2, 3)
NAMES = (*(f"employment.lag{k}" for k in LAGS), "level")

USING: Mapping[str, Comparison] = {
    "MatchedDifference": NearestNeighbours(ratio=3, caliper_sd=0.2),
    "WeightedDifference": InverseProbability(),
    "RegressionAdjustment": InverseProbability(),
}
"""Comparison each estimator is tried on, for pairs the default of `compare`; others read everyone at risk.

What becomes of those who wait is not linear in their history, so that a regression alone would not do.
"""
TRIED = tuple(
    name
    for name in ("MatchedDifference", "WeightedDifference", "RegressionAdjustment", "DoublyRobust")
    if name in ESTIMATORS
)
RATHER_THAN_NEVER, RATHER_THAN_WAIT, NAIVE = "never", "wait", "never in window"


def asked(**more: str) -> Question:
    return Question(
        treatment="job_search",
        outcome="employment_presence",
        months=(HORIZON,),
        covariates=NAMES,
        first_entry="2021-06",
        last_entry="2022-04",
        **more,
    )


def everyone(world: WaitingWorld) -> Design:
    """Everyone who starts in a month and everyone who has not by then, with weights of censoring."""
    n, n_months = world.employed.shape
    start = np.where(world.start == NEVER, n_months, world.start)
    month, person = (a.ravel() for a in np.mgrid[ENTRIES[0] : ENTRIES[1] + 1, 0:n])
    at_risk = start[person] >= month
    month, person = month[at_risk], person[at_risk]
    treated = start[person] == month
    candidates = Candidates(
        treated=treated,
        cell=month + FIRST,
        covariates=histories(world, person, month),
        names=NAMES,
        weight=np.ones(person.size),
    )
    outcomes = Outcomes(
        name="employment_presence",
        unit="pp",
        months=(HORIZON,),
        values=100.0 * world.employed[person, month + HORIZON][:, None],
        weights=standing(world, start, person, month, treated),
    )
    return Design(
        question=asked(later_starts="censor"),
        units=frame_of_units(candidates, person=person),
        covariates=NAMES,
        matches=None,
        outcomes=outcomes,
        supplies=frozenset({Supply.COVARIATES}),
        design_class=DesignClass.CROSS_SECTION,
        population=population(candidates, Chosen(weight=candidates.weight)),
        ledger=Ledger(),
    )


def histories(
    world: WaitingWorld, person: NDArray[np.int64], month: NDArray[np.int64]
) -> NDArray[np.float64]:
    lags = [world.employed[person, month - k].astype(float) for k in LAGS]
    return np.column_stack([*lags, world.level[person]])


def standing(
    world: WaitingWorld,
    start: NDArray[np.int64],
    person: NDArray[np.int64],
    month: NDArray[np.int64],
    treated: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Factors of censoring at the horizon."""
    n, n_months = world.employed.shape
    followed = np.zeros((n, n_months), dtype=bool)
    followed[:, ENTRIES[0] + 1 :] = start[:, None] >= np.arange(ENTRIES[0] + 1, n_months)
    who, when = np.nonzero(followed)
    hazard = fit_hazard(
        histories(world, who, when), start[who] == when, group=when, weight=np.ones(who.size)
    )
    remaining = log_remaining(hazard.chance, person=who, month=when, n_persons=n, n_months=n_months)
    found = standing_for(
        remaining,
        person=person,
        entry=month,
        months=np.array([HORIZON]),
        followed=(start[person] > month + HORIZON)[:, None] & ~treated[:, None],
    )
    found, _ = capped(found, weight=np.ones(person.size), most=MOST_TIMES_MEAN)
    return np.where(treated[:, None], 1.0, found)


def without_weights(design: Design) -> Design:
    return replace(design, outcomes=replace(design.outcomes, weights=None))


def against_never_in_window(design: Design, world: WaitingWorld) -> Design:
    """What a table of treated and never treated would compare."""
    units = design.units
    kept = units["treated"] | (world.start[units["person_id"]] == NEVER)
    rows = np.flatnonzero(kept)
    left = units.iloc[rows].reset_index(drop=True).assign(unit_id=np.arange(rows.size))
    return without_weights(replace(design, units=left, outcomes=design.outcomes.of(rows)))


def fitted(design: Design, name: str) -> dict[str, object]:
    if name in USING:
        design = design.matched(using=USING[name])
    row = ESTIMATORS[name]().fit(design, rng=np.random.default_rng(0)).at(HORIZON)
    kept = ("estimate", "std_error", "conf_low", "conf_high")
    return {"estimator": name} | {k: float(row[k]) for k in kept}


def one_draw(seed: int) -> list[dict[str, object]]:
    """Every estimator on one world, for both questions and the naive one."""
    world = simulate_waiting(Waiting(seed=seed))
    weighted = everyone(world)
    designs = {
        RATHER_THAN_NEVER: weighted,
        RATHER_THAN_WAIT: without_weights(weighted),
        NAIVE: against_never_in_window(weighted, world),
    }
    return [
        {"against": against} | fitted(design, name)
        for against, design in designs.items()
        for name in TRIED
    ]


def summary(found: pd.DataFrame, truth: Mapping[str, float]) -> pd.DataFrame:
    """Bias over the mean standard error, and coverage, each with its Monte Carlo error."""
    rows = []
    for (against, name), draws in found.groupby(["against", "estimator"]):
        spread, error = draws["estimate"].std(ddof=1), draws["std_error"].mean()
        inside = draws["conf_low"].le(truth[against]) & draws["conf_high"].ge(truth[against])
        share = float(inside.mean())
        rows.append(
            {
                "against": against,
                "estimator": name,
                "truth": truth[against],
                "mean": draws["estimate"].mean(),
                "bias_in_se": (draws["estimate"].mean() - truth[against]) / error,
                "mc_error": spread / error / np.sqrt(len(draws)),
                "se_over_sd": error / spread,
                "coverage": share,
                "coverage_mc_error": np.sqrt(share * (1 - share) / len(draws)),
            }
        )
    return pd.DataFrame(rows).set_index(["against", "estimator"])


def truths(n_persons: int = 400_000) -> dict[str, float]:
    table = waiting_truth(entries=ENTRIES, months=HORIZON, n_persons=n_persons)
    last = table.set_index("month").loc[HORIZON]
    return {
        RATHER_THAN_NEVER: float(last["never"]),
        RATHER_THAN_WAIT: float(last["waiting"]),
        NAIVE: float(last["never"]),
    }


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draws = pd.DataFrame([row for seed in range(DRAWS) for row in one_draw(seed)])
    result = summary(draws, truths())
    print(f"\n{DRAWS} draws, effect at {HORIZON} months in points\n{result.round(3).to_string()}")
    return result


@pytest.mark.montecarlo
@pytest.mark.parametrize("against", [RATHER_THAN_NEVER, RATHER_THAN_WAIT])
@pytest.mark.parametrize("name", TRIED)
def test_estimators_are_unbiased_and_cover(table: pd.DataFrame, name: str, against: str) -> None:
    found = table.loc[(against, name)]
    assert abs(found["bias_in_se"]) < 0.1
    assert 0.93 <= found["coverage"] <= 0.97


@pytest.mark.montecarlo
@pytest.mark.parametrize("name", TRIED)
def test_those_who_never_start_are_the_wrong_comparison(table: pd.DataFrame, name: str) -> None:
    """They are those whom employment kept from starting."""
    found = table.loc[(NAIVE, name)]
    assert found["bias_in_se"] < -0.5
    assert found["coverage"] < 0.85


def test_the_engine_lays_out_the_same_risk_sets() -> None:
    world = simulate_waiting(Waiting(seed=5, n_persons=400))
    using = InverseProbability()
    by_hand = everyone(world).matched(using=using)
    panel = waiting_panel(world, ibis.duckdb.connect())
    engine = compare(panel, asked(later_starts="censor"), using=using)
    columns = ["person_id", "entry_month", "treated", "weight", *NAMES]
    pd.testing.assert_frame_equal(by_hand.units[columns], engine.units[columns])
    weights = engine.outcomes.weights
    assert weights is not None
    assert by_hand.outcomes.weights is not None
    column = engine.outcomes.months.index(HORIZON)
    np.testing.assert_allclose(by_hand.outcomes.weights[:, 0], weights[:, column], rtol=1e-8)
    np.testing.assert_array_equal(by_hand.outcomes.values[:, 0], engine.outcomes.values[:, column])
