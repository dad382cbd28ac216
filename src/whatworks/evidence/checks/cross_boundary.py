"""Do the shares of neighbouring markets matter?

Spillovers are told against markets without anyone assigned, as if these were untouched. Where their seekers
compete with those of treated markets, they are not: with the neighbours' share in the regression, the
spillover should stay where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from whatworks.design.record import Design
from whatworks.estimate.reassigned.two_stage import Assigned
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.exposure_regression import ExposureRegression
from whatworks.evidence.grading import at_least
from whatworks.evidence.on_shares import assigned_of, primary_month, read, regression
from whatworks.evidence.record import Finding
from whatworks.vocabulary import MARKET, SATURATION, Verdict

Floats = NDArray[np.float64]

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
MOST_UNKNOWN: Final = 0.05
"""Share of the competition from outside that may come from markets whose share is not known."""
REFERENCE: Final = (
    "Crépon, Duflo, Gurgand, Rathelot & Zamora (2013), doi:10.1093/qje/qjt001; "
    "Hausman (1978), doi:10.2307/1913827"
)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Whether the spillover moves once the neighbours' share is in the regression.

    Returns
    -------
    Finding or None
        The p-value of its move, from the influence of markets on both regressions; its table holds
        ``exposure, estimate, std_error, p_value``: the spillover without and with neighbours, and
        what the neighbours' share does. None where nobody said who competes across markets.
    """
    if design.markets is None or design.markets.competition is None:
        return None
    assigned = assigned_of(design, estimates)
    if assigned is None:
        return None
    month = primary_month(design)
    outside = _neighbours(design, assigned)
    alone = regression(assigned, month)
    with_them = None
    if outside is not None:
        column = outside[assigned.market][:, None]
        with_them = regression(assigned, month, further=column)
    if alone is None or with_them is None or alone.form("spillover", "all") is None:
        return _untested()
    return _compared(alone, with_them, unit=design.outcomes.unit)


def _compared(alone: ExposureRegression, with_them: ExposureRegression, *, unit: str) -> Finding:
    rows: list[tuple[str, *tuple[float, ...]]] = []
    points, influences = [], []
    for name, fit in (("spillover", alone), ("spillover_with_neighbours", with_them)):
        form = np.asarray(fit.form("spillover", "all"))
        told = read(fit, form[None, :])
        rows.append((name, *_first(told.estimate, told.std_error, told.p_value)))
        points.append(float(told.estimate[0]))
        influences.append(fit.influence(form))
    told = read(with_them, with_them.further)
    rows.append(("neighbours", *_first(told.estimate, told.std_error, told.p_value)))
    n = influences[0].size
    apart = influences[1] - influences[0]
    error = float(np.sqrt(n / (n - 1) * apart @ apart)) if n > 1 else float("nan")
    moved = points[1] - points[0]
    if not error > 0:
        return _untested()
    p_value = float(2 * stats.t(n - 1).sf(abs(moved / error)))
    return Finding(
        check="cross_boundary",
        verdict=at_least(p_value, holds=STRAINED_BELOW, strained=FAILS_BELOW),
        statistic=p_value,
        threshold=FAILS_BELOW,
        facts={"difference": moved, "p_value": p_value, "unit": unit},
        table=pd.DataFrame(rows, columns=["exposure", "estimate", "std_error", "p_value"]),
        reference=REFERENCE,
    )


def _untested() -> Finding:
    return Finding(
        check="cross_boundary",
        verdict=Verdict.NOT_TESTABLE,
        statistic=float("nan"),
        threshold=FAILS_BELOW,
        reference=REFERENCE,
    )


def _first(*values: Floats) -> tuple[float, ...]:
    return tuple(float(v[0]) for v in values)


def _neighbours(design: Design, assigned: Assigned) -> Floats | None:
    """Share under treatment of the competition each market meets from outside; None where unknown."""
    markets = design.markets
    if markets is None or markets.competition is None:
        return None
    competition = markets.competition
    place = {name: k for k, name in enumerate(competition.names)}
    share = np.full(len(place), np.nan)
    if SATURATION in markets.table:
        known = markets.table.groupby(MARKET)[SATURATION].mean()
        for name, value in known.items():
            if str(name) in place:
                share[place[str(name)]] = value
    here = [place.get(str(name), -1) for name in assigned.names]
    if min(here) < 0:
        return None
    share[here] = assigned.share
    weights = competition.weights.tocsr().copy()
    weights.setdiag(0.0)
    unknown = np.isnan(share)
    missing = (weights @ unknown.astype(float))[here]
    outside = np.asarray(weights.sum(axis=1)).ravel()[here]
    if (missing > MOST_UNKNOWN * np.maximum(outside, 1e-12)).any() or not outside.any():
        return None
    met = np.asarray((weights @ np.where(unknown, 0.0, share))[here])
    return met if float(np.ptp(met)) > 0 else None
