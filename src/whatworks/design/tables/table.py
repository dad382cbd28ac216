"""Ordinary tables, for researchers who come without a panel of spells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.parts import Candidates, Outcomes, encode
from whatworks.design.tables.schemas import ROLES
from whatworks.errors import DesignRefused, OptionError, suggestion
from whatworks.ledger import Ledger

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabled:
    """A table read into what a design is made of.

    Parameters
    ----------
    candidates : Candidates
    outcomes : Outcomes
    person : ndarray of int, shape (n,)
    market, stratum : ndarray of object or None
    saturation : ndarray of float or None
    ledger : Ledger
    """

    candidates: Candidates
    outcomes: Outcomes
    person: NDArray[np.int64]
    market: NDArray[np.object_] | None
    stratum: NDArray[np.object_] | None
    saturation: Floats | None
    ledger: Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column plays which part; ``None`` where the table has no such column."""

    treatment: str
    outcome: str
    covariates: tuple[str, ...]
    person: str | None
    weight: str | None
    market: str | None
    stratum: str | None
    saturation: str | None


def require(table: pd.DataFrame, names: Iterable[str | None]) -> None:
    """Raise an `OptionError` for the first name that is not a column, with the nearest that is."""
    for name in names:
        if name is not None and name not in table.columns:
            raise OptionError(
                what="the table",
                needed=f"a column {name!r}",
                found=f"{len(table.columns)} columns without it",
                remedy=suggestion(name, [str(c) for c in table.columns]) or "add the column",
            )


def read_cross_section(table: pd.DataFrame, columns: Columns, *, unit: str) -> Tabled:
    """One row per person, one outcome.

    Raises
    ------
    OptionError
        For an unknown column, one column in two parts, a treatment that is not 0/1, an outcome or a
        saturation that is not a number, or weights that are not positive.
    DesignRefused
        When an arm is empty.
    """
    roles = (columns.person, columns.weight, columns.market, columns.stratum, columns.saturation)
    require(table, (columns.treatment, columns.outcome, *columns.covariates, *roles))
    _one_part_each(columns, roles)
    values, names, complete = encode(table, columns.covariates)
    outcome = _numeric(table, columns.outcome)
    treatment = _numeric(table, columns.treatment)
    _binary(treatment, columns.treatment)
    placed = table[[c for c in roles if c is not None]].notna().all(axis=1).to_numpy()
    known = ~np.isnan(outcome)
    keep = known & complete & placed
    ledger = Ledger()
    for name, arm in (("table_treated", treatment == 1), ("table_comparison", treatment == 0)):
        reasons = {
            "missing_outcome": int((arm & ~known).sum()),
            "missing_covariate": int((arm & known & ~complete).sum()),
            "missing_market": int((arm & known & complete & ~placed).sum()),
        }
        ledger = ledger.add("design", name, unit="rows", before=int(arm.sum()), dropped=reasons)
    treated = treatment[keep] == 1
    if not treated.any() or treated.all():
        raise DesignRefused(
            what="the table",
            needed="rows of both arms with an outcome and every covariate",
            found=f"{int(treated.sum())} treated and {int((~treated).sum())} untreated of {len(table)}",
            remedy=f"check the column {columns.treatment!r}, and covariates that are never known",
        )
    rows = table.loc[keep].reset_index(drop=True)
    return Tabled(
        candidates=Candidates(
            treated=treated,
            cell=np.zeros(treated.size, dtype=np.int64),
            covariates=values[keep],
            names=names,
            weight=_weights(rows, columns.weight),
        ),
        outcomes=Outcomes(
            name=columns.outcome, unit=unit, months=(0,), values=outcome[keep][:, None]
        ),
        person=_numbers(rows, columns.person),
        market=_labels(rows, columns.market),
        stratum=_labels(rows, columns.stratum),
        saturation=None if columns.saturation is None else _numeric(rows, columns.saturation),
        ledger=ledger,
    )


