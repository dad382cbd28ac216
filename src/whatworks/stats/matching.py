r"""Who is compared with whom, as two vectors of weights and one average.

Each unit :math:`i` for which comparisons were sought has a weight :math:`w_i` (their sum is one) and
matches :math:`j\in M_i` of the other arm with parts :math:`s_{ij}` (their sum is one). A match lends
:math:`v_j=\sum_i w_is_{ij}`, and what variances need besides is :math:`\sum_i w_i^2s_{ij}^2`. Pairs and
whole sets differ only in how the average over :math:`M_i` is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Links(Protocol):
    """What pairs and sets both answer."""

    def scaled(self, factor: Floats) -> Links:
        """The same links, each match counted ``factor`` times its part, parts summing to one again."""
        ...

    def reached(self) -> Bools:
        """Units that have at least one match, shape (n,)."""
        ...

    def means(self, values: Floats) -> Floats:
        """Average over each unit's matches of ``values`` (n, m); zero for a unit without any."""
        ...

    def lent(self, weight: Floats, *, power: int = 1) -> Floats:
        r"""What each match lends, :math:`\sum_i\mathrm{weight}_is_{ij}^{\mathrm{power}}`, (n,)."""
        ...

    def returned(self, values: Floats) -> Floats:
        r"""Sums over those a unit is matched to, :math:`\sum_is_{ij}\mathrm{values}_i`, (n, m)."""
        ...

    def concentration(self) -> Floats:
        r"""How few matches each unit has, :math:`\sum_js_{ij}^2`, shape (n,)."""
        ...


@dataclass(frozen=True, slots=True)
class MatchedPairs:
    """Matches listed pair by pair.

    Parameters
    ----------
    parts : sparse array of shape (n, n)
        :math:`s_{ij}` in row i and column j.
    """

    parts: csr_array[np.float64]

    @classmethod
    def of(cls, unit: Ints, match: Ints, part: Floats, *, n: int) -> MatchedPairs:
        """Pairs from three columns, over ``n`` units."""
        order = np.arange(unit.size)
        if (np.diff(unit) < 0).any():
            order = np.argsort(unit, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(unit, minlength=n))])
        return cls(csr_array((part[order], match[order], starts), shape=(n, n)))

    def scaled(self, factor: Floats) -> MatchedPairs:
        """The same pairs, each match counted ``factor`` times its part."""
        data = self.parts.data * factor[self.parts.indices]
        counts = np.diff(self.parts.indptr)
        row = np.repeat(np.arange(counts.size), counts)
        total = np.bincount(row, weights=data, minlength=counts.size)
        kept = data > 0
        starts = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=counts.size))])
        share = data[kept] / total[row[kept]]
        return MatchedPairs(
            csr_array((share, self.parts.indices[kept], starts), shape=self.parts.shape)
        )

    def reached(self) -> Bools:
        """Units that have a match."""
        return np.asarray(np.diff(self.parts.indptr) > 0)

    def means(self, values: Floats) -> Floats:
        """Average over each unit's matches."""
        return np.asarray(self.parts @ values)

    def lent(self, weight: Floats, *, power: int = 1) -> Floats:
        """What each match lends."""
        parts = self.parts.data if power == 1 else self.parts.data**power
        given = np.repeat(weight, np.diff(self.parts.indptr)) * parts
        return _sums(self.parts.indices, given, weight.size)

    def returned(self, values: Floats) -> Floats:
        """Sums over those a unit is matched to."""
        return np.asarray(self.parts.T @ values)

    def concentration(self) -> Floats:
        """How few matches each unit has."""
        rows = np.repeat(np.arange(self.parts.shape[0]), np.diff(self.parts.indptr))
        return _sums(rows, self.parts.data**2, self.parts.shape[0])


