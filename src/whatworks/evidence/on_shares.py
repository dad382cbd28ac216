"""A design of shares that were drawn, as the checks on saturations read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.estimate.reassigned.two_stage import Assigned
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.exposure_regression import ExposureRegression, exposure_regression
from whatworks.stats.clusters.covariance import cluster_robust, hotelling_test
from whatworks.stats.intervals import wald
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]

TERMS: Final = frozenset({"direct", "spillover", "total"})
MOST_STRATA: Final = 60
"""Strata beyond which they are taken out beforehand: there are then enough of them for usual laws."""


def assigned_of(design: Design, estimates: Sequence[Estimate]) -> Assigned | None:
    """The eligible of the design, market by market; None where checks on shares do not concern it.

    They concern designs whose shares were drawn, with markets in which nobody is assigned, and estimates
    of what that did.
    """
    needed = {Supply.MARKETS, Supply.DRAWN_SATURATION}
    if not needed <= design.supplies or not TERMS & set(estimates[0].effects["term"]):
        return None
    try:
        assigned = Assigned.of(design, what="the checks on shares")
    except DesignRefused:
        return None
    return assigned if (assigned.share == 0).any() and assigned.shares.size else None


def primary_month(design: Design) -> int:
    """The primary month of the question, or the last there is where outcomes are of no month."""
    months = design.outcomes.months
    return design.question.primary if design.question.primary in months else months[-1]


def regression(
    assigned: Assigned,
    month: int,
    *,
    group: str = "all",
    outcome: Floats | None = None,
    further: Floats | None = None,
) -> ExposureRegression | None:
    """The regression on exposure; None where its columns determine one another."""
    try:
        return exposure_regression(
            assigned,
            month,
            group=group,
            outcome=outcome,
            further=further,
            most_strata=MOST_STRATA,
        )
    except DesignRefused:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Forms of a regression one by one, by CR2: each of shape (n_forms,)."""

    estimate: Floats
    std_error: Floats
    p_value: Floats


def read(found: ExposureRegression, forms: Floats) -> Read:
    """Forms with their errors by CR2, each on its own degrees of freedom."""
    each = cluster_robust(found.blocks, kind="CR2", contrasts=forms)
    p_value = each.p_value
    if np.isfinite(found.spare):
        p_value = wald(each.estimate, each.std_error, df=max(found.spare, 1.0)).p_value
    return Read(estimate=each.estimate, std_error=each.std_error, p_value=p_value)


def joint(found: ExposureRegression, forms: Floats) -> float:
    """P-value of all forms being nil, by CR2 and Hotelling's law; NaN where markets are too few to tell."""
    if np.isfinite(found.spare):
        return _by_markets(found, forms)
    with np.errstate(divide="ignore", invalid="ignore"):
        try:
            test = hotelling_test(found.blocks, forms)
        except np.linalg.LinAlgError:
            return float("nan")
    return test.p_value


def _by_markets(found: ExposureRegression, forms: Floats) -> float:
    """Fisher's law, with the markets that strata leave."""
    each = cluster_robust(found.blocks, kind="CR2", contrasts=forms)
    q, among = len(forms), each.covariance
    if not np.isfinite(among).all() or found.spare <= q:
        return float("nan")
    distance = float(each.estimate @ np.linalg.solve(among, each.estimate))
    return float(stats.f(q, found.spare - q + 1).sf(distance / q))
