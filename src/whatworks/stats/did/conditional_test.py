r"""Conditional test of moment inequalities with nuisance parameters, where its dual is known by hand.

For a set of trends :math:`\Delta=\{\delta:A\delta\le d\}` an effect :math:`\theta` is compatible with the
estimates when some trend is. The largest violation, least over trends,

.. math:: \hat\eta(\theta)=\min_{\tau:\,l'\tau=\theta}\ \max_j\
          \frac{\big(A(\hat\beta-\tau)-d\big)_j}{\sigma_j}
          =\max_{\gamma\in V}\ \gamma'(A\hat\beta-d)-\kappa_\gamma\theta,

is a linear programme whose dual has its maximum at a vertex: :math:`\gamma\ge0`,
:math:`\gamma'\sigma=1`, :math:`\gamma'A_{post}=\kappa_\gamma l'`. When :math:`A_{post}` stacks an
invertible :math:`D` on :math:`-D` these vertices are few and known: pairs of a constraint and its
opposite (:math:`\kappa=0`), and the positive and negative parts of :math:`D^{-\top}l`, either way round.
No programme is then solved: a grid of effects is one matrix.

Given the vertex, :math:`\hat\eta` is normal truncated to where that vertex stays the largest; the
hybrid test first rejects beyond the least favourable critical value of size :math:`\kappa`.

References
----------
Andrews, Roth & Pakes (2023), doi:10.1093/restud/rdad003. Rambachan & Roth (2023), §3.2–3.3,
doi:10.1093/restud/rdad018.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DRAWS: Final = 2**14
"""Draws of the normal law behind least favourable critical values, always the same."""
FIRST_STAGE: Final = 0.1
"""Share of the size spent on the least favourable test, as in Rambachan & Roth."""
NEARLY: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    r"""Vertices of the dual, as combinations of the estimates.

    Parameters
    ----------
    read : ndarray of shape (n_vertices, n_effects)
        What each vertex reads of the estimates, :math:`\gamma'A`.
    bound : ndarray of shape (n_vertices,)
        :math:`\gamma'd`.
    slope : ndarray of shape (n_vertices,)
        :math:`\kappa_\gamma`.
    """

    read: Floats
    bound: Floats
    slope: Floats


def moments(constraints: Floats, spread: Floats, limit: float, weights: Floats) -> Moments:
    r"""Vertices for :math:`\pm C\delta+B\delta\le d`, one row of each per constraint.

    Parameters
    ----------
    constraints : ndarray of shape (2, T, n_effects)
        Rows of :math:`A`: those of one sign, then those of the other; over the last T effects they are
        opposite, and invertible.
    spread : ndarray of shape (2, T)
        Standard deviation of each.
    limit : float
        :math:`d`, the same for all.
    weights : ndarray of shape (T,)
        :math:`l`.
    """
    n = weights.size
    path = np.linalg.solve(constraints[0, :, -n:].T, weights)
    up, down = np.maximum(path, 0.0), np.maximum(-path, 0.0)
    paired = np.eye(n)
    first = np.vstack([paired, up, down])
    second = np.vstack([paired, down, up])
    scale = first @ spread[0] + second @ spread[1]
    # Where both constraints of a pair are without noise nothing is to be standardised.
    scale = np.where(scale > 0, scale, 1.0)
    return Moments(
        read=(first @ constraints[0] + second @ constraints[1]) / scale[:, None],
        bound=limit * (first.sum(axis=1) + second.sum(axis=1)) / scale,
        slope=np.concatenate([np.zeros(n), [1.0, -1.0]]) / scale,
    )


def least_favourable(read: Floats, covariance: Floats, *, size: float) -> float:
    """Critical value of the largest violation when every constraint binds."""
    root = np.linalg.cholesky(_positive(read @ covariance @ read.T))
    largest = (_normals(read.shape[0]) @ root.T).max(axis=1)
    return float(np.quantile(largest, 1 - size))


def compatible(
    theta: Floats,
    tested: Moments,
    estimate: Floats,
    covariance: Floats,
    *,
    critical: float,
    size: float = 0.05,
) -> Bools:
    """Whether the hybrid test keeps each effect.

    Parameters
    ----------
    theta : ndarray of shape (n_grid,)
    tested : Moments
    estimate, covariance
        Of all effects.
    critical : float
        `least_favourable` value of size ``FIRST_STAGE * size``.
    size : float

    Returns
    -------
    ndarray of bool, shape (n_grid,)
    """
    first = FIRST_STAGE * size
    second = (size - first) / (1 - first)
    among = tested.read @ covariance @ tested.read.T
    value = (tested.read @ estimate - tested.bound) - theta[:, None] * tested.slope
    place = value.argmax(axis=1)
    largest = value[np.arange(theta.size), place]
    variance = np.diag(among)[place]
    noisy = variance > NEARLY**2
    # Along each vertex the others move by their regression on it; where they would overtake it ends
    # the truncation.
    slope = among[place] / np.where(noisy, variance, 1.0)[:, None]
    apart = value - slope * largest[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        meets = apart / (1 - slope)
    below = np.where(slope < 1 - NEARLY, meets, -np.inf).max(axis=1)
    above = np.where(slope > 1 + NEARLY, meets, np.inf).min(axis=1)
    deviation = np.sqrt(np.where(noisy, variance, 1.0))
    tail = _upper_tail(
        largest / deviation, below / deviation, np.minimum(above, critical) / deviation
    )
    rejected = (largest > critical) | (noisy & (largest > 0) & (tail < second))
    return np.asarray(np.where(noisy, ~rejected, largest <= NEARLY))


def _upper_tail(x: Floats, low: Floats, high: Floats) -> Floats:
    """Probability that a standard normal between two bounds exceeds ``x``, computed in its lower tail."""
    x = np.clip(x, low, high)
    a, b, c = (special.log_ndtr(-v) for v in (x, low, high))
    with np.errstate(divide="ignore", invalid="ignore"):
        above, all_of = np.expm1(c - a), np.expm1(c - b)
        tail = np.exp(a - b) * above / all_of
    return np.asarray(np.where(np.isfinite(tail), tail, 1.0))


def _positive(matrix: Floats) -> Floats:
    """The matrix with enough on its diagonal for a triangular root."""
    return matrix + np.eye(matrix.shape[0]) * (NEARLY * max(float(np.diag(matrix).max()), NEARLY))


@lru_cache(maxsize=64)
def _normals(k: int) -> Floats:
    drawn = np.random.default_rng(2023).standard_normal((DRAWS, k))
    drawn.setflags(write=False)
    return drawn
