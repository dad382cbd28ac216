r"""Weights with which a two-way estimate averages the effects of cohorts and periods, some of them negative.

With :math:`\varepsilon_{it}` what is left of treatment once unit and period effects are taken out, the
two-way coefficient is :math:`\sum_{g,t:\,treated}\omega_{gt}\Delta_{gt}` under parallel trends, with

.. math:: \omega_{gt}=\frac{\sum_{i\in g}w_{it}\varepsilon_{it}}{\sum_{it:\,treated}w_{it}\varepsilon_{it}}

so that it can be negative though every effect is positive.

References
----------
de Chaisemartin & D'Haultfœuille (2020), Theorem 1, doi:10.1257/aer.20181169.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.two_way import Swept, apart

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoWayWeights:
    """Weights of treated cells in a two-way estimate.

    Parameters
    ----------
    cohort, period : ndarray of int, shape (n_cells,)
        Numbers of the cohort and of the period.
    weight : ndarray of shape (n_cells,)
        Sum to one.
    """

    cohort: Ints
    period: Ints
    weight: Floats

    @property
    def n_negative(self) -> int:
        """Cells whose effect is subtracted."""
        return int((self.weight < 0).sum())

    @property
    def sum_negative(self) -> float:
        """Sum of the negative weights: 0 when there is none."""
        return float(self.weight[self.weight < 0].sum())


def two_way_weights(swept: Swept, treated: Bools) -> TwoWayWeights:
    """Weights of treated cells, on a panel that may have gaps.

    Parameters
    ----------
    swept : Swept
        Of all observations, without covariates.
    treated : ndarray of bool, shape (n_cohorts, n_periods)

    Returns
    -------
    TwoWayWeights
    """
    left = apart(swept, treated[None])
    residual = left.remainder[0]
    cohort, period = np.nonzero(treated & (swept.weight > 0))
    weight = residual[cohort, period]
    total = weight.sum()
    # Rounding around zero is not a sign.
    weight = np.where(np.abs(weight) <= 1e-12 * np.abs(weight).max(initial=0.0), 0.0, weight)
    return TwoWayWeights(cohort=cohort, period=period, weight=weight / total)
