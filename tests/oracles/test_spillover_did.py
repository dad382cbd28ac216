"""SpilloverDiD against diff-diff 3.13.0 (Butts 2021 by two stages), and its clean case against Imputation.

Points agree to rounding. Errors differ, and the difference is known: theirs are multiplied by
(N−1)/(N−K), N rows and K coefficients of the second regression, beside G/(G−1); and their matrix of fixed
effects leaves out both one unit and one period, without a constant, as if that unit's level were known.
Dense regressions with and without that unit give ours and theirs.
"""

from __future__ import annotations

import numpy as np
import pytest

from oracles.reference import data, reference
from whatworks import Design, Estimate, Imputation, SpilloverDiD

CASE = "spillover_rings"
RINGS = {"0": "0-8", "8": "8-16"}
FIRST, LATER = 4, 6
"""Starts of the two cohorts."""


@pytest.fixture(scope="module")
def ours() -> Estimate:
    design = Design.from_panel(
        data(CASE),
        unit="u",
        period="t",
        first_treated="g",
        outcome="y",
        covariates=["lon", "lat"],
    )
    return SpilloverDiD(rings=(8, 16), coordinates=("lon", "lat"), pretrends=0).fit(design)


def test_pooled_and_dynamic_effects(ours: Estimate) -> None:
    effects = ours.effects.set_index(["term", "group", "month"])
    rows = reference(CASE)
    for row in rows.itertuples():
        dynamic = row.quantity.endswith("dynamic")
        month = int(row.month) if dynamic else 0
        if row.quantity.startswith("att"):
            mine = effects.loc[("total", "all" if dynamic else "throughout", month)]
        else:
            ring = RINGS[row.ring]
            mine = effects.loc[("spillover", ring if dynamic else f"throughout@{ring}", month)]
        if row.quantity == "spillover_dynamic" and month < LATER - FIRST:
            continue  # exposed units about to be treated: their leads of treatment take a part there
        assert mine["estimate"] == pytest.approx(row.value, abs=1e-10)
        # Its second regression by month holds leads too: the errors' factors are larger by those.
        assert mine["std_error"] == pytest.approx(row.se, rel=0.012)
    assert len(rows) == 3 + 5 + 10


def _dense(*, every_unit: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two regressions by dense matrices, and the error of the second that knows of the first."""
    table = data(CASE)
    unit, period = table["u"].to_numpy(), table["t"].to_numpy()
    n, n_periods = unit.max() + 1, period.max()
    first = table.groupby("u").first()
    points, start = first[["lon", "lat"]].to_numpy(), first["g"].to_numpy()
    near = np.full(len(table), np.inf)
    for row, (i, t) in enumerate(zip(unit, period, strict=True)):
        others = np.flatnonzero((start > 0) & (start <= t) & (np.arange(n) != i))
        if others.size:
            near[row] = np.hypot(*(points[others] - points[i]).T).min()
    treated = (start[unit] > 0) & (period >= start[unit])
    second = np.column_stack(
        [treated, ~treated & (near <= 8), ~treated & (near > 8) & (near <= 16)]
    ).astype(float)
    clean = second.sum(axis=1) == 0
    levels, months = np.eye(n)[unit], np.eye(n_periods)[period - 1][:, 1:]
    whole = np.hstack([levels, months])
    fit = np.linalg.lstsq(whole[clean], table["y"].to_numpy()[clean], rcond=None)[0]
    left = table["y"].to_numpy() - whole @ fit
    effect = np.linalg.lstsq(second, left, rcond=None)[0]
    fixed = whole if every_unit else whole[:, 1:]
    on_clean = fixed * clean[:, None]
    turn = np.linalg.pinv(on_clean.T @ on_clean) @ fixed.T @ second
    scores = second * (left - second @ effect)[:, None] - (on_clean @ turn) * left[:, None]
    sums = np.zeros((n, 3))
    np.add.at(sums, unit, scores)
    bread = np.linalg.inv(second.T @ second)
    variance = np.diag(bread @ sums.T @ sums @ bread) * n / (n - 1)
    return effect, np.sqrt(variance)


def test_errors_are_those_of_two_regressions_seen_as_one(ours: Estimate) -> None:
    effects = ours.effects.set_index(["term", "group"])
    rows = [
        ("total", "throughout"),
        ("spillover", "throughout@0-8"),
        ("spillover", "throughout@8-16"),
    ]
    effect, error = _dense(every_unit=True)
    for k, row in enumerate(rows):
        assert effects.loc[row, "estimate"] == pytest.approx(effect[k], abs=1e-10)
        assert effects.loc[row, "std_error"] == pytest.approx(error[k], rel=1e-8)
    known, error = _dense(every_unit=False)
    n_rows = 160 * 8
    theirs = reference(CASE).head(3)["se"].to_numpy()
    np.testing.assert_allclose(error * np.sqrt((n_rows - 1) / (n_rows - 3)), theirs, rtol=1e-7)
    np.testing.assert_allclose(known, effect)


def test_without_rings_it_is_imputation(ours: Estimate) -> None:
    """Its ordinary difference in differences has the points and two-stage errors of `Imputation`."""
    plain = Design.from_panel(data(CASE), unit="u", period="t", first_treated="g", outcome="y")
    mine = ours.effects[(ours.effects["term"] == "ordinary") & (ours.effects["group"] == "all")]
    mine = mine.set_index("month")
    theirs = Imputation(errors="two_stage", pretrends=0).fit(plain).effects
    theirs = theirs[theirs["cohort"] == -1].set_index("month")
    for month in theirs.index:
        for column in ("estimate", "std_error"):
            assert mine.loc[month, column] == pytest.approx(theirs.loc[month, column], rel=1e-9)
