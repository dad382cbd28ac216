r"""Comparisons that start later leave, and those who remain stand for them.

Estimand
--------
What became of those who entered, against what would have become of them had they never started. Those
who entered are followed whatever becomes of their stay.

Equation
--------
A comparison is followed until the month before it starts. Followed :math:`h` months after month
:math:`e`, it counts :math:`\prod_{m=e+1}^{e+h}(1-\hat\lambda_m)^{-1}`, where :math:`\hat\lambda_m` is the
chance of starting in month :math:`m` given the history as of the month before, fitted once over all
person-months in which some comparison is followed (``stats/hazard.py``).

Identification
--------------
Given those histories, refreshed every month, starting is independent of what would become of the
person without it; and nobody followed was bound to start.

Inference
---------
Estimators take the factors as known. Estimating them makes the effect less variable, not more, when
the hazard is rightly specified: errors are on the safe side.

Edge cases
----------
Covariates are the design's; those of persons and places are as at the first month in which a person is
compared. Months have intercepts of their own, apart for those in every eligible state and for others.
No numerator stabilises the factors: one that varied with the month of entry would move comparisons
away from the months of those they stand for. None exceeds `MOST_TIMES_MEAN` times the mean of its
month. Follow-up also ends where a month's history or accompaniments were not seen; that is counted
apart, and nobody stands for it. Where nobody starts every factor is one.

References
----------
Robins & Finkelstein (2000), doi:10.1111/j.0006-341X.2000.00779.x. Hernán & Robins (2016),
doi:10.1093/aje/kwv254. Cole & Hernán (2008), doi:10.1093/aje/kwn164.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from whatworks.design.covariates import Term, parse
from whatworks.design.question import Question
from whatworks.design.riskset.counting import Counters
from whatworks.design.riskset.histories import (
    Columns,
    counted,
    elapsed,
    elapsed_column,
    history_terms,
    lags,
    latest,
    latest_column,
    of_the_row,
    value_of,
)
from whatworks.design.tables.schemas import ROLES
from whatworks.errors import DesignRefused
from whatworks.panel.record import Panel
from whatworks.stats.hazard import capped, fit_hazard, log_remaining, standing_for
from whatworks.vocabulary import (
    ENTRY_MONTH,
    MONTH,
    PERSON,
    SAMPLING,
    TREATED,
    WEIGHT,
    Kind,
    Versus,
    state_column,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_TIMES_MEAN: Final = 20.0
"""No unit stands for more than so many times what those followed in the month stand for on average."""
ACCOMPANIED: Final = "accompanied"
ROW: Final = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How long comparisons are followed, and what they count meanwhile.

    Parameters
    ----------
    weights : ndarray of shape (n_units, n_months)
        1 for those who entered; for a comparison how many it stands for, 0 once it is censored.
    months : DataFrame
        ``month, n_followed, share_started, share_unseen, mean_weight, max_weight, n_capped,
        effective_n``: of comparisons, by month since entry. Shares are of their weight in the
        design; ``effective_n`` is the square of the summed weights over the sum of their squares.
    """

    weights: Floats
    months: pd.DataFrame


def follow_comparisons(
    panel: Panel, question: Question, units: pd.DataFrame, *, months: Sequence[int]
) -> Followed:
    """Follow comparisons until the month before they start.

    Parameters
    ----------
    panel : Panel
    question : Question
    units : DataFrame
        Units of a design; covariates that are histories are read anew every month.
    months : sequence of int
        Months since entry.

    Raises
    ------
    DesignRefused
        When the comparison cannot start, or starts so surely that nobody can stand for it.
    """
    _can_start(question)
    horizons = np.asarray(months, dtype=np.int64)
    compared = ~units[TREATED].to_numpy()
    whole = units[compared]
    persons, place = np.unique(whole[PERSON].to_numpy(), return_inverse=True)
    entry = whole[ENTRY_MONTH].to_numpy().astype(np.int64) - panel.first
    terms, attributes = _covariates(panel, units)
    lives = _read(panel, question, terms, persons)
    until, started = _followed_until(lives, place, entry)
    followed = (entry[:, None] + horizons < until[:, None]) | (horizons <= 0)
    at_risk = _at_risk(lives, place, entry, until)
    standing = standing_for(
        _remaining(lives, whole, attributes, place, at_risk=at_risk),
        person=place,
        entry=entry,
        months=horizons,
        followed=followed,
    )
    weight = whole[WEIGHT].to_numpy()
    bounded, n_capped = capped(standing, weight=weight, most=MOST_TIMES_MEAN)
    weights = np.ones((len(units), horizons.size))
    weights[compared] = bounded
    return Followed(
        weights=weights,
        months=_by_month(horizons, bounded, followed, started, weight, n_capped),
    )


