"""The frozen product of the seventh room: what the estimates are worth, with every reason named.

Texts live in the report's catalogues: a finding, a deduction or a refusal carries a code and the
facts that fill the sentence, so that French and English say the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.net import NetEffects
from whatworks.indicators import Refusal
from whatworks.vocabulary import Conclusion, DesignClass, Impact, Unidentified, Verdict

Facts = Mapping[str, str | int | float]
OF_OTHERS: Final = ("spillover", "total", "overall", "spillover_ineligible")
"""Terms that tell what becomes of others; a direct effect beside them is not alone."""

__all__ = [
    "Benchmark",
    "Deduction",
    "Displacement",
    "Evidence",
    "Facts",
    "Finding",
    "Lack",
    "Rating",
    "Refusal",
    "Stakes",
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
class Stakes:
    """What an evaluator knows of the jobs at stake: whether they are scarce, what they cost and are worth.

    Parameters
    ----------
    scarce_jobs : bool
        Those helped and others may be after the same jobs. The effect of help on those helped, against
        their neighbours, is then never printed without what others lost, or without the banner that
        it is not measured. Say False for an outcome that nobody can take from another.
    cost, value : float, optional
        Of a participant, and of a job, in the same money.
    pool_share : float, optional
        Part of those who compete for the same jobs that could be helped.
    share : float, optional
        Part of them that is helped, in a territory where the design does not say it.
    programme : str, optional
        Kind of programme whose published magnitudes apply; by default that of the accompaniment
        (`whatworks.evidence.scenarios.PROGRAMMES`).
    tightness : float, optional
        Vacancies per seeker before the programme.
    """

    scarce_jobs: bool = True
    cost: float | None = None
    value: float | None = None
    pool_share: float | None = None
    share: float | None = None
    programme: str | None = None
    tightness: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """One typed reason why less is said of others than one would wish (catalogue ``lack.<code>``)."""

    code: Unidentified
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """Whether what the helped gained was taken from others.

    Parameters
    ----------
    measured : bool
        False unless shares were drawn and an estimate tells what others lost.
    code : str
        Names the statement (catalogue ``displacement.<code>``): ``measured`` (shares drawn),
        ``saturation_not_randomised`` (shares that vary), ``direct_only`` (no market left alone),
        ``not_read`` (shares vary, no method reads them), ``no_saturation_variation``,
        ``markets_only``, ``one_market``, ``not_measured`` (nothing is known).
    facts : mapping
    effects : DataFrame or None
        Direct effects, those on others, totals, as estimated.
    stakes : Stakes
    gain : tuple of three floats, or None
        What those helped have above their neighbours, with its interval: no claim on others.
    lacks : tuple of Lack
        What is missing, typed.
    net : NetEffects or None
    break_even : DataFrame or None
        ``quantity, estimate, set_kind, low, high, code, cost, value``: share of an effect that may be
        taken from others before helping no longer pays, at a cost for each person assigned.
    bounds : DataFrame or None
        ``assumption, low, high, conf_low, conf_high``: net per 100 helped.
    scenarios : DataFrame or None
        From `whatworks.evidence.scenarios.scenarios`; no estimate.
    """

    measured: bool
    code: str
    facts: Facts = field(default_factory=dict)
    effects: pd.DataFrame | None = None
    stakes: Stakes = field(default_factory=Stakes)
    gain: tuple[float, float, float] | None = None
    lacks: tuple[Lack, ...] = ()
    net: NetEffects | None = None
    break_even: pd.DataFrame | None = None
    bounds: pd.DataFrame | None = None
    scenarios: pd.DataFrame | None = None

    @property
    def scarce(self) -> bool:
        """Whether jobs are scarce, and so no direct effect is printed alone."""
        return self.stakes.scarce_jobs

    @property
    def of_others(self) -> bool:
        """Whether some effect on others is told."""
        return self.effects is not None and bool(self.effects["term"].isin(OF_OTHERS).any())


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
