"""Entrants whose horizon no source has definitively seen yet, its lag respected."""

from __future__ import annotations

from typing import Final

import numpy as np

from whatworks.indicators.case import Case, Criterion, Reading
from whatworks.indicators.measured import ENTRY, PERSONS
from whatworks.months import to_label


def read(case: Case) -> tuple[Reading, ...]:
    """Share of the cohort, for each kind; the date from which it can be published."""
    if case.horizon is None:
        return ()
    first, last = case.cohort
    months = np.arange(first, last + 1)
    weight = _entrants(case, months)
    readings = []
    for kind in case.indicator.kinds:
        covering = case.measured.covering((kind,))
        known_to = max(case.settled(c) for c in covering)
        unseen = months + case.horizon > known_to
        readings.append(
            Reading(
                value=float(weight[unseen].sum() / weight.sum()),
                sources=tuple(sorted({c.source for c in covering})),
                months=(first, last),
                facts={
                    "horizon": case.horizon,
                    "known_to": to_label(known_to),
                    "publishable_from": to_label(publishable(case, kind)),
                },
            )
        )
    return tuple(readings)


def publishable(case: Case, kind: str) -> int:
    """Month of the vintage in which the last entrants' horizon is definitive."""
    lag = min((case.lag(c) for c in case.measured.covering((kind,))), default=0)
    return case.cohort[1] + (case.horizon or 0) + lag


def _entrants(case: Case, months: np.ndarray) -> np.ndarray:
    """Entrants of each month of the cohort; every month alike when nobody's entry is known."""
    people = case.measured.people
    chosen = people[people["arm"].isin(case.arms)] if case.arms else people
    counted = chosen.groupby(ENTRY)[PERSONS].sum().reindex(months, fill_value=0).to_numpy(float)
    return counted if counted.sum() > 0 else np.ones(months.size)


CRITERION: Final = Criterion(
    name="horizon_unobserved",
    read=read,
    found="{measured:.1%} of the cohort not definitively known at {horizon} months"
    " (sources definitive to {known_to})",
    needed="at most {threshold:.0%}",
    remedy="wait for the vintage of {publishable_from}, shorten the horizon, or end the cohort earlier",
)
