"""Two-way sums, imputation, decomposition and weights against dense least squares and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from whatworks.stats.did.bacon import EARLIER, LATER, UNTREATED, bacon
from whatworks.stats.did.imputation import Imputed, impute
from whatworks.stats.did.negative_weights import two_way_weights
from whatworks.stats.did.two_way import Units, apart, period_effects, solve, sweep

Floats = NDArray[np.float64]
STARTS = np.array([3, 5, 99])
PERIODS = np.arange(1, 7)
SINCE = PERIODS[None, :] - STARTS[:, None]


def panel(*, covariates: int = 0, gaps: float = 0.2, all_used: bool = False) -> Units:
    rng = np.random.default_rng(3)
    n = 60
    cohort = np.arange(n) % 3
    values = rng.normal(size=(n, 6)) + rng.normal(size=(n, 1)) + 5
    values += np.where(SINCE[cohort] >= 0, SINCE[cohort] + 1.0, 0.0)
    values[rng.random(values.shape) < gaps] = np.nan
    values[:, 0] = np.where(np.isnan(values[:, 0]), 0.3, values[:, 0])
    known = np.column_stack([np.ones(n), rng.normal(size=(n, covariates))])
    used = np.ones_like(SINCE, dtype=bool) if all_used else SINCE < 0
    return Units(
        values=values, weight=rng.uniform(0.5, 2, n), known=known, cohort=cohort, used=used
    )


def dense(units: Units) -> tuple[Floats, Floats, Floats, NDArray[np.intp], NDArray[np.intp]]:
    """Columns of all effects, outcomes and weights, one row per observation."""
    unit, period = np.nonzero(~np.isnan(units.values))
    n, p = units.known.shape
    columns = np.zeros((unit.size, n + 6 * p))
    columns[np.arange(unit.size), unit] = 1
    for j in range(p):
        columns[np.arange(unit.size), n + period * p + j] = units.known[unit, j]
    return columns, units.values[unit, period], units.weight[unit], unit, period


def influence_of(found: Imputed) -> Floats:
    """Influence of every unit on effects, shares and leads."""
    terms = 2 * found.effect.size + found.leads.effect.size
    influence = np.zeros((found.units.weight.size, terms))
    for g, rows, parts in found.parts(shares=True):
        influence[rows] = parts @ found.turn(g, shares=True)
    return influence


@pytest.mark.parametrize("covariates", [0, 2])
@pytest.mark.parametrize("errors", ["imputation", "two_stage"])
def test_effects_and_influence_are_those_of_dense_least_squares(
    covariates: int, errors: str
) -> None:
    units = panel(covariates=covariates)
    columns, y, w, unit, period = dense(units)
    since = SINCE[units.cohort[unit], period]
    fitted = since < 0
    gram = np.linalg.pinv((columns[fitted].T * w[fitted]) @ columns[fitted])
    effect = y - columns @ (gram @ (columns[fitted].T @ (w * y)[fitted]))
    found = impute(units, since=SINCE, n_leads=0, errors=errors)  # type: ignore[arg-type]  # a word
    influence = influence_of(found)
    for c in range(found.effect.size):
        mine = (units.cohort[unit] == found.cohort[c]) & (period == found.period[c])
        aim = np.where(mine, w, 0) / w[mine].sum()
        assert found.effect[c] == pytest.approx(aim @ effect, abs=1e-10)
        v = -w * (columns @ (gram @ (columns.T @ aim)))
        v = np.where(fitted, v, aim)
        assert v @ y == pytest.approx(found.effect[c], abs=1e-9)
        centre = np.average(effect[mine], weights=(v**2 if errors == "imputation" else w)[mine])
        by_unit = np.bincount(
            unit, v * (effect - np.where(mine, centre, 0)), minlength=units.weight.size
        )
        np.testing.assert_allclose(influence[:, c], by_unit, atol=1e-10)
        own = units.weight * np.bincount(unit, mine, minlength=units.weight.size)
        total = units.weight.sum()
        on_share = (own - units.weight * own.sum() / total) / total
        np.testing.assert_allclose(influence[:, found.effect.size + c], on_share, atol=1e-12)


@pytest.mark.parametrize("covariates", [0, 1])
def test_leads_are_those_of_a_regression_on_untreated_observations(covariates: int) -> None:
    units = panel(covariates=covariates)
    columns, y, w, unit, period = dense(units)
    since = SINCE[units.cohort[unit], period]
    leads = np.column_stack([since == -2, since == -1]).astype(float)
    kept = since < 0
    both = np.hstack([leads, columns])[kept]
    bread = np.linalg.pinv((both.T * w[kept]) @ both)
    coefficient = bread @ (both.T @ (w * y)[kept])
    scores = both * (w[kept] * (y[kept] - both @ coefficient))[:, None]
    expected = np.zeros((units.weight.size, 2))
    np.add.at(expected, unit[kept], (scores @ bread)[:, :2])
    found = impute(units, since=SINCE, n_leads=2, errors="imputation")
    np.testing.assert_allclose(found.leads.effect, coefficient[:2], atol=1e-10)
    np.testing.assert_allclose(influence_of(found)[:, -2:], expected, atol=1e-10)


def test_leads_that_periods_explain_are_not_told() -> None:
    units = panel()
    kept = units.cohort < 2
    fewer = Units(
        values=units.values[kept],
        weight=units.weight[kept],
        known=units.known[kept],
        cohort=units.cohort[kept],
        used=units.used[:2],
    )
    found = impute(fewer, since=SINCE[:2], n_leads=4, errors="imputation")
    assert np.isnan(found.leads.effect).all()
    # Nobody is untreated from period 5 on: what would have been then is not told either.
    late = PERIODS[found.period] >= 5
    assert np.isnan(found.effect[late]).all()
    assert np.isfinite(found.effect[~late]).all()
    assert late.any()
    assert (~late).any()


def test_an_equation_that_does_not_reach_its_target_has_no_solution() -> None:
    system = np.diag([2.0, 0.0])
    found = solve(system, np.array([[4.0, 1.0], [0.0, 1.0]]))
    assert found[0, 0] == pytest.approx(2)
    assert np.isnan(found[:, 1]).all()


def test_columns_without_effects_are_those_of_dense_least_squares() -> None:
    units = panel(all_used=True)
    columns, y, w, unit, period = dense(units)
    swept = sweep(units)
    treated = (SINCE >= 0)[None]
    column = treated[0][units.cohort[unit], period].astype(float)
    gram = np.linalg.pinv((columns.T * w) @ columns)
    left = column - columns @ (gram @ (columns.T @ (w * column)))
    found = apart(swept, treated)
    cells = np.zeros(SINCE.shape)
    np.add.at(cells, (units.cohort[unit], period), w * left)
    np.testing.assert_allclose(found.remainder[0], cells, atol=1e-10)
    assert found.product[0, 0] == pytest.approx((w * left**2).sum())
    assert found.outcome[0] == pytest.approx((w * left * y).sum())
    weights = two_way_weights(swept, treated[0])
    expected = cells[weights.cohort, weights.period]
    np.testing.assert_allclose(weights.weight, expected / expected.sum(), atol=1e-10)
    assert period_effects(swept).shape == (6,)


def test_effects_that_grow_are_weighed_negatively() -> None:
    """Two cohorts and nobody untreated: the first is compared with the second once both are treated."""
    start, periods = np.array([2, 3]), np.arange(1, 4)
    since = periods - start[:, None]
    units = Units(
        values=np.where(since >= 0, since + 1.0, 0.0),
        weight=np.ones(2),
        known=np.ones((2, 1)),
        cohort=np.arange(2),
        used=np.ones((2, 3), dtype=bool),
    )
    weights = two_way_weights(sweep(units), since >= 0)
    # By hand: D less unit and period means plus the mean is [−1/6, 1/3, −1/6] for the first cohort.
    by_hand = {(0, 1): 1.0, (0, 2): -0.5, (1, 2): 0.5}
    for g, t, weight in zip(weights.cohort, weights.period, weights.weight, strict=True):
        assert weight == pytest.approx(by_hand[int(g), int(t)])
    assert weights.n_negative == 1
    assert weights.sum_negative == pytest.approx(-0.5)


def test_a_decomposition_by_hand() -> None:
    """The same two cohorts: each serves once as the treated, with equal weights."""
    mean = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 1.0]])
    parts = bacon(mean, size=np.ones(2), start=np.array([2, 3]), periods=np.arange(1, 4))
    assert parts.against == (LATER, EARLIER)
    np.testing.assert_allclose(parts.estimate, [1.0, 0.0])
    np.testing.assert_allclose(parts.weight, [0.5, 0.5])
    assert parts.total == pytest.approx(0.5)


def test_untreated_within_the_panel_are_one_group() -> None:
    mean = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [3.0, 3.0, 3.0]])
    parts = bacon(
        mean,
        size=np.array([1.0, 1, 2, 1]),
        start=np.array([2, 3, 9, 2**31 - 1]),
        periods=PERIODS[:3],
    )
    assert parts.against.count(UNTREATED) == 2
    assert parts.weight.sum() == pytest.approx(1)
    merged = bacon(
        mean[:3], size=np.array([1.0, 1, 3]), start=np.array([2, 3, 9]), periods=PERIODS[:3]
    )
    assert parts.total == pytest.approx(merged.total)
