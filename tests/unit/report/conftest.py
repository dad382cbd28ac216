"""Evidence made by hand: the report is tested on what it is given, not on what estimators find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whatworks.design import Design, Question
from whatworks.design.record import Outcomes, Population
from whatworks.estimate.record import Estimate, effects_table
from whatworks.evidence.record import (
    Benchmark,
    Deduction,
    Displacement,
    Evidence,
    Finding,
    Rating,
    Refusal,
)
from whatworks.ledger import Ledger
from whatworks.stats.uncertainty import Covariance
from whatworks.vocabulary import Conclusion, DesignClass, Impact, Verdict

COVARIATES = (
    "birth_month.age", "employment.lag1", "employment.months12", "benefit_rsa.lag3",
    "employment.months", "market=ZE01", "qualification <b>",
)
TREATED, COMPARISON = 4, 8


def make_units(covariates: Sequence[str], *, markets: bool = True) -> pd.DataFrame:
    n = TREATED + COMPARISON
    values = np.random.default_rng(3).normal(size=(n, len(covariates)))
    frame = pd.DataFrame(
        {
            "unit_id": np.arange(n), "person_id": np.arange(n),
            "treated": np.arange(n) < TREATED, "entry_month": np.full(n, 24252),
            "weight": np.ones(n), "stratum": pd.Series([None] * n, dtype=object),
            "market": pd.Series([f"ZE0{k % 2}" if markets else None for k in range(n)], dtype=object),
            "saturation": np.nan,
        }
    )
    return pd.concat([frame, pd.DataFrame(values, columns=list(covariates))], axis=1)


def make_population(covariates: Sequence[str], *, bins: int = 8) -> Population:
    k = len(covariates)
    edges = np.linspace(0, 0.8, bins + 1) if bins else np.array([])
    shape = np.arange(1.0, bins + 1)
    moments = pd.DataFrame(
        {
            "covariate": list(covariates), "mean_treated": np.linspace(0.1, 0.9, k),
            "mean_comparison": np.linspace(0.4, 0.3, k), "var_treated": np.ones(k),
            "var_comparison": np.ones(k),
        }
    )
    return Population(
        moments=moments, score_bins=edges, score_treated=shape / max(shape.sum(), 1),
        score_comparison=shape[::-1] / max(shape.sum(), 1), n_treated=431, n_comparison=12_873,
    )


def make_design(
    question: Question, *, unit: str, months: Sequence[int], covariates: Sequence[str] = COVARIATES,
    design_class: DesignClass = DesignClass.MATCHED_SHORT_HISTORY, ledger: Ledger,
) -> Design:
    n = TREATED + COMPARISON
    matched = design_class not in (DesignClass.RANDOMISED, DesignClass.PANEL_DIFFERENCE)
    matches = pd.DataFrame(
        {
            "treated_unit": np.repeat(np.arange(TREATED), 2),
            "comparison_unit": np.arange(TREATED, n), "weight": 0.5,
        }
    )
    return Design(
        question=question, units=make_units(covariates), covariates=tuple(covariates),
        matches=matches if matched else None,
        outcomes=Outcomes(
            name=question.outcome, unit=unit, months=tuple(months),
            values=np.zeros((n, len(months))),
        ),
        supplies=frozenset(), design_class=design_class,
        population=make_population(covariates, bins=8 if matched else 0), ledger=ledger,
        history_months=18 if len(months) > 1 else 0,
    )


def make_estimate(
    rows: Sequence[tuple[str, int, str, float, float]], *, unit: str, ledger: Ledger,
    method: str = "MatchedDifference", options: Mapping[str, object] | None = None,
) -> Estimate:
    """Rows are ``term, month, group, estimate, std_error``."""
    terms = [
        {
            "term": term, "cohort": -1, "month": month, "group": group, "n_treated": 388,
            "n_comparison": 1_164,
        }
        for term, month, group, _, _ in rows
    ]
    points = np.array([row[3] for row in rows])
    covariance = np.diag([row[4] ** 2 for row in rows])
    return Estimate(
        method=method, options=options or {"bias_adjust": True},
        effects=effects_table(terms, points, covariance, unit=unit),
        uncertainty=Covariance(matrix=covariance), ledger=ledger,
    )


def walk_ledger() -> Ledger:
    return (
        Ledger()
        .add("sources", "contrats", unit="rows", before=48_210, dropped={"code_none": 120})
        .add("sources", "rsa", unit="rows", before=96_004)
        .add("spells", "overlaps", unit="spells", before=31_400, dropped={"merged": 2_215})
        .add("panel", "window", unit="spells", before=29_185, dropped={"outside_window": 1_044})
        .add(
            "design", "entrants", unit="persons", before=612,
            dropped={"followup_too_short": 118, "not_eligible": 63},
        )
        .add(
            "design", "comparisons", unit="person_months", before=30_020,
            dropped={
                "already_started": 9_140, "not_eligible": 7_770, "other_accompaniment": 237,
            },
        )
        .add(
            "design", "matched_treated", unit="units", before=431,
            dropped={"no_match_in_caliper": 43},
        )
        .add(
            "design", "matched_comparison", unit="units", before=12_873,
            dropped={"not_chosen": 11_709},
        )
    )


def balance_finding(covariates: Sequence[str] = COVARIATES) -> Finding:
    k = len(covariates)
    table = pd.DataFrame(
        {
            "covariate": list(covariates), "mean_treated": np.zeros(k),
            "mean_comparison": np.zeros(k), "smd_before": np.linspace(-0.42, 0.5612, k),
            "smd_after": np.linspace(-0.06, 0.1404, k), "variance_ratio": np.ones(k),
        }
    )
    return Finding(
        check="balance", verdict=Verdict.STRAINED, statistic=0.1404, threshold=0.1, table=table,
        reference="Stuart (2010), doi:10.1214/09-STS313",
        facts={"covariate": covariates[-1], "smd": 0.1404, "n_above": 1, "n": k},
    )


def panel_findings() -> tuple[Finding, ...]:
    return (
        balance_finding(),
        Finding(
            check="overlap", verdict=Verdict.HOLDS, statistic=0.9002, threshold=0.95,
            reference="Crump et al. (2009), doi:10.1093/biomet/asn055",
            facts={"matched_share": 0.9002, "ess": 812.4, "n_treated": 388},
        ),
        Finding(
            check="placebo", verdict=Verdict.FAILS, statistic=0.0004, threshold=0.05,
            reference="Imbens & Rubin (2015), ch. 21",
            facts={"first": -24, "last": -19, "estimate": -3.24, "p_value": 0.0004, "unit": "pp"},
        ),
        Finding(
            check="precision", verdict=Verdict.STRAINED, statistic=6.2, threshold=5.0,
            facts={"mde": 6.2, "unit": "pp", "month": 24},
            reference="Bloom (1995), doi:10.1177/0193841X9501900504",
        ),
        Finding(
            check="refutation", verdict=Verdict.NOT_TESTABLE, statistic=float("nan"),
            threshold=0.01,
        ),
    )


@pytest.fixture(scope="session")
def panel_evidence() -> Evidence:
    """Observational: monthly effects from −24 to 24, a fall after entry, an interval that has zero."""
    question = Question(
        treatment="training", outcome="employment_presence", months=(6, 12, 18, 24),
        placebo_months=(-24, -19), first_entry="2021-07", last_entry="2022-06",
    )
    ledger = walk_ledger()
    months = range(-24, 25)
    points = [
        -3.2 + 0.14 * (m + 24) if m < 0 else -11.0 + 1.6 * m - 0.038 * m * m for m in months
    ]
    rows = [("att", m, "all", p, 1.9 + abs(m) / 40) for m, p in zip(months, points, strict=True)]
    primary = make_estimate(rows, unit="pp", ledger=ledger)
    second = make_estimate(
        [("att", m, "all", 2.0 + m / 30, 2.0) for m in (6, 12, 18, 24)], unit="pp", ledger=ledger,
        method="TwoByTwoDiD", options={"base": -1},
    )
    deductions = (
        Deduction(code="placebo_failed", points=2, facts={"check": "placebo", "unit": "pp"}),
    )
    return Evidence(
        design=make_design(question, unit="pp", months=tuple(months), ledger=ledger),
        estimates=(primary, second), findings=panel_findings(),
        rating=Rating(
            design_class=DesignClass.MATCHED_SHORT_HISTORY, cap=2, deductions=deductions
        ),
        impact=Impact.INCONCLUSIVE, conclusion=Conclusion.NOT_ESTABLISHED,
        conclusion_reasons=(
            Deduction(
                code="interval_includes_zero", points=0,
                facts={"low": -0.5, "high": 9.1, "unit": "pp"},
            ),
            Deduction(code="weak_evidence", points=0, facts={"strength": 0, "cap": 2}),
        ),
        displacement=Displacement(measured=False, code="not_measured", facts={"markets": 2}),
        benchmarks=tuple(
            Benchmark(code="truth", month=m, value=v, std_error=0.04)
            for m, v in ((6, -2.5), (12, 3.1), (18, 5.2), (24, 6.0))
        ),
        provenance={
            "question": "9f2c" * 16, "whatworks": "0.1.0", "mapping": "ab01" * 16,
            "file:contrats.csv": "77aa" * 16,
        },
    )


@pytest.fixture(scope="session")
def table_evidence() -> Evidence:
    """Cross-section: one measure, money, with naive, experimental and true numbers beside it."""
    covariates = ("age", "education", "re75")
    ledger = Ledger().add(
        "design", "table", unit="rows", before=16_177, dropped={"missing_outcome": 2}
    ).add("design", "matched_treated", unit="units", before=185)
    question = Question(treatment="treat", outcome="re78", months=(1,))
    return Evidence(
        design=make_design(
            question, unit="USD", months=(0,), covariates=covariates, ledger=ledger,
            design_class=DesignClass.CROSS_SECTION,
        ),
        estimates=(
            make_estimate([("att", 0, "all", 1871.4, 826.2)], unit="USD", ledger=ledger),
        ),
        findings=(balance_finding(covariates),),
        rating=Rating(design_class=DesignClass.CROSS_SECTION, cap=2, deductions=()),
        impact=Impact.POSITIVE_UNGRADED, conclusion=Conclusion.SUGGESTED,
        conclusion_reasons=(
            Deduction(code="weak_evidence", points=0, facts={"strength": 2, "cap": 2}),
        ),
        displacement=Displacement(measured=False, code="one_market", facts={"markets": 1}),
        benchmarks=(
            Benchmark(code="naive", month=0, value=-8497.52, std_error=712.02),
            Benchmark(code="experiment", month=0, value=1794.34, std_error=670.99),
            Benchmark(code="truth", month=0, value=5000.0),
        ),
        provenance={"question": "11d0" * 16},
    )


@pytest.fixture(scope="session")
def saturation_evidence() -> Evidence:
    """Randomised saturations: direct, spillover and total effects, overall and by share."""
    ledger = Ledger().add("design", "table", unit="rows", before=11_806)
    question = Question(treatment="job_search", outcome="durable_employment", months=(1,))
    estimate = make_estimate(
        [
            ("direct", 0, "all", 2.46, 1.1), ("spillover", 0, "all", -2.13, 0.9),
            ("total", 0, "all", 0.33, 0.6), ("direct", 0, "0.25", 2.1, 1.4),
            ("direct", 0, "0.5", 1.3, 1.3), ("total", 0, "1.0", 2.5, 1.0),
        ],
        unit="pp", ledger=ledger, method="SaturationContrast", options={"by_saturation": True},
    )
    return Evidence(
        design=make_design(
            question, unit="pp", months=(0,), covariates=("age",), ledger=ledger,
            design_class=DesignClass.RANDOMISED,
        ),
        estimates=(estimate,), findings=(),
        rating=Rating(design_class=DesignClass.RANDOMISED, cap=5, deductions=()),
        impact=Impact.MODERATE, conclusion=Conclusion.ESTABLISHED, conclusion_reasons=(),
        displacement=Displacement(
            measured=True, code="measured", facts={"markets": 235, "shares": 5},
            effects=estimate.effects,
        ),
    )


@pytest.fixture(scope="session")
def refused_evidence(panel_evidence: Evidence) -> Evidence:
    """The panel's evidence, with what was asked besides and refused."""
    where = "contrats, 2021-01 → 2024-12"
    return replace(
        panel_evidence,
        refusals=(
            Refusal(
                code="activity_not_outcome", what="interviews_held", where="2021-01 → 2024-12",
                facts={
                    "nature": "activity", "alternatives": "employment_presence, rsa_exit",
                },
            ),
            Refusal(
                code="unknown_states", what="rsa_exit", where=where,
                facts={"missing": "benefit, benefit_rsa"},
            ),
            Refusal(
                code="dropped_rows", what="durable_employment", where=where,
                facts={"measured": 0.0431, "threshold": 0.02},
            ),
        ),
    )


@pytest.fixture(scope="session")
def every_evidence(
    panel_evidence: Evidence, table_evidence: Evidence, saturation_evidence: Evidence,
    refused_evidence: Evidence,
) -> dict[str, Evidence]:
    return {
        "panel": panel_evidence, "table": table_evidence, "saturation": saturation_evidence,
        "refused": refused_evidence,
    }
