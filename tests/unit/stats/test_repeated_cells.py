"""Cells of units not seen in every period, against each 2×2 fitted alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from whatworks.stats.did import repeated_cells as module
from whatworks.stats.did import two_cross_sections as cross
from whatworks.stats.did.group_time import CellEffects, GroupTimes, group_times
from whatworks.stats.did.repeated_cells import repeated_cells
from whatworks.vocabulary import NEVER

METHODS: dict[str, Callable[..., Any]] = {
    "doubly_robust": cross.traditional,
    "regression": cross.regression,
    "inverse_probability": cross.standardised_inverse_probability,
}
PERIODS = np.array([1, 2, 4, 5])
CONTROLS = ("never_treated", "not_yet_treated")


def world(*, once: bool, n: int = 900, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.integers(0, 3, n)])
    start = rng.choice([2, 4, 5, 7, NEVER], n, p=[0.2, 0.2, 0.15, 0.15, 0.3])
    y = rng.normal(size=(n, 4)) + x[:, :1] * PERIODS * 0.2 + (start[:, None] <= PERIODS)
    holes = rng.random((n, 4)) < 0.3
    if once:
        holes = np.ones((n, 4), dtype=bool)
        holes[np.arange(n), rng.integers(0, 4, n)] = False
    holes[holes.all(axis=1), 0] = False
    y[holes] = np.nan
    return {"values": y, "start": start, "x": x, "weight": rng.uniform(0.5, 2, n)}


def cells_of(w: dict[str, np.ndarray], control: str, base: str = "varying") -> GroupTimes:
    starts = np.unique(w["start"])
    return group_times(starts, PERIODS, control=control, base_period=base)


def fit(w: dict[str, np.ndarray], cells: GroupTimes, method: str) -> CellEffects:
    return repeated_cells(
        w["values"],
        start=w["start"],
        covariates=w["x"],
        weight=w["weight"],
        cells=cells,
        method=method,  # type: ignore[arg-type]
    )


def influence(found: CellEffects, n: int) -> np.ndarray:
    """Every unit's influence on every cell."""
    dense = np.zeros((n, found.effect.size))
    for rows in (np.arange(0, n, 2), np.arange(1, n, 2)):
        moved, values = found.influence(rows)
        dense[np.ix_(rows, moved)] = values
    return dense


def alone(w: dict[str, np.ndarray], cells: GroupTimes, c: int, method: str) -> Any:
    """One cell: rows of its two periods, one under the other, and each unit's row numbers."""
    theirs = (w["start"] > cells.after[c]) & (w["start"] != cells.cohort[c])
    mine = w["start"] == cells.cohort[c]
    parts = []
    for after, column in ((True, cells.at[c]), (False, cells.base[c])):
        seen = np.flatnonzero((mine | theirs) & np.isfinite(w["values"][:, column]))
        parts.append((seen, w["values"][seen, column], np.full(seen.size, after)))
    unit, y, after = (np.concatenate(p) for p in zip(*parts, strict=True))
    found = METHODS[method](
        y[:, None],
        after=after,
        treated=mine[unit],
        covariates=w["x"][unit],
        weight=w["weight"][unit],
    )
    summed = np.bincount(unit, found.influence[:, 0], minlength=w["start"].size)
    return found.effect[0], summed, np.unique(unit[mine[unit]]).size, np.unique(unit).size


@pytest.mark.parametrize("once", [False, True], ids=["gaps", "once"])
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("method", METHODS)
def test_every_cell_is_the_two_by_two_fitted_alone(method: str, control: str, once: bool) -> None:
    w = world(once=once)
    cells = cells_of(w, control)
    found = fit(w, cells, method)
    psi = influence(found, w["start"].size)
    assert found.undefined == ("",) * cells.cohort.size
    for c in range(cells.cohort.size):
        effect, summed, n_treated, n_units = alone(w, cells, c, method)
        assert found.effect[c] == pytest.approx(effect, rel=1e-8, abs=1e-10)
        np.testing.assert_allclose(psi[:, c], summed, rtol=1e-6, atol=1e-10)
        assert found.n_treated[c] == n_treated
        assert found.n_comparison[c] == n_units - n_treated


