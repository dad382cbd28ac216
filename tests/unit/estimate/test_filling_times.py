"""How soon vacancies are filled: by hand, against means, on the clock, with shares of markets helped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from vacancies_by_hand import Employers, truth, world
from whatworks import FillingTimes, SaturationRegression, vacancies
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.shares.net import net
from whatworks.worlds import Employers as Support
from whatworks.worlds import FiniteJobs, simulate_jobs

COLUMNS = {"posted": "posted", "filled": "filled", "withdrawn": "gone", "treatment": "helped"}
DAYS = (10, 30, 60)


def six() -> pd.DataFrame:
    """Helped: filled on days 1 and 3, one withdrawn on day 2. Others: filled on 4, open, withdrawn on 1."""
    return pd.DataFrame(
        {
            "posted": [0] * 6,
            "filled": [1, 3, None, 4, None, None],
            "gone": [None, None, 2, None, None, 1],
            "helped": [1, 1, 1, 0, 0, 0],
        }
    )


def test_six_vacancies_by_hand() -> None:
    found = FillingTimes().fit(vacancies(six(), **COLUMNS, seen_until=5, days=(1, 2, 5)))
    effects = found.effects.set_index(["term", "month"])["estimate"]
    shares = {1: (1 / 3, 0.0), 2: (1 / 3, 0.0), 5: (2 / 3, 1 / 3)}
    for day, (helped, others) in shares.items():
        assert effects["filled", day] == pytest.approx(100 * (helped - others))
    assert effects["withdrawn", 1] == pytest.approx(-100 / 3)
    assert effects["withdrawn", 5] == pytest.approx(0)
    # Days without a hire within five: (1 + 3 + 5)/3 less (4 + 5 + 5)/3.
    assert effects["days_to_fill", 5] == pytest.approx(3 - 14 / 3)
    assert set(found.effects["unit"]) == {"pp", "days"}
    curves = found.extras["curves"].set_index(["arm", "day"])
    assert curves.loc[("unassigned", 5), "open"] == pytest.approx(100 / 3)
    assert found.at(5)["term"] == "filled"


def test_without_censoring_it_is_a_difference_of_shares_by_employer() -> None:
    rng = np.random.default_rng(1)
    n = 800
    table = pd.DataFrame(
        {
            "posted": rng.integers(0, 50, n),
            "employer": rng.integers(0, 90, n),
            "helped": rng.integers(0, 2, n),
        }
    )
    table["filled"] = table["posted"] + rng.geometric(0.05, n)
    design = vacancies(
        table, posted="posted", filled="filled", treatment="helped", employer="employer",
        seen_until=10_000, days=DAYS,
    )  # fmt: skip
    row = FillingTimes().fit(design).at(30, term="filled")
    done = (table["filled"] - table["posted"] <= 30).to_numpy()
    helped = table["helped"].to_numpy() == 1
    means = [done[helped].mean(), done[~helped].mean()]
    assert row["estimate"] == pytest.approx(100 * (means[0] - means[1]))
    part = np.where(helped, (done - means[0]) / helped.sum(), -(done - means[1]) / (~helped).sum())
    sums = np.bincount(table["employer"], part)
    g = np.unique(table["employer"]).size
    assert row["std_error"] == pytest.approx(100 * np.sqrt(g / (g - 1) * (sums**2).sum()))


def test_a_stretched_clock_stretches_days_and_leaves_shares() -> None:
    table = world(Employers(seed=3, n_markets=20)).assign(posted=0)
    slow = table.assign(**{c: 3 * table[c] for c in ("filled", "gone")})
    one = vacancies(table, **COLUMNS, seen_until=70, days=DAYS)
    two = vacancies(slow, **COLUMNS, seen_until=210, days=tuple(3 * d for d in DAYS))
    here, there = (FillingTimes().fit(d).effects for d in (one, two))
    scale = np.where(here["term"] == "days_to_fill", 3, 1)
    np.testing.assert_allclose(there["estimate"], scale * here["estimate"], rtol=1e-9)
    np.testing.assert_allclose(there["std_error"], scale * here["std_error"], rtol=1e-9)


def test_files_that_end_early_leave_the_same_shares() -> None:
    options = Employers(seed=5, n_markets=150, per_market=60)
    table = world(options)
    long = vacancies(table, **COLUMNS, seen_until=400, days=DAYS)
    short = vacancies(table, **COLUMNS, seen_until=75, seen_from=10, days=DAYS)
    full, cut = (FillingTimes().fit(d).effects for d in (long, short))
    assert short.ledger.frame()["dropped"].sum() > 0
    gap = cut["estimate"] - full["estimate"]
    assert (gap.abs() < 3 * cut["std_error"]).all()
    # Dropping instead the vacancies still open would say that nearly all are filled.
    ended = table[table["filled"].notna() & (table["filled"] <= 75)]
    naive = ((ended["filled"] - ended["posted"]) <= 30).mean()
    kept = full_share(table)
    assert naive > kept + 0.1


def full_share(table: pd.DataFrame) -> float:
    return float(((table["filled"] - table["posted"]) <= 30).mean())


def saturated(options: Employers, **columns: object) -> Design:
    return vacancies(
        world(options),
        **COLUMNS,
        seen_until=400,
        days=DAYS,
        employer="employer",
        market="market",
        stratum="stratum",
        saturation="share",
        randomised=True,
        **columns,
    )


def test_where_shares_were_drawn_neighbours_are_no_comparison() -> None:
    options = Employers(seed=7, n_markets=240, per_market=60)
    found = FillingTimes().fit(saturated(options))
    rows = found.effects.set_index(["term", "group", "month"])
    says = truth(options, day=30)
    for term in ("direct", "spillover", "total", "overall"):
        row = rows.loc[(term, "0.5", 30)]
        assert abs(row["estimate"] - says[term]) < 3 * row["std_error"]
        assert row["std_error"] < 3
    assert rows.loc[("spillover", "0.5", 30), "estimate"] < 0
    assert found.term == "total"
    assert {"arm", "saturation", "day", "filled", "withdrawn", "open"} <= set(
        found.extras["curves"]
    )


def test_with_all_watched_it_is_the_regression_on_cells() -> None:
    design = saturated(Employers(seed=8, n_markets=60))
    one = FillingTimes().fit(design).effects.set_index(["term", "group", "month"])
    two = SaturationRegression(restricted=(), errors="CR1").fit(replace(design, units=bare(design)))
    two = two.effects.set_index(["term", "group", "month"])
    np.testing.assert_allclose(one["estimate"], two.loc[one.index, "estimate"], atol=1e-9)
    # CR1's factor counts coefficients too.
    ratio = two.loc[one.index, "std_error"] / one["std_error"]
    np.testing.assert_allclose(ratio, 1, rtol=2e-3)


def bare(design: Design) -> pd.DataFrame:
    return design.units.assign(stratum=pd.Series([None] * len(design.units), dtype=object))


def test_jobs_added_are_hires_from_unemployment() -> None:
    options = Employers(seed=9, n_markets=120, gain=1.0)
    design = saturated(options, outcome="hires_unemployed", origin="origin")
    estimate = SaturationRegression(restricted=(), errors="CR1").fit(design)
    per_100 = net(estimate, design, at=0.5, month=60).at("net_assigned", share=0.5)
    says = truth(options, day=60, origin="unemployed")
    wanted = says["overall"] / 0.5
    assert abs(per_100["estimate"] - wanted) < 3 * per_100["std_error"]
    gross = FillingTimes().fit(saturated(options)).at(60, term="direct")
    assert gross["conf_low"] > wanted


def test_hires_of_others_compete_with_hires_from_unemployment() -> None:
    options = Employers(seed=2, n_markets=40)
    table = world(options)
    given = {**COLUMNS, "seen_until": 400, "days": DAYS, "origin": "origin"}
    design = vacancies(table, **given, outcome="hires_unemployed")
    found = FillingTimes().fit(design)
    effects = found.effects.set_index(["term", "month"])["estimate"]
    helped = table["helped"] == 1
    soon = (table["filled"] - table["posted"] <= 30) & (table["origin"] == "unemployed")
    assert effects["hires_unemployed", 30] == pytest.approx(
        100 * (soon[helped].mean() - soon[~helped].mean())
    )
    whole = FillingTimes().fit(vacancies(table, **given)).at(30, term="filled")["estimate"]
    parts = effects["hires_unemployed", 30] + effects["filled_otherwise", 30]
    assert parts == pytest.approx(whole)
    curves = found.extras["curves"]
    ended = curves[["hires_unemployed", "withdrawn", "filled_otherwise", "open"]]
    np.testing.assert_allclose(ended.sum(axis=1), 100)


@pytest.mark.parametrize("taken", [0.0, 0.5])
def test_net_per_hundred_supported_vacancies_is_what_the_world_adds(taken: float) -> None:
    options = FiniteJobs(
        seed=5,
        n_markets=120,
        saturations=(0.0, 0.5),
        employers=Support(saturations=(0.0, 0.5), additional=0.2, from_others=taken),
    )
    design = vacancies(
        simulate_jobs(options).vacancies, posted="posted", filled="filled", withdrawn="withdrawn",
        treatment="treated", seen_until=100, days=(90,), employer="employer", market="market",
        saturation="saturation", stratum="stratum", randomised=True,
    )  # fmt: skip
    left = net(FillingTimes().fit(design), design, at=0.5).at("net_assigned", share=0.5)
    assert abs(left["estimate"] - 20 * (1 - taken)) < 3 * left["std_error"]
    assert left["std_error"] < 1.5


def test_tightness_is_declared_before_and_read_by_thirds() -> None:
    design = saturated(Employers(seed=4, n_markets=90), tightness="tightness")
    assert design.markets is not None
    assert design.markets.tightness_before
    found = SaturationRegression(restricted=(), by=("tightness",)).fit(design)
    assert {"tightness=low", "tightness=middle", "tightness=high"} <= set(found.effects["group"])


def test_what_cannot_be_answered_is_refused() -> None:
    design = vacancies(six(), **COLUMNS, seen_until=5, days=(1, 2))
    lost = replace(design, outcomes=replace(design.outcomes, endings=None))
    with pytest.raises(DesignRefused, match="lost it on the way"):
        FillingTimes().fit(lost)
    with pytest.raises(DesignRefused, match="markets"):
        FillingTimes(cluster="market").fit(design)
    with pytest.raises(OptionError, match="one day"):
        FillingTimes(horizon=0)
    with pytest.raises(OptionError, match="employer"):
        FillingTimes(cluster="person")  # type: ignore[arg-type] - what a user may write


def test_beyond_what_was_watched_nothing_is_said() -> None:
    design = vacancies(six(), **COLUMNS, seen_until=5, days=(2, 9))
    rows = FillingTimes().fit(design).effects.set_index(["term", "month"])
    assert np.isnan(rows.loc[("filled", 9), "estimate"])
    assert np.isfinite(rows.loc[("filled", 2), "estimate"])
    assert np.isnan(rows.loc[("days_to_fill", 9), "estimate"])
    assert np.isfinite(FillingTimes(horizon=4).fit(design).at(4, term="days_to_fill")["estimate"])
