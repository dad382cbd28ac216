"""What an estimate tells of the months around the start, read as one event study."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from whatworks.estimate.cells import CELLS, Cells
from whatworks.estimate.record import Estimate
from whatworks.stats.did.event_study import EventStudy
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import MARKET

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_LEADS: Final = 36
"""Periods before the start beyond which the furthest are left out."""


def event_study(estimate: Estimate, month: int) -> EventStudy | None:
    """Effects in periods evenly spaced around the start, the effect asked about being that of ``month``.

    Periods are read from the base outwards as long as none is missing. Effects told from one period to
    the next are brought to the base. With few territories the covariance is widened until a normal
    interval is Student's.

    Returns
    -------
    EventStudy or None
        None where no period before the base is known, or that month is not reached.
    """
    rows, months = known(estimate)
    base = -1 - _anticipation(estimate)
    chained = estimate.options.get("base_period") == "varying"
    if (
        not chained and base in months
    ):  # nothing is nil by construction: another way of looking back
        return None
    apart = np.diff(np.unique(np.append(months, base)))
    if not apart.size:
        return None
    step = int(apart.min())
    before = _run(months, base - step * (not chained), -step)[-MOST_LEADS:]
    after = _run(months, base + step, step)
    after = after[after <= month]
    if not before.size or month not in after:
        return None
    read = np.zeros((before.size + after.size, len(estimate.effects)))
    place = dict(zip(months.tolist(), rows.tolist(), strict=True))
    for k, m in enumerate((*before.tolist(), *after.tolist())):
        read[k, place[m]] = 1.0
    if chained:  # the level at the period before each move: what remains to come up to the base
        read[: before.size] = -np.cumsum(read[: before.size][::-1], axis=0)[::-1]
    points = np.nan_to_num(estimate.effects["estimate"].to_numpy())
    covariance = estimate.uncertainty.combine(read).covariance() * _widened(estimate)
    if not np.isfinite(covariance).all() or np.diag(covariance).min() <= 0:
        return None
    weights = np.zeros(after.size)
    weights[-1] = 1.0
    return EventStudy(
        estimate=read @ points, covariance=covariance, n_pre=before.size, weights=weights
    )


def known(estimate: Estimate) -> tuple[Ints, Ints]:
    """Rows of effects over all cohorts that are known with an error, and their months, in order."""
    effects = estimate.effects
    rows = np.flatnonzero(_overall(estimate) & effects["std_error"].notna().to_numpy())
    months = effects["month"].to_numpy()[rows].astype(np.int64)
    order = np.argsort(months, kind="stable")
    return rows[order], months[order]


def territories(estimate: Estimate) -> int | None:
    """Number of territories errors are summed over; None where they are summed over persons."""
    found = estimate.uncertainty
    if isinstance(found, Influence) and found.level == MARKET:
        return int(found.cluster.size)
    return None


def _overall(estimate: Estimate) -> NDArray[np.bool_]:
    effects = estimate.effects
    here = (effects["cohort"] == -1) & (effects["group"] == "all")
    return np.asarray(here & (effects["term"] == estimate.term))


def _anticipation(estimate: Estimate) -> int:
    cells = estimate.extras.get(CELLS)
    return cells.anticipation if isinstance(cells, Cells) else 0


def _run(months: Ints, first: int, step: int) -> Ints:
    """Months one step apart from the first on, in increasing order."""
    held, found = set(months.tolist()), []
    while first in held:
        found.append(first)
        first += step
    return np.array(sorted(found), dtype=np.int64)


def _widened(estimate: Estimate) -> float:
    """Square of Student's quantile over the normal one, where territories are few."""
    n = territories(estimate)
    if n is None or n < 2:
        return 1.0
    return float((stats.t.ppf(0.975, n - 1) / stats.norm.ppf(0.975)) ** 2)
