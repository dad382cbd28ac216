"""Evidence made by hand: the report is tested on what it is given, not on what estimators find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from unit.report.evidence_by_hand import (
    balance_finding,
    make_design,
    make_estimate,
    panel_findings,
    walk_ledger,
)
from whatworks.design import Question
from whatworks.evidence.record import (
    Benchmark,
    Deduction,
    Displacement,
    Evidence,
    Rating,
    Refusal,
)
from whatworks.ledger import Ledger
from whatworks.report.render import bundle
from whatworks.vocabulary import Conclusion, DesignClass, Impact


@pytest.fixture(scope="session")
def panel_evidence() -> Evidence:
    """Observational: monthly effects from −24 to 24, a fall after entry, an interval that has zero."""
    question = Question(
        treatment="training",
        outcome="employment_presence",
        months=(6, 12, 18, 24),
        placebo_months=(-24, -19),
        first_entry="2021-07",
        last_entry="2022-06",
    )
    ledger = walk_ledger()
    months = range(-24, 25)
    points = [-3.2 + 0.14 * (m + 24) if m < 0 else -11.0 + 1.55 * m - 0.038 * m * m for m in months]
    rows = [("att", m, "all", p, 1.9 + abs(m) / 40) for m, p in zip(months, points, strict=True)]
    primary = make_estimate(rows, unit="pp", ledger=ledger)
    second = make_estimate(
        [("att", m, "all", 2.0 + m / 30, 2.0) for m in (6, 12, 18, 24)],
        unit="pp",
        ledger=ledger,
        method="MatchedDiD",
        options={"base": -1},
    )
    deductions = (
        Deduction(code="placebo_failed", points=2, facts={"check": "placebo", "unit": "pp"}),
    )
    return Evidence(
        design=make_design(question, unit="pp", months=tuple(months), ledger=ledger),
        estimates=(primary, second),
        findings=panel_findings(),
        rating=Rating(design_class=DesignClass.MATCHED_SHORT_HISTORY, cap=2, deductions=deductions),
        impact=Impact.INCONCLUSIVE,
        conclusion=Conclusion.NOT_ESTABLISHED,
        conclusion_reasons=(
            Deduction(
                code="interval_includes_zero",
                points=0,
                facts={"low": -0.588, "high": 9.212, "unit": "pp"},
            ),
            Deduction(code="weak_evidence", points=0, facts={"strength": 0, "cap": 2}),
        ),
        displacement=Displacement(measured=False, code="not_measured", facts={"markets": 2}),
        benchmarks=tuple(
            Benchmark(code="truth", month=m, value=v, std_error=0.04)
            for m, v in ((6, -2.5), (12, 3.1), (18, 5.2), (24, 6.0))
        ),
        provenance={
            "question": "9f2c" * 16,
            "whatworks": "0.1.0",
            "mapping": "ab01" * 16,
            "file:contrats.csv": "77aa" * 16,
        },
    )


@pytest.fixture(scope="session")
def table_evidence() -> Evidence:
    """Cross-section: one measure, money, with naive, experimental and true numbers beside it."""
    covariates = ("age", "education", "re75")
    ledger = (
        Ledger()
        .add("design", "table_treated", unit="rows", before=185)
        .add("design", "table_comparison", unit="rows", before=15_994, dropped={"missing_unit": 2})
        .add("design", "matched_treated", unit="units", before=185)
    )
    question = Question(treatment="treat", outcome="re78", months=(1,))
    return Evidence(
        design=make_design(
            question,
            unit="USD",
            months=(0,),
            covariates=covariates,
            ledger=ledger,
            design_class=DesignClass.CROSS_SECTION,
        ),
        estimates=(make_estimate([("att", 0, "all", 1871.4, 826.2)], unit="USD", ledger=ledger),),
        findings=(balance_finding(covariates),),
        rating=Rating(design_class=DesignClass.CROSS_SECTION, cap=2, deductions=()),
        impact=Impact.POSITIVE_UNGRADED,
        conclusion=Conclusion.SUGGESTED,
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
    ledger = (
        Ledger()
        .add("design", "table_treated", unit="rows", before=5_903)
        .add("design", "table_comparison", unit="rows", before=5_903)
    )
    question = Question(treatment="job_search", outcome="durable_employment", months=(1,))
    estimate = make_estimate(
        [
            ("direct", 0, "all", 2.46, 1.1),
            ("spillover", 0, "all", -2.13, 0.9),
            ("total", 0, "all", 0.33, 0.6),
            ("direct", 0, "0.25", 2.1, 1.4),
            ("direct", 0, "0.5", 1.3, 1.3),
            ("total", 0, "1.0", 2.5, 1.0),
        ],
        unit="pp",
        ledger=ledger,
        method="SaturationRegression",
        options={"by_saturation": True},
    )
    return Evidence(
        design=make_design(
            question,
            unit="pp",
            months=(0,),
            covariates=("age",),
            ledger=ledger,
            design_class=DesignClass.RANDOMISED,
        ),
        estimates=(estimate,),
        findings=(),
        rating=Rating(design_class=DesignClass.RANDOMISED, cap=5, deductions=()),
        impact=Impact.MODERATE,
        conclusion=Conclusion.ESTABLISHED,
        conclusion_reasons=(),
        displacement=Displacement(
            measured=True,
            code="measured",
            facts={"markets": 235, "shares": 5},
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
                code="activity_not_outcome",
                what="interviews_held",
                where="2021-01 → 2024-12",
                facts={
                    "nature": "activity",
                    "alternatives": "employment_presence, rsa_exit",
                },
            ),
            Refusal(
                code="unknown_states",
                what="rsa_exit",
                where=where,
                facts={"missing": "benefit, benefit_rsa"},
            ),
            Refusal(
                code="dropped_rows",
                what="durable_employment",
                where=where,
                facts={"measured": 0.0431, "threshold": 0.02},
            ),
        ),
    )


@pytest.fixture(scope="session")
def every_evidence(
    panel_evidence: Evidence,
    table_evidence: Evidence,
    saturation_evidence: Evidence,
    refused_evidence: Evidence,
) -> dict[str, Evidence]:
    return {
        "panel": panel_evidence,
        "table": table_evidence,
        "saturation": saturation_evidence,
        "refused": refused_evidence,
    }


@pytest.fixture(scope="session")
def bundled(every_evidence: dict[str, Evidence]) -> Callable[[str, str], dict[str, bytes]]:
    """Files of one evidence in one language, made once."""

    @cache
    def make(name: str, lang: str) -> dict[str, bytes]:
        return bundle(every_evidence[name], lang=lang)

    return make
