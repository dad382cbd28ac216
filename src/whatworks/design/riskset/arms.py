"""Who is treated, who is compared, and why everyone else is neither: rules on distinct standings.

===================== ================================= =========================================
``versus``            absent in the washout             compared, of that month
===================== ================================= =========================================
``not_yet_started``   every type                        those in none
``never_in_window``   every type                        those in none over the whole panel
``no_accompaniment``  the treatment                     those in none
another type          the treatment and that type       those who enter that type alone
===================== ================================= =========================================

Treated are those who enter the treatment that month and are in no other type. In a sequence the first
step is not looked for in the washout, and may still run. Of a length of stay, everyone enters the
treatment in the same month; the treated are told apart at the landmark by the months they stayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.question import Question
from whatworks.design.riskset.marks import (
    HELD,
    LOST,
    NEVER,
    RECENT,
    RUNNING,
    UNKNOWN,
    Standing,
    decode,
)
from whatworks.vocabulary import Versus

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEITHER: Final = -1
COMPARED: Final = 0
TREATED_ARM: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """One row for each distinct standing.

    Parameters
    ----------
    arm : ndarray of int
        Arm whose ledger counts the row: 1 entrants, 0 comparisons, −1 neither.
    reason : ndarray of str
        Why the row is not at risk in its arm; empty when it is.
    """

    arm: Ints
    reason: NDArray[np.object_]

    @property
    def compared(self) -> Bools:
        """Standings at risk, in either arm."""
        return np.asarray((self.arm != NEITHER) & (self.reason == ""), dtype=bool)


def arms_of(standings: Ints, codes: tuple[str, ...], question: Question) -> Arms:
    """Apply a question's rules to distinct standings."""
    told = decode(standings, codes)
    arm = _arm(told, question)
    reason = np.full(standings.size, "", dtype=object)
    for name, broken in _broken(told, arm, question):
        reason[broken & (reason == "")] = name
    return Arms(arm=arm, reason=reason)


def _arm(told: Standing, question: Question) -> Ints:
    """Arm each standing belongs to, at risk or not."""
    entrants = _entries(told, question.treatment, question)
    if question.landmark[0] is not None:
        long = told.stay == HELD
        treated = long if question.stay_at_least is not None else ~long
        return np.where(entrants, np.where(treated, TREATED_ARM, COMPARED), NEITHER)
    rest: Bools = np.ones(entrants.size, dtype=bool)
    if question.other_type is not None:
        rest = _entries(told, question.other_type, question)
    return np.where(entrants, TREATED_ARM, np.where(rest, COMPARED, NEITHER))


def _entries(told: Standing, code: str, question: Question) -> Bools:
    """Whether a stay of this type begins, and may count as an entry of its own."""
    begins = told.inside[code] & (told.before[code] != RUNNING)
    if question.washout is None:  # a person enters once: what comes later is the same entry
        begins &= np.isin(told.before[code], (NEVER, UNKNOWN))
    return np.asarray(begins)


def _broken(told: Standing, arm: Ints, question: Question) -> list[tuple[str, Bools]]:
    """Rules, in the order in which they are told, and the standings that break each."""
    every = [c for c in told.before if c not in ("unseen", question.after)]
    absent = every
    if question.versus == Versus.NO_ACCOMPANIMENT:
        absent = [question.treatment]
    elif question.other_type is not None:
        absent = [question.treatment, question.other_type]
    unseen = told.inside["unseen"] | _recent(told, ["unseen"]) | (told.stay == LOST)
    unknown = _any([told.before[c] == UNKNOWN for c in absent])
    rules = [
        ("accompaniment_not_seen", unseen),
        ("started_before_window", unknown),
        ("already_started" if question.washout is None else "in_washout", _recent(told, absent)),
    ]
    if question.after is not None:
        rules.append(("first_step_not_taken", ~_recent(told, [question.after])))
    rules.append(("other_accompaniment", _elsewhere(told, arm, every, question)))
    if question.versus == Versus.NEVER_IN_WINDOW:
        rules.append(("accompanied_in_window", (arm == COMPARED) & told.accompanied))
    return rules


def _elsewhere(told: Standing, arm: Ints, every: list[str], question: Question) -> Bools:
    """In a type other than the one the arm is about."""
    entered = {c: told.inside[c] for c in every}
    treated = _any([v for c, v in entered.items() if c != question.treatment])
    if question.landmark[0] is not None:
        return treated
    if question.versus == Versus.NO_ACCOMPANIMENT and question.after is not None:
        entered[question.after] = told.inside[question.after]
    compared = _any([v for c, v in entered.items() if c != question.other_type])
    return np.where(arm == TREATED_ARM, treated, compared)


def _recent(told: Standing, names: list[str]) -> Bools:
    return _any([np.isin(told.before[c], (RECENT, RUNNING)) for c in names])


def _any(each: list[Bools]) -> Bools:
    return np.asarray(reduce(or_, each))
