r"""Time to an ending of several kinds: cumulative incidence, restricted means, and their influence functions.

An ending of kind :math:`k` at time :math:`s` has hazard :math:`h_k(s)=dN_k(s)/Y(s)` among those at risk,
and the share that ended so by :math:`t` is

.. math:: F_k(t)=\sum_{s\le t} S(s^-)\,h_k(s),\qquad S(t)=\prod_{s\le t}\Bigl(1-\sum_k h_k(s)\Bigr)

(Aalen & Johansen 1978). With one kind, :math:`1-F` is Kaplan and Meier's. Taking a competing ending for
censoring instead would answer what would happen were it abolished.

References
----------
Aalen & Johansen (1978), Scandinavian Journal of Statistics 5(3), 141–150. Kaplan & Meier (1958),
doi:10.1080/01621459.1958.10501452. Zhao, Claggett, Tian et al. (2016), doi:10.1111/biom.12384 (restricted
means).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OPEN: Final = 0
"""Kind of what had not ended when last seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Waits of one group, counted once for all that is read off them.

    Parameters
    ----------
    times : ndarray of shape (k,)
        Distinct times, increasing.
    end, start : ndarray of int, shape (n,)
        Number of each wait's last time, and of the first time at which it is at risk.
    kind : ndarray of int, shape (n,)
        0 for what had not ended.
    weight : ndarray of shape (n,)
    at_risk, ended : ndarray of shape (k,)
        Weight at risk at each time, and of what ended then.
    """

    times: Floats
    end: Ints
    start: Ints
    kind: Ints
    weight: Floats
    at_risk: Floats
    ended: Floats

    @classmethod
    def of(
        cls, time: Floats, kind: Ints, *, weight: Floats | None = None, entry: Floats | None = None
    ) -> Waits:
        """Count waits.

        Parameters
        ----------
        time : ndarray of shape (n,)
            Of the ending, or when last seen; endings come before the last sight of others at one time.
        kind : ndarray of int, shape (n,)
        weight : ndarray of shape (n,), optional
        entry : ndarray of shape (n,), optional
            After which a wait is seen: it is at risk at times above. Those of which an earlier ending would
            not have been seen must have one.
        """
        mass = np.ones(time.size) if weight is None else weight
        times, end = np.unique(time, return_inverse=True)
        end = end.astype(np.int64)
        k = times.size
        start = np.zeros(time.size, dtype=np.int64)
        if entry is not None:
            start = np.minimum(np.searchsorted(times, entry, side="right"), end + 1)
        came = np.cumsum(np.bincount(start, mass, minlength=k + 1)[:k])
        left = np.bincount(end, mass, minlength=k)
        gone = np.concatenate([[0.0], np.cumsum(left)[:-1]])
        return cls(
            times=times,
            end=end,
            start=start,
            kind=kind,
            weight=mass,
            at_risk=np.maximum(came - gone, 0.0),
            ended=_summed(end, mass * (kind != OPEN), k),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read off waits.

    Parameters
    ----------
    value : ndarray of shape (n_read,)
        NaN beyond the last time at which anything is at risk, unless everything has ended.
    influence : ndarray of shape (n, n_read)
        Of each wait, its weight included: sums over clusters, squared and added, are the variance
        (infinitesimal jackknife).
    """

    value: Floats
    influence: Floats


