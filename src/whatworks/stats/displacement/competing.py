r"""How much the seekers of one market compete with those of another, and what reaches them from there.

With :math:`W` the weights between markets, rows summing to one, and :math:`s` the share of each market
under treatment, seekers of market :math:`i` meet treated competitors in the proportion :math:`(Ws)_i`;
those of other markets in :math:`\sum_{j \ne i} w_{ij} s_j / \sum_{j \ne i} w_{ij}`.

Weights by distance: :math:`w_{ij} \propto K(d_{ij}/h)\,U_j` with :math:`U_j` the seekers of :math:`j`.

Weights by commuting, with :math:`F_{ik}` the workers living in :math:`i` and working in :math:`k`:

.. math:: w_{ij} = \sum_k \frac{F_{ik}}{\sum_{k'} F_{ik'}} \, \frac{F_{jk}}{\sum_{j'} F_{j'k}},

where seekers of :math:`i` look for a job, times whom they meet there (the probability that a job sought
from :math:`i` is held from :math:`j`); spatial search and its reach: Manning & Petrongolo (2017),
doi:10.1257/aer.20131026.

Weights by skills: the cosine of the skills that two occupations use, times :math:`U_j`.

All of it is linear in the weights stored.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array, kron
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from whatworks.stats.globe import Metric, chord, embedded, on_map

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Kernel = Literal["exponential", "gaussian", "inverse", "uniform"]
KERNELS: Final = ("exponential", "gaussian", "inverse", "uniform")


def near(points: Floats, *, cut: float, metric: Metric) -> csr_array:
    """Distances between points not further than ``cut``, each with itself at zero included.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        ``plane``: in the unit of distances; ``globe``: latitude and longitude in degrees, distances in
        kilometres along great circles.
    cut : float

    Returns
    -------
    csr_array of shape (n, n)
        Zeros are stored: what is not stored is further.
    """
    n, placed = len(points), embedded(points, metric)
    reach = chord(cut, metric)
    # The tree rounds: what is exactly at the cut belongs, and is told apart on distances below.
    pairs = cKDTree(placed).query_pairs(reach * (1 + 1e-9) + 1e-12, output_type="ndarray")
    one, other = pairs[:, 0], pairs[:, 1]
    apart = on_map(np.linalg.norm(placed[one] - placed[other], axis=1), metric)
    kept = apart <= cut * (1 + 1e-12)
    one, other, apart = one[kept], other[kept], apart[kept]
    own = np.arange(n)
    rows = np.concatenate([one, other, own])
    columns = np.concatenate([other, one, own])
    order = np.lexsort((columns, rows))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    return csr_array(
        (np.concatenate([apart, apart, np.zeros(n)])[order], columns[order], starts), shape=(n, n)
    )


def every_distance(points: Floats, *, metric: Metric) -> Floats:
    """Distances between all points, shape (n, n), as `near` reckons them."""
    placed = embedded(points, metric)
    return on_map(cdist(placed, placed), metric)


def decayed(distance: csr_array, *, kernel: Kernel, scale: float) -> csr_array:
    """Kernel of stored distances, their pattern kept."""
    ratio = distance.data / scale
    if kernel == "exponential":
        value = np.exp(-ratio)
    elif kernel == "gaussian":
        value = np.exp(-(ratio**2) / 2)
    elif kernel == "inverse":
        value = 1 / (1 + ratio)
    else:
        value = np.ones_like(ratio)
    return csr_array((value, distance.indices, distance.indptr), shape=distance.shape)


def commuting(flows: csr_array) -> csr_array:
    """Weights by commuting: where seekers look, times whom they meet there.

    Parameters
    ----------
    flows : csr_array of shape (n_markets, n_workplaces)
        Workers by market of residence and place of work. A market without workers competes with nobody
        (its row is empty).
    """
    looked = row_normalised(flows)
    met = row_normalised(csr_array(flows.T))
    return csr_array(looked @ met)


def overlap(skills: csr_array, *, least: float) -> csr_array:
    """Cosines between rows, those below ``least`` left out; a market overlaps with itself.

    Parameters
    ----------
    skills : csr_array of shape (n_markets, n_skills)
        Not negative.
    """
    squares = np.asarray(skills.multiply(skills).sum(axis=1)).ravel()
    length = np.sqrt(squares)
    unit = diags_array(np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)) @ skills
    cosine = coo_array(unit @ unit.T)
    kept = (cosine.data >= least) & (cosine.data > 0)
    rows, columns = cosine.coords
    found = coo_array((cosine.data[kept], (rows[kept], columns[kept])), shape=cosine.shape)
    return csr_array(found)


def row_normalised(weights: csr_array, *, size: Floats | None = None) -> csr_array:
    """Rows that sum to one, columns weighed by ``size`` first; an empty row stays empty."""
    weighed = weights if size is None else weights @ diags_array(size)
    total = np.asarray(weighed.sum(axis=1)).ravel()
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    return csr_array(diags_array(scale) @ weighed)


def crossed(one: csr_array, other: csr_array) -> csr_array:
    """Weights between pairs (place, occupation): the product of both (Kronecker)."""
    return csr_array(kron(one, other, format="csr"))


def both(one: csr_array, other: csr_array) -> csr_array:
    """Weights between the same markets that need both (Hadamard), rows summing to one again."""
    return row_normalised(csr_array(one.multiply(other)))


def met(weights: csr_array, share: Floats) -> tuple[Floats, Floats]:
    """Treated share of the competition each market meets: of all, and of other markets only.

    Parameters
    ----------
    weights : csr_array of shape (n, n)
    share : ndarray of shape (n,)
        NaN where not known; so is then what depends on it.

    Returns
    -------
    every, others : ndarray of shape (n,)
        ``others`` is NaN for a market that competes with no other.
    """
    own = weights.diagonal()
    known = ~np.isnan(share)
    filled = np.where(known, share, 0.0)
    blind = np.asarray(weights @ (~known).astype(float)) > 0
    every = np.asarray(weights @ filled)
    blind_others = np.asarray(weights @ (~known).astype(float)) - own * ~known > 1e-15
    mass = np.asarray(weights.sum(axis=1)).ravel() - own
    rest = every - own * filled
    others = np.divide(rest, mass, out=np.full(mass.size, np.nan), where=mass > 1e-12)
    met_any = np.asarray(weights.sum(axis=1)).ravel() > 0
    return np.where(blind | ~met_any, np.nan, every), np.where(blind_others, np.nan, others)


def in_rings(distance: csr_array, share: Floats, size: Floats, *, edges: Floats) -> Floats:
    """Treated share of the markets of each ring around each market, by their size.

    Parameters
    ----------
    distance : csr_array of shape (n, n)
        As `near` gives it.
    share, size : ndarray of shape (n,)
    edges : ndarray of shape (n_rings + 1,)
        Increasing. A market at distance d is in ring k when ``edges[k] < d <= edges[k + 1]``; its own is
        in none.

    Returns
    -------
    ndarray of shape (n, n_rings)
        NaN where the ring holds no market, or one whose share or size is not known.
    """
    n = distance.shape[0]
    rows = np.repeat(np.arange(n), np.diff(distance.indptr))
    ring = np.searchsorted(edges, distance.data, side="left") - 1
    kept = (ring >= 0) & (ring < edges.size - 1) & (rows != distance.indices)
    at = rows[kept] * (edges.size - 1) + ring[kept]
    there = distance.indices[kept]
    n_bins = n * (edges.size - 1)
    mass = np.bincount(at, size[there], n_bins)
    summed = np.bincount(at, (size * share)[there], n_bins)
    found = np.divide(summed, mass, out=np.full(n_bins, np.nan), where=mass > 0)
    return np.asarray(found.reshape(n, edges.size - 1))
