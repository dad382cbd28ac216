r"""Uncertainty of cells and shares from influences of units, read block after block.

Where clusters are few enough to be held, sums by cluster (`Influence`); where they are not, the
covariance :math:`\sum_c\psi_c\psi_c'` itself, added up. Where influences are linear in outcomes, as
without covariates, either needs only sums of outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.followed import BLOCK, ByStart
from whatworks.stats.did.group_time import InfluenceOf
from whatworks.stats.did.panel_cells import PanelCells
from whatworks.stats.uncertainty import Covariance, Influence, Uncertainty

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HELD: Final = 2**22
"""Clusters × terms up to which the influence of each cluster is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Who the units are drawn with: cohorts, weights and clusters.

    Parameters
    ----------
    by_start : ByStart
    cohorts : ndarray of int, shape (n_cohorts,)
    weight : ndarray of shape (n,)
    cluster : ndarray of int, shape (n,)
        0 to ``n_clusters`` − 1, none empty.
    n_clusters : int
    factor : float
        Small-sample factor on covariances.
    level : str
        ``"person"`` or ``"market"``.
    """

    by_start: ByStart
    cohorts: Ints
    weight: Floats
    cluster: Ints
    n_clusters: int
    factor: float
    level: Literal["person", "market"]

    @property
    def alone(self) -> bool:
        """Whether each unit is a cluster of its own."""
        return self.n_clusters == self.cluster.size

    def shares(self) -> Floats:
        """Share of each cohort among all units, shape (n_cohorts,)."""
        mass = np.bincount(self.by_start.place, self.weight, minlength=self.by_start.starts.size)
        return np.asarray(mass[np.searchsorted(self.by_start.starts, self.cohorts)] / mass.sum())

    def share_influence(self) -> Floats:
        """What a unit of weight one adds to the error of shares, by start, (n_starts, n_cohorts)."""
        apart = (self.by_start.starts[:, None] == self.cohorts) - self.shares()
        return np.asarray(apart / self.weight.sum())


def uncertainty_of_cells(influence: InfluenceOf, n_cells: int, sampled: Sampled) -> Uncertainty:
    """Uncertainty of cells, then of shares.

    Parameters
    ----------
    influence : callable
        As `CellEffects` has it.
    n_cells : int
    sampled : Sampled

    Returns
    -------
    Influence or Covariance
    """
    read = _With(influence, n_cells, sampled, sampled.share_influence())
    if _few(n_cells, sampled):
        return _held(read.sums(), sampled)
    return Covariance(
        matrix=sampled.factor * (read.squares() if sampled.alone else read.by_cluster())
    )


def uncertainty_of_panel(fitted: PanelCells, sampled: Sampled) -> Uncertainty:
    """The same for units followed throughout; from sums of outcomes where these are enough."""
    n_cells = fitted.effects.effect.size
    many = not _few(n_cells, sampled)
    if fitted.sums.second is None or (many and not sampled.alone):
        return uncertainty_of_cells(fitted.effects.influence, n_cells, sampled)
    shares = sampled.share_influence()
    n_terms = n_cells + sampled.cohorts.size
    if not many:
        sums = np.zeros((sampled.n_clusters, n_terms))
        for place in range(shares.shape[0]):
            turn = _turn(fitted, place, shares)
            for rows in sampled.by_start.blocks(place):
                z = fitted.followed.read(rows) * sampled.weight[rows][:, None]
                names, total = _reduced(z, sampled.cluster[rows])
                sums[names] += total @ turn
        return _held(sums, sampled)
    matrix = np.zeros((n_terms, n_terms))
    for place in range(shares.shape[0]):
        turn = _turn(fitted, place, shares)
        turn[0] += fitted.sums.origin[place] @ turn
        matrix += turn.T @ fitted.sums.second[place] @ turn
    return Covariance(matrix=sampled.factor * matrix)


def _few(n_cells: int, sampled: Sampled) -> bool:
    return sampled.n_clusters * (n_cells + sampled.cohorts.size) <= HELD


def _turn(fitted: PanelCells, place: int, shares: Floats) -> Floats:
    """What turns one and outcomes of a unit of some start, of weight one, into all its influences."""
    cells = fitted.linear(place)
    constant = np.zeros((cells.shape[0], shares.shape[1]))
    constant[0] = shares[place]
    return np.hstack([cells, constant])


def _held(sums: Floats, sampled: Sampled) -> Influence:
    return Influence(
        values=sums,
        cluster=np.arange(sampled.n_clusters),
        factor=sampled.factor,
        level=sampled.level,
    )


def _reduced(values: Floats, cluster: Ints) -> tuple[Ints, Floats]:
    """Sums of some rows by cluster, and which clusters they are."""
    order = np.argsort(cluster, kind="stable")
    told = cluster[order]
    begins = np.concatenate([[0], np.flatnonzero(np.diff(told)) + 1])
    return told[begins], np.add.reduceat(values[order], begins, axis=0)


@dataclass(frozen=True, slots=True)
class _With:
    """Influences of units on cells and shares, read in blocks."""

    influence: InfluenceOf
    n_cells: int
    sampled: Sampled
    shares: Floats

    def block(self, rows: Ints) -> tuple[Ints, Floats]:
        """Terms that some units move, and by how much."""
        moved, values = self.influence(rows)
        sampled = self.sampled
        apart = self.shares[sampled.by_start.place[rows]] * sampled.weight[rows][:, None]
        names = np.arange(self.n_cells, self.n_cells + self.shares.shape[1])
        return np.concatenate([moved, names]), np.hstack([values, apart])

    @property
    def n_terms(self) -> int:
        return self.n_cells + int(self.shares.shape[1])

    def sums(self) -> Floats:
        """Sums by cluster, shape (n_clusters, n_terms)."""
        found = np.zeros((self.sampled.n_clusters, self.n_terms))
        for place in range(self.shares.shape[0]):
            for rows in self.sampled.by_start.blocks(place):
                moved, values = self.block(rows)
                names, total = _reduced(values, self.sampled.cluster[rows])
                found[np.ix_(names, moved)] += total
        return found

    def squares(self) -> Floats:
        """Sum over units of their outer products: each is a cluster of its own."""
        matrix = np.zeros((self.n_terms, self.n_terms))
        for place in range(self.shares.shape[0]):
            for rows in self.sampled.by_start.blocks(place):
                moved, values = self.block(rows)
                matrix[np.ix_(moved, moved)] += values.T @ values
        return matrix

    def by_cluster(self) -> Floats:
        """Sum over clusters too many to be held, whole ones at a time."""
        sampled = self.sampled
        matrix = np.zeros((self.n_terms, self.n_terms))
        order = np.argsort(sampled.cluster, kind="stable")
        ends = np.cumsum(np.bincount(sampled.cluster, minlength=sampled.n_clusters))
        begin = 0
        while begin < order.size:
            last = min(int(np.searchsorted(ends, begin + BLOCK)), ends.size - 1)
            rows = order[begin : ends[last]]
            moved, values = self.block(rows)
            total = _reduced(values, sampled.cluster[rows])[1]
            matrix[np.ix_(moved, moved)] += total.T @ total
            begin = int(ends[last])
        return matrix
