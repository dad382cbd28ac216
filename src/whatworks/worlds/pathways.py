"""Month by month: who enters an accompaniment, who works under which contract, who is paid RSA.

Within a month, in this order:

1. *Entry.* A person paid RSA the month before who has started nothing yet may enter one
   accompaniment. The chance is a product of what was seen before the month; frailty is not in it.
2. *Work.* Contracts end at their term, permanent ones by chance. A person under no contract may
   find one: the chance depends on covariates, market, season, months worked in the last twelve,
   frailty, and on the accompaniment in progress or past. That last factor is the only effect.
3. *RSA.* It opens some months after work stops, and closes mostly at the quarterly declaration.

All chance comes from one array of uniforms per month, whatever happened before: running the same
months again with one entry forbidden changes nothing but its consequences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np

from whatworks.months import to_index
from whatworks.worlds.population import (
    Bools,
    Floats,
    Ints,
    Persons,
    selection_factor,
    tightness,
)
from whatworks.worlds.programmes import ENTRY_MONTHS, WINDOW, Departement

BURN_IN: Final = 36
"""Months lived before the window, so that it opens on contracts already running."""
RUNNING: Final = np.iinfo(np.int64).max
"""End of a contract that has none."""
NEVER: Final = -1
CODES: Final = ("cdi", "cdd", "interim", "aided", "iae")
CDI, CDD, INTERIM = range(3)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """Contracts as columns, in order of recording.

    ``person`` and ``code`` (position in `CODES`) are integers; ``start`` and ``end`` are days
    since 1970-01-01, ``end`` included and `RUNNING` when there is none.
    """

    person: Ints
    code: Ints
    start: Ints
    end: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Pathways:
    """What became of every person.

    Parameters
    ----------
    employed : ndarray of bool, shape (n_months, n_persons)
        At least one day of the month under an ordinary contract.
    durable : ndarray of bool, shape (n_months, n_persons)
        Of which a permanent one, or a fixed term of 183 days or more.
    rsa : ndarray of bool, shape (n_months, n_persons)
        RSA paid for the month.
    entry : ndarray of int, shape (n_persons,)
        Month of entry counted from the window's first, -1 for none.
    programme : ndarray of int, shape (n_persons,)
        Position in the options' programmes, -1 for none.
    stay : ndarray of int, shape (n_persons,)
        Months of stay, that of entry included, 0 for none.
    entry_day : ndarray of int, shape (n_persons,)
        Day of entry since 1970-01-01, -1 for none.
    contracts : Contracts
    """

    employed: Bools
    durable: Bools
    rsa: Bools
    entry: Ints
    programme: Ints
    stay: Ints
    entry_day: Ints
    contracts: Contracts


@dataclass(frozen=True, slots=True)
class Calendar:
    """First days of months, from the burn-in to well beyond the window."""

    first: int
    days: Ints

    @classmethod
    def starting(cls, first: str) -> Calendar:
        """Calendar of the window whose first month is given."""
        index = to_index(first)
        months = np.arange(-BURN_IN, WINDOW + 36) + (index - 12 * 1970)
        days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        return cls(index, days)

    def day(self, month: int | Ints) -> Ints:
        """First day of a month counted from the window's first."""
        return np.asarray(self.days[np.asarray(month) + BURN_IN])

    def length(self, month: int) -> int:
        """Days in the month."""
        return int(self.day(month + 1) - self.day(month))

    def month(self, day: Ints) -> Ints:
        """Month, counted from the window's first, that holds a day."""
        return np.searchsorted(self.days, day, side="right") - 1 - BURN_IN


@dataclass(slots=True)
class _Now:
    """Where everyone stands as the months go by; arrays of shape (n_persons,)."""

    worked: Bools
    rsa: Bools
    busy: Bools
    """Under any contract, the programme's own included."""
    entry: Ints
    programme: Ints
    stay: Ints
    entry_day: Ints
    own_end: Ints
    """Last month under the programme's own contract."""
    cdi_start: Ints
    """First day of the permanent contract in progress, -1 for none."""
    cdd_end: Ints
    cdd_long: Bools
    interim_end: Ints
    months12: Ints
    log: list[tuple[Ints, int, Ints, Ints]] = field(default_factory=list)
    """Contracts: persons, code, first days, last days."""


@dataclass(frozen=True, slots=True)
class _Chances:
    """Parts of the chances that no month changes."""

    find: Floats
    enter: Sequence[Floats]
    cdi: Floats
    rsa_opens: Floats


