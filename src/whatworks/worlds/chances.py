"""How likely each thing is in a month: the tables of the simulated département.

Chances are invented, chosen for levels near those of a French département (about two thirds paid
RSA, a quarter at work, mostly under short contracts); nothing is estimated from data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from whatworks.worlds.population import Floats, Ints, Persons, selection_factor, tightness
from whatworks.worlds.programmes import Departement, Programme

FIND_BASE: Final = 0.065
FIND_WOMAN: Final = 0.92
FIND_AGE: Final = np.array([1.15, 1.0, 0.75])
FIND_EDUCATION: Final = np.array([0.7, 0.85, 1.0, 1.2, 1.45])
FIND_CHILDREN: Final = np.array([1.0, 1.0, 0.9, 0.8, 0.7])
FIND_WORKED: Final = np.array([0.7] + 3 * [1.0] + 3 * [1.3] + 6 * [1.6])
"""By months worked in the last twelve, 0 to 12."""
FIND_JUST_WORKED: Final = 2.5
FIND_SEASON: Final = np.array([0.9, 0.9, 1.0, 1.05, 1.1, 1.15, 1.05, 0.8, 1.2, 1.05, 0.95, 0.85])
"""January to December."""
HIGHEST: Final = 0.95
CDI_SHARE: Final = np.array([0.08, 0.09, 0.11, 0.14, 0.18])
"""By education."""
CDD_SHARE: Final = 0.64
"""Of contracts that are not permanent."""
LONG_SHARE: Final = 0.28
"""Of fixed terms: 183 days or more."""
SHORT_DAYS: Final = (np.array([15, 31, 61, 92, 122, 182]), np.array([0.12, 0.36, 0.58, 0.8, 0.92]))
LONG_DAYS: Final = (np.array([183, 275, 365, 548]), np.array([0.4, 0.7, 0.92]))
INTERIM_DAYS: Final = (np.array([5, 12, 26, 61]), np.array([0.3, 0.6, 0.85]))
CDI_LEAVES: Final = 0.04
SECOND_JOB: Final = 0.012

RSA_AT_START: Final = 0.75
RSA_OPENS: Final = np.array([0.18, 0.2, 0.22, 0.24, 0.28])
"""Without work this month and the month before, by number of children."""
RSA_OPENS_AT_WORK: Final = 0.012
RSA_STAYS: Final = 0.98
RSA_CLOSES_AT_WORK: Final = (0.06, 0.4)
"""At work in an ordinary month, and in the month of the quarterly declaration."""


class Stream(IntEnum):
    """What each uniform of a person and month decides."""

    ENTRY = 0
    STAY = 1
    ENTRY_DAY = 2
    FIND = 3
    CONTRACT = 4
    LENGTH = 5
    DAY = 6
    LEAVE = 7
    SECOND = 8
    RSA = 9


Draws = Callable[[int], Floats]
"""Uniforms of a month, shape (n_streams, n_persons); asked for in order of months."""


@dataclass(frozen=True, slots=True)
class Chances:
    """Parts of the chances that no month changes."""

    find: Floats
    enter: Sequence[Floats]
    cdi: Floats
    rsa_opens: Floats


def chances_of(options: Departement, persons: Persons) -> Chances:
    """Combine covariates, market and frailty into what stays the same all along."""
    from_market = tightness(options.n_markets)[persons.market]
    find = (
        FIND_BASE
        * np.where(persons.woman == 1, FIND_WOMAN, 1.0)
        * FIND_AGE[persons.age_group]
        * FIND_EDUCATION[persons.education]
        * FIND_CHILDREN[persons.children]
        * from_market
        * persons.frailty
    )
    enter = [
        p.monthly_entry * selection_factor(persons, p.selection, n_markets=options.n_markets)
        for p in options.programmes
    ]
    return Chances(
        find=find,
        enter=enter,
        cdi=CDI_SHARE[persons.education],
        rsa_opens=RSA_OPENS[persons.children],
    )


def effects(programme: Programme, beyond: Ints) -> Floats:
    """Factor on finding an ordinary job by months since the stay's end, negative during it."""
    left = np.ones(beyond.size)
    if programme.fade:
        left = np.maximum(0.0, 1 - beyond / programme.fade)
    return np.where(beyond < 0, programme.lock_in, 1 + (programme.after - 1) * left)


def pick(table: tuple[Ints, Floats], u: Floats) -> Ints:
    """Value of each uniform under a table of values and upper bounds of their shares."""
    values, upper = table
    return np.asarray(values[np.searchsorted(upper, u, side="right")])
