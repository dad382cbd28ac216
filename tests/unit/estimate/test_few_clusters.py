"""One effect under every inference; re-assignment by brute force; what is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from whatworks import (
    Assignment,
    CallawaySantAnna,
    Design,
    Estimate,
    Everyone,
    MatchedDiD,
    NearestNeighbours,
    RegressionAdjustment,
    few_clusters,
    randomisation,
    stack,
    weigh,
)
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.few.clusters import FEW_CLUSTERS
from whatworks.stats.uncertainty import Covariance
from whatworks.vocabulary import Supply

STARTS = (4, 4, 4, 6, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0)


def table(
    starts: tuple[int, ...] = STARTS, *, persons: int = 6, effect: float = 0.5, seed: int = 1
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for m, g in enumerate(starts):
        shocks = rng.standard_normal(9).cumsum() * 0.3
        urban = float(m % 2)
        for p in range(persons + m % 3):
            own, x = rng.standard_normal(2)
            for t in range(1, 9):
                y = own + shocks[t] + 0.1 * t * x + effect * (g > 0 and t >= g)
                y += 0.5 * rng.standard_normal()
                rows.append((f"{m}-{p}", t, g, f"m{m}", urban, x, y))
    return pd.DataFrame(rows, columns=["id", "t", "g", "market", "urban", "x", "y"])


def rollout(frame: pd.DataFrame, *covariates: str, **names: str) -> Design:
    return Design.from_panel(
        frame,
        unit="id",
        period="t",
        first_treated="g",
        outcome="y",
        covariates=covariates,
        **{"market": "market", **names},
    )


@pytest.fixture(scope="module")
def design() -> Design:
    return rollout(table())


@pytest.mark.parametrize("control", ["never_treated", "not_yet_treated"])
@pytest.mark.parametrize("anticipation", [0, 1])
def test_the_regression_is_the_estimate(design: Design, control: Any, anticipation: int) -> None:
    method = CallawaySantAnna(cluster="market", control=control, anticipation=anticipation)
    estimate = method.fit(design)
    for month in (0, 2, 4):
        found = few_clusters(design, estimate, month=month, draws=199)
        assert found.regression is not None
        assert found.regression.estimate == pytest.approx(estimate.at(month)["estimate"], rel=1e-9)
        assert found.regression.outcome == "change"
        assert not found.regression.adjusted
        assert found.level == "market"


def test_the_regression_with_covariates_is_outcome_regression() -> None:
    design = rollout(table(), "x")
    by_regression = CallawaySantAnna(cluster="market", adjustment="regression").fit(design)
    found = few_clusters(design, by_regression, month=1, draws=199)
    assert found.regression is not None
    assert found.regression.adjusted
    assert found.regression.estimate == pytest.approx(by_regression.at(1)["estimate"], rel=1e-9)
    # A doubly robust estimate is no regression's: none is put in its place.
    doubly = CallawaySantAnna(cluster="market").fit(design)
    refused = few_clusters(design, doubly, month=1, draws=199)
    assert refused.regression is None
    reasons = refused.table.set_index("method")["reason"]
    assert (reasons[["cr2_satterthwaite", "jackknife", "wild_restricted"]] == "no_regression").all()
    assert refused.used == ""
    assert np.isfinite(refused.table.set_index("method").loc["score", "p_value"])


def test_the_regression_on_the_clock_of_entry_and_with_weights(design: Design) -> None:
    weighted = rollout(table().assign(w=lambda t: 1 + (t["x"] > 0) * 0.5), weight="w")
    for one in (design, weighted):
        stacked = stack(one)
        estimate = MatchedDiD(cluster="market").fit(stacked)
        found = few_clusters(stacked, estimate, month=1, draws=199)
        assert found.regression is not None
        assert found.regression.estimate == pytest.approx(estimate.at(1)["estimate"], rel=1e-8)


def test_errors_by_person_of_a_treatment_by_market_are_read_by_market(design: Design) -> None:
    estimate = CallawaySantAnna(cluster="person").fit(design)
    found = few_clusters(design, estimate, month=0, draws=199)
    assert found.level == "market"
    assert (found.clusters.n, found.clusters.treated) == (14, 6)
    rows = found.table.set_index("method")
    assert rows.loc["cluster_robust", "reason"] == "undefined"
    assert rows.loc["wild_restricted", "legal"]
    assert found.used == "wild_restricted"
    assert rows.index[rows["used"]].tolist() == ["wild_restricted"]


def test_few_treated_markets_leave_only_the_assignment() -> None:
    design = rollout(table((4, 4, *[0] * 6)))
    estimate = CallawaySantAnna(cluster="market").fit(design)
    without = few_clusters(design, estimate, month=0, draws=199)
    assert without.used == ""
    assert not without.table["legal"].any()
    test = randomisation(design, CallawaySantAnna(cluster="market"), assignment=Assignment())
    assert test.n_assignments == test.n_tried == 28
    assert test.exact
    found = few_clusters(design, estimate, month=0, randomised=test, draws=199)
    assert found.used == "randomisation"
    row = found.table.set_index("method").loc["randomisation"]
    assert row["p_value"] == test.at(0)["p_value"]
    assert row["p_value"] * 28 == pytest.approx(round(row["p_value"] * 28))
    one = rollout(table((4, *[0] * 19), persons=6))
    lone = few_clusters(
        one,
        CallawaySantAnna(cluster="market").fit(one),
        month=0,
        randomised=randomisation(
            one, CallawaySantAnna(cluster="market"), assignment=Assignment(), months=(0,)
        ),
        draws=199,
    )
    assert lone.table.set_index("method").loc["randomisation", "reason"] == "one_treated"
    assert lone.used == ""


def test_the_check_says_which_inference_is_legal(design: Design) -> None:
    estimate = CallawaySantAnna(cluster="market").fit(design)
    asked = replace(design, question=replace(design.question, months=(1,), primary=1))
    finding = next(f for f in weigh(asked, estimate).findings if f.check == "clusters")
    assert finding.facts["clusters"] == 14
    assert finding.facts["treated_clusters"] == 6
    assert finding.facts["n"] == finding.statistic == 6
    assert finding.facts["inference"] == "wild_restricted"
    assert finding.table is not None
    assert set(finding.table.columns) >= {"method", "legal", "reason", "p_value", "conf_low"}
    test = randomisation(
        design, CallawaySantAnna(cluster="market"), assignment=Assignment(), draws=19
    )
    brought = few_clusters(design, estimate, month=1, randomised=test, draws=99).beside(estimate)
    assert brought.extras[FEW_CLUSTERS].used == "wild_restricted"
    held = next(f for f in weigh(asked, brought).findings if f.check == "clusters")
    assert held.table is not None
    assert np.isfinite(held.table.set_index("method").loc["randomisation", "p_value"])


@dataclass(frozen=True)
class MeanGap:
    """Difference of means of the markets of a cross-section, whose error is asked of nobody."""

    bent: bool = False
    needs: ClassVar[frozenset[Supply]] = frozenset()

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        y = design.outcomes.values[:, 0]
        y = y**3 if self.bent else y
        treated = design.units["treated"].to_numpy()
        parts = [y[treated], y[~treated]]
        gap = parts[0].mean() - parts[1].mean()
        error = np.sqrt(sum(p.var(ddof=1) / p.size for p in parts))
        row = {"term": "att", "cohort": -1, "month": 0, "group": "all"}
        effects = pd.DataFrame([{**row, "estimate": gap, "std_error": error}])
        return Estimate(
            method="MeanGap",
            options={},
            effects=effects,
            uncertainty=Covariance(matrix=np.array([[error**2]])),
            ledger=design.ledger,
        )


def cross_section() -> tuple[Design, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    y = rng.standard_normal(9)
    treated = np.arange(9) < 4
    frame = pd.DataFrame({"d": treated.astype(int), "y": y + 0.8 * treated})
    frame["town"] = [f"t{k}" for k in range(9)]
    made = Design.from_cross_section(
        frame, treatment="d", outcome="y", market="town", randomised=True
    )
    return made, frame["y"].to_numpy(), treated


def brute(y: np.ndarray, treated: np.ndarray, tau: float, statistic: str) -> float:
    """p-value of a constant effect, every assignment of four of nine."""
    null = y - tau * treated

    def of(z: np.ndarray) -> float:
        parts = [null[z], null[~z]]
        gap = parts[0].mean() - parts[1].mean()
        error = np.sqrt(sum(p.var(ddof=1) / p.size for p in parts))
        return abs(gap / error) if statistic == "studentised" else abs(gap)

    every = [np.isin(np.arange(9), chosen) for chosen in combinations(range(9), 4)]
    return float(np.mean([of(z) >= of(treated) - 1e-9 for z in every]))


@pytest.mark.parametrize("statistic", ["studentised", "raw"])
def test_re_assignment_and_its_inversion_by_brute_force(statistic: Any) -> None:
    design, y, treated = cross_section()
    found = randomisation(
        design, MeanGap(), assignment=Assignment(), statistic=statistic, months=(0,)
    )
    assert found.exact
    assert found.n_assignments == 126
    assert found.at(0)["p_value"] == pytest.approx(brute(y, treated, 0.0, statistic))
    assert found.p_joint == found.at(0)["p_value"]
    low, high = found.at(0)["conf_low"], found.at(0)["conf_high"]
    for tau in np.linspace(low - 1, high + 1, 41):
        inside = any(a < tau < b for a, b in found.sets[0].intervals)
        assert inside == (brute(y, treated, tau, statistic) > 0.05)


def test_an_estimate_that_is_not_linear_has_a_p_value_and_no_interval() -> None:
    design, _, _ = cross_section()
    found = randomisation(design, MeanGap(bent=True), assignment=Assignment(), months=(0,))
    assert 0 < found.at(0)["p_value"] <= 1
    assert found.sets[0].intervals == ()
    assert np.isnan(found.at(0)["conf_low"])


def test_few_units_per_market_say_the_same() -> None:
    """The fast way and the slow: the second is taken when persons' own errors are read."""
    design = rollout(table(persons=12))
    options: dict[str, Any] = {
        "assignment": Assignment(),
        "draws": 9,
        "statistic": "raw",
        "months": (0, 2),
    }
    fast = randomisation(design, CallawaySantAnna(cluster="market"), **options)
    slow = randomisation(design, CallawaySantAnna(cluster="person"), **options)
    for column in ("estimate", "p_value", "conf_low", "conf_high"):
        assert fast.table[column].to_numpy() == pytest.approx(
            slow.table[column].to_numpy(), rel=1e-6, nan_ok=True
        )