def follow(
    options: Departement, persons: Persons, draws: Draws, *, blocked: Ints | None = None
) -> Pathways:
    """Live through the window.

    Parameters
    ----------
    options : Departement
    persons : Persons
    draws : callable
        ``draws(month)`` gives the uniforms of a month, shape ``(len(Stream), n_persons)``. Called
        once for each month in order, from ``-BURN_IN`` on.
    blocked : ndarray of int, shape (n_persons,), optional
        Month in which a person is kept from entering; the natural chances hold in all others.
    """
    n = persons.birth.size
    calendar = Calendar.starting(options.first)
    chances = _chances(options, persons)
    now = _beginning(n)
    employed = np.zeros((BURN_IN + WINDOW, n), dtype=bool)
    durable, rsa = np.zeros_like(employed), np.zeros_like(employed)
    for month in range(-BURN_IN, WINDOW):
        u = draws(month)
        if month in ENTRY_MONTHS:
            open_to = np.ones(n, dtype=bool) if blocked is None else blocked != month
            _enter(options, now, u, allowed=open_to, chances=chances, calendar=calendar, month=month)
        row = month + BURN_IN
        employed[row], durable[row] = _work(
            options, now, u, chances=chances, calendar=calendar, month=month
        )
        rsa[row] = _receive(now, u, employed[row], chances=chances, calendar=calendar, month=month)
        now.months12 += employed[row]
        if row >= 12:
            now.months12 -= employed[row - 12]
    seen = slice(BURN_IN, None)
    return Pathways(
        employed=employed[seen], durable=durable[seen], rsa=rsa[seen], entry=now.entry,
        programme=now.programme, stay=now.stay, entry_day=now.entry_day,
        contracts=_contracts(now, calendar),
    )


def _chances(options: Departement, persons: Persons) -> _Chances:
    from_market = tightness(options.n_markets)[persons.market]
    find = (
        FIND_BASE * np.where(persons.woman == 1, FIND_WOMAN, 1.0) * FIND_AGE[persons.age_group]
        * FIND_EDUCATION[persons.education] * FIND_CHILDREN[persons.children] * from_market
        * persons.frailty
    )
    enter = [
        p.monthly_entry * selection_factor(persons, p.selection, n_markets=options.n_markets)
        for p in options.programmes
    ]
    return _Chances(
        find=find, enter=enter, cdi=CDI_SHARE[persons.education],
        rsa_opens=RSA_OPENS[persons.children],
    )


def _beginning(n: int) -> _Now:
    """Nobody at work, three years before the window."""
    never = np.full(n, NEVER, dtype=np.int64)
    nobody = np.zeros(n, dtype=bool)
    far = np.full(n, -BURN_IN - 1, dtype=np.int64)
    return _Now(
        worked=nobody, rsa=np.arange(n) < RSA_AT_START * n, busy=nobody, entry=never,
        programme=never.copy(), stay=np.zeros(n, dtype=np.int64), entry_day=never.copy(),
        own_end=far, cdi_start=never.copy(), cdd_end=far.copy(), cdd_long=nobody.copy(), interim_end=far.copy(),
        months12=np.zeros(n, dtype=np.int64),
    )


def _enter(
    options: Departement, now: _Now, u: Floats, *, allowed: Bools, chances: _Chances,
    calendar: Calendar, month: int,
) -> None:
    """Entries of the month, from what was seen before it."""
    exposed = np.flatnonzero(now.rsa & (now.entry == NEVER) & allowed)
    worked = np.searchsorted([1, 4, 7], now.months12[exposed], side="right")
    drawn, upto = u[Stream.ENTRY, exposed], np.zeros(exposed.size)
    for k, programme in enumerate(options.programmes):
        seen = programme.selection
        chance = chances.enter[k][exposed] * np.array(seen.months_worked)[worked]
        chance = chance * np.where(now.worked[exposed], seen.just_worked, 1.0)
        enters = exposed[(drawn >= upto) & (drawn < upto + chance)]
        upto = upto + chance
        shortest, longest = programme.stay
        stay = shortest + np.floor(u[Stream.STAY, enters] * (longest - shortest + 1))
        first = calendar.day(month) + np.floor(u[Stream.ENTRY_DAY, enters] * calendar.length(month))
        now.entry[enters], now.programme[enters] = month, k
        now.stay[enters], now.entry_day[enters] = stay, first
        if programme.contract is not None:
            now.own_end[enters] = month + now.stay[enters] - 1
            last = calendar.day(month + now.stay[enters]) - 1
            code = CODES.index(programme.contract)
            now.log.append((enters, code, now.entry_day[enters], last))


