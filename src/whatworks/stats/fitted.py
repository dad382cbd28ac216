r"""A fitted score and what its estimation adds to an influence: one home for every method.

Weights and propensities are functions of a parameter :math:`\hat\theta` that solves
:math:`\sum_i s_i(\theta) z_i = 0` with :math:`z_i = (1\{g_i=1\},\dots,1\{g_i=G\}, x_i)`: logistic and
probit regression, entropy balancing and covariate balancing alike. Hence
:math:`\hat\theta-\theta\approx A^{-1}\sum_i s_i z_i` with
:math:`A=-\sum_i \partial s_i/\partial\theta\, z_i'`.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    basis: Floats
    group: Ints
    score: Floats
    curvature: Floats
    slope: Floats

    def take(self, rows: Ints) -> FittedScore:
        """The same equation for some of its units, in the order asked."""
        return FittedScore(
            basis=self.basis[rows],
            group=self.group[rows],
            score=self.score[rows],
            curvature=self.curvature[rows],
            slope=self.slope[rows],
        )

    def information(self) -> Floats:
        """Matrix A, of shape (n_groups + k, n_groups + k)."""
        return self._products(self.curvature[:, None] * self.basis, self.curvature)

    def correction(self, residual: Floats) -> Floats:
        r"""Influence that the estimation of the parameter adds to a weighted sum.

        For :math:`\hat T=\sum_i w_i(\hat\theta) r_i`, unit i adds
        :math:`s_i z_i' A^{-1} \sum_j \dot w_j r_j z_j` (Newey & McFadden 1994, §6,
        doi:10.1016/S1573-4412(05)80005-4).

        Parameters
        ----------
        residual : ndarray of shape (n, n_outcomes)

        Returns
        -------
        ndarray of shape (n, n_outcomes)
        """
        moved = self.slope[:, None] * residual
        gradient = np.concatenate([self._by_group(moved), self.basis.T @ moved])
        direction = pinvh(self.information(), rtol=1e-11) @ gradient
        n_groups = direction.shape[0] - self.basis.shape[1]
        along = direction[self.group] + self.basis @ direction[n_groups:]
        return np.asarray(self.score[:, None] * along)

    def _by_group(self, values: Floats) -> Floats:
        n_groups = int(self.group.max()) + 1
        return np.column_stack(
            [np.bincount(self.group, weights=v, minlength=n_groups) for v in values.T]
        )

    def _products(self, weighted: Floats, curvature: Floats) -> Floats:
        cross = self._by_group(weighted) if weighted.shape[1] else np.empty((0, 0))
        diagonal = np.diag(self._by_group(curvature[:, None])[:, 0])
        if not weighted.shape[1]:
            return diagonal
        return np.block([[diagonal, cross], [cross.T, self.basis.T @ weighted]])
