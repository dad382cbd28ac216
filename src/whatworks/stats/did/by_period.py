r"""Least squares with unit effects, of facts of units whose coefficients change from period to period.

.. math:: y_{it} = \alpha_i + \sum_{j,\,t} \theta_{jt}\, f_{ij} + e_{it}

where :math:`f_{ij}` does not change within a unit: a constant (period effects), covariates, the
indicators of cohorts (effects by cohort and period), their products. Some :math:`\theta_{jt}` are held
at zero. Unit effects are swept out exactly, and no indicator of a unit or a period is ever written down.
With :math:`s_i` the periods in which unit :math:`i` is observed, :math:`n_i` their number,

.. math:: X'\tilde W X = \sum_i w_i\Big(\mathrm{diag}(s_i)-\frac{s_is_i'}{n_i}\Big)\otimes f_if_i'

which, when every unit is observed in every period, is the product of one matrix of periods and the
moments :math:`F'WF`: the cost is then that of one cross-product, whatever the number of periods.

References
----------
Frisch & Waugh (1933), doi:10.2307/1907330. Liang & Zeger (1986), doi:10.1093/biomet/73.1.13, for
errors summed by cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.gram import inverse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

COLLINEAR: Final = 1e-11
"""Eigenvalue of the standardised normal matrix, relative to the greatest, that counts as zero."""
UNTOLD: Final = 1e-6
"""Part of a coefficient in directions that data say nothing of, above which it is not defined."""
ROUNDING: Final = 1e-12
"""Residual, relative to the largest outcome, that counts as zero."""
BLOCK: Final = 2**22
"""Numbers held at once when units are read in blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPeriod:
    """A fitted regression.

    Parameters
    ----------
    feature, period : ndarray of int, shape (k,)
        Which fact, in which period, each coefficient belongs to.
    coefficient : ndarray of shape (k,)
        NaN where the data do not determine it.
    rank : int
        Coefficients determined, unit effects not counted.
    n_observations : int
    """

    feature: Ints
    period: Ints
    coefficient: Floats
    rank: int
    n_observations: int
    _inverse: Floats
    _features: Floats
    _weight: Floats
    _residual: Floats

    def influence(self, columns: Ints, rows: Ints) -> Floats:
        r"""Influence of units on coefficients: :math:`w_i\,(X'\tilde WX)^{-1}\sum_t x_{it}e_{it}`.

        Residuals of a unit add up to zero, so that what its effect would have swept out is not missed.

        Parameters
        ----------
        columns : ndarray of int, shape (m,)
            Coefficients asked for.
        rows : ndarray of int, shape (b,)
            Units.

        Returns
        -------
        ndarray of shape (b, m)
        """
        toward = self._inverse[:, columns]
        out = np.zeros((rows.size, columns.size))
        step = max(1, BLOCK // max(1, self.feature.size))
        for start in range(0, rows.size, step):
            here = rows[start : start + step]
            weighed = self._weight[here, None] * self._features[here]
            scores = weighed[:, self.feature] * self._residual[here][:, self.period]
            out[start : start + step] = scores @ toward
        return out


def fit_by_period(values: Floats, features: Floats, *, free: Bools, weight: Floats) -> ByPeriod:
    """Fit by weighted least squares.

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
        NaN where a unit is not observed. A unit observed once tells nothing.
    features : ndarray of shape (n, q)
        Facts of units.
    free : ndarray of bool, shape (q, n_periods)
        Coefficients to estimate; others are zero. Each fact must be held at zero in one period at
        least, that from which its coefficients are counted.
    weight : ndarray of shape (n,)

    Returns
    -------
    ByPeriod
    """
    feature, period = (part.astype(np.int64) for part in np.nonzero(free))
    seen = ~np.isnan(values)
    within = _within(values, seen)
    whole = bool(seen.all())
    if whole:
        gram = _gram_of_whole(features, weight, feature, period, n_periods=values.shape[1])
    else:
        gram = _gram(features, weight, seen, feature, period)
    toward = (features.T @ (weight[:, None] * within))[feature, period]
    found = inverse(gram, collinear=COLLINEAR)
    solved = found.matrix @ toward
    coefficient = np.zeros(free.shape)
    coefficient[feature, period] = solved
    residual = within - _within(np.where(seen, features @ coefficient, np.nan), seen)
    residual[np.abs(residual) < ROUNDING * np.nanmax(np.abs(values), initial=0.0)] = 0.0
    return ByPeriod(
        feature=feature,
        period=period,
        coefficient=np.where(found.untold > UNTOLD, np.nan, solved),
        rank=round(float(np.trace(found.matrix @ gram))),
        n_observations=int(seen.sum()),
        _inverse=found.matrix,
        _features=features,
        _weight=weight,
        _residual=residual,
    )


def _within(values: Floats, seen: Bools) -> Floats:
    """Values less their mean over the periods in which a unit is observed; 0 elsewhere."""
    held = np.where(seen, values, 0.0)
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    apart = np.where(seen, held - held.sum(axis=1, keepdims=True) / count, 0.0)
    largest = np.abs(held).max(axis=1, keepdims=True, initial=0.0)
    apart[np.abs(apart) < ROUNDING * largest] = 0.0  # a unit whose outcome does not vary
    return np.asarray(apart)


def _gram_of_whole(
    features: Floats, weight: Floats, feature: Ints, period: Ints, *, n_periods: int
) -> Floats:
    """Normal matrix when every unit is observed in every period."""
    moments = features.T @ (weight[:, None] * features)
    apart = np.eye(n_periods) - 1 / n_periods
    return np.asarray(moments[np.ix_(feature, feature)] * apart[np.ix_(period, period)])


def _gram(features: Floats, weight: Floats, seen: Bools, feature: Ints, period: Ints) -> Floats:
    """Normal matrix when some units are not observed in some periods, units read in blocks."""
    gram = np.zeros((feature.size, feature.size))
    for t in np.unique(period):
        mine = np.flatnonzero(period == t)
        among = features[seen[:, t]][:, feature[mine]]
        gram[np.ix_(mine, mine)] = among.T @ (weight[seen[:, t], None] * among)
    per_unit = weight / np.maximum(seen.sum(axis=1), 1)
    step = max(1, BLOCK // max(1, feature.size))
    for start in range(0, weight.size, step):
        here = slice(start, start + step)
        sums = features[here][:, feature] * seen[here][:, period]
        gram -= sums.T @ (per_unit[here, None] * sums)
    return gram
