"""Persons seen from their territories."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, WhatworksError, territories


def persons(**changes: object) -> Design:
    table = pd.DataFrame(
        {
            "who": np.repeat([1, 2, 3, 4, 5], 3),
            "t": np.tile([1, 2, 3], 5),
            "start": np.repeat([3, 3, 0, 0, 0], 3),
            "zone": np.repeat(["b", "b", "a", "a", "a"], 3),
            "w": np.repeat([1.0, 3.0, 1.0, 1.0, 2.0], 3),
            "x": np.repeat([10.0, 20.0, 1.0, 2.0, 3.0], 3),
            "y": np.arange(15.0),
        }
    ).assign(**changes)
    return Design.from_panel(
        table,
        unit="who",
        period="t",
        first_treated="start",
        outcome="y",
        covariates=["x"],
        weight="w",
        market="zone",
    )


def test_weighted_means_by_market() -> None:
    found = territories(persons())
    assert found.units["market"].tolist() == ["a", "b"]
    # a: (6 + 9 + 2·12)/4; b: (0 + 3·3)/4, then one more each period.
    np.testing.assert_allclose(found.outcomes.values, [[9.75, 10.75, 11.75], [2.25, 3.25, 4.25]])
    np.testing.assert_allclose(found.units["x"], [(1 + 2 + 6) / 4, (10 + 60) / 4])
    np.testing.assert_allclose(found.units["sampling_weight"], [1.0, 1.0])
    assert found.units["entry_month"].tolist() == [2**31 - 1, 3]
    assert found.units["treated"].tolist() == [False, True]


def test_what_is_not_observed_does_not_count() -> None:
    y = np.arange(15.0)
    y[6] = np.nan
    found = territories(persons(y=y))
    assert found.outcomes.values[0, 0] == pytest.approx((9 + 2 * 12) / 3)
    y[[9, 12]] = np.nan
    assert np.isnan(territories(persons(y=y)).outcomes.values[0, 0])


def test_two_starts_in_a_market_are_refused_and_counted() -> None:
    mixed = persons(start=np.repeat([3, 0, 0, 0, 0], 3))
    with pytest.raises(WhatworksError, match="1 of 2 markets") as caught:
        territories(mixed)
    assert caught.value.exit_code == 3


def test_a_market_is_needed() -> None:
    table = pd.DataFrame({"u": [1, 1, 2, 2], "t": [1, 2] * 2, "g": [2, 2, 0, 0], "y": range(4)})
    design = Design.from_panel(table, unit="u", period="t", first_treated="g", outcome="y")
    with pytest.raises(WhatworksError, match="markets"):
        territories(design)
