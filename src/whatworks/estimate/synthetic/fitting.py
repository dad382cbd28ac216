"""Fits of every cohort by one rule, and what they say: gaps, effects, and cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whatworks.estimate.cells import Cells
from whatworks.estimate.synthetic.reading import Cohort, Territories
from whatworks.stats.uncertainty import Uncertainty

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Weighted:
    """What a rule answers for some territories taken as treated.

    Parameters
    ----------
    donors : ndarray of shape (n_treated, n_donors)
        Weights of donors, each row of sum one.
    before : ndarray of shape (n_treated, n_before)
        Weights of periods before the start whose mean gap is taken away; zero where none is.
    """

    donors: Floats
    before: Floats


class Fitter(Protocol):
    """How territories taken as treated together are given their synthetic counterparts."""

    def __call__(self, treated: Ints, donors: Ints, *, mass: Floats, n_before: int) -> Weighted:
        """Weights; ``mass``, shape (n,), is what each territory stands for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """Every treated territory with its synthetic counterpart.

    Parameters
    ----------
    cohorts : list of Cohort
    rows : ndarray of int, shape (m,)
        Treated rows, cohort by cohort.
    place : ndarray of int, shape (m,)
        Cohort of each.
    share : ndarray of shape (m,)
        Share of each in the mean of its cohort.
    weights : ndarray of shape (m, n)
        On all territories; zero on those that are not donors.
    before : ndarray of shape (m, n_periods)
        Weights of periods whose mean gap is taken away.
    """

    cohorts: list[Cohort]
    rows: Ints
    place: Ints
    share: Floats
    weights: Floats
    before: Floats

    @classmethod
    def of(cls, land: Territories, cohorts: Sequence[Cohort], fitter: Fitter) -> Fits:
        """Fits of all cohorts."""
        n, n_periods = land.values.shape
        rows = np.concatenate([c.treated for c in cohorts])
        weights, before = np.zeros((rows.size, n)), np.zeros((rows.size, n_periods))
        share = np.empty(rows.size)
        first = 0
        for c in cohorts:
            mine = np.arange(first, first + c.treated.size)
            mass = land.weight[c.treated]
            found = fitter(c.treated, c.donors, mass=land.weight, n_before=c.n_before)
            weights[np.ix_(mine, c.donors)] = found.donors
            before[mine, : c.n_before] = found.before
            share[mine] = mass / mass.sum()
            first += mine.size
        return cls(
            cohorts=list(cohorts),
            rows=rows,
            place=np.repeat([c.place for c in cohorts], [c.treated.size for c in cohorts]),
            share=share,
            weights=weights,
            before=before,
        )

    def synthetic(self, values: Floats) -> Floats:
        """Outcomes of the synthetic counterparts, shape (m, n_periods)."""
        return np.asarray(self.weights @ values)

    def level(self, values: Floats) -> Floats:
        """Mean gap taken away from each, shape (m,)."""
        gap = values[self.rows] - self.synthetic(values)
        return np.asarray((gap * self.before).sum(axis=1))

    def paths(self, values: Floats) -> Floats:
        """Gap of each territory in every period, its level taken away, shape (m, n_periods)."""
        gap = values[self.rows] - self.synthetic(values)
        return np.asarray(gap - (gap * self.before).sum(axis=1, keepdims=True))

    def cohort_paths(self, paths: Floats) -> Floats:
        """Mean path of each cohort, shape (n_cohorts, n_periods)."""
        mean = np.zeros((len(self.cohorts), paths.shape[1]))
        np.add.at(mean, self.place, self.share[:, None] * paths)
        return mean


def cell_columns(cohorts: Sequence[Cohort]) -> tuple[Ints, Ints]:
    """Place of the cohort and column of the period of each cell."""
    place = np.repeat([c.place for c in cohorts], [c.read.size for c in cohorts])
    return place.astype(np.int64), np.concatenate([c.read for c in cohorts]).astype(np.int64)


def average_weights(land: Territories, cohorts: Sequence[Cohort]) -> Floats:
    """Weights of cells in the mean effect after the start, by the cohorts' shares."""
    place, _ = cell_columns(cohorts)
    mass = land.shares[place]
    return np.asarray(mass / mass.sum())


def cells_of(
    land: Territories, fits: Fits, effects: Floats, uncertainty: Uncertainty, *, df: float
) -> Cells:
    """Effects by cohort and period, with their uncertainty.

    Parameters
    ----------
    effects : ndarray of shape (n_cohorts, n_periods)
        As `Fits.cohort_paths`.
    """
    place, column = cell_columns(fits.cohorts)
    sizes = np.array([(c.treated.size, c.donors.size) for c in fits.cohorts])
    return Cells(
        cohort=land.cohorts[place],
        period=land.periods[column],
        effect=effects[place, column],
        n_treated=sizes[place, 0],
        n_comparison=sizes[place, 1],
        cohorts=land.cohorts,
        share=land.shares,
        uncertainty=uncertainty,
        last=int(land.periods[-1]),
        df=df,
    )


def paths_of(values: Floats, rows: Ints, donors: Ints, found: Weighted) -> Floats:
    """Gap of each row to its donors in every period, its level taken away."""
    gap = values[rows] - found.donors @ values[donors]
    level = (gap[:, : found.before.shape[1]] * found.before).sum(axis=1, keepdims=True)
    return np.asarray(gap - level)