@dataclass(frozen=True, slots=True)
class MatchedSets:
    """Matches as sets: whoever is of the other arm in one's own set.

    Parameters
    ----------
    number : ndarray of int, shape (n,)
        Set of each unit, from 0; −1 for none.
    share : ndarray of shape (n,)
        Of each unit in its arm of its set; sums to one there.
    is_treated : ndarray of bool, shape (n,)
    """

    number: Ints
    share: Floats
    is_treated: Bools

    @classmethod
    def of(cls, number: Ints, weight: Floats, is_treated: Bools) -> MatchedSets:
        """Sets whose members count by ``weight`` within their arm."""
        given = np.where(number >= 0, weight, 0.0)
        blank = cls(number, given, is_treated)
        total = blank._by_arm(given)[blank._mine()]
        return cls(
            number, np.divide(given, total, out=np.zeros(given.size), where=total > 0), is_treated
        )

    def scaled(self, factor: Floats) -> MatchedSets:
        """The same sets, each member counted ``factor`` times its share."""
        return MatchedSets.of(self.number, self.share * factor, self.is_treated)

    def reached(self) -> Bools:
        """Units whose set has members of the other arm."""
        return np.asarray((self._by_arm(self.share)[self._other()] > 0) & (self.number >= 0))

    def means(self, values: Floats) -> Floats:
        """Average over the other arm of each unit's set."""
        other = self._other()
        found = np.empty_like(values)
        for k in range(values.shape[1]):
            found[:, k] = self._by_arm(self.share * values[:, k])[other]
        found[self.number < 0] = 0.0
        return found

    def lent(self, weight: Floats, *, power: int = 1) -> Floats:
        """What each member lends to the other arm of its set."""
        total = self._by_arm(np.where(self.number >= 0, weight, 0.0))
        return np.asarray(self.share**power * total[self._other()])

    def returned(self, values: Floats) -> Floats:
        """Sums over the other arm of each member's set."""
        return np.column_stack([self.lent(column) for column in values.T])

    def concentration(self) -> Floats:
        """How few members the other arm of each unit's set has."""
        return np.asarray(self._by_arm(self.share**2)[self._other()])

    def _mine(self) -> Ints:
        return np.asarray(2 * np.maximum(self.number, 0) + self.is_treated)

    def _other(self) -> Ints:
        return np.asarray(2 * np.maximum(self.number, 0) + ~self.is_treated)

    def _by_arm(self, values: Floats) -> Floats:
        """Sums by set and arm; the entry of an absent arm is zero."""
        n_sets = int(self.number.max(initial=0)) + 1
        return _sums(self._mine(), values, 2 * n_sets)


def _sums(number: NDArray[np.integer], values: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(number, weights=values, minlength=size), dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    r"""Who is compared with whom in one month.

    Parameters
    ----------
    is_treated : ndarray of bool, shape (n,)
    own : ndarray of shape (n,)
        :math:`w_i`, summing to one over the units sought for; zero elsewhere.
    lent : ndarray of shape (n,)
        :math:`v_j`.
    squares : ndarray of shape (n,)
        :math:`\sum_i w_i^2s_{ij}^2`.
    links : Links
    before : Matching or None
        What it was before some were censored and others stood for them.
    """

    is_treated: Bools
    own: Floats
    lent: Floats
    squares: Floats
    links: Links
    before: Matching | None = None

    @property
    def sign(self) -> Floats:
        """+1 for a treated unit, −1 for another, shape (n,)."""
        return np.where(self.is_treated, 1.0, -1.0)

    @property
    def used(self) -> Bools:
        """Units that count in the effect, shape (n,)."""
        return np.asarray((self.own > 0) | (self.lent > 0))


def matching(
    links: Links,
    *,
    weight: Floats,
    is_treated: Bools,
    factor: Floats | None = None,
    standing: Floats | None = None,
) -> Matching:
    """Weights of one month.

    Parameters
    ----------
    links : Links
    weight : ndarray of shape (n,)
        Of the units sought for, on any scale; zero for the others.
    is_treated : ndarray of bool, shape (n,)
    factor : ndarray of shape (n,), optional
        What each unit counts among the matches of a unit: 0 when its outcome is not known, which
        leaves its part to the other matches. Those without a match left are left out.
    standing : ndarray of shape (n,), optional
        How many units each stands for, itself included: 0 when it was censored, which leaves its part
        to everyone of its arm who was not. Nobody is left out for it; without anybody left in an arm
        that counts, every weight is zero.

    Returns
    -------
    Matching
    """
    if factor is not None:
        links = links.scaled(factor)
        weight = weight * factor
    own = np.where(links.reached(), weight, 0.0)
    total = own.sum()
    own = own / total if total > 0 else own
    lent, squares = links.lent(own), links.lent(own**2, power=2)
    found = Matching(is_treated=is_treated, own=own, lent=lent, squares=squares, links=links)
    if standing is None:
        return found
    as_own, as_match = (_standing_ratio(given, standing, is_treated) for given in (own, lent))
    if not (as_own.any() and as_match.any()):
        as_own = as_match = np.zeros_like(own)
    return replace(
        found,
        own=own * as_own,
        lent=lent * as_match,
        squares=squares * as_match**2,
        before=found,
    )


def _standing_ratio(given: Floats, standing: Floats, is_treated: Bools) -> Floats:
    """What multiplies each unit's weight, so that the weights of an arm keep their sum."""
    ratio = standing.astype(float)
    for arm in (is_treated, ~is_treated):
        total, left = given @ arm, (given * standing) @ arm
        if total > 0 and left <= 0:
            return np.zeros_like(ratio)
        if total > 0:
            ratio[arm] *= total / left
    return ratio
