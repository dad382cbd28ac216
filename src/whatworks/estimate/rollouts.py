"""What a method reads of a rollout, and the one shape in which it gives effects back.

Whatever the method, effects by cohort and period are `Cells`; `estimate_of_cells` makes the estimate,
`aggregate` averages it otherwise. Neither fits anything again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.record import Estimate, effects_table
from whatworks.ledger import Ledger
from whatworks.stats.did.aggregation import (
    Averages,
    by_shares,
    evenly,
    mean_by_shares,
    mean_of,
)
from whatworks.stats.multipliers import Draws
from whatworks.stats.synthetic.placebos import Placebos
from whatworks.stats.uncertainty import Influence, Uncertainty
from whatworks.vocabulary import DOSE, ENTRY_MONTH, MARKET, PERSON, SAMPLING

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CELLS: Final = "cells"
"""Key of an estimate's extras under which its cells lie."""
AVERAGES: Final = ("simple", "dynamic", "cohort", "period")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Units of a rollout as columns.

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
        NaN where a unit is not observed.
    periods : ndarray of int, shape (n_periods,)
        Increasing, not always evenly spaced.
    start : ndarray of int, shape (n,)
        First treated period, possibly after the last one observed; `vocabulary.NEVER` for none.
    covariates : ndarray of shape (n, k)
    weight : ndarray of shape (n,)
        Sampling weights.
    cluster : ndarray of int, shape (n,)
        Number of each unit's cluster, 0 to ``n_clusters`` − 1.
    n_clusters : int
    level : str
        ``"person"`` or ``"market"``.
    ledger : Ledger
    dose : ndarray of shape (n,) or None
        NaN for units never treated; None where the design says none.
    """

    values: Floats
    periods: Ints
    start: Ints
    covariates: Floats
    weight: Floats
    cluster: Ints
    n_clusters: int
    level: Literal["person", "market"]
    ledger: Ledger
    dose: Floats | None = None

    @classmethod
    def of(
        cls,
        design: Design,
        *,
        cluster: Literal["person", "market"],
        gaps: Literal["drop", "keep"] = "drop",
        anticipation: int = 0,
    ) -> Rollout:
        """Columns of a design.

        Parameters
        ----------
        design : Design
            That supplies a rollout.
        cluster : str
            What errors are summed over; a person has one market, so that clustering by market is
            clustering by both.
        gaps : str
            ``"drop"``: units not observed in some period are left out and counted; ``"keep"``: they
            take part in the periods in which they are.
        anticipation : int
            Periods before the start in which units may react already: those that start that close
            to the first period have no period to be compared with, and are left out and counted.

        Raises
        ------
        DesignRefused
            When nobody is left.
        """
        units, outcomes = design.units, design.outcomes
        start = units[ENTRY_MONTH].to_numpy()
        holed = _holed(outcomes.values) & (gaps == "drop")
        early = start <= outcomes.months[0] + anticipation
        keep = ~(holed | early)
        treated = start <= outcomes.months[-1]
        ledger = design.ledger
        for name, arm in (("observed_treated", treated), ("observed_comparison", ~treated)):
            reasons = {
                "incomplete_panel": int((arm & holed).sum()),
                "treated_from_start": int((arm & ~holed & early).sum()),
            }
            ledger = ledger.add(
                "estimate", name, unit="units", before=int(arm.sum()), dropped=reasons
            )
        if not keep.any():
            raise DesignRefused(
                what="the rollout",
                needed="units observed in every period" if gaps == "drop" else "units observed",
                found=f"none of {keep.size}",
                remedy="choose gaps='keep': units count in the periods in which they are observed",
            )
        rows: slice | Bools = slice(None) if keep.all() else keep
        number, n_clusters = _numbered(
            units[PERSON if cluster == "person" else MARKET].to_numpy()[rows]
        )
        return cls(
            values=outcomes.values[rows],
            periods=np.array(outcomes.months, dtype=np.int64),
            start=start[rows],
            covariates=units[list(design.covariates)].to_numpy(dtype=float)[rows],
            weight=units[SAMPLING].to_numpy()[rows],
            cluster=number,
            n_clusters=n_clusters,
            level=cluster,
            ledger=ledger,
            dose=units[DOSE].to_numpy()[rows] if DOSE in units else None,
        )

    @property
    def cohorts(self) -> Ints:
        """Starts within the periods observed, increasing."""
        return np.unique(self.start[self.start <= self.periods[-1]])

    def shares(self) -> tuple[Floats, Floats]:
        """Share of each cohort among all units, and each cluster's influence on it.

        Returns
        -------
        share : ndarray of shape (n_cohorts,)
        influence : ndarray of shape (n_clusters, n_cohorts)
        """
        total = self.weight.sum()
        share = np.empty(self.cohorts.size)
        influence = np.empty((self.n_clusters, self.cohorts.size))
        for k, g in enumerate(self.cohorts):
            mine = self.weight * (self.start == g)
            share[k] = mine.sum() / total
            apart = mine - self.weight * share[k]
            influence[:, k] = np.bincount(self.cluster, apart, minlength=self.n_clusters) / total
        return share, influence


@dataclass(frozen=True, slots=True, kw_only=True)
class Leads:
    """Differences before the start over all cohorts, of a method that has none by cohort.

    Parameters
    ----------
    month : ndarray of int, shape (n_leads,)
        Periods since the start: negative.
    effect : ndarray of shape (n_leads,)
    n_treated, n_comparison : ndarray of int, shape (n_leads,)
    """

    month: Ints
    effect: Floats
    n_treated: Ints
    n_comparison: Ints


def _holed(values: Floats) -> Bools:
    """Units not observed in some period: a sum shows a gap, and only sums are held for all."""
    with np.errstate(invalid="ignore"):
        holed = np.asarray(np.isnan(values.sum(axis=1)))
    found = np.flatnonzero(holed)
    holed[found] = np.isnan(values[found]).any(axis=1)
    return holed


def _numbered(labels: NDArray[np.generic]) -> tuple[Ints, int]:
    """Numbers of labels in their order, and how many there are."""
    if labels.dtype.kind == "i" and (np.diff(labels) > 0).all():
        return np.arange(labels.size, dtype=np.int64), labels.size
    names, number = np.unique(labels, return_inverse=True)
    return number.astype(np.int64), names.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Effects by cohort and period: what every method of this family gives.

    Parameters
    ----------
    cohort, period : ndarray of int, shape (n_cells,)
        First treated period of the cohort, and period in which the effect is read.
    effect : ndarray of shape (n_cells,)
    n_treated, n_comparison : ndarray of int, shape (n_cells,)
        Units that tell it.
    cohorts : ndarray of int, shape (n_cohorts,)
        Increasing.
    share : ndarray of shape (n_shares,)
        Share of each cohort among all units; or, with ``places``, the weight observed in each cell
        over that of all units.
    uncertainty : Uncertainty
        Of the cells, then of the shares, then of the leads: ``n_cells + n_shares + n_leads`` terms.
    last : int
        Last period observed.
    anticipation : int
    df : float
        Degrees of freedom of intervals.
    term : str
        What rows by month and by cohort are called.
    places : ndarray of int, shape (n_cells,), optional
        Position of each cell among the shares; by default that of its cohort. Where units are missing
        here and there, a method that averages over observations gives every cell a share of its own.
    leads : Leads, optional
        Differences before the start that are read apart from cells.
    """

    cohort: Ints
    period: Ints
    effect: Floats
    n_treated: Ints
    n_comparison: Ints
    cohorts: Ints
    share: Floats
    uncertainty: Uncertainty
    last: int
    anticipation: int = 0
    df: float = np.inf
    term: str = "att"
    places: Ints | None = None
    leads: Leads | None = None

    @property
    def place(self) -> Ints:
        """Position of each cell among the shares."""
        if self.places is not None:
            return self.places
        return np.searchsorted(self.cohorts, self.cohort)

    @property
    def month(self) -> Ints:
        """Periods since the cohort's start; negative before it."""
        return np.asarray(self.period - self.cohort)


