r"""Propensities too near 0 or 1 to weight by: three declared rules.

A target population gives a unit of propensity :math:`e` the weight :math:`h(e)`: 1 for everyone,
:math:`e` for the treated, :math:`1-e` for the untreated. A unit costs
:math:`k=h/\{e(1-e)\}` of variance (Crump, Hotz, Imbens & Mitnik 2009, doi:10.1093/biomet/asn055).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]


def target_weight(propensity: Floats, *, estimand: str) -> Floats:
    """:math:`h(e)`, shape (n,)."""
    if estimand == Estimand.ATT:
        return propensity
    if estimand == Estimand.ATC:
        return 1.0 - propensity
    return np.ones(propensity.size)


def crump_bounds(propensity: Floats, *, weight: Floats, estimand: str) -> tuple[float, float]:
    r"""Bounds within which the effect is estimated most precisely.

    Keeping the units of cost up to :math:`\gamma`, the variance under equal outcome variances is
    :math:`V(\gamma)=\sum h k\,1\{k\le\gamma\}\big/\big(\sum h\,1\{k\le\gamma\}\big)^2`; the lowest is where
    :math:`\gamma=2\,E[k\mid k\le\gamma]`, for the ATE :math:`\gamma=1/\{\alpha(1-\alpha)\}` of the
    paper's bound :math:`\alpha`. Found exactly, over the values the sample holds.

    Parameters
    ----------
    propensity, weight : ndarray of shape (n,)
        Between 0 and 1, neither included; sampling weights.
    estimand : str
        ``"ATT"`` and ``"ATC"`` bound one side only.

    Returns
    -------
    low, high : float
        Lowest and highest propensity kept; 0 and 1 when no unit is too costly.

    Examples
    --------
    >>> crump_bounds(np.array([0.001, 0.4, 0.5, 0.6]), weight=np.ones(4), estimand="ATE")
    (0.4, 0.6)
    """
    h = target_weight(propensity, estimand=estimand)
    cost = h / (propensity * (1.0 - propensity))
    order = np.argsort(cost, kind="stable")
    ordered = cost[order]
    mass = np.cumsum((weight * h)[order])
    variance = np.cumsum((weight * h)[order] * ordered) / mass**2
    last = np.append(ordered[1:] > ordered[:-1] * (1 + 1e-12), True)
    costliest = ordered[int(np.argmin(np.where(last, variance, np.inf)))]
    kept = propensity[cost <= costliest * (1 + 1e-12)]
    if kept.size == propensity.size:
        return 0.0, 1.0
    low = float(kept.min()) if estimand != Estimand.ATT else 0.0
    high = float(kept.max()) if estimand != Estimand.ATC else 1.0
    return low, high


def percentile_bounds(
    propensity: Floats, *, weight: Floats, share: float, estimand: str
) -> tuple[float, float]:
    """Propensities below and above which a share of the units lies.

    Parameters
    ----------
    propensity, weight : ndarray of shape (n,)
    share : float
        On each side that the estimand bounds.
    estimand : str
    """
    order = np.argsort(propensity, kind="stable")
    ordered, mass = propensity[order], np.cumsum(weight[order])
    place = np.searchsorted(mass, np.array([share, 1.0 - share]) * mass[-1] * (1 - 1e-12))
    low, high = (float(ordered[p]) for p in np.minimum(place, ordered.size - 1))
    return one_sided(low, high, estimand=estimand)


def one_sided(low: float, high: float, *, estimand: str) -> tuple[float, float]:
    """Bounds without the side that costs nothing.

    A comparison of low propensity weighs little in the ATT.

    >>> one_sided(0.1, 0.9, estimand="ATT")
    (0.0, 0.9)
    """
    return (
        0.0 if estimand == Estimand.ATT else low,
        1.0 if estimand == Estimand.ATC else high,
    )