def incidence(waits: Waits, *, kind: int, at: Sequence[float]) -> Read:
    r"""Share that ended in one way by some times.

    The derivative of :math:`F_k(t)` in the weight of wait :math:`i` is

    .. math:: \sum_{s\le t}\frac{S(s^-)}{Y(s)}\{dN_{ki}-Y_ih_k\}
              - \sum_{s\le t}\frac{F_k(t)-F_k(s)}{(1-h(s))\,Y(s)}\{dN_i-Y_ih\}

    Examples
    --------
    Three jobs: one filled on day 1, one withdrawn on day 2, one filled on day 3.

    >>> waits = Waits.of(np.array([1.0, 2, 3]), np.array([1, 2, 1]))
    >>> incidence(waits, kind=1, at=(1, 2, 3)).value.round(3).tolist()
    [0.333, 0.333, 0.667]
    """
    curve = _curve(waits, kind)
    value = np.full(len(at), np.nan)
    influence = np.full((waits.end.size, len(at)), np.nan)
    for column, time in enumerate(at):
        if not curve.known(waits, time):
            continue
        last = int(np.searchsorted(waits.times, time, side="right")) - 1
        here = np.arange(waits.times.size) <= last
        value[column] = curve.share[last] if last >= 0 else 0.0
        later = np.where(here, value[column] - curve.share, 0.0)
        influence[:, column] = _moved(waits, curve, np.where(here, 1.0, 0.0), later, kind=kind)
    return Read(value=value, influence=influence)


def mean_within(waits: Waits, *, kind: int, horizon: float) -> Read:
    r"""Mean time without an ending of one kind within a horizon: :math:`\tau-\int_0^\tau F_k(t)\,dt`.

    What ended otherwise never ends so: it counts for the whole horizon.

    Examples
    --------
    >>> waits = Waits.of(np.array([1.0, 2, 3]), np.array([1, 2, 1]))
    >>> mean_within(waits, kind=1, horizon=4.0).value.round(3).tolist()
    [2.667]
    """
    curve = _curve(waits, kind)
    if not curve.known(waits, horizon):
        nothing = np.full((waits.end.size, 1), np.nan)
        return Read(value=np.full(1, np.nan), influence=nothing)
    left = np.maximum(horizon - waits.times, 0.0)
    steps = left - np.append(left[1:], 0.0)
    area = np.cumsum((curve.share * steps)[::-1])[::-1]
    found = _moved(waits, curve, left, area - curve.share * left, kind=kind)
    return Read(value=np.array([horizon - area[0]]), influence=-found[:, None])


@dataclass(frozen=True, slots=True)
class _Curve:
    """Hazards and shares at each time."""

    hazard: Floats
    of_kind: Floats
    before: Floats
    share: Floats

    def known(self, waits: Waits, time: float) -> bool:
        """Whether something is still at risk by then, or nothing is left to end."""
        if time <= waits.times[-1]:
            return True
        return bool(self.before[-1] * (1 - self.hazard[-1]) < 1e-12)


def _curve(waits: Waits, kind: int) -> _Curve:
    ended = _summed(waits.end, waits.weight * (waits.kind == kind), waits.times.size)
    risk = waits.at_risk
    hazard = _over(waits.ended, risk)
    of_kind = _over(ended, risk)
    after = np.cumprod(1 - np.minimum(hazard, 1.0))
    before = np.concatenate([[1.0], after[:-1]])
    return _Curve(hazard, of_kind, before, np.cumsum(before * of_kind))


def _moved(waits: Waits, curve: _Curve, now: Floats, later: Floats, *, kind: int) -> Floats:
    """Derivative in each weight, times it: ``now`` and ``later`` are what an ending brings and takes."""
    brings = _over(now * curve.before, waits.at_risk)
    takes = _over(later, (1 - curve.hazard) * waits.at_risk)
    expected = np.concatenate([[0.0], np.cumsum(brings * curve.of_kind - takes * curve.hazard)])
    found = expected[waits.start] - expected[waits.end + 1]
    ended = waits.kind != OPEN
    found -= np.where(ended, takes[waits.end], 0.0)
    found += np.where(waits.kind == kind, brings[waits.end], 0.0)
    return np.asarray(waits.weight * found)


def _summed(number: Ints, mass: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(number, weights=mass, minlength=n), dtype=float)


def _over(a: Floats, b: Floats) -> Floats:
    """Quotients, 0 where nobody is at risk or nothing is left."""
    free = b > 1e-300
    return np.asarray(np.where(free, a / np.where(free, b, 1.0), 0.0))
