"""Imputation against the R packages didimputation and did2s: every row, on whole and holed panels.

Points: R's fixed effects stop iterating at 1e-6, so that its points carry errors up to about 1e-7; ours are
exact (held against dense least squares in tests/unit/stats/test_two_way.py). Standard errors agree to 1e-7.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from oracles.reference import data, reference
from whatworks import Design, Estimate, Imputation, aggregate

CASES = ("did_staggered_panel", "did_unbalanced_panel")
LEVELS = {"id": "person", "region": "market"}
STATIC = ("did_imputation_static", "did2s_static")
OURS = ("did_imputation_", "did2s_")


@cache
def design(case: str, weights: object) -> Design:
    return Design.from_panel(
        data(case),
        unit="id",
        period="t",
        first_treated="g",
        outcome="y",
        market="region",
        weight="w" if weights == "w" else None,
    )


@cache
def fitted(case: str, cluster: str, weights: object, *, two_stage: bool) -> Estimate:
    # The R packages apply no small-sample factor to effects.
    method = Imputation(
        cluster="person" if cluster == "id" else "market",
        errors="two_stage" if two_stage else "imputation",
        pretrends=7 if two_stage else 3,
        small_sample=False,
    )
    return method.fit(design(case, weights))


def rows(case: str) -> pd.DataFrame:
    table = reference(case, "reference_alt.csv")
    return table[table["quantity"].str.startswith(OURS)]


def weights_of(row: pd.Series) -> str | None:
    return "w" if row.get("weights") == "w" else None


ROWS = [
    pytest.param(case, row, id=f"{case}-{row['quantity']}-{row['args']}")
    for case in CASES
    for _, row in rows(case).iterrows()
]


def test_every_row_is_read() -> None:
    counts = pd.Series([p.values[1]["quantity"] for p in ROWS]).value_counts().to_dict()
    assert counts == {
        "did_imputation_static": 5,
        "did_imputation_event_study_pretrends-3:-1": 36,
        "did2s_static": 4,
        "did2s_event_study_ref-1": 44,
        "did2s_event_study_ref_never": 48,
    }


@pytest.mark.parametrize(("case", "row"), ROWS)
def test_row(case: str, row: pd.Series) -> None:
    two_stage = row["quantity"].startswith("did2s")
    weights = weights_of(row)
    estimate = fitted(case, row["cluster"], weights, two_stage=two_stage)
    if row["quantity"] in STATIC:
        found = aggregate(estimate, by="simple").at(0)
        month = 0
    else:
        month = int(str(row["term"]).removeprefix("rel::"))
        found = estimate.at(month)
    assert found["estimate"] == pytest.approx(row["value"], abs=3e-7)
    error = float(found["std_error"])
    if month < 0 and not two_stage:
        error *= fixest_factor(case, row["cluster"])
    if weights == "w":
        assert weighted_twice(case) == pytest.approx(row["se"], rel=1e-6)
        assert error == pytest.approx(row["se"], rel=4e-3)
        return
    assert error == pytest.approx(row["se"], rel=1e-7)


def fixest_factor(case: str, cluster: str) -> float:
    """R's leads come from ``feols``: √[(N−1)/(N−K) · G/(G−1)], units nested in clusters not in K."""
    table = data(case)
    untreated = table[(table["g"] == 0) | (table["t"] < table["g"])]
    n, k, g = len(untreated), 3 + untreated["t"].nunique(), untreated[cluster].nunique()
    return float(np.sqrt((n - 1) / (n - k) * g / (g - 1)))


@cache
def weighted_twice(case: str) -> float:
    """What ``didimputation`` does with weights, in dense matrices.

    It multiplies both the fitted rows and the predicted rows by the weights, so that weights of
    observations enter the equations of :math:`v_{it}` squared, though the fit used them once: these
    :math:`v_{it}` do not give back its own point estimate. Ours are those of the fit.
    """
    table = data(case)
    treated = ((table["g"] > 0) & (table["t"] >= table["g"])).to_numpy()
    w, y = table["w"].to_numpy(), table["y"].to_numpy()
    n, unit = len(table), np.unique(table["id"], return_inverse=True)[1]
    period = table["t"].to_numpy() - 2  # the first period is the reference
    late = np.flatnonzero(period >= 0)
    at = (np.append(np.arange(n), late), np.append(unit, unit.max() + 1 + period[late]))
    Z = sparse.csr_array((np.ones(at[0].size), at))  # noqa: N806 - the paper's letter
    fit = (Z[~treated].T @ Z[~treated].multiply(w[~treated, None])).toarray()
    effect = y - Z @ np.linalg.solve(fit, Z[~treated].T @ (w * y)[~treated])
    aim = np.where(treated, w, 0.0) / w[treated].sum()
    heavy = sparse.csr_array(Z.multiply(w[:, None]))
    twice = (heavy[~treated].T @ heavy[~treated]).toarray()
    v = -(heavy @ np.linalg.solve(twice, heavy[treated].T @ aim[treated]))
    v[treated] = aim[treated]
    assert abs(v @ y - aim @ effect) > 1e-3
    cells = table.assign(top=v**2 * effect, low=v**2).groupby(["g", "t"])[["top", "low"]]
    sums = cells.transform("sum")
    left = effect - np.where(treated, sums["top"] / sums["low"], 0.0)
    by_unit = pd.Series(v * left).groupby(table["id"].to_numpy()).sum()
    return float(np.sqrt((by_unit**2).sum()))
