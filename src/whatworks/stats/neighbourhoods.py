"""Who is near whom, on a line or in a space, as sums over neighbourhoods.

Every unit tied at the last distance is in, so that neither row order nor labels matter; units at the same
place are one place, so that neither time nor memory depends on how many are tied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.stats.search import TIE, nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Neighbourhoods:
    r"""The members nearest to each target.

    Parameters
    ----------
    target : ndarray of int, shape (n_targets,)
        Place of each target.
    member : ndarray of int, shape (n_members,)
        Place of each member.
    near : sparse array of shape (n_target_places, n_member_places)
        1 where the members of one place are in the neighbourhood of another.
    """

    target: Ints
    member: Ints
    near: csr_array[np.float64]

    def sizes(self) -> Floats:
        """Members in the neighbourhood of each place of a target."""
        counts = np.bincount(self.member, minlength=self.near.shape[1])
        return np.asarray(self.near @ counts.astype(float))

    def means(self, values: Floats) -> Floats:
        """Mean of members' ``values`` (n_members, m) around each place, (n_target_places, m)."""
        total: Floats = np.asarray(self.near @ self._sums(values))
        total /= self.sizes()[:, None]
        return total

    def covariances(self, left: Floats, right: Floats, *, weight: Floats) -> Floats:
        r"""Weighted sum over targets of the covariance within their neighbourhoods.

        .. math:: \sum_i \mathrm{weight}_i\frac{1}{m_i-1}\sum_{l\in N_i}
                  (a_l-\bar a_{N_i})(b_l-\bar b_{N_i})'

        Parameters
        ----------
        left, right : ndarray of shape (n_members, p), (n_members, q)
        weight : ndarray of shape (n_targets,)

        Returns
        -------
        ndarray of shape (p, q)
            NaN when a target of positive weight has a neighbourhood of one.
        """
        size = self.sizes()
        total = np.bincount(self.target, weights=weight, minlength=size.size)
        if (size[total != 0] < 2).any():
            return np.full((left.shape[1], right.shape[1]), np.nan)
        each = np.divide(total, size - 1, out=np.zeros(size.size), where=total != 0)
        on_member = (self.near.T @ each)[self.member]
        about_left = self.means(left)
        about_right = about_left if right is left else self.means(right)
        inside = (left * on_member[:, None]).T @ right
        return np.asarray(inside - (about_left * (each * size)[:, None]).T @ about_right)

    def _sums(self, values: Floats) -> Floats:
        n_places = self.near.shape[1]
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.member, minlength=n_places))])
        order = np.argsort(self.member, kind="stable")
        gather = csr_array((np.ones(order.size), order, starts), shape=(n_places, order.size))
        return np.asarray(gather @ values)


def near_on_line(targets: Floats, members: Floats, *, at_least: int) -> Neighbourhoods:
    """Nearest members by distance of scores: a run of sorted places around each target.

    Parameters
    ----------
    targets, members : ndarray of shape (n_targets,), (n_members,)
        The same array for neighbours within one arm: each unit is then in its own neighbourhood.
    at_least : int
        Members in a neighbourhood; more when several are equally near, fewer when there are not as
        many.
    """
    spread = float(np.ptp(members)) if members.size else 0.0
    tie = TIE * max(spread, 1e-12)
    places, member = _places(members, tie)
    goals, target = (places, member) if targets is members else _places(targets, tie)
    held = np.concatenate([[0], np.cumsum(np.bincount(member, minlength=places.size))])
    right = np.searchsorted(places, goals - tie)
    left = right - 1
    edges = np.concatenate([[-np.inf], places, [np.inf]])
    reach = np.zeros(goals.size)
    while True:
        back, ahead = goals - edges[left + 1], edges[right + 1] - goals
        nearest = np.minimum(back, ahead)
        short = held[right] - held[left + 1] < at_least
        more = np.isfinite(nearest) & (short | (nearest <= reach + tie))
        if not more.any():
            break
        reach[more] = np.maximum(reach, nearest)[more]
        go_back = more & (back <= ahead)
        left, right = left - go_back, right + (more & ~go_back)
    return Neighbourhoods(target, member, _runs(left + 1, right, places.size))


def _places(values: Floats, tie: float) -> tuple[Floats, Ints]:
    """Distinct values, increasing, and the place of each row among them."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    fresh = np.ones(values.size, dtype=bool)
    fresh[1:] = np.diff(ordered) > tie
    place = np.empty(values.size, dtype=np.int64)
    place[order] = np.cumsum(fresh) - 1
    return ordered[fresh], place


def _runs(low: Ints, high: Ints, n_places: int) -> csr_array[np.float64]:
    counts = high - low
    starts = np.concatenate([[0], np.cumsum(counts)])
    column = np.arange(starts[-1]) - np.repeat(starts[:-1] - low, counts)
    return csr_array((np.ones(column.size), column, starts), shape=(low.size, n_places))


def near_in_space(targets: Floats, members: Floats, *, at_least: int) -> Neighbourhoods:
    """Nearest members by Euclidean distance of points.

    Parameters
    ----------
    targets, members : ndarray of shape (n_targets, k), (n_members, k)
        The same array for neighbours within one arm: each unit is then in its own neighbourhood.
    at_least : int
        Members in a neighbourhood; more when several are equally near.
    """
    places, member = _points(members)
    goals, target = (places, member) if targets is members else _points(targets)
    held = np.bincount(member, minlength=len(places))
    enough_alone = held >= at_least if targets is members else np.zeros(len(goals), dtype=bool)
    rows = columns = np.flatnonzero(enough_alone)
    rest = np.flatnonzero(~enough_alone)
    if rest.size:
        found = nearest(goals[rest], places, k=at_least)
        first = np.searchsorted(found.query, np.arange(rest.size))
        total = np.cumsum(held[found.point])
        before = (total - held[found.point])[first][found.query]
        # The place that brings enough members in, or the last one there is, sets the reach.
        short = total - before < at_least
        steps = np.bincount(found.query, weights=short).astype(np.int64)
        last = first + np.minimum(steps, np.diff(first, append=total.size) - 1)
        reach = found.distance[last]
        kept = found.distance <= (reach * (1 + TIE) + 1e-12)[found.query]
        rows = np.concatenate([rows, rest[found.query[kept]]])
        columns = np.concatenate([columns, found.point[kept]])
    near = csr_array((np.ones(rows.size), (rows, columns)), shape=(len(goals), len(places)))
    return Neighbourhoods(target, member, near)


def _points(values: Floats) -> tuple[Floats, Ints]:
    """Distinct rows, and the place of each row among them."""
    places, place = np.unique(np.round(values, 12), axis=0, return_inverse=True)
    return places, place.reshape(-1).astype(np.int64)
