"""What methods on territories share: columns, fits territory by territory, effects and their inference.

A method says how donors are weighted (`Fitter`); the rest is here: which donors a cohort has, effects by
cohort and period, jackknife, placebos, and the tables a reader is owed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.estimate.rollouts import Cells, Rollout
from whatworks.ledger import Ledger
from whatworks.stats.synthetic.jackknife import PooledInfluence, changes_without_each, jackknifed
from whatworks.stats.uncertainty import Uncertainty
from whatworks.vocabulary import MARKET, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Controls = Literal["never_treated", "not_yet_treated"]

CONTROLS: Final = ("never_treated", "not_yet_treated")
LEAST_BEFORE: Final = 2
"""Periods before the start under which no past can be told from chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Territories:
    """Territories of a rollout as columns.

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
        Outcomes less ``floor``, the lowest of all, so that what does not vary is exactly zero.
    floor : float
    periods, start, weight, covariates, ledger
        As `Rollout` holds them.
    names : ndarray of object, shape (n,)
        Labels of territories; the number of the unit where the design names none.
    shares, share_influence : ndarray
        Of cohorts among all territories, and each territory's influence on them.
    cohorts : ndarray of int
    order : ndarray of int, shape (n,)
        Rank of each territory by what was observed of it: chance draws along it, not along rows.
    """

    values: Floats
    floor: float
    periods: Ints
    start: Ints
    weight: Floats
    covariates: Floats
    names: NDArray[np.object_]
    shares: Floats
    share_influence: Floats
    cohorts: Ints
    order: Ints
    ledger: Ledger

    @classmethod
    def of(cls, design: Design, *, method: str) -> Territories:
        """Columns of a design.

        Raises
        ------
        DesignRefused
            When a territory lacks a period, or a cohort has fewer than two periods before its start.
        """
        holed = int(np.isnan(design.outcomes.values).any(axis=1).sum())
        if holed:
            raise DesignRefused(
                what=method,
                needed="every territory observed in every period",
                found=f"{holed} of {len(design.units)} with gaps",
                remedy="bring larger territories, fewer periods, or leave those territories out",
            )
        rollout = Rollout.of(design, cluster="person")
        short = [g for g in rollout.cohorts if (rollout.periods < g).sum() < LEAST_BEFORE]
        if short:
            raise DesignRefused(
                what=method,
                needed=f"at least {LEAST_BEFORE} periods before the start of each cohort",
                found=f"{len(short)} cohorts with fewer, the first starting in {short[0]}",
                remedy="bring earlier periods, or leave those cohorts out",
            )
        named = Supply.MARKETS in design.supplies
        shares, influence = rollout.shares()
        floor = float(rollout.values.min())
        order = np.lexsort(np.column_stack([rollout.values, rollout.start]).T[::-1])
        return cls(
            values=rollout.values - floor,
            floor=floor,
            periods=rollout.periods,
            start=rollout.start,
            weight=rollout.weight,
            covariates=rollout.covariates,
            names=design.units[MARKET].to_numpy(dtype=object)
            if named
            else np.arange(rollout.start.size).astype(object),
            shares=shares,
            share_influence=influence,
            cohorts=rollout.cohorts,
            order=order.astype(np.int64),
            ledger=rollout.ledger,
        )

    def adjusted(self) -> Territories:
        r"""The same, outcomes less what covariates foretell of them among the never treated.

        .. math:: \\tilde y_{it} = y_{it} - x_i'\\hat\\beta_t

        with one regression per period, on territories that no cohort's start has reached.
        """
        raise NotImplementedError

    @property
    def untreated(self) -> Ints:
        """Rows never treated within the periods observed, in order of what was observed of them."""
        return self.order[self.start[self.order] > self.periods[-1]]

    def treated(self, cohort: int) -> Ints:
        """Rows of a cohort, in the same order."""
        return self.order[self.start[self.order] == cohort]
