"""Ordinary tables, for researchers who come without a panel of spells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.parts import Candidates, Outcomes, encode
from whatworks.design.tables.schemas import ROLES
from whatworks.errors import DesignRefused, OptionError, suggestion
from whatworks.ledger import Ledger

Floats = NDArray[np.float64]

SAME_SHARE: Final = 1e-9
"""Shares that differ by less are one share, written twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabled:
    """A table read into what a design is made of.

    Parameters
    ----------
    candidates : Candidates
    outcomes : Outcomes
    person : ndarray of int, shape (n,)
    market, stratum : ndarray of object or None
    saturation, dose : ndarray of float or None
    took_part, eligible : ndarray of bool or None
    ledger : Ledger
    """

    candidates: Candidates
    outcomes: Outcomes
    person: NDArray[np.int64]
    market: NDArray[np.object_] | None
    stratum: NDArray[np.object_] | None
    saturation: Floats | None
    ledger: Ledger
    dose: Floats | None = None
    took_part: NDArray[np.bool_] | None = None
    eligible: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column plays which part; ``None`` where the table has no such column.

    ``outcome`` is a column, or the column of each month since entry, increasing.
    """

    treatment: str
    outcome: str | Mapping[int, str]
    covariates: tuple[str, ...]
    person: str | None
    weight: str | None
    market: str | None
    stratum: str | None
    saturation: str | None
    took_part: str | None = None
    eligible: str | None = None

    @property
    def waves(self) -> dict[int, str]:
        """Outcome columns by month since entry; a single one is at month 0."""
        return {0: self.outcome} if isinstance(self.outcome, str) else dict(self.outcome)

    @property
    def roles(self) -> tuple[str | None, ...]:
        """Those that are neither treatment, outcome nor covariate."""
        return (
            self.person,
            self.weight,
            self.market,
            self.stratum,
            self.saturation,
            self.took_part,
            self.eligible,
        )


def require(table: pd.DataFrame, names: Iterable[str | None]) -> None:
    """Raise an `OptionError` for the first name that is not a column, with the nearest that is."""
    if not isinstance(table, pd.DataFrame):
        raise OptionError(
            what="the table",
            needed="a pandas DataFrame",
            found=f"a {type(table).__name__}",
            remedy="make one of it, such as with pandas.DataFrame(table)",
        )
    for name in names:
        if name is not None and (table.columns == name).sum() > 1:
            raise OptionError(
                what="the table",
                needed=f"one column {name!r}",
                found=f"{int((table.columns == name).sum())} of that name",
                remedy="rename or drop the others",
            )
        if name is not None and name not in table.columns:
            raise OptionError(
                what="the table",
                needed=f"a column {name!r}",
                found=f"{len(table.columns)} columns without it",
                remedy=suggestion(name, [str(c) for c in table.columns]) or "add the column",
            )


def read_cross_section(table: pd.DataFrame, columns: Columns, *, unit: str) -> Tabled:
    """One row per person, one outcome, or one per wave.

    A row stays while one wave is known; the waves it lacks are NaN, and counted.

    Raises
    ------
    OptionError
        For an unknown column, one column in two parts, a treatment that is not 0/1, an outcome or a
        saturation that is not a number, or weights that are not positive.
    DesignRefused
        When an arm is empty.
    """
    roles, waves = columns.roles, _waves(columns)
    require(table, (columns.treatment, *waves.values(), *columns.covariates, *roles))
    one_part_each((columns.treatment, *waves.values()), roles, columns.covariates)
    values, names, complete = encode(table, columns.covariates)
    outcome = np.column_stack([numeric(table, name) for name in waves.values()])
    treatment = numeric(table, columns.treatment)
    _binary(treatment, columns.treatment)
    placed = table[[c for c in roles if c is not None]].notna().all(axis=1).to_numpy()
    known = ~np.isnan(outcome).all(axis=1)
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
    ledger = _missing_waves(ledger, outcome[keep], treated)
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
            weight=weights(rows, columns.weight),
        ),
        outcomes=Outcomes(
            name=list(waves.values())[-1], unit=unit, months=tuple(waves), values=outcome[keep]
        ),
        person=_numbers(rows, columns.person),
        market=labels(rows, columns.market),
        stratum=labels(rows, columns.stratum),
        saturation=None
        if columns.saturation is None
        else one_share_each(numeric(rows, columns.saturation)),
        took_part=_yes(rows, columns.took_part),
        eligible=_yes(rows, columns.eligible),
        ledger=ledger,
    )


def one_share_each(values: Floats) -> Floats:
    """Shares, those that arithmetic alone sets apart (0.1 + 0.2 and 0.3) brought to one."""
    whole = np.round(values)
    found = np.where(np.abs(values - whole) <= SAME_SHARE, whole, values)
    levels = np.unique(found[~np.isnan(found)])
    if levels.size:
        first = np.append(True, np.diff(levels) > SAME_SHARE)
        one = levels[first][np.cumsum(first) - 1]
        known = ~np.isnan(found)
        found[known] = one[np.searchsorted(levels, found[known])]
    return found


def _waves(columns: Columns) -> dict[int, str]:
    """Outcome columns by month since entry, or the refusal of what is no such thing."""
    waves = columns.waves
    months = list(waves)
    whole = all(type(month) is int for month in months)
    if not months or not whole or sorted(months) != months or months[-1] < 0:
        raise OptionError(
            what="outcome",
            needed="a column, or the column of each month since entry, months increasing and the "
            "last not before entry",
            found=f"months {months}",
            remedy="write for instance {8: 'employed_8', 12: 'employed_12'}",
        )
    return waves


def _missing_waves(ledger: Ledger, outcome: Floats, treated: NDArray[np.bool_]) -> Ledger:
    """The ledger with the answers that the rows kept lack, where there are several waves."""
    if outcome.shape[1] == 1:
        return ledger
    for name, rows in (("waves_treated", treated), ("waves_comparison", ~treated)):
        answers = outcome[rows]
        lost = {"missing_outcome": int(np.isnan(answers).sum())}
        ledger = ledger.add("design", name, unit="person_months", before=answers.size, dropped=lost)
    return ledger


def one_part_each(
    played: Iterable[str | None], roles: Iterable[str | None], covariates: tuple[str, ...]
) -> None:
    """Refuse a column that plays two parts, or a covariate named like a column of ours."""
    parts = [c for c in (*played, *roles) if c is not None]
    wrong = [c for c in covariates if c in tuple(played)]
    wrong += [c for c in dict.fromkeys(covariates) if covariates.count(c) > 1]
    wrong += [c for c in dict.fromkeys(parts) if parts.count(c) > 1]
    if wrong:
        raise OptionError(
            what="the table's columns",
            needed="each column in one part only, each covariate once",
            found=f"{wrong[0]!r} in several",
            remedy="name it once; an outcome or a treatment cannot be its own covariate",
        )
    taken = [c for c in covariates if c in ROLES]
    if taken:
        raise OptionError(
            what="covariates",
            needed="names other than the design's own columns",
            found=repr(taken[0]),
            remedy=f"rename it, for instance {taken[0]}_before",
        )


def numeric(table: pd.DataFrame, name: str, *, infinite: bool = False) -> Floats:
    """Column as floats; what is not a number, or is infinite, is refused, with its count only.

    Dates have numbers inside, nanoseconds or days: read as such they would mean something else.
    """
    column = table[name]
    dated = pd.api.types.is_datetime64_any_dtype(column) or column.dtype.kind in "mM"
    if dated or isinstance(column.dtype, pd.PeriodDtype) or column.dtype.kind == "c":
        raise OptionError(
            what=f"column {name!r}",
            needed="numbers",
            found=f"a column of type {column.dtype}",
            remedy="convert it before: for months, 12 × the year + the month",
        )
    numbers = _floats(column, name)
    endless = 0 if infinite else int(np.isinf(numbers).sum())
    if endless:
        raise OptionError(
            what=f"column {name!r}",
            needed="finite numbers",
            found=f"{endless} infinite ones",
            remedy="correct them, or leave them empty where they mean that nothing is known",
        )
    return numbers


def _floats(column: pd.Series, name: str) -> Floats:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        return np.asarray(column.to_numpy(), dtype=float)
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
            remedy="recode it, and drop rows where it is unknown",
        )


def _yes(rows: pd.DataFrame, name: str | None) -> NDArray[np.bool_] | None:
    """Column of 0 and 1 as booleans."""
    if name is None:
        return None
    values = numeric(rows, name)
    _binary(values, name)
    return np.asarray(values == 1)


def weights(rows: pd.DataFrame, name: str | None) -> Floats:
    """Sampling weights of rows, one where the table has none."""
    if name is None:
        return np.ones(len(rows))
    weight = numeric(rows, name)
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


def labels(rows: pd.DataFrame, name: str | None) -> NDArray[np.object_] | None:
    """Names of places as text."""
    return None if name is None else rows[name].astype(str).to_numpy(dtype=object)
