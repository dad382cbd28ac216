"""A design of shares that were drawn, as the checks on saturations read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.estimate.exposure_regression import ExposureRegression, exposure_regression
from whatworks.estimate.reassigned.two_stage import Assigned
from whatworks.estimate.record import Estimate
from whatworks.stats.clusters.covariance import HotellingTest, hotelling_test
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]

TERMS: Final = frozenset({"direct", "spillover", "total"})
MOST_STRATA: Final = 20
"""Strata beyond which they are taken out beforehand: tests then take a second, not a minute."""


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


def joint(found: ExposureRegression, forms: Floats) -> HotellingTest | None:
    """Hotelling's test that forms are nil, by CR2; None where markets are too few to tell."""
    with np.errstate(divide="ignore", invalid="ignore"):
        try:
            test = hotelling_test(found.blocks, forms)
        except np.linalg.LinAlgError:
            return None
    return test if np.isfinite(test.p_value) else None
