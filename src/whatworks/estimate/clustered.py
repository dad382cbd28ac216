"""Effects by month whose uncertainty is a sum by cluster: what matched and weighted methods share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.uncertainty import sums_by_number

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST_CLUSTERS = 2
"""Of an arm, below which it has no variance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredCurve:
    """Effects by month and their influence.

    Parameters
    ----------
    effect : ndarray of shape (n_months,)
        NaN where an arm has nobody observed.
    counts : ndarray of int, shape (n_months, 2)
        Treated and other units that count.
    clusters : ndarray of int, shape (n_months, 2)
        Clusters they are in.
    sums : ndarray of shape (n_clusters, n_months)
        Influence, summed by cluster.
    """

    effect: Floats
    counts: Ints
    clusters: Ints
    sums: Floats

    @classmethod
    def blank(cls, n_clusters: int, n_months: int) -> ClusteredCurve:
        """A curve of which nothing is known yet."""
        return cls(
            effect=np.full(n_months, np.nan),
            counts=np.zeros((n_months, 2), dtype=np.int64),
            clusters=np.zeros((n_months, 2), dtype=np.int64),
            sums=np.full((n_clusters, n_months), np.nan),
        )

    def fill(
        self,
        which: Ints,
        *,
        effect: Floats,
        influence: Floats,
        used: Bools,
        treated: Bools,
        cluster: Ints,
    ) -> None:
        """Set some months.

        Parameters
        ----------
        which : ndarray of int
            Positions of the months.
        effect : ndarray of shape (n_which,)
        influence : ndarray of shape (n, n_which)
        used : ndarray of bool, shape (n, 1) or (n, n_which)
            Units that count.
        treated : ndarray of bool, shape (n,)
        cluster : ndarray of int, shape (n,)
        """
        n_clusters = self.sums.shape[0]
        self.effect[which] = effect
        self.sums[:, which] = sums_by_number(influence, cluster, n_clusters=n_clusters)
        for k, arm in enumerate((treated, ~treated)):
            present = used[arm]
            met = sums_by_number(present.astype(float), cluster[arm], n_clusters=n_clusters)
            self.counts[which, k] = present.sum(axis=0)
            self.clusters[which, k] = (met > 0).sum(axis=0)

    @property
    def few(self) -> Bools:
        """Months in which an arm has no variance, shape (n_months,)."""
        return np.asarray(self.clusters.min(axis=1) < FEWEST_CLUSTERS)
