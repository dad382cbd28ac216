"""The frozen product of the fifth room: who is compared with whom. Outcomes lie apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.question import Question
from whatworks.ledger import Ledger
from whatworks.vocabulary import DesignClass, Supply

if TYPE_CHECKING:
    from whatworks.design.comparisons.protocol import Comparison

Floats = NDArray[np.float64]


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
    """

    name: str
    unit: str
    months: tuple[int, ...]
    values: Floats

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
class Design:
    """Who against whom, and nothing yet of what became of them.

    Parameters
    ----------
    question : Question
    units : DataFrame
        ``unit_id, person_id, treated, entry_month, weight, stratum, market, saturation`` and the
        covariate columns (float64). No outcome column. ``unit_id`` is the row number,
        ``person_id`` an integer that ties the units of one person.
    covariates : tuple of str
    matches : DataFrame or None
        ``treated_unit, comparison_unit, weight``; weights of a treated unit sum to one.
    outcomes : Outcomes
    supplies : frozenset of Supply
    design_class : DesignClass
    population : Population
    ledger : Ledger
    history_months : int
        Months of history before entry on which treated and comparison were aligned.
    """

    question: Question
    units: pd.DataFrame
    covariates: tuple[str, ...]
    matches: pd.DataFrame | None
    outcomes: Outcomes
    supplies: frozenset[Supply]
    design_class: DesignClass
    population: Population
    ledger: Ledger
    history_months: int = 0
