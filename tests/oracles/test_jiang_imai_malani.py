"""Jiang, Imai & Malani (2023): the arms of Crépon et al. they analyse, as their R package gives them.

Their file holds the areas at 25, 50 and 75 % that have both arms. Their averages over shares give each a
third; ours weigh shares by their number of areas, so that contrasts of theirs are read off our means.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oracles import crepon
from whatworks import SaturationMeans
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.responses import ASSIGNED, responses_of
from whatworks.stats.displacement.group_averages import components

SHARES = (0.25, 0.5, 0.75)
FIXED_TERM, PERMANENT = "cdd6m", "cdi"


@cache
def arms(folder: Path) -> pd.DataFrame:
    table = crepon.public(folder)
    inside = table[table["share"].isin(SHARES)]
    both = inside.groupby("anonale")["assigned"].transform("nunique") == 2
    return inside[both].reset_index(drop=True)


@cache
def averaged(folder: Path, outcome: str) -> Estimate:
    return SaturationMeans().fit(crepon.design(arms(folder), outcome, adjusted=False))


def means(estimate: Estimate) -> dict[tuple[str, float], int]:
    told = responses_of(estimate, what="test")
    return {(a, s): i for i, (a, s) in enumerate(zip(told.arm, told.saturation, strict=True))}


def test_their_file_is_ours(shared_data: Path) -> None:
    table = arms(shared_data)
    assert (len(table), table["anonale"].nunique()) == (13_103, 129)


def test_means_by_arm_and_share(shared_data: Path) -> None:
    estimate = averaged(shared_data, FIXED_TERM)
    told, at = responses_of(estimate, what="test"), means(estimate)
    printed = {0.25: (0.21090, 0.19539), 0.5: (0.20710, 0.20274), 0.75: (0.20182, 0.22431)}
    for share, values in printed.items():
        for arm, value in zip((ASSIGNED, "unassigned"), values, strict=True):
            assert told.mean[at[arm, share]] == pytest.approx(value, abs=5.1e-6)


@pytest.mark.parametrize(
    ("outcome", "direct", "marginal"),
    [
        (
            FIXED_TERM,
            ((0.01551, 0.01486), (0.00436, 0.01239), (-0.02249, 0.01971)),
            (-0.00087, 0.00921),
        ),
        (
            PERMANENT,
            ((-0.00814, 0.01337), (-0.02847, 0.01419), (0.04372, 0.01767)),
            (0.00237, 0.00877),
        ),
    ],
)
def test_average_and_marginal_direct_effects(
    shared_data: Path,
    outcome: str,
    direct: tuple[tuple[float, float], ...],
    marginal: tuple[float, float],
) -> None:
    estimate = averaged(shared_data, outcome)
    found = estimate.effects.set_index(["term", "group"])
    for share, (value, error) in zip(SHARES, direct, strict=True):
        row = found.loc[("direct", f"{share:g}")]
        assert row["estimate"] == pytest.approx(value, abs=5.1e-6)
        assert row["std_error"] == pytest.approx(error, abs=5.1e-6)
    told, at = responses_of(estimate, what="test"), means(estimate)
    form = np.zeros((1, told.mean.size))
    for share in SHARES:
        form[0, at[ASSIGNED, share]] = 1 / 3
        form[0, at["unassigned", share]] = -1 / 3
    assert form @ told.mean == pytest.approx(marginal[0], abs=5.1e-6)
    error = np.sqrt(told.uncertainty.combine(form).covariance()[0, 0])
    assert error == pytest.approx(marginal[1], abs=5.1e-6)
    # Ours gives each area the same weight: 47, 47 and 35 of them.
    own = sum(n * d for n, (d, _) in zip((47, 47, 35), direct, strict=True)) / 129
    assert found.loc[("direct", "all"), "estimate"] == pytest.approx(own, abs=1e-5)


def test_joint_tests(shared_data: Path) -> None:
    """At 5 %, of permanent jobs direct and spillover effects are rejected; of fixed terms nothing is."""
    for outcome, rejected in ((PERMANENT, {"no_direct", "flat"}), (FIXED_TERM, set())):
        tests = averaged(shared_data, outcome).extras["tests"].set_index("test")
        asked = tests.loc[["no_direct", "average_direct", "flat"]]
        assert np.isinf(asked["df_residual"]).all()
        assert set(asked.index[asked["p_value"] < 0.05]) == rejected
    assert tests.loc["flat", "df"] == 4


@pytest.mark.parametrize(
    ("outcome", "intraclass", "total"), [(FIXED_TERM, 0.0193, 0.16679), (PERMANENT, 0.0203, None)]
)
def test_components_of_the_variance(
    shared_data: Path, outcome: str, intraclass: float, total: float | None
) -> None:
    table = arms(shared_data)
    found = components(
        table[outcome].to_numpy(dtype=float),
        table["assigned"].to_numpy() == 1,
        table["share"].to_numpy(dtype=float),
        table["anonale"].to_numpy(),
    )
    assert found.intraclass == pytest.approx(intraclass, abs=6e-5)
    if total is not None:
        assert found.total == pytest.approx(total, abs=6e-6)


def test_markets_of_one_arm_need_not_be_left_out(shared_data: Path) -> None:
    table = crepon.public(shared_data)
    inside = table[table["share"].isin(SHARES)]
    estimate = SaturationMeans().fit(crepon.design(inside, FIXED_TERM, adjusted=False))
    assert len(estimate.extras["one_armed"]) == 12
    told, at = responses_of(estimate, what="test"), means(estimate)
    assert told.n_markets[at[ASSIGNED, 0.75]] == 47
    assert told.n_markets[at["unassigned", 0.75]] == 35
    kept = averaged(shared_data, FIXED_TERM)
    same, was = responses_of(kept, what="test"), means(kept)
    one = told.mean[at["unassigned", 0.75]]
    assert one == pytest.approx(same.mean[was["unassigned", 0.75]], abs=1e-12)
    assert told.mean[at[ASSIGNED, 0.75]] != same.mean[was[ASSIGNED, 0.75]]
