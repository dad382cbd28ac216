"""Cases at the edges of designs: what must not be taken for an entrant, a zero, or a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hand import panel, records, spell
from whatworks import (
    Design,
    Exact,
    MatchedDiD,
    MatchedDifference,
    NearestNeighbours,
    Panel,
    Question,
    SaturationRegression,
    WhatworksError,
    compare,
    stack,
)
from whatworks.design.cohorts import RiskSets, risk_sets
from whatworks.indicators import lookup
from whatworks.months import to_index
from whatworks.sources.records import Coverage
from whatworks.vocabulary import DesignClass, Kind

PERSONS = [f"p{i:02d}" for i in range(12)]


def starts(months: dict[str, int]) -> list[tuple[object, ...]]:
    return [
        spell(p, "accompaniment", "job_search", f"2020-{m:02d}-10", None) for p, m in months.items()
    ]


def covered_from(made: Panel, kind: str, month: str) -> Panel:
    """The panel as it would be, had the sources of a kind begun later."""
    later = tuple(replace(c, first=to_index(month)) if c.kind == kind else c for c in made.coverage)
    return replace(made, coverage=later)


def ask(made: Panel, **options: object) -> RiskSets:
    given: dict[str, object] = {
        "treatment": "job_search",
        "outcome": "employment_presence",
        "months": (2,),
        "covariates": ("employment.lag1",),
        **options,
    }
    return risk_sets(made, Question(**given), lookup("employment_presence"))  # type: ignore[arg-type]


def test_stays_seen_in_the_first_covered_month_are_not_entries() -> None:
    episodes = starts({"p00": 2, "p01": 4, "p02": 6})
    made = covered_from(panel(records(PERSONS, episodes=episodes)), Kind.ACCOMPANIMENT, "2020-04")
    # The source begins in April: a stay in progress then began nobody knows when.
    risk = ask(made)
    assert risk.person[risk.treated].tolist() == [2]


def test_the_stock_of_a_source_that_joins_later_is_not_an_entry() -> None:
    made = panel(records(PERSONS, episodes=starts({"p00": 4, "p01": 5, "p02": 7})))
    joined = Coverage(
        source="later", kind=Kind.ACCOMPANIMENT, first=to_index("2020-05"), last=made.last
    )
    risk = ask(replace(made, coverage=(*made.coverage, joined)))
    # Whoever appears in May, the later source's first month, may have begun long before.
    assert sorted(risk.person[risk.treated].tolist()) == [0, 2]


def test_nobody_passes_for_not_started_where_entries_are_not_seen() -> None:
    made = panel(records(PERSONS, episodes=starts({"p00": 5, "p01": 6, "p02": 9})))
    until = tuple(
        replace(c, last=to_index("2020-06")) if c.kind == Kind.ACCOMPANIMENT else c
        for c in made.coverage
    )
    risk = ask(replace(made, coverage=until))
    assert risk.entry.max() == to_index("2020-06")


def test_a_sum_over_an_unseen_month_is_unknown() -> None:
    rows = [spell(p, "employment", "cdi", "2020-01-01", "2020-04-30") for p in PERSONS]
    made = records(PERSONS, episodes=[*rows, *starts({"p00": 6, "p01": 8})])
    late = tuple(
        replace(c, first=to_index("2020-03")) if c.kind == Kind.EMPLOYMENT else c
        for c in made.coverage
    )
    risk = ask(panel(replace(made, coverage=late)), covariates=("employment.months4",))
    # Entry in June sums February to May: February was not seen. Entry in August sums April to July.
    assert risk.person[risk.treated].tolist() == [1]
    assert risk.history[risk.treated].ravel().tolist() == [1.0]
    assert ("missing_covariate", 1) in risk.ledger.steps[0].dropped


def test_a_question_may_compare_on_attributes_alone() -> None:
    made = records(
        PERSONS,
        episodes=starts({"p00": 5, "p01": 6}),
        attributes={"age": ("number", [float(i) for i in range(12)])},
    )
    assert ask(panel(made), covariates=("age",)).treated.sum() == 2


def test_an_entry_outside_the_months_asked_is_not_one_without_followup() -> None:
    made = panel(records(PERSONS, episodes=starts({"p00": 5, "p01": 9, "p02": 12})))
    dropped = dict(ask(made, last_entry="2020-06").ledger.steps[0].dropped)
    assert dropped == {"outside_asked_months": 1, "followup_too_short": 1}


def test_a_month_in_which_everybody_enters_compares_nobody_and_harms_nobody() -> None:
    days = {p: 9 if i % 3 else 5 for i, p in enumerate(PERSONS)}
    work = [spell(p, "employment", "cdd", "2020-02-01", "2020-03-31") for p in PERSONS[::4]]
    made = panel(records(PERSONS, episodes=[*starts(days), *work]))
    question = Question(
        treatment="job_search",
        outcome="employment_presence",
        months=(2,),
        covariates=("employment.months3",),
    )
    design = compare(made, question, using=NearestNeighbours())
    assert int(design.units["treated"].sum()) == 4
    assert dict(design.ledger.steps[-2].dropped) == {"no_comparison": 8}


def test_a_placebo_does_not_buy_a_long_history() -> None:
    rng = np.random.default_rng(3)
    people = [f"q{i:03d}" for i in range(60)]
    made = panel(
        records(
            people,
            window=("2018-01", "2020-12"),
            episodes=[
                *starts({p: 3 + i % 3 for i, p in enumerate(people[:30])}),
                spell("q000", "employment", "cdi", "2018-01-01", "2018-06-30"),
            ],
            attributes={"age": ("number", rng.normal(size=60).tolist())},
        ),
        "2018-01",
    )
    question = Question(
        treatment="job_search",
        outcome="employment_presence",
        months=(2,),
        covariates=("age",),
        first_entry="2020-03",
        placebo_months=(-24, -24),
    )
    assert compare(made, question).design_class is DesignClass.MATCHED_SHORT_HISTORY
    with pytest.raises(WhatworksError, match="placebo_months"):
        compare(made, replace(question, placebo_months=(-40, -30)))


TABLE = pd.DataFrame(
    {"t": [1, 0] * 20, "x": np.arange(40.0), "y": np.arange(40.0) % 7, "name": ["Jean Dupont"] * 40}
)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariates": ["y"]}, "one part only"),
        ({"covariates": ["x", "x"]}, "one part only"),
        ({"covariates": "x"}, "single string"),
        ({"covariates": ["z"]}, "without it"),
        ({"outcome": "name"}, "numbers"),
        ({"treatment": "x"}, "0 or 1"),
        ({"weight": "x"}, "positive weight"),
    ],
)
def test_a_column_in_the_wrong_part_is_refused_without_showing_anybody(
    options: dict[str, object], words: str
) -> None:
    given = {"treatment": "t", "outcome": "y", **options}
    with pytest.raises(WhatworksError, match=words) as caught:
        Design.from_cross_section(TABLE, **given)  # type: ignore[arg-type]
    assert "Dupont" not in str(caught.value)


def test_a_covariate_may_not_take_the_name_of_a_role() -> None:
    with pytest.raises(WhatworksError, match="weight_before"):
        Design.from_cross_section(
            TABLE.rename(columns={"x": "weight"}), treatment="t", outcome="y", covariates=["weight"]
        )


def staggered() -> pd.DataFrame:
    unit = np.repeat(np.arange(30), 5)
    start = np.array([0, 3, 4])[np.arange(30) % 3][unit]
    return pd.DataFrame(
        {"u": unit, "p": np.tile(np.arange(1, 6), 30), "g": start, "y": unit * 1.0, "m": unit % 4}
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"p": lambda d: d["p"] / 2}, "whole numbers"),
        ({"g": lambda d: d["g"].astype(str) + "x"}, "numbers"),
        ({"u": lambda d: d["u"].where(d["u"] > 0)}, "value on every row"),
        ({"m": lambda d: d["m"].where(d["m"] > 0)}, "value on every row"),
    ],
)
def test_a_panel_that_would_be_mangled_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(WhatworksError, match=words):
        Design.from_panel(
            staggered().assign(**change),
            unit="u",
            period="p",
            first_treated="g",
            outcome="y",
            market="m",
        )


def test_the_primary_horizon_is_one_every_cohort_reaches() -> None:
    design = Design.from_panel(staggered(), unit="u", period="p", first_treated="g", outcome="y")
    assert design.question.months == (0, 1, 2)
    assert design.question.primary == 1  # cohort 4 is seen at 4 and 5 only


def test_an_accumulated_outcome_is_not_differenced() -> None:
    design = stack(
        Design.from_panel(staggered(), unit="u", period="p", first_treated="g", outcome="y")
    )
    summed = replace(design, outcomes=replace(design.outcomes, accumulates=True))
    with pytest.raises(WhatworksError, match="accumulates"):
        MatchedDiD().fit(summed)


def shares(levels: list[float]) -> pd.DataFrame:
    market = np.repeat(np.arange(30), 12)
    share = np.array(levels)[market % len(levels)]
    treat = (np.arange(market.size) % 12 < np.round(share * 12)).astype(int)
    y = treat + np.sin(np.arange(market.size))
    return pd.DataFrame({"t": treat, "y": y, "market": market, "share": share})


def saturated(table: pd.DataFrame) -> pd.DataFrame:
    design = Design.from_cross_section(
        table,
        treatment="t",
        outcome="y",
        market="market",
        saturation="share",
        randomised=True,
    )
    return SaturationRegression().fit(design).effects


def test_shares_that_are_not_round_numbers_are_counted() -> None:
    effects = saturated(shares([0.0, 1 / 3, 2 / 3]))
    assert (effects["n_treated"] > 0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.assign(t=1), "nobody assigned"),
        (lambda d: d.assign(share=d["share"] * 100), "from 0 to 1"),
    ],
)
def test_shares_that_are_not_a_design_are_refused(change: object, words: str) -> None:
    table = change(shares([0.0, 0.5]))  # type: ignore[operator]
    table.loc[0, "t"] = 0
    with pytest.raises(WhatworksError, match=words):
        saturated(table)


def test_without_pure_control_direct_effects_and_slopes_are_told_and_nothing_else() -> None:
    effects = saturated(shares([0.25, 0.5, 0.75]))
    assert set(effects["term"]) == {"direct", "slope_assigned", "slope_unassigned"}


def test_a_share_with_nobody_treated_still_tells_its_spillover() -> None:
    table = shares([0.0, 0.25, 0.5])
    table.loc[table["share"] == 0.25, "t"] = 0
    effects = saturated(table).set_index(["term", "group"])
    assert ("spillover", "0.25") in effects.index
    assert ("direct", "0.25") not in effects.index


def test_too_many_ties_are_refused_before_they_fill_the_memory() -> None:
    n = 12_000
    table = pd.DataFrame({"t": np.arange(n) % 2, "y": 0.0, "x": 0.0})
    design = Design.from_cross_section(table, treatment="t", outcome="y", covariates=["x"])
    with pytest.raises(WhatworksError, match="pairs"):
        design.matched(using=NearestNeighbours())


def test_a_cell_however_large_is_a_set_and_no_list_of_pairs() -> None:
    n = 12_000
    table = pd.DataFrame({"t": np.arange(n) % 2, "y": np.arange(n) % 2 * 3.0, "x": 0.0})
    design = Design.from_cross_section(table, treatment="t", outcome="y", covariates=["x"])
    matched = design.matched(using=Exact())
    assert matched.matches is None
    assert MatchedDifference().fit(matched).effects["estimate"].item() == pytest.approx(3.0)


def test_market_errors_need_every_market() -> None:
    table = TABLE.assign(m=["a", "b"] * 20)
    table.loc[0, "m"] = None
    design = Design.from_cross_section(table, treatment="t", outcome="y", market="m")
    assert dict(design.ledger.steps[0].dropped) == {"missing_market": 1}
    matched = Design.from_cross_section(TABLE, treatment="t", outcome="y").matched(using=Exact())
    with pytest.raises(WhatworksError, match="markets"):
        MatchedDifference(errors="market").fit(matched)
