r"""Medians over splits of a sample, and what may be said of groups ranked by a predicted effect.

Whatever half of a sample ranks and the other half measures is right for that split, and depends on it.
Chernozhukov, Demirer, Duflo & Fernández-Val (2025, doi:10.3982/ECTA19303) report the median over splits, the
medians of bounds of intervals of level :math:`1-\alpha/2` (whose level is then at least
:math:`1-\alpha`), and twice the median p-value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from whatworks.stats.augmented import Tilt, augmented
from whatworks.stats.balance import moments
from whatworks.stats.bands import critical_value
from whatworks.stats.quantiles import Distribution

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Medians:
    """What splits say together; arrays of shape (n_terms,).

    Parameters
    ----------
    estimate, std_error : ndarray
        Medians over splits.
    low, high : ndarray
        Medians of the bounds of each split.
    p_value : ndarray
        Twice the median, at most 1.
    """

    estimate: Floats
    std_error: Floats
    low: Floats
    high: Floats
    p_value: Floats


def medians(
    points: Floats, errors: Floats, *, level: float = 0.95, critical: float | None = None
) -> Medians:
    """Aggregate splits.

    Parameters
    ----------
    points, errors : ndarray of shape (n_splits, n_terms)
        NaN in splits where a term is undefined; a term is read when half of them define it.
    level : float
        Coverage promised; each split's interval is read at ``(1 + level) / 2``.
    critical : float, optional
        Standard errors on each side at that level; by default those of the normal law.
    """
    within = (1 + level) / 2
    c = float(stats.norm.ppf(0.5 + within / 2)) if critical is None else critical
    errors = np.where(errors > 0, errors, np.nan)
    p = 2 * stats.norm.sf(np.abs(points / errors))
    return Medians(
        estimate=_median(points),
        std_error=_median(errors),
        low=_median(points - c * errors),
        high=_median(points + c * errors),
        p_value=np.minimum(2 * _median(p), 1.0),
    )


def _median(values: Floats) -> Floats:
    """Median by column over the splits that define it; NaN when fewer than half do."""
    known = np.isfinite(values)
    found = np.full(values.shape[1], np.nan)
    for k in np.flatnonzero(known.mean(axis=0) >= 0.5):
        found[k] = np.median(values[known[:, k], k])
    return found


def joint_critical_value(correlation: Floats, *, level: float = 0.95) -> float:
    """Standard errors on each side of a band over groups, at the level each split is read at."""
    return critical_value(correlation, level=(1 + level) / 2)


def mean_correlation(covariances: Floats) -> Floats:
    """Mean over splits of correlation matrices, shape (n_terms, n_terms); identity where undefined."""
    size = np.sqrt(np.einsum("sii->si", covariances))
    with np.errstate(invalid="ignore", divide="ignore"):
        each = covariances / (size[:, :, None] * size[:, None, :])
    usable = np.isfinite(each).all(axis=(1, 2))
    if not usable.any():
        return np.eye(covariances.shape[1])
    return np.asarray(each[usable].mean(axis=0))


def cut(score: Floats, tie: Ints, *, mass: Floats, n_groups: int) -> Ints:
    """Groups of equal mass by a score, from the lowest, 0 … n_groups − 1.

    Parameters
    ----------
    score : ndarray of shape (n,)
    tie : ndarray of int, shape (n,)
        Decides between equal scores.
    mass : ndarray of shape (n,)
        Of the population that groups cut in equal parts.
    n_groups : int
    """
    scale = float(np.abs(score).max(initial=0.0))
    rounded = np.round(score / scale, 9) if scale > 0 else np.zeros_like(score)
    both = np.column_stack([rounded, tie])
    rank = np.unique(both, axis=0, return_inverse=True)[1].astype(float)
    inside = mass > 0
    law = Distribution.of(rank[inside], weight=mass[inside])
    cuts = law.quantile(np.arange(1, n_groups) / n_groups)
    return np.searchsorted(cuts, rank, side="left").astype(np.int64)


def measured(
    tilt: Tilt, member: Bools, gap: Floats, residual: Floats, treated: Bools
) -> tuple[float, Floats]:
    """Augmented effect of a group and its influence; NaN without both arms.

    Parameters
    ----------
    tilt : Tilt
        Weights of the population and of its arms.
    member : ndarray of bool, shape (n,)
    gap, residual : ndarray of shape (n,)
        Predicted effect, and outcome less what its own arm's regression predicts.
    treated : ndarray of bool, shape (n,)
    """
    target, balance = tilt.target * member, tilt.balance * member
    if not (target.sum() > 0 and balance[treated].sum() > 0 and balance[~treated].sum() > 0):
        return float("nan"), np.full(gap.size, np.nan)
    found = augmented(gap[:, None], residual[:, None], treated, target=target, balance=balance)
    return float(found.effect[0]), found.influence[:, 0]


def best_line(
    tilt: Tilt, member: Bools, gap: Floats, residual: Floats, treated: Bools
) -> tuple[float, Floats]:
    """Slope of the effect in its prediction, and its influence: 1 when it is right, 0 when noise.

    NaN when everyone is predicted to gain alike. Arguments as for `measured`.
    """
    total = tilt.target.sum()
    score = tilt.target * gap
    for arm, sign in ((treated, 1.0), (~treated, -1.0)):
        score[arm] += sign * total / tilt.balance[arm].sum() * (tilt.balance * residual)[arm]
    apart = np.where(member, gap - tilt.target @ gap / total, 0.0)
    spread = float(tilt.target @ apart**2)
    if not spread > 1e-24 * total * float(np.abs(gap).max(initial=0.0)) ** 2:
        return float("nan"), np.full(gap.size, np.nan)
    mean = score.sum() / total
    slope = float(score @ apart / spread)
    return slope, (score - tilt.target * (mean + slope * apart)) * apart / spread


def traits_of_ends(
    covariates: Floats, group: Ints, mass: Floats, *, last: int
) -> tuple[Floats, Floats]:
    """Means of covariates in the last and first groups, their difference; and its standard error."""
    ends = []
    for k in (last, 0):
        mine = (group == k) & (mass > 0)
        if mine.sum() < 2:
            blank = np.full(covariates.shape[1], np.nan)
            ends.append((blank, blank))
            continue
        found = moments(covariates[mine], weight=mass[mine])
        share = mass[mine] / mass[mine].sum()
        ends.append((found.mean, found.variance * float(share @ share)))
    means = np.array([ends[0][0], ends[1][0], ends[0][0] - ends[1][0]])
    return means, np.sqrt(ends[0][1] + ends[1][1])
