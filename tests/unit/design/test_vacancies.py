"""Vacancies read as units: dates, what files do not show, hires and where they came from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from whatworks import Exact, SaturationRegression, WeightedDifference, vacancies
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, WhatworksError
from whatworks.vocabulary import Clock, Supply

COLUMNS = {
    "posted": "posted",
    "filled": "filled",
    "withdrawn": "gone",
    "treatment": "helped",
    "seen_until": "2025-03-31",
    "days": (15, 30),
}


def offers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "posted": ["2025-01-01", "2025-01-10", "2025-02-20", "2025-03-10", "2025-01-05"],
            "filled": ["2025-01-16", None, "2025-04-02", "2025-03-12", None],
            "gone": [None, "2025-01-20", None, None, None],
            "helped": [1, 0, 1, 0, 1],
            "employer": ["a", "b", "a", "c", "c"],
        }
    )


def test_what_became_of_each_by_each_day() -> None:
    design = vacancies(offers(), **COLUMNS, employer="employer")
    nan = np.nan
    # The fourth was filled, and posted less than thirty days before the files end: not known at thirty.
    wanted = [[100, 100], [0, 0], [0, 0], [100, nan], [0, 0]]
    np.testing.assert_array_equal(design.outcomes.values, wanted)
    assert design.outcomes.clock is Clock.POSTING
    assert design.outcomes.unit == "pp"
    endings = design.outcomes.endings
    assert endings is not None
    assert endings.time.tolist() == [15, 10, 39, 2, 85]
    assert endings.kind.tolist() == [1, 2, 0, 1, 0]  # the third is filled once the files are closed
    assert design.units["person_id"].tolist() == [0, 1, 0, 2, 2]
    assert {Supply.ENDINGS} <= design.supplies
    lost = design.ledger.frame().set_index("reason")["dropped"]
    assert lost["not_watched_so_long"] == 1


def test_dates_days_and_time_stamps_say_the_same() -> None:
    table = offers()
    stamps = table.assign(**{c: pd.to_datetime(table[c]) for c in ("posted", "filled", "gone")})
    origin = pd.Timestamp("2025-01-01")
    counted = stamps.assign(
        **{c: (stamps[c] - origin).dt.days for c in ("posted", "filled", "gone")}
    )
    designs = [
        vacancies(table, **COLUMNS),
        vacancies(stamps, **{**COLUMNS, "seen_until": pd.Timestamp("2025-03-31").date()}),
        vacancies(counted, **{**COLUMNS, "seen_until": 89}),
    ]
    for design in designs[1:]:
        np.testing.assert_array_equal(design.outcomes.values, designs[0].outcomes.values)


def test_those_posted_before_the_files_began_are_seen_from_then_on() -> None:
    table = offers()
    table.loc[5] = ["2024-11-01", "2024-12-01", None, 0, "d"]
    design = vacancies(table, **COLUMNS, seen_from="2025-01-08")
    endings = design.outcomes.endings
    assert endings is not None
    # On 8 January the first had been open for seven days: it is at risk from its seventh on.
    assert endings.entry.tolist() == [6, -1, -1, -1, 2]
    assert np.isnan(design.outcomes.values[[0, 4]]).all()
    lost = design.ledger.frame().set_index("reason")["dropped"]
    assert lost["ended_before_the_files"] == 1
    assert len(design.units) == 5


def test_what_is_left_out_is_counted() -> None:
    table = offers().assign(sector=["x", None, "y", "x", "y"])
    table.loc[0, "posted"] = None
    table.loc[0, "filled"] = None
    table.loc[2, "posted"] = "2025-05-01"
    table.loc[2, "filled"] = None
    design = vacancies(table, **COLUMNS, covariates=["sector"])
    lost = design.ledger.frame().query("step == 'vacancies'").set_index("reason")["dropped"]
    assert lost.to_dict() == {
        "posting_unknown": 1,
        "posted_after_the_files": 1,
        "missing_covariate": 1,
    }
    assert len(design.units) == 2


def test_hires_per_job_posted_and_where_they_came_from() -> None:
    table = offers().assign(
        posts=[2, 1, 1, 4, 1],
        hires=[1, np.nan, np.nan, 4, np.nan],
        origin=["unemployed", None, None, "poached", None],
    )
    given = {**COLUMNS, "posts": "posts", "hires": "hires", "origin": "origin"}
    at_15 = {
        outcome: vacancies(table, **given, outcome=outcome).outcomes.at(15).tolist()
        for outcome in ("filled", "hires", "hires_unemployed", "hires_poached", "hires_anyway")
    }
    assert at_15 == {
        "filled": [100, 0, 0, 100, 0],
        "hires": [50, 0, 0, 100, 0],
        "hires_unemployed": [50, 0, 0, 0, 0],
        "hires_poached": [0, 0, 0, 100, 0],
        "hires_anyway": [0, 0, 0, 0, 0],
    }
    design = vacancies(table, **given, outcome="hires", weight=None)
    assert design.units["weight"].tolist() == [2, 1, 1, 4, 1]


def places(n_markets: int = 24, *, each: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    market = np.repeat(np.arange(n_markets), each)
    share = np.array([0.0, 0.5])[market % 2]
    helped = ((np.arange(market.size) % 2) * (share > 0)).astype(int)
    filled = rng.geometric(0.03 * (1 + helped), market.size).astype(float)
    return pd.DataFrame(
        {
            "posted": 0,
            "filled": filled,
            "helped": helped,
            "market": market,
            "share": share,
            "tightness": rng.lognormal(size=n_markets)[market],
        }
    )


def in_markets(table: pd.DataFrame) -> Design:
    return vacancies(
        table,
        posted="posted",
        filled="filled",
        treatment="helped",
        seen_until=365,
        market="market",
        saturation="share",
        tightness="tightness",
        randomised=True,
    )


def test_markets_come_with_their_tightness_before() -> None:
    design = in_markets(places())
    assert design.markets is not None
    assert design.markets.tightness_before
    assert Supply.DRAWN_SATURATION in design.supplies
    effects = SaturationRegression().fit(design).effects
    assert set(effects["month"]) == {15, 30, 60, 90}


def test_order_of_rows_changes_nothing() -> None:
    table = places()
    one = SaturationRegression().fit(in_markets(table)).effects
    two = SaturationRegression().fit(in_markets(table.sample(frac=1, random_state=1))).effects
    keys = ["term", "group", "month"]
    np.testing.assert_allclose(
        one.sort_values(keys)["estimate"], two.sort_values(keys)["estimate"], rtol=1e-9
    )


def test_vacancies_can_be_matched_like_persons() -> None:
    table = offers().assign(sector=[1, 1, 2, 2, 2], sure=1)
    design = vacancies(table, **COLUMNS, covariates=["sector"]).matched(using=Exact(on=("sector",)))
    assert design.outcomes.endings is not None
    assert design.outcomes.endings.time.size == len(design.units)
    assert len(WeightedDifference().fit(design).effects) == 2


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda t: t.assign(filled="2024-06-01"), {}, "5 rows that ended before"),
        (lambda t: t.assign(posted="soon"), {}, "5 rows with something else"),
        (lambda t: t, {"seen_until": "never"}, "'never'"),
        (lambda t: t, {"seen_until": 12.0}, "a date"),
        (lambda t: t, {"days": (30, 15)}, "increasing"),
        (lambda t: t, {"days": (0.5,)}, "whole days"),
        (lambda t: t, {"outcome": "hired"}, "hires"),
        (lambda t: t, {"outcome": "hires_unemployed"}, "no origin"),
        (
            lambda t: t.assign(o=[None] * 5),
            {"outcome": "hires_unemployed", "origin": "o"},
            "2 rows with nothing",
        ),
        (lambda t: t.assign(p=0), {"posts": "p"}, "5 rows without"),
        (lambda t: t.assign(h=np.nan), {"outcome": "hires", "hires": "h"}, "2 rows without"),
        (
            lambda t: t.assign(m="x", t=range(5)),
            {"market": "m", "tightness": "t"},
            "1 markets with several",
        ),
        (lambda t: t.assign(t=1.0), {"tightness": "t"}, "no market="),
        (lambda t: t.drop(columns="gone"), {}, "'gone'"),
    ],
)
def test_tables_that_say_something_else_are_refused(
    change: Callable[[pd.DataFrame], pd.DataFrame], options: dict[str, object], said: str
) -> None:
    with pytest.raises(WhatworksError, match=said) as caught:
        vacancies(change(offers()), **{**COLUMNS, **options})
    assert isinstance(caught.value, OptionError | DesignRefused)
    assert "2025-01" not in str(caught.value).replace("2025-06-30", "")
