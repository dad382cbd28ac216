r"""Who is near whom: nearest treated place, errors that reach across space, what neighbours share.

Places lie in a plane (any unit of length) or on the globe (degrees; kilometres by great circles), or are
known by a matrix of distances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from scipy.stats import norm

from whatworks.stats.globe import Metric, chord, embedded, on_map

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Kernel = Literal["bartlett", "uniform"]
_SINGULAR: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where places are: points, or distances between them; one of the two.

    Parameters
    ----------
    points : ndarray of shape (n, 2) or None
        Plane coordinates, or latitude and longitude in degrees.
    metric : str
        ``"plane"`` or ``"globe"``.
    distance : ndarray of shape (n, n) or None
        NaN where not known: such a pair is held to be far apart.
    """

    points: Floats | None = None
    metric: Metric = "plane"
    distance: Floats | None = None

    def at(self, rows: Ints) -> Places:
        """Some of the places."""
        if self.distance is not None:
            return Places(distance=self.distance[np.ix_(rows, rows)])
        return Places(points=None if self.points is None else self.points[rows], metric=self.metric)

    def pairs_within(self, reach: float) -> float:
        """Number of ordered pairs of places nearer than ``reach``, each with itself counted."""
        if self.distance is not None:
            return float(self.distance.size)
        tree = cKDTree(self._embedded())
        return float(tree.count_neighbors(tree, chord(reach, self.metric)))

    def nearest(self, members: Ints) -> Floats:
        """Distance from every place to the nearest of some others, itself not counted; shape (n,).

        Infinite where there is none.
        """
        if self.distance is not None:
            return _nearest_known(self.distance, members)
        points = self._embedded()
        n = points.shape[0]
        found = cKDTree(points[members]).query(points, k=min(2, members.size))
        apart, which = (np.asarray(one).reshape(n, -1) for one in found)
        own = members[which[:, 0]] == np.arange(n)
        # Two places at one point: the tree may name the other first; the nearest other is at 0 all the same.
        if apart.shape[1] == 1:
            return on_map(np.where(own, np.inf, apart[:, 0]), self.metric)
        return on_map(np.where(own, apart[:, 1], apart[:, 0]), self.metric)

    def within(self, reach: float, *, kernel: Kernel) -> csr_array:
        r"""Kernel weights of pairs of places nearer than ``reach``, the diagonal being one.

        ``"bartlett"``: :math:`1-d/r`; ``"uniform"``: 1.
        """
        if self.distance is not None:
            near = np.nan_to_num(self.distance, nan=np.inf)
            near = np.where(np.eye(near.shape[0], dtype=bool), 0.0, np.fmin(near, near.T))
            row, column = np.nonzero(near < reach)
            length = near[row, column]
            n = near.shape[0]
        else:
            points = self._embedded()
            n = points.shape[0]
            pairs = cKDTree(points).query_pairs(chord(reach, self.metric), output_type="ndarray")
            straight = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
            length = on_map(straight, self.metric)
            nearer = length < reach
            pairs, length = pairs[nearer], length[nearer]
            every = np.arange(n)
            row = np.concatenate([pairs[:, 0], pairs[:, 1], every])
            column = np.concatenate([pairs[:, 1], pairs[:, 0], every])
            length = np.concatenate([length, length, np.zeros(n)])
        weight = 1 - length / reach if kernel == "bartlett" else np.ones(length.size)
        return csr_array((weight, (row, column)), shape=(n, n))

    def _embedded(self) -> Floats:
        """Points whose straight distances rank as the places' own."""
        if self.points is None:
            raise AssertionError("places have neither points nor distances")
        return embedded(self.points, self.metric)


def _nearest_known(distance: Floats, members: Ints) -> Floats:
    """Least of some columns of a matrix of distances, the diagonal left out."""
    apart = np.where(np.isnan(distance[:, members]), np.inf, distance[:, members])
    apart[members, np.arange(members.size)] = np.inf
    return np.asarray(apart.min(axis=1))