def _covariates(panel: Panel, units: pd.DataFrame) -> tuple[tuple[Term, ...], tuple[str, ...]]:
    """Covariates of a design that are read anew every month, and columns of the others."""
    names = [str(name) for name in units.columns if name not in ROLES]
    # A category has one column for each of its levels, and its name is no term.
    terms = history_terms(parse(name, panel) for name in names if "=" not in name)
    refreshed = {term.name for term in terms}
    return terms, tuple(name for name in names if name not in refreshed)


def _can_start(question: Question) -> None:
    """Refuse comparisons for which starting later has no meaning."""
    if question.versus == Versus.NEVER_IN_WINDOW:
        found, remedy = "those who never do", "compare with 'not_yet_started'"
    elif question.landmark[0] is not None:
        found, remedy = "those whose stay was of another length", "write later_starts='keep'"
    else:
        return
    raise DesignRefused(
        what="later_starts='censor'",
        needed="comparisons that may start later",
        found=found,
        remedy=remedy,
    )


@dataclass(frozen=True, slots=True)
class _Lives:
    """Months of the persons compared; grids of shape (n_persons, n_months of the panel).

    ``inside`` whether in an accompaniment that ends the follow-up, ``seen`` whether that and the
    history of the month before are known, ``eligible`` whether in every eligible state the month
    before. ``rows`` are the person-months with their ``histories``, ``at`` where they lie.
    """

    inside: Bools
    seen: Bools
    eligible: Bools
    rows: pa.Table
    at: tuple[Ints, Ints]
    histories: tuple[str, ...]

    def columns(self, taken: Bools) -> list[Floats]:
        """Histories of the rows taken."""
        return [self.rows[name].to_numpy()[taken].astype(float) for name in self.histories]


def _read(panel: Panel, question: Question, terms: tuple[Term, ...], persons: Ints) -> _Lives:
    """Read the months of some persons from the engine."""
    wanted = ibis.memtable(pd.DataFrame({PERSON: persons, ROW: np.arange(persons.size)}))
    theirs = replace(panel, table=panel.table.semi_join(wanted, PERSON))
    standing = tuple(parse(f"{state}.lag1", panel) for state in question.eligible)
    every = tuple({t.name: t for t in (*terms, *standing)}.values())
    rows = _refreshed(theirs, question, every).join(wanted, PERSON).drop(PERSON).to_pyarrow()
    at = rows[ROW].to_numpy(), rows[MONTH].to_numpy().astype(np.int64) - panel.first
    known = np.ones(len(rows), dtype=bool)
    for name in (ACCOMPANIED, *(t.name for t in terms)):
        known &= rows[name].is_valid().to_numpy()
    eligible = np.ones(len(rows), dtype=bool)
    for term in standing:
        eligible &= rows[term.name].fill_null(0).to_numpy() > 0

    def grid(values: Bools) -> Bools:
        laid = np.zeros((persons.size, panel.last - panel.first + 1), dtype=bool)
        laid[at] = values
        return laid

    return _Lives(
        inside=grid(rows[ACCOMPANIED].fill_null(0).to_numpy() > 0),
        seen=grid(known),
        eligible=grid(eligible),
        rows=rows,
        at=at,
        histories=tuple(t.name for t in terms),
    )


def _refreshed(panel: Panel, question: Question, terms: tuple[Term, ...]) -> ibis.Table:
    """Person-months with the histories of the month before and the accompaniment of the month."""
    table = panel.table
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    counters = Counters(names=counted(terms), first=panel.first)
    columns: Columns = dict(of_the_row(table, counters.names))
    columns[ACCOMPANIED] = (table[_ends_follow_up(question)] > 0).cast("int8")
    for term in terms:
        if term.act == "value":
            columns[term.name] = table[term.base].lag(term.k).over(order)
        elif term.act == "elapsed":
            columns[elapsed_column(term.base)] = elapsed(panel, term.base)
        elif term.act == "since":
            columns[latest_column(term.base)] = latest(table, term.base)
    monthly = table.select(PERSON, MONTH, **columns)
    kept: Columns = {ACCOMPANIED: monthly[ACCOMPANIED]}
    for term in terms:
        if term.act == "value":
            kept[term.name] = monthly[term.name]
        elif term.act == "elapsed":
            kept[term.name] = monthly[elapsed_column(term.base)].lag(1).over(order)
        elif term.act == "since":
            name = latest_column(term.base)
            kept[name] = monthly[name].lag(1).over(order)
    summed = monthly.select(
        PERSON, MONTH, **kept, **counters.running({n: monthly[n] for n in counters.names})
    )
    lagged = summed.mutate(**counters.lagged(summed, lags(terms)))
    return lagged.select(
        PERSON, MONTH, ACCOMPANIED, **{t.name: value_of(t, lagged, counters) for t in terms}
    )


