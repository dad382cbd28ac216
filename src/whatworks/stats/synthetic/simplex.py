r"""Least squares over weights that are not negative and sum to one, solved exactly.

.. math:: \min_{w\ge 0,\ 1'w=1}\ \|b-Aw\|^2+\zeta\sum_j w_j^2/m_j

As weights sum to one, :math:`b-Aw=-Pw` with :math:`P=A-b1'`: the problem is the point of a polytope
nearest to the origin. With :math:`H=P'P+\zeta M^{-1}` its solution is :math:`u/1'u`, where
:math:`u\ge0` minimises :math:`u'Hu/2-1'u` (Wolfe 1976, doi:10.1007/BF01580381), a linear complementarity
problem solved by block principal pivoting (Portugal, Júdice & Vicente 1994,
doi:10.1090/S0025-5718-1994-1250776-4) under a penalty that spreads weights: all of the wrong sign change
side at once. Without one few donors have a weight, and they are sought one at a time by the active set of
Lawson & Hanson (1974, ch. 23, doi:10.1137/1.9781611971217), which always ends.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NUDGE: Final = 1e-7
"""Penalty, relative to the spread of columns, that tells apart weights which fit as well."""
SLACK: Final = 1e-13
"""Rounding allowed in the sign of a weight and in the optimality of a zero."""
REFINEMENTS: Final = 5
"""Times donors may be let go once the nudge is taken back."""
ROUNDING: Final = 1e-10
"""Breach of optimality that rounding explains, on the scale of the columns."""
EXCHANGES: Final = 30
"""Blocks exchanged before donors are sought one at a time."""


def simplex_weights(
    donors: Floats,
    target: Floats,
    *,
    penalty: float = 0.0,
    mass: Floats | None = None,
    start: Floats | None = None,
) -> Floats:
    r"""Weights of the donors' mean nearest to a target.

    Parameters
    ----------
    donors : ndarray of shape (k, n)
        One column per donor.
    target : ndarray of shape (k,)
    penalty : float
        :math:`\zeta\ge 0`.
    mass : ndarray of shape (n,), optional
        :math:`m`, what each donor stands for; by default one. A donor of mass two is a donor written
        twice.
    start : ndarray of shape (n,), optional
        Weights of a problem nearby; changes the time taken only.

    Returns
    -------
    ndarray of shape (n,)
        Not negative, of sum one. Where several weights fit as well, those of least
        :math:`\sum_j w_j^2/m_j`.

    Raises
    ------
    ArithmeticError
        When numbers are not finite.

    Examples
    --------
    >>> simplex_weights(np.array([[0.0, 2.0, 9.0]]), np.array([1.0])).round(3).tolist()
    [0.552, 0.433, 0.015]
    """
    m = np.ones(donors.shape[1]) if mass is None else mass
    P = donors - target[:, None]
    if not np.isfinite(P).all():
        raise ArithmeticError("weights on a simplex: numbers that are not finite")
    scale = float(np.einsum("ij,ij->", P, P)) / P.shape[1]
    if scale == 0:  # every donor is the target
        return np.asarray(m / m.sum())
    least = NUDGE * scale * float(m.mean())
    system = _System(P, max(penalty, least), m, scale)
    w = system.pivoted() if penalty >= least else None
    if w is None:
        w = system.grown(start)
    if penalty >= least:
        return w
    bare = _System(P, penalty, m, scale)  # the nudge is taken back
    return bare.grown(w) if penalty > 0 else bare.refined(w)


def optimality_gap(
    donors: Floats,
    target: Floats,
    weights: Floats,
    *,
    penalty: float = 0.0,
    mass: Floats | None = None,
) -> float:
    r"""How far weights are from the Karush–Kuhn–Tucker conditions, relative to the donors' spread.

    With :math:`g=H w` the conditions are :math:`g_j\ge w'Hw`, with equality where :math:`w_j>0`;
    arguments as in `simplex_weights`.
    """
    m = np.ones(donors.shape[1]) if mass is None else mass
    P = donors - target[:, None]
    g = P.T @ (P @ weights) + penalty * weights / m
    level = float(weights @ g)
    scale = float((P**2).sum(axis=0).max() + penalty / m.min())
    below = max(0.0, float((level - g).max()))
    slack = float((weights * np.abs(g - level)).max())
    return max(below, slack) / scale if scale else 0.0


class _System:
    """Products with the matrix H, which is never formed whole."""

    def __init__(self, P: Floats, penalty: float, mass: Floats, scale: float) -> None:
        self.P, self.penalty, self.mass, self.scale = P, penalty, mass, scale

    def pivoted(self) -> Floats | None:
        """Weights by exchanges of blocks from all donors on; None where they cycle."""
        held = np.ones(self.mass.size, dtype=bool)
        for _ in range(EXCHANGES):
            w = self._on(held)
            wrong = np.where(held, w < -SLACK, self._slack(w) < -SLACK)
            if not wrong.any():
                return _normal(w)
            held = held ^ wrong
            if not held.any():
                break
        return None

    def grown(self, start: Floats | None) -> Floats:
        """Weights by donors taken in one at a time, each the one that brings the target nearest."""
        w = np.zeros(self.mass.size)
        if start is None:
            w[np.argmin((self.P**2).sum(axis=0) + self.penalty / self.mass)] = 1.0
        else:
            w[:] = start
        held = w > 0
        barred = np.zeros(w.size, dtype=bool)  # let go as soon as taken in: their slack is rounding
        taken = -1
        for _ in range(10 * w.size + EXCHANGES):
            w, held = self._feasible(w, held)
            if taken >= 0 and not held[taken]:
                barred[taken] = True
            else:
                barred[:] = False
            slack = np.where(held | barred, 0.0, self._slack(w))
            taken = int(np.argmin(slack))
            if slack[taken] >= -SLACK:
                return _normal(w)
            held[taken] = True
        raise ArithmeticError("weights on a simplex: no optimum reached")

    def _feasible(self, w: Floats, held: Bools) -> tuple[Floats, Bools]:
        """Optimum over the donors held, those whose weight falls to zero on the way let go."""
        while True:
            aim = self._on(held)
            below = held & (aim <= 0)
            if not below.any():
                return aim, held
            part = w[below] / (w[below] - aim[below])
            reach = float(part.min())
            w = np.maximum(w + reach * (aim - w), 0.0)
            gone = np.flatnonzero(below)[part <= reach]
            held = held.copy()
            held[gone] = False
            w[~held] = 0.0

    def refined(self, w: Floats) -> Floats:
        """Weights without penalty over the donors held; as they were where that breaks optimality."""
        held = w > 0
        for _ in range(REFINEMENTS):
            again = self._bare(held)
            if (again >= 0).all():
                return again if self._slack(again).min() > -ROUNDING else w
            held = again > 0
        return w

    def _bare(self, held: Bools) -> Floats:
        r"""Weights of any sign without penalty, of least :math:`\sum_j w_j^2/m_j` where several fit."""
        root = np.sqrt(self.mass[held])
        rows = np.vstack([self.P[:, held] * root / np.sqrt(self.scale), root])
        aim = np.zeros(len(rows))
        aim[-1] = 1.0
        u = root * np.linalg.lstsq(rows, aim, rcond=None)[0]
        w = np.zeros(held.size)
        w[held] = u / u.sum()
        return w

    def _on(self, held: Bools) -> Floats:
        """Weights of sum one, of any sign, over some donors: by their number, or by the target's."""
        P, m = self.P[:, held], self.mass[held]
        k, n = P.shape
        if n <= k:
            H = P.T @ P
            H[np.diag_indices(n)] += self.penalty / m
            u = cho_solve(cho_factor(H), np.ones(n))
        else:
            K = (P * m) @ P.T
            K[np.diag_indices(k)] += self.penalty
            u = m - m * (P.T @ cho_solve(cho_factor(K), P @ m))
        w = np.zeros(held.size)
        w[held] = u / u.sum()
        return w

    def _slack(self, w: Floats) -> Floats:
        """Gradient less its level over the donors held, on the scale of the columns."""
        g = self.P.T @ (self.P @ w) + self.penalty * w / self.mass
        return np.asarray((g - w @ g) / (self.scale + self.penalty / float(self.mass.mean())))


def _normal(w: Floats) -> Floats:
    w = np.maximum(w, 0.0)
    return np.asarray(w / w.sum())
