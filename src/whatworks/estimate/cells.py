"""Effects by cohort and period: the one shape in which every method on rollouts gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import OptionError
from whatworks.estimate.record import Estimate
from whatworks.stats.uncertainty import Uncertainty

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CELLS: Final = "cells"
"""Key of an estimate's extras under which its cells lie."""


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


def cells_of(estimate: Estimate, *, what: str) -> Cells:
    """Cells of an estimate, or an `OptionError` where its method gives none."""
    if not isinstance(estimate, Estimate):
        raise OptionError(
            what=what,
            needed="an estimate",
            found=f"a {type(estimate).__name__}",
            remedy="give what the fit of a method returned",
        )
    cells = estimate.extras.get(CELLS)
    if not isinstance(cells, Cells):
        raise OptionError(
            what=what,
            needed="an estimate by cohort and period, such as that of CallawaySantAnna",
            found=f"one of {estimate.method}",
            remedy="fit such a method on a rollout (Design.from_panel)",
        )
    return cells
