r"""Balance of covariates between arms: the one home of each measure of it.

Standardised difference :math:`(\bar x_1 - \bar x_0)/s`, where :math:`s` is a standard deviation
*before* any choice of comparisons, so that a change of it is a change of means; variance ratio
:math:`s_1^2/s_0^2`; and, with :math:`F_1, F_0` the weighted distribution functions of the two arms,
the Kolmogorov–Smirnov distance :math:`\max_x|F_1(x)-F_0(x)|` and the mean of
:math:`|F_1(x)-F_0(x)|` over the distinct values of the covariate (Stuart 2010,
doi:10.1214/09-STS313; Austin & Stuart 2015, doi:10.1002/sim.6607; Ho, Imai, King & Stuart 2011,
doi:10.18637/jss.v042.i08).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_AT_ONCE: Final = 2
_WIDEST: Final = 4096
"""Range of whole numbers counted into cells rather than sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Weighted mean and variance of each covariate, shape (k,) each."""

    mean: Floats
    variance: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two arms on each covariate, shape (k,) each.

    Parameters
    ----------
    binary : ndarray of bool
        Whether the covariate takes no value but 0 and 1.
    mean_treated, mean_comparison, var_treated, var_comparison : ndarray
    ks, ecdf_mean : ndarray
        Greatest and mean distance between the distribution functions.
    """

    binary: Bools
    mean_treated: Floats
    mean_comparison: Floats
    var_treated: Floats
    var_comparison: Floats
    ks: Floats
    ecdf_mean: Floats


def is_binary(values: Floats) -> Bools:
    """Whether each column takes no value but 0 and 1, shape (k,)."""
    return np.array([_binary(x) for x in values.T], dtype=bool)


def _binary(column: Floats) -> bool:
    return bool(((column == 0) | (column == 1)).all())


def moments(values: Floats, *, weight: Floats) -> Moments:
    r"""Weighted mean and variance: unbiased for numbers, :math:`\bar x(1-\bar x)` for 0/1 columns.

    :math:`s^2 = \frac{1}{1-\sum \tilde w_i^2}\sum \tilde w_i (x_i-\bar x)^2` with weights
    :math:`\tilde w` that sum to one; :math:`1/(n-1)` when they are equal.

    Parameters
    ----------
    values : ndarray of shape (n, k)
    weight : ndarray of shape (n,)
    """
    share = (weight / weight.sum())[None, :]
    found = [_moments(np.ascontiguousarray(x), share, binary=_binary(x)) for x in values.T]
    mean, variance = (np.array([f[part][0] for f in found], dtype=float) for part in (0, 1))
    return Moments(mean=mean, variance=variance)


def compared(values: Floats, *, treated: Bools, weights: Sequence[Floats]) -> tuple[Compared, ...]:
    """Moments of two arms and how far their distributions are apart, by each weighting in turn.

    Columns are sorted once for all weightings. A weighting may leave units out with a zero: their
    values still count among the distinct ones, so that mean distances before and after a choice
    are averages over the same points.

    Parameters
    ----------
    values : ndarray of shape (n, k)
    treated : ndarray of bool, shape (n,)
    weights : sequence of ndarray of shape (n,)
        What a unit stands for in the mean of its arm.
    """
    shares = np.concatenate([_by_arm(weight, treated) for weight in weights])
    # Sorting lets go of the interpreter: two columns are sorted at a time.
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        columns = list(pool.map(lambda x: _column(np.ascontiguousarray(x), shares), values.T))
    shape = (len(columns), len(weights))
    binary = np.array([c.binary for c in columns], dtype=bool)
    mean, variance = (
        np.array([c[part] for c in columns], dtype=float).reshape(*shape, 2) for part in (1, 2)
    )
    ks, ecdf_mean = (
        np.array([c[part] for c in columns], dtype=float).reshape(shape) for part in (3, 4)
    )
    return tuple(
        Compared(
            binary=binary,
            mean_treated=mean[:, s, 0],
            mean_comparison=mean[:, s, 1],
            var_treated=variance[:, s, 0],
            var_comparison=variance[:, s, 1],
            ks=ks[:, s],
            ecdf_mean=ecdf_mean[:, s],
        )
        for s in range(len(weights))
    )


