"""One verb, `weigh`: checks, rating, displacement statement, conclusion."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np

from whatworks.design.record import Design
from whatworks.errors import OptionError
from whatworks.estimate.record import Estimate
from whatworks.estimate.registry import BESIDE_ONLY
from whatworks.evidence.checks import (
    attrition,
    balance,
    clusters,
    contamination,
    cross_boundary,
    equal_spillovers,
    exchangeability,
    future,
    identification,
    market_influence,
    micro_macro,
    multiplicity,
    overlap,
    placebo,
    placebo_dates,
    precision,
    pretrend_power,
    refutation,
    saturation_attrition,
    saturation_balance,
    saturation_placebo,
    saturation_shares,
    sensitivity,
    territories,
    twoway,
)
from whatworks.evidence.displaced import displaced
from whatworks.evidence.rating import conclude, rate
from whatworks.evidence.record import Benchmark, Deduction, Evidence, Finding, Stakes
from whatworks.indicators import Assessment, Refusal
from whatworks.vocabulary import Conclusion, Impact

CHECKS: Final = (
    identification,
    future,
    balance,
    overlap,
    placebo,
    pretrend_power,
    sensitivity,
    placebo_dates,
    attrition,
    precision,
    clusters,
    multiplicity,
    territories,
    twoway,
    contamination,
    saturation_shares,
    saturation_balance,
    saturation_attrition,
    saturation_placebo,
    equal_spillovers,
    exchangeability,
    cross_boundary,
    market_influence,
    micro_macro,
    refutation,
)
"""Run in this order; one file each."""


def weigh(  # noqa: PLR0913 - each argument is one thing that bears on what an estimate is worth
    design: Design,
    estimates: Sequence[Estimate] | Estimate,
    *,
    assessment: Assessment | None = None,
    findings: Sequence[Finding] = (),
    refusals: Sequence[Refusal] = (),
    benchmarks: Sequence[Benchmark] = (),
    provenance: Mapping[str, str] | None = None,
    stakes: Stakes | None = None,
    rng: np.random.Generator | None = None,
) -> Evidence:
    """Weigh what estimates are worth.

    Parameters
    ----------
    design : Design
    estimates : Estimate or sequence of Estimate
        The first is the primary one.
    assessment : Assessment, optional
        The gate's answer on the outcome.
    findings : sequence of Finding
        Answers of checks that ask for more than this design, such as `whatworks.placebo_outcomes`.
    refusals : sequence of Refusal
        What was asked and not answered; printed with the result.
    benchmarks : sequence of Benchmark
        Numbers known from elsewhere: a simulated truth, an experiment.
    provenance : mapping, optional
        Hashes and versions to print.
    stakes : Stakes, optional
        Whether jobs are scarce, what they cost and are worth; by default they are scarce, and no cost
        is known.
    rng : Generator, optional
        For checks that draw; by default seeded with 0.

    Returns
    -------
    Evidence

    Raises
    ------
    OptionError
        Without any estimate, or when the first is one that is only read beside another
        (`whatworks.estimate.registry.BESIDE_ONLY`).
    """
    if isinstance(estimates, Estimate):
        estimates = (estimates,)
    if not estimates:
        raise OptionError(
            what="estimates",
            needed="at least one estimate, the primary first",
            found="none",
            remedy="fit an estimator on the design before weighing",
        )
    primary = estimates[0]
    if primary.method in BESIDE_ONLY:
        raise OptionError(
            what="estimates",
            needed="first, an estimate that holds when effects differ between cohorts or months",
            found=f"{primary.method}, " + ("alone" if len(estimates) == 1 else "first"),
            remedy="put an estimate such as that of CallawaySantAnna or Imputation before it",
        )
    draw = np.random.default_rng(0) if rng is None else rng
    found = [check.run(design, estimates, rng=draw) for check in CHECKS]
    answers = (*(finding for finding in found if finding is not None), *findings)
    rating = rate(design, answers, assessment)
    month = design.question.primary
    if not primary.reads(month):
        dial, conclusion = Impact.NOT_MEASURED, Conclusion.NOT_ESTABLISHED
        reasons: tuple[Deduction, ...] = (
            Deduction(
                code="primary_not_estimated", points=0, facts={"month": design.question.primary}
            ),
        )
    else:
        dial, conclusion, reasons = conclude(
            primary, rating, month=month, unit=design.outcomes.unit
        )
    refused = assessment.refusals if assessment is not None else ()
    question = repr(sorted(asdict(design.question).items()))
    return Evidence(
        design=design,
        estimates=tuple(estimates),
        findings=answers,
        rating=rating,
        impact=dial,
        conclusion=conclusion,
        conclusion_reasons=reasons,
        displacement=displaced(design, estimates, Stakes() if stakes is None else stakes),
        refusals=(*refused, *refusals),
        benchmarks=tuple(benchmarks),
        provenance={
            "question": hashlib.sha256(question.encode()).hexdigest(),
            **(provenance or {}),
        },
    )
