"""A rollout of persons seen from their territories: one row per market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.kept import frame_of_units
from whatworks.design.looking.balance import population
from whatworks.design.parts import Candidates, Outcomes
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, expect
from whatworks.vocabulary import ENTRY_MONTH, MARKET, SAMPLING, Clock, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def territories(design: Design) -> Design:
    """A rollout whose units are the territories of another's.

    Parameters
    ----------
    design : Design
        A rollout that supplies markets; each person may be seen in one period only.

    Returns
    -------
    Design
        One row per market, in alphabetical order: means over its persons, by their sampling weights,
        of outcomes (period by period, over those observed) and of covariates. Its sampling weight is
        its size over the mean size of territories, so that effects weigh persons alike.

    Raises
    ------
    DesignRefused
        When the design is no rollout or names no market, or persons of one market start at different
        times; says how many.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"who": [1, 1, 2, 2, 3, 3], "t": [1, 2] * 3, "start": [2, 2] + [0] * 4,
    ...                       "zone": ["a", "a", "b", "b", "b", "b"], "y": [1.0, 5, 2, 3, 4, 5]})
    >>> persons = Design.from_panel(table, unit="who", period="t", first_treated="start",
    ...                             outcome="y", market="zone")
    >>> territories(persons).outcomes.values.tolist()
    [[1.0, 5.0], [3.0, 4.0]]
    """
    expect(
        design,
        Design,
        what="territories",
        remedy="make one with Design.from_panel or whatworks.roll_out",
    )
    lacking = {Supply.ROLLOUT, Supply.MARKETS} - design.supplies
    if lacking or not design.outcomes.opened:
        raise DesignRefused(
            what="territories",
            needed="a rollout, outcomes opened, that names the market of each unit",
            found="none of " + ", ".join(sorted(lacking))
            if lacking
            else "outcomes nobody has read",
            remedy="make it with Design.from_panel(..., market=...)",
        )
    names, number = np.unique(design.units[MARKET].to_numpy(dtype=object), return_inverse=True)
    start = design.units[ENTRY_MONTH].to_numpy()
    first = _one_start(start, number, names.size)
    weight = design.units[SAMPLING].to_numpy()
    size = np.bincount(number, weight, minlength=names.size)
    covariates = design.units[list(design.covariates)].to_numpy(dtype=float)
    candidates = Candidates(
        treated=first <= design.outcomes.months[-1],
        cell=first,
        covariates=_means(covariates, weight, number, names.size),
        names=design.covariates,
        weight=size / size.mean(),
    )
    ledger = design.ledger
    for name, arm in (
        ("territories_treated", candidates.treated),
        ("territories_comparison", ~candidates.treated),
    ):
        ledger = ledger.add("design", name, unit="territories", before=int(arm.sum()))
    return replace(
        design,
        units=frame_of_units(candidates, person=np.arange(names.size), market=names.astype(object)),
        outcomes=Outcomes(
            name=design.outcomes.name,
            unit=design.outcomes.unit,
            months=design.outcomes.months,
            values=_means(design.outcomes.values, weight, number, names.size),
            accumulates=design.outcomes.accumulates,
            clock=Clock.CALENDAR,
        ),
        population=population(candidates, None),
        ledger=ledger,
        seal=None,
    )


def _one_start(start: Ints, number: NDArray[np.intp], n: int) -> Ints:
    """Start of each market."""
    first = np.full(n, np.iinfo(np.int64).max)
    last = np.full(n, np.iinfo(np.int64).min)
    np.minimum.at(first, number, start)
    np.maximum.at(last, number, start)
    mixed = int((first != last).sum())
    if mixed:
        raise DesignRefused(
            what="territories",
            needed="one start for all persons of a market",
            found=f"{mixed} of {n} markets whose persons have different starts",
            remedy="cut markets so that treatment starts at once in each, or keep persons as units",
        )
    return first


def _means(values: Floats, weight: Floats, number: NDArray[np.intp], n: int) -> Floats:
    """Weighted mean of each column by market, over what is observed; NaN where nothing is."""
    means = np.full((n, values.shape[1]), np.nan)
    for k, column in enumerate(values.T):
        counted = np.where(np.isnan(column), 0.0, weight)
        total = np.bincount(number, counted, minlength=n)
        sums = np.bincount(number, counted * np.nan_to_num(column), minlength=n)
        np.divide(sums, total, out=means[:, k], where=total > 0)
    return means
