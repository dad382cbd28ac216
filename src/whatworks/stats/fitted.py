r"""A fitted score and what its estimation adds to an influence: one home for every method.

Weights and propensities are functions of a parameter :math:`\hat\theta` that solves
:math:`\sum_i s_i(\theta) z_i = 0` with :math:`z_i = (1\{g_i=1\},\dots,1\{g_i=G\}, x_i)`: logistic and
probit regression, entropy balancing and covariate balancing alike. Hence
:math:`\hat\theta-\theta\approx A^{-1}\sum_i s_i z_i` with
:math:`A=-\sum_i \partial s_i/\partial\theta\, z_i'`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import pinvh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedScore:
    r"""One estimating equation at its solution, and how weights hang on its parameter.

    Parameters
    ----------
    basis : ndarray of shape (n, k)
        :math:`x_i`.
    group : ndarray of int, shape (n,)
        :math:`g_i`, from 0: units that share an intercept.
    score : ndarray of shape (n,)
        :math:`s_i(\hat\theta)`, sampling weight included.
    curvature : ndarray of shape (n,)
        :math:`c_i=-\partial s_i/\partial\eta_i` with :math:`\eta_i=z_i'\theta`, so that
        :math:`A=\sum_i c_i z_iz_i'`.
    slope : ndarray of shape (n,)
        :math:`\partial w_i/\partial\eta_i` of the analysis weight; zero for a unit whose weight does
        not move with the parameter.
    whole : ndarray of shape (n_groups + k, n_groups + k), optional
        A over all the units of the equation, when only some of them are here: those a comparison
        left out were fitted on as well.
    beyond : ndarray of shape (n, k), optional
        What a unit adds to the equations of :math:`\beta` besides :math:`s_i x_i`, free of
        :math:`\theta`: the tolerance within which a mean is balanced, for one.
    """

    basis: Floats
    group: Ints
    score: Floats
    curvature: Floats
    slope: Floats
    whole: Floats | None = None
    beyond: Floats | None = None

    def take(self, rows: Ints) -> FittedScore:
        """The same equation for some of its units, in the order asked; A stays that of all."""
        return FittedScore(
            basis=self.basis[rows],
            group=self.group[rows],
            score=self.score[rows],
            curvature=self.curvature[rows],
            slope=self.slope[rows],
            whole=self.information(),
            beyond=None if self.beyond is None else self.beyond[rows],
        )

    def information(self) -> Floats:
        """Matrix A, of shape (n_groups + k, n_groups + k)."""
        if self.whole is not None:
            return self.whole
        return self._products(self.curvature[:, None] * self.basis, self.curvature)

    def correction(self, residual: Floats) -> Floats:
        r"""Influence that the estimation of the parameter adds to a weighted sum.

        For :math:`\hat T=\sum_i w_i(\hat\theta) r_i`, unit i adds
        :math:`(s_i z_i + b_i)' A^{-1} \sum_j \dot w_j r_j z_j`, with :math:`b` the terms beyond
        (Newey & McFadden 1994, §6, doi:10.1016/S1573-4412(05)80005-4).

        Parameters
        ----------
        residual : ndarray of shape (n, n_outcomes)

        Returns
        -------
        ndarray of shape (n, n_outcomes)
        """
        moved = self.slope[:, None] * residual
        gradient = self.totals(moved)
        direction = self.inverse() @ gradient
        along = direction[self.group] + self.basis @ direction[self.n_groups :]
        influence = self.score[:, None] * along
        if self.beyond is not None:
            influence += self.beyond @ direction[self.n_groups :]
        return np.asarray(influence)

    def inverse(self) -> Floats:
        """Inverse of A, or a generalised inverse where regressors are collinear."""
        information = self.information()
        diagonal = np.diag(information)
        # Regressors of very unequal size would otherwise pass for collinear ones.
        size = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        scale = np.outer(size, size)
        return np.asarray(pinvh(information / scale, rtol=1e-11) / scale)

    @property
    def n_groups(self) -> int:
        """Groups of the equation, those without a unit here included."""
        if self.whole is not None:
            return int(self.whole.shape[0] - self.basis.shape[1])
        return int(self.group.max()) + 1

    def totals(self, values: Floats) -> Floats:
        r"""Sums :math:`\sum_i z_i v_i'` of ``values`` (n, m), shape (n_groups + k, m)."""
        return np.concatenate([self._by_group(values), self.basis.T @ values])

    def _by_group(self, values: Floats) -> Floats:
        return np.column_stack(
            [np.bincount(self.group, weights=v, minlength=self.n_groups) for v in values.T]
        )

    def _products(self, weighted: Floats, curvature: Floats) -> Floats:
        cross = self._by_group(weighted) if weighted.shape[1] else np.empty((0, 0))
        diagonal = np.diag(self._by_group(curvature[:, None])[:, 0])
        if not weighted.shape[1]:
            return diagonal
        return np.block([[diagonal, cross], [cross.T, self.basis.T @ weighted]])


@dataclass(frozen=True, slots=True, kw_only=True)
class UnscaledScore:
    """An equation whose regressors are brought to one scale only for the units that are asked for.

    Of millions of candidates a matched design keeps some: a scaled copy of all would weigh as much as
    their covariates.

    Parameters
    ----------
    equation : FittedScore
        Its ``basis`` in the units of the data, and A of the scaled one given.
    centre, spread : ndarray of shape (k,)
    among : ndarray of bool, shape (n,)
        Units it was fitted on; regressors of the others are 0.
    """

    equation: FittedScore
    centre: Floats
    spread: Floats
    among: NDArray[np.bool_]

    def take(self, rows: Ints) -> FittedScore:
        """The equation for some of its units, in the order asked; A stays that of all."""
        found = self.equation.take(rows)
        scaled = found.basis  # a copy, rows being positions
        scaled -= self.centre
        scaled /= self.spread
        scaled[~self.among[rows]] = 0.0
        return found

    def whole(self) -> FittedScore:
        """The equation for all of them."""
        scaled = self.equation.basis - self.centre
        scaled /= self.spread
        scaled[~self.among] = 0.0
        return replace(self.equation, basis=scaled)
