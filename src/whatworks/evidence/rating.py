"""Strength of evidence, impact, and what may be concluded: rules, each with its reason.

Three dials that never lift one another: good balance does not raise a design above its cap, and a
large effect does not make weak evidence strong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Deduction, Finding, Rating
from whatworks.indicators import Assessment
from whatworks.vocabulary import Conclusion, DesignClass, GateVerdict, Impact, Verdict

CAPS: Final = {
    DesignClass.RANDOMISED: 5,
    DesignClass.PANEL_DIFFERENCE: 3,
    DesignClass.MATCHED_LONG_HISTORY: 3,
    DesignClass.MATCHED_SHORT_HISTORY: 2,
    DesignClass.CROSS_SECTION: 2,
    DesignClass.UNADJUSTED: 0,
}
"""Most a design can reach, whatever its checks say."""

ESTABLISHED_FROM: Final = 3
SUGGESTED_FROM: Final = 2

_DEDUCTIONS: Final = {
    "identification": ("identification", 2, ("missing",)),
    "balance": ("imbalance", 1, ("smd",)),
    "overlap": ("weak_overlap", 1, ("matched_share",)),
    "placebo": ("placebo_failed", 2, ()),
    "sensitivity": ("fragile_trends", 1, ("breakdown",)),
    "attrition": ("attrition", 1, ("share",)),
    "precision": ("low_power", 1, ("mde",)),
    "clusters": ("few_clusters", 1, ("n",)),
}


def rate(design: Design, findings: Sequence[Finding], assessment: Assessment | None) -> Rating:
    """Cap of the design less the points of every check that fails.

    Parameters
    ----------
    design : Design
    findings : sequence of Finding
    assessment : Assessment or None
        The gate's answer on the outcome; a reserve costs a point.
    """
    deductions = [
        Deduction(
            code=code,
            points=points,
            facts={
                **{k: f.facts[k] for k in kept},
                "check": f.check,
                "unit": design.outcomes.unit,
            },
        )
        for f in findings
        if f.verdict is Verdict.FAILS and f.check in _DEDUCTIONS
        for code, points, kept in [_DEDUCTIONS[f.check]]
    ]
    if assessment is not None and assessment.verdict is GateVerdict.WITH_RESERVE:
        deductions.append(Deduction(code="data_reserve", points=1))
    return Rating(
        design_class=design.design_class,
        cap=CAPS[design.design_class],
        deductions=tuple(deductions),
    )


def impact(estimate: float, low: float, high: float, *, unit: str, month: int) -> Impact:
    """Dial read from the interval: bands in points, months being shares of the horizon.

    Examples
    --------
    >>> str(impact(6.0, 3.5, 8.5, unit="pp", month=12))
    'high'
    >>> str(impact(4.0, -1.0, 9.0, unit="pp", month=12))
    'inconclusive'
    """
    if np.isnan(low) or np.isnan(high):
        return Impact.NOT_MEASURED
    if unit not in ("pp", "months"):
        if low > 0:
            return Impact.POSITIVE_UNGRADED
        return Impact.NEGATIVE if high < 0 else Impact.INCONCLUSIVE
    scale = 1.0 if unit == "pp" else 100.0 / max(month, 1)
    return _graded(estimate * scale, low * scale, high * scale)


def _graded(estimate: float, low: float, high: float) -> Impact:
    if low > 0:
        if low >= 3 and estimate >= 5:
            return Impact.HIGH
        return Impact.MODERATE if estimate >= 2 else Impact.LOW
    if high < 0:
        return Impact.NEGATIVE
    return Impact.NONE_DETECTED if low > -2 and high < 2 else Impact.INCONCLUSIVE


def conclude(
    primary: Estimate, rating: Rating, *, month: int, unit: str
) -> tuple[Impact, Conclusion, tuple[Deduction, ...]]:
    """Impact, conclusion and its reasons, at the primary horizon.

    Established takes a strength of 3 and an interval that excludes zero; a strength of 2 with
    such an interval suggests; anything less is not established, which is not the absence of effect.
    """
    row = primary.at(month)
    low, high = float(row["conf_low"]), float(row["conf_high"])
    dial = impact(float(row["estimate"]), low, high, unit=unit, month=month)
    reasons = []
    if not (low > 0 or high < 0):
        reasons.append(
            Deduction(
                code="interval_includes_zero",
                points=0,
                facts={"low": low, "high": high, "unit": unit},
            )
        )
    if rating.strength < ESTABLISHED_FROM:
        reasons.append(
            Deduction(
                code="weak_evidence",
                points=0,
                facts={"strength": rating.strength, "cap": rating.cap},
            )
        )
    if not reasons:
        return dial, Conclusion.ESTABLISHED, ()
    clear = low > 0 or high < 0
    suggested = clear and rating.strength >= SUGGESTED_FROM
    return dial, Conclusion.SUGGESTED if suggested else Conclusion.NOT_ESTABLISHED, tuple(reasons)
