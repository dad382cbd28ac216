r"""Influence of units on cells read from rows: closed forms of what each cell's fit left behind.

A row of period :math:`t` (:math:`s_t=1` in the period read, :math:`-1` in the base), of weight :math:`w` and
regressors :math:`z`, moves its cell's effect by

.. math::

    \text{treated:}\quad & s_t\,w\,(y-z'\beta_{1t})\,z'a_t + \tfrac{w}{W}(z-\bar z)'\delta
                           - w(1-p)\,z'q\\
    \text{comparison:}\quad & -s_t\Big[\tfrac{\omega}{\Omega_t}(y-z'\beta_{0t}-c_t)
                           + w\,(y-z'\beta_{0t})\,z'r_t\Big] + w\,p\,z'q

with :math:`p` the propensity, :math:`\omega=wp/(1-p)`, :math:`\Omega_t` its sum and :math:`c_t` the mean
residual by it; :math:`a_t, r_t, q` carry what estimating lines and propensity adds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whatworks.stats.did.group_time import GroupTimes
from whatworks.stats.did.two_groups import TRIMMED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SIGNS = (1.0, -1.0)
"""Of the period read, and of the base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    r"""What fitting leaves of every cell, filled cell by cell.

    Parameters
    ----------
    effect : ndarray of shape (n_cells,)
    n_treated, n_comparison, trimmed : ndarray of int, shape (n_cells,)
        Units that tell it, and comparisons of them left without weight.
    own_line, own_along : ndarray of shape (2, K, n_cells)
        :math:`\beta_{1t}` and :math:`a_t`, of the period read, then of the base.
    line, reach : ndarray of shape (2, K, n_cells)
        :math:`\beta_{0t}` and :math:`r_t`.
    gap, per_odds : ndarray of shape (2, n_cells)
        :math:`c_t` and :math:`1/\Omega_t`; zero where odds have no part.
    spread : ndarray of shape (K, n_cells)
        :math:`\delta/W`.
    spread_level : ndarray of shape (n_cells,)
        :math:`\bar z'\delta/W`.
    log_odds, score : ndarray of shape (K, n_cells)
        Coefficients of the propensity and :math:`q`; zero where it has no part.
    """

    effect: Floats
    n_treated: Ints
    n_comparison: Ints
    trimmed: Ints
    own_line: Floats
    own_along: Floats
    line: Floats
    reach: Floats
    gap: Floats
    per_odds: Floats
    spread: Floats
    spread_level: Floats
    log_odds: Floats
    score: Floats

    @classmethod
    def blank(cls, width: int, n_cells: int) -> Fits:
        """Nothing fitted yet."""
        flat, pair = (width, n_cells), (2, width, n_cells)
        shapes = {
            "own_line": pair,
            "own_along": pair,
            "line": pair,
            "reach": pair,
            "gap": (2, n_cells),
            "per_odds": (2, n_cells),
            "spread": flat,
            "log_odds": flat,
            "score": flat,
        }
        counted = ("n_treated", "n_comparison", "trimmed")
        return cls(
            **{
                f.name: np.zeros(
                    shapes.get(f.name, (n_cells,)), dtype=np.int64 if f.name in counted else float
                )
                for f in fields(cls)
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Units sorted by start, with the periods in which each is seen.

    Parameters
    ----------
    z : ndarray of shape (n, K)
        One, then covariates.
    outcome : ndarray of shape (n_periods, n)
        Zero where not seen.
    seen : ndarray of bool, shape (n_periods, n)
    weight : ndarray of shape (n,)
    starts : ndarray of int, shape (n_starts,)
        Distinct ones, increasing.
    bounds : ndarray of int, shape (n_starts + 1,)
        Where each begins.
    position : ndarray of int, shape (n,)
        Where each of the caller's units stands.
    """

    z: Floats
    outcome: Floats
    seen: Bools
    weight: Floats
    starts: Ints
    bounds: Ints
    position: Ints

    @property
    def width(self) -> int:
        """Regressors, the one included."""
        return int(self.z.shape[1])

    def of(self, place: int) -> slice:
        """Units of one start."""
        return slice(int(self.bounds[place]), int(self.bounds[place + 1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowInfluence:
    """Influence of units, given by row, on the cells they move; see `CellEffects.influence`."""

    units: Seen
    cells: GroupTimes
    fits: Fits
    usable: Bools

    def __call__(self, rows: Ints) -> tuple[Ints, Floats]:
        """Cells moved, and by how much, shape (n_rows, n_moved)."""
        position = self.units.position[rows]
        place = np.searchsorted(self.units.bounds, position, side="right") - 1
        seen = self.units.seen[:, position]
        alone = seen.sum(axis=0) == 1
        # Units seen once move the cells of one period: they are read period by period.
        key = place * (seen.shape[0] + 1) + np.where(alone, seen.argmax(axis=0), seen.shape[0])
        names = np.unique(key)
        if names.size == 1:
            return self._of_alike(position, int(place[0]), seen)
        found = np.zeros((rows.size, self.usable.size))
        for name in names:
            mine = np.flatnonzero(key == name)
            moved, values = self._of_alike(position[mine], int(place[mine[0]]), seen[:, mine])
            found[np.ix_(mine, moved)] = values
        return np.arange(self.usable.size), found

    def _of_alike(self, position: Ints, place: int, seen: Bools) -> tuple[Ints, Floats]:
        """Units of one start."""
        cells, start = self.cells, self.units.starts[place]
        ever: Bools = np.asarray(seen.any(axis=1))
        touched = self.usable & (ever[cells.at] | ever[cells.base])
        mine = np.flatnonzero(touched & (cells.cohort == start))
        theirs = np.flatnonzero(touched & (cells.cohort != start) & (start > cells.after))
        values = [self._of_treated(position, seen, mine), self._of_compared(position, seen, theirs)]
        return np.concatenate([mine, theirs]), np.hstack(values)

    def _periods(
        self, position: Ints, seen: Bools, cells: Ints, line: Floats
    ) -> list[tuple[int, Floats, Floats]]:
        """Presence and residuals in the period read and in the base, (n_rows, n_cells) each."""
        z, told = self.units.z[position], []
        for t, columns in enumerate((self.cells.at[cells], self.cells.base[cells])):
            here = seen[columns].T
            residual = self.units.outcome[columns[:, None], position].T - z @ line[t][:, cells]
            told.append((t, here.astype(float), residual * here))
        return told

    def _of_treated(self, position: Ints, seen: Bools, cells: Ints) -> Floats:
        f, z = self.fits, self.units.z[position]
        weight = self.units.weight[position][:, None]
        found, times = np.zeros((position.size, cells.size)), np.zeros((position.size, cells.size))
        for t, here, residual in self._periods(position, seen, cells, f.own_line):
            found += SIGNS[t] * residual * (z @ f.own_along[t][:, cells])
            times += here
        missed = expit(-(z @ f.log_odds[:, cells])) * (z @ f.score[:, cells])
        found += times * (z @ f.spread[:, cells] - f.spread_level[cells] - missed)
        return np.asarray(weight * found)

    def _of_compared(self, position: Ints, seen: Bools, cells: Ints) -> Floats:
        f, z = self.fits, self.units.z[position]
        weight = self.units.weight[position][:, None]
        linear = z @ f.log_odds[:, cells]
        chance = expit(linear)
        odds = np.where(chance < TRIMMED, np.exp(np.minimum(linear, 50.0)), 0.0)
        found, times = np.zeros((position.size, cells.size)), np.zeros((position.size, cells.size))
        for t, here, residual in self._periods(position, seen, cells, f.line):
            apart = odds * f.per_odds[t, cells] * (residual - here * f.gap[t, cells])
            found -= SIGNS[t] * (apart + residual * (z @ f.reach[t][:, cells]))
            times += here
        found += times * chance * (z @ f.score[:, cells])
        return np.asarray(weight * found)