def _one_part_each(columns: Columns, roles: tuple[str | None, ...]) -> None:
    """Refuse a column that plays two parts, or a covariate named like a column of ours."""
    played = [columns.treatment, columns.outcome, *(r for r in roles if r is not None)]
    wrong = [c for c in columns.covariates if c in (columns.treatment, columns.outcome)]
    wrong += [c for c in dict.fromkeys(columns.covariates) if columns.covariates.count(c) > 1]
    wrong += [c for c in dict.fromkeys(played) if played.count(c) > 1]
    if wrong:
        raise OptionError(
            what="the table's columns",
            needed="each column in one part only, each covariate once",
            found=f"{wrong[0]!r} in several",
            remedy="name it once; an outcome or a treatment cannot be its own covariate",
        )
    taken = [c for c in columns.covariates if c in ROLES]
    if taken:
        raise OptionError(
            what="covariates",
            needed="names other than the design's own columns",
            found=repr(taken[0]),
            remedy=f"rename it, for instance {taken[0]}_before",
        )


def _numeric(table: pd.DataFrame, name: str) -> Floats:
    """Column as floats; text that is not a number is refused, with its count only."""
    column = table[name]
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    lost = int((np.isnan(numbers) & column.notna().to_numpy()).sum())
    if lost:
        raise OptionError(
            what=f"column {name!r}",
            needed="numbers",
            found=f"{lost} rows with something else",
            remedy="convert or drop them before",
        )
    return numbers


def _binary(treatment: Floats, name: str) -> None:
    if not np.isin(treatment, (0.0, 1.0)).all():
        raise OptionError(
            what=f"column {name!r}",
            needed="0 or 1 on every row",
            found=f"{int((~np.isin(treatment, (0.0, 1.0))).sum())} rows with something else",
            remedy="recode the treatment, and drop rows where it is unknown",
        )


def _weights(rows: pd.DataFrame, name: str | None) -> Floats:
    if name is None:
        return np.ones(len(rows))
    weight = _numeric(rows, name)
    if not (weight > 0).all():
        raise OptionError(
            what=f"column {name!r}",
            needed="a positive weight on every row",
            found=f"{int((~(weight > 0)).sum())} rows without one",
            remedy="drop rows of zero weight before, and complete the others",
        )
    return weight


def _numbers(rows: pd.DataFrame, name: str | None) -> NDArray[np.int64]:
    if name is None:
        return np.arange(len(rows))
    return np.unique(rows[name].astype(str), return_inverse=True)[1].astype(np.int64)


def _labels(rows: pd.DataFrame, name: str | None) -> NDArray[np.object_] | None:
    return None if name is None else rows[name].astype(str).to_numpy(dtype=object)


def read_panel(
    table: pd.DataFrame,
    *,
    unit: str,
    period: str,
    first_treated: str,
    outcome: str,
    weight: str | None,
    market: str | None,
    outcome_unit: str,
) -> Tabled:
    """Units × periods with the period of first treatment, stacked by cohort.

    Every cohort brings its treated units and all the never-treated ones, each once per cohort and
    counted in months (periods) since that cohort's start. Untreated weights are scaled so that each
    cohort's comparison weighs as much as its treated.

    Raises
    ------
    OptionError
        For an unknown column, a unit seen twice in a period or with two first periods.
    DesignRefused
        When nobody is never treated, or no cohort has a period before its start.
    """
    require(table, (unit, period, first_treated, outcome, weight, market))
    _whole_panel(table, unit=unit, period=period, first_treated=first_treated, market=market)
    table = table.assign(
        **{name: _numeric(table, name) for name in (period, first_treated, outcome)}
    )
    twice = int(table.duplicated([unit, period]).sum())
    starts = table.groupby(unit)[first_treated].nunique(dropna=False)
    if twice or (starts > 1).any():
        raise OptionError(
            what="the panel",
            needed="one row per unit and period, one first treatment per unit",
            found=f"{twice} repeated rows and {int((starts > 1).sum())} units with several starts",
            remedy="aggregate or correct them before",
        )
    wide = table.pivot_table(index=unit, columns=period, values=outcome, dropna=False).sort_index()
    facts = table.drop_duplicates(unit).set_index(unit).loc[wide.index]
    start = facts[first_treated].to_numpy(dtype=float, na_value=np.nan)
    start = np.where(np.isfinite(start) & (start != 0), start, np.inf)
    periods = wide.columns.to_numpy(dtype=np.int64)
    values = wide.to_numpy(dtype=float)
    gaps = np.isnan(values).any(axis=1)
    always = ~gaps & (start <= periods[0])
    after = ~gaps & np.isfinite(start) & (start > periods[-1])
    start = np.where(after, np.inf, start)
    keep = ~gaps & ~always
    ever = np.isfinite(start) | after
    ledger = Ledger()
    for name, arm in (("table_treated", ever & ~after), ("table_comparison", ~ever | after)):
        reasons = {
            "incomplete_panel": int((gaps & arm).sum()),
            "treated_from_start": int((always & arm).sum()),
        }
        ledger = ledger.add("design", name, unit="units", before=int(arm.sum()), dropped=reasons)
    groups = np.unique(start[keep & np.isfinite(start)]).astype(np.int64)
    never = keep & np.isinf(start)
    if not never.any() or groups.size == 0:
        raise DesignRefused(
            what="the panel",
            needed="units treated within it and units never treated",
            found=f"{groups.size} cohorts and {int(never.sum())} never-treated units",
            remedy="lengthen the panel, or check the column of first treatment",
        )
    units_weight = _weights(facts.reset_index(), weight)
    places = facts[market].astype(str).to_numpy(dtype=object) if market else None
    return _stacked(
        values,
        periods,
        start,
        groups,
        never=never,
        keep=keep,
        weight=units_weight,
        market=places,
        ledger=ledger,
        name=outcome,
        outcome_unit=outcome_unit,
    )


