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
from whatworks.evidence.checks import (
    attrition,
    balance,
    clusters,
    future,
    identification,
    multiplicity,
    overlap,
    placebo,
    precision,
    refutation,
    twoway,
)
from whatworks.evidence.rating import conclude, rate
from whatworks.evidence.record import Benchmark, Deduction, Displacement, Evidence, Finding
from whatworks.indicators import Assessment, Refusal
from whatworks.vocabulary import MARKET, SATURATION, Conclusion, DesignClass, Impact

CHECKS: Final = (
    identification,
    future,
    balance,
    overlap,
    placebo,
    attrition,
    precision,
    clusters,
    multiplicity,
    twoway,
    refutation,
)
"""Run in this order; one file each."""


def weigh(
    design: Design,
    estimates: Sequence[Estimate] | Estimate,
    *,
    assessment: Assessment | None = None,
    refusals: Sequence[Refusal] = (),
    benchmarks: Sequence[Benchmark] = (),
    provenance: Mapping[str, str] | None = None,
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
    refusals : sequence of Refusal
        What was asked and not answered; printed with the result.
    benchmarks : sequence of Benchmark
        Numbers known from elsewhere: a simulated truth, an experiment.
    provenance : mapping, optional
        Hashes and versions to print.
    rng : Generator, optional
        For checks that draw; by default seeded with 0.

    Returns
    -------
    Evidence

    Raises
    ------
    OptionError
        Without any estimate.
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
    draw = np.random.default_rng(0) if rng is None else rng
    findings: list[Finding] = []
    for check in CHECKS:
        finding = check.run(design, estimates, rng=draw)
        if finding is not None:
            findings.append(finding)
    rating = rate(design, findings, assessment)
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
        findings=tuple(findings),
        rating=rating,
        impact=dial,
        conclusion=conclusion,
        conclusion_reasons=reasons,
        displacement=displacement(design, estimates),
        refusals=(*refused, *refusals),
        benchmarks=tuple(benchmarks),
        provenance={
            "question": hashlib.sha256(question.encode()).hexdigest(),
            **(provenance or {}),
        },
    )


def displacement(design: Design, estimates: Sequence[Estimate]) -> Displacement:
    """What can be said of others' losses: nothing, unless saturation varied by design."""
    drawn = design.design_class is DesignClass.RANDOMISED
    for estimate in estimates:
        rows = estimate.effects[estimate.effects["term"].isin(["direct", "spillover", "total"])]
        if not rows.empty:
            return Displacement(
                measured=drawn,
                code="measured" if drawn else "saturation_not_randomised",
                effects=rows.reset_index(drop=True),
                facts={
                    "markets": int(design.units[MARKET].nunique()),
                    "shares": int(design.units[SATURATION].nunique()),
                },
            )
    n = int(design.units[MARKET].nunique())
    return Displacement(
        measured=False, code="not_measured" if n != 1 else "one_market", facts={"markets": n}
    )
