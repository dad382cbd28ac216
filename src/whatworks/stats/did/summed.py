"""Influences of units summed by cluster, held as such or, where there are too many, as a covariance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.uncertainty import Covariance, Influence, Uncertainty, sums_by_number

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_HELD: Final = 2**24
"""Numbers (clusters × terms) up to which cluster sums are held."""
BLOCK: Final = 2**21
"""Numbers (units × terms) read at once."""


def summed_by_cluster(
    influence_of: Callable[[Ints], Floats],
    *,
    n_terms: int,
    cluster: Ints,
    n_clusters: int,
    factor: float = 1.0,
    level: Literal["person", "market"] = "person",
) -> Uncertainty:
    r"""Uncertainty of terms from the influence of units, read in blocks of whole clusters.

    .. math:: \psi_c = \sum_{i\in c}\psi_i,\qquad \widehat V = f\sum_c \psi_c\psi_c'

    Parameters
    ----------
    influence_of : callable
        Rows of units (int, shape (b,)) → their influence, shape (b, n_terms).
    n_terms : int
    cluster : ndarray of int, shape (n,)
        0 … ``n_clusters`` − 1, each of them held by some unit.
    n_clusters : int
    factor : float
        Small-sample factor on the covariance.
    level : str

    Returns
    -------
    Uncertainty
        `Influence` up to ``MOST_HELD`` numbers, `Covariance` beyond: memory stays bounded.
    """
    order = np.argsort(cluster, kind="stable")
    ends = np.cumsum(np.bincount(cluster, minlength=n_clusters))
    held = n_clusters * n_terms <= MOST_HELD
    values = np.empty((n_clusters if held else 0, n_terms))
    matrix = np.zeros((n_terms, n_terms))
    first, begin, step = 0, 0, max(1, BLOCK // max(1, n_terms))
    while first < n_clusters:
        stop = max(first + 1, int(np.searchsorted(ends, begin + step, side="right")))
        rows = order[begin : ends[stop - 1]]
        sums = sums_by_number(influence_of(rows), cluster[rows] - first, n_clusters=stop - first)
        if held:
            values[first:stop] = sums
        else:
            matrix += sums.T @ sums
        first, begin = stop, int(ends[stop - 1])
    if held:
        return Influence(values=values, cluster=np.arange(n_clusters), factor=factor, level=level)
    return Covariance(matrix=factor * matrix)
