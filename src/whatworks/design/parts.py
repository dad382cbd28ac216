"""What a design is made of besides its units: outcomes kept apart, and everyone it was chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.stats.balance import moments
from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Outcomes of units by month since entry.

    Parameters
    ----------
    name : str
        Identifier of the outcome.
    unit : str
        Unit of values and effects: ``"pp"`` (0 or 100 for a person), ``"months"``, ``"EUR/month"``
        or an empty string.
    months : tuple of int
        Months since entry, increasing; negative before entry.
    values : ndarray of shape (n_units, n_months)
        NaN where not observed.
    accumulates : bool
        True when the value at h months sums months 1 to h (before entry: from there to entry).
    weights : ndarray of shape (n_units, n_months) or None
        What a unit stands for beyond itself in each month, once others were censored; 0 from the
        month in which it is censored itself. None when nobody is.
    """

    name: str
    unit: str
    months: tuple[int, ...]
    values: Floats
    accumulates: bool = False
    weights: Floats | None = None

    def at(self, month: int) -> Floats:
        """Column of one month, shape (n_units,)."""
        return np.asarray(self.values[:, self.months.index(month)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Everyone the comparison was chosen from, as moments: what balance was before choosing.

    Parameters
    ----------
    moments : DataFrame
        ``covariate, mean_treated, mean_comparison, var_treated, var_comparison``.
    score_bins : ndarray of shape (n_bins + 1,)
        Edges of the propensity histogram; empty when no score was fitted.
    score_treated, score_comparison : ndarray of shape (n_bins,)
        Weighted shares of each arm per bin.
    n_treated, n_comparison : int
        Units before choosing.
    """

    moments: pd.DataFrame
    score_bins: Floats
    score_treated: Floats
    score_comparison: Floats
    n_treated: int
    n_comparison: int


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


def population(candidates: Candidates, score: Floats | None) -> Population:
    """Moments and score histogram of the candidates.

    Parameters
    ----------
    candidates : Candidates
    score : ndarray of shape (n,) or None
        Propensity, between 0 and 1.
    """
    arms = (candidates.treated, ~candidates.treated)
    by_arm = [moments(candidates.covariates[arm], weight=candidates.weight[arm]) for arm in arms]
    table = pd.DataFrame(
        {
            "covariate": list(candidates.names),
            "mean_treated": by_arm[0].mean,
            "mean_comparison": by_arm[1].mean,
            "var_treated": by_arm[0].variance,
            "var_comparison": by_arm[1].variance,
        }
    )
    bins = np.empty(0) if score is None else _bins(score)
    shares = [np.empty(0), np.empty(0)]
    if score is not None:
        known = ~np.isnan(score)
        shares = [
            np.histogram(score[arm & known], bins=bins, weights=candidates.weight[arm & known])[0]
            / candidates.weight[arm].sum()
            for arm in arms
        ]
    return Population(
        moments=table,
        score_bins=bins,
        score_treated=shares[0],
        score_comparison=shares[1],
        n_treated=int(arms[0].sum()),
        n_comparison=int(arms[1].sum()),
    )


def _bins(score: Floats) -> Floats:
    """Twenty bins from 0 to a round number at or above the greatest probability."""
    top = float(np.nanmax(score, initial=0.0))
    step = 10.0 ** np.floor(np.log10(top)) if top > 0 else 1.0
    return np.linspace(0, min(1.0, np.ceil(top / step) * step), 21)


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
            columns.append(column.to_numpy(dtype=float, na_value=np.nan))
            labels.append(name)
            continue
        levels = sorted(str(level) for level in column.dropna().unique())
        text = column.astype(str).to_numpy()
        for level in levels[1:]:
            columns.append((text == level).astype(float))
            labels.append(f"{name}={level}")
    values = np.column_stack(columns) if columns else np.empty((len(table), 0))
    return values, tuple(labels), complete
