"""Units followed over all periods, sorted by their start without being copied, and read in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.group_time import Contrast

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCK: Final = 8_192
"""Units read at once: their outcomes, covariates and influences stay in the processor's memory."""
_TABLE: Final = 2**20
"""Range of starts told apart by a table rather than by sorting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByStart:
    """Units by their first treated period.

    Parameters
    ----------
    starts : ndarray of int, shape (n_starts,)
        Distinct ones, increasing.
    place : ndarray of int, shape (n,)
        Position of each unit's start among them.
    order : ndarray of int, shape (n,)
        Rows, start after start.
    bounds : ndarray of int, shape (n_starts + 1,)
        Where each start begins in that order.
    """

    starts: Ints
    place: NDArray[np.int16]
    order: Ints
    bounds: Ints

    @classmethod
    def of(cls, start: Ints, *, last: int) -> ByStart:
        """Sort units by start; those after ``last`` stand together, at the least of them."""
        low = int(start.min())
        after = start > last
        if last - low < _TABLE:
            told = np.minimum(start - low, last - low + 1)
            there = np.bincount(told, minlength=last - low + 2) > 0
            rank = np.cumsum(there) - 1
            starts = np.flatnonzero(there) + low
            place = rank.astype(np.int16)[told]
        else:
            starts, found = np.unique(np.where(after, last + 1, start), return_inverse=True)
            place = found.astype(np.int16)
        order = np.argsort(place, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=starts.size))])
        return cls(starts=starts, place=place, order=order, bounds=bounds)

    @property
    def sizes(self) -> Ints:
        """Units of each start."""
        return np.diff(self.bounds)

    def blocks(self, place: int, *, every: int = 1) -> Iterator[Ints]:
        """Rows of one start, some at a time; one in ``every``."""
        mine = self.order[self.bounds[place] : self.bounds[place + 1] : every]
        for begin in range(0, mine.size, BLOCK):
            yield mine[begin : begin + BLOCK]

    def compared(self, contrast: Contrast) -> Bools:
        """Starts whose units are the comparison of a contrast."""
        return contrast.compared(self.starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Columns of units, read by row.

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
        Complete. May be a view of what the caller holds: it is never written to nor copied whole.
    covariates : ndarray of shape (n, k)
    weight : ndarray of shape (n,)
    by_start : ByStart
    centre, scale : ndarray of shape (k,)
        Covariates are brought to them; nothing estimated depends on it, but rounding does.
    even : bool
        Whether all weights are one.
    """

    values: Floats
    covariates: Floats
    weight: Floats
    by_start: ByStart
    centre: Floats
    scale: Floats
    even: bool

    @classmethod
    def of(
        cls, values: Floats, *, covariates: Floats, weight: Floats, by_start: ByStart
    ) -> Followed:
        """Look over covariates and weights once."""
        spread = covariates.std(axis=0) if covariates.shape[1] else np.empty(0)
        return cls(
            values=values,
            covariates=covariates,
            weight=weight,
            by_start=by_start,
            centre=covariates.mean(axis=0) if covariates.shape[1] else np.empty(0),
            scale=np.where(spread > 0, spread, 1.0),
            even=bool((weight == 1.0).all()),
        )

    @property
    def width(self) -> int:
        """Columns of `regressors`."""
        return int(self.covariates.shape[1]) + 1

    def regressors(self, rows: Ints, *, out: Floats | None = None) -> Floats:
        """One, then covariates, shape (n_rows, width)."""
        x = np.empty((rows.size, self.width)) if out is None else out
        x[:, 0] = 1.0
        if self.width > 1:
            x[:, 1:] = (self.covariates[rows] - self.centre) / self.scale
        return x

    def read(self, rows: Ints) -> Floats:
        """Regressors, then outcomes less each unit's first one, shape (n_rows, width + n_periods).

        A unit's own level is in no difference between periods: taken off, it leaves no rounding.
        """
        z = np.empty((rows.size, self.width + self.values.shape[1]))
        self.regressors(rows, out=z[:, : self.width])
        y = z[:, self.width :]
        np.take(self.values, rows, axis=0, out=y)
        y -= y[:, :1].copy()
        return z
