r"""Least squares within an arm with one intercept per group, and what its estimation adds.

For :math:`y_i = \alpha_{g(i)} + x_i'\beta + e_i` fitted with weights :math:`w_i`, a linear functional
:math:`c_g'\hat\alpha + c_x'\hat\beta` moves with each unit by :math:`\lambda_i e_i`, where

.. math:: \lambda_i = w_i\Big[\frac{c_{g(i)}}{W_{g(i)}}
          + (x_i-\bar x_{g(i)})'B\big(c_x-\textstyle\sum_g c_g\bar x_g\big)\Big],\qquad
          B = \Big(\sum_i w_i(x_i-\bar x_g)(x_i-\bar x_g)'\Big)^{+}

(Frisch & Waugh 1933, doi:10.2307/1907330, for the elimination of intercepts). The factor is taken once
for every outcome that shares the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.gram import inverse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLLINEAR: Final = 1e-11
"""Eigenvalue of the standardised Gram matrix, relative to the greatest, that counts as zero."""
ROUNDING: Final = 1e-12
"""Residual, relative to the largest outcome, that counts as zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Least squares of several outcomes on one sample.

    Parameters
    ----------
    slopes : ndarray of shape (k, n_outcomes)
        Of least norm where covariates, each in its own standard deviations, are collinear.
    intercepts : ndarray of shape (n_groups, n_outcomes)
        NaN for a group without anyone.
    residual : ndarray of shape (n, n_outcomes)
        0 outside the sample.
    weight : ndarray of shape (n,)
        0 outside the sample.
    totals : ndarray of shape (n_groups,)
    centres : ndarray of shape (n_groups, k)
    inverse : ndarray of shape (k, k)
        B.
    rank : int
        Coefficients that the sample determines, intercepts among them.
    """

    slopes: Floats
    intercepts: Floats
    residual: Floats
    weight: Floats
    totals: Floats
    centres: Floats
    inverse: Floats
    rank: int

    def predict(self, covariates: Floats, group: Ints) -> Floats:
        """Fitted values of any units, shape (n, n_outcomes)."""
        return np.asarray(self.intercepts[group] + covariates @ self.slopes)

    def leverage(self, covariates: Floats, group: Ints, *, target: Floats) -> Floats:
        r""":math:`\lambda_i` of the sum of fitted values over units, each ``target`` times.

        Parameters
        ----------
        covariates : ndarray of shape (n, k)
        group : ndarray of int, shape (n,)
        target : ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (n,)
            0 outside the sample.
        """
        by_group = np.bincount(group, weights=target, minlength=self.totals.size)
        toward = self.inverse @ (target @ covariates - by_group @ self.centres)
        per_weight = by_group / np.where(self.totals > 0, self.totals, np.inf)
        along = covariates @ toward - (self.centres @ toward)[group]
        return np.asarray(self.weight * (per_weight[group] + along))


def regress(outcomes: Floats, covariates: Floats, *, group: Ints, weight: Floats) -> Regression:
    """Fit by weighted least squares.

    Parameters
    ----------
    outcomes : ndarray of shape (n, n_outcomes)
        Finite in the sample.
    covariates : ndarray of shape (n, k)
    group : ndarray of int, shape (n,)
        0 … n_groups − 1.
    weight : ndarray of shape (n,)
        0 for units outside the sample.

    Returns
    -------
    Regression
    """
    n_groups = int(group.max()) + 1
    rows = np.flatnonzero(weight > 0)
    w, g, x, y = weight[rows], group[rows], covariates[rows], outcomes[rows]
    totals: Floats = np.bincount(g, weights=w, minlength=n_groups).astype(float)
    safe = np.where(totals > 0, totals, 1.0)[:, None]
    centres = _sums(w[:, None] * x, g, n_groups) / safe
    levels = _sums(w[:, None] * y, g, n_groups) / safe
    apart_x, apart_y = x - centres[g], y - levels[g]
    # One value throughout a group leaves rounding once centred, which no slope may be read from.
    size = np.abs(x).max(axis=0, initial=0.0)
    apart_x[:, np.abs(apart_x).max(axis=0, initial=0.0) <= ROUNDING * size] = 0.0
    weighted = w[:, None] * apart_x
    found = inverse(weighted.T @ apart_x, collinear=COLLINEAR)
    slopes = found.matrix @ (weighted.T @ apart_y)
    left = apart_y - apart_x @ slopes
    left[np.abs(left) < ROUNDING * np.abs(y).max(axis=0, initial=0.0)] = 0.0
    residual = np.zeros((weight.size, outcomes.shape[1]))
    residual[rows] = left
    empty = totals == 0
    intercepts = levels - centres @ slopes
    intercepts[empty] = np.nan
    return Regression(
        slopes=slopes,
        intercepts=intercepts,
        residual=residual,
        weight=weight,
        totals=totals,
        centres=centres,
        inverse=found.matrix,
        rank=found.rank + int((~empty).sum()),
    )


def _sums(values: Floats, group: Ints, n_groups: int) -> Floats:
    """Sums of each column by group, shape (n_groups, k)."""
    if n_groups == 1:
        return np.asarray(values.sum(axis=0, keepdims=True))
    sums = np.empty((n_groups, values.shape[1]))
    for k in range(values.shape[1]):
        sums[:, k] = np.bincount(group, weights=values[:, k], minlength=n_groups)
    return sums