def test_draws_keep_out_of_strata_and_of_those_who_could_not(design: Design) -> None:
    frame = table()
    stratified = rollout(frame, "urban")
    within = randomisation(
        stratified,
        CallawaySantAnna(cluster="market", covariates=()),
        assignment=Assignment(within="urban"),
        draws=9,
        months=(0,),
    )
    # Seven markets on each side: 2 and 1 starts of a kind, 1 and 2 of the other.
    # Seven markets on each side: (2, 1, 4) and (1, 2, 4) of each start.
    assert within.n_assignments == 105**2
    some = Assignment(eligible=tuple(f"m{k}" for k in (0, 1, 3, 6, 7)))
    test = randomisation(
        design, CallawaySantAnna(cluster="market"), assignment=some, months=(0,), draws=99
    )
    assert test.exact
    assert test.n_assignments == 30  # two starts at 4, one at 6, two never: 5!/(2! 1! 2!)


def test_persons_drawn_within_markets() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"town": np.repeat(np.arange(5), 8), "d": np.tile([0, 1], 20)})
    frame["y"] = rng.standard_normal(40) + frame["town"] + 2.0 * frame["d"]
    frame["x"] = rng.standard_normal(40)
    design = Design.from_cross_section(
        frame, treatment="d", outcome="y", covariates=["x"], market="town", randomised=True
    )
    found = randomisation(
        design,
        RegressionAdjustment(),
        assignment=Assignment(level="person", within="market"),
        prepare=lambda d: d.matched(using=Everyone()),
        draws=39,
    )
    assert found.n_assignments == 70**5
    assert not found.exact
    assert found.at(0)["p_value"] == pytest.approx(1 / 40)
    assert found.at(0)["conf_low"] < 2.0 < found.at(0)["conf_high"]
    fitted = design.matched(using=Everyone())
    door = few_clusters(fitted, RegressionAdjustment().fit(fitted), month=0, randomised=found)
    assert door.level == "person"
    assert door.used == "randomisation"


