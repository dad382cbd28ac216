"""From cells to an estimate, and from an estimate to its other averages; nothing is fitted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.cells import CELLS, Cells, Leads, cells_of
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

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

AVERAGES: Final = ("simple", "dynamic", "cohort", "period")

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
    if not np.isfinite(cells.effect).any():
        raise DesignRefused(
            what=method,
            needed="an effect that the data determine",
            found="none: covariates, or units and periods, explain treatment already",
            remedy="leave out covariates that tell who is treated, or bring more units and periods",
        )
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
    _check_months(balanced=balanced, first=first, last=last)
    if weights is not None:
        if by != "simple" or first is not None or last is not None:
            raise OptionError(
                what="weights",
                needed="no by, first or last beside them",
                found="one of these",
                remedy="weigh only the cells that you want read",
            )
        rows, averages = _weighted(cells, weights)
    else:
        kept = _between(cells, balanced=balanced, first=first, last=last)
        rows, averages = _AVERAGED[by](cells, kept)
    along = {"cohort": "cohort", "period": "group"}.get(by, "month")
    unit = str(estimate.effects["unit"].iloc[0])
    effects, uncertainty = _told(rows, averages, cells, unit=unit, along=along)
    return replace(estimate, effects=effects, uncertainty=uncertainty)


def _check_months(**months: object) -> None:
    """Refuse what is not a whole number of periods."""
    for name, value in months.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, Integral)):
            raise OptionError(
                what=name,
                needed="a whole number of periods",
                found=f"a {type(value).__name__}",
                remedy="count periods since the start",
            )


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
    """A row of effects. A unit counts once, however many of the cells averaged it serves.

    The treated of a cohort are the same in its cells; comparisons of a cell are among those of the cell
    that has the most.
    """
    row: Row = {"term": term, "cohort": -1, "month": 0, "group": "all"}
    cohort = np.searchsorted(cells.cohorts, cells.cohort[members])
    treated = np.zeros(cells.cohorts.size, dtype=np.int64)
    np.maximum.at(treated, cohort, cells.n_treated[members])
    counts = {
        "n_treated": int(treated.sum()),
        "n_comparison": int(cells.n_comparison[members].max(initial=0)),
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
    if not (isinstance(weights, Mapping) and all(_is_finite(w) for w in weights.values())):
        raise OptionError(
            what="weights",
            needed="a finite number for each cell (cohort, month)",
            found="something else",
            remedy="write for instance {(9, 0): 1.0, (9, 1): 1.0}",
        )
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


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and bool(np.isfinite(float(value)))


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