def _work(
    options: Departement, now: _Now, u: Floats, *, chances: _Chances, calendar: Calendar,
    month: int,
) -> tuple[Bools, Bools]:
    """Contracts of the month: who works, and who durably."""
    start = calendar.day(month)
    # A contract never starts on the first of a month: there is a day between two in a row.
    day = start + 1 + np.floor(u[Stream.DAY] * (calendar.length(month) - 1)).astype(np.int64)
    permanent = now.cdi_start != NEVER
    leaves = np.flatnonzero(permanent & (u[Stream.LEAVE] < CDI_LEAVES))
    now.log.append((leaves, CDI, now.cdi_start[leaves], day[leaves]))
    on_term, on_mission = now.cdd_end >= month, now.interim_end >= month
    active = permanent | on_term | on_mission

    boost, quality = _effects(options, now, month)
    season = FIND_SEASON[(calendar.first + month) % 12]
    chance = chances.find * FIND_WORKED[now.months12] * (season * boost)
    chance *= np.where(now.worked, FIND_JUST_WORKED, 1.0)
    hired = ~active & (u[Stream.FIND] < np.minimum(chance, HIGHEST))
    cdi = np.minimum(chances.cdi * quality, HIGHEST)
    kind = np.where(
        u[Stream.CONTRACT] < cdi, CDI,
        np.where(u[Stream.CONTRACT] < cdi + (1 - cdi) * CDD_SHARE, CDD, INTERIM),
    )
    second = active & ~on_mission & (u[Stream.SECOND] < SECOND_JOB)
    now.cdi_start[leaves] = NEVER
    permanent_hire = hired & (kind == CDI)
    now.cdi_start[permanent_hire] = day[permanent_hire]
    _hire_term(now, u, np.flatnonzero(hired & (kind == CDD)), day, quality, calendar)
    missions = np.flatnonzero((hired & (kind == INTERIM)) | second)
    now.interim_end[missions] = _hire(
        now, missions, INTERIM, day, _pick(INTERIM_DAYS, u[Stream.LENGTH, missions]), calendar
    )
    long_term = (now.cdd_end >= month) & now.cdd_long
    return active | hired, permanent | permanent_hire | long_term


def _hire_term(
    now: _Now, u: Floats, who: Ints, day: Ints, quality: Floats, calendar: Calendar
) -> None:
    """Fixed terms: long or short, then a length among those."""
    drawn = u[Stream.LENGTH, who]
    share = np.minimum(LONG_SHARE * quality[who], HIGHEST)
    long = drawn < share
    place = np.where(long, drawn / share, (drawn - share) / (1 - share))
    days = np.where(long, _pick(LONG_DAYS, place), _pick(SHORT_DAYS, place))
    now.cdd_long[who] = long
    now.cdd_end[who] = _hire(now, who, CDD, day, days, calendar)


def _hire(
    now: _Now, who: Ints, code: int, day: Ints, days: Ints, calendar: Calendar
) -> Ints:
    """Record contracts of known length; returns the month in which each ends."""
    last = day[who] + days - 1
    now.log.append((who, code, day[who], last))
    return calendar.month(last)


def _pick(table: tuple[Ints, Floats], u: Floats) -> Ints:
    values, upper = table
    return np.asarray(values[np.searchsorted(upper, u, side="right")])


def _effects(options: Departement, now: _Now, month: int) -> tuple[Floats, Floats]:
    """Factors of the accompaniments on finding a job and on its quality, shape (n_persons,)."""
    boost, quality = np.ones(now.entry.size), np.ones(now.entry.size)
    for k, programme in enumerate(options.programmes):
        who = np.flatnonzero(now.programme == k)
        beyond = month - now.entry[who] - now.stay[who]
        left = np.ones(who.size)
        if programme.fade:
            left = np.maximum(0.0, 1 - beyond / programme.fade)
        boost[who] = np.where(beyond < 0, programme.lock_in, 1 + (programme.after - 1) * left)
        quality[who] = programme.quality
    return boost, quality


def _receive(
    now: _Now, u: Floats, employed: Bools, *, chances: _Chances, calendar: Calendar, month: int
) -> Bools:
    """RSA of the month, from work this month and the month before."""
    declared = (calendar.first + month) % 3 == 2
    busy = employed | (now.own_end >= month)
    still = np.where(busy, 1 - RSA_CLOSES_AT_WORK[int(declared)], RSA_STAYS)
    opens = np.where(busy | now.busy, RSA_OPENS_AT_WORK, chances.rsa_opens)
    now.rsa = u[Stream.RSA] < np.where(now.rsa, still, opens)
    now.worked, now.busy = employed, busy
    return now.rsa


def _contracts(now: _Now, calendar: Calendar) -> Contracts:
    """All contracts with a day in the window, those still running included."""
    running = np.flatnonzero(now.cdi_start != NEVER)
    open_ended = np.full(running.size, RUNNING)
    log = [*now.log, (running, CDI, now.cdi_start[running], open_ended)]
    end = np.concatenate([last for *_, last in log]).astype(np.int64)
    seen = end >= calendar.day(0)
    code = np.repeat([code for _, code, *_ in log], [who.size for who, *_ in log])
    return Contracts(
        person=np.concatenate([who for who, *_ in log])[seen],
        code=code[seen],
        start=np.concatenate([first for _, _, first, _ in log]).astype(np.int64)[seen],
        end=end[seen],
    )
