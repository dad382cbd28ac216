"""Interacted regressions and random timing against the R packages fixest and staggered.

Every row of the kinds below is reproduced: points to 1e-9, standard errors to 1e-9 relative. ``fixest``
takes the shares of cohorts as given and weighs cells by their observations, hence ``weights=``.
"""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

from oracles.reference import HERE, data
from whatworks import Design, Estimate, RandomTiming, SunAbraham, aggregate
from whatworks.estimate.cells import CELLS

CASES = ("did_staggered_panel", "did_unbalanced_panel")
STAGGERED = (
    "staggered_efficient",
    "staggered_efficient_neyman_se",
    "staggered_cs",
    "staggered_sa",
)
SUNAB = ("sunab_dynamic_feols", "sunab_ATT_feols", "sunab_cohort_feols")
COUNTED = {
    **{("did_staggered_panel", kind): 3 for kind in STAGGERED},
    ("did_staggered_panel", "sunab_dynamic_feols"): 24,
    ("did_staggered_panel", "sunab_ATT_feols"): 3,
    ("did_staggered_panel", "sunab_cohort_feols"): 8,
    ("did_unbalanced_panel", "sunab_dynamic_feols"): 20,
    ("did_unbalanced_panel", "sunab_ATT_feols"): 2,
    ("did_unbalanced_panel", "sunab_cohort_feols"): 6,
}


def rows(*kinds: str) -> list[tuple[str, str, str, float, float]]:
    """Case, kind, arguments, point and standard error (NaN where R gave none)."""
    found = []
    for case in CASES:
        table = pd.read_csv(HERE / case / "reference_alt.csv")
        table = table[table["quantity"].isin(kinds)]
        found += [
            (case, r.quantity, r.args, float(r.value), float(r.se)) for r in table.itertuples()
        ]
    return found


def test_every_row_is_visited() -> None:
    told = pd.Series([row[:2] for row in rows(*SUNAB, *STAGGERED)]).value_counts()
    assert told.to_dict() == COUNTED


@cache
def interacted(case: str, cluster: str, covariates: tuple[str, ...]) -> Estimate:
    design = Design.from_panel(
        data(case),
        unit="id",
        period="t",
        first_treated="g",
        outcome="y",
        market="region",
        covariates=covariates,
    )
    level = {"id": "person", "region": "market"}[cluster]
    return SunAbraham(cluster=level).fit(design)  # type: ignore[arg-type]  # one of the two


def observed(estimate: Estimate, kind: str, term: str) -> dict[tuple[int, int], float]:
    """Observations of the cells that a row of fixest averages."""
    cells = estimate.extras[CELLS]
    place = int(term.split("::")[1]) if "::" in term else 0
    chosen = {
        "sunab_dynamic_feols": cells.month == place,
        "sunab_ATT_feols": cells.month >= 0,
        "sunab_cohort_feols": (cells.month >= 0) & (cells.cohort == place),
    }[kind]
    return {
        (int(g), int(m)): float(n)
        for g, m, n in zip(
            cells.cohort[chosen], cells.month[chosen], cells.n_treated[chosen], strict=True
        )
    }


@pytest.mark.parametrize(("case", "kind", "args", "value", "se"), rows(*SUNAB))
def test_sun_abraham(case: str, kind: str, args: str, value: float, se: float) -> None:
    told = dict(pair.split("=", 1) for pair in args.split(";"))
    covariates = ("skill", "fem") if "controls" in told else ()
    estimate = interacted(case, told["cluster"], covariates)
    weights = observed(estimate, kind, told.get("term", ""))
    row = aggregate(estimate, weights=weights).effects.iloc[0]
    assert row["estimate"] == pytest.approx(value, abs=1e-9)
    if se == se:  # fixest names dynamic terms otherwise than its variance matrix: R kept no error
        assert row["std_error"] == pytest.approx(se, rel=1e-9)


@pytest.mark.parametrize(("case", "kind", "args", "value", "se"), rows(*STAGGERED))
def test_random_timing(case: str, kind: str, args: str, value: float, se: float) -> None:
    asked = args.removeprefix("estimand=")
    method = RandomTiming(
        by={"calendar": "period"}.get(asked, asked),  # type: ignore[arg-type]  # one of three
        adjustment="efficient" if "efficient" in kind else "change",
        control="last_treated" if kind == "staggered_sa" else "not_yet_treated",
        refined="neyman" not in kind,
        drawn=True,
    )
    design = Design.from_panel(data(case), unit="id", period="t", first_treated="g", outcome="y")
    row = method.fit(design).at(0, term="average")
    if "neyman" in kind:  # the row is itself a standard error
        assert row["std_error"] == pytest.approx(value, rel=1e-9)
    else:
        assert row["estimate"] == pytest.approx(value, abs=1e-9)
        assert row["std_error"] == pytest.approx(se, rel=1e-9)
