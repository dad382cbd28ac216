"""Markets whose seekers also look next door."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from whatworks.design.markets.competition import Competition
from whatworks.worlds.jobs.options import FiniteJobs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def on_a_circle(options: FiniteJobs, rng: np.random.Generator) -> csr_array:
    """Where seekers look: at home, or in either neighbour on a circle of markets in random order.

    Returns
    -------
    csr_array of shape (n_markets, n_markets)
        Rows sum to one.
    """
    n, away = options.n_markets, options.crossing
    order = rng.permutation(n)
    here, after = order, np.roll(order, -1)
    row = np.concatenate([here, here, after])
    column = np.concatenate([here, after, here])
    share = np.concatenate([np.full(n, 1 - away), np.full(2 * n, away / 2)])
    return csr_array((share, (row, column)), shape=(n, n))


def searched(crossing: csr_array, market: Ints, rng: np.random.Generator) -> Ints:
    """Place in which each seeker looks for a job, ``market`` sorted."""
    drawn = rng.random(market.size)
    width = int(np.diff(crossing.indptr).max())
    shares = np.zeros((crossing.shape[0], width))
    places = np.zeros((crossing.shape[0], width), dtype=np.int64)
    row = np.repeat(np.arange(crossing.shape[0]), np.diff(crossing.indptr))
    at = np.arange(row.size) - crossing.indptr[row]
    shares[row, at], places[row, at] = crossing.data, crossing.indices
    upto = np.cumsum(shares, axis=1)
    chosen = np.zeros(market.size, dtype=np.int64)
    for step in range(width - 1):
        chosen += drawn >= upto[market, step]
    return np.asarray(places[market, chosen])


def competing(crossing: csr_array, size: Floats, market: Ints) -> Competition:
    r"""Share of the competition met by seekers of each market that comes from each market.

    With :math:`C` where they look and :math:`U` how many they are,
    :math:`W_{ij}=\sum_k C_{ik}\,C_{jk}U_j/\sum_lC_{lk}U_l`.
    """
    met = crossing @ diags_array(1 / (crossing.T @ size)) @ crossing.T @ diags_array(size)
    names = market.astype(str)
    order = np.argsort(names)
    weights = csr_array(csr_array(met)[order][:, order])
    weights.sort_indices()
    return Competition(names=tuple(names[order].tolist()), weights=weights, source="crossing")
