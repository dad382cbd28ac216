r"""Covariance of mean outcomes by arm and share, where markets differ in size and in what is usual there.

A market drawn to share :math:`t` with probability :math:`q_t` has :math:`N_{cg}` persons in cell :math:`c`.
Its outcomes are :math:`\mu_g` on average, with variance :math:`\sigma_{cg}^2` around it of which
:math:`\tau_{cg}^2` is common to the cell's persons there; what is common goes together between cells with
correlation :math:`r_{cc'}`. With :math:`w_{cg}=N_{cg}/\sum_h N_{ch}`, for cells of one share,

.. math:: V_{cc'} = \frac{1}{q_t}\sum_g w_{cg}w_{c'g}\bigl[r_{cc'}\tau_{cg}\tau_{c'g}
          + 1\{c=c'\}\,(\sigma_{cg}^2-\tau_{cg}^2)/N_{cg} + (\mu_g-\mu)^2\bigr]

and zero between shares: what clustered errors tell. What the means truly vary by is less, by
:math:`\sum_g w_{cg}w_{c'g}(\mu_g-\mu)^2` for every two cells, for a market is at one share only.

References
----------
Cruces, Tortarolo & Vazquez-Bare (2025), "Design of partial population experiments with an application to
spillovers in tax compliance", World Bank Policy Research Working Paper 11059: Theorems 1 and 2, eq. 8, 9
and 11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellVariance:
    """Covariances of cell means.

    Parameters
    ----------
    told : ndarray of shape (n_cells, n_cells)
        As clustered errors will tell them.
    true : ndarray of shape (n_cells, n_cells)
        As they are; ``told - true`` is positive semi-definite.
    """

    told: Floats
    true: Floats


def cell_variance(
    counts: Floats,
    share: Ints,
    *,
    allocation: Floats,
    variance: Floats,
    icc: Floats,
    together: Floats,
    away: Floats,
) -> CellVariance:
    """Covariance of the means of cells over the draw of markets.

    Parameters
    ----------
    counts : ndarray of shape (n_cells, n_markets)
        Persons of each market in each cell, were it drawn to the cell's share.
    share : ndarray of int, shape (n_cells,)
        Number of the share of each cell.
    allocation : ndarray of shape (n_shares,)
        Part of markets at each.
    variance, icc : ndarray, broadcast to shape (n_cells, n_markets)
        Variance around the market's usual outcome, and the part of it that is common to the market.
    together : ndarray of shape (n_cells, n_cells)
        Correlation of what is common between cells of one market.
    away : ndarray of shape (n_markets,)
        How far the market's usual outcome is from those it is compared with.
    """
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        w = counts / total
        own = (w * variance * (1 - icc)).sum(axis=1) / total[:, 0]
    common = w * np.sqrt(variance * icc)
    same = share[:, None] == share[None, :]
    between = (w * away**2) @ w.T
    within = together * (common @ common.T) + np.diag(own)
    told = np.where(same, within + between, 0.0) / allocation[share][:, None]
    return CellVariance(told=told, true=told - between)


def best_allocation(forms: Floats, share: Ints, *, variance: Floats, weight: Floats) -> Floats:
    r"""Parts of markets that make a weighted sum of variances of contrasts least.

    .. math:: q_t^* = \sqrt{B_t}\Big/\sum_s\sqrt{B_s},\qquad
              B_t = \sum_k \omega_k\, c_{kt}'\,(q_tV_t)\,c_{kt}

    since the sum of variances is :math:`\sum_t B_t/q_t` whatever the contrasts (A-optimality; Theorem 2 of
    the paper is the case of totals and spillovers).

    Parameters
    ----------
    forms : ndarray of shape (n_contrasts, n_cells)
    share : ndarray of int, shape (n_cells,)
    variance : ndarray of shape (n_cells, n_cells)
        As told, at the allocation that is one at every share.
    weight : ndarray of shape (n_contrasts,)

    Examples
    --------
    Two arms, the second twice as variable: more markets go there.

    >>> best_allocation(np.array([[1.0, -1.0]]), np.array([0, 1]),
    ...     variance=np.diag([1.0, 4.0]), weight=np.ones(1)).round(3).tolist()
    [0.333, 0.667]
    """
    burden = np.zeros(int(share.max()) + 1)
    for t in range(burden.size):
        here = np.where(share == t, forms, 0.0)
        burden[t] = weight @ np.einsum("kc,cd,kd->k", here, variance, here)
    root = np.sqrt(np.maximum(burden, 0.0))
    return np.asarray(root / root.sum())