Row = dict[str, Any]
Averaged = tuple[list[Row], Averages]


def estimate_of_cells(
    cells: Cells,
    *,
    method: str,
    options: Mapping[str, Any],
    unit: str,
    ledger: Ledger,
    extras: Mapping[str, Any] | None = None,
) -> Estimate:
    """Estimate with effects by month since the start over all cohorts, then by cohort.

    Parameters
    ----------
    cells : Cells
    method, options, unit, ledger, extras
        As `Estimate` holds them; cells are added to the extras.
    """
    rows, overall = _by_month(cells, _every(cells))
    n_cells = cells.effect.size
    alone = np.eye(n_cells, dtype=bool)
    rows += [
        _row(cells.term, cells, alone[k], cohort=int(g), month=int(m))
        for k, (g, m) in enumerate(zip(cells.cohort, cells.month, strict=True))
    ]
    each = evenly(_finite(cells), cells.share.size, members=alone)
    both = _stacked([overall, Averages(value=cells.effect, gradient=each.gradient)])
    if cells.leads is not None:
        before, both = _after_leads(cells.leads, both)
        rows = before + rows
    effects, uncertainty = _told(rows, both, cells, unit=unit)
    return Estimate(
        method=method,
        options=options,
        effects=effects,
        uncertainty=uncertainty,
        ledger=ledger,
        extras={**(extras or {}), CELLS: cells},
    )