def test_without_covariates_methods_are_one() -> None:
    w = world(once=False)
    w["x"] = np.empty((900, 0))
    cells = cells_of(w, "not_yet_treated")
    first = fit(w, cells, "regression")
    for method in METHODS:
        found = fit(w, cells, method)
        np.testing.assert_array_equal(found.effect, first.effect)
        np.testing.assert_array_equal(influence(found, 900), influence(first, 900))
        for c in range(cells.cohort.size):
            effect, summed, _, _ = alone(w, cells, c, method)
            assert found.effect[c] == pytest.approx(effect, abs=1e-10)
            np.testing.assert_allclose(influence(found, 900)[:, c], summed, atol=1e-11)


def test_influence_asked_in_any_blocks_is_the_same() -> None:
    w = world(once=False)
    found = fit(w, cells_of(w, "not_yet_treated"), "doubly_robust")
    whole = influence(found, 900)
    for rows in np.array_split(np.random.default_rng(2).permutation(900), 7):
        moved, values = found.influence(rows)
        np.testing.assert_allclose(values, whole[np.ix_(rows, moved)], rtol=1e-9, atol=1e-13)
        left = np.setdiff1d(np.arange(found.effect.size), moved)
        assert not whole[np.ix_(rows, left)].any()


def test_base_cells_are_zero_without_influence() -> None:
    w = world(once=False)
    cells = cells_of(w, "never_treated", base="universal")
    found = fit(w, cells, "doubly_robust")
    base = cells.at == cells.base
    assert base.sum() == 3
    assert not found.effect[base].any()
    assert not influence(found, 900)[:, base].any()
    assert (found.n_treated[base] > 0).all()
    assert (found.n_comparison[base] > 0).all()


def test_outcomes_that_do_not_vary_leave_nothing() -> None:
    w = world(once=True)
    w["values"] = np.where(np.isnan(w["values"]), np.nan, 3.7)
    for method in METHODS:
        found = fit(w, cells_of(w, "never_treated"), method)
        assert not found.effect.any()
        assert not influence(found, 900).any()


def test_a_cell_that_cannot_be_read_says_why() -> None:
    w = world(once=False)
    cells = cells_of(w, "never_treated")
    unseen = w["values"].copy()
    unseen[w["start"] == 4, 3] = np.nan
    unseen[w["start"] > 5, 1] = np.nan
    found = fit({**w, "values": unseen}, cells, "doubly_robust")
    for c in range(cells.cohort.size):
        touched = {int(cells.at[c]), int(cells.base[c])}
        if cells.cohort[c] == 4 and 3 in touched:
            assert found.undefined[c] == "not_observed"
        elif 1 in touched:
            assert found.undefined[c] == "no_comparison"
        else:
            assert found.undefined[c] == ""
        assert np.isnan(found.effect[c]) == bool(found.undefined[c])
    assert np.isfinite(influence(found, 900)).all()


def test_covariates_that_repeat_or_separate() -> None:
    w = world(once=False)
    cells = cells_of(w, "never_treated")
    twice = {**w, "x": np.column_stack([w["x"], w["x"][:, 0]])}
    for method in METHODS:
        assert set(fit(twice, cells, method).undefined) == {"collinear"}
    apart = {**w, "x": (w["start"] <= 5)[:, None] + 0.01 * w["x"][:, :1]}
    assert set(fit(apart, cells, "inverse_probability").undefined) == {"no_overlap"}
    assert set(fit(apart, cells, "regression").undefined) == {""}


def test_comparisons_almost_certain_to_be_treated_carry_no_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = world(once=False)
    cells = cells_of(w, "never_treated")
    for name in ("repeated_cells", "repeated_influence", "two_groups"):
        monkeypatch.setattr(f"whatworks.stats.did.{name}.TRIMMED", 0.35)
    found = fit(w, cells, "inverse_probability")
    psi = influence(found, 900)
    plain = [alone(w, cells, c, "inverse_probability") for c in range(cells.cohort.size)]
    np.testing.assert_allclose(found.effect, [p[0] for p in plain], rtol=1e-8)
    np.testing.assert_allclose(psi, np.column_stack([p[1] for p in plain]), atol=1e-10)
    monkeypatch.undo()
    assert np.abs(found.effect - fit(w, cells, "inverse_probability").effect).max() > 1e-3
    assert module.TRIMMED == 0.995
