r"""Goodman-Bacon decomposition: the comparisons of two groups that a two-way estimate averages.

On a balanced panel the coefficient of treatment in a regression on unit and period effects is
:math:`\sum_c s_c\hat\beta_c` over comparisons of a cohort with the untreated, with a cohort that starts later
(before it does), and with one that started earlier: the last takes treated units as comparison, and
subtracts how their effects grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UNTREATED: Final = "untreated"
LATER: Final = "later_treated"
EARLIER: Final = "earlier_treated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposition:
    """Comparisons of two groups, over the periods in which only one of them changes.

    Parameters
    ----------
    treated, comparison : ndarray of int, shape (n_comparisons,)
        Starts of the two cohorts; of the untreated, the period after the last.
    against : tuple of str
        What the comparison is: ``"untreated"`` (never, or not within the panel), ``"later_treated"`` or
        ``"earlier_treated"``.
    estimate, weight : ndarray of shape (n_comparisons,)
        Weights are positive and sum to one.
    """

    treated: Ints
    comparison: Ints
    against: tuple[str, ...]
    estimate: Floats
    weight: Floats

    @property
    def total(self) -> float:
        """The two-way coefficient."""
        return float(self.weight @ self.estimate)

    def share(self, against: str) -> float:
        """Weight of one kind of comparison."""
        return float(self.weight[[kind == against for kind in self.against]].sum())


def bacon(mean: Floats, *, size: Floats, start: Ints, periods: Ints) -> Decomposition:
    r"""Decompose a two-way estimate, from a table of means.

    With :math:`n_k` the size of a cohort and :math:`\bar D_k` the share of periods in which it is treated,
    weights are, up to their sum,

    .. math::

        n_kn_l\,(\bar D_k-\bar D_l)(1-\bar D_k)\quad\text{(k starts before l, or l never does)},\qquad
        n_kn_l\,\bar D_k(\bar D_l-\bar D_k)\quad\text{(k starts after l)}

    Parameters
    ----------
    mean : ndarray of shape (n_cohorts, n_periods)
        Of the outcome, or of the outcome less what is constant in a unit.
    size : ndarray of shape (n_cohorts,)
        Weight of each cohort, every unit of which is observed in every period.
    start : ndarray of int, shape (n_cohorts,)
        First treated period, after the first one of the panel; those after the last are the untreated.
    periods : ndarray of int, shape (n_periods,)
        Increasing.

    Returns
    -------
    Decomposition

    References
    ----------
    Goodman-Bacon (2021), Theorem 1, doi:10.1016/j.jeconom.2021.03.014.
    """
    mean, size, start = _with_one_untreated(mean, size, start, last=int(periods[-1]))
    k, other = np.nonzero((start[:, None] <= periods[-1]) & ~np.eye(start.size, dtype=bool))
    treated = (periods >= start[:, None]).mean(axis=1)
    earlier = start[k] < start[other]
    # Periods in which the comparison does not change: before its start, or from it on.
    still = (periods < start[other, None]) == earlier[:, None]
    after = periods >= start[k, None]
    gap = mean[k] - mean[other]
    change = _mean(gap, still & after) - _mean(gap, still & ~after)
    span = np.abs(treated[k] - treated[other]) * np.where(earlier, 1 - treated[k], treated[k])
    weight = size[k] * size[other] * span
    kind = np.where(earlier, LATER, EARLIER)
    kind[start[other] > periods[-1]] = UNTREATED
    told = weight > 0  # cohorts that start between the same two periods are never told apart
    return Decomposition(
        treated=start[k][told],
        comparison=start[other][told],
        against=tuple(str(word) for word in kind[told]),
        estimate=change[told],
        weight=weight[told] / weight.sum(),
    )


def _with_one_untreated(
    mean: Floats, size: Floats, start: Ints, *, last: int
) -> tuple[Floats, Floats, Ints]:
    """Cohorts treated within the panel, then all others as one, where there are any."""
    within = start <= last
    if within.all():
        return mean, size, start
    others = size[~within]
    pooled = (others @ mean[~within]) / others.sum()
    return (
        np.vstack([mean[within], pooled]),
        np.append(size[within], others.sum()),
        np.append(start[within], last + 1),
    )


def _mean(values: Floats, members: Bools) -> Floats:
    """Mean over the members of each row; zero where there is none."""
    return np.asarray((values * members).sum(axis=1) / np.maximum(members.sum(axis=1), 1))
