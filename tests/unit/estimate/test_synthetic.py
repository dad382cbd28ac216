"""Methods on territories: by hand, against direct sums, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import (
    AugmentedSyntheticControl,
    Design,
    SyntheticControl,
    SyntheticDiD,
    WhatworksError,
    aggregate,
)

METHODS = (SyntheticControl, AugmentedSyntheticControl, SyntheticDiD)
every = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)


def table(starts: list[int], n_periods: int = 12, *, seed: int = 3) -> pd.DataFrame:
    """Territories with the starts given, on two common factors."""
    rng = np.random.default_rng(seed)
    n = len(starts)
    period = np.arange(1, n_periods + 1)
    start = np.array(starts)
    values = rng.normal(size=(n, 2)) @ rng.normal(size=(2, n_periods)).cumsum(axis=1)
    values += rng.normal(size=(n, n_periods)) * 0.5
    values += 2.0 * ((start[:, None] > 0) & (period >= start[:, None]))
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), n_periods),
            "name": np.repeat([f"zone {k:02d}" for k in range(n)], n_periods),
            "period": np.tile(period, n),
            "start": np.repeat(start, n_periods),
            "x": np.repeat(rng.normal(size=n), n_periods),
            "y": values.ravel(),
        }
    )


def design(rows: pd.DataFrame, *, covariates: tuple[str, ...] = ()) -> Design:
    return Design.from_panel(
        rows,
        unit="unit",
        period="period",
        first_treated="start",
        outcome="y",
        covariates=list(covariates),
        market="name",
    )


def test_a_control_of_two_donors_by_hand() -> None:
    """The treated lies halfway between two of three donors before period 4; then 5 more."""
    past = {0: [1.0, 2, 3, 5, 5], 1: [3.0, 2, 5, 1, 3], 2: [90.0, 95, 99, 99, 99]}
    treated = [2.0, 2, 4, 8, 9]
    rows = [
        {"unit": u, "name": f"z{u}", "period": t + 1, "start": 4 * (u == 3), "x": 0.0, "y": v}
        for u, line in {**past, 3: treated}.items()
        for t, v in enumerate(line)
    ]
    fitted = SyntheticControl().fit(design(pd.DataFrame(rows)))
    donors = fitted.extras["donors"].set_index("donor")["weight"]
    assert donors.to_dict() == pytest.approx({"z0": 0.5, "z1": 0.5})
    assert fitted.at(0)["estimate"] == pytest.approx(5)
    assert fitted.at(1)["estimate"] == pytest.approx(5)
    assert fitted.extras["fit"]["rmspe_before"].iloc[0] == pytest.approx(0, abs=1e-9)
    # Reproduced exactly before: no error to divide by, and three donors make no interval.
    assert fitted.effects[["std_error", "conf_low", "p_value"]].isna().all().all()


@every
def test_paths_donors_and_effects_agree(method: type) -> None:
    made = design(table([8] * 3 + [10] * 2 + [0] * 9))
    fitted = method().fit(made)
    paths, donors = fitted.extras["paths"], fitted.extras["donors"]
    gap = paths.assign(gap=paths["actual"] - paths["synthetic"])
    by_cohort = gap.groupby(["cohort", "month"])["gap"].mean()
    for row in fitted.effects[fitted.effects["cohort"] > 0].itertuples():
        assert by_cohort[row.cohort, row.month] == pytest.approx(row.estimate)
    total = donors.groupby("territory")["weight"].sum()
    np.testing.assert_allclose(total, 1, atol=1e-4)
    assert set(donors["donor"]) <= {f"zone {k:02d}" for k in range(5, 14)}
    three = fitted.at(0)
    parts = [by_cohort[8, 0], by_cohort[10, 0]]
    assert three["estimate"] == pytest.approx((3 * parts[0] + 2 * parts[1]) / 5)


def test_the_average_weighs_cohorts_by_territories_and_periods() -> None:
    """Clarke et al. (2024), eq. 7."""
    fitted = SyntheticDiD().fit(design(table([8] * 3 + [10] * 2 + [0] * 9)))
    cells = fitted.effects[fitted.effects["cohort"] > 0]
    mean = cells.groupby("cohort")["estimate"].mean()
    expected = (3 * 5 * mean[8] + 2 * 3 * mean[10]) / (3 * 5 + 2 * 3)
    assert aggregate(fitted).effects["estimate"].iloc[0] == pytest.approx(expected)


def test_synthetic_did_jackknife_is_that_of_the_paper() -> None:
    """Algorithm 3 written out: weights kept, brought to one, the mean effect taken again."""
    rows = table([9] * 4 + [0] * 10)
    fitted = SyntheticDiD(inference="jackknife").fit(design(rows))
    values = rows["y"].to_numpy().reshape(14, 12)
    omega = np.zeros(14)
    donors = fitted.extras["donors"].query("territory == 'zone 00'")
    omega[[int(d[-2:]) for d in donors["donor"]]] = donors["weight"]
    lam = np.zeros(8)
    periods = fitted.extras["periods"]
    lam[periods["period"].to_numpy() - 1] = periods["weight"]

    def effect(kept: np.ndarray) -> float:
        w = np.where(kept, omega, 0.0)
        gap = values[:4][kept[:4]].mean(axis=0) - w @ values / w.sum()
        return float(gap[8:].mean() - lam / lam.sum() @ gap[:8])

    without = np.array([effect(np.arange(14) != i) for i in range(14)])
    expected = np.sqrt(13 / 14 * ((without - without.mean()) ** 2).sum())
    simple = aggregate(fitted).effects.iloc[0]
    assert simple["estimate"] == pytest.approx(effect(np.ones(14, dtype=bool)), abs=1e-5)
    assert simple["std_error"] == pytest.approx(expected, rel=1e-4)


@every
def test_one_treated_territory_is_ranked_among_donors(method: type) -> None:
    fitted = method().fit(design(table([9] + [0] * 25)))
    rows = fitted.effects[fitted.effects["cohort"] == -1]
    assert rows["std_error"].isna().all()
    assert (rows["p_value"] >= 1 / 26 - 1e-12).all()
    assert fitted.extras["inference"]["smallest_p_value"] == pytest.approx(1 / 26)
    assert (rows["conf_low"] <= rows["estimate"]).all()
    assert (rows["band_low"] <= rows["conf_low"] + 1e-9).all()
    average = aggregate(fitted).effects.iloc[0]
    assert average["conf_low"] < average["estimate"] < average["conf_high"]


@every
def test_fewer_than_nineteen_donors_make_no_interval(method: type) -> None:
    fitted = method().fit(design(table([9] + [0] * 12)))
    rows = fitted.effects
    assert rows[["conf_low", "conf_high", "band_low"]].isna().all().all()
    assert (rows["p_value"] >= 1 / 13 - 1e-12).all()


@every
def test_a_cohort_of_one_has_no_interval_of_its_own(method: type) -> None:
    fitted = method().fit(design(table([8, 10, 10] + [0] * 12)))
    rows = fitted.effects.set_index("cohort")
    assert rows.loc[8, "std_error"].isna().all()
    assert rows.loc[10, "std_error"].notna().all()
    assert np.isfinite(fitted.at(0)["std_error"])
    assert np.isfinite(aggregate(fitted).effects["std_error"].iloc[0])


@pytest.mark.parametrize("inference", ["placebo", "bootstrap"])
def test_draws_follow_the_generator_given(inference: str) -> None:
    made = design(table([8] * 2 + [10] * 2 + [0] * 12))
    method = SyntheticDiD(inference=inference, draws=30)  # type: ignore[arg-type]  # by name
    first, again, other = (
        method.fit(made, rng=np.random.default_rng(seed)).effects["std_error"] for seed in (1, 1, 2)
    )
    assert (first > 0).all()
    assert first.equals(again)
    assert not first.equals(other)


def test_not_yet_treated_serve_while_they_wait() -> None:
    made = design(table([5] * 3 + [11] * 4))
    fitted = SyntheticControl(control="not_yet_treated", after=2).fit(
        design(table([5] * 3 + [11] * 4 + [0] * 2))
    )
    first = fitted.extras["donors"].query("cohort == 5")["donor"]
    assert {f"zone {k:02d}" for k in range(3, 7)} & set(first)
    assert fitted.effects["month"].max() <= 2
    with pytest.raises(WhatworksError, match="for the one of 11"):
        SyntheticControl(control="not_yet_treated", after=2).fit(made)
    with pytest.raises(WhatworksError, match="after="):
        SyntheticControl(control="not_yet_treated").fit(made)


@pytest.mark.parametrize("method", [AugmentedSyntheticControl, SyntheticDiD])
def test_adjustment_takes_what_covariates_foretell(method: type) -> None:
    """An outcome that is only a covariate's, other in each period, leaves nothing."""
    rows = table([8] * 3 + [0] * 10)
    rows["y"] = rows["x"] * np.sin(rows["period"]) + 3
    fitted = method(adjust=True).fit(design(rows, covariates=("x",)))
    np.testing.assert_allclose(fitted.effects["estimate"], 0, atol=1e-9)
    with pytest.raises(WhatworksError, match="covariates"):
        method(adjust=True).fit(design(rows))


