"""What every registered estimator must do, whatever it estimates."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from whatworks import (
    ESTIMATORS,
    Competition,
    Design,
    EntropyBalancing,
    Exact,
    NearestNeighbours,
    WhatworksError,
    competing,
    stack,
    vacancies,
)
from whatworks.design.markets.record import Markets
from whatworks.estimate.record import EFFECT_COLUMNS
from whatworks.study import build
from whatworks.vocabulary import DesignClass, Supply

RNG = np.random.default_rng(20)


def _cross_section() -> pd.DataFrame:
    n = 400
    x, z = RNG.normal(size=n), RNG.integers(0, 3, n)
    treat = (RNG.random(n) < 1 / (1 + np.exp(1 - x))).astype(int)
    y = 1 + x + 0.5 * z + 2 * treat + RNG.normal(size=n)
    return pd.DataFrame({"person": np.arange(n), "treat": treat, "x": x, "z": z, "y": y})


def _saturation() -> pd.DataFrame:
    market = np.repeat(np.arange(30), 20)
    share = np.array([0.0, 0.25, 0.5])[np.arange(30) % 3][market]
    treat = (RNG.random(600) < share).astype(int)
    y = treat + 0.3 * (share > 0) + RNG.normal(size=30)[market] + RNG.normal(size=600)
    took = treat * (np.arange(600) % 3 > 0)
    return pd.DataFrame(
        {"person": np.arange(600), "treat": treat, "market": market, "share": share, "y": y}
    ).assign(took=took)


def _panel() -> pd.DataFrame:
    unit = np.repeat(np.arange(150), 6)
    period = np.tile(np.arange(1, 7), 150)
    start = np.array([0, 3, 5])[np.arange(150) % 3][unit]
    gain = np.where((start > 0) & (period >= start), 1.5, 0.0)
    y = RNG.normal(size=150)[unit] + 0.2 * period + gain + RNG.normal(size=900)
    return pd.DataFrame({"person": unit, "period": period, "start": start, "y": y})


def _one_cohort() -> pd.DataFrame:
    """One cohort, and a covariate that moves both its chance of starting and its trend."""
    rng = np.random.default_rng(21)
    unit, period = np.repeat(np.arange(240), 4), np.tile(np.arange(1, 5), 240)
    x = rng.normal(size=240)
    start = np.where(rng.random(240) < 1 / (1 + np.exp(0.5 - x)), 3, 0)[unit]
    y = rng.normal(size=240)[unit] + 0.3 * period * x[unit] + (start > 0) * (period >= 3)
    y = y + rng.normal(size=960)
    return pd.DataFrame({"person": unit, "period": period, "start": start, "x": x[unit], "y": y})


def _territories() -> pd.DataFrame:
    """Forty territories that share two factors; ten start in period 7, ten in period 9."""
    rng = np.random.default_rng(22)
    unit, period = np.repeat(np.arange(40), 10), np.tile(np.arange(1, 11), 40)
    start = np.array([0, 0, 7, 9])[np.arange(40) % 4][unit]
    common = (rng.normal(size=(40, 2)) @ rng.normal(size=(2, 10)).cumsum(axis=1)).ravel()
    y = common + 1.5 * ((start > 0) & (period >= start)) + rng.normal(size=400)
    return pd.DataFrame({"person": unit, "period": period, "start": start, "y": y})


def _undrawn() -> pd.DataFrame:
    """Sixty markets of which tighter ones are treated more, a dozen not at all."""
    rng = np.random.default_rng(25)
    market = np.repeat(np.arange(60), 15)
    tight = rng.normal(size=60)
    share = 1 / (1 + np.exp(0.3 - 0.5 * tight - 0.8 * rng.normal(size=60)))
    share[::5] = 0.0
    x = rng.normal(size=900) + 0.5 * tight[market]
    treat = (rng.random(900) < share[market]).astype(int)
    y = x + treat - share[market] + rng.normal(size=60)[market] + rng.normal(size=900)
    columns = {"treat": treat, "x": x, "market": market, "share": share[market], "y": y}
    return pd.DataFrame({"person": np.arange(900), **columns})


def _small_groups() -> pd.DataFrame:
    """Eighty groups of six, of whom others treated take something from each."""
    rng = np.random.default_rng(26)
    market = np.repeat(np.arange(80), 6)
    x = rng.normal(size=480)
    treat = (rng.random(480) < 1 / (1 + np.exp(0.8 - 0.5 * x))).astype(int)
    others = (np.bincount(market, treat)[market] - treat) / 5
    y = x + treat - others + rng.normal(size=80)[market] + rng.normal(size=480)
    return pd.DataFrame(
        {"person": np.arange(480), "treat": treat, "x": x, "market": market, "y": y}
    )


def _overlapping() -> pd.DataFrame:
    """Forty-five markets on a circle, each of which meets the next one too."""
    rng = np.random.default_rng(27)
    market = np.repeat(np.arange(45), 12)
    share = rng.permutation(np.repeat([0.0, 0.0, 0.5], 15))
    treat = (rng.permuted(np.tile(np.arange(12), (45, 1)), axis=1) < 12 * share[:, None]).ravel()
    met = 0.7 * share + 0.3 * np.roll(share, -1)
    y = treat - met[market] + rng.normal(size=45)[market] + rng.normal(size=540)
    columns = {
        "treat": treat.astype(int),
        "market": market,
        "place": market,
        "share": share[market],
    }
    return pd.DataFrame({"person": np.arange(540), **columns, "y": y})


def unmatched(table: pd.DataFrame) -> Design:
    return Design.from_cross_section(
        table,
        treatment="treat",
        outcome="y",
        covariates=["x", "z"],
        person="person",
        weight="weight" if "weight" in table else None,
    )


def matched(table: pd.DataFrame) -> Design:
    return unmatched(table).matched(using=Exact(on=("z",)))


def weighted(table: pd.DataFrame) -> Design:
    design = Design.from_cross_section(
        table,
        treatment="treat",
        outcome="y",
        covariates=["x", "z"],
        person="person",
        weight="weight" if "weight" in table else None,
    )
    return design.matched(using=EntropyBalancing())


def saturated(table: pd.DataFrame) -> Design:
    return Design.from_cross_section(
        table,
        treatment="treat",
        outcome="y",
        market="market",
        saturation="share",
        took_part="took",
        person="person",
        weight="weight" if "weight" in table else None,
        randomised=True,
    )


def undrawn(table: pd.DataFrame) -> Design:
    return Design.from_cross_section(
        table,
        treatment="treat",
        outcome="y",
        covariates=["x"],
        market="market",
        saturation="share" if "share" in table else None,
        person="person",
        weight="weight" if "weight" in table else None,
    )


def overlapping(table: pd.DataFrame) -> Design:
    design = Design.from_cross_section(
        table,
        treatment="treat",
        outcome="y",
        market="market",
        saturation="share",
        person="person",
        weight="weight" if "weight" in table else None,
        randomised=True,
    )
    places = table.drop_duplicates("place").sort_values("place")["market"].to_numpy()
    links = pd.DataFrame(
        {
            "market": np.concatenate([places, places]),
            "other": np.concatenate([places, np.roll(places, -1)]),
            "weight": np.repeat([0.7, 0.3], places.size),
        }
    )
    links[["market", "other"]] = links[["market", "other"]].astype(str)
    return competing(
        design, Competition.by_links(links, market="market", other="other", weight="weight")
    )


def staggered(table: pd.DataFrame) -> Design:
    return Design.from_panel(
        table,
        unit="person",
        period="period",
        first_treated="start",
        outcome="y",
        weight="weight" if "weight" in table else None,
    )


def drawn(table: pd.DataFrame) -> Design:
    return replace(staggered(table), design_class=DesignClass.RANDOMISED)


def with_eligible(table: pd.DataFrame) -> Design:
    return Design.from_panel(
        table,
        unit="person",
        period="period",
        first_treated="start",
        outcome="y",
        covariates=["eligible"],
        weight="weight" if "weight" in table else None,
    )


def one_cohort(table: pd.DataFrame) -> Design:
    return Design.from_panel(
        table,
        unit="person",
        period="period",
        first_treated="start",
        outcome="y",
        covariates=["x"],
        weight="weight" if "weight" in table else None,
    )


def stacked(table: pd.DataFrame) -> Design:
    return stack(staggered(table))


def _dosed() -> pd.DataFrame:
    table = _panel()
    hours = RNG.uniform(5, 60, table["person"].nunique())[table["person"]]
    treated = table["start"] > 0
    gain = np.where(treated & (table["period"] >= table["start"]), 0.05 * hours, 0.0)
    return table.assign(hours=np.where(treated, hours, 0.0), y=table["y"] + gain)


def dosed(table: pd.DataFrame) -> Design:
    return Design.from_panel(
        table,
        unit="person",
        period="period",
        first_treated="start",
        outcome="y",
        dose="hours",
        weight="weight" if "weight" in table else None,
    )


def _in_places() -> pd.DataFrame:
    """Persons of thirty markets on a line, kilometres apart; a market starts in period 3, another in 5."""
    rng = np.random.default_rng(23)
    market = np.repeat(np.arange(30), 6)
    start = np.where(market == 4, 3, np.where(market == 20, 5, 0))
    unit, period = np.repeat(np.arange(180), 6), np.tile(np.arange(1, 7), 180)
    y = rng.normal(size=180)[unit] + 0.2 * period + rng.normal(size=1080)
    y += 1.5 * ((start[unit] > 0) & (period >= start[unit]))
    where = np.cumsum(rng.uniform(5, 30, 30))
    table = pd.DataFrame({"person": unit, "period": period, "start": start[unit], "y": y})
    return table.assign(market=market[unit], where=where[market][unit])


def _in_areas() -> pd.DataFrame:
    """Persons of thirty areas, half of them eligible; six areas start in period 3, six in 5."""
    table = _in_places()
    start = np.array([3, 5, 0, 0, 0])[table["market"] % 5]
    return table.assign(start=start, eligible=table["person"] % 2)


def near_treated(table: pd.DataFrame) -> Design:
    made = Design.from_panel(
        table,
        unit="person",
        period="period",
        first_treated="start",
        outcome="y",
        market="market",
        weight="weight" if "weight" in table else None,
    )
    where = table.groupby(table["market"].astype(str))["where"].first()
    apart = np.abs(np.subtract.outer(where.to_numpy(), where.to_numpy()))
    held = Competition(
        names=tuple(where.index), weights=csr_array(np.eye(where.size)), distance=apart
    )
    markets = Markets(table=pd.DataFrame({"market": where.index}), competition=held)
    return replace(made, markets=markets, supplies=made.supplies | {Supply.COMPETITION})


def in_areas(table: pd.DataFrame) -> Design:
    return Design.from_panel(
        table,
        unit="person",
        period="period",
        first_treated="start",
        outcome="y",
        covariates=["eligible"],
        market="market",
        weight="weight" if "weight" in table else None,
    )


def _vacancies() -> pd.DataFrame:
    """Four hundred vacancies, watched for forty days; the outcome is the day of their ending."""
    rng = np.random.default_rng(23)
    n = 400
    treat = np.arange(n) % 2
    y = rng.geometric(0.04 + 0.02 * treat).astype(float)
    employer = np.arange(n) // 2
    gone = (employer % 4 == 0).astype(int)
    return pd.DataFrame({"person": employer, "treat": treat, "gone": gone, "y": y})


def posted(table: pd.DataFrame) -> Design:
    rows = table.assign(
        posted=0,
        filled=table["y"].where(table["gone"] == 0),
        left=table["y"].where(table["gone"] == 1),
    )
    return vacancies(
        rows,
        posted="posted",
        filled="filled",
        withdrawn="left",
        treatment="treat",
        seen_until=40,
        days=(7, 15, 30),
        employer="person",
        weight="weight" if "weight" in table else None,
    )


CASES: dict[str, tuple[pd.DataFrame, Callable[[pd.DataFrame], Design]]] = {
    "MatchedDifference": (_cross_section(), matched),
    "MatchedDiD": (_panel(), stacked),
    "ContinuousDose": (_dosed(), dosed),
    "CallawaySantAnna": (_panel(), staggered),
    "Imputation": (_panel(), staggered),
    "TwoWayFixedEffects": (_panel(), staggered),
    "ExtendedTwoWay": (_panel(), staggered),
    "DoublyRobustDiD": (_one_cohort(), one_cohort),
    "StackedDiD": (_panel(), staggered),
    "SunAbraham": (_panel(), staggered),
    "RandomTiming": (_panel(), drawn),
    "RollingDiD": (_panel(), staggered),
    "TripleDifference": (_panel().assign(eligible=lambda t: t["person"] // 3 % 2), with_eligible),
    "SpilloverDiD": (_in_places(), near_treated),
    "PilotAreas": (_in_areas(), in_areas),
    "SyntheticControl": (_territories(), staggered),
    "AugmentedSyntheticControl": (_territories(), staggered),
    "SyntheticDiD": (_territories(), staggered),
    "SaturationRegression": (_saturation(), saturated),
    "SaturationMeans": (_saturation(), saturated),
    "SaturationIV": (_saturation(), saturated),
    "SaturationScore": (_undrawn(), undrawn),
    "PartialInterference": (_small_groups(), undrawn),
    "ExposureMapping": (_overlapping(), overlapping),
    "WeightedDifference": (_cross_section(), weighted),
    "RegressionAdjustment": (_cross_section(), matched),
    "DoublyRobust": (_cross_section(), unmatched),
    "QuantileEffects": (_cross_section(), matched),
    "GroupRanking": (_cross_section(), unmatched),
    "FillingTimes": (_vacancies(), posted),
}
every = pytest.mark.parametrize("name", list(ESTIMATORS))


def test_the_suite_knows_every_estimator() -> None:
    assert set(CASES) == set(ESTIMATORS)


def fitted(name: str, table: pd.DataFrame | None = None) -> Any:
    data, make = CASES[name]
    return ESTIMATORS[name]().fit(make(data if table is None else table))


def numbers(estimate: Any) -> np.ndarray:
    rows = estimate.effects.sort_values(["term", "cohort", "month", "group"])
    return rows[["estimate", "std_error"]].to_numpy(dtype=float)


@every
def test_options_are_frozen_and_hashable(name: str) -> None:
    estimator = ESTIMATORS[name]()
    assert hash(estimator) == hash(ESTIMATORS[name]())
    option = fields(estimator)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(estimator, option, None)


@every
def test_options_survive_a_study_file(name: str) -> None:
    estimator = ESTIMATORS[name]()
    text = f'method = "{name}"\n' + "".join(
        f"{k} = {str(v).lower() if isinstance(v, bool) else repr(v)}\n"
        for k, v in (
            (k, list(v) if isinstance(v, tuple) else v)
            for k, v in asdict(estimator).items()
            if v is not None  # what is not said is left out of a file
        )
    )
    assert build(ESTIMATORS, tomllib.loads(text), what="estimators") == estimator


@every
def test_two_fits_agree_and_leave_the_design_alone(name: str) -> None:
    data, make = CASES[name]
    design = make(data)
    units, values = design.units.copy(), design.outcomes.values.copy()
    first, second = ESTIMATORS[name]().fit(design), ESTIMATORS[name]().fit(design)
    pd.testing.assert_frame_equal(first.effects, second.effects)
    pd.testing.assert_frame_equal(design.units, units)
    np.testing.assert_array_equal(design.outcomes.values, values)


@every
def test_order_of_rows_changes_nothing(name: str) -> None:
    shuffled = CASES[name][0].sample(frac=1, random_state=3).reset_index(drop=True)
    np.testing.assert_allclose(numbers(fitted(name, shuffled)), numbers(fitted(name)), rtol=1e-9)


@every
def test_labels_of_persons_and_markets_change_nothing(name: str) -> None:
    table = CASES[name][0].copy()
    table["person"] = "p" + (100_000 - table["person"]).astype(str)
    if "market" in table:
        table["market"] = "zone " + (99 - table["market"]).astype(str)
    np.testing.assert_allclose(numbers(fitted(name, table)), numbers(fitted(name)), rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "FillingTimes"])
def test_outcome_scaled_and_shifted(name: str) -> None:
    # An ending has no scale; its clock has: see unit/estimate/test_filling_times.py.
    moved = CASES[name][0].assign(y=lambda t: 10 * t["y"] + 7)
    np.testing.assert_allclose(
        numbers(fitted(name, moved)), 10 * numbers(fitted(name)), rtol=1e-7, atol=1e-9
    )


@every
def test_a_weight_of_two_is_a_row_written_twice(name: str) -> None:
    table = CASES[name][0]
    chosen = table["person"] % 5 == 0
    weighted = table.assign(weight=np.where(chosen, 2.0, 1.0))
    again = table[chosen].copy()
    if "period" in table:  # a unit written twice is a second unit with the same pathway
        again["person"] = again["person"] + 10_000
    repeated = pd.concat([table, again], ignore_index=True)
    one, two = numbers(fitted(name, weighted)), numbers(fitted(name, repeated))
    np.testing.assert_allclose(one[:, 0], two[:, 0], rtol=1e-9)
    if name == "MatchedDifference":
        # The person is the cluster: twice the row of one person is once the person.
        np.testing.assert_allclose(one[:, 1], two[:, 1], rtol=0.02)
    if name == "WeightedDifference":
        np.testing.assert_allclose(one[:, 1], two[:, 1], rtol=1e-9)


@every
def test_an_unmet_need_is_named(name: str) -> None:
    data, make = CASES[name]
    design = replace(make(data), supplies=frozenset())
    with pytest.raises(WhatworksError, match=sorted(ESTIMATORS[name].needs)[0]) as caught:
        ESTIMATORS[name]().fit(design)
    assert caught.value.remedy
    assert caught.value.exit_code == 3


@every
def test_an_outcome_that_does_not_vary_has_no_inference(name: str) -> None:
    flat = fitted(name, CASES[name][0].assign(y=3.0)).effects
    assert np.allclose(flat["estimate"], 0, atol=1e-12)
    undefined = ["std_error", "conf_low", "conf_high", "band_low", "band_high", "p_value"]
    assert flat[undefined].isna().all().all()


@every
def test_covariance_is_psd_and_agrees_with_standard_errors(name: str) -> None:
    estimate = fitted(name)
    covariance = estimate.uncertainty.covariance()
    np.testing.assert_allclose(
        np.sqrt(np.diag(covariance)), estimate.effects["std_error"], rtol=1e-12
    )
    assert np.linalg.eigvalsh(covariance).min() > -1e-10 * np.trace(covariance)
    weights = np.zeros((1, len(covariance)))
    weights[0, -1] -= 1
    weights[0, 0] += 2
    combined = estimate.uncertainty.combine(weights).covariance()
    np.testing.assert_allclose(combined, weights @ covariance @ weights.T, rtol=1e-9)


@every
def test_effects_have_one_shape(name: str) -> None:
    effects = fitted(name).effects
    assert tuple(effects.columns) == EFFECT_COLUMNS
    assert not effects.duplicated(["term", "cohort", "month", "group"]).any()
    assert (effects["conf_low"] <= effects["estimate"]).all()
    assert (effects["conf_high"] >= effects["estimate"]).all()
    # A band is joint: never narrower than the interval of one effect.
    assert (effects["band_low"] <= effects["conf_low"] + 1e-9).all()
    assert (effects["band_high"] >= effects["conf_high"] - 1e-9).all()
    assert (effects[["n_treated", "n_comparison"]] > 0).all().all()


@every
def test_the_ledger_balances(name: str) -> None:
    ledger = fitted(name).ledger
    assert ledger.steps
    for step in ledger.steps:
        assert step.before == step.after + sum(n for _, n in step.dropped)


def test_nearest_neighbours_do_not_depend_on_order() -> None:
    table = _cross_section().assign(x=lambda t: t["x"].round(1))
    results = []
    for seed in (None, 1, 2):
        rows = table if seed is None else table.sample(frac=1, random_state=seed)
        design = Design.from_cross_section(
            rows, treatment="treat", outcome="y", covariates=["x", "z"]
        )
        matched_design = design.matched(using=NearestNeighbours(ratio=2, caliper_sd=0.2))
        results.append(numbers(ESTIMATORS["MatchedDifference"]().fit(matched_design)))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-9)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-9)
