"""Two hundred simulated départements: intervals of 95 % cover the truth in 92 to 98 % of them.

Each estimator is tried on the world that its assumptions describe; the walk to the matched design goes
through the raw files. Run with ``make montecarlo``; what it prints is what the documentation quotes.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from whatworks import (
    Design,
    MatchedDiD,
    MatchedDifference,
    NearestNeighbours,
    Question,
    SaturationRegression,
    compare,
    expand,
    read,
    reconcile,
    stack,
    worlds,
)

DRAWS = 200
pytestmark = pytest.mark.montecarlo


def verdict(
    name: str, points: np.ndarray, errors: np.ndarray, truth: float, cover: np.ndarray
) -> None:
    """Print and hold bias, ratio of standard errors, and coverage."""
    spread = points.std(ddof=1)
    bias = (points.mean() - truth) / spread
    noise = 1 / np.sqrt(points.size)
    share = cover.mean()
    print(
        f"\n{name}: truth {truth:.3f}, mean {points.mean():.3f}, bias {bias:+.2f} sd (±{noise:.2f}), "
        f"mean se / sd {errors.mean() / spread:.2f}, coverage {share:.3f} of {points.size}"
    )
    assert abs(bias) < 0.1 + 3 * noise
    assert 0.92 <= share <= 0.98


def test_changes_of_stacked_pilot_zones() -> None:
    rows = []
    month = 6
    for seed in range(DRAWS):
        options = worlds.Pilots(
            seed=seed, n_zones=20, n_months=30, adoptions=((13, 0.3), (19, 0.3))
        )
        design = Design.from_panel(
            worlds.simulate_pilots(options).frame,
            unit="unit",
            period="period",
            first_treated="first_treated",
            outcome="outcome",
        )
        rows.append(MatchedDiD().fit(stack(design)).at(month))
    truth = float(worlds.pilots_truth(options).query("month == @month")["value"].iloc[0])
    found = np.array([[r["estimate"], r["std_error"], r["conf_low"], r["conf_high"]] for r in rows])
    cover = (found[:, 2] <= truth) & (truth <= found[:, 3])
    verdict("MatchedDiD on stacked zones, 6 months", found[:, 0], found[:, 1], truth, cover)


@pytest.mark.parametrize("term", ["direct", "spillover", "total"])
def test_saturation_regression_where_jobs_are_finite(term: str) -> None:
    rows = []
    for seed in range(DRAWS):
        options = worlds.FiniteJobs(seed=seed, n_markets=120, saturations=(0.0, 0.25, 0.5, 0.75))
        frame = worlds.simulate_jobs(options).frame
        design = Design.from_cross_section(
            frame, treatment="treated", outcome="y", market="market", saturation="saturation",
            randomised=True,
        )  # fmt: skip
        effects = SaturationRegression().fit(design).effects
        rows.append(effects[(effects["term"] == term) & (effects["group"] == "0.5")].iloc[0])
    table = worlds.jobs_truth(options)
    at = table[np.isclose(table["saturation"], 0.5)].iloc[0]
    truth = float(at[term])
    found = np.array([[r["estimate"], r["std_error"], r["conf_low"], r["conf_high"]] for r in rows])
    cover = (found[:, 2] <= truth) & (truth <= found[:, 3])
    verdict(f"SaturationRegression, {term} at 0.5", found[:, 0], found[:, 1], truth, cover)


COVARIATES = (
    "sex", "birth_month.age", "education_level", "children", "market", "employment.lag1",
    "employment.lag2", "employment.months6", "employment.months12", "benefit.months12",
)  # fmt: skip


def departement(seed: int, treatment: str, outcome: str, folder: Path) -> Design:
    """One département from its raw files to a matched design."""
    world = worlds.simulate(worlds.Departement(seed=seed, n_persons=3_000))
    worlds.write(world, folder, truth_persons=0)
    panel = expand(reconcile(read(folder / "sources.toml")), first="2019-01", last="2023-12")
    question = Question(
        treatment=treatment,
        outcome=outcome,
        months=(6, 12, 24),
        eligible=("benefit_rsa",),
        covariates=COVARIATES,
    )
    return compare(panel, question, using=NearestNeighbours(ratio=3, caliper_sd=0.2))


@pytest.fixture(scope="module")
def matched_draws() -> dict[str, np.ndarray]:
    """Estimates of two estimators on the matched designs of every draw."""
    found: dict[str, list[list[float]]] = {"MatchedDifference": [], "MatchedDiD": []}
    methods = {
        "MatchedDifference": MatchedDifference(bias_adjust=True),
        "MatchedDiD": MatchedDiD(),
    }
    for seed in range(DRAWS):
        with TemporaryDirectory() as folder:
            design = departement(
                1_000 + seed, "intensive_integrated", "employment_presence", Path(folder) / "raw"
            )
        for name, method in methods.items():
            r = method.fit(design).at(24)
            found[name].append([r["estimate"], r["std_error"], r["conf_low"], r["conf_high"]])
    return {name: np.array(rows) for name, rows in found.items()}


@pytest.fixture(scope="module")
def matched_truth() -> float:
    """Effect at 24 months of starting now, over a population of the same world."""
    truth = worlds.compute_truth(worlds.Departement(), n_persons=1_500_000).population
    row = truth.query(
        "accompaniment == 'intensive_integrated' and outcome == 'employment_presence' and month == 24"
    )
    return float(row["value"].iloc[0])


@pytest.mark.parametrize("name", ["MatchedDifference", "MatchedDiD"])
def test_matched_designs_of_departements(
    matched_draws: dict[str, np.ndarray], matched_truth: float, name: str
) -> None:
    found = matched_draws[name]
    cover = (found[:, 2] <= matched_truth) & (matched_truth <= found[:, 3])
    verdict(f"{name}, matched, 24 months", found[:, 0], found[:, 1], matched_truth, cover)