def test_fitted_importance_fits_the_past_better_than_even_importance() -> None:
    """One covariate carries the factor, another is noise."""
    rng = np.random.default_rng(11)
    rows = table([9] + [0] * 8)
    loading, noise = rng.normal(size=9), rng.normal(size=9)
    factor = rng.normal(size=12).cumsum()
    rows["y"] = np.outer(loading, factor).ravel() + 0.1 * rng.normal(size=len(rows))
    rows = rows.assign(f=np.repeat(loading, 12), z=np.repeat(noise, 12))
    made = design(rows, covariates=("f", "z"))
    fitted = SyntheticControl(importance="fitted", inference="jackknife").fit(made)
    both = SyntheticControl(inference="jackknife").fit(design(rows, covariates=("z",)))
    assert fitted.extras["fit"]["rmspe_before"].iloc[0] < 0.5
    assert np.isfinite(both.extras["fit"]["rmspe_before"].iloc[0])
    with pytest.raises(WhatworksError, match="covariates"):
        SyntheticControl(importance="fitted").fit(design(rows))


@every
def test_what_is_refused(method: type) -> None:
    rows = table([8] * 3 + [0] * 8)
    holed = rows.assign(y=rows["y"].where(rows.index != 5))
    with pytest.raises(WhatworksError, match="1 of 11 with gaps"):
        method().fit(design(holed))
    with pytest.raises(WhatworksError, match="2 periods before the start"):
        method().fit(design(rows.assign(start=np.where(rows["start"] > 0, 2, 0))))
    with pytest.raises(WhatworksError, match="more territories never treated"):
        method(inference="placebo").fit(design(table([8] * 6 + [0] * 5)))


def test_bootstrap_of_a_cohort_of_one_is_refused() -> None:
    with pytest.raises(WhatworksError, match="1 cohorts of one"):
        SyntheticDiD(inference="bootstrap").fit(design(table([8, 10, 10] + [0] * 12)))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SyntheticDiD(draws=1),
        lambda: AugmentedSyntheticControl(ridge=-1.0),
        lambda: SyntheticControl(importance="fitted", solver="frank_wolfe"),
        lambda: SyntheticControl(inference="bootstrap"),
    ],
)
def test_options_out_of_range(wrong: object) -> None:
    with pytest.raises(WhatworksError):
        wrong()  # type: ignore[operator]  # a factory
