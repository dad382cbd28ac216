"""DoublyRobustDiD on a panel and on cross-sections: shape, base, refusals, what is counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, DoublyRobustDiD
from whatworks.errors import DesignRefused, OptionError


def panel(n: int = 200, *, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit, period = np.repeat(np.arange(n), 4), np.tile([2010, 2011, 2013, 2014], n)
    x = rng.normal(size=n)
    start = np.where(rng.random(n) < 1 / (1 + np.exp(0.4 - x)), 2013, 0)
    y = (
        rng.normal(size=n)[unit]
        + x[unit] * (period - 2010)
        + 2.0 * (start[unit] > 0) * (period >= 2013)
    )
    return pd.DataFrame(
        {
            "id": unit,
            "t": period,
            "g": start[unit],
            "x": x[unit],
            "area": unit % 12,
            "y": y + rng.normal(size=4 * n),
        }
    )


def design(table: pd.DataFrame, **columns: str) -> Design:
    known = {"unit": "id"} | columns
    return Design.from_panel(
        table, period="t", first_treated="g", outcome="y", covariates=["x"], **known
    )


def test_every_period_against_the_last_before_the_start() -> None:
    found = DoublyRobustDiD().fit(design(panel()))
    alone = found.effects.query("cohort == 2013")
    assert list(alone["month"]) == [-3, 0, 1]
    assert found.extras["shape"] == "panel"
    for month, period in ((-3, 2010), (1, 2014)):
        two = panel().query("t in (2011, @period)")
        told = DoublyRobustDiD(base=2011).fit(design(two)) if period > 2011 else None
        if told is not None:
            assert told.at(month)["estimate"] == pytest.approx(found.at(month)["estimate"])
            assert told.at(month)["std_error"] == pytest.approx(found.at(month)["std_error"])
    assert found.at(0)["estimate"] == pytest.approx(2.0, abs=4 * found.at(0)["std_error"])


def test_another_base_moves_effects_by_the_effect_in_it() -> None:
    """Odds and lines belong to the units, not to the period: effects are differences of one curve."""
    for adjustment in ("improved", "traditional", "regression"):
        late = DoublyRobustDiD(adjustment=adjustment).fit(design(panel()))
        early = DoublyRobustDiD(adjustment=adjustment, base=2010).fit(design(panel()))
        shift = late.at(-3)["estimate"]
        assert early.at(-2)["estimate"] == pytest.approx(-shift)
        assert early.at(1)["estimate"] == pytest.approx(late.at(1)["estimate"] - shift)


def test_units_seen_once_are_cross_sections() -> None:
    table = panel(600).assign(row=np.arange(2400))
    once = table[table["t"] == np.array([2010, 2011, 2013, 2014])[table["id"] % 4]]
    found = DoublyRobustDiD().fit(
        Design.from_panel(once, period="t", first_treated="g", outcome="y", covariates=["x"])
    )
    assert found.extras["shape"] == "repeated_cross_sections"
    same = DoublyRobustDiD().fit(design(once))
    pd.testing.assert_frame_equal(found.effects, same.effects)
    assert found.at(0)["estimate"] == pytest.approx(2.0, abs=4 * found.at(0)["std_error"])
    assert found.at(0)["n_treated"] + found.at(0)["n_comparison"] == 300


def test_units_with_gaps_are_counted_out() -> None:
    table = panel()
    holed = table[~((table["id"] < 15) & (table["t"] == 2014))]
    found = DoublyRobustDiD().fit(design(holed))
    left = found.ledger.frame()
    assert left.query("reason == 'incomplete_panel'")["dropped"].sum() == 15
    whole = DoublyRobustDiD().fit(design(table[table["id"] >= 15]))
    assert found.at(1)["estimate"] == pytest.approx(whole.at(1)["estimate"])


def test_small_sample_and_market() -> None:
    made = design(panel(), market="area")
    plain = DoublyRobustDiD(cluster="market", small_sample=False).fit(made)
    small = DoublyRobustDiD(cluster="market").fit(made)
    ratio = small.effects["std_error"] / plain.effects["std_error"]
    assert ratio.to_numpy() == pytest.approx(np.sqrt(12 / 11))
    low = small.effects["estimate"] - small.effects["conf_low"]
    assert (low / small.effects["std_error"]).to_numpy() == pytest.approx(2.200985)


def test_comparisons_almost_certain_to_be_treated_are_counted() -> None:
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.normal(3.2, 1, 300), rng.normal(0, 1, 300), [5.9]])
    unit, period = np.repeat(np.arange(601), 2), np.tile([1, 2], 601)
    start = np.where(unit < 300, 2, 0)
    table = pd.DataFrame({"id": unit, "t": period, "g": start, "x": x[unit]})
    table["y"] = rng.normal(size=1202) + table["x"] * table["t"]
    found = DoublyRobustDiD(adjustment="traditional").fit(design(table))
    lost = found.ledger.frame().query("step == 'overlap'")
    assert list(lost["reason"]) == ["propensity_too_high"]
    assert lost["dropped"].iloc[0] >= 1
    assert lost["before"].iloc[0] == 301


def test_refusals() -> None:
    table = panel()
    two = table.assign(g=np.where((table["g"] > 0) & (table["id"] % 2 == 0), 2014, table["g"]))
    with pytest.raises(DesignRefused, match="CallawaySantAnna"):
        DoublyRobustDiD().fit(design(two))
    for base in (2013, 2012):
        with pytest.raises(DesignRefused, match="2010, 2011"):
            DoublyRobustDiD(base=base).fit(design(table))
    with pytest.raises(DesignRefused, match="markets"):
        DoublyRobustDiD(cluster="market").fit(design(table))
    once = table[table["t"] == np.where(table["g"] > 0, 2013, 2011)]
    with pytest.raises(DesignRefused, match="another base"):
        DoublyRobustDiD().fit(design(once))
    with pytest.raises(OptionError, match="improved"):
        DoublyRobustDiD(adjustment="better")  # type: ignore[arg-type]
