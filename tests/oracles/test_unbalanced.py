"""Units with gaps, and units seen once, against the R package did 2.5.1: every row, points and errors.

Doubly robust rows need one thing of ours changed first, and agree exactly once it is: ``DRDID::drdid_rc``,
which ``did`` calls in each cell, adds the estimation of the comparisons' line in the *base* with the sign of
the one in the period read (see test_two_periods.py; tests/unit/stats shows by the derivative of the effect
in every unit's weight which sign is right). Errors as released are asked to the last digits; ours may
differ from them by 5 % of an error, where propensity and lines disagree most.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from oracles.reference import data, reference
from whatworks import CallawaySantAnna, Design, Estimate, aggregate
from whatworks.estimate import record
from whatworks.stats.did import repeated_cells as cells

CASES = ("did_unbalanced_panel", "did_repeated_cs")
METHODS = {"dr": "doubly_robust", "reg": "regression", "ipw": "inverse_probability"}
CONTROLS = {"nevertreated": "never_treated", "notyettreated": "not_yet_treated"}
BY = {"simple": "simple", "dynamic": "dynamic", "group": "cohort", "calendar": "period"}
KEYS = ["xformla", "est", "control", "anticipation", "base", "weights", "cluster"]
SIZES = {"did_unbalanced_panel": 665, "did_repeated_cs": 550}


def rows_of(case: str) -> pd.DataFrame:
    rows = reference(case)
    if case == "did_unbalanced_panel":  # those of the others are in test_group_time.py
        rows = rows[rows["unbalanced"] == "TRUE"]
    return rows.reset_index(drop=True)


def fits() -> list[Any]:
    """Every configuration of both cases: its options, and its rows."""
    found = []
    for case in CASES:
        for name, rows in rows_of(case).groupby(KEYS, sort=False):
            found.append(pytest.param(case, name, rows, id=f"{case}-{'-'.join(name)}"))
    return found


def as_released(cell: Any, fits: Any, c: int, inverse: np.ndarray) -> bool:
    """What a cell reads by odds, with DRDID's sign of the comparisons' line in the base."""
    own = bool(fits.reach[1, :, c].any())
    if not OURS(cell, fits, c, inverse):
        return False
    if own:
        z, at = cell.units.z[cell.theirs], cell.columns[1]
        odds = cell.units.weight[cell.theirs] * np.exp(z @ fits.log_odds[:, c])
        share = odds * cell.units.seen[at, cell.theirs] * fits.per_odds[1, c]
        _, mine = cell.treated[1].mean()
        line = cell.compared[1].line("the comparisons")
        fits.reach[1, :, c] -= 2 * line.inverse @ (mine - share @ z)
    return True


OURS = cells._Cell._by_odds


@cache
def design_of(case: str, covariates: str, weights: str, cluster: str) -> Design:
    return Design.from_panel(
        data(case),
        unit="id" if case == "did_unbalanced_panel" else None,
        period="t",
        first_treated="g",
        outcome="y",
        covariates=[] if covariates == "none" else covariates.split("+"),
        weight=None if weights == "none" else weights,
        market=None if cluster == "none" else cluster,
    )


def fitted(case: str, name: tuple[str, ...]) -> Estimate:
    covariates, method, control, anticipation, base, weights, cluster = name
    return CallawaySantAnna(
        adjustment=METHODS[method],  # type: ignore[arg-type]
        control=CONTROLS[control],  # type: ignore[arg-type]
        base_period=base,  # type: ignore[arg-type]
        anticipation=int(anticipation),
        cluster="person" if cluster == "none" else "market",
        gaps="keep",
        small_sample=False,
    ).fit(design_of(case, covariates, weights, cluster))


class Told:
    """What one fit says, each average made once."""

    def __init__(self, estimate: Estimate) -> None:
        self.estimate = estimate
        self.cells = estimate.effects.set_index(["term", "cohort", "month", "group"])
        self.averaged: dict[tuple[Any, ...], pd.DataFrame] = {}

    def of(self, row: Any) -> tuple[float, float]:
        """Number of one row of the reference, and its standard error."""
        if row.quantity == "n_units":
            steps = self.estimate.ledger.frame().drop_duplicates("step").set_index("step")["after"]
            return float(steps["observed_treated"] + steps["observed_comparison"]), np.nan
        if row.quantity.startswith("wald"):
            statistic, p = _wald(self.estimate)
            return (statistic if row.quantity.endswith("stat") else round(p, 5)), np.nan
        if row.quantity == "att_gt":
            g, t = int(row.g), int(row.t)
            found = self.cells.loc[("att", g, t - g, "all")]
        else:
            _, by, *overall = row.quantity.split("_")
            place = {
                "dynamic": ("att", -1, row.e, "all"),
                "group": ("cohort", row.g, 0, "all"),
                "calendar": ("period", -1, 0, str(row.t)),
            }
            at = ("average", -1, 0, "all") if overall else place[by]
            at = (at[0], int(at[1]), int(at[2]), at[3])
            found = self.average(BY[by], row.balance_e, row.min_e, row.max_e).loc[at]
        return found["estimate"], found["std_error"]

    def average(self, by: str, balanced: Any, first: Any, last: Any) -> pd.DataFrame:
        key = (by, str(balanced), str(first), str(last))
        if key not in self.averaged:
            options = {"balanced": balanced, "first": first, "last": last}
            asked = {k: int(v) for k, v in options.items() if isinstance(v, str)}
            found = aggregate(self.estimate, by=by, **asked)  # type: ignore[arg-type]
            self.averaged[key] = found.effects.set_index(["term", "cohort", "month", "group"])
        return self.averaged[key]


def _wald(estimate: Estimate) -> tuple[float, float]:
    """Joint test of the effects before the start."""
    effects = estimate.effects
    before = np.flatnonzero((effects["cohort"] >= 0) & (effects["month"] < 0))
    before = before[effects["std_error"].notna().to_numpy()[before]]
    covariance = estimate.uncertainty.covariance()[np.ix_(before, before)]
    gap = effects["estimate"].to_numpy()[before]
    statistic = float(gap @ np.linalg.solve(covariance, gap))
    return statistic, float(stats.chi2.sf(statistic, before.size))


@pytest.mark.parametrize(("case", "name", "rows"), fits())
def test_every_row(
    case: str, name: tuple[str, ...], rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Bands cost more than all the rest, and no row of the reference reads them.
    monkeypatch.setattr(record, "critical_value", lambda covariance, *, df: 3.0)
    ours = Told(fitted(case, name))
    monkeypatch.setattr(cells._Cell, "_by_odds", as_released)
    released = Told(fitted(case, name))
    for row in rows.itertuples():
        value, error = released.of(row)
        assert value == pytest.approx(row.value, rel=1e-9, abs=1e-11), row
        if not np.isnan(row.se):
            assert error == pytest.approx(row.se, rel=1e-9), row
            point, right = ours.of(row)
            assert point == pytest.approx(row.value, rel=1e-9, abs=1e-11), row
            assert right == pytest.approx(row.se, rel=0.05 if "dr" in name else 1e-9), row


@pytest.mark.parametrize("case", CASES)
def test_no_row_is_left_out(case: str) -> None:
    rows = rows_of(case)
    assert len(rows) == SIZES[case]
    assert sum(len(p.values[2]) for p in fits() if p.values[0] == case) == len(rows)
