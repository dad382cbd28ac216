"""An estimate's own method again, on part of its design."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from whatworks.design.parts import Outcomes
from whatworks.design.record import Design
from whatworks.errors import WhatworksError
from whatworks.estimate.protocol import Estimator
from whatworks.estimate.record import Estimate
from whatworks.estimate.registry import ESTIMATORS
from whatworks.options import from_table
from whatworks.vocabulary import ENTRY_MONTH, TREATED, UNIT, Clock

Ints = NDArray[np.int64]


def method_of(estimate: Estimate) -> Estimator | None:
    """The estimator with the options it was fitted with; None when it is not one of ours."""
    kind = ESTIMATORS.get(estimate.method)
    if kind is None:
        return None
    return cast("Estimator", from_table(kind, dict(estimate.options)))


def fitted(estimator: Estimator, design: Design, rng: np.random.Generator) -> Estimate | None:
    """Its estimate; None when the method refuses the design."""
    try:
        return estimator.fit(design, rng=rng)
    except WhatworksError:
        return None


def of_units(design: Design, rows: NDArray[np.bool_]) -> Design:
    """Some of the units of an unmatched design."""
    kept = np.flatnonzero(rows)
    units = design.units.iloc[kept].assign(**{UNIT: np.arange(kept.size, dtype=np.int64)})
    return replace(
        design,
        units=units.reset_index(drop=True),
        outcomes=design.outcomes.of(kept),
        seal=None,
    )


def before(design: Design, period: int, *, start: Ints) -> Design:
    """A rollout up to the period before one, with other starts."""
    outcomes: Outcomes = design.outcomes
    columns = np.flatnonzero(np.array(outcomes.months) < period)
    months = tuple(int(outcomes.months[k]) for k in columns)
    cut = replace(outcomes, months=months, values=outcomes.values[:, columns], clock=Clock.CALENDAR)
    units = design.units.assign(**{ENTRY_MONTH: start, TREATED: start <= months[-1]})
    return replace(design, units=units, outcomes=cut, seal=None)
