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

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from whatworks.worlds import chances as tables
from whatworks.worlds.chances import Chances, Draws, Stream, chances_of, effects, pick
from whatworks.worlds.clock import BURN_IN, Calendar
from whatworks.worlds.population import Bools, Floats, Ints, Persons
from whatworks.worlds.programmes import ENTRY_MONTHS, WINDOW, Departement

RUNNING: Final = np.iinfo(np.int64).max
"""End of a contract that has none."""
NEVER: Final = -1
CODES: Final = ("cdi", "cdd", "interim", "aided", "iae")
CDI, CDD, INTERIM = range(3)


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
    chances = chances_of(options, persons)
    now = _beginning(n)
    employed = np.zeros((BURN_IN + WINDOW, n), dtype=bool)
    durable, rsa = np.zeros_like(employed), np.zeros_like(employed)
    for month in range(-BURN_IN, WINDOW):
        u = draws(month)
        if month in ENTRY_MONTHS:
            open_to = np.ones(n, dtype=bool) if blocked is None else blocked != month
            _enter(
                options, now, u, allowed=open_to, chances=chances, calendar=calendar, month=month
            )
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
        employed=employed[seen],
        durable=durable[seen],
        rsa=rsa[seen],
        entry=now.entry,
        programme=now.programme,
        stay=now.stay,
        entry_day=now.entry_day,
        contracts=_contracts(now, calendar),
    )


def _beginning(n: int) -> _Now:
    """Nobody at work, three years before the window."""
    never = np.full(n, NEVER, dtype=np.int64)
    nobody = np.zeros(n, dtype=bool)
    far = np.full(n, -BURN_IN - 1, dtype=np.int64)
    return _Now(
        worked=nobody,
        rsa=np.arange(n) < tables.RSA_AT_START * n,
        busy=nobody,
        entry=never,
        programme=never.copy(),
        stay=np.zeros(n, dtype=np.int64),
        entry_day=never.copy(),
        own_end=far,
        cdi_start=never.copy(),
        cdd_end=far.copy(),
        cdd_long=nobody.copy(),
        interim_end=far.copy(),
        months12=np.zeros(n, dtype=np.int64),
    )


def _enter(
    options: Departement,
    now: _Now,
    u: Floats,
    *,
    allowed: Bools,
    chances: Chances,
    calendar: Calendar,
    month: int,
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
    options: Departement, now: _Now, u: Floats, *, chances: Chances, calendar: Calendar, month: int
) -> tuple[Bools, Bools]:
    """Contracts of the month: who works, and who durably."""
    # A contract never starts on the first of a month: there is a day between two in a row.
    span = calendar.length(month) - 1
    day = calendar.day(month) + 1 + np.floor(u[Stream.DAY] * span).astype(np.int64)
    permanent = now.cdi_start != NEVER
    on_mission = now.interim_end >= month
    active = permanent | (now.cdd_end >= month) | on_mission
    leaves = np.flatnonzero(permanent & (u[Stream.LEAVE] < tables.CDI_LEAVES))
    now.log.append((leaves, CDI, now.cdi_start[leaves], day[leaves]))
    now.cdi_start[leaves] = NEVER

    boost, quality = _since_entry(options, now, month)
    season = float(tables.FIND_SEASON[(calendar.first + month) % 12])
    hired = ~active & (u[Stream.FIND] < _chance_of_job(now, chances, season * boost))
    kind = _kind_of_job(chances, u, quality)
    permanent_hire = hired & (kind == CDI)
    now.cdi_start[permanent_hire] = day[permanent_hire]
    _hire_term(now, u, np.flatnonzero(hired & (kind == CDD)), day, quality, calendar)
    second = active & ~on_mission & (u[Stream.SECOND] < tables.SECOND_JOB)
    missions = np.flatnonzero((hired & (kind == INTERIM)) | second)
    days = pick(tables.INTERIM_DAYS, u[Stream.LENGTH, missions])
    now.interim_end[missions] = _hire(now, missions, INTERIM, day, days, calendar)
    long_term = (now.cdd_end >= month) & now.cdd_long
    return active | hired, permanent | permanent_hire | long_term


def _chance_of_job(now: _Now, chances: Chances, factor: Floats) -> Floats:
    """Chance of finding an ordinary job this month, for those without one."""
    lately = tables.FIND_WORKED[now.months12] * np.where(now.worked, tables.FIND_JUST_WORKED, 1.0)
    return np.asarray(np.minimum(chances.find * lately * factor, tables.HIGHEST))


def _kind_of_job(chances: Chances, u: Floats, quality: Floats) -> Ints:
    """Contract of the job found this month, were one found."""
    drawn, cdi = u[Stream.CONTRACT], np.minimum(chances.cdi * quality, tables.HIGHEST)
    temporary = np.where(drawn < cdi + (1 - cdi) * tables.CDD_SHARE, CDD, INTERIM)
    return np.where(drawn < cdi, CDI, temporary)


def _since_entry(options: Departement, now: _Now, month: int) -> tuple[Floats, Floats]:
    """Factors of the accompaniments on finding a job and on its quality, shape (n_persons,)."""
    boost, quality = np.ones(now.entry.size), np.ones(now.entry.size)
    for k, programme in enumerate(options.programmes):
        who = np.flatnonzero(now.programme == k)
        boost[who] = effects(programme, month - now.entry[who] - now.stay[who])
        quality[who] = programme.quality
    return boost, quality


def _hire_term(
    now: _Now, u: Floats, who: Ints, day: Ints, quality: Floats, calendar: Calendar
) -> None:
    """Hire under fixed terms: long or short, then a length among those."""
    drawn = u[Stream.LENGTH, who]
    share = np.minimum(tables.LONG_SHARE * quality[who], tables.HIGHEST)
    long = drawn < share
    place = np.where(long, drawn / share, (drawn - share) / (1 - share))
    days = np.where(long, pick(tables.LONG_DAYS, place), pick(tables.SHORT_DAYS, place))
    now.cdd_long[who] = long
    now.cdd_end[who] = _hire(now, who, CDD, day, days, calendar)


def _hire(now: _Now, who: Ints, code: int, day: Ints, days: Ints, calendar: Calendar) -> Ints:
    """Record contracts of known length; returns the month in which each ends."""
    last = day[who] + days - 1
    now.log.append((who, code, day[who], last))
    return calendar.month(last)


def _receive(
    now: _Now, u: Floats, employed: Bools, *, chances: Chances, calendar: Calendar, month: int
) -> Bools:
    """RSA of the month, from work this month and the month before."""
    declared = (calendar.first + month) % 3 == 2
    busy = employed | (now.own_end >= month)
    still = np.where(busy, 1 - tables.RSA_CLOSES_AT_WORK[int(declared)], tables.RSA_STAYS)
    opens = np.where(busy | now.busy, tables.RSA_OPENS_AT_WORK, chances.rsa_opens)
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
