"""The frozen product of the seventh room: what the estimates are worth, with every reason named.

Texts live in the report's catalogues: a finding, a deduction or a refusal carries a code and the
facts that fill the sentence, so that French and English say the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.indicators import Refusal
from whatworks.vocabulary import Conclusion, DesignClass, Impact, Verdict

Facts = Mapping[str, str | int | float]

__all__ = [
    "Benchmark",
    "Deduction",
    "Displacement",
    "Evidence",
    "Facts",
    "Finding",
    "Rating",
    "Refusal",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's answer.

    Parameters
    ----------
    check : str
        ``balance``, ``overlap``, ``placebo``, ``attrition``, ``identification`` …
    verdict : Verdict
    statistic, threshold : float
        What was measured and the bound of ``HOLDS``; NaN when not testable.
    facts : mapping
        Fills the sentence ``finding.<check>.<verdict>`` of the catalogue.
    table : DataFrame or None
        Full numbers behind the statistic.
    reference : str
        Where the threshold comes from.
    """

    check: str
    verdict: Verdict
    statistic: float
    threshold: float
    facts: Facts = field(default_factory=dict)
    table: pd.DataFrame | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduction:
    """Points of strength lost, why, and what would give them back (catalogue ``deduction.<code>``)."""

    code: str
    points: int
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """Strength of evidence from 0 to 5: the cap of the design less every named deduction."""

    design_class: DesignClass
    cap: int
    deductions: tuple[Deduction, ...]

    @property
    def strength(self) -> int:
        """What is left, never below zero."""
        return max(0, self.cap - sum(d.points for d in self.deductions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """Whether what the helped gained was taken from others.

    ``measured`` is False unless the design varied saturation; ``code`` names the statement
    (catalogue ``displacement.<code>``); ``effects`` holds direct, spillover and total effects.
    """

    measured: bool
    code: str
    facts: Facts = field(default_factory=dict)
    effects: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A number known from elsewhere, printed beside the estimate: a simulated truth, an experiment.

    Parameters
    ----------
    code : str
        ``truth``, ``experiment`` or ``naive``; catalogue ``benchmark.<code>``.
    month : int
        Months since entry (0 for a cross-section).
    value : float
        In the outcome's unit.
    std_error : float
        NaN when known exactly.
    """

    code: str
    month: int
    value: float
    std_error: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the report prints; it computes nothing more.

    ``estimates[0]`` is the primary one. ``impact`` and ``conclusion`` are read at the primary
    horizon of the question. ``provenance`` holds hashes, versions and dates as text.
    """

    design: Design
    estimates: tuple[Estimate, ...]
    findings: tuple[Finding, ...]
    rating: Rating
    impact: Impact
    conclusion: Conclusion
    conclusion_reasons: tuple[Deduction, ...]
    displacement: Displacement
    refusals: tuple[Refusal, ...] = ()
    benchmarks: tuple[Benchmark, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
