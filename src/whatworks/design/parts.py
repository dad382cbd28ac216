"""What a design is made of besides its units: outcomes kept apart, and everyone it was chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.vacancies.endings import Endings
from whatworks.errors import OptionError
from whatworks.vocabulary import Clock, Estimand

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Outcomes of units by month since entry, or by calendar period where treatment rolls out.

    Parameters
    ----------
    name : str
        Identifier of the outcome.
    unit : str
        Unit of values and effects: ``"pp"`` (0 or 100 for a person), ``"months"``, ``"EUR/month"``
        or an empty string.
    months : tuple of int
        Months since entry, increasing; negative before entry. On the calendar clock: periods.
    values : ndarray of shape (n_units, n_months)
        NaN where not observed.
    accumulates : bool
        True when the value at h months sums months 1 to h (before entry: from there to entry).
    weights : ndarray of shape (n_units, n_months) or None
        How many a unit stands for in each month, itself included, once others were censored; 0 from
        the month in which it is censored itself; 1 for those who entered. None when nobody is.
        It multiplies the weight the design gives a unit, and an arm's products are brought to one
        over everyone of that arm who is followed: within a matched set, who is left would stand for
        the set only, and sets with nobody left would be lost. A month in which an arm has no weight
        left has no effect (NaN).
    followed : DataFrame or None
        Who is still followed, by month: see `whatworks.design.censoring.Followed`.
    clock : Clock
        What ``months`` are counted on: months since entry, calendar periods, or days since posting.
    endings : Endings or None
        When and how the wait of each unit ended, where that was seen; rows as ``values``.
    """

    name: str
    unit: str
    months: tuple[int, ...]
    values: Floats
    accumulates: bool = False
    weights: Floats | None = None
    followed: pd.DataFrame | None = None
    clock: Clock = Clock.ENTRY
    endings: Endings | None = None

    @classmethod
    def unopened(cls, name: str, *, unit: str, n_units: int, accumulates: bool = False) -> Outcomes:
        """Outcomes of a design that nobody has looked at: a name, and no value."""
        values = np.empty((n_units, 0))
        return cls(name=name, unit=unit, months=(), values=values, accumulates=accumulates)

    @property
    def opened(self) -> bool:
        """Whether any outcome was read."""
        return bool(self.months)

    def of(self, rows: NDArray[np.int64]) -> Outcomes:
        """Outcomes of some units, in the order asked."""
        weights = None if self.weights is None else self.weights[rows]
        endings = None if self.endings is None else self.endings.of(rows)
        return replace(self, values=self.values[rows], weights=weights, endings=endings)

    def at(self, month: int) -> Floats:
        """Column of one month, shape (n_units,)."""
        return np.asarray(self.values[:, self.months.index(month)])

    def counted(self, month: int) -> Floats:
        """What each unit counts in one month: 0 where not observed or censored, shape (n_units,)."""
        seen = ~np.isnan(self.at(month))
        if self.weights is None:
            return seen.astype(float)
        return np.asarray(seen * self.weights[:, self.months.index(month)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Everyone the comparison was chosen from, as moments, and what the choice made of them.

    Parameters
    ----------
    balance : DataFrame
        One row per covariate and sample: ``covariate, sample`` (``before`` or ``after`` choosing),
        ``mean_treated, mean_comparison, var_treated, var_comparison, smd, variance_ratio, ks,
        ecdf_mean``, defined in ``stats/balance.py``. The SMD divides by the standard deviation
        before choosing of those over whom the effect is averaged.
    left_out : DataFrame
        Those sought for and left out beside those kept: ``arm, covariate, n_kept, n_left_out,
        mean_kept, mean_left_out, smd``; means of fewer than eleven units are NaN.
    score_bins : ndarray of shape (n_bins + 1,)
        Edges of the propensity histogram; empty when no score was fitted.
    score_treated, score_comparison : ndarray of shape (n_bins,)
        Weighted shares of each arm per bin, before choosing.
    score_treated_after, score_comparison_after : ndarray of shape (n_bins,)
        After.
    support : tuple of (float, float)
        Lowest and highest score that both arms reach; NaN without a score.
    n_treated, n_comparison : int
        Units before choosing.
    n_supported : tuple of (int, int)
        Of them, treated and comparison units within the support.
    """

    balance: pd.DataFrame
    left_out: pd.DataFrame
    score_bins: Floats
    score_treated: Floats
    score_comparison: Floats
    score_treated_after: Floats
    score_comparison_after: Floats
    support: tuple[float, float]
    n_treated: int
    n_comparison: int
    n_supported: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Units a comparison may choose among, as columns.

    Parameters
    ----------
    treated : ndarray of bool, shape (n,)
    cell : ndarray of int, shape (n,)
        Units are compared within a cell only: the calendar month of entry.
    covariates : ndarray of shape (n, k)
    names : tuple of str
    weight : ndarray of shape (n,)
        Sampling weights.
    estimand : str
        Over whom the effect is averaged: comparisons are sought for the treated (``ATT``), for the
        untreated (``ATC``), for both (``ATE``), or where the two overlap (``ATO``).
    """

    treated: Bools
    cell: NDArray[np.int64]
    covariates: Floats
    names: tuple[str, ...]
    weight: Floats
    estimand: str = Estimand.ATT

    @property
    def sought(self) -> Bools:
        """Units for which comparisons are sought, shape (n,)."""
        if self.estimand == Estimand.ATT:
            return self.treated
        if self.estimand == Estimand.ATC:
            return ~self.treated
        return np.ones(self.treated.size, dtype=bool)


def encode(table: pd.DataFrame, names: Sequence[str]) -> tuple[Floats, tuple[str, ...], Bools]:
    """Covariates as float columns.

    Numbers and booleans as they are; a category becomes one column ``name=level`` for every level
    but the first in alphabetical order.

    Returns
    -------
    values : ndarray of shape (n, k)
    labels : tuple of str
    complete : ndarray of bool, shape (n,)
        False where a covariate is missing.
    """
    columns: list[Floats] = []
    labels: list[str] = []
    complete = np.ones(len(table), dtype=bool)
    for name in names:
        column = table[name]
        complete &= column.notna().to_numpy()
        if pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy(dtype=float, na_value=np.nan)
            if np.isinf(values).any():
                raise OptionError(
                    what=f"covariate {name!r}",
                    needed="finite numbers",
                    found=f"{int(np.isinf(values).sum())} infinite ones",
                    remedy="correct them, or leave them empty where they are not known",
                )
            columns.append(values)
            labels.append(name)
            continue
        levels = sorted(str(level) for level in column.dropna().unique())
        text = column.astype(str).to_numpy()
        for level in levels[1:]:
            columns.append((text == level).astype(float))
            labels.append(f"{name}={level}")
    encoded = np.column_stack(columns) if columns else np.empty((len(table), 0))
    return encoded, tuple(labels), complete
