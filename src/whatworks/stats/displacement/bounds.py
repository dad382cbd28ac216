r"""What can be said without knowing what others lost: break-even displacement, and bounds.

*Break-even.* With :math:`c` the cost of a participant and :math:`b` the value of a job, helping pays as
long as the share of the gain taken from others stays below

.. math:: d^* = 1-\frac{c}{b\,DE},\qquad DR^* = 1-\frac{c}{b\,TT},

the first of the direct effect, the second of the total. No estimate of displacement is needed. The
observed DE(p) of a territory is at most the effect with nobody else helped, so that the bar it sets is
the stricter one.

*Bounds* on the net per 100 assigned at a share :math:`p`, :math:`N=100[\mu(1,p)+\mu(0,p)(1-p)/p
-\mu(0,0)/p]`, of which the outcome without anyone helped, :math:`\mu(0,0)`, is not seen: from 0 to 1
(Manski 1990, *American Economic Review* 80(2)); from :math:`\mu(0,p)` to 1 if others never gain; and so
that others never lose more than the helped gain, which leaves :math:`0\le N\le 100\,DE`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.displacement.ratios import RatioSet, ratio_set

Floats = NDArray[np.float64]

ASSUMPTIONS = ("bounded", "others_never_gain", "no_net_loss")
"""From the weakest to the strongest: each holds those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetBounds:
    """Bounds on the net under one assumption.

    Parameters
    ----------
    assumption : str
        One of `ASSUMPTIONS`.
    low, high : float
        Per 100 assigned.
    """

    assumption: str
    low: float
    high: float


def break_even(
    effect: float,
    variance: float,
    *,
    cost: float,
    value: float,
    df: float = np.inf,
    level: float = 0.95,
) -> RatioSet:
    """Share of an effect that may be taken from others before helping no longer pays.

    Parameters
    ----------
    effect, variance : float
        In jobs per participant, and its squared standard error.
    cost, value : float
        Of a participant and of a job, in the same money.
    df, level : float

    Returns
    -------
    RatioSet
        Exact: the image of the interval of the effect. Unbounded where the effect may be nil.

    Examples
    --------
    >>> found = break_even(0.10, 0.02**2, cost=1_000.0, value=20_000.0)
    >>> round(found.point, 2), round(found.low, 2), round(found.high, 2)
    (0.5, 0.18, 0.64)
    """
    both = value**2 * variance * np.ones((2, 2))
    return ratio_set(value * effect - cost, value * effect, both, level=level, df=df)


def bounds(
    direct: float, *, share: float, assigned: float, unassigned: float, top: float = 1.0
) -> tuple[NetBounds, ...]:
    r"""Bounds on the net under each of `ASSUMPTIONS` that the data let be computed.

    Parameters
    ----------
    direct : float
        DE(p), in the unit of the outcome.
    share : float
        :math:`p`; NaN where not known: the last assumption alone is then told.
    assigned, unassigned : float
        Means :math:`\mu(1,p),\mu(0,p)`; NaN where not known.
    top : float
        Most that the outcome of a person can be, the least being 0: 1, or 100 for points.

    Examples
    --------
    >>> [(b.assumption, round(b.low, 1), round(b.high, 1))
    ...  for b in bounds(0.1, share=0.5, assigned=0.4, unassigned=0.3)]
    [('bounded', -130.0, 70.0), ('others_never_gain', -130.0, 10.0), ('no_net_loss', 0.0, 10.0)]
    """
    scale = 100.0 / top
    found: list[NetBounds] = []
    if np.isfinite([share, assigned, unassigned]).all() and share > 0:
        mean = share * assigned + (1 - share) * unassigned
        least, most = scale * (mean - top) / share, scale * mean / share
        found.append(NetBounds(assumption="bounded", low=least, high=most))
        found.append(
            NetBounds(assumption="others_never_gain", low=least, high=max(least, scale * direct))
        )
    ends = (0.0, scale * direct)
    found.append(NetBounds(assumption="no_net_loss", low=min(ends), high=max(ends)))
    return tuple(found)