def _by_arm(weight: Floats, treated: Bools) -> Floats:
    """Shares of the units in the mean of each arm, rows treated and comparison; NaN without any."""
    arms = np.array([np.where(treated, weight, 0.0), np.where(treated, 0.0, weight)])
    total = arms.sum(axis=1, keepdims=True)
    return arms / np.where(total > 0, total, np.nan)


class _Column(NamedTuple):
    """One covariate: by weighting and arm its moments, by weighting its distances."""

    binary: bool
    mean: Floats
    variance: Floats
    ks: Floats
    ecdf_mean: Floats


def _column(column: Floats, shares: Floats) -> _Column:
    binary = _binary(column)
    mean, variance = _moments(column, shares, binary=binary)
    if binary:
        gap = np.abs(mean[::2] - mean[1::2])
        return _Column(binary, mean, variance, gap, gap)
    distance = _gaps(column, shares[::2] - shares[1::2])
    np.abs(distance, out=distance)
    return _Column(binary, mean, variance, distance.max(axis=1), distance.mean(axis=1))


def _moments(column: Floats, shares: Floats, *, binary: bool) -> tuple[Floats, Floats]:
    """Mean and variance of a column under each row of shares."""
    origin = column[0] if column.size else 0.0
    shifted = column - origin
    first = shares @ shifted
    if binary:
        mean = first + origin
        return mean, mean * (1 - mean)
    origin, shifted = origin + first[0], shifted - first[0]
    first = shares @ shifted
    spare = 1.0 - np.einsum("ij,ij->i", shares, shares)
    second = np.maximum(shares @ np.square(shifted) - first**2, 0.0)
    variance = second / np.where(spare > 0, spare, np.nan)
    return first + origin, variance


def _gaps(column: Floats, signed: Floats) -> Floats:
    """Difference of the distribution functions at each distinct value, a row per weighting."""
    low, high = column.min(), column.max()
    if high - low < _WIDEST and bool((column == np.rint(column)).all()):
        place = (column - low).astype(np.int64)
        there = np.bincount(place) > 0
        steps = np.array([np.bincount(place, weights=row)[there] for row in signed])
        return np.asarray(np.cumsum(steps, axis=1))
    order = np.argsort(column)
    ordered = column[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    gaps = signed.take(order, axis=1)
    np.cumsum(gaps, axis=1, out=gaps)
    return gaps if last.all() else gaps[:, last]


def spread(variance_treated: Floats, variance_comparison: Floats, *, estimand: str) -> Floats:
    r"""Variance that scales a difference: of those over whom the effect is averaged.

    The treated for the ATT, the untreated for the ATC, and :math:`(s_1^2+s_0^2)/2` where the effect
    is averaged over both.
    """
    if estimand == Estimand.ATT:
        return variance_treated
    if estimand == Estimand.ATC:
        return variance_comparison
    return np.asarray((variance_treated + variance_comparison) / 2)


def standardised_difference(
    mean_treated: Floats, mean_comparison: Floats, *, variance: Floats
) -> Floats:
    """Difference of means in standard deviations; NaN where these are zero.

    A covariate that is constant and equal in both arms differs by zero.
    """
    gap = mean_treated - mean_comparison
    scale = np.sqrt(np.where(variance > 1e-300, variance, np.nan))
    return np.asarray(np.where(np.abs(gap) < 1e-12, 0.0, gap / scale))


def variance_ratio(found: Compared) -> Floats:
    """Variance among the treated over that among comparisons.

    NaN for 0/1 columns, whose variance says nothing their mean does not, and where the latter is 0.
    """
    usable = (found.var_comparison > 0) & ~found.binary
    ratio = np.full(usable.shape, np.nan)
    np.divide(found.var_treated, found.var_comparison, out=ratio, where=usable)
    return ratio


def effective_size(weight: Floats) -> float:
    """Kish's effective sample size, (Σw)² / Σw².

    >>> effective_size(np.array([1.0, 1.0, 2.0]))
    2.6666666666666665
    """
    total = float(weight.sum())
    return total * total / float(weight @ weight) if total > 0 else float("nan")
