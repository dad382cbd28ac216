r"""Intervals of fixed length under smoothness: the best trade of worst-case bias against variance.

An affine estimator :math:`\hat\theta_v=l'\hat\beta_{post}+v'\hat\beta_{pre}` has finite bias over
:math:`\Delta^{SD}(M)` only if linear trends cancel,
:math:`\sum_s s\,v_{-s}=\sum_t t\,l_t`. With :math:`z_c=\sum_{s>c}(s-c)v_{-s}` its largest bias is

.. math:: b(z)=M\Big(\sum_{c\ge0}\Big|\sum_{t>c}(t-c)l_t\Big|+\sum_{c=1}^{P-1}|z_c|\Big),

its variance quadratic in :math:`z`. For every weight on bias against variance the best :math:`z` solves
a lasso, so that all that may be optimal is one piecewise linear path, followed once whatever :math:`M`;
on it the half-length :math:`\sigma\,cv_{1-\alpha}(b/\sigma)`, with :math:`cv` the quantile of
:math:`|N(b/\sigma,1)|`, is minimised.

References
----------
Rambachan & Roth (2023), §3.1, doi:10.1093/restud/rdad018. Armstrong & Kolesár (2018),
doi:10.3982/ECTA14434. Osborne, Presnell & Turlach (2000), doi:10.1093/imanum/20.3.389 (the path).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import brentq, minimize_scalar

from whatworks.stats.did.event_study import EventStudy

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """Estimators that no other beats in both bias and variance, from the least biased on.

    Parameters
    ----------
    weights : ndarray of shape (n_knots, n_effects)
        Of the estimates, at the knots of the path; linear between them.
    bias : ndarray of shape (n_knots,)
        Largest bias over smoothness of one.
    study : EventStudy
    """

    weights: Floats
    bias: Floats
    study: EventStudy

    @classmethod
    def of(cls, study: EventStudy) -> Frontier:
        """Path of an event study."""
        start, basis = _affine(study)
        among = study.covariance
        knots = lasso_path(basis.T @ among @ basis, basis.T @ among @ start)
        ahead = np.arange(1.0, study.n_post + 1)
        fixed = sum(abs(float(study.weights[c:] @ (ahead[c:] - c))) for c in range(study.n_post))
        return cls(
            weights=start + knots @ basis.T,
            bias=fixed + np.abs(knots).sum(axis=1),
            study=study,
        )

    def interval(self, m: float, *, size: float = 0.05) -> tuple[float, float]:
        """Shortest interval when slopes change by at most ``m`` from one period to the next."""
        weights, bias = self.best(m, size=size)
        error = float(np.sqrt(weights @ self.study.covariance @ weights))
        point = float(weights @ self.study.estimate)
        half = half_length(m * bias, error, size=size)
        return point - half, point + half

    def best(self, m: float, *, size: float = 0.05) -> tuple[Floats, float]:
        """Weights of the best estimator, and its largest bias under smoothness of one."""

        def along(position: float) -> tuple[Floats, float]:
            k = min(int(position), max(self.bias.size - 2, 0))
            part = position - k
            following = min(k + 1, self.bias.size - 1)
            weights = (1 - part) * self.weights[k] + part * self.weights[following]
            return weights, (1 - part) * self.bias[k] + part * self.bias[following]

        def half(position: float) -> float:
            weights, bias = along(position)
            error = float(np.sqrt(weights @ self.study.covariance @ weights))
            return half_length(m * bias, error, size=size)

        lengths = np.array([half(float(k)) for k in range(self.bias.size)])
        k = int(lengths.argmin())
        best, least = float(k), float(lengths[k])
        for low in range(max(k - 1, 0), min(k + 1, self.bias.size - 1)):
            found = minimize_scalar(
                half, bounds=(low, low + 1), method="bounded", options={"xatol": 1e-9}
            )
            if found.fun < least:
                best, least = float(found.x), float(found.fun)
        return along(best)


def half_length(bias: float, error: float, *, size: float = 0.05) -> float:
    r"""Half-length that covers with a bias of up to ``bias``: :math:`\sigma\,cv_{1-\alpha}(b/\sigma)`.

    >>> round(half_length(0.0, 1.0), 3), round(half_length(10.0, 1.0), 3)
    (1.96, 11.645)
    """
    ratio = bias / error

    def beyond(c: float) -> float:
        return float(special.ndtr(ratio - c) + special.ndtr(-c - ratio)) - size

    highest = ratio - float(special.ndtri(size / 2)) + 1e-8
    lowest = max(ratio - float(special.ndtri(size)) - 1e-8, 0.0)
    return error * float(brentq(beyond, lowest, highest, xtol=1e-12))


def lasso_path(quadratic: Floats, linear: Floats) -> Floats:
    r"""Knots of the minimisers of :math:`\tfrac12z'Qz+q'z+\lambda\|z\|_1`, from no z to no penalty.

    Parameters
    ----------
    quadratic : ndarray of shape (k, k)
        Positive definite.
    linear : ndarray of shape (k,)

    Returns
    -------
    ndarray of shape (n_knots, k)

    Examples
    --------
    >>> lasso_path(np.eye(2), np.array([-2.0, 1.0])).tolist()
    [[0.0, 0.0], [1.0, 0.0], [2.0, -1.0]]
    """
    k = linear.size
    z = np.zeros(k)
    knots = [z]
    if not k:
        return np.zeros((1, 0))
    active = np.zeros(k, dtype=bool)
    sign = np.zeros(k)
    penalty = float(np.abs(linear).max())
    tiny = 1e-12 * max(penalty, 1e-300)
    joins = int(np.abs(linear).argmax())
    active[joins], sign[joins] = True, -np.sign(linear[joins])
    for _ in range(50 * (k + 1)):
        if penalty <= tiny:
            break
        rows = np.flatnonzero(active)
        inverse = np.linalg.inv(quadratic[np.ix_(rows, rows)])
        step = inverse @ sign[rows]  # how z moves as the penalty falls
        gradient = quadratic @ z + linear
        drift = quadratic[:, rows] @ step
        with np.errstate(divide="ignore", invalid="ignore"):
            up = (penalty - gradient) / (1 + drift)
            down = (penalty + gradient) / (1 - drift)
            leave = -z[rows] / step
        reach = np.minimum(*(np.where((v > tiny) & ~active, v, np.inf) for v in (up, down)))
        leave = np.where(leave > tiny, leave, np.inf)
        fall = min(penalty, float(reach.min()), float(leave.min(initial=np.inf)))
        z = z.copy()
        z[rows] += fall * step
        penalty -= fall
        if fall == leave.min(initial=np.inf):
            gone = int(rows[leave.argmin()])
            active[gone], sign[gone], z[gone] = False, 0.0, 0.0
        elif fall == reach.min():
            joins = int(reach.argmin())
            active[joins] = True
            sign[joins] = -np.sign((quadratic @ z + linear)[joins])
        knots.append(z)
    return np.array(knots)


def _affine(study: EventStudy) -> tuple[Floats, Floats]:
    """Weights of the least biased estimator, and how they move with each z."""
    n = study.n_pre
    linear = float(study.weights @ np.arange(1.0, study.n_post + 1))
    # v at s periods before the base is the second difference of z, which is nil from n on.
    bends = np.zeros((n, n))
    for s in range(1, n + 1):
        for place, much in ((s - 1, 1.0), (s, -2.0), (s + 1, 1.0)):
            if place < n:
                bends[n - s, place] += much
    start = study.direction.copy()
    start[:n] = linear * bends[:, 0]
    basis = np.zeros((study.estimate.size, n - 1))
    basis[:n] = bends[:, 1:]
    return start, basis
