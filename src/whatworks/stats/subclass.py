r"""Sets of treated and untreated: which hold both arms, what each member stands for, quantile subclasses.

In a set s with :math:`W_{ts}` and :math:`W_{cs}` the sampling weights of its treated and untreated, a
comparison counts :math:`w_jW_{ts}/W_{cs}` for the treated, and everyone :math:`w_i(W_{ts}+W_{cs})/W_{as}`
with :math:`a` the own arm for all (Ho, Imai, King & Stuart 2011, doi:10.18637/jss.v042.i08).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def sets_of_both(number: Ints, treated: Bools) -> Ints:
    """Sets numbered anew from 0 in the order of their numbers; −1 where an arm is absent.

    Parameters
    ----------
    number : ndarray of int, shape (n,)
        Any numbers; −1 for no set.
    treated : ndarray of bool, shape (n,)
    """
    names, place = np.unique(number, return_inverse=True)
    n_treated = np.bincount(place[treated], minlength=names.size)
    n_others = np.bincount(place[~treated], minlength=names.size)
    both = (n_treated > 0) & (n_others > 0) & (names != -1)
    fresh = np.where(both, np.cumsum(both) - 1, -1)
    return np.asarray(fresh[place], dtype=np.int64)


def set_weights(number: Ints, treated: Bools, weight: Floats, *, estimand: str) -> Floats:
    """What each member of a set stands for in the mean of its arm; 0 outside all sets.

    Parameters
    ----------
    number : ndarray of int, shape (n,)
        From 0, −1 for none; every set holds both arms.
    treated : ndarray of bool, shape (n,)
    weight : ndarray of shape (n,)
        Sampling weights.
    estimand : str
        ``"ATT"``, ``"ATC"`` or ``"ATE"``.
    """
    inside = number >= 0
    place = np.where(inside, number, 0)
    own = np.where(inside, weight, 0.0)
    n_sets = int(number.max(initial=0)) + 1
    sums = {
        arm: np.bincount(place, weights=np.where(treated == arm, own, 0.0), minlength=n_sets)
        for arm in (True, False)
    }
    target = {"ATT": sums[True], "ATC": sums[False], "ATE": sums[True] + sums[False]}[estimand]
    mine = np.where(treated, sums[True][place], sums[False][place])
    share = np.divide(own, mine, out=np.zeros(own.size), where=mine > 0)
    return np.asarray(share * target[place])


def weighted_quantiles(values: Floats, weight: Floats, shares: Floats) -> Floats:
    """Quantiles in which a weight of two is a value met twice, linear in between (type 7).

    Weights below one are first brought to a least weight of one. With equal weights of one, the
    quantiles of Hyndman & Fan (1996), doi:10.2307/2684934, definition 7.

    Parameters
    ----------
    values, weight : ndarray of shape (n,)
    shares : ndarray of shape (q,)
    """
    order = np.argsort(values, kind="stable")
    ordered, counts = values[order], weight[order]
    until = np.cumsum(counts / min(1.0, float(counts.min(initial=1.0))))
    place = shares * (until[-1] - 1)
    below = np.floor(place + 1e-9)
    last = ordered.size - 1
    # The k-th value met, from 0, is the first whose cumulated weight exceeds k.
    low, high = (
        ordered[np.minimum(np.searchsorted(until, k + 1e-9, side="right"), last)]
        for k in (below, below + 1)
    )
    return np.asarray(low + np.maximum(place - below, 0.0) * (high - low))


def quantile_subclasses(score: Floats, weight: Floats, among: Bools, *, count: int) -> Ints:
    """Subclass of each score, from 0: between the quantiles of some of the units.

    Parameters
    ----------
    score, weight : ndarray of shape (n,)
    among : ndarray of bool, shape (n,)
        Whose quantiles divide the line; a score beyond theirs falls in the first or last subclass.
    count : int

    References
    ----------
    Rosenbaum & Rubin (1984), doi:10.2307/2288398.
    """
    shares = np.arange(1, count) / count
    inner = weighted_quantiles(score[among], weight[among], shares)
    return np.asarray(np.searchsorted(inner, score, side="right"), dtype=np.int64)


def filled(number: Ints, treated: Bools, score: Floats, *, count: int, least: int) -> Ints:
    """Subclasses of which none is short of an arm: the nearest units of others move in.

    A subclass short of an arm takes from its neighbour, below or above, the unit nearest to it, one
    at a time along the line, from the side on which the nearest subclass with units to spare lies.
    Order along the score is kept within each arm.

    Parameters
    ----------
    number : ndarray of int, shape (n,)
        From 0 to ``count`` − 1.
    treated : ndarray of bool, shape (n,)
    score : ndarray of shape (n,)
    count : int
    least : int
        Units of each arm in each subclass.

    Returns
    -------
    ndarray of int, shape (n,)
        Unchanged for an arm that has fewer than ``count * least`` units.
    """
    found = number.copy()
    for arm in (True, False):
        rows = np.flatnonzero(treated == arm)
        sizes = np.bincount(number[rows], minlength=count)
        if rows.size < count * least or (sizes >= least).all():
            continue
        rows = rows[np.lexsort((score[rows], number[rows]))]
        found[rows] = np.repeat(np.arange(count), _shifted(sizes, least))
    return found


def _shifted(sizes: Ints, least: int) -> Ints:
    """Sizes once each lack is met by a chain of moves from the nearest subclass with some to spare."""
    sizes = sizes.copy()
    while (short := np.flatnonzero(sizes < least)).size:
        spare = np.flatnonzero(sizes > least)
        giver = spare[np.argmin(np.abs(spare - short[0]))]
        sizes[giver] -= 1
        sizes[short[0]] += 1
    return sizes


def rows_numbered(columns: Sequence[NDArray[np.generic]]) -> Ints:
    """Number of each row among the different rows, from 0, in the order of their values.

    One sort a column, of codes: rows are never compared whole.

    Parameters
    ----------
    columns : sequence of ndarray of shape (n,)
    """
    number = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        values, code = np.unique(column, return_inverse=True)
        number = np.unique(number * values.size + code, return_inverse=True)[1].astype(np.int64)
    return number