def _whole_panel(
    table: pd.DataFrame, *, unit: str, period: str, first_treated: str, market: str | None
) -> None:
    """Refuse rows without unit, period or market, and periods that are not whole numbers."""
    for name in (unit, period, market):
        if name is not None and table[name].isna().any():
            raise OptionError(
                what=f"column {name!r}",
                needed="a value on every row",
                found=f"{int(table[name].isna().sum())} rows without one",
                remedy="complete or drop them before",
            )
    for name in (period, first_treated):
        numbers = _numeric(table, name)
        numbers = numbers[np.isfinite(numbers)]
        if (numbers != np.round(numbers)).any():
            raise OptionError(
                what=f"column {name!r}",
                needed="whole numbers, such as a year or a month's rank",
                found=f"{int((numbers != np.round(numbers)).sum())} rows with a fraction",
                remedy="number the periods 1, 2, 3 …",
            )


def _stacked(  # noqa: PLR0913 - one call, the columns of one table
    values: Floats,
    periods: NDArray[np.int64],
    start: Floats,
    groups: NDArray[np.int64],
    *,
    never: NDArray[np.bool_],
    keep: NDArray[np.bool_],
    weight: Floats,
    market: NDArray[np.object_] | None,
    ledger: Ledger,
    name: str,
    outcome_unit: str,
) -> Tabled:
    since = np.unique((periods[None, :] - groups[:, None]).ravel())
    rows, cells, outcomes, weights = [], [], [], []
    for g in groups:
        mine = np.flatnonzero(keep & (start == g))
        theirs = np.flatnonzero(never)
        both = np.concatenate([mine, theirs])
        laid = np.full((both.size, since.size), np.nan)
        laid[:, np.searchsorted(since, periods - g)] = values[both]
        scale = weight[mine].sum() / weight[theirs].sum()
        rows.append(both)
        cells.append(np.full(both.size, g))
        outcomes.append(laid)
        weights.append(np.concatenate([weight[mine], weight[theirs] * scale]))
    person = np.concatenate(rows)
    cell = np.concatenate(cells)
    treated = start[person] == cell
    return Tabled(
        candidates=Candidates(
            treated=treated,
            cell=cell,
            covariates=np.empty((person.size, 0)),
            names=(),
            weight=np.concatenate(weights),
        ),
        outcomes=Outcomes(
            name=name,
            unit=outcome_unit,
            months=tuple(int(m) for m in since),
            values=np.concatenate(outcomes),
        ),
        person=person,
        market=None if market is None else market[person],
        stratum=None,
        saturation=None,
        ledger=ledger,
    )
