"""A rollout on the clock of entry: each cohort beside its comparison, one under the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.kept import frame_of_units
from whatworks.design.looking.balance import population
from whatworks.design.parts import Candidates, Outcomes
from whatworks.design.question import Question
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice, expect
from whatworks.ledger import Ledger
from whatworks.vocabulary import (
    CONTROLS,
    ENTRY_MONTH,
    MARKET,
    PERSON,
    SAMPLING,
    Clock,
    Control,
    Supply,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def stack(
    design: Design,
    *,
    control: Control = "never_treated",
    before: int | None = None,
    after: int | None = None,
) -> Design:
    """Cohorts of a rollout one under the other, counted in periods since each one's start.

    Parameters
    ----------
    design : Design
        A rollout. Units that lack some period are left out and counted.
    control : str
        ``"never_treated"``: units not treated in any period observed; ``"not_yet_treated"``: units whose
        start comes more than ``after`` periods after the cohort's, so that none is treated within the
        window (Cengiz et al. 2019, doi:10.1093/qje/qjz014).
    before, after : int, optional
        Periods kept on each side of the start; by default all, and with ``not_yet_treated`` ``after``
        must be said.

    Returns
    -------
    Design
        A unit appears once per cohort it serves, under one ``person_id``; the comparison of each
        cohort weighs as much as its treated. A month in which a cohort is not observed is NaN for
        its units. Ready for `Design.matched`.

    Raises
    ------
    OptionError
        On unknown ``control`` or a window that is not of whole periods.
    DesignRefused
        When the design is no rollout, nobody is observed in every period, no cohort has a
        comparison, or the window holds no period from the start on.
    """
    expect(
        design, Design, what="stack", remedy="make one with Design.from_panel or whatworks.roll_out"
    )
    choice(control, CONTROLS, what="control")
    _check(design, control=control, before=before, after=after)
    start = design.units[ENTRY_MONTH].to_numpy()
    values = design.outcomes.values
    periods = np.array(design.outcomes.months, dtype=np.int64)
    whole = np.asarray(~np.isnan(values).any(axis=1))
    cohorts = np.unique(start[whole & (start <= periods[-1])])
    # Who starts after these periods is untreated in the whole window of each cohort.
    until = cohorts + (after or 0)
    if control == "never_treated":
        until = np.full(cohorts.size, periods[-1])
    parts = [
        _Part(
            cohort=int(g),
            treated=np.flatnonzero(whole & (start == g)),
            comparison=np.flatnonzero(whole & (start > end)),
        )
        for g, end in zip(cohorts, until, strict=True)
    ]
    parts = [part for part in parts if part.comparison.size]
    if not parts:
        raise DesignRefused(
            what="stack",
            needed=f"units observed in every period that can stand as {control.replace('_', ' ')}",
            found=f"none for any of {cohorts.size} cohorts, among {int(whole.sum())} such units",
            remedy="shorten after, choose another control, or use a method that keeps gaps",
        )
    since = _window(periods, parts, before=before, after=after)
    laid = [_since(values[part.rows], periods - part.cohort, since) for part in parts]
    return _on_the_clock_of_entry(design, parts, since, np.concatenate(laid), whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A cohort and its comparison: rows of the rollout."""

    cohort: int
    treated: Ints
    comparison: Ints

    @property
    def rows(self) -> Ints:
        return np.concatenate([self.treated, self.comparison])


def _check(design: Design, *, control: str, before: int | None, after: int | None) -> None:
    if Supply.ROLLOUT not in design.supplies:
        raise DesignRefused(
            what="stack",
            needed="a rollout: units by calendar period",
            found="outcomes by month since entry",
            remedy="use the design as it is, or make one with Design.from_panel",
        )
    for name, value in (("before", before), ("after", after)):
        if value is not None and (type(value) is not int or value < 0):
            raise OptionError(
                what=name,
                needed="a whole number of periods, 0 or more",
                found=repr(value),
                remedy="count periods on that side of the start, without a sign",
            )
    if control == "not_yet_treated" and after is None:
        raise DesignRefused(
            what="stack",
            needed="the number of periods after the start, with control='not_yet_treated'",
            found="none",
            remedy="say after=, so that no comparison is treated within the window",
        )


