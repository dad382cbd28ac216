"""CallawaySantAnna on balanced panels against the R package did: every row, points and analytic errors.

Multiplier-bootstrap rows are random in R as here: 3 %. R joins a band over all cells or months, ours
are joint over one curve before or after the start, so that R's critical values are held against ours
over the same cells. Where all units start, R with never-treated controls takes the last cohort for
comparison and drops its treated periods: here the caller leaves those periods out, and nothing else.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from oracles.reference import data, reference
from whatworks import CallawaySantAnna, Design, Estimate, aggregate, bootstrap
from whatworks.estimate.cells import CELLS, Cells
from whatworks.stats.did.wald import joint_test
from whatworks.vocabulary import NEVER

CASES = (
    "did_staggered_panel",
    "did_no_never",
    "did_irregular_periods",
    "did_unbalanced_panel",
)
CONTROL = {"nevertreated": "never_treated", "notyettreated": "not_yet_treated"}
METHOD = {"dr": "doubly_robust", "reg": "regression", "ipw": "inverse_probability"}
PLACES = ("g", "t", "e", "balance_e", "min_e", "max_e")
OPTIONS = ("xformla", "est", "control", "anticipation", "base", "weights", "cluster")
QUANTITIES = {
    "att_gt",
    "aggte_simple_overall",
    "aggte_dynamic",
    "aggte_dynamic_overall",
    "aggte_group",
    "aggte_group_overall",
    "aggte_calendar",
    "aggte_calendar_overall",
    "wald_pretest_stat",
    "wald_pretest_pvalue",
    "n_units",
}
BOOTSTRAPPED = {
    "mboot_att_gt_se",
    "mboot_dynamic_se",
    "mboot_uniform_crit_att_gt",
    "mboot_uniform_crit_dynamic",
}
Place = tuple[str, tuple[tuple[str, float], ...]]


@cache
def rows(case: str) -> pd.DataFrame:
    """Rows of this file; those of unbalanced panels kept whole are read in another."""
    table = reference(case)
    return table[table.get("unbalanced", pd.Series(index=table.index, dtype=object)) != "TRUE"]


def runs() -> list[Any]:
    """One run of R each: a case and its options."""
    found = []
    for case in CASES:
        table = rows(case)
        table = table[table["quantity"].isin(QUANTITIES)]
        found += [
            pytest.param(case, tuple(options), id=f"{case}: {', '.join(options)}")
            for options in table[list(OPTIONS)].drop_duplicates().itertuples(index=False)
        ]
    return found


def fitted(case: str, options: tuple[str, ...]) -> Estimate:
    names = dict(zip(OPTIONS, options, strict=True))
    table = data(case)
    table["mid"], table["high"] = (1 * (table["educ"] == level) for level in ("mid", "high"))
    covariates = [] if names["xformla"] == "none" else names["xformla"].split("+")
    if case == "did_no_never" and names["control"] == "nevertreated":
        table = table[table["t"] < table["g"].max()]
    market = None if names["cluster"] == "none" else names["cluster"]
    design = Design.from_panel(
        table,
        unit="id",
        period="t",
        first_treated="g",
        outcome="y",
        covariates=covariates,
        weight=None if names["weights"] == "none" else names["weights"],
        market=market,
    )
    return CallawaySantAnna(
        control=CONTROL[names["control"]],
        adjustment=METHOD[names["est"]],
        base_period=names["base"],
        anticipation=int(names["anticipation"]),
        cluster="person" if market is None else "market",
        small_sample=False,  # did applies no small-sample factor
    ).fit(design)


def place(row: Any) -> Place:
    """Where a row of R stands: its quantity, and what of its arguments is no option."""
    told = {name: getattr(row, name, np.nan) for name in PLACES}
    return row.quantity, tuple((k, float(v)) for k, v in told.items() if pd.notna(v))


def ours(estimate: Estimate) -> dict[Place, tuple[float, float]]:
    """Everything R gives of one run, by the same names."""
    found: dict[Place, tuple[float, float]] = {}
    effects = estimate.effects
    for row in effects[effects["cohort"] != -1].itertuples():
        where = (("g", float(row.cohort)), ("t", float(row.cohort + row.month)))
        found["att_gt", where] = (row.estimate, row.std_error)
    averages: list[tuple[str, dict[str, int], str, str]] = [
        ("simple", {}, "", ""),
        ("dynamic", {}, "att", "e"),
        ("dynamic", {"balanced": 1}, "att", "e"),
        ("dynamic", {"first": -2, "last": 2}, "att", "e"),
        ("group", {}, "cohort", "g"),
        ("calendar", {}, "period", "t"),
    ]
    told = {"balanced": "balance_e", "first": "min_e", "last": "max_e"}
    by = {"group": "cohort", "calendar": "period"}
    for name, options, term, letter in averages:
        table = aggregate(estimate, by=by.get(name, name), **options).effects
        asked = tuple((told[k], float(v)) for k, v in options.items())
        [overall] = table[table["term"] == "average"].itertuples()
        found[f"aggte_{name}_overall", asked] = (overall.estimate, overall.std_error)
        for row in table[table["term"] == term].itertuples() if term else ():
            at = {"e": row.month, "g": row.cohort, "t": row.group}[letter]
            where = (letter, float(at))
            found[f"aggte_{name}", (where, *asked)] = (row.estimate, row.std_error)
    pretest = _pretest(estimate)
    found["wald_pretest_stat", ()] = (pretest.statistic, np.nan)
    found["wald_pretest_pvalue", ()] = (pretest.p_value, np.nan)
    kept = [s.after for s in estimate.ledger.steps if s.room == "estimate" and s.unit == "units"]
    found["n_units", ()] = (float(sum(kept[:2])), np.nan)
    return found


def _cells(estimate: Estimate) -> Cells:
    cells = estimate.extras[CELLS]
    assert isinstance(cells, Cells)
    return cells


def _pretest(estimate: Estimate) -> Any:
    """R's test that all effects before the start are nil."""
    cells = _cells(estimate)
    before = np.flatnonzero(cells.month < 0)
    covariance = cells.uncertainty.covariance()[np.ix_(before, before)]
    return joint_test(cells.effect[before], covariance)


