"""Averages over shares, which the pooled regression is not; every row of R is in test_saturation_rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, SaturationRegression, with_markets

ROLES = {"treatment": "treat", "outcome": "y", "market": "cluster", "saturation": "saturation"}


def test_averages_over_shares_are_averages_where_the_pooled_regression_is_not() -> None:
    # Direct effect 10 at both shares; others lose nothing at a quarter and 10 at three quarters.
    rng = np.random.default_rng(1)
    market = np.repeat(np.arange(300), 40)
    share = np.array([0.0, 0.25, 0.75])[market % 3]
    treat = np.zeros(market.size, dtype=int)
    for m in range(300):
        rows = np.flatnonzero(market == m)
        treat[rng.permutation(rows)[: int(share[rows[0]] * 40)]] = 1
    y = 10 * treat - 10 * (share == 0.75) + rng.normal(size=market.size)
    table = pd.DataFrame({"treat": treat, "cluster": market, "saturation": share, "y": y})
    design = Design.from_cross_section(table, **ROLES, randomised=True)
    told = table.drop_duplicates("cluster")[["cluster"]]
    design = with_markets(design, told, market="cluster", shares_from="design")
    effects = SaturationRegression(errors="CR1").fit(design).effects
    found = effects.set_index(["term", "group"])["estimate"]
    for term, truth in (("direct", 10), ("spillover", -5), ("total", 5)):
        assert found[term, "all"] == pytest.approx(truth, abs=0.1)
    assert found["direct", "pooled"] == pytest.approx(5, abs=0.2)
