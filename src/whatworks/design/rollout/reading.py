"""Units × periods with the period of first treatment, read as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.parts import Candidates, Outcomes, encode
from whatworks.design.tables.table import Tabled, labels, numeric, one_part_each, require, weights
from whatworks.errors import DesignRefused, OptionError
from whatworks.ledger import Ledger
from whatworks.vocabulary import NEVER, Clock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_BLOCK: Final = 2**15
"""Units looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutColumns:
    """Which column plays which part; ``None`` where the table has no such column."""

    unit: str | None
    period: str
    first_treated: str
    outcome: str
    covariates: tuple[str, ...]
    weight: str | None
    market: str | None
    dose: str | None = None


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where each row of the table stands among units and periods.

    ``unit`` and ``column`` are None where rows are in order and every unit has every period.
    """

    n_units: int
    periods: Ints
    first_row: Ints | slice
    unit: Ints | None
    column: Ints | None


def read_rollout(table: pd.DataFrame, columns: RolloutColumns, *, outcome_unit: str) -> Tabled:
    """One row per unit; its outcomes in every period, NaN where it was not observed.

    Raises
    ------
    OptionError
        For an unknown column, periods that are not whole numbers, a unit seen twice in a period,
        with two first periods, with a covariate, a market or a dose that changes, or a dose that is
        not positive where treated and absent elsewhere.
    DesignRefused
        When no cohort starts after the first period, or nobody is left to compare it with.
    """
    constant = (columns.first_treated, columns.market, columns.dose, *columns.covariates)
    require(table, (columns.unit, columns.period, columns.outcome, columns.weight, *constant))
    one_part_each(
        (columns.unit, columns.period, columns.first_treated, columns.outcome),
        (columns.weight, columns.market, columns.dose),
        columns.covariates,
    )
    if table.empty:
        raise DesignRefused(
            what="the panel",
            needed="rows of units and periods",
            found="none",
            remedy="check what was read or kept before",
        )
    period = _whole(table, columns.period, missing=False)
    for name in (columns.unit, columns.market):
        if name is not None and table[name].isna().any():
            raise OptionError(
                what=f"column {name!r}",
                needed="a value on every row",
                found=f"{int(table[name].isna().sum())} rows without one",
                remedy="complete or drop them before",
            )
    grid = _grid(table, columns.unit, period)
    values = _spread(numeric(table, columns.outcome), grid)
    for name in constant:
        if name is not None:
            _constant(table[name], grid, name=name)
    # Columns one by one: a choice of columns of a table would copy all of its rows.
    facts = pd.DataFrame(
        {
            name: table[name].iloc[grid.first_row].array
            for name in (*constant, columns.weight)
            if name is not None
        }
    )
    start = np.asarray(_whole(facts, columns.first_treated, missing=True), dtype=float)
    told = np.isfinite(start) & (start != 0)
    first = np.where(told, np.clip(start, -NEVER, NEVER), NEVER).astype(np.int64)
    covariates, names, complete = encode(facts, columns.covariates)
    always = first <= grid.periods[0]
    seen = _seen(values)
    keep = seen & complete & ~always
    treated = first <= grid.periods[-1]
    ledger = Ledger()
    for name, arm in (("table_treated", treated), ("table_comparison", ~treated)):
        reasons = {
            "missing_outcome": int((arm & ~seen).sum()),
            "missing_covariate": int((arm & seen & ~complete).sum()),
            "treated_from_start": int((arm & seen & complete & always).sum()),
        }
        ledger = ledger.add("design", name, unit="units", before=int(arm.sum()), dropped=reasons)
    if not (treated & keep).any() or np.unique(first[keep]).size < 2:
        raise DesignRefused(
            what="the panel",
            needed="units first treated within it, and others treated later or never",
            found=f"{np.unique(first[treated & keep]).size} cohorts and "
            f"{int((~treated & keep).sum())} units not treated within it",
            remedy="lengthen the panel, or check the column of first treatment",
        )
    if not keep.all():
        values, covariates, first = values[keep], covariates[keep], first[keep]
        facts = facts[keep]
    return Tabled(
        candidates=Candidates(
            treated=treated[keep],
            cell=first,
            covariates=covariates,
            names=names,
            weight=weights(facts, columns.weight),
        ),
        outcomes=Outcomes(
            name=columns.outcome,
            unit=outcome_unit,
            months=tuple(int(p) for p in grid.periods),
            values=values,
            clock=Clock.CALENDAR,
        ),
        person=np.arange(first.size, dtype=np.int64),
        market=labels(facts, columns.market),
        stratum=None,
        saturation=None,
        dose=None if columns.dose is None else _dose(facts, columns.dose, ever=first != NEVER),
        ledger=ledger,
    )


def _dose(facts: pd.DataFrame, name: str, *, ever: Bools) -> Floats:
    """Dose of each unit, NaN for those never treated."""
    dose = numeric(facts, name)
    lacking = int((ever & ~(np.isfinite(dose) & (dose > 0))).sum())
    extra = int((~ever & (np.nan_to_num(dose) != 0)).sum())
    if lacking or extra:
        raise OptionError(
            what=f"column {name!r}",
            needed="a positive dose for every unit treated at some time, none or 0 for the others",
            found=f"{lacking} treated units without one, {extra} others with one",
            remedy="complete it, or correct the period of first treatment",
        )
    return np.where(ever, dose, np.nan)


def _seen(values: Floats) -> Bools:
    """Units observed in some period; most are in the first, and are not looked at further."""
    seen = ~np.isnan(values[:, 0])
    others = np.flatnonzero(~seen)
    seen[others] = ~np.isnan(values[others]).all(axis=1)
    return seen


def _whole(table: pd.DataFrame, name: str, *, missing: bool) -> Floats | Ints:
    """Column of whole numbers, as it stands where it is one; missing ones only where allowed."""
    column = table[name]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "i":
        values: Floats | Ints = column.to_numpy()
        wrong = 0 if missing else int((np.abs(values) >= NEVER).sum())
    elif pd.api.types.is_bool_dtype(column):
        wrong = len(column)
    else:
        values = numeric(table, name, infinite=missing)
        finite = np.isfinite(values)
        usable = finite | missing
        wrong = int((~usable).sum() + (values[finite] % 1 != 0).sum())
        wrong += 0 if missing else int((np.abs(values[finite]) >= NEVER).sum())
    if wrong:
        raise OptionError(
            what=f"column {name!r}",
            needed="whole numbers, such as a year or a month's rank",
            found=f"{wrong} rows with something else",
            remedy="number the periods 1, 2, 3 …",
        )
    return values


def _grid(table: pd.DataFrame, unit: str | None, period: Floats | Ints) -> _Grid:
    """Place of each row; without a unit, each row is a unit seen once."""
    n_rows = len(table)
    if unit is None:
        periods = np.sort(pd.unique(period))
        rows = np.arange(n_rows)
        column = np.searchsorted(periods, period)
        return _Grid(n_rows, periods.astype(np.int64), rows, rows, column)
    told = table[unit].to_numpy()
    ordered = _in_order(told, period)
    if ordered is not None:
        first = slice(0, n_rows, ordered.size)
        return _Grid(n_rows // ordered.size, ordered, first, None, None)
    number, names = pd.factorize(table[unit], sort=True)
    periods = np.sort(pd.unique(period))
    column = np.searchsorted(periods, period)
    first_row = np.empty(len(names), dtype=np.int64)
    first_row[number[::-1]] = np.arange(n_rows)[::-1]
    # The earliest period seen, so that the order of rows decides nothing.
    earliest = np.full(len(names), periods.size)
    np.minimum.at(earliest, number, column)
    at_start = np.flatnonzero(column == earliest[number])
    first_row[number[at_start]] = at_start
    seen = np.zeros(len(names) * periods.size, dtype=bool)
    seen[number * periods.size + column] = True
    twice = n_rows - int(seen.sum())
    if twice:
        raise OptionError(
            what="the panel",
            needed="one row per unit and period",
            found=f"{twice} repeated rows",
            remedy="aggregate or correct them before",
        )
    return _Grid(len(names), periods.astype(np.int64), first_row, number.astype(np.int64), column)


def _in_order(told: NDArray[np.generic], period: Floats | Ints) -> Ints | None:
    """Periods, when rows come unit after unit, each with all periods in order; None otherwise."""
    changes = np.flatnonzero(told[: min(told.size, 100_000)] != told[0])
    width = int(changes[0]) if changes.size else told.size
    if told.size % width:
        return None
    units, periods = told.reshape(-1, width), period.reshape(-1, width)
    if not (np.diff(periods[0]) > 0).all():
        return None
    for some in _some(len(units)):
        if not ((periods[some] == periods[0]).all() and (units[some] == units[some, :1]).all()):
            return None
    if pd.Series(units[:, 0]).duplicated().any():
        return None
    return np.asarray(periods[0], dtype=np.int64)


def _some(n: int) -> Iterator[slice]:
    """Units a few at a time."""
    return (slice(begin, begin + _BLOCK) for begin in range(0, n, _BLOCK))


def _spread(outcome: Floats, grid: _Grid) -> Floats:
    """Outcomes by unit and period, shape (n_units, n_periods)."""
    if grid.unit is None or grid.column is None:
        return outcome.reshape(grid.n_units, grid.periods.size)
    values = np.full((grid.n_units, grid.periods.size), np.nan)
    values[grid.unit, grid.column] = outcome
    return values


def _constant(column: pd.Series, grid: _Grid, *, name: str) -> None:
    """Refuse a fact that changes within a unit: treatment may have changed it."""
    plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufbc"
    if plain:
        values: NDArray[np.generic] = column.to_numpy()
    elif pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
    else:
        values = pd.factorize(column)[0]
    differ = 0
    if grid.unit is None:
        told = values.reshape(grid.n_units, -1)
        for some in _some(grid.n_units):
            differ += _differ(told[some], told[some, :1])
    else:
        differ = _differ(values, values[grid.first_row][grid.unit])
    if differ:
        raise OptionError(
            what=f"column {name!r}",
            needed="one value per unit, the same in every period",
            found=f"{differ} rows that differ from the unit's first",
            remedy="hold it at a period before anyone is treated, under a new name",
        )


def _differ(told: NDArray[np.generic], first: NDArray[np.generic]) -> int:
    """Rows with another value than the unit's first; missing beside missing is the same."""
    same = told == first
    if same.all():
        return 0
    if told.dtype.kind == "f":
        same |= np.isnan(told) & np.isnan(first)
    return int((~same).sum())