def test_rows_and_labels_decide_nothing() -> None:
    frame = table()
    renamed = frame.assign(
        market=frame["market"].map(lambda m: "z" + m[::-1]),
        id=frame["id"].map(lambda i: i[::-1]),
    ).sample(frac=1, random_state=1)
    method = CallawaySantAnna(cluster="market")
    one, other = (
        randomisation(rollout(t), method, assignment=Assignment(), draws=9, months=(0, 1))
        for t in (frame, renamed)
    )
    assert one.table["p_value"].tolist() == other.table["p_value"].tolist()
    doors = [few_clusters(rollout(t), method.fit(rollout(t)), month=0) for t in (frame, renamed)]
    p = [d.table.set_index("method")["p_value"].dropna() for d in doors]
    assert p[0].to_numpy() == pytest.approx(p[1].to_numpy(), rel=1e-8)


def test_what_cannot_be_re_assigned_is_refused(design: Design) -> None:
    method = CallawaySantAnna(cluster="market")
    mixed = table()
    mixed.loc[mixed["id"] == "7-0", "g"] = 5
    with pytest.raises(DesignRefused, match="one start for all units of a market"):
        randomisation(rollout(mixed), method, assignment=Assignment())
    matched = stack(rollout(table(), "x")).matched(using=NearestNeighbours())
    with pytest.raises(DesignRefused, match="before its comparisons were chosen"):
        randomisation(matched, MatchedDiD(), assignment=Assignment())
    with pytest.raises(DesignRefused, match="each person once"):
        randomisation(stack(design), MatchedDiD(), assignment=Assignment())
    with pytest.raises(DesignRefused, match="at least two assignments"):
        randomisation(design, method, assignment=Assignment(eligible=("m0", "m1")))
    with pytest.raises(OptionError, match="markets of the design"):
        randomisation(design, method, assignment=Assignment(eligible=("elsewhere",)))
    with pytest.raises(OptionError, match="a stratum the design holds"):
        randomisation(design, method, assignment=Assignment(within="region"))
    with pytest.raises(OptionError, match="varies within markets"):
        randomisation(rollout(table(), "x"), method, assignment=Assignment(within="x"))
    with pytest.raises(OptionError, match="with level='market'"):
        Assignment(level="person", eligible=("m0",))
    with pytest.raises(OptionError, match="months the method estimates"):
        randomisation(design, method, assignment=Assignment(), months=(77,))
    bare = Design.from_panel(table(), unit="id", period="t", first_treated="g", outcome="y")
    with pytest.raises(DesignRefused, match="supplies markets"):
        randomisation(bare, method, assignment=Assignment())
    test = randomisation(design, method, assignment=Assignment(), draws=2, months=(0,))
    with pytest.raises(OptionError, match="a month among those tested"):
        test.at(3)