def _window(periods: Ints, parts: list[_Part], *, before: int | None, after: int | None) -> Ints:
    """Months since the start that some cohort is observed in, within the window asked."""
    starts = np.array([part.cohort for part in parts])
    since = np.unique(periods[None, :] - starts[:, None])
    inside = np.ones(since.size, dtype=bool)
    if before is not None:
        inside &= since >= -before
    if after is not None:
        inside &= since <= after
    if not (inside & (since >= 0)).any():
        raise DesignRefused(
            what="stack",
            needed="a period observed from the start on, within the window",
            found="none for any cohort",
            remedy="widen after",
        )
    return np.asarray(since[inside])


def _since(values: Floats, told: Ints, since: Ints) -> Floats:
    """Values of one cohort in the columns of the months since its start."""
    laid = np.full((values.shape[0], since.size), np.nan)
    place = np.searchsorted(since, told)
    held = (place < since.size) & (since[np.minimum(place, since.size - 1)] == told)
    laid[:, place[held]] = values[:, held]
    return laid


def _on_the_clock_of_entry(
    design: Design, parts: list[_Part], since: Ints, values: Floats, whole: Bools
) -> Design:
    """The design of rows laid out by month since the start."""
    rows = np.concatenate([part.rows for part in parts])
    units = design.units.iloc[rows]
    sampling = design.units[SAMPLING].to_numpy()
    weights, treated = [], []
    for part in parts:
        mine, theirs = sampling[part.treated], sampling[part.comparison]
        weights += [mine, theirs * (mine.sum() / theirs.sum())]
        treated += [np.ones(mine.size, dtype=bool), np.zeros(theirs.size, dtype=bool)]
    candidates = Candidates(
        treated=np.concatenate(treated),
        cell=np.repeat([part.cohort for part in parts], [part.rows.size for part in parts]),
        covariates=units[list(design.covariates)].to_numpy(dtype=float),
        names=design.covariates,
        weight=np.concatenate(weights),
    )
    outcomes = Outcomes(
        name=design.outcomes.name,
        unit=design.outcomes.unit,
        months=tuple(int(m) for m in since),
        values=values,
        accumulates=design.outcomes.accumulates,
        clock=Clock.ENTRY,
    )
    supplies = {Supply.COHORTS} | (design.supplies & {Supply.MARKETS, Supply.COVARIATES})
    # Units that start within the periods serve others while they wait: not never-treated.
    if (design.units[ENTRY_MONTH].to_numpy()[rows[~candidates.treated]] > _last(design)).all():
        supplies.add(Supply.NEVER_TREATED)
    if since[0] < 0:
        supplies.add(Supply.PRE_MONTHS)
    if np.unique(rows).size == rows.size:
        supplies.add(Supply.INDEPENDENT_UNITS)
    return replace(
        design,
        question=_question(design.question, parts, outcomes),
        units=frame_of_units(
            candidates,
            person=units[PERSON].to_numpy(),
            market=units[MARKET].to_numpy(dtype=object),
        ),
        outcomes=outcomes,
        supplies=frozenset(supplies),
        population=population(candidates, None),
        ledger=_ledger(design, rows, whole),
        seal=None,
    )


def _last(design: Design) -> int:
    return design.outcomes.months[-1]


def _question(question: Question, parts: list[_Part], outcomes: Outcomes) -> Question:
    """The same question at the horizons of the window, and the last that every cohort reaches."""
    reached = ~np.isnan(outcomes.values)
    ends = np.cumsum([part.rows.size for part in parts]) - 1
    every = reached[ends].all(axis=0)
    months = tuple(m for m in outcomes.months if m >= 0)
    shared = [m for m, held in zip(outcomes.months, every, strict=True) if held and m >= 0]
    primary = question.primary if question.primary in shared else max(shared, default=-1)
    return replace(question, months=months, primary=primary)


def _ledger(design: Design, rows: Ints, whole: Bools) -> Ledger:
    """Units, each counted once whatever the number of cohorts it serves."""
    used = np.zeros(whole.size, dtype=bool)
    used[rows] = True
    ledger = design.ledger
    start = design.units[ENTRY_MONTH].to_numpy()
    treated = start <= _last(design)
    for name, arm in (("stacked_treated", treated), ("stacked_comparison", ~treated)):
        reasons = {
            "incomplete_panel": int((arm & ~whole).sum()),
            "no_comparison": int((arm & whole & ~used).sum()),
        }
        ledger = ledger.add("design", name, unit="units", before=int(arm.sum()), dropped=reasons)
    return ledger
