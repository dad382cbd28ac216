r"""Weighted quantiles and distributions of an arm, and how they move with each unit.

:math:`\hat F(y)=\sum_i w_i 1\{y_i\le y\}/\sum_i w_i` and
:math:`\hat q(\tau)=\min\{y:\hat F(y)\ge\tau\}`. With positive weights both are monotone: nothing is left to
rearrange. A quantile moves with unit i by :math:`-(1\{y_i\le\hat q\}-\hat F(\hat q))/\hat f` per unit of
:math:`w_i/\sum w`, where the slope :math:`\hat f=(\hat F(U)-\hat F(L))/(U-L)` is that of the distribution
over the interval :math:`[L,U]` of quantiles that a test of :math:`F(q)=\tau` does not reject (Woodruff 1952,
doi:10.1080/01621459.1952.10483443; Francisco & Fuller 1991, doi:10.1214/aos/1176347997). No density is
smoothed: at a mass, such as people without any income, the interval is a point, the slope infinite, and
the quantile does not move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NORMAL: Final = 1.959963984540054
"""Half-width, in standard errors, of the interval over which a slope is taken."""
TIE: Final = 1e-12
"""A share this near below τ counts as reaching it: sums of weights are rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Weighted distribution of one arm.

    Parameters
    ----------
    values : ndarray of shape (n_distinct,)
        Increasing.
    share : ndarray of shape (n_distinct,)
        F at each.
    """

    values: Floats
    share: Floats

    @classmethod
    def of(cls, outcome: Floats, *, weight: Floats) -> Distribution:
        """Distribution of units with positive weights."""
        values, place = np.unique(outcome, return_inverse=True)
        mass = np.bincount(place, weights=weight, minlength=values.size)
        share = np.cumsum(mass) / mass.sum()
        share[-1] = 1.0
        return cls(values=values, share=share)

    def quantile(self, tau: Floats | float) -> Floats:
        """Least value that at least a share ``tau`` does not exceed."""
        place = np.searchsorted(self.share, np.asarray(tau) - TIE)
        return np.asarray(self.values[np.minimum(place, self.values.size - 1)])

    def at(self, value: Floats | float) -> Floats:
        """Share that does not exceed a value."""
        place = np.searchsorted(self.values, value, side="right")
        return np.asarray(np.concatenate([[0.0], self.share])[place])

    def spacing(self, tau: float, *, std_error: float) -> float:
        r"""How far the quantile moves per unit of share: :math:`1/\hat f`, 0 at a mass.

        Parameters
        ----------
        tau : float
        std_error : float
            Of the share below the quantile.
        """
        low = np.clip(tau - NORMAL * std_error, 0.0, 1.0)
        high = np.clip(tau + NORMAL * std_error, 0.0, 1.0)
        if not high > low:
            return float("nan")
        ends = self.quantile(np.array([low, high]))
        return float((ends[1] - ends[0]) / (high - low))


def below(outcome: Floats, value: float, *, weight: Floats) -> Floats:
    r"""Influence of each unit on the share that does not exceed a value, per unit of its weight.

    :math:`(1\{y_i\le v\}-\hat F(v))/\sum w`, shape (n,); 0 for units of weight 0.
    """
    inside = weight > 0
    mark = (outcome <= value) & inside
    total = weight.sum()
    # Where everyone is below, the sum must say so without rounding: nothing varies.
    share = 1.0 if mark[inside].all() else float(weight @ mark / total)
    return np.asarray(np.where(inside, (mark - share) / total, 0.0))
