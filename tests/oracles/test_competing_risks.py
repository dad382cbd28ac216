"""Aalen–Johansen and Kaplan–Meier against ``survival`` 3.5-3: points, jackknife errors, restricted means.

R's errors of multi-state curves, and of clustered ones, are infinitesimal jackknife without a small-sample
factor, as ours; those of plain Kaplan–Meier are Greenwood's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from oracles.reference import data, reference
from whatworks.stats.competing_risks import Read, Waits, incidence, mean_within
from whatworks.stats.uncertainty import cluster_sums

CASE = "survival_jobfinding"
TIMES = (1, 3, 6, 9, 12, 18, 24)


def rows(quantity: str) -> pd.DataFrame:
    table = reference(CASE)
    table = table[table["quantity"] == quantity].copy()
    told = table["args"].str.extract(r"treat=(?P<treat>\d)")["treat"]
    return table.drop(columns="treat", errors="ignore").assign(treat=told.astype(float))


def arm(treat: float) -> pd.DataFrame:
    table = data(CASE)
    return table if np.isnan(treat) else table[table["treat"] == treat]


def jobs_only(table: pd.DataFrame, **options: np.ndarray) -> Waits:
    """Exits for another reason taken for censoring, as R's Kaplan–Meier curves of the case do."""
    return Waits.of(
        table["time"].to_numpy(float), (table["event"] == 1).astype(int).to_numpy(), **options
    )


def jackknife(read: Read, cluster: np.ndarray | None = None) -> np.ndarray:
    moved = read.influence
    sums = moved if cluster is None else cluster_sums(moved, cluster)[0]
    return np.asarray(np.sqrt((sums**2).sum(axis=0)))


@pytest.mark.parametrize(("state", "kind"), [("job", 1), ("exit", 2)])
def test_incidence_of_competing_endings(state: str, kind: int) -> None:
    ours = rows("aalen_johansen_cif")
    ours = ours[ours["state"] == state]
    assert len(ours) == 10
    for treat, theirs in ours.groupby("treat"):
        table = arm(treat)
        waits = Waits.of(table["time"].to_numpy(float), table["event"].to_numpy())
        found = incidence(waits, kind=kind, at=theirs["time"].astype(float).tolist())
        np.testing.assert_allclose(found.value, theirs["value"], rtol=1e-10)
        np.testing.assert_allclose(jackknife(found), theirs["se"], rtol=1e-8)


@pytest.mark.parametrize("quantity", ["km_surv", "km_by_treat_surv", "km_weighted_surv"])
def test_one_kind_is_kaplan_meier(quantity: str) -> None:
    for treat, theirs in rows(quantity).groupby("treat", dropna=False):
        table = arm(treat)
        weight = table["w"].to_numpy() if "weighted" in quantity else None
        found = incidence(
            jobs_only(table, **({} if weight is None else {"weight": weight})), kind=1, at=TIMES
        )
        np.testing.assert_allclose(1 - found.value, theirs["value"], rtol=1e-10)
        if weight is None:
            # Where everybody is seen from the start, Greenwood's variance is the jackknife's.
            np.testing.assert_allclose(jackknife(found), theirs["se"], rtol=1e-8)


def test_errors_by_cluster() -> None:
    for treat, theirs in rows("km_cluster_robust_surv").groupby("treat"):
        table = arm(treat)
        found = incidence(jobs_only(table), kind=1, at=TIMES)
        np.testing.assert_allclose(1 - found.value, theirs["value"], rtol=1e-10)
        clustered = jackknife(found, table["cluster"].to_numpy())
        np.testing.assert_allclose(clustered, theirs["se"], rtol=1e-8)


def greenwood(waits: Waits, survival: np.ndarray, times: tuple[int, ...]) -> np.ndarray:
    steps = waits.ended / (waits.at_risk * (waits.at_risk - waits.ended))
    return np.array(
        [s * np.sqrt(steps[waits.times <= t].sum()) for s, t in zip(survival, times, strict=True)]
    )


def test_those_seen_from_some_time_on() -> None:
    for treat, theirs in rows("km_left_truncated_surv").groupby("treat"):
        table = arm(treat).query("entry < time")
        waits = jobs_only(table, entry=table["entry"].to_numpy(float))
        found = incidence(waits, kind=1, at=TIMES)
        np.testing.assert_allclose(1 - found.value, theirs["value"], rtol=1e-10)
        # R's are Greenwood's, which take those at risk for fixed; the jackknife of late entries does not.
        ours = greenwood(waits, 1 - found.value, TIMES)
        np.testing.assert_allclose(ours, theirs["se"], rtol=1e-8)
        np.testing.assert_allclose(jackknife(found), theirs["se"], rtol=0.03)


@pytest.mark.parametrize(
    "quantity", ["km_rmst12", "km_by_treat_rmst12", "km_left_truncated_rmst12"]
)
def test_restricted_means(quantity: str) -> None:
    for treat, theirs in rows(quantity).groupby("treat", dropna=False):
        table = arm(treat)
        options = {}
        if "truncated" in quantity:
            table = table.query("entry < time")
            options = {"entry": table["entry"].to_numpy(float)}
        found = mean_within(jobs_only(table, **options), kind=1, horizon=12.0)
        np.testing.assert_allclose(found.value, theirs["value"], rtol=1e-10)
        tolerance = 0.02 if options else 1e-8  # late entries: Greenwood's, as above
        np.testing.assert_allclose(jackknife(found), theirs["se"], rtol=tolerance)
