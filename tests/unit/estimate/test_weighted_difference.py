"""Weighted differences by hand, month by month, by cluster and with estimated weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks import (
    Design,
    EntropyBalancing,
    Exact,
    InverseProbability,
    MatchedDifference,
    NearestNeighbours,
    WeightedDifference,
)
from whatworks.design.parts import Outcomes
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate import weights as method


def table(n: int = 300, seed: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    treat = (rng.random(n) < 1 / (1 + np.exp(1 - x))).astype(int)
    y = x + treat + rng.normal(size=n)
    return pd.DataFrame(
        {"person": np.arange(n) // 2, "market": np.arange(n) % 12, "treat": treat, "x": x, "y": y}
    )


def weighted(rows: pd.DataFrame, *, estimand: str = "ATT") -> Design:
    design = Design.from_cross_section(
        rows, treatment="treat", outcome="y", covariates=["x"], person="person", market="market"
    )
    return design.matched(using=EntropyBalancing(), estimand=estimand)


def with_months(design: Design, values: np.ndarray, weights: np.ndarray | None = None) -> Design:
    outcomes = Outcomes(
        name="y", unit="pp", months=tuple(range(values.shape[1])), values=values, weights=weights
    )
    return replace(design, outcomes=outcomes)


def by_hand(treated: list[int], values: list[float], weights: list[float]) -> Design:
    rows = pd.DataFrame({"treat": treated, "y": values, "w": weights, "x": 0.0})
    design = Design.from_cross_section(
        rows, treatment="treat", outcome="y", weight="w", covariates=["x"]
    )
    return design.matched(using=Exact())


def test_a_difference_by_hand() -> None:
    # Treated 6 and 2 with weights 1 and 3: mean 3. Comparisons 1 and 5, alike: mean 3 − 2 = …
    design = by_hand([1, 1, 0, 0], [6.0, 2, 1, 5], [1.0, 3, 1, 1])
    row = WeightedDifference().fit(design).effects.iloc[0]
    assert row["estimate"] == pytest.approx(3.0 - 3.0)
    # Influences ¼(6 − 3), ¾(2 − 3), ½(1 − 3), ½(5 − 3), with the factor 4/3.
    squares = 0.75**2 + 0.75**2 + 1 + 1
    assert row["std_error"] == pytest.approx(np.sqrt(squares * 4 / 3))
    assert (row["term"], row["n_treated"], row["n_comparison"]) == ("att", 2, 2)


def test_months_stand_apart_and_the_unobserved_are_left_out() -> None:
    design = weighted(table())
    rng = np.random.default_rng(1)
    first = design.outcomes.values[:, 0]
    second = np.where(rng.random(first.size) < 0.2, np.nan, first + 1)
    both = WeightedDifference().fit(with_months(design, np.column_stack([first, second])))
    alone = WeightedDifference().fit(with_months(design, second[:, None])).effects.iloc[0]
    seen = ~np.isnan(second)
    w, d = design.units["weight"].to_numpy(), design.units["treated"].to_numpy()
    means = [np.average(second[seen & arm], weights=w[seen & arm]) for arm in (d, ~d)]
    row = both.effects.iloc[1]
    assert row["estimate"] == pytest.approx(means[0] - means[1], rel=1e-12)
    assert row["n_treated"] == (seen & d).sum()
    for column in ("estimate", "std_error"):
        assert row[column] == pytest.approx(alone[column], rel=1e-12)


def test_what_a_unit_stands_for_once_others_are_censored() -> None:
    design = weighted(table())
    rng = np.random.default_rng(2)
    values = np.repeat(design.outcomes.values, 2, axis=1)
    factor = np.where(rng.random(values.shape) < 0.2, 0.0, rng.uniform(1, 2, values.shape))
    found = WeightedDifference().fit(with_months(design, values, factor)).effects
    w, d = design.units["weight"].to_numpy(), design.units["treated"].to_numpy()
    for k in range(2):
        stands = w * factor[:, k]
        means = [np.average(values[arm, k], weights=stands[arm]) for arm in (d, ~d)]
        assert found["estimate"].iloc[k] == pytest.approx(means[0] - means[1], rel=1e-12)
        assert found["n_treated"].iloc[k] == ((factor[:, k] > 0) & d).sum()


def test_a_factor_of_one_is_none() -> None:
    design = weighted(table())
    values = design.outcomes.values
    plain = WeightedDifference().fit(with_months(design, values)).effects
    ones = WeightedDifference().fit(with_months(design, values, np.ones(values.shape))).effects
    pd.testing.assert_frame_equal(plain, ones)


def test_errors_are_those_of_clusters() -> None:
    rows = table()
    design = weighted(rows)
    person = WeightedDifference(weights_estimated=False).fit(design)
    w, y = design.units["weight"].to_numpy(), design.outcomes.values[:, 0]
    d = design.units["treated"].to_numpy()
    share = np.where(d, w / w[d].sum(), w / w[~d].sum())
    centred = np.where(d, y - share[d] @ y[d], -(y - share[~d] @ y[~d])) * share
    for cluster, column in (("person", rows["person"]), ("market", rows["market"])):
        sums = pd.Series(centred).groupby(column.to_numpy()).sum()
        wanted = np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1))
        found = WeightedDifference(cluster=cluster, weights_estimated=False).fit(design)
        assert found.effects["std_error"].iloc[0] == pytest.approx(wanted, rel=1e-12)
        assert found.uncertainty.values.shape == (len(sums), 1)
    assert person.uncertainty.level == "person"


def test_accounting_for_balance_removes_what_covariates_explain() -> None:
    # Outcomes that covariates explain: balance leaves no error that known weights would see.
    rows = table().assign(y=lambda t: 3 * t["x"] + 2 * t["treat"])
    design = weighted(rows, estimand="ATE")
    known = WeightedDifference(weights_estimated=False).fit(design).effects.iloc[0]
    estimated = WeightedDifference().fit(design).effects.iloc[0]
    assert estimated["estimate"] == pytest.approx(2.0, abs=1e-10)
    assert known["std_error"] > 0.1
    assert np.isnan(estimated["std_error"]) or estimated["std_error"] < 1e-9


@pytest.mark.parametrize("ratio", [1, 2])
def test_matched_designs_are_the_difference_of_their_matches(
    ratio: int,
) -> None:
    rows = table().assign(z=lambda t: (t["x"] > 0).astype(int))
    design = Design.from_cross_section(
        rows, treatment="treat", outcome="y", covariates=["x", "z"]
    ).matched(using=NearestNeighbours(ratio=ratio))
    ours = WeightedDifference().fit(design).effects.iloc[0]
    known = WeightedDifference(weights_estimated=False).fit(design).effects.iloc[0]
    theirs = MatchedDifference().fit(design).effects.iloc[0]
    assert ours["estimate"] == pytest.approx(theirs["estimate"], rel=1e-10)
    # No equation moves the weights of matches.
    assert ours["std_error"] == pytest.approx(known["std_error"], rel=1e-12)


def test_months_a_few_at_a_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    design = weighted(table())
    rng = np.random.default_rng(3)
    values = rng.normal(size=(len(design.units), 7))
    values[rng.random(values.shape) < 0.1] = np.nan
    whole = WeightedDifference().fit(with_months(design, values)).effects
    monkeypatch.setattr(method, "CELLS", 2 * len(design.units))
    parts = WeightedDifference().fit(with_months(design, values)).effects
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-12)


def test_an_arm_of_one_person_has_no_error_and_an_empty_one_no_effect() -> None:
    design = weighted(table())
    d = design.units["treated"].to_numpy()
    one, none = design.outcomes.values[:, 0].copy(), design.outcomes.values[:, 0].copy()
    one[np.flatnonzero(d)[1:]] = np.nan
    none[d] = np.nan
    full = design.outcomes.values[:, 0]
    found = WeightedDifference().fit(with_months(design, np.column_stack([full, one, none])))
    effects = found.effects
    assert np.isfinite(effects["estimate"].iloc[:2]).all()
    assert np.isnan(effects["estimate"].iloc[2])
    assert np.isfinite(effects["std_error"].iloc[0])
    assert effects[["std_error", "conf_low", "p_value"]].iloc[1:].isna().all().all()
    assert effects["n_treated"].tolist() == [d.sum(), 1, 0]


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_the_term_is_the_estimand(estimand: str) -> None:
    effects = WeightedDifference().fit(weighted(table(), estimand=estimand)).effects
    assert effects["term"].tolist() == [estimand.lower()]


def test_what_is_missing_is_named() -> None:
    rows = table()
    bare = Design.from_cross_section(rows, treatment="treat", outcome="y", covariates=["x"])
    with pytest.raises(DesignRefused, match="weights"):
        WeightedDifference().fit(bare)
    without = bare.matched(using=InverseProbability())
    with pytest.raises(DesignRefused, match="markets"):
        WeightedDifference(cluster="market").fit(without)
    with pytest.raises(OptionError, match="cluster"):
        WeightedDifference(cluster="town")  # type: ignore[arg-type]  # the mistake under test
