r"""Numbers of areas that a two-stage experiment without pure control needs.

Means of areas count alike; arms of one area are taken to be unrelated, which asks for no fewer areas than
needed. The variance of the mean of arm :math:`z` over the areas at share :math:`a` is, per area of the
experiment,

.. math:: \frac{\sigma^2}{q_a}\Bigl\{r + \frac{(1-p_{az})(1-r)}{n\,p_{az}}\Bigr\}

with :math:`p_{az}` the part of the area in that arm, :math:`q_a` the part of areas at that share, and
:math:`r` the part of the variance that is between areas.

References
----------
Jiang, Imai & Malani (2023), doi:10.1111/biom.13782.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whatworks.stats.planning.power import noncentrality


@dataclass(frozen=True, slots=True, kw_only=True)
class AreasNeeded:
    """Areas at which each joint test has the power sought.

    Parameters
    ----------
    direct : float
        That assigned and unassigned fare alike at every share, where they differ by the effect at the
        share where they are told least well.
    marginal : float
        That they fare alike on average over shares.
    spillover : float
        That each arm fares alike at all shares, where two shares differ by the effect.
    """

    direct: float
    marginal: float
    spillover: float


def areas_needed(
    effect: float,
    *,
    shares: Sequence[float],
    allocation: Sequence[float],
    size: float,
    sd: float,
    icc: float,
    target: float = 0.8,
    level: float = 0.05,
) -> AreasNeeded:
    r"""Areas needed for direct, marginal direct and spillover effects.

    The least favourable spillovers of a given largest contrast are proportional to the covariance with that
    contrast (Cauchy–Schwarz), so that the quadratic programme of the paper has the solution
    :math:`J = s^2\,\max_{z,a,a'} V[\hat Y(z,a)-\hat Y(z,a')]/\mu^2`.

    Parameters
    ----------
    effect : float
        In the unit of ``sd``.
    shares, allocation : sequence of float
        Shares strictly between 0 and 1, and the part of areas at each.
    size : float
        Persons per area.
    sd, icc, target, level : float

    Examples
    --------
    >>> found = areas_needed(0.03, shares=(.25, .5, .75), allocation=(1/3, 1/3, 1/3), size=101.57,
    ...     sd=0.16679 ** 0.5, icc=0.0193)
    >>> round(found.direct), round(found.marginal), round(found.spillover)
    (429, 97, 512)
    """
    p, q = np.asarray(shares, dtype=float), np.asarray(allocation, dtype=float)
    arms = np.vstack([p, 1 - p])
    cell = sd**2 / q * (icc + (1 - arms) * (1 - icc) / (size * arms))
    direct = cell.sum(axis=0)
    pairs = [
        row[a] + row[b] for row in cell for a in range(p.size) for b in range(a + 1, p.size)
    ] or [np.nan]

    def areas(n_restrictions: int, variance: float) -> float:
        if not n_restrictions:
            return float("nan")
        length = noncentrality(n_restrictions, target=target, level=level)
        return length * variance / effect**2

    return AreasNeeded(
        direct=areas(p.size, float(direct.max())),
        marginal=areas(1, float(q**2 @ direct)),
        spillover=areas(2 * p.size - 2, float(max(pairs))),
    )
