"""Comparisons that start later: by hand, by brute force, and in a world where waiting selects."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import ibis
import numpy as np
import pandas as pd
import pytest

from hand import panel, records, spell
from whatworks import Exact, MatchedDifference, NearestNeighbours, Question, compare
from whatworks.design.censoring import MOST_TIMES_MEAN, follow_comparisons
from whatworks.errors import DesignRefused
from whatworks.months import to_index
from whatworks.stats.logit import fit_logit
from whatworks.vocabulary import Supply
from whatworks.worlds.waiting import (
    Waiting,
    effect_of_start,
    simulate_waiting,
    waiting_panel,
    waiting_truth,
)

TERMS = ("level", "employment.lag1", "employment.lag2", "employment.lag3")


def asked(**more: object) -> Question:
    options: dict[str, object] = {
        "treatment": "job_search",
        "outcome": "employment_presence",
        "months": (3,),
        "covariates": ("employment.lag1",),
        "later_starts": "censor",
    }
    return Question(**(options | more))  # type: ignore[arg-type]


def units_by_hand(*rows: tuple[int, bool, str]) -> pd.DataFrame:
    """Units (person, treated, month of entry) with the columns that follow-up reads."""
    person, treated, entry = zip(*rows, strict=True)
    n = len(rows)
    return pd.DataFrame(
        {
            "person_id": np.array(person),
            "treated": np.array(treated),
            "entry_month": [to_index(m) for m in entry],
            "weight": np.ones(n),
            "sampling_weight": np.ones(n),
        }
    )


def test_four_persons_by_hand() -> None:
    """a enters in March; b starts another type in May, c and d never: one in three leaves in May."""
    made = records(
        ["a", "b", "c", "d"],
        episodes=[
            spell("a", "accompaniment", "job_search", "2020-03-05", "2020-06-10"),
            spell("b", "accompaniment", "aided_contract", "2020-05-20", "2020-08-10"),
            spell("c", "employment", "cdd", "2020-06-01", "2020-07-10"),
        ],
    )
    units = units_by_hand(
        (0, True, "2020-03"), (1, False, "2020-03"), (2, False, "2020-03"), (3, False, "2020-03")
    )
    found = follow_comparisons(panel(made), asked(), units, months=range(-1, 4))
    expected = np.array(
        [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1.5, 1.5], [1, 1, 1, 1.5, 1.5]]
    )
    np.testing.assert_allclose(found.weights, expected, atol=1e-9)
    by_month = found.months.set_index("month")
    assert by_month.loc[1, "n_followed"] == 3
    assert by_month.loc[2, "n_followed"] == 2
    assert by_month.loc[2, "share_started"] == pytest.approx(1 / 3)
    assert by_month.loc[3, "effective_n"] == pytest.approx(2)
    assert (by_month["share_unseen"] == 0).all()


def test_a_month_unseen_ends_the_follow_up_and_nobody_stands_for_it() -> None:
    months = [to_index("2020-01") + k for k in range(12)]
    made = records(
        ["a", "b", "c"],
        states=[("s", "b", "employment", "cdd", m) for m in months[:3]],
        episodes=[spell("a", "accompaniment", "job_search", "2020-03-05", "2020-06-10")],
        blind=[("s", "b", "employment", months[4])],
    )
    units = units_by_hand((0, True, "2020-03"), (1, False, "2020-03"), (2, False, "2020-03"))
    units["employment.lag1"] = [0.0, 1.0, 0.0]
    found = follow_comparisons(panel(made), asked(), units, months=range(4))
    np.testing.assert_allclose(found.weights, [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]])
    last = found.months.set_index("month").loc[3]
    assert last["share_unseen"] == pytest.approx(0.5)
    assert last["share_started"] == 0


def test_only_the_eligible_can_start_where_nobody_else_does() -> None:
    """b and c are paid benefits and b starts: c stands for both, d, never paid, for itself."""
    year = [to_index("2020-01") + k for k in range(12)]
    made = records(
        ["a", "b", "c", "d"],
        states=[("s", p, "benefit", "rsa", m) for p in "abc" for m in year],
        episodes=[
            spell("a", "accompaniment", "job_search", "2020-03-05", "2020-06-10"),
            spell("b", "accompaniment", "job_search", "2020-04-05", "2020-06-10"),
        ],
    )
    units = units_by_hand(
        (0, True, "2020-03"), (1, False, "2020-03"), (2, False, "2020-03"), (3, False, "2020-03")
    )
    found = follow_comparisons(
        panel(made), asked(eligible=("benefit_rsa",)), units, months=range(3)
    )
    np.testing.assert_allclose(found.weights[:, 1], [1, 0, 2, 1], atol=1e-9)


def test_of_a_pair_only_starting_the_treatment_ends_the_follow_up() -> None:
    made = records(
        ["a", "b", "c"],
        episodes=[
            spell("a", "accompaniment", "job_search", "2020-03-05", "2020-06-10"),
            spell("b", "accompaniment", "aided_contract", "2020-03-05", "2020-09-10"),
            spell("c", "accompaniment", "aided_contract", "2020-03-05", "2020-04-10"),
            spell("c", "accompaniment", "job_search", "2020-05-05", "2020-08-10"),
        ],
    )
    units = units_by_hand((0, True, "2020-03"), (1, False, "2020-03"), (2, False, "2020-03"))
    found = follow_comparisons(panel(made), asked(versus="aided_contract"), units, months=range(4))
    np.testing.assert_allclose(found.weights[1:], [[1, 1, 2, 2], [1, 1, 0, 0]], atol=1e-9)


@pytest.mark.parametrize(
    "more", [{"versus": "never_in_window"}, {"stay_at_least": 3}], ids=["never", "stay"]
)
def test_a_comparison_that_cannot_start_is_refused(more: dict[str, object]) -> None:
    made = records(["a", "b"])
    units = units_by_hand((0, True, "2020-03"), (1, False, "2020-03"))
    with pytest.raises(DesignRefused, match="may start later"):
        follow_comparisons(panel(made), asked(**more), units, months=(1,))


def test_who_starts_for_certain_is_refused() -> None:
    people = [f"p{k}" for k in range(8)]
    made = records(
        people,
        episodes=[
            *(spell(p, "employment", "cdd", "2020-01-01", "2020-12-31") for p in people[:4]),
            *(spell(p, "accompaniment", "job_search", "2020-05-02", None) for p in people[:4]),
        ],
    )
    units = units_by_hand(*((k, False, "2020-03") for k in range(8)))
    units["employment.lag1"] = [1.0] * 4 + [0.0] * 4
    with pytest.raises(DesignRefused, match="told apart for certain"):
        follow_comparisons(panel(made), asked(), units, months=range(4))


@pytest.fixture(scope="module")
def connection() -> ibis.BaseBackend:
    return ibis.duckdb.connect()


def of_the_world(later: str, month: int = 12) -> Question:
    return asked(
        months=(month,),
        covariates=TERMS,
        later_starts=later,
        first_entry="2021-06",
        last_entry="2022-04",
    )


def test_brute_force(connection: ibis.BaseBackend) -> None:
    """Person by person and month by month, from the arrays of a world."""
    world = simulate_waiting(Waiting(n_persons=250, seed=3))
    made = waiting_panel(world, connection)
    design = compare(made, of_the_world("censor", 8), using=NearestNeighbours(ratio=2))
    units = design.units
    compared = units[~units["treated"]]
    rows: dict[tuple[int, int], bool] = {}
    until: dict[int, int] = {}
    for unit, person, entry in zip(
        compared["unit_id"],
        compared["person_id"],
        compared["entry_month"] - made.first,
        strict=True,
    ):
        start = int(world.start[person])
        until[unit] = start if start > entry else world.employed.shape[1]
        for month in range(entry + 1, min(until[unit], world.employed.shape[1] - 1) + 1):
            rows[int(person), int(month)] = start == month
    keys = sorted(rows)
    employed = world.employed
    x = np.array([[employed[p, m - 1], employed[p, m - 2], employed[p, m - 3], world.level[p]]
                  for p, m in keys], dtype=float)  # fmt: skip
    starts = np.array([rows[key] for key in keys])
    months = np.array([m for _, m in keys])
    some = np.isin(months, months[starts])
    fit = fit_logit(
        x[some],
        starts[some],
        group=np.unique(months[some], return_inverse=True)[1],
        weight=np.ones(int(some.sum())),
    )
    chance = dict.fromkeys(keys, 0.0)
    chance |= {
        keys[i]: 1 / (1 + np.exp(-eta))
        for i, eta in zip(np.flatnonzero(some), fit.linear, strict=True)
    }
    weights = design.outcomes.weights
    assert weights is not None
    for (column, h), (unit, person, entry) in product(
        enumerate(design.outcomes.months),
        zip(compared["unit_id"], compared["person_id"], compared["entry_month"], strict=True),
    ):
        at = entry - made.first
        expected = 1.0
        for month in range(at + 1, at + h + 1):
            expected /= 1 - chance.get((int(person), month), 0.0)
        expected = expected if at + h < until[unit] else 0.0
        assert weights[unit, column] == pytest.approx(expected, abs=1e-8)
    assert (weights[units["treated"].to_numpy()] == 1).all()


def test_keeping_waits_and_only_weights_undo_the_selection_of_those_who_never_start(
    connection: ibis.BaseBackend,
) -> None:
    """One large draw. Kept, comparisons answer for waiting; censored without weights, for nobody."""
    options = Waiting(n_persons=30_000, seed=11)
    made = waiting_panel(simulate_waiting(options), connection)
    design = compare(made, of_the_world("censor"), using=NearestNeighbours(ratio=3))
    truth = waiting_truth(options, entries=(5, 15), months=12, n_persons=100_000)
    never, waiting = truth.set_index("month").loc[12, ["never", "waiting"]]
    assert never == effect_of_start(12)[-1]
    units, outcomes = design.units, design.outcomes
    treated, weight = units["treated"].to_numpy(), units["weight"].to_numpy()
    values = outcomes.at(12)
    assert outcomes.weights is not None
    standing = outcomes.weights[:, outcomes.months.index(12)]
    mean = np.average(values[treated], weights=weight[treated])

    def effect(factor: np.ndarray) -> float:
        counted = (weight * factor)[~treated]
        return float(mean - np.average(values[~treated], weights=counted))

    weighted, naive = effect(standing), effect((standing > 0).astype(float))
    kept = effect(np.ones(len(units)))
    assert abs(weighted - never) < 1.6
    assert abs(kept - waiting) < 1.6
    assert abs(kept - never) > 4
    assert naive - never < -2.5
    followed = outcomes.followed
    assert followed is not None
    assert followed["share_started"].iloc[-1] > 0.3
    assert followed["max_weight"].iloc[-1] < MOST_TIMES_MEAN * followed["mean_weight"].iloc[-1]
    assert (followed["effective_n"].diff().dropna() <= 1e-6).all()


def test_where_nobody_starts_later_censoring_changes_nothing() -> None:
    made = records(
        [f"p{k}" for k in range(6)],
        episodes=[
            spell("p0", "accompaniment", "job_search", "2020-05-05", None),
            spell("p5", "employment", "cdd", "2020-11-05", None),
        ],
    )
    question = asked(covariates=("employment.lag1",))
    design = compare(panel(made), question, using=Exact())
    assert design.outcomes.weights is not None
    np.testing.assert_allclose(design.outcomes.weights, 1.0)


def test_errors_that_know_no_censoring_are_refused(connection: ibis.BaseBackend) -> None:
    made = waiting_panel(simulate_waiting(Waiting(n_persons=300, seed=3)), connection)
    design = compare(made, of_the_world("censor", 6))
    once = replace(design, supplies=design.supplies | {Supply.INDEPENDENT_UNITS})
    with pytest.raises(DesignRefused, match="followed to the end"):
        MatchedDifference(errors="abadie_imbens").fit(once)
