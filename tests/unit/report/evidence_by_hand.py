"""Makers of evidence by hand: designs, estimates, ledgers, findings, without any estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from whatworks.design import Design, Question
from whatworks.design.record import Outcomes, Population
from whatworks.estimate.record import Estimate, effects_table
from whatworks.evidence.record import Finding
from whatworks.ledger import Ledger
from whatworks.stats.uncertainty import Covariance
from whatworks.vocabulary import DesignClass, Verdict

COVARIATES = (
    "birth_month.age",
    "employment.lag1",
    "employment.months12",
    "benefit_rsa.lag3",
    "employment.months",
    "market=ZE01",
    "qualification <b>",
)
TREATED, COMPARISON = 4, 8


def make_units(covariates: Sequence[str], *, markets: bool = True) -> pd.DataFrame:
    n = TREATED + COMPARISON
    values = np.random.default_rng(3).normal(size=(n, len(covariates)))
    frame = pd.DataFrame(
        {
            "unit_id": np.arange(n),
            "person_id": np.arange(n),
            "treated": np.arange(n) < TREATED,
            "entry_month": np.full(n, 24252),
            "weight": np.ones(n),
            "sampling_weight": np.ones(n),
            "matched_set": np.full(n, -1),
            "propensity": np.nan,
            "stratum": pd.Series([None] * n, dtype=object),
            "market": pd.Series(
                [f"ZE0{k % 2}" if markets else None for k in range(n)], dtype=object
            ),
            "saturation": np.nan,
        }
    )
    return pd.concat([frame, pd.DataFrame(values, columns=list(covariates))], axis=1)


def make_population(covariates: Sequence[str], *, bins: int = 8) -> Population:
    k = len(covariates)
    edges = np.linspace(0, 0.8, bins + 1) if bins else np.array([])
    shape = np.arange(1.0, bins + 1) / max(np.arange(1.0, bins + 1).sum(), 1)
    sides = [
        pd.DataFrame(
            {
                "covariate": list(covariates),
                "sample": sample,
                "mean_treated": np.linspace(0.1, 0.9, k),
                "mean_comparison": np.linspace(0.4, 0.3, k),
                "var_treated": np.ones(k),
                "var_comparison": np.ones(k),
                "smd": np.linspace(-0.3, 0.6, k) / shrink,
                "variance_ratio": np.ones(k),
                "ks": np.linspace(0.1, 0.3, k) / shrink,
                "ecdf_mean": np.linspace(0.05, 0.1, k) / shrink,
            }
        )
        for sample, shrink in (("before", 1.0), ("after", 10.0))
    ]
    left_out = pd.DataFrame(
        {
            "arm": "treated",
            "covariate": list(covariates),
            "n_kept": 388,
            "n_left_out": 43,
            "mean_kept": np.linspace(0.1, 0.9, k),
            "mean_left_out": np.linspace(0.2, 1.4, k),
            "smd": np.linspace(0.1, 0.5, k),
        }
    )
    return Population(
        balance=pd.concat(sides, ignore_index=True),
        left_out=left_out if bins else left_out.iloc[:0],
        score_bins=edges,
        score_treated=shape,
        score_comparison=shape[::-1],
        score_treated_after=shape,
        score_comparison_after=shape,
        support=(0.05, 0.75) if bins else (np.nan, np.nan),
        n_treated=431,
        n_comparison=12_873,
        n_supported=(420, 12_111) if bins else (0, 0),
    )


def make_design(
    question: Question,
    *,
    unit: str,
    months: Sequence[int],
    covariates: Sequence[str] = COVARIATES,
    design_class: DesignClass = DesignClass.MATCHED_SHORT_HISTORY,
    ledger: Ledger,
) -> Design:
    n = TREATED + COMPARISON
    matched = design_class not in (DesignClass.RANDOMISED, DesignClass.PANEL_DIFFERENCE)
    matches = pd.DataFrame(
        {
            "unit_id": np.repeat(np.arange(TREATED), 2),
            "match_id": np.arange(TREATED, n),
            "weight": 0.5,
        }
    )
    return Design(
        question=question,
        units=make_units(covariates),
        covariates=tuple(covariates),
        matches=matches if matched else None,
        outcomes=Outcomes(
            name=question.outcome,
            unit=unit,
            months=tuple(months),
            values=np.zeros((n, len(months))),
        ),
        supplies=frozenset(),
        design_class=design_class,
        population=make_population(covariates, bins=8 if matched else 0),
        ledger=ledger,
        history_months=18 if len(months) > 1 else 0,
    )


def make_estimate(
    rows: Sequence[tuple[str, int, str, float, float]],
    *,
    unit: str,
    ledger: Ledger,
    method: str = "MatchedDifference",
    options: Mapping[str, object] | None = None,
) -> Estimate:
    """Rows are ``term, month, group, estimate, std_error``."""
    terms = [
        {
            "term": term,
            "cohort": -1,
            "month": month,
            "group": group,
            "n_treated": 388,
            "n_comparison": 1_164,
        }
        for term, month, group, _, _ in rows
    ]
    points = np.array([row[3] for row in rows])
    covariance = np.diag([row[4] ** 2 for row in rows])
    return Estimate(
        method=method,
        options=options or {"bias_adjust": True},
        effects=effects_table(terms, points, covariance, unit=unit),
        uncertainty=Covariance(matrix=covariance),
        ledger=ledger,
    )


def walk_ledger() -> Ledger:
    return (
        Ledger()
        .add("sources", "contrats", unit="rows", before=48_210, dropped={"code_none": 120})
        .add("sources", "rsa", unit="rows", before=96_004)
        .add("spells", "overlaps", unit="spells", before=31_400, dropped={"merged": 2_215})
        .add("panel", "window", unit="spells", before=29_185, dropped={"outside_window": 1_044})
        .add(
            "design",
            "entrants",
            unit="persons",
            before=612,
            dropped={"followup_too_short": 118, "not_eligible": 63},
        )
        .add(
            "design",
            "comparisons",
            unit="person_months",
            before=30_020,
            dropped={
                "already_started": 9_140,
                "not_eligible": 7_770,
                "other_accompaniment": 237,
            },
        )
        .add(
            "design",
            "matched_treated",
            unit="units",
            before=431,
            dropped={"no_match_in_caliper": 43},
        )
        .add(
            "design",
            "matched_comparison",
            unit="units",
            before=12_873,
            dropped={"not_chosen": 11_709},
        )
    )


def balance_finding(covariates: Sequence[str] = COVARIATES) -> Finding:
    k = len(covariates)
    table = pd.DataFrame(
        {
            "covariate": list(covariates),
            "mean_treated": np.zeros(k),
            "mean_comparison": np.zeros(k),
            "smd_before": np.linspace(-0.42, 0.5612, k),
            "smd_after": np.linspace(-0.06, 0.1404, k),
            "variance_ratio_before": np.linspace(0.5, 2.0, k),
            "variance_ratio_after": np.linspace(0.9, 1.1, k),
            "ks_before": np.linspace(0.1, 0.4, k),
            "ks_after": np.linspace(0.01, 0.05, k),
        }
    )
    return Finding(
        check="balance",
        verdict=Verdict.STRAINED,
        statistic=0.1404,
        threshold=0.1,
        table=table,
        reference="Stuart (2010), doi:10.1214/09-STS313",
        facts={"covariate": covariates[-1], "smd": 0.1404, "n_above": 1, "n": k},
    )


def panel_findings() -> tuple[Finding, ...]:
    return (
        balance_finding(),
        Finding(
            check="overlap",
            verdict=Verdict.HOLDS,
            statistic=0.9502,
            threshold=0.95,
            reference="Crump et al. (2009), doi:10.1093/biomet/asn055",
            facts={"matched_share": 0.9502, "ess": 812.4, "n_treated": 388},
        ),
        Finding(
            check="placebo",
            verdict=Verdict.FAILS,
            statistic=0.0004,
            threshold=0.05,
            reference="Imbens & Rubin (2015), ch. 21",
            facts={
                "first": -24,
                "last": -19,
                "n": 6,
                "estimate": -3.24,
                "p_value": 0.0004,
                "unit": "pp",
            },
        ),
        Finding(
            check="precision",
            verdict=Verdict.STRAINED,
            statistic=6.2,
            threshold=5.0,
            facts={"mde": 6.2, "unit": "pp", "month": 24},
            reference="Bloom (1995), doi:10.1177/0193841X9501900504",
        ),
        Finding(
            check="refutation",
            verdict=Verdict.NOT_TESTABLE,
            statistic=float("nan"),
            threshold=0.01,
        ),
    )
