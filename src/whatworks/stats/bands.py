r"""Joint bands over the terms of a curve: critical values of the largest studentised deviation.

For :math:`\hat\theta-\theta\sim N(0,V)` with correlation :math:`R` the band
:math:`\hat\theta_k\pm c\,\hat\sigma_k` holds the whole curve with probability :math:`1-\alpha` when
:math:`P(\max_k|Z_k|\le c)=1-\alpha,\ Z\sim N(0,R)` (Montiel Olea & Plagborg-Møller 2019,
doi:10.1002/jae.2656). Nothing is drawn at random twice: directions are fixed, the radius is integrated
exactly, so that the same covariance always has the same band.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.optimize import brentq

from whatworks.stats.threads import one_thread
from whatworks.stats.uncertainty import order_by_content

Floats = NDArray[np.float64]

DIRECTIONS: Final = 2**15
"""Directions of the normal law over which the exact law of the radius is averaged."""
_POINTS: Final = 2_048
FEW_CLUSTERS: Final = 40
"""Below, the law of cluster sums is drawn from the clusters themselves as well."""
MOST_ENUMERATED: Final = 14
"""Clusters up to which every pattern of signs is tried rather than some."""
DRAWS: Final = 9_999


@one_thread()
def critical_value(covariance: Floats, *, level: float = 0.95, df: float = np.inf) -> float:
    r"""Number of standard errors on each side of a band that holds all terms at once.

    Parameters
    ----------
    covariance : ndarray of shape (k, k)
        Of the terms; positive on its diagonal. Terms may be perfectly correlated.
    level : float
        Joint coverage.
    df : float
        Degrees of freedom of the multivariate Student law; infinite means the normal.

    Returns
    -------
    float
        From the pointwise quantile (one term, or terms that move as one) to Šidák's.

    Examples
    --------
    >>> round(critical_value(np.eye(1)), 3), round(critical_value(np.ones((2, 2))), 3)
    (1.96, 1.96)
    """
    k = covariance.shape[0]
    pointwise = float((stats.norm if np.isinf(df) else stats.t(df)).ppf(0.5 + level / 2))
    if k == 1:
        return pointwise
    size = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(size, size)
    values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
    # The symmetric root does not depend on the signs of eigenvectors, which rounding decides.
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    drawn, length = _directions(k)
    reach = root @ drawn
    farthest, count = _gathered(np.abs(reach, out=reach).max(axis=0) / length)
    law = _radius(k, df)

    def short_of(c: float) -> float:
        return float(law(c / farthest) @ count) / DIRECTIONS - level

    # Šidák's value bounds the normal law, Bonferroni's every law.
    one_by_one = (1 - level) / k
    highest = float((stats.norm if np.isinf(df) else stats.t(df)).isf(one_by_one / 2))
    return max(pointwise, float(brentq(short_of, pointwise * 0.9, highest * 1.1, xtol=1e-10)))


def _radius(k: int, df: float) -> Callable[[Floats], Floats]:
    """Distribution function of the length of a k-variate normal or Student vector."""
    if np.isinf(df):
        return lambda r: np.asarray(special.chdtr(k, r * r))
    return lambda r: np.asarray(special.fdtr(k, df, r * r / k))


def _gathered(values: Floats) -> tuple[Floats, Floats]:
    """Values shared out between the two points of a fine grid beside each: the law is smooth.

    It is then read at some thousands of points, and what is read moves no more than values do.
    """
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.array([low]), np.array([float(values.size)])
    place = (values - low) * ((_POINTS - 2) / (high - low))
    before = place.astype(np.int64)
    place -= before
    mass = np.bincount(before, minlength=_POINTS).astype(np.float64)
    after = np.bincount(before, weights=place, minlength=_POINTS)
    mass -= after
    mass[1:] += after[:-1]
    points = low + np.arange(_POINTS) * ((high - low) / (_POINTS - 2))
    return np.asarray(points), np.asarray(mass)


def _directions(k: int) -> tuple[Floats, Floats]:
    """Normal vectors, the columns of the first array, and their lengths; always the same."""
    width = max(16, 1 << (k - 1).bit_length())
    drawn, square = _table(width)
    return drawn[:k], np.asarray(square[k - 1] ** 0.5)


@lru_cache(maxsize=2)
def _table(width: int) -> tuple[Floats, Floats]:
    """Points spread evenly, as normal coordinates, and running sums of their squares."""
    # Of eight scramblings, that whose values for independent and for equal terms are nearest to exact.
    spread = stats.qmc.Sobol(width, rng=np.random.default_rng(2025)).random(DIRECTIONS)
    drawn = np.ascontiguousarray(spread.T)
    np.clip(drawn, 1e-12, 1 - 1e-12, out=drawn)
    special.ndtri(drawn, out=drawn)
    square = drawn**2
    # Row by row: what a cumulative sum does column by column, at many times the cost.
    for before, here in pairwise(square):
        np.add(before, here, out=here)
    for one in (drawn, square):
        one.setflags(write=False)
    return drawn, square


def multiplier_critical_value(influence: Floats, *, level: float = 0.95) -> float:
    r"""The same number by changing the signs of clusters: :math:`\max_k|\sum_c v_c\psi_{ck}|/\hat\sigma_k`.

    With few clusters the normal law says little of the tails of their sums; signs
    :math:`v_c=\pm1` keep each cluster's own size (Wu 1986, doi:10.1214/aos/1176350142). All patterns
    are tried up to 14 clusters; beyond, a fixed draw over clusters sorted by what they hold, so that
    neither row order nor labels matter.

    Parameters
    ----------
    influence : ndarray of shape (n_clusters, k)
        Cluster sums, no term of which is constantly zero.
    level : float
    """
    n = influence.shape[0]
    scaled = influence / np.sqrt((influence**2).sum(axis=0))
    if n <= MOST_ENUMERATED:
        patterns = np.arange(2 ** (n - 1))[:, None] >> np.arange(n)[None, :] & 1
    else:
        scaled = scaled[order_by_content(scaled)]
        patterns = np.random.default_rng(2021).integers(0, 2, (DRAWS, n))
    largest = np.abs((1.0 - 2.0 * patterns) @ scaled).max(axis=1)
    return float(np.quantile(largest, level, method="inverted_cdf"))
