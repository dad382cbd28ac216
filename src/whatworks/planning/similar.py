"""Strata of markets that resemble one another, so that each share is drawn among likes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def strata_of_likes(traits: Floats, exact: Ints, *, size: int) -> Ints:
    """Stratum of each market, numbered in the order they are made.

    Within each exact group, the market furthest from the middle of those left takes its ``size − 1``
    nearest, and so on inwards; those left of all groups make strata together in the same way, and the
    last stratum may be short. Distances are between ranks, so that one market far off does not decide for
    all. Without traits each exact group is one stratum.

    Parameters
    ----------
    traits : ndarray of shape (n_markets, k)
        Markets in the order of their names, which alone decides between equal distances.
    exact : ndarray of int, shape (n_markets,)
    size : int
        Markets of a full stratum.

    Examples
    --------
    >>> strata_of_likes(np.array([[10.0], [900], [11], [950]]), np.zeros(4, dtype=int), size=2).tolist()
    [0, 1, 0, 1]
    """
    if not traits.shape[1]:
        return np.unique(exact, return_inverse=True)[1].astype(np.int64)
    ranks = rankdata(traits, axis=0)
    spread = ranks.std(axis=0)
    place = (ranks - ranks.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    stratum = np.full(exact.size, -1, dtype=np.int64)
    count, left = 0, []
    for group in np.unique(exact):
        rest = np.flatnonzero(exact == group)
        count, rest = _gather(stratum, place, rest, size=size, count=count)
        left.append(rest)
    rest = np.sort(np.concatenate(left))
    count, rest = _gather(stratum, place, rest, size=size, count=count)
    stratum[rest] = count
    return stratum


def _gather(stratum: Ints, place: Floats, rest: Ints, *, size: int, count: int) -> tuple[int, Ints]:
    """Number full strata among ``rest``; those left come back."""
    while rest.size >= size:
        away = ((place[rest] - place[rest].mean(axis=0)) ** 2).sum(axis=1).round(12)
        first = place[rest[int(np.argmax(away))]]
        near = ((place[rest] - first) ** 2).sum(axis=1).round(12)
        chosen = np.argsort(near, kind="stable")[:size]
        stratum[rest[chosen]] = count
        rest = np.delete(rest, chosen)
        count += 1
    return count, rest
