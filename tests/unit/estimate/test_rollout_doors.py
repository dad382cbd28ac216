"""Tables and rollouts that cannot be read are refused in words, and rounding is never uncertainty."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import whatworks as ww
from whatworks.errors import DesignRefused, OptionError

ROLES = {"unit": "person", "period": "period", "first_treated": "start", "outcome": "y"}


@pytest.fixture(name="table")
def _table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    unit, period = np.repeat(np.arange(60), 6), np.tile(np.arange(1, 7), 60)
    start = np.array([0, 3, 5])[np.arange(60) % 3][unit]
    y = rng.normal(size=60)[unit] + 0.2 * period + rng.normal(size=360)
    weight, x = rng.uniform(0.5, 2, 60)[unit], rng.normal(size=60)[unit]
    return pd.DataFrame(
        {"person": unit, "period": period, "start": start, "y": y, "w": weight, "x": x}
    )


@pytest.mark.parametrize("column", ["period", "start", "y"])
@pytest.mark.parametrize("kind", ["datetime64[s]", "timedelta64[s]", "complex128"])
def test_dates_and_complex_numbers_are_not_read_as_numbers(
    table: pd.DataFrame, column: str, kind: str
) -> None:
    changed = table.copy()
    changed[column] = table[column].round().astype("int64").to_numpy().astype(kind)
    with pytest.raises(OptionError, match=rf"column '{column}'.*needed numbers.*{kind[:8]}"):
        ww.Design.from_panel(changed, **ROLES)


def test_months_of_pandas_are_not_read_as_their_rank(table: pd.DataFrame) -> None:
    months = pd.to_datetime("2020-" + table["period"].astype(str) + "-01").dt.to_period("M")
    with pytest.raises(OptionError, match=r"column 'period'.*period\[M\]"):
        ww.Design.from_panel(table.assign(period=months), **ROLES)


def test_a_flag_of_treatment_is_not_its_first_period(table: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match=r"column 'start'.*whole numbers"):
        ww.Design.from_panel(table.assign(start=table["start"] > 0), **ROLES)


@pytest.mark.parametrize("column", ["y", "x", "w"])
def test_infinite_numbers_are_refused(table: pd.DataFrame, column: str) -> None:
    held = table[column].where(table["person"] != 7, np.inf)
    with pytest.raises(OptionError, match=rf"'{column}'.*finite"):
        ww.Design.from_panel(table.assign(**{column: held}), **ROLES, covariates=["x"], weight="w")


def test_an_infinite_start_is_never(table: pd.DataFrame) -> None:
    never = ww.Design.from_panel(table, **ROLES)
    endless = table.assign(start=table["start"].replace(0, np.inf))
    assert (
        ww.Design.from_panel(endless, **ROLES)
        .units["entry_month"]
        .equals(never.units["entry_month"])
    )


def test_what_is_not_a_table_of_rows_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match=r"pandas DataFrame.*found a dict"):
        ww.Design.from_panel(table.to_dict("list"), **ROLES)  # type: ignore[arg-type]  # the point
    with pytest.raises(OptionError, match=r"one column 'y'.*2 of that name"):
        ww.Design.from_panel(pd.concat([table, table[["y"]]], axis=1), **ROLES)
    with pytest.raises(DesignRefused, match=r"rows of units and periods.*found none"):
        ww.Design.from_panel(table[:0], **ROLES)


def test_periods_too_far_to_be_told_from_never_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match=r"column 'period'.*360 rows"):
        ww.Design.from_panel(table.assign(period=table["period"] + 10**17), **ROLES)


@pytest.mark.parametrize(
    "method", [ww.CallawaySantAnna(), ww.RollingDiD(), ww.SunAbraham(gaps="drop")]
)
def test_treated_units_that_all_lack_a_period_are_named(
    table: pd.DataFrame, method: ww.CallawaySantAnna
) -> None:
    holed = table[~((table["period"] == 4) & (table["start"] > 0))]
    with pytest.raises(DesignRefused, match=r"treated units.*none of 40: 40 lack a period"):
        method.fit(ww.Design.from_panel(holed, **ROLES))


@pytest.mark.parametrize("method", [ww.SunAbraham(), ww.ExtendedTwoWay(control="never_treated")])
def test_a_covariate_that_tells_who_is_treated_leaves_no_effect(
    table: pd.DataFrame, method: ww.SunAbraham
) -> None:
    told = table.assign(x=(table["start"] > 0).astype(float))
    with pytest.raises(DesignRefused, match=rf"{type(method).__name__}.*data determine"):
        method.fit(ww.Design.from_panel(told, **ROLES, covariates=["x"]))


def test_exact_inference_without_controls_is_refused(table: pd.DataFrame) -> None:
    design = ww.Design.from_panel(table[table["start"] > 0], **ROLES)
    with pytest.raises(DesignRefused, match=r"exact inference"):
        ww.RollingDiD(inference="exact").fit(design)


def test_units_seen_once_with_unequal_weights_are_refused_by_imputation(
    table: pd.DataFrame,
) -> None:
    design = ww.Design.from_panel(
        table, period="period", first_treated="start", outcome="y", weight="w"
    )
    with pytest.raises(DesignRefused, match=r"repeated cross-sections"):
        ww.Imputation().fit(design)


def test_two_way_in_one_market_has_points_without_errors(table: pd.DataFrame) -> None:
    design = ww.Design.from_panel(table.assign(market="only"), **ROLES, market="market")
    here = ww.TwoWayFixedEffects(cluster="market").fit(design).effects
    apart = ww.TwoWayFixedEffects().fit(design).effects
    np.testing.assert_allclose(here["estimate"], apart["estimate"], rtol=1e-12)
    assert here["std_error"].isna().all()
    assert here["p_value"].isna().all()


@pytest.mark.parametrize("value", [0.0, 3.3, 1e9])
@pytest.mark.parametrize("method", [ww.SunAbraham(), ww.ExtendedTwoWay(), ww.Imputation()])
def test_an_outcome_that_does_not_vary_has_no_error(
    table: pd.DataFrame, method: ww.SunAbraham, value: float
) -> None:
    effects = method.fit(ww.Design.from_panel(table.assign(y=value), **ROLES)).effects
    assert effects[["std_error", "p_value", "conf_low", "band_low"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "method",
    [
        ww.SunAbraham(cluster="market"),
        ww.ExtendedTwoWay(cluster="market"),
        ww.CallawaySantAnna(cluster="market"),
        ww.StackedDiD(cluster="market"),
    ],
)
def test_all_treated_in_one_market_and_all_others_in_another_have_no_error(
    table: pd.DataFrame, method: ww.SunAbraham
) -> None:
    """Influences of one market cancel out: what is left of them is rounding."""
    told = table[table["start"] != 3].assign(market=lambda t: (t["start"] > 0).astype(str))
    effects = method.fit(ww.Design.from_panel(told, **ROLES, market="market")).effects
    assert effects["estimate"].notna().any()
    assert effects[["std_error", "p_value", "band_high"]].isna().all(axis=None)
