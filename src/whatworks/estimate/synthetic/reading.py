"""Territories of a rollout as columns, and the donors of each cohort."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.rollouts import Rollout
from whatworks.ledger import Ledger
from whatworks.stats.synthetic.control import residualised
from whatworks.vocabulary import CONTROLS, ENTRY_MONTH, MARKET, Control, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_BEFORE: Final = 2
"""Periods before the start under which a past cannot be told from chance."""


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
    cohorts : ndarray of int, shape (n_cohorts,)
    shares : ndarray of shape (n_cohorts,)
        Of cohorts among all territories.
    share_influence : ndarray of shape (n, n_cohorts)
    order : ndarray of int, shape (n,)
        Rows in order of what was observed of them: chance draws along it, not along rows.
    """

    values: Floats
    floor: float
    periods: Ints
    start: Ints
    weight: Floats
    covariates: Floats
    names: NDArray[np.object_]
    cohorts: Ints
    shares: Floats
    share_influence: Floats
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
                remedy="bring larger territories or fewer periods, or leave those territories out",
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
        shares, influence = rollout.shares()
        floor = float(rollout.values.min())
        within = design.units[ENTRY_MONTH].to_numpy() > rollout.periods[0]
        labels = design.units[MARKET].to_numpy(dtype=object)[within]
        named = Supply.MARKETS in design.supplies and np.unique(labels).size == labels.size
        observed = np.column_stack([rollout.start, rollout.values])
        return cls(
            values=rollout.values - floor,
            floor=floor,
            periods=rollout.periods,
            start=rollout.start,
            weight=rollout.weight,
            covariates=rollout.covariates,
            names=labels if named else np.arange(labels.size).astype(object),
            cohorts=rollout.cohorts,
            shares=shares,
            share_influence=influence,
            order=np.lexsort(observed.T[::-1]).astype(np.int64),
            ledger=rollout.ledger,
        )

    def adjusted(self, *, method: str) -> Territories:
        """The same, outcomes less what covariates foretell of them among the never treated.

        Raises
        ------
        DesignRefused
            When there are no more never-treated territories than coefficients.
        """
        donors = self.untreated
        k = self.covariates.shape[1]
        if donors.size <= k + 1:
            raise DesignRefused(
                what=f"{method}(adjust=True)",
                needed=f"more than {k + 1} territories never treated, for {k} covariates",
                found=f"{donors.size}",
                remedy="name fewer covariates, or leave adjust out",
            )
        values = residualised(self.values, self.covariates, among=donors, mass=self.weight)
        return replace(self, values=values)

    @property
    def untreated(self) -> Ints:
        """Rows not treated within the periods observed, in order of what was observed of them."""
        return np.asarray(self.order[self.start[self.order] > self.periods[-1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """One cohort of territories, and those it may be compared with.

    Parameters
    ----------
    start : int
    place : int
        Among the cohorts.
    treated, donors : ndarray of int
        Rows.
    n_before : int
        Periods before the start: they come first.
    read : ndarray of int
        Columns in which effects are read, from the start on.
    """

    start: int
    place: int
    treated: Ints
    donors: Ints
    n_before: int
    read: Ints


def cohorts_of(
    land: Territories,
    *,
    control: Control = "never_treated",
    after: int | None = None,
    method: str,
) -> list[Cohort]:
    """Cohorts with their donors.

    Parameters
    ----------
    land : Territories
    control : str
        ``"never_treated"``, or ``"not_yet_treated"``: territories whose start comes more than
        ``after`` periods after the cohort's, so that none is treated while it is read.
    after : int, optional
        Last period since the start in which effects are read.
    method : str

    Raises
    ------
    OptionError
        When ``not_yet_treated`` comes without ``after``.
    DesignRefused
        When a cohort has no donor, or nothing is read after its start.
    """
    choice(control, CONTROLS, what="control")
    if control == "not_yet_treated" and after is None:
        raise OptionError(
            what=f"{method}(control='not_yet_treated')",
            needed="the number of periods after the start, as after=",
            found="none",
            remedy="say after=, so that no donor is treated while effects are read",
        )
    ranked = land.start[land.order]
    made = []
    for place, g in enumerate(land.cohorts):
        until = land.periods[-1] if control == "never_treated" else g + (after or 0)
        donors = land.order[(ranked > until) & (ranked != g)]
        inside = (land.periods >= g) & (
            land.periods <= g + (after or 0) if after is not None else True
        )
        cohort = Cohort(
            start=int(g),
            place=place,
            treated=land.order[ranked == g],
            donors=donors,
            n_before=int((land.periods < g).sum()),
            read=np.flatnonzero(inside & (land.periods >= g)),
        )
        if not donors.size or not cohort.read.size:
            raise DesignRefused(
                what=method,
                needed=f"territories {control.replace('_', ' ')} and a period read, for each cohort",
                found=f"{donors.size} donors and {cohort.read.size} periods for the one of {g}",
                remedy="shorten after, or choose another control",
            )
        made.append(cohort)
    return made
