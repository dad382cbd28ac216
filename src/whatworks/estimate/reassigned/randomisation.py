r"""Randomisation inference: what the method would have found, had chance treated others.

Hypothesis
----------
Sharp: the outcomes of nobody changed by treatment (or all by :math:`\tau`, in every period under
treatment). Outcomes without treatment are then known, whoever is treated; only chance in the
assignment is called upon, so that the test is exact with any number of clusters, provided that every
assignment counted was as likely as the one that happened.

Statistic
---------
By default the estimate over its standard error, both fitted again under each assignment: the test is
then also right, in large samples, for the hypothesis that effects are zero on average only
(Wu & Ding 2021; MacKinnon & Webb 2020). The joint p-value is that of the largest over months.

Interval
--------
Values of :math:`\tau` not rejected. Where the estimate is linear in outcomes, and its squared error
quadratic, which is tried on every assignment, the set is exact given the assignments: no search is made. It
may reach to infinity or be several intervals; otherwise there is none.

References
----------
Fisher (1935); Imbens & Rubin (2015), ch. 5, doi:10.1017/CBO9781139025751; MacKinnon & Webb (2020),
doi:10.1016/j.jeconom.2020.04.024; Young (2019), doi:10.1093/qje/qjy029; Wu & Ding (2021),
doi:10.1080/01621459.2020.1750415.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, WhatworksError, choice, expect
from whatworks.estimate.protocol import Estimator
from whatworks.estimate.reassigned.assignment import Assignment, Places
from whatworks.estimate.reassigned.effects import two_stage_test
from whatworks.estimate.reassigned.record import RandomisationTest
from whatworks.estimate.reassigned.two_stage import TwoStage
from whatworks.estimate.record import Estimate, without_bands
from whatworks.stats.assignments import share_as_far
from whatworks.stats.clusters.inversion import ConfidenceSet, not_rejected

Floats = NDArray[np.float64]
Prepare = Callable[[Design], Design]

STATISTICS: Final = ("studentised", "raw")


@dataclass(frozen=True, slots=True)
class _Fits:
    """Estimates and squared errors as quadratics of a common shift, shape (n, 3, n_months) each.

    Axis 1: outcomes as they are, those of the treated raised by ``step``, and lowered by it.
    """

    effect: Floats
    variance: Floats


def randomisation(
    design: Design,
    estimator: Estimator,
    *,
    assignment: Assignment | TwoStage,
    months: Sequence[int] | None = None,
    statistic: Literal["studentised", "raw"] = "studentised",
    draws: int = 999,
    prepare: Prepare | None = None,
    rng: np.random.Generator | None = None,
) -> RandomisationTest:
    """Test an estimate against those of the assignments that were possible.

    Parameters
    ----------
    design : Design
        Not matched: a rollout, or a cross-section of those among whom treatment was drawn.
    estimator : Estimator
    assignment : Assignment or TwoStage
        What chance decided. That it did is for the user to know: nothing in the data can tell.
    months : sequence of int, optional
        By default all from the start on, of the term the estimate reads first.
    statistic : str
        ``"studentised"``: estimate over standard error; ``"raw"``: the estimate.
    draws : int
        Assignments drawn; where no more than that many (and the one that happened) are possible, all
        are tried.
    prepare : callable, optional
        From the design under an assignment to the one fitted, e.g.
        ``lambda d: d.matched(using=ww.Exact())``.
    rng : Generator, optional
        By default seeded with 0.

    Returns
    -------
    RandomisationTest

    Raises
    ------
    DesignRefused
        When only one assignment is possible, or the design does not show what could be re-assigned.
    """
    choice(statistic, STATISTICS, what="statistic")
    expect(design, Design, what="randomisation", remedy="give the design the method is fitted on")
    chance = np.random.default_rng(0) if rng is None else rng
    if isinstance(assignment, TwoStage):  # another draw, of which no one place has a start
        return two_stage_test(
            design if prepare is None else prepare(design),
            estimator,
            assignment=assignment,
            months=months,
            statistic=statistic,
            draws=draws,
            rng=chance,
        )
    expect(assignment, Assignment, what="assignment", remedy="write whatworks.Assignment(...)")
    places = Places.of(design, assignment)
    possible = places.n_assignments
    if possible < 2:
        raise DesignRefused(
            what="randomisation",
            needed="at least two assignments that were possible",
            found="one",
            remedy="widen the strata or the places eligible, if the assignment really was wider",
        )
    made = prepare or _as_it_is
    with without_bands():
        seen = estimator.fit(made(design))
        wanted = _wanted(seen, months)
        places = _smallest(places, estimator, made, wanted, _read(seen, wanted))
        exact = possible <= draws + 1
        others = places.every() if exact else places.drawn(draws, chance)
        fits = _refitted(places, estimator, made, wanted, chain([places.start], others))
    return _told(wanted, fits, assignment, possible, statistic=statistic, exact=exact)


def _as_it_is(design: Design) -> Design:
    return design


def _wanted(estimate: Estimate, months: Sequence[int] | None) -> pd.DataFrame:
    """Rows tested, over all cohorts and everyone."""
    rows = estimate.effects
    rows = rows[(rows["cohort"] == -1) & (rows["group"] == "all") & (rows["term"] == estimate.term)]
    rows = rows[rows["month"] >= 0] if months is None else rows[rows["month"].isin(list(months))]
    missing = set(months or ()) - set(rows["month"])
    if rows.empty or missing:
        raise OptionError(
            what="months",
            needed="months the method estimates over all cohorts",
            found=f"{len(missing)} others" if missing else "none from the start on",
            remedy="see .effects of its estimate for what there is",
        )
    return rows.reset_index(drop=True)


def _read(estimate: Estimate, wanted: pd.DataFrame) -> tuple[Floats, Floats]:
    """Effects and squared errors of the rows wanted, NaN where a fit lacks one."""
    rows, term = estimate.effects, wanted["term"].iloc[0]
    columns = (rows["cohort"], rows["group"], rows["term"], rows["month"])
    there = {
        month: k
        for k, (cohort, group, name, month) in enumerate(zip(*columns, strict=True))
        if cohort == -1 and group == "all" and name == term
    }
    at = np.array([there.get(month, -1) for month in wanted["month"]])
    found = [
        np.where(at < 0, np.nan, rows[column].to_numpy(dtype=float)[at])
        for column in ("estimate", "std_error")
    ]
    return found[0], found[1] ** 2


def _smallest(
    places: Places,
    estimator: Estimator,
    made: Prepare,
    wanted: pd.DataFrame,
    seen: tuple[Floats, Floats],
) -> Places:
    """Few units per place, where the method finds the same on it to the ninth digit; else as they are."""
    together = places.together()
    if together is None:
        return places
    try:
        found = _read(estimator.fit(made(together.design)), wanted)
    except WhatworksError:
        return places
    same = all(
        np.allclose(mine, theirs, rtol=1e-9, atol=0.0)
        for mine, theirs in zip(found, seen, strict=True)
    )
    return together if same else places


def _refitted(
    places: Places,
    estimator: Estimator,
    made: Prepare,
    wanted: pd.DataFrame,
    starts: Iterable[NDArray[np.int64]],
) -> _Fits:
    """Fits under each assignment, of outcomes as they are and shifted both ways; first the one seen."""
    values, treated = places.design.outcomes.values, places.under_treatment
    step = _step(values)
    versions = (values, values + step * treated, values - step * treated)
    effects, variances = [], []
    for start in starts:
        both = []
        for version in versions:
            try:
                found = _read(estimator.fit(made(places.under(start, version))), wanted)
            except (
                WhatworksError
            ):  # this assignment cannot be analysed: counted as being as far out
                found = (np.full(len(wanted), np.nan), np.full(len(wanted), np.nan))
            both.append(found)
        effects.append([effect for effect, _ in both])
        variances.append([variance for _, variance in both])
    return _Fits(np.array(effects), np.array(variances))


def _step(values: Floats) -> float:
    spread = float(np.nanstd(values))
    return spread if spread > 0 else 1.0


def _told(
    wanted: pd.DataFrame,
    fits: _Fits,
    assignment: Assignment,
    possible: int,
    *,
    statistic: str,
    exact: bool,
) -> RandomisationTest:
    drawn = fits.effect[:, 0]
    if statistic == "studentised":
        drawn = drawn / np.sqrt(np.where(fits.variance[:, 0] > 0, fits.variance[:, 0], np.nan))
    mine, others = drawn[0], drawn[1:]
    rows, sets = [], []
    for k, row in enumerate(wanted.itertuples()):
        found = _inverted(fits, k, statistic=statistic, exact=exact)
        sets.append(found)
        rows.append(
            {
                "term": row.term,
                "group": "all",
                "month": row.month,
                "estimate": row.estimate,
                "std_error": row.std_error,
                "statistic": mine[k],
                "p_value": share_as_far(mine[k], others[:, k], exact=exact),
                "p_greater": share_as_far(mine[k], others[:, k], exact=exact, side="greater"),
                "p_less": share_as_far(mine[k], others[:, k], exact=exact, side="less"),
                "conf_low": found.low,
                "conf_high": found.high,
            }
        )
    told = np.flatnonzero(np.isfinite(mine))
    largest = np.abs(mine[told]).max() if told.size else np.nan
    # An assignment undefined in some month is undefined in the largest: NaN goes through max.
    joint = np.abs(others[:, told]).max(axis=1) if told.size else np.empty(0)
    return RandomisationTest(
        table=pd.DataFrame(rows),
        sets=tuple(sets),
        p_joint=share_as_far(float(largest), joint, exact=exact),
        n_assignments=possible,
        n_tried=others.shape[0],
        exact=exact,
        n_undefined=int(np.isnan(others[:, told]).any(axis=1).sum()),
        assignment=assignment,
        statistic=statistic,
    )


def _inverted(fits: _Fits, k: int, *, statistic: str, exact: bool) -> ConfidenceSet:
    """Common effects that are not rejected in one month, exactly; empty where that cannot be said.

    With the effect of those treated taken away, an estimate is linear in what was taken away and its
    squared error quadratic. Everything is written in standard errors from the estimate.
    """
    effect, variance = fits.effect[:, :, k], fits.variance[:, :, k]
    point, scale = effect[0, 0], float(np.sqrt(variance[0, 0]))
    # Per step taken away: what the shifts moved, by differences.
    slope = (effect[:, 1] - effect[:, 2]) / 2
    own = slope[0]
    bent = np.abs(effect[:, 1] + effect[:, 2] - 2 * effect[:, 0])
    size = np.abs(effect).max(axis=1) + 1e-300
    if not (np.isfinite(scale) and scale > 0 and own > 0):
        return ConfidenceSet(intervals=())
    straight = np.isnan(bent) | (bent <= 1e-6 * size)
    if not straight.all():
        return ConfidenceSet(intervals=())
    # In steps: the estimate itself, and one standard error.
    at, by = point / own, scale / own
    top = np.column_stack([effect[:, 0] - at * slope, by * slope]) / scale
    under = np.zeros((effect.shape[0], 3))
    under[:, 0] = 1.0
    if statistic == "studentised":
        tilt = (variance[:, 1] - variance[:, 2]) / 4
        curve = (variance[:, 1] + variance[:, 2] - 2 * variance[:, 0]) / 2
        under[:, 0] = variance[:, 0] - 2 * at * tilt + at**2 * curve
        under[:, 1] = 2 * by * (tilt - at * curve)
        under[:, 2] = by**2 * curve
        under /= scale**2
    squared = np.column_stack([top[:, 0] ** 2, 2 * top[:, 0] * top[:, 1], top[:, 1] ** 2])
    mine = np.isfinite(np.hstack([squared, under])[1:]).all(axis=1)
    polynomials = _times(squared[1:], under[:1]) - _times(squared[:1], under[1:])
    found = not_rejected(
        polynomials[mine],
        always=float((~mine).sum()) + (0.0 if exact else 1.0),
        total=float(mine.size) + (0.0 if exact else 1.0),
    )
    return found.moved(centre=float(point), scale=scale)


def _times(one: Floats, other: Floats) -> Floats:
    """Products of quadratics, rows against rows, shape (n, 5)."""
    n = max(one.shape[0], other.shape[0])
    found = np.zeros((n, 5))
    for i in range(3):
        for j in range(3):
            found[:, i + j] += one[:, i] * other[:, j]
    return found
