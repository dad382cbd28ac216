"""Castle doctrine laws and homicide: Cheng & Hoekstra (2013), doi:10.3368/jhr.48.3.821, Table 5.

Log homicide on the share of the year in which the law held, weighted by population, clustered by state, on
the data that the package causaldata ships (its ``post`` is one from the first whole year).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, TwoWayFixedEffects
from whatworks.estimate.two_way import TwoWay, two_way
from whatworks.stats.did.bacon import EARLIER, LATER, UNTREATED
from whatworks.studies.shipped import read_stata

STATES = (1, 2, 3, 10, 11, 15, 17, 18, 19, 23, 25, 26, 27, 35, 36, 37, 41, 42, 43, 44, 49)
SHARES = (
    *(0.580822, 0.295890, 0.684932, 0.246575, 0.500000, 0.500000, 0.600000),
    *(0.468493, 0.375342, 0.246575, 0.500000, 0.339726, 0.676712, 0.413699),
    *(0.306849, 0.161644, 0.558904, 0.500000, 0.608219, 0.328767, 0.838356),
)
FIRST_YEAR = dict(zip(STATES, SHARES, strict=True))
"""Share of its first year in which the law of each state held, by the authors' number of the state."""

CONTROLS = [
    *("l_police", "unemployrt", "poverty", "l_income", "l_prisoner", "l_lagprisoner"),
    *("blackm_15_24", "whitem_15_24", "blackm_25_44", "whitem_25_44"),
    *("l_exp_subsidy", "l_exp_pubwelfare"),
]


@pytest.fixture(scope="module")
def castle() -> pd.DataFrame:
    pytest.importorskip("causaldata")
    table = read_stata(
        "causaldata", "castle/castle.dta", rows=550, column="l_homicide", total=773.168
    )
    years = range(2000, 2011)
    region = sum(r * table[[f"r{y}{r}" for y in years]].sum(axis=1) for r in range(1, 5))
    start = table[table["post"] == 1].groupby("sid")["year"].min() - 1
    first = table["year"] == table["sid"].map(start)
    share = np.where(first, table["sid"].map(FIRST_YEAR), table["post"])
    kept = table[["sid", "year", "l_homicide", "popwt", *CONTROLS]].copy()
    return kept.assign(share=share, start=kept["sid"].map(start).fillna(0), region=region)


def fitted(castle: pd.DataFrame, period: pd.Series, columns: list[str]) -> TwoWay:
    state = castle["sid"].to_numpy(dtype=np.int64)
    return two_way(
        castle["l_homicide"].to_numpy(dtype=float),
        castle[["share", *columns]].to_numpy(dtype=float),
        unit=state,
        period=period.to_numpy(dtype=np.int64),
        cluster=state,
        weight=castle["popwt"].to_numpy(dtype=float),
    )


# The last standard error is 0.02907 here: printed 0.0290, as others who repeat it find 0.0291.
@pytest.mark.parametrize(
    ("by_region", "columns", "published", "error"),
    [(False, [], 0.0801, 0.0342), (True, [], 0.0946, 0.0279), (True, CONTROLS, 0.0937, 0.0290)],
)
def test_published_rows(
    castle: pd.DataFrame, by_region: bool, columns: list[str], published: float, error: float
) -> None:
    period = castle["year"] * 10 + castle["region"] if by_region else castle["year"]
    found = fitted(castle, period, columns)
    assert found.coefficient[0] == pytest.approx(published, abs=5e-5)
    assert np.sqrt(found.covariance[0, 0]) == pytest.approx(error, abs=1e-4)


def test_its_decomposition(castle: pd.DataFrame) -> None:
    """No decomposition is printed in the article: it gives back the coefficient, and kinds add up."""
    table = castle.assign(start=castle["start"].astype(int))
    design = Design.from_panel(
        table, unit="sid", period="year", first_treated="start", outcome="l_homicide"
    )
    estimate = TwoWayFixedEffects().fit(design)
    parts = estimate.extras["decomposition"]
    assert parts.total == pytest.approx(estimate.at(0)["estimate"], abs=1e-10)
    assert sum(parts.share(kind) for kind in (UNTREATED, LATER, EARLIER)) == pytest.approx(1)
    assert parts.share(UNTREATED) > 0.8
