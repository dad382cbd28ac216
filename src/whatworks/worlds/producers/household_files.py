"""What the family fund holds of each person month by month: paid, suspended, closed, gone.

The simulated pathway says only whether RSA is paid. Around the payments the fund writes more, by
rules on the number of the person alone, so that whoever knows the pathway can work it out:

- a file that stops being paid is closed at once; for one person in three it is suspended for two
  months first;
- one person in five has a file pending in the month before it opens;
- at their first closure, one person in five moves to another département and is never seen again,
  and one in five is merged into another household and seen again when paid again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from whatworks.worlds.producers.extract import Extract

PENDING, PAID, RIGHT_SUSPENDED, PAYMENT_SUSPENDED, CLOSED = "0", "2", "3", "4", "5"
SUSPENDED: Final = (RIGHT_SUSPENDED, PAYMENT_SUSPENDED)
MOVED, MERGED, LAPSED, STRUCK_OFF = "MUT", "RGD", "ECH", "RAU"
_SUSPENSION: Final = 2
"""Months of suspension before a closure."""


@dataclass(frozen=True, slots=True)
class Standing:
    """State of one person's file in one month, and why it closed."""

    month: int
    state: str
    motive: str = ""


def standings(extract: Extract, person: int, months: range) -> Iterator[Standing]:
    """Yield the months in which the fund writes something of a person.

    Parameters
    ----------
    extract : Extract
    person : int
    months : range
        Months of the files, counted from the world's first.
    """
    paid = extract.world.pathways.rsa[:, person]
    closed_once = False
    unpaid = _SUSPENSION + 1  # months since the last payment shown; at first, long ago
    for month in months:
        if paid[month]:
            unpaid = 0
            yield Standing(month, PAID)
            continue
        unpaid += 1
        suspended = person % 3 == 1 and unpaid <= _SUSPENSION
        closes = unpaid == (_SUSPENSION + 1 if person % 3 == 1 else 1)
        if suspended:
            yield Standing(month, PAYMENT_SUSPENDED if person % 2 else RIGHT_SUSPENDED)
        elif closes:
            motive = _motive(person, first=not closed_once)
            yield Standing(month, CLOSED, motive)
            if motive == MOVED:
                return
            closed_once = True
        elif person % 5 == 0 and month + 1 in months and paid[month + 1]:
            yield Standing(month, PENDING)


def _motive(person: int, *, first: bool) -> str:
    if first and person % 5 == 3:
        return MOVED
    if first and person % 5 == 2:
        return MERGED
    return LAPSED if person % 2 else STRUCK_OFF
