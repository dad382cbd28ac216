"""A rollout with who is near the treated: which observations are clean, and what each other one tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whatworks.design.rollout.rings import CLEAN, Nearness
from whatworks.estimate.rollouts import Rollout
from whatworks.stats.did.rings import NONE, Labels, Touched, impute_cells
from whatworks.stats.did.two_way import Units
from whatworks.vocabulary import NEVER

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rings = NDArray[np.int8]

ALONE = "alone"
"""Group of the treated that no other treated place is near."""
_SOME = 2**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """Observations of a rollout by what reaches them.

    Parameters
    ----------
    rollout : Rollout
    place : ndarray of int, shape (n,)
        Number of each unit's place, as in ``nearness``.
    bounds : tuple of float
        See `Nearness.rings`.
    nearness : Nearness
    until : ndarray of int, shape (n,)
        First period in which a unit is treated or exposed; `NEVER` for none.
    exposed_from : ndarray of int, shape (n,)
        First period in which it would be exposed, treated or not.
    untreated, treated : ndarray of int, shape (n_places, n_starts)
        Ring of each place after each start, for those of its units that are not treated, and are.
    """

    rollout: Rollout
    place: Ints
    bounds: tuple[float, ...]
    nearness: Nearness
    until: Ints
    exposed_from: Ints
    untreated: Rings
    treated: Rings

    @classmethod
    def of(
        cls, rollout: Rollout, place: Ints, nearness: Nearness, bounds: tuple[float, ...]
    ) -> Exposed:
        """Exposure of the units of a rollout by rings of some bounds; none: nobody is exposed."""
        untreated, treated = _rings(nearness, bounds)
        reached = untreated != CLEAN
        first = np.where(
            reached.any(axis=1), nearness.starts[reached.argmax(axis=1)], np.int64(NEVER)
        )
        return cls(
            rollout=rollout,
            place=place,
            bounds=bounds,
            nearness=nearness,
            until=np.minimum(first[place], rollout.start),
            exposed_from=first[place],
            untreated=untreated,
            treated=treated,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Ring by ring from the nearest on, as text: ``"0-10"``, or ``"0.5+"`` and ``"0.25-0.5"``."""
        told = [format(bound, ".6g") for bound in self.bounds]
        if not self.nearness.by_share:
            return tuple(f"{low}-{high}" for low, high in zip(["0", *told], told, strict=False))
        return tuple(
            f"{low}-{high}" if high else f"{low}+"
            for low, high in zip(told, [*told[1:], ""], strict=False)
        )[::-1]

    @property
    def clean(self) -> Bools:
        """Units that are observed at least once neither treated nor exposed, shape (n,)."""
        seen = np.zeros(self.until.size, dtype=bool)
        for rows in _some(seen.size):
            before = self.rollout.periods < self.until[rows, None]
            seen[rows] = (before & ~np.isnan(self.rollout.values[rows])).any(axis=1)
        return seen

    def kept(self, rows: Bools) -> Exposed:
        """Some of its units."""
        names, number = np.unique(self.rollout.cluster[rows], return_inverse=True)
        rollout = replace(
            self.rollout,
            values=self.rollout.values[rows],
            start=self.rollout.start[rows],
            covariates=self.rollout.covariates[rows],
            weight=self.rollout.weight[rows],
            cluster=number.astype(np.int64),
            n_clusters=names.size,
        )
        return replace(
            self,
            rollout=rollout,
            place=self.place[rows],
            until=self.until[rows],
            exposed_from=self.exposed_from[rows],
        )

    def rings(self, rows: slice) -> tuple[Rings, Bools]:
        """Ring of some units in each period, `CLEAN` for none, and whether they are treated then."""
        periods = self.rollout.periods
        after = np.searchsorted(self.nearness.starts, periods, side="right") - 1
        started = after >= 0
        under = periods >= self.rollout.start[rows, None]
        at, column = self.place[rows, None], np.maximum(after, 0)[None, :]
        ring = np.where(under, self.treated[at, column], self.untreated[at, column])
        return np.where(started, ring, CLEAN).astype(np.int8), under

    def states(self) -> Rings:
        """0 for the treated, 1 … K in each ring, `NONE` for clean observations; shape (n, n_periods)."""
        found = np.full(self.rollout.values.shape, NONE, dtype=np.int8)
        for rows in _some(self.until.size):
            ring, under = self.rings(rows)
            found[rows] = np.where(under, 0, np.where(ring == CLEAN, NONE, ring + 1))
        return found

    def units(self, *, by_start: bool = False) -> Units:
        """Units whose clean periods, or those before their own start, fit the effects.

        Those first treated and those first exposed are cohorts apart, so that leads are too.
        """
        firsts, _, cohort = self._cohorts(by_start=by_start)
        covariates = self.rollout.covariates
        spread = covariates.std(axis=0)
        centred = (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return Units(
            values=self.rollout.values,
            weight=self.rollout.weight,
            known=np.column_stack([np.ones(cohort.size), centred]),
            cohort=cohort,
            used=self.rollout.periods < firsts[:, None],
        )

    def firsts(self) -> tuple[Ints, Bools]:
        """First touch of each cohort of `units`, and whether it is treatment."""
        firsts, own, _ = self._cohorts(by_start=False)
        return firsts, own

    def _cohorts(self, *, by_start: bool) -> tuple[Ints, Bools, Ints]:
        """Start of each cohort, whether it is of treatment, and the cohort of each unit."""
        start, last = self.rollout.start, self.rollout.periods[-1]
        until = start if by_start else self.until
        later = np.unique(until[(until > last) & (until < NEVER)])
        among = np.concatenate([self.nearness.starts, later, [NEVER]])
        own = (start <= self.until) & (until < NEVER)
        # Few starts: each unit is placed among them, and a million are not sorted.
        code = 2 * np.searchsorted(among, until) + own
        held = np.flatnonzero(np.bincount(code, minlength=2 * among.size))
        number = np.zeros(2 * among.size, dtype=np.int64)
        number[held] = np.arange(held.size)
        return among[held // 2].astype(np.int64), held % 2 == 1, number[code]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """What each observation that is not clean tells.

    Parameters
    ----------
    label : ndarray of int, shape (n, n_periods)
        Number of its cell; `NONE` for clean ones and those that cannot be imputed.
    treated : ndarray of bool, shape (n_cells,)
    ring : ndarray of int, shape (n_cells,)
        `CLEAN` for the treated that nothing else reaches.
    month : ndarray of int, shape (n_cells,)
        Periods since treatment, or since exposure.
    n_clean : ndarray of int, shape (n_cells,)
        Clean units of the period, among those of the cell, that has the most.
    not_imputed : ndarray of int, shape (m,)
        Periods in which nobody clean is observed.
    """

    label: Labels
    treated: Bools
    ring: Ints
    month: Ints
    n_clean: Ints
    not_imputed: Ints

    @classmethod
    def of(cls, exposed: Exposed) -> Cells:
        """Read every observation once."""
        rollout = exposed.rollout
        n, n_periods = rollout.values.shape
        n_rings = len(exposed.bounds)
        clean = np.zeros(n_periods, dtype=np.int64)
        touched = np.zeros(n_periods, dtype=bool)
        for rows in _some(n):
            seen = ~np.isnan(rollout.values[rows])
            before = rollout.periods < exposed.until[rows, None]
            clean += (seen & before).sum(axis=0)
            touched |= (seen & ~before).any(axis=0)
        since = np.unique(rollout.periods[None, :] - exposed.nearness.starts[:, None])
        since = since[since >= 0]
        held = since.size * (2 * n_rings + 1)
        label = np.full((n, n_periods), NONE, dtype=np.int32)
        where = np.zeros((held, n_periods), dtype=bool)
        for rows in _some(n):
            ring, under = exposed.rings(rows)
            told = (under | (ring != CLEAN)) & ~np.isnan(rollout.values[rows]) & (clean > 0)
            row, period = np.nonzero(told)
            from_ = np.where(
                under[row, period], rollout.start[rows][row], exposed.exposed_from[rows][row]
            )
            month = np.searchsorted(since, rollout.periods[period] - from_)
            kind = ring[row, period] + np.where(under[row, period], 1, n_rings + 1)
            cell = kind * since.size + month
            label[rows][row, period] = cell
            where[cell, period] = True
        kept = np.flatnonzero(where.any(axis=1))
        number = np.full(held + 1, NONE, dtype=np.int32)
        number[kept] = np.arange(kept.size)
        kind, month = np.divmod(kept, since.size)
        return cls(
            label=number[label],
            treated=kind <= n_rings,
            ring=np.where(kind <= n_rings, kind - 1, kind - n_rings - 1),
            month=since[month],
            n_clean=np.where(where[kept], clean, 0).max(axis=1, initial=0),
            not_imputed=rollout.periods[touched & (clean == 0)],
        )

    def units_of(self, members: Bools) -> Ints:
        """Number of units that tell each term, shape (n_terms,); members as `impute_cells` takes them."""
        padded = np.vstack([members, np.zeros((1, members.shape[1]), dtype=bool)])
        count = np.zeros(members.shape[1], dtype=np.int64)
        for rows in _some(self.label.shape[0]):
            held = padded[self.label[rows]]
            count += held.any(axis=1).sum(axis=0)
        return count


def ordinary(exposed: Exposed, cells: Cells, members: Bools) -> Touched:
    """The same treated observations, the exposed taken for a comparison.

    Parameters
    ----------
    exposed : Exposed
    cells : Cells
    members : ndarray of bool, shape (n_cells, n_terms)
        Terms over cells of the treated.
    """
    label = np.where(np.append(cells.treated, False)[cells.label], cells.label, NONE)
    return impute_cells(exposed.units(by_start=True), label.astype(np.int32), members)


def _rings(nearness: Nearness, bounds: tuple[float, ...]) -> tuple[Rings, Rings]:
    if bounds:
        return nearness.rings(bounds)
    none = np.full(nearness.untreated.shape, CLEAN, dtype=np.int8)
    return none, none


def _some(n: int) -> Iterator[slice]:
    """Units a few at a time."""
    return (slice(first, first + _SOME) for first in range(0, n, _SOME))