def conley(influence: Floats, weights: csr_array) -> Floats:
    r"""Covariance of terms whose influences are correlated across space.

    .. math:: \hat V=\sum_{c,d}k(\mathrm{dist}_{cd})\,\psi_c\psi_d'

    Parameters
    ----------
    influence : ndarray of shape (n_places, n_terms)
        Summed over the periods and units of each place, which may be correlated in any way.
    weights : csr_array of shape (n_places, n_places)
        As `Places.within` gives them.

    Returns
    -------
    ndarray of shape (n_terms, n_terms)
        Positive semi-definite. Neither kernel makes sums so on every map: a variance that comes out negative
        is 0, with its row, and told by nobody; correlations that no law has lose their negative directions,
        the other variances being what they are.

    References
    ----------
    Conley (1999), doi:10.1016/S0304-4076(98)00084-0. Cameron, Gelbach & Miller (2011),
    doi:10.1198/jbes.2010.07136, for the negative directions.
    """
    found = influence.T @ (weights @ influence)
    found = np.asarray((found + found.T) / 2)
    size = np.sqrt(np.maximum(np.diag(found), 0.0))
    apart = np.outer(size, size)
    correlation = np.divide(found, apart, out=np.zeros_like(found), where=apart > 0)
    values, vectors = np.linalg.eigh(correlation)
    if values.min(initial=0.0) >= -_SINGULAR:
        return np.where(apart > 0, found, 0.0)
    kept = (vectors * np.maximum(values, 0.0)) @ vectors.T
    grown = np.sqrt(np.diag(kept))
    kept = np.divide(kept, np.outer(grown, grown), out=np.zeros_like(kept), where=apart > 0)
    return np.asarray(kept * apart)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moran:
    """Whether neighbours resemble one another.

    Parameters
    ----------
    index, expected, std_error : float
        Moran's I, what it would be without any pattern, and its standard deviation then.
    p_value : float
        Two-sided, by the normal law; NaN with fewer than four places, or none with a neighbour.
    n_places : int
    """

    index: float
    expected: float
    std_error: float
    p_value: float
    n_places: int


def moran(values: Floats, weights: csr_array) -> Moran:
    r"""Moran's I of values over places.

    .. math:: I=\frac{n}{S_0}\frac{\sum_{ij}w_{ij}z_iz_j}{\sum_iz_i^2},\qquad z_i=x_i-\bar x,\ w_{ii}=0,

    with the moments of values shuffled among places.

    Parameters
    ----------
    values : ndarray of shape (n,)
    weights : csr_array of shape (n, n)
        Symmetric; its diagonal is not read.

    References
    ----------
    Moran (1950), doi:10.2307/2332142. Cliff & Ord (1981), Spatial Processes, ch. 2.
    """
    n = values.size
    entries = weights.tocoo()
    off = entries.row != entries.col
    row, column, weight = entries.row[off], entries.col[off], entries.data[off]
    z = values - values.mean()
    s0, square = float(weight.sum()), float(z @ z)
    nothing = float("nan")
    if n < 4 or s0 <= 0 or not square > 1e-24 * max(float(values @ values), 1e-300):
        return Moran(
            index=nothing, expected=nothing, std_error=nothing, p_value=nothing, n_places=n
        )
    index = n / s0 * float((weight * z[row]) @ z[column]) / square
    s1 = 2 * float(weight @ weight)  # symmetric weights: (w_ij + w_ji)² / 2 summed
    sums = np.bincount(row, weight, minlength=n)
    s2 = 4 * float(sums @ sums)
    kurtosis = n * float((z**4).sum()) / square**2
    expected = -1 / (n - 1)
    upper = n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    lower = kurtosis * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    variance = (upper - lower) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - expected**2
    error = float(np.sqrt(variance)) if variance > 0 else nothing
    p_value = float(2 * norm.sf(abs(index - expected) / error)) if variance > 0 else nothing
    return Moran(index=index, expected=expected, std_error=error, p_value=p_value, n_places=n)
