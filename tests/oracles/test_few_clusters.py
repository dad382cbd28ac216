"""Few clusters against clubSandwich, estimatr, fwildclusterboot, summclust and an enumeration in R."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from oracles.reference import data, reference
from whatworks.stats.clusters.blocks import ClusterBlocks, cluster_blocks
from whatworks.stats.clusters.covariance import ClusterRobust, cluster_robust, hotelling_test
from whatworks.stats.clusters.wild import wild_bootstrap, wild_interval

FEW = "wild_cluster_few"
TWO_STAGE = "saturation_two_stage"
RANDOM = ("webb", "mammen", "norm")
"""Laws of which R drew 99,999 values: compared within the error of two such draws."""
DRAWS = 99_999


@cache
def regression(model: str) -> tuple[ClusterBlocks, tuple[str, ...]]:
    table = data(FEW)
    columns = {"(Intercept)": np.ones(len(table)), "treat": table["treat"], "x": table["x"]}
    if "period" in model:
        columns |= {f"per{p}": table["period"] == p for p in (2, 3, 4)}
    x = np.column_stack([np.asarray(c, dtype=float) for c in columns.values()])
    return cluster_blocks(x, table["y"].to_numpy(), table["g"].to_numpy()), tuple(columns)


def contrast(names: tuple[str, ...], term: str) -> NDArray[np.float64]:
    return np.eye(len(names))[names.index(term)]


ROWS = reference(FEW).assign(model=lambda t: t["args"].str.split(";").str[0])
CLUSTERED = ROWS[ROWS["quantity"].str.startswith("ols_cluster")]
WILD = ROWS[ROWS["quantity"].str.startswith("wild_")]
BOOTTEST = ROWS[ROWS["quantity"].str.startswith("boottest_")]
OTHERS = ROWS[ROWS["quantity"].str.match("summclust|permutation")]


def test_every_row_has_its_test() -> None:
    assert len(CLUSTERED) + len(WILD) + len(BOOTTEST) + len(OTHERS) == len(ROWS)
    assert (len(CLUSTERED), len(WILD), len(BOOTTEST), len(OTHERS)) == (135, 24, 48, 4)


@cache
def robust(model: str, kind: str) -> tuple[ClusterRobust, tuple[str, ...]]:
    blocks, names = regression(model)
    return cluster_robust(blocks, kind=kind), names


@pytest.mark.parametrize("row", CLUSTERED.to_dict("records"), ids=lambda r: f"{r['quantity']}-{r['args']}")
def test_cluster_robust_covariances_and_satterthwaite(row: dict[str, str | float]) -> None:
    found, names = robust(str(row["model"]), str(row["type"]))
    at = names.index(str(row["term"]))
    if row["quantity"] == "ols_cluster":
        assert found.estimate[at] == pytest.approx(row["value"], rel=1e-10)
        assert found.std_error[at] == pytest.approx(row["se"], rel=1e-9)
    elif row["quantity"] == "ols_cluster_satt_df":
        assert found.df[at] == pytest.approx(row["value"], rel=1e-8)
    else:
        assert found.p_value[at] == pytest.approx(row["value"], rel=1e-7)


@pytest.mark.parametrize("row", WILD.to_dict("records"), ids=lambda r: f"{r['quantity']}-{r['args']}")
def test_full_enumeration_of_signs(row: dict[str, str | float]) -> None:
    blocks, names = regression(str(row["model"]))
    found = wild_bootstrap(
        blocks,
        contrast(names, str(row["term"])),
        null=float(row["H0"]),
        restricted="WCR" in str(row["args"]),
        draws=2**11,
        ties="left_out" if row["quantity"] == "wild_p_strict_greater" else "counted",
    )
    assert found.enumerated and found.draws == 2**11
    if row["quantity"] == "wild_t":
        assert found.t == pytest.approx(row["value"], rel=1e-10)
        assert found.std_error == pytest.approx(row["se"], rel=1e-10)
    elif row["quantity"] == "wild_p_lower_tail":
        assert found.p_lower == pytest.approx(row["value"], abs=1e-12)
    else:
        assert found.p_value == pytest.approx(row["value"], abs=1e-12)


@pytest.mark.parametrize("row", BOOTTEST.to_dict("records"), ids=lambda r: f"{r['quantity']}-{r['args']}")
def test_boottest(row: dict[str, str | float]) -> None:
    """Ends of R's intervals are where its search stopped: a step of p-value is met within 1e-5.

    Of drawn laws, both ends and p-values are compared within four standard errors of two draws.
    """
    blocks, names = regression(str(row["model"]))
    options = {
        "restricted": row["impose_null"] != "FALSE",
        "weights": {"norm": "normal"}.get(str(row["type"]), str(row["type"])),
        "draws": DRAWS,
        "ties": "left_out",
    }
    c = contrast(names, str(row["param"]))
    rng = np.random.default_rng(5)
    if row["quantity"] in ("boottest_p", "boottest_t"):
        found = wild_bootstrap(blocks, c, rng=rng, **options)
        if row["quantity"] == "boottest_t":
            assert found.t == pytest.approx(row["value"], rel=1e-8)
            return
        assert found.enumerated == (row["type"] not in RANDOM)
        p = float(row["value"])
        margin = 4 * np.sqrt(2 * p * (1 - p) / DRAWS) + 1e-4 if row["type"] in RANDOM else 1e-12
        assert found.p_value == pytest.approx(p, abs=margin)
        return
    found_set = wild_interval(blocks, c, rng=rng, **options)
    side = 0 if row["quantity"] == "boottest_ci_lo" else 1
    ends = [part[side] for part in found_set.intervals]
    print(row["args"], row["quantity"], row["value"], found_set.intervals)
    nearest = min(ends, key=lambda end: abs(end - float(row["value"])))
    assert nearest == pytest.approx(row["value"], abs=1e-5)


def test_jackknife_of_clusters() -> None:
    rows = OTHERS[OTHERS["quantity"] == "summclust_CRV3"]
    assert len(rows) == 2
    found, names = robust("y~treat+x", "jackknife")
    for row in rows.itertuples():
        at = names.index(row.term)
        assert found.estimate[at] == pytest.approx(row.value, rel=1e-10)
        assert found.std_error[at] == pytest.approx(row.se, rel=1e-9)