def cells_of(estimate: Estimate, *, what: str) -> Cells:
    """Cells of an estimate, or an `OptionError` where its method gives none."""
    cells = estimate.extras.get(CELLS)
    if not isinstance(cells, Cells):
        raise OptionError(
            what=what,
            needed="an estimate by cohort and period, such as that of CallawaySantAnna",
            found=f"one of {estimate.method}",
            remedy="fit such a method on a rollout (Design.from_panel)",
        )
    return cells


def aggregate(
    estimate: Estimate,
    *,
    by: str = "simple",
    balanced: int | None = None,
    first: int | None = None,
    last: int | None = None,
    weights: Mapping[tuple[int, int], float] | None = None,
) -> Estimate:
    """Effects of a rollout averaged otherwise; nothing is fitted again.

    Parameters
    ----------
    estimate : Estimate
        Of a method that gives effects by cohort and period.
    by : str
        ``"simple"``: over all cells after the start, by the cohorts' shares; ``"dynamic"``: by month
        since the start, and the mean of the months from the start on; ``"cohort"``: by cohort, and
        their mean by shares; ``"period"``: by calendar period, and the mean of periods.
    balanced : int, optional
        With ``"dynamic"``: only cohorts observed at least that many periods after their start, read
        up to there, so that no month averages other cohorts than the next.
    first, last : int, optional
        Months since the start between which cells are read.
    weights : mapping of (cohort, month) to float, optional
        One average with these weights, known rather than estimated, instead of ``by``; they are
        brought to a sum of one.

    Returns
    -------
    Estimate
        Term ``average`` for what is over all cells (month 0, cohort −1); for what it averages, terms
        ``att`` (by month), ``cohort`` (month 0) or ``period`` (month 0, the period as ``group``).

    Raises
    ------
    OptionError
        When the estimate has no cells, or weights name a cell it lacks.
    DesignRefused
        When no cell is left to average.
    """
    cells = cells_of(estimate, what="aggregate")
    choice(by, AVERAGES, what="by")
    if balanced is not None and by != "dynamic":
        raise OptionError(
            what="balanced",
            needed="by='dynamic'",
            found=f"by={by!r}",
            remedy="leave it out, or choose by='dynamic'",
        )
    if weights is not None:
        rows, averages = _weighted(cells, weights)
    else:
        kept = _between(cells, balanced=balanced, first=first, last=last)
        rows, averages = _AVERAGED[by](cells, kept)
    along = {"cohort": "cohort", "period": "group"}.get(by, "month")
    unit = str(estimate.effects["unit"].iloc[0])
    effects, uncertainty = _told(rows, averages, cells, unit=unit, along=along)
    return replace(estimate, effects=effects, uncertainty=uncertainty)


def _after_leads(leads: Leads, averages: Averages) -> Averaged:
    """Rows of the leads, and the leads before the averages."""
    n_leads, n_terms = leads.effect.size, averages.gradient.shape[1]
    rows = [
        {
            "term": "att",
            "cohort": -1,
            "month": int(leads.month[k]),
            "group": "all",
            "n_treated": int(leads.n_treated[k]),
            "n_comparison": int(leads.n_comparison[k]),
        }
        for k in range(n_leads)
    ]
    wide = np.pad(averages.gradient, ((0, 0), (0, n_leads)))
    own = np.eye(n_leads, n_terms + n_leads, k=n_terms)
    return rows, Averages(
        value=np.concatenate([leads.effect, averages.value]), gradient=np.vstack([own, wide])
    )


def _every(cells: Cells) -> Bools:
    return np.ones(cells.effect.size, dtype=bool)


def _between(cells: Cells, *, balanced: int | None, first: int | None, last: int | None) -> Bools:
    """Cells an average may read."""
    kept = _every(cells)
    if first is not None:
        kept &= cells.month >= first
    if last is not None:
        kept &= cells.month <= last
    if balanced is not None:
        kept &= (cells.last - cells.cohort >= balanced) & (cells.month <= balanced)
    if not (kept & (cells.month >= 0) & np.isfinite(cells.effect)).any():
        raise DesignRefused(
            what="aggregate",
            needed="an effect after the start among the cells kept",
            found="none",
            remedy="widen first, last or balanced",
        )
    return kept


def _row(term: str, cells: Cells, members: Bools, **place: Any) -> Row:
    row: Row = {"term": term, "cohort": -1, "month": 0, "group": "all"}
    counts = {
        "n_treated": int(cells.n_treated[members].sum()),
        "n_comparison": int(cells.n_comparison[members].sum()),
    }
    return {**row, **place, **counts}


