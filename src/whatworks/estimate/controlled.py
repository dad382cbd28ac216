"""A rollout as methods that compare with units not treated within it need it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.rollouts import Rollout


def with_a_control(rollout: Rollout, *, anticipation: int, method: str) -> Rollout:
    """The rollout up to the last period in which somebody is not treated yet.

    Where units are never treated, no period is left out. Else the last cohort is the control, and the
    periods from its start on (less those of anticipation) are left out and counted. Units that start
    so soon after the last period that they may react within it count up to there.

    Raises
    ------
    DesignRefused
        When no cohort starts before the control does.
    """
    periods, start = rollout.periods, rollout.start
    keep = np.ones(periods.size, dtype=bool)
    if not (start > periods[-1] + anticipation).any():
        keep = periods < int(start.max()) - anticipation
    if not (start <= periods[keep].max(initial=periods[0])).any():
        raise DesignRefused(
            what=method,
            needed="units not treated yet in a period in which others are",
            found=f"{rollout.cohorts.size} cohorts, none before the last that can be compared",
            remedy="bring units never treated, or treated later",
        )
    values, told = rollout.values[:, keep], periods[keep]
    reacting = (start > told[-1]) & (start <= told[-1] + anticipation)
    if reacting.any():
        late = reacting[:, None] & (told >= start[:, None] - anticipation)
        values = np.where(late, np.nan, values)
    ledger = rollout.ledger.add(
        "estimate",
        "compared_periods",
        unit="periods",
        before=periods.size,
        dropped={"nobody_untreated": int((~keep).sum())},
    )
    return replace(rollout, values=values, periods=told, ledger=ledger)


def not_negative(value: int, *, what: str) -> None:
    """Refuse an option below zero.

    Raises
    ------
    OptionError
    """
    if value < 0:
        raise OptionError(
            what=what, needed="a whole number from 0 on", found=str(value), remedy="correct it"
        )
