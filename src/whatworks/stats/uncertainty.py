"""How sure an estimate is, in two forms that answer the same two questions.

``combine(weights)`` gives the uncertainty of linear combinations of terms, and
``covariance()`` the covariance matrix of the terms. Whatever aggregates effects
over cohorts, months or types asks nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Uncertainty(Protocol):
    """What both forms answer."""

    def combine(self, weights: Floats) -> Uncertainty:
        """Uncertainty of ``weights @ terms``, weights of shape (n_new, n_terms)."""
        ...

    def covariance(self) -> Floats:
        """Covariance matrix of the terms, shape (n_terms, n_terms)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    r"""Influence of each cluster on each term: :math:`\hat\theta-\theta \approx \sum_c \psi_c`.

    Parameters
    ----------
    values : ndarray of shape (n_clusters, n_terms)
        Cluster sums :math:`\psi_c`, already divided by the sample size.
    cluster : ndarray of shape (n_clusters,)
        Cluster labels, increasing, so that influences of two estimates can be aligned.
    factor : float
        Small-sample factor on the covariance; 1 for none, :math:`G/(G-1)` and the like.
    level : str
        What a cluster is: ``"person"``, ``"market"`` or ``"matched_set"``.

    Notes
    -----
    :math:`\widehat V = f \sum_c \psi_c \psi_c'` (Liang & Zeger 1986, doi:10.1093/biomet/73.1.13).
    """

    values: Floats
    cluster: Ints
    factor: float = 1.0
    level: Literal["person", "market", "matched_set"] = "person"

    def combine(self, weights: Floats) -> Influence:
        """Influence of linear combinations of terms."""
        w = np.asarray(weights, dtype=float)
        read = np.flatnonzero((w != 0).any(axis=0))
        values = self.values[:, read]
        undefined = np.isnan(values).any(axis=0)
        combined = (np.where(undefined, 0.0, values) if undefined.any() else values) @ w[:, read].T
        # An undefined term leaves undefined what reads it, and nothing else.
        combined[:, (w[:, read][:, undefined] != 0).any(axis=1)] = np.nan
        return Influence(
            values=combined,
            cluster=self.cluster,
            factor=self.factor,
            level=self.level,
        )

    def covariance(self) -> Floats:
        """Sum of outer products of the cluster sums."""
        return np.asarray(self.factor * (self.values.T @ self.values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariance:
    """A covariance matrix known as such.

    Parameters
    ----------
    matrix : ndarray of shape (n_terms, n_terms)
        Symmetric, positive semi-definite.
    """

    matrix: Floats

    def combine(self, weights: Floats) -> Covariance:
        """Covariance of linear combinations of terms."""
        w = np.asarray(weights, dtype=float)
        read = np.flatnonzero((w != 0).any(axis=0))
        return Covariance(matrix=w[:, read] @ self.matrix[np.ix_(read, read)] @ w[:, read].T)

    def covariance(self) -> Floats:
        """Return the matrix itself."""
        return self.matrix


def factor_of_clusters(n_clusters: int, *, small_sample: bool = True) -> float:
    """:math:`G/(G-1)`, or 1 without; NaN with one cluster, which tells nothing of a variance.

    >>> factor_of_clusters(5), factor_of_clusters(5, small_sample=False), factor_of_clusters(1)
    (1.25, 1.0, nan)
    """
    if n_clusters < 2:
        return float("nan")
    return n_clusters / (n_clusters - 1) if small_sample else 1.0


def order_by_content(sums: Floats) -> Ints:
    """An order of clusters that neither rows nor labels decide, but what they hold: for chance to follow.

    Parameters
    ----------
    sums : ndarray of shape (n_clusters, k)
        In units that do not matter.
    """
    mark = sums @ np.random.default_rng(2020).standard_normal(sums.shape[1])
    return np.argsort(mark, kind="stable")


def cluster_sums(values: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Ints]:
    """Sum rows of ``values`` (n, k) by label; returns sums (n_clusters, k) and sorted labels.

    >>> sums, labels = cluster_sums(np.array([[1.0], [2.0], [4.0]]), np.array([7, 3, 7]))
    >>> sums.ravel().tolist(), labels.tolist()
    ([2.0, 5.0], [3, 7])
    """
    names, position = np.unique(labels, return_inverse=True)
    return sums_by_number(values, position, n_clusters=names.size), names.astype(np.int64)


def sums_by_number(values: Floats, cluster: NDArray[np.intp] | Ints, *, n_clusters: int) -> Floats:
    """Sum rows of ``values`` (n, k) by cluster number, 0 to ``n_clusters`` − 1; absent ones are zero."""
    sums = np.empty((n_clusters, values.shape[1]))
    for k in range(values.shape[1]):
        sums[:, k] = np.bincount(cluster, weights=values[:, k], minlength=n_clusters)
    return sums
