"""SaturationRegression against estimatr::lm_robust(se_type = "stata"), and against Crépon et al. (2013)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oracles.reference import data, reference
from whatworks import Design, SaturationRegression

CASE = "saturation_two_stage"
ROLES = {"treatment": "treat", "outcome": "y", "market": "cluster", "saturation": "saturation"}


def test_pooled_and_saturated_effects_with_cr1_errors() -> None:
    effects = SaturationRegression().fit(Design.from_cross_section(data(CASE), **ROLES)).effects
    ours = effects.set_index(["term", "group"])
    rows = reference(CASE).set_index(["quantity", "term"])
    pooled = "pooled_ITT_SNT[y~treat+untreated_in_treated_zone]"
    # R's second regressor marks the untreated of treated markets: its treat is our total.
    pairs = [
        (("total", "pooled"), (pooled, "treat")),
        (("spillover", "pooled"), (pooled, "untreated_in_treated_zone")),
    ]
    saturated = "crepon_saturated[y~z25+z50+z75+tz25+tz50+tz75]"
    for share, name in ((0.25, "25"), (0.5, "50"), (0.75, "75")):
        pairs.append((("spillover", format(share, ".6g")), (saturated, f"z{name}")))
        pairs.append((("direct", format(share, ".6g")), (saturated, f"tz{name}")))
    for mine, theirs in pairs:
        assert ours.loc[mine, "estimate"] == pytest.approx(rows.loc[theirs, "value"], abs=1e-10)
        assert ours.loc[mine, "std_error"] == pytest.approx(rows.loc[theirs, "se"], rel=1e-8)
        p_value = rows.loc[(f"{theirs[0]}_pvalue", theirs[1]), "value"]
        assert ours.loc[mine, "p_value"] == pytest.approx(p_value, rel=1e-6)


def test_covariates_and_strata() -> None:
    design = Design.from_cross_section(
        data(CASE), **ROLES, covariates=["x", "fem"], stratum="stratum"
    )
    effects = SaturationRegression().fit(design).effects
    ours = effects[effects["group"] == "pooled"].set_index("term")
    rows = reference(CASE).set_index(["quantity", "term"])
    with_controls = "pooled_with_controls[y~treat+untreated_in_treated_zone+x+fem+factor(stratum)]"
    for mine, theirs in (("total", "treat"), ("spillover", "untreated_in_treated_zone")):
        row = rows.loc[(with_controls, theirs)]
        assert ours.loc[mine, "estimate"] == pytest.approx(row["value"], abs=1e-10)
        assert ours.loc[mine, "std_error"] == pytest.approx(row["se"], rel=1e-8)


def crepon(folder: Path) -> pd.DataFrame:
    """Job seekers not employed at entry, cohorts 3 to 11, eight months after."""
    raw = pd.read_stata(folder / "crepon2013" / "JD_publicdata_12.dta", convert_categoricals=False)
    # Stata's bytes overflow in silence when squared.
    raw = raw.astype(dict.fromkeys(raw.select_dtypes("integer").columns, "int64"))
    kept = raw[(raw["session"] != 12) & (raw["emploiav"] != 1)].reset_index(drop=True).copy()
    degree = kept["diplome"]
    return kept.assign(
        bac=degree.eq(10).astype(int),
        bac3=degree.eq(6).astype(int),
        bac4=degree.isin([4, 5]).astype(int),
        bac5=degree.isin([1, 2, 3]).astype(int),
        duration=kept["ancchom18"],
        duration2=kept["ancchom18"] ** 2,
        cohort=kept["session"].astype(str),
        share=kept["pct0"],
    )


@pytest.mark.parametrize(
    ("outcome", "direct", "direct_se", "spill", "spill_se", "total", "total_se"),
    [
        ("cdd6m", 0.0232426, 0.00759, -0.0134441, 0.00922, 0.00980, 0.00778),
        ("emploidur", 0.0246467, 0.01164, -0.0212861, 0.01261, 0.00336, 0.01104),
    ],
)
def test_crepon_2013_pooled_effects(
    shared_data: Path,
    outcome: str,
    direct: float,
    direct_se: float,
    spill: float,
    spill_se: float,
    total: float,
    total_se: float,
) -> None:
    table = crepon(shared_data)
    design = Design.from_cross_section(
        table,
        treatment="assigned",
        outcome=outcome,
        market="anonale",
        stratum="noq",
        saturation="share",
        covariates=["duration", "duration2", "cohort", "homme", "bac", "bac3", "bac4", "bac5"],
    )
    effects = SaturationRegression().fit(design).effects
    ours = effects[effects["group"] == "pooled"].set_index("term")
    assert int(np.isfinite(design.outcomes.values).sum()) == 11_806
    assert ours.loc["direct", "estimate"] == pytest.approx(direct, abs=5e-8)
    assert ours.loc["direct", "std_error"] == pytest.approx(direct_se, abs=6e-6)
    assert ours.loc["spillover", "estimate"] == pytest.approx(spill, abs=5e-8)
    assert ours.loc["spillover", "std_error"] == pytest.approx(spill_se, abs=6e-6)
    assert ours.loc["total", "estimate"] == pytest.approx(total, abs=6e-6)
    assert ours.loc["total", "std_error"] == pytest.approx(total_se, abs=6e-6)


def test_averages_over_shares_are_averages_where_the_pooled_regression_is_not() -> None:
    # Direct effect 10 at both shares; others lose nothing at a quarter and 10 at three quarters.
    rng = np.random.default_rng(1)
    market = np.repeat(np.arange(300), 40)
    share = np.array([0.0, 0.25, 0.75])[market % 3]
    treat = np.zeros(market.size, dtype=int)
    for m in range(300):
        rows = np.flatnonzero(market == m)
        treat[rng.permutation(rows)[: int(share[rows[0]] * 40)]] = 1
    y = 10 * treat - 10 * (share == 0.75) + rng.normal(size=market.size)
    table = pd.DataFrame({"treat": treat, "cluster": market, "saturation": share, "y": y})
    effects = SaturationRegression().fit(Design.from_cross_section(table, **ROLES)).effects
    found = effects.set_index(["term", "group"])["estimate"]
    for term, truth in (("direct", 10), ("spillover", -5), ("total", 5)):
        assert found[term, "all"] == pytest.approx(truth, abs=0.1)
    assert found["direct", "pooled"] == pytest.approx(5, abs=0.2)
