"""Weighted means of two arms, month by month of outcome."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.estimate.clustered import ClusteredCurve
from whatworks.estimate.columns import Units, adjusted_effect
from whatworks.stats.weighted import weighted_difference
from whatworks.vocabulary import TREATED, WEIGHT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CELLS: Final = 8_000_000
"""Units × months held at once."""


def weighted_curve(
    design: Design,
    cluster: Ints,
    *,
    weights_estimated: bool = True,
    among: Bools | None = None,
) -> ClusteredCurve:
    """Differences of weighted means at every month of a design.

    Parameters
    ----------
    design : Design
    cluster : ndarray of int, shape (n,)
        From 0.
    weights_estimated : bool
        Count what estimating the weights adds or removes.
    among : ndarray of bool, shape (n,), optional
        Units that take part; weights rest on all of them.
    """
    treated = design.units[TREATED].to_numpy()
    curve = ClusteredCurve.blank(int(cluster.max()) + 1, len(design.outcomes.months))
    for which, values, factor in _blocks(design, among):
        found = weighted_difference(
            values,
            treated=treated,
            weight=design.units[WEIGHT].to_numpy(),
            factor=factor,
            fitted=design.fitted if weights_estimated else (),
        )
        curve.fill(
            which,
            effect=found.effect,
            influence=found.influence,
            used=factor > 0,
            treated=treated,
            cluster=cluster,
        )
    return curve


def _blocks(design: Design, among: Bools | None) -> Iterator[tuple[Ints, Floats, Floats]]:
    """Months a few at a time: which, their outcomes and the factor of each unit in each."""
    outcomes = design.outcomes
    n, n_months = outcomes.values.shape
    width = max(1, CELLS // max(n, 1))
    for begin in range(0, n_months, width):
        which = np.arange(begin, min(begin + width, n_months))
        values = outcomes.values[:, which]
        observed = ~np.isnan(values)
        if among is not None:
            observed &= among[:, None]
        factor = observed.astype(float)
        if outcomes.weights is not None:
            factor *= outcomes.weights[:, which]
        # Less the outcome of one unit: effects stay, and equal outcomes leave no rounding behind.
        first = values[np.argmax(observed, axis=0), np.arange(which.size)]
        yield which, np.where(observed, values - first, 0.0), factor


def adjusted_curve(
    design: Design, units: Units, *, unbiased: bool = True, among: Bools | None = None
) -> ClusteredCurve:
    r"""The same after regression of each arm on covariates, one intercept per month of entry.

    Parameters
    ----------
    design : Design
    units : Units
        Of it.
    unbiased : bool
        Scale influences by :math:`\sqrt{(n-1)/(n-k)}` for the k coefficients fitted.
    among : ndarray of bool, shape (n,), optional
        Units that take part.
    """
    curve = ClusteredCurve.blank(units.n_clusters, len(design.outcomes.months))
    for seen in units.seen(design, among):
        found = adjusted_effect(
            seen,
            units,
            estimand=design.question.estimand,
            fitted=design.fitted,
            drawn=True,
        )
        used = (seen.factor > 0)[:, None]
        n = int(used.sum())
        spent = (n - 1) / (n - found.rank) if n > found.rank else np.nan
        curve.fill(
            seen.columns,
            effect=found.effect,
            influence=found.influence * (np.sqrt(spent) if unbiased else 1.0),
            used=np.broadcast_to(used, found.influence.shape),
            treated=units.treated,
            cluster=units.cluster,
        )
    return curve