@pytest.mark.parametrize(("case", "options"), runs())
def test_every_row_of_a_run(case: str, options: tuple[str, ...]) -> None:
    table = rows(case)
    table = table[(table[list(OPTIONS)] == list(options)).all(axis=1)]
    found = ours(fitted(case, options))
    for row in table.itertuples():
        value, error = found[place(row)]
        if row.quantity == "wald_pretest_pvalue":  # R rounds it to five digits
            assert value == pytest.approx(row.value, abs=5.1e-6)
            continue
        assert value == pytest.approx(row.value, rel=1e-7, abs=1e-8), row.args
        if pd.notna(row.se):
            assert error == pytest.approx(row.se, rel=1e-7), row.args
        else:
            assert np.isnan(error), row.args
    assert set(found) == {place(row) for row in table.itertuples()}  # nothing R does not give


def test_every_row_is_in_a_run_or_bootstrapped() -> None:
    """The runs above visit all of their rows: what is left is what the bootstrap gives."""
    for case in CASES:
        table = rows(case)
        known = table["quantity"].isin(QUANTITIES)
        assert not table.loc[known, list(OPTIONS)].isna().any().any()
        assert set(table.loc[~known, "quantity"]) in (set(), BOOTSTRAPPED)


@pytest.mark.parametrize("multipliers", ["rademacher", "mammen", "webb", "normal"])
def test_multiplier_bootstrap(multipliers: str) -> None:
    analytic = fitted(
        "did_staggered_panel", ("skill+fem", "dr", "nevertreated", "0", "varying", "none", "none")
    )
    estimate = bootstrap(
        analytic, draws=25_000, multipliers=multipliers, rng=np.random.default_rng(4711)
    )
    effects = estimate.effects.set_index(["cohort", "month"])["std_error"]
    table = rows("did_staggered_panel")
    table = table[table["quantity"].isin(BOOTSTRAPPED)]
    draws = _cells(estimate).uncertainty
    n_cells = _cells(estimate).effect.size
    dynamic = estimate.effects.query("cohort == -1").index
    crit = {
        "mboot_uniform_crit_att_gt": draws.combine(np.eye(n_cells, n_cells + 4)).critical_value(),
        "mboot_uniform_crit_dynamic": estimate.uncertainty.combine(
            np.eye(dynamic.size, len(estimate.effects))
        ).critical_value(),
    }
    seen = 0
    for row in table.itertuples():
        if row.quantity in crit:
            found = crit[row.quantity]
        elif row.quantity == "mboot_att_gt_se":
            found = effects[int(row.g), int(float(row.t)) - int(row.g)]
        else:
            found = effects[-1, int(row.e)]
        assert found == pytest.approx(row.value, rel=0.03), row.args
        seen += 1
    assert seen == len(table) == 46


def test_never_treated_without_any_is_refused_with_what_to_do() -> None:
    table = data("did_no_never")
    assert (table["g"] < NEVER).all()
    from_errors = pytest.raises(Exception, match="not_yet_treated")
    design = Design.from_panel(table, unit="id", period="t", first_treated="g", outcome="y")
    with from_errors:
        CallawaySantAnna(control="never_treated").fit(design)