def _ends_follow_up(question: Question) -> str:
    """Panel column of what a comparison may start later: anything, or the treatment alone.

    Those compared in another accompaniment, or in the first step of a sequence, are in one already.
    """
    alone = question.other_type is not None or question.after is not None
    return state_column(Kind.ACCOMPANIMENT, question.treatment if alone else None)


def _followed_until(lives: _Lives, place: Ints, entry: Ints) -> tuple[Ints, Bools]:
    """First month in which each unit is no longer followed, and whether because it started."""
    n_months = lives.inside.shape[1]
    starts = _next(lives.inside)[place, np.minimum(entry + 1, n_months)]
    unseen = _next(~lives.seen)[place, np.minimum(entry + 1, n_months)]
    return np.minimum(starts, unseen), (starts <= unseen) & (starts < n_months)


def _next(happens: Bools) -> Ints:
    """First month, from each month on, in which something happens; shape (n_persons, n_months + 1)."""
    n_months = happens.shape[1]
    when = np.where(happens, np.arange(n_months), n_months)
    ahead = np.minimum.accumulate(when[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([ahead, np.full((len(happens), 1), n_months)], axis=1)


def _remaining(
    lives: _Lives, units: pd.DataFrame, attributes: Sequence[str], place: Ints, *, at_risk: Bools
) -> Floats:
    """Cumulative log-probability of not having started, for persons and months of the panel."""
    n_persons, n_months = lives.inside.shape
    taken = at_risk[lives.at]
    person, month = (index[taken] for index in lives.at)
    first = np.full(n_persons, place.size)
    np.minimum.at(first, place, np.arange(place.size))
    fixed = units[list(attributes)].to_numpy(dtype=float)[first]
    covariates = np.column_stack([*lives.columns(taken), fixed[person]])
    hazard = fit_hazard(
        covariates,
        lives.inside[person, month],
        group=month + n_months * lives.eligible[person, month],
        weight=units[SAMPLING].to_numpy(dtype=float)[first][person],
    )
    if not hazard.converged or hazard.certain:
        raise DesignRefused(
            what="later_starts='censor'",
            needed="histories that leave every comparison a chance not to start",
            found=f"{hazard.n_starts} later starts, told apart for certain by {covariates.shape[1]} "
            "covariates",
            remedy="use fewer covariates, or write later_starts='keep'",
        )
    return log_remaining(
        hazard.chance, person=person, month=month, n_persons=n_persons, n_months=n_months
    )


def _at_risk(lives: _Lives, place: Ints, entry: Ints, until: Ints) -> Bools:
    """Person-months in which some unit is followed, that of its start included."""
    n_persons, n_months = lives.inside.shape
    change = np.zeros((n_persons, n_months + 2), dtype=np.int32)
    np.add.at(change, (place, np.minimum(entry + 1, n_months)), 1)
    np.add.at(change, (place, np.minimum(until + 1, n_months + 1)), -1)
    return np.asarray((np.cumsum(change, axis=1)[:, :n_months] > 0) & lives.seen)


def _by_month(
    horizons: Ints,
    standing: Floats,
    followed: Bools,
    started: Bools,
    weight: Floats,
    n_capped: Ints,
) -> pd.DataFrame:
    """Who is still followed, by month since entry."""
    total = weight.sum()
    counts = weight[:, None] * standing
    held = weight @ followed
    squares = (counts**2).sum(axis=0)
    nobody = np.where(held > 0, 1.0, np.nan)
    return pd.DataFrame(
        {
            MONTH: horizons,
            "n_followed": followed.sum(axis=0),
            "share_started": (weight * started) @ ~followed / total,
            "share_unseen": (weight * ~started) @ ~followed / total,
            "mean_weight": counts.sum(axis=0) / np.where(held > 0, held, np.nan),
            "max_weight": standing.max(axis=0, initial=0.0) * nobody,
            "n_capped": n_capped,
            "effective_n": counts.sum(axis=0) ** 2 / np.where(squares > 0, squares, np.nan),
        }
    )
