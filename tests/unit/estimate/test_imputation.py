"""Imputation and two-way fixed effects at their edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, Imputation, TwoWayFixedEffects, aggregate, weigh
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.methods import imputation
from whatworks.vocabulary import Verdict


def table(*, starts: tuple[int, ...] = (0, 3, 5), n: int = 90, periods: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    unit = np.repeat(np.arange(n), periods)
    period = np.tile(np.arange(1, periods + 1), n)
    start = np.array(starts)[np.arange(n) % len(starts)][unit]
    since = period - start
    gain = np.where((start > 0) & (since >= 0), 1.0 + since, 0.0)
    y = rng.normal(size=n)[unit] + 0.3 * period + gain + 0.5 * rng.normal(size=unit.size)
    return pd.DataFrame(
        {
            "unit": unit,
            "period": period,
            "start": start,
            "y": y,
            "x": rng.normal(size=n)[unit],
            "zone": unit % 12,
        }
    )


def design(rows: pd.DataFrame, **columns: Any) -> Design:
    return Design.from_panel(
        rows, unit="unit", period="period", first_treated="start", outcome="y", **columns
    )


def test_a_world_without_noise_gives_its_effects_back() -> None:
    rows = table()
    since = rows["period"] - rows["start"]
    gain = np.where((rows["start"] > 0) & (since >= 0), 1.0 + since + rows["start"], 0.0)
    slopes = rows["x"] * rows["period"] ** 2
    exact = rows.assign(y=rows["unit"] + rows["period"] ** 3 + slopes + gain)
    effects = Imputation().fit(design(exact, covariates=["x"])).effects
    cells = effects[effects["cohort"] > 0]
    np.testing.assert_allclose(cells["estimate"], 1.0 + cells["month"] + cells["cohort"], rtol=1e-9)
    leads = effects[effects["month"] < 0]
    assert len(leads) == 3
    np.testing.assert_allclose(leads["estimate"], 0, atol=1e-8)


def test_units_never_seen_untreated_are_counted() -> None:
    rows = table()
    gone = (rows["unit"] == 1) & (rows["period"] < 3)
    estimate = Imputation().fit(design(rows[~gone]))
    steps = {s.name: dict(s.dropped) for s in estimate.ledger.steps}
    assert steps["imputed_treated"] == {"no_untreated_period": 1}
    assert steps["imputed_comparison"] == {}
    whole = Imputation().fit(design(rows[rows["unit"] != 1]))
    pd.testing.assert_frame_equal(estimate.effects, whole.effects)


def test_periods_without_anyone_untreated_are_named_and_left_empty() -> None:
    estimate = Imputation().fit(design(table(starts=(3, 5))))
    assert estimate.extras["not_imputed"] == "5, 6"
    cells = estimate.effects[estimate.effects["cohort"] > 0]
    late = cells["cohort"] + cells["month"] >= 5
    assert cells.loc[late, ["estimate", "std_error"]].isna().all().all()
    assert cells.loc[~late, ["estimate", "std_error"]].notna().all().all()
    overall = aggregate(estimate, by="simple").at(0)
    assert overall["estimate"] == pytest.approx(cells.loc[~late, "estimate"].mean())
    assert overall["std_error"] > 0


def test_persons_seen_once_are_refused() -> None:
    once = table().drop(columns="unit")
    rollout = Design.from_panel(once, period="period", first_treated="start", outcome="y")
    with pytest.raises(DesignRefused, match="seen once"):
        Imputation().fit(rollout)


def test_anticipation_counts_as_treatment() -> None:
    rows = table()
    early = (rows["start"] > 0) & (rows["period"] == rows["start"] - 1)
    moved = rows.assign(y=rows["y"] + 7.0 * early)
    estimate = Imputation(anticipation=1, pretrends=1).fit(design(moved))
    plain = Imputation(anticipation=1, pretrends=1).fit(design(rows))
    assert estimate.at(-1)["estimate"] == pytest.approx(plain.at(-1)["estimate"] + 7)
    assert estimate.at(0)["estimate"] == pytest.approx(plain.at(0)["estimate"])
    assert estimate.at(-2)["estimate"] == pytest.approx(plain.at(-2)["estimate"])


@pytest.mark.parametrize("errors", ["imputation", "two_stage"])
def test_covariance_alone_says_what_influence_says(
    monkeypatch: pytest.MonkeyPatch, errors: str
) -> None:
    rollout = design(table())
    held = Imputation(errors=errors).fit(rollout)  # type: ignore[arg-type]  # a word
    monkeypatch.setattr(imputation, "HELD", 0)
    folded = Imputation(errors=errors).fit(rollout)  # type: ignore[arg-type]  # a word
    assert not hasattr(folded.uncertainty, "values")
    for by in ("simple", "dynamic", "cohort", "period"):
        one, two = aggregate(held, by=by).effects, aggregate(folded, by=by).effects
        np.testing.assert_allclose(one["std_error"], two["std_error"], rtol=1e-10)
    np.testing.assert_allclose(
        held.uncertainty.covariance(), folded.uncertainty.covariance(), atol=1e-14
    )


def test_without_leads() -> None:
    effects = Imputation(pretrends=0).fit(design(table())).effects
    assert (effects["month"] >= 0).all()


def test_small_sample_factor_and_degrees_of_freedom_by_market() -> None:
    rollout = design(table(), market="zone")
    plain = Imputation(cluster="market", small_sample=False).fit(rollout).at(0)
    more = Imputation(cluster="market").fit(rollout).at(0)
    assert more["std_error"] == pytest.approx(plain["std_error"] * np.sqrt(12 / 11))
    reach = (more["conf_high"] - more["estimate"]) / more["std_error"]
    assert reach == pytest.approx(2.200985)  # Student, 11 degrees of freedom


@pytest.mark.parametrize(
    "options", [{"errors": "robust"}, {"cluster": "zone"}, {"pretrends": -1}, {"anticipation": -2}]
)
def test_options_are_held(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Imputation(**options)


def test_bins_of_the_two_way_regression() -> None:
    rollout = design(table())
    effects = TwoWayFixedEffects(by="dynamic", first=-2, last=1).fit(rollout).effects
    assert effects["month"].tolist() == [-2, 0, 1]
    with pytest.raises(OptionError):
        TwoWayFixedEffects(first=-3)
    with pytest.raises(OptionError):
        TwoWayFixedEffects(by="dynamic", first=-1)


def test_months_that_periods_explain_are_refused() -> None:
    rollout = design(table(starts=(3, 5)))
    with pytest.raises(DesignRefused, match="never treated"):
        TwoWayFixedEffects(by="dynamic").fit(rollout)
    binned = TwoWayFixedEffects(by="dynamic", last=1).fit(rollout)
    assert binned.effects["estimate"].notna().all()


def test_evidence_refuses_it_first_or_alone_and_shows_it_beside() -> None:
    rollout = design(table(), market="zone")
    primary, beside = Imputation().fit(rollout), TwoWayFixedEffects().fit(rollout)
    with pytest.raises(OptionError, match="alone"):
        weigh(rollout, [beside])
    with pytest.raises(OptionError, match="first"):
        weigh(rollout, [beside, primary])
    evidence = weigh(rollout, [primary, beside])
    found = next(f for f in evidence.findings if f.check == "twoway")
    weights = beside.extras["weights"]
    assert found.verdict is Verdict.STRAINED
    assert found.facts["n"] == weights.n_negative
    assert found.facts["share"] == pytest.approx(-weights.sum_negative)
    assert found.table is not None
    assert found.table["weight"].sum() == pytest.approx(1)


def test_a_panel_with_gaps_shows_weights_of_cells() -> None:
    rows = table()
    holed = design(rows[~((rows["unit"] % 7 == 0) & (rows["period"] == 4))])
    evidence = weigh(holed, [Imputation().fit(holed)])
    found = next(f for f in evidence.findings if f.check == "twoway")
    assert found.table is not None
    assert list(found.table.columns) == ["cohort", "period", "weight"]
