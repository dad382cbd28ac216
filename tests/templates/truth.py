"""What should be read, worked out from the simulated pathways alone."""

from __future__ import annotations

import datetime as dt

from templates.sample import world

EPOCH = dt.date(1970, 1, 1)
RUNNING = 2**63 - 1


def day(number: int) -> str:
    return (EPOCH + dt.timedelta(days=int(number))).isoformat()


def first_of(month: int) -> dt.date:
    """First day of a month counted from January 2021."""
    return dt.date(2021 + month // 12, month % 12 + 1, 1)


def last_of(month: int) -> dt.date:
    return first_of(month + 1) - dt.timedelta(days=1)


def paid(person: int) -> list[bool]:
    return [bool(v) for v in world().world.pathways.rsa[:, person]]


def employed(person: int) -> list[bool]:
    return [bool(v) for v in world().world.pathways.employed[:, person]]


def runs(flags: list[bool]) -> list[tuple[int, int]]:
    """First and last position of each run of true values."""
    found: list[tuple[int, int]] = []
    for k, flag in enumerate(flags):
        if flag and (k == 0 or not flags[k - 1]):
            found.append((k, k))
        elif flag:
            found[-1] = (found[-1][0], k)
    return found


def accompaniments() -> list[tuple[int, str, str, str]]:
    """Person, type, first and last day of every accompaniment entered."""
    lived, options = world().world.pathways, world().world.options
    found = []
    for person in range(options.n_persons):
        programme = int(lived.programme[person])
        if programme >= 0:
            last = last_of(int(lived.entry[person] + lived.stay[person]) - 1)
            kind = str(options.programmes[programme].accompaniment)
            found.append((person, kind, day(lived.entry_day[person]), last.isoformat()))
    return found


def contracts(first: int, last: int) -> list[tuple[int, int, str, str, str | None]]:
    """Number, person, code, first and last day of contracts with a day in these months."""
    held = world().world.pathways.contracts
    codes = ("cdi", "cdd", "interim", "aided", "iae")
    opening, closing = first_of(first).isoformat(), last_of(last).isoformat()
    found = []
    for k in range(len(held.person)):
        start, end = int(held.start[k]), int(held.end[k])
        until = None if end == RUNNING else day(end)
        if day(start) <= closing and (until is None or until >= opening):
            row = (k + 1, int(held.person[k]), codes[int(held.code[k])], day(start), until)
            found.append(row)
    return found


def fund(person: int, first: int, last: int) -> dict[int, str]:
    """What the family fund should hold of a person, month by month.

    ``rsa``, ``rsa_suspended``, ``pending``, ``closed``, ``MUT`` or ``RGD``; months without a row
    are absent.
    """
    is_paid = paid(person)
    shown: dict[int, str] = {}
    closures = 0
    for month in range(first, last + 1):
        before = [k for k in range(first, month) if is_paid[k]]
        if is_paid[month]:
            shown[month] = "rsa"
        elif before and person % 3 == 1 and month - before[-1] <= 2:
            shown[month] = "rsa_suspended"
        elif before and month - before[-1] == (3 if person % 3 == 1 else 1):
            closures += 1
            motive = {3: "MUT", 2: "RGD"}.get(person % 5, "closed")
            shown[month] = motive if closures == 1 else "closed"
            if shown[month] == "MUT":
                break
        elif person % 5 == 0 and month < last and is_paid[month + 1]:
            shown[month] = "pending"
    return shown
