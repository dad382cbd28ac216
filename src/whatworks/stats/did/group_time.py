"""Which effects a rollout has: cohorts by periods, the base of each and whom it is compared with.

Written once for every estimator of these cells, whether units are followed or seen once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER_TREATED: Final = "never_treated"
NOT_YET_TREATED: Final = "not_yet_treated"
BASES: Final = ("varying", "universal")
METHODS: Final = ("doubly_robust", "regression", "inverse_probability")

Method = Literal["doubly_robust", "regression", "inverse_probability"]

DEFINED: Final = ""
NO_COMPARISON: Final = "no_comparison"
NO_OVERLAP: Final = "no_overlap"
COLLINEAR: Final = "collinear"
NOT_OBSERVED: Final = "not_observed"

CERTAIN: Final = 0.999
"""Probability of treatment from which a unit has nobody like it among the comparisons."""


class Contrast(NamedTuple):
    """A cohort beside one comparison, read in several periods: what is fitted once for all of them.

    ``cells`` are positions among the cells; whoever starts later than ``after`` and not with the
    cohort is the comparison.
    """

    cohort: int
    after: int
    cells: Ints

    def compared(self, start: Ints) -> Bools:
        """Units of the comparison."""
        return np.asarray((start > self.after) & (start != self.cohort))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTimes:
    """Cells of a rollout, by cohort then period.

    Parameters
    ----------
    cohort, period : ndarray of int, shape (n_cells,)
        First treated period of the cohort, and period in which the effect is read.
    at, base : ndarray of int, shape (n_cells,)
        Columns of that period and of the one it is compared with. They are one and the same in the
        base cell of a universal base, whose effect is zero by construction.
    after : ndarray of int, shape (n_cells,)
        The comparison starts later than this; of the values that tell the same units apart, the
        greatest start that is not in it.
    """

    cohort: Ints
    period: Ints
    at: Ints
    base: Ints
    after: Ints

    def contrasts(self) -> tuple[Contrast, ...]:
        """Cells that share cohort and comparison, base cells left out."""
        real = np.flatnonzero(self.at != self.base)
        pairs = np.stack([self.cohort[real], self.after[real]], axis=1)
        names, number = np.unique(pairs, axis=0, return_inverse=True)
        return tuple(
            Contrast(int(g), int(after), real[number.ravel() == k])
            for k, (g, after) in enumerate(names)
        )


def group_times(
    starts: Ints,
    periods: Ints,
    *,
    control: str = NOT_YET_TREATED,
    base_period: str = "varying",
    anticipation: int = 0,
) -> GroupTimes:
    r"""Cells, base periods and comparisons of a rollout.

    The base of :math:`(g,t)` is the last period before :math:`g-\delta`, with :math:`\delta` periods of
    anticipation; with a varying base, cells before :math:`g` are compared with the period just before
    them. The comparison is whoever starts after the last period, or with ``not_yet_treated`` after
    :math:`\max(t, b)`, always by more than :math:`\delta` periods.

    Where all units start within the periods, the last to start are a comparison only, and cells end
    :math:`\delta` periods before they start: later ones have nobody to be compared with.

    Parameters
    ----------
    starts : ndarray of int
        Distinct first treated periods, increasing; those after the last period are untreated.
    periods : ndarray of int, shape (n_periods,)
        Increasing, not always evenly spaced.
    control : str
        ``"never_treated"`` or ``"not_yet_treated"``.
    base_period : str
        ``"varying"`` or ``"universal"``.
    anticipation : int

    Returns
    -------
    GroupTimes

    References
    ----------
    Callaway & Sant'Anna (2021), §2 and §4, doi:10.1016/j.jeconom.2020.12.001.
    """
    last = int(periods[-1])
    cohorts = starts[(starts > periods[0] + anticipation) & (starts <= last)]
    n_read = periods.size
    if not (starts > last + anticipation).any() and control == NOT_YET_TREATED:
        comparison = int(starts[-1])
        cohorts = cohorts[cohorts < comparison]
        n_read = int((periods < comparison - anticipation).sum())
    rows = []
    for g in cohorts:
        before = int((periods + anticipation < g).sum()) - 1
        for at in range(base_period == "varying", n_read):
            short = base_period == "varying" and periods[at] < g
            base = at - 1 if short else before
            until = last if control == NEVER_TREATED else int(periods[max(at, base)])
            rows.append((g, periods[at], at, base, _from(starts, until + anticipation, g)))
    told = np.array(rows, dtype=np.int64).reshape(-1, 5)
    return GroupTimes(
        cohort=told[:, 0], period=told[:, 1], at=told[:, 2], base=told[:, 3], after=told[:, 4]
    )


def _from(starts: Ints, until: int, cohort: int) -> int:
    """Greatest start that is no comparison, the cohort's own set aside."""
    out = starts[(starts <= until) & (starts != cohort)]
    return int(out[-1]) if out.size else int(min(starts[0], cohort)) - 1


InfluenceOf = Callable[[Ints], tuple[Ints, Floats]]
"""Of some units, given by row: the cells they move, and by how much, shape (n_rows, n_moved)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEffects:
    r"""Effects of cells, and what each unit adds to their error.

    Parameters
    ----------
    effect : ndarray of shape (n_cells,)
        NaN where undefined.
    n_treated, n_comparison : ndarray of int, shape (n_cells,)
        Units that tell it.
    undefined : tuple of str, of length n_cells
        Why a cell has no effect, in the words of this module; an empty text where it has one.
    influence : callable
        ``influence(rows)`` gives, for units by row, the cells they move and
        :math:`\psi_i` of each, shape (n_rows, n_moved), such that
        :math:`\hat\theta-\theta\approx\sum_i\psi_i`. Asked block after block: it never needs all
        units at once. Cells it does not name have no influence of these units; undefined cells are
        never named.
    trimmed : ndarray of int, shape (n_cells,), or None
        Comparisons left without weight because their probability is 0.995 or more; None where nobody is
        for that reason.
    """

    effect: Floats
    n_treated: Ints
    n_comparison: Ints
    undefined: tuple[str, ...]
    influence: InfluenceOf
    trimmed: Ints | None = None
