r"""Variance of pooled effects of a saturation trial with clusters of one size.

Outcomes are a cluster's draw (variance :math:`\tau^2`) plus a person's (variance :math:`\sigma^2`);
interference is stratified: it goes through the share of the cluster treated only.

References
----------
Baird, Bohren, McIntosh & Özler (2018), doi:10.1162/REST_a_00716, Theorem 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledVariances:
    """Variances of effects pooled over shares.

    Parameters
    ----------
    total : float
        Of treated persons against pure control (their ITT), in the outcome's unit squared.
    spillover : float
        Of untreated persons of treated clusters against pure control (their SNT).
    """

    total: float
    spillover: float


def pooled_variances(
    *,
    n_clusters: int,
    size: float,
    shares: Sequence[float],
    allocation: Sequence[float],
    sd: float,
    icc: float,
) -> PooledVariances:
    r"""Variances of the two pooled effects.

    .. math:: V = \frac{1}{nC}\Bigl\{ n\tau^2\Bigl[\frac{1}{\psi(1-\psi)} + (1-\psi)\frac{\eta^2}{\mu^2}\Bigr]
              + \sigma^2\,\frac{\psi+\mu}{\psi\mu} \Bigr\}

    with :math:`\psi` the share of clusters without anyone treated, :math:`\mu` the share of all persons
    who are treated, :math:`\eta^2` the variance of the share among treated clusters; for the untreated,
    :math:`\mu` is the share of all persons who are untreated in treated clusters.

    Parameters
    ----------
    n_clusters : int
    size : float
        Persons per cluster.
    shares, allocation : sequence of float
        Shares treated, zero among them, and the part of clusters at each.
    sd, icc : float
        Standard deviation of the outcome; part of its variance that clusters share.

    Returns
    -------
    PooledVariances
        NaN where nobody is in a cell.

    Examples
    --------
    >>> found = pooled_variances(n_clusters=235, size=91, shares=(0, .25, .5, .75, 1),
    ...     allocation=(.2, .2, .2, .2, .2), sd=0.408, icc=0.019)
    >>> round(2.8 * found.total ** 0.5, 3), round(2.8 * found.spillover ** 0.5, 3)
    (0.033, 0.035)
    """
    share, part = np.asarray(shares, dtype=float), np.asarray(allocation, dtype=float)
    pure = float(part[share == 0].sum())
    here = share > 0
    among = part[here] / part[here].sum()
    mean = float(among @ share[here])
    spread = float(among @ (share[here] - mean) ** 2)
    between, within = icc * sd**2, (1 - icc) * sd**2

    def variance(reached: float) -> float:
        if not (reached > 0 and pure > 0):
            return float("nan")
        shared = size * between * (1 / (pure * (1 - pure)) + (1 - pure) * spread / reached**2)
        own = within * (pure + reached) / (pure * reached)
        return (shared + own) / (size * n_clusters)

    treated = (1 - pure) * mean
    return PooledVariances(total=variance(treated), spillover=variance(1 - pure - treated))