def _known(cells: Cells, kept: Bools) -> Bools:
    return np.asarray(kept & np.isfinite(cells.effect))


def _simple(cells: Cells, kept: Bools) -> Averaged:
    members = (_known(cells, kept) & (cells.month >= 0))[None, :]
    averages = by_shares(_finite(cells), cells.place, cells.share, members=members)
    return [_row("average", cells, members[0])], averages


def _by_month(cells: Cells, kept: Bools) -> Averaged:
    known = _known(cells, kept)
    months = np.unique(cells.month[known])
    members = known & (cells.month == months[:, None])
    averages = by_shares(_finite(cells), cells.place, cells.share, members=members)
    rows = [_row(cells.term, cells, m, month=int(e)) for e, m in zip(months, members, strict=True)]
    return rows, averages


def _dynamic(cells: Cells, kept: Bools) -> Averaged:
    rows, by_month = _by_month(cells, kept)
    after = np.array([row["month"] >= 0 for row in rows])
    overall = mean_of(Averages(value=by_month.value[after], gradient=by_month.gradient[after]))
    mean = _row("average", cells, _known(cells, kept) & (cells.month >= 0))
    return [mean, *rows], _stacked([overall, by_month])


def _by_cohort(cells: Cells, kept: Bools) -> Averaged:
    after = _known(cells, kept) & (cells.month >= 0)
    names = np.unique(cells.cohort[after])
    members = after & (cells.cohort == names[:, None])
    averages = evenly(_finite(cells), cells.share.size, members=members)
    parts = np.zeros((names.size, cells.share.size), dtype=bool)
    which, cell = np.nonzero(members)
    parts[which, cells.place[cell]] = True
    overall = mean_by_shares(averages, cells.share, parts=parts)
    rows = [_row("cohort", cells, m, cohort=int(g)) for g, m in zip(names, members, strict=True)]
    return [_row("average", cells, after), *rows], _stacked([overall, averages])


def _by_period(cells: Cells, kept: Bools) -> Averaged:
    after = _known(cells, kept) & (cells.month >= 0)
    after &= cells.period >= cells.cohorts.min()
    periods = np.unique(cells.period[after])
    members = after & (cells.period == periods[:, None])
    averages = by_shares(_finite(cells), cells.place, cells.share, members=members)
    rows = [_row("period", cells, m, group=str(t)) for t, m in zip(periods, members, strict=True)]
    return [_row("average", cells, after), *rows], _stacked([mean_of(averages), averages])


_AVERAGED: Final = {
    "simple": _simple,
    "dynamic": _dynamic,
    "cohort": _by_cohort,
    "period": _by_period,
}


def _weighted(cells: Cells, weights: Mapping[tuple[int, int], float]) -> Averaged:
    """One average with known weights."""
    place = {
        (int(g), int(m)): k
        for k, (g, m) in enumerate(zip(cells.cohort, cells.month, strict=True))
        if np.isfinite(cells.effect[k])
    }
    unknown = [key for key in weights if key not in place]
    total = sum(weights.values())
    if unknown or not weights or total == 0:
        raise OptionError(
            what="weights",
            needed="weights of cells (cohort, month) that were estimated, of a sum that is not zero",
            found=f"{len(unknown)} other cells" if unknown else "a sum of zero",
            remedy="see the rows of .effects by cohort for the cells there are",
        )
    row = np.zeros((1, cells.effect.size + cells.share.size))
    for key, weight in weights.items():
        row[0, place[key]] = weight / total
    members = row[0, : cells.effect.size] != 0
    value = row[:, : cells.effect.size] @ _finite(cells)
    return [_row("average", cells, members)], Averages(value=value, gradient=row)


def _finite(cells: Cells) -> Floats:
    """Effects with zero where undefined: such a cell is a member of no average."""
    return np.nan_to_num(cells.effect)


def _stacked(parts: Sequence[Averages]) -> Averages:
    return Averages(
        value=np.concatenate([p.value for p in parts]),
        gradient=np.vstack([p.gradient for p in parts]),
    )


def _told(
    rows: Sequence[Row], averages: Averages, cells: Cells, *, unit: str, along: str = "month"
) -> tuple[pd.DataFrame, Uncertainty]:
    """Effects and their uncertainty, in one order."""
    uncertainty = cells.uncertainty.combine(averages.gradient)
    effects = effects_table(
        rows,
        averages.value,
        uncertainty.covariance(),
        unit=unit,
        df=cells.df,
        influence=uncertainty if isinstance(uncertainty, Influence | Draws) else None,
        along=along,
        placebos=uncertainty if isinstance(uncertainty, Placebos) else None,
    )
    return effects, uncertainty
