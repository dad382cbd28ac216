"""Outcomes of a design as changes since a base before entry, cohort by cohort."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.ledger import Ledger
from whatworks.vocabulary import ENTRY_MONTH, TREATED, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROUNDING = 1e-12
"""Change, relative to the largest outcome, that counts as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Units that started together, with their comparisons; or all, on the clock of entry.

    Parameters
    ----------
    name : int
        Period of the start; −1 for all.
    inside : ndarray of bool, shape (n,)
    """

    name: int
    inside: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """A design whose outcomes are changes.

    Parameters
    ----------
    design : Design
        Outcomes are NaN in a cohort's base, and for units not observed in the whole of it.
    cohorts : tuple of Cohort
        One, of name −1, unless the design stacks the cohorts of a rollout.
    ledger : Ledger
    """

    design: Design
    cohorts: tuple[Cohort, ...]
    ledger: Ledger

    @property
    def stacked(self) -> bool:
        """Whether cohorts are told apart."""
        return self.cohorts[0].name >= 0

    @classmethod
    def of(cls, design: Design, *, base_months: int, method: str) -> Changes:
        """Changes since the mean of the last ``base_months`` months observed before entry.

        Raises
        ------
        DesignRefused
            When a cohort has fewer months before entry, or nobody is observed in all of them.
        """
        cohorts = _cohorts(design)
        months = np.array(design.outcomes.months)
        values = design.outcomes.values
        changes = np.full(values.shape, np.nan)
        for cohort in cohorts:
            mine = values[cohort.inside]
            seen = ~np.isnan(mine)
            before = np.flatnonzero(seen.any(axis=0) & (months < 0))
            if before.size < base_months:
                raise DesignRefused(
                    what=method,
                    needed=f"{base_months} months observed before entry",
                    found=f"a cohort with {before.size}",
                    remedy="shorten the base, lengthen the window before entry, or drop that cohort",
                )
            base = before[-base_months:]
            change = mine - mine[:, base].mean(axis=1, keepdims=True)
            size = np.abs(mine[seen]).max(initial=0.0)
            change[np.abs(change) < ROUNDING * size] = 0.0
            change[:, base] = np.nan
            changes[cohort.inside] = change
        known = ~np.isnan(changes).all(axis=1)
        return cls(
            design=replace(design, outcomes=replace(design.outcomes, values=changes)),
            cohorts=cohorts,
            ledger=_ledger(design, known),
        )


def _cohorts(design: Design) -> tuple[Cohort, ...]:
    if Supply.COHORTS not in design.supplies:
        return (Cohort(name=-1, inside=np.ones(len(design.units), dtype=bool)),)
    start = design.units[ENTRY_MONTH].to_numpy()
    return tuple(Cohort(name=int(g), inside=start == g) for g in np.unique(start))


def _ledger(design: Design, known: Bools) -> Ledger:
    """Units without any change known are left out and counted."""
    if known.all():
        return design.ledger
    ledger = design.ledger
    treated = design.units[TREATED].to_numpy()
    for name, arm in (("changed_treated", treated), ("changed_comparison", ~treated)):
        lost = {"missing_outcome": int((arm & ~known).sum())}
        ledger = ledger.add("estimate", name, unit="units", before=int(arm.sum()), dropped=lost)
    return ledger
