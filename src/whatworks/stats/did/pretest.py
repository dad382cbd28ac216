r"""What a test before the start can see, and what passing it leaves of the bias.

A test of effects before the start passes when none is significant on its own
(:math:`|\hat\beta_s|\le c\,\hat\sigma_s` for all :math:`s<0`), or when they are not jointly. Were trends
to differ by :math:`\delta`, with :math:`\hat\beta\sim N(\delta,\Sigma)`, the test rejects with some
probability, its power; and among the samples that pass the estimate after the start is on average

.. math:: E[\hat\beta_{post}\mid\hat\beta_{pre}\in B]
          =\delta_{post}+\Sigma_{post,pre}\Sigma_{pre}^{-1}
           \big(E[\hat\beta_{pre}\mid\hat\beta_{pre}\in B]-\delta_{pre}\big),

where there was no effect at all. For single tests :math:`B` is a box, integrated one dimension at a time
on fixed points (Genz 1992, doi:10.2307/1390838); for the joint test an ellipsoid, in closed form.

References
----------
Roth (2022), doi:10.1257/aeri.20210236.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.optimize import brentq

Floats = NDArray[np.float64]

POINTS: Final = 2**14
"""Points over which a box is integrated, always the same."""
TESTS: Final = ("single", "joint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretest:
    """A test before the start, were trends to differ in a given way.

    Parameters
    ----------
    power : float
        Probability that it rejects.
    passing : ndarray of shape (n_effects,)
        Mean of the estimates among samples that pass it.
    bayes_factor : float
        Probability of passing under that difference over that under parallel trends.
    likelihood_ratio : float
        Likelihood of the estimates before the start under that difference over that under parallel
        trends; NaN where no estimate was given.
    """

    power: float
    passing: Floats
    bayes_factor: float
    likelihood_ratio: float


def pretest(
    trend: Floats,
    covariance: Floats,
    *,
    n_pre: int,
    estimate: Floats | None = None,
    test: str = "single",
    size: float = 0.05,
) -> Pretest:
    r"""Power of a test before the start against a difference in trends, and what passes it.

    Parameters
    ----------
    trend : ndarray of shape (n_effects,)
        :math:`\delta`, those before the start first.
    covariance : ndarray of shape (n_effects, n_effects)
        Positive definite before the start.
    n_pre : int
        Effects before the start.
    estimate : ndarray of shape (n_effects,), optional
    test : str
        ``"single"``: no effect is significant on its own; ``"joint"``: nor are all together.
    size : float
    """
    among = covariance[:n_pre, :n_pre]
    before = trend[:n_pre]
    chance, mean = _passing(before, among, test=test, size=size)
    calm, _ = _passing(np.zeros(n_pre), among, test=test, size=size)
    follow = np.linalg.solve(among, covariance[:n_pre])
    ratio = float("nan")
    if estimate is not None:
        seen = np.linalg.solve(among, before)
        ratio = float(np.exp(seen @ estimate[:n_pre] - seen @ before / 2))
    return Pretest(
        power=1 - chance,
        passing=trend + (mean - before) @ follow,
        bayes_factor=chance / calm,
        likelihood_ratio=ratio,
    )


def detectable_slope(
    times: Floats, covariance: Floats, *, power: float, test: str = "single", size: float = 0.05
) -> float:
    """Slope of a linear difference in trends that the test detects that often.

    Parameters
    ----------
    times : ndarray of shape (n_pre,)
        Periods since the base of each effect before the start; none is zero.
    covariance : ndarray of shape (n_pre, n_pre)
        Of these effects.
    power : float
        Above the test's size under parallel trends.
    test, size
        As in `pretest`.

    Returns
    -------
    float
        Per period; zero when the test rejects that often though trends are parallel.

    Examples
    --------
    >>> round(detectable_slope(np.array([-1.0]), np.array([[0.25]]), power=0.5), 2)
    0.98
    """
    if test == "joint":
        per_slope = float(times @ np.linalg.solve(covariance, times))
        return float(np.sqrt(_noncentrality(times.size, power, size) / per_slope))

    def short(slope: float) -> float:
        return 1 - _passing(slope * times, covariance, test=test, size=size)[0] - power

    if short(0.0) >= 0:
        return 0.0
    # One effect alone is seen that often at this slope; several are seen at less.
    error = np.sqrt(np.diag(covariance))
    alone = stats.norm.isf(size / 2) + stats.norm.ppf(power) + 1.0
    highest = float((alone * error / np.abs(times)).min())
    return float(brentq(short, 0.0, highest, xtol=1e-10 * highest))


def _noncentrality(k: int, power: float, size: float) -> float:
    """Noncentrality at which a chi-squared test has that power."""
    critical = stats.chi2.isf(size, k)
    if power <= size:
        return 0.0

    def short(nc: float) -> float:
        return float(stats.ncx2.sf(critical, k, nc)) - power

    highest = 1.0
    while short(highest) < 0:
        highest *= 2
    return float(brentq(short, 1e-12, highest, xtol=1e-12))


def _passing(mean: Floats, covariance: Floats, *, test: str, size: float) -> tuple[float, Floats]:
    """Probability of passing, and mean of the effects among samples that do."""
    if test == "joint":
        k = mean.size
        critical = stats.chi2.isf(size, k)
        far = float(mean @ np.linalg.solve(covariance, mean))
        if far == 0:
            return 1 - size, mean
        chance, above = (float(stats.ncx2.cdf(critical, n, far)) for n in (k, k + 2))
        # Within an ellipsoid centred at zero the mean shrinks by the same law with two more degrees.
        return chance, mean * (above / chance if chance > 0 else float("nan"))
    half = stats.norm.isf(size / 2) * np.sqrt(np.diag(covariance))
    return box(mean, covariance, low=-half, high=half)


def box(mean: Floats, covariance: Floats, *, low: Floats, high: Floats) -> tuple[float, Floats]:
    r"""Probability of a box under a normal law, and the mean within it.

    Parameters
    ----------
    mean : ndarray of shape (k,)
    covariance : ndarray of shape (k, k)
        Positive definite.
    low, high : ndarray of shape (k,)

    Examples
    --------
    >>> p, inside = box(np.zeros(1), np.eye(1), low=np.array([0.0]), high=np.array([np.inf]))
    >>> round(p, 3), inside.round(3).tolist()
    (0.5, [0.798])
    """
    root = np.linalg.cholesky(covariance)
    k = mean.size
    drawn = np.empty((POINTS, k))
    log_weight = np.zeros(POINTS)
    spread = _points(k)
    for j in range(k):
        centre = mean[j] + drawn[:, :j] @ root[j, :j]
        a, b = (low[j] - centre) / root[j, j], (high[j] - centre) / root[j, j]
        # In the tail where the interval lies its probability keeps its digits.
        flip = a > 0
        a, b = np.where(flip, -b, a), np.where(flip, -a, b)
        log_low, log_high = special.log_ndtr(a), special.log_ndtr(b)
        log_width = log_high + np.log(-np.expm1(np.minimum(log_low - log_high, -1e-300)))
        z = special.ndtri_exp(np.logaddexp(log_low, np.log(spread[:, j]) + log_width))
        z = np.clip(z, a, b)
        drawn[:, j] = np.where(flip, -z, z)
        log_weight += log_width
    top = float(log_weight.max())
    weight = np.exp(log_weight - top)
    inside = mean + (weight @ drawn / weight.sum()) @ root.T
    return float(np.exp(top) * weight.mean()), inside


@lru_cache(maxsize=64)
def _points(k: int) -> Floats:
    """Points spread evenly over the unit cube, always the same."""
    drawn = stats.qmc.Sobol(k, rng=np.random.default_rng(2022)).random(POINTS)
    drawn = np.clip(drawn, 1e-12, 1 - 1e-12)
    drawn.setflags(write=False)
    return drawn
