"""California's Proposition 99: published synthetic control, synthetic DiD and DiD estimates.

The panel is that of Abadie, Diamond & Hainmueller (2010) as Arkhangelsky et al. (2021) use it, read from
the package ``synthdid-py`` without importing it. Published: Arkhangelsky et al., Table 1 (SDID −15.6, SC
−19.6, DiD −27.3); the digits after them are those of the R package ``synthdid`` on the same panel.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, Estimate, SyntheticControl, SyntheticDiD, aggregate
from whatworks.stats.synthetic.simplex import optimality_gap

SPEC = find_spec("synthdid")
PLACES = [] if SPEC is None else list(SPEC.submodule_search_locations or [])
PANEL = Path(PLACES[0]) / "data" / "california_prop99.csv" if PLACES else None
pytestmark = pytest.mark.skipif(
    PANEL is None or not PANEL.is_file(), reason="the package synthdid-py is not installed"
)
ADH = {
    "Utah": 0.334,
    "Nevada": 0.234,
    "Montana": 0.199,
    "Colorado": 0.164,
    "Connecticut": 0.069,
}
"""Weights of synthetic California, their Table 2."""


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    assert PANEL is not None
    table = pd.read_csv(PANEL, sep=";")
    assert table.shape == (1209, 4)
    assert table["PacksPerCapita"].sum() == pytest.approx(143_741.9, abs=0.01)
    return table.assign(
        name=table["State"], start=np.where(table["State"] == "California", 1989, 0)
    )


@pytest.fixture(scope="module")
def california(panel: pd.DataFrame) -> Design:
    return Design.from_panel(
        panel,
        unit="State",
        period="Year",
        first_treated="start",
        outcome="PacksPerCapita",
        market="name",
    )


@pytest.fixture(scope="module")
def early(california: Design) -> dict[str, Estimate]:
    """Weights stopped as the R package stops."""
    return {
        method.__name__: method(solver="frank_wolfe", inference="jackknife").fit(california)
        for method in (SyntheticControl, SyntheticDiD)
    }


def mean_effect(estimate: Estimate) -> float:
    return float(aggregate(estimate).effects["estimate"].iloc[0])


def test_synthetic_did_as_published(early: dict[str, Estimate]) -> None:
    assert mean_effect(early["SyntheticDiD"]) == pytest.approx(-15.604, abs=5e-4)


def test_synthetic_control_as_published(early: dict[str, Estimate]) -> None:
    assert mean_effect(early["SyntheticControl"]) == pytest.approx(-19.620, abs=5e-4)


def test_difference_in_differences_as_published(panel: pd.DataFrame) -> None:
    wide = panel.pivot_table(index="State", columns="Year", values="PacksPerCapita")
    change = wide.loc[:, 1989:].mean(axis=1) - wide.loc[:, :1988].mean(axis=1)
    others = change.drop("California").mean()
    assert change["California"] - others == pytest.approx(-27.349, abs=5e-4)


def test_at_the_optimum_estimates_move_little(
    california: Design, early: dict[str, Estimate]
) -> None:
    """Published weights stop short of the optimum; the exact ones fit better."""
    assert mean_effect(SyntheticDiD().fit(california)) == pytest.approx(-15.605, abs=5e-4)
    exact = SyntheticControl().fit(california)
    both = (exact, early["SyntheticControl"])
    errors = [e.extras["fit"]["rmspe_before"].iloc[0] for e in both]
    assert errors[0] < errors[1]
    assert mean_effect(exact) == pytest.approx(-19.514, abs=5e-4)


def test_exact_weights_meet_the_optimality_conditions(california: Design) -> None:
    weights = SyntheticControl().fit(california).extras["donors"].set_index("donor")["weight"]
    values = california.outcomes.values[:, :19]
    names = california.units["market"].to_numpy()
    ours = names == "California"
    w = weights.reindex(names[~ours]).fillna(0.0).to_numpy()
    assert optimality_gap(values[~ours].T, values[ours][0], w) < 1e-12


def test_gap_under_the_published_weights(panel: pd.DataFrame) -> None:
    """ADH (2010): error before 1989 of 1.758, mean gap −18.97, gap in 2000 −25.73."""
    wide = panel.pivot_table(index="State", columns="Year", values="PacksPerCapita")
    gap = wide.loc["California"] - pd.Series(ADH) @ wide.loc[list(ADH)]
    assert np.sqrt((gap.loc[:1988] ** 2).mean()) == pytest.approx(1.758, abs=5e-4)
    assert gap.loc[1989:].mean() == pytest.approx(-18.97, abs=5e-3)
    assert gap[2000] == pytest.approx(-25.73, abs=5e-3)


def test_placebo_standard_error_is_told_and_not_used(california: Design) -> None:
    """Table 1 prints 8.4, 200 draws: draws alone move it, and ours takes every donor once."""
    fitted = SyntheticDiD(inference="placebo").fit(california)
    assert fitted.extras["inference"]["placebo_std_error"] == pytest.approx(8.4, rel=0.35)
    assert fitted.effects["std_error"].isna().all()
    assert fitted.effects["conf_low"].notna().all()


def test_california_among_placebos(california: Design) -> None:
    """On past outcomes alone two states reach its ratio of errors; with covariates ADH find none."""
    fitted = SyntheticControl().fit(california)
    ratio, among = (fitted.extras[name]["ratio"].to_numpy() for name in ("fit", "placebos"))
    assert among.size == 38
    assert (among >= ratio[0]).sum() == 2
    assert fitted.extras["fit"]["p_value"].iloc[0] == pytest.approx(3 / 39)
    assert fitted.extras["inference"]["smallest_p_value"] == pytest.approx(1 / 39)


def test_one_treated_has_no_jackknife(california: Design) -> None:
    undefined = ["std_error", "conf_low", "conf_high", "p_value"]
    for method in (SyntheticControl, SyntheticDiD):
        fitted = method(inference="jackknife").fit(california)
        assert fitted.effects[undefined].isna().all().all()
        assert fitted.extras["inference"]["n_treated"] == 1
