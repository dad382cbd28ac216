r"""Persons who wait and start one by one, for the same reasons that move their employment.

Light enough for hundreds of draws, with histories that select and go on selecting. Month by month
a person with level :math:`x\in(0,1)` is employed with chance

.. math:: P(E_t=1) = a + c\,x + b_1E_{t-1} + b_2E_{t-2} + b_3E_{t-3} + \delta_{t-s}\,1\{t \ge s\}

where :math:`s` is the month of start, and who has not started does so with chance

.. math::

    \lambda_t = \frac{1}{1+e^{-\eta_t}}, \qquad
    \eta_t = \alpha_t + \gamma_0x + \gamma_1E_{t-1} + \gamma_2E_{t-2} + \gamma_3E_{t-3}

Nothing else differs between persons. The first is linear, so that the effect of having started
:math:`h` months ago rather than not at all is the same for everyone:
:math:`D_h=\delta_h+b_1D_{h-1}+b_2D_{h-2}+b_3D_{h-3}`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis.backends import BaseBackend
from numpy.typing import NDArray

from whatworks.errors import OptionError
from whatworks.ledger import Ledger
from whatworks.months import to_index
from whatworks.panel.record import Panel
from whatworks.sources.records import Coverage
from whatworks.vocabulary import MONTH, PERSON, Accompaniment, Kind, state_column

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FIRST: Final = to_index("2021-01")
"""First month of the window."""
NEVER: Final = -1
BURN_IN: Final = 12
BASE: Final = 0.07
LEVEL: Final = 0.10
LASTS: Final = (0.48, 0.13, 0.07)
""":math:`b_1,b_2,b_3`."""
LOCK_IN: Final = -0.05
AFTER: Final = 0.10
LOCK_IN_MONTHS: Final = 3
START_LEVEL: Final = -1.0
START_LASTS: Final = (-1.8, -0.8, -0.4)
r""":math:`\gamma_1,\gamma_2,\gamma_3`."""
SEASON: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Options.

    Parameters
    ----------
    seed : int
    n_persons : int
    n_months : int
        Of the window.
    first_start : int
        Months of the window before anybody starts.
    monthly_start : float
        Chance of starting of a person of level 0 without employment in an average month.

    Examples
    --------
    >>> Waiting().n_months
    28
    """

    seed: int = 0
    n_persons: int = 1_500
    n_months: int = 28
    first_start: int = 4
    monthly_start: float = 0.10

    def __post_init__(self) -> None:
        for name, value, least in (
            ("seed", self.seed, 0),
            ("n_persons", self.n_persons, 1),
            ("first_start", self.first_start, len(LASTS)),
            ("n_months", self.n_months, self.first_start + 1),
        ):
            if value < least:
                raise OptionError(
                    what=name,
                    needed=f"at least {least}",
                    found=str(value),
                    remedy="write a larger number",
                )
        if not 0 < self.monthly_start < 1:
            raise OptionError(
                what="monthly_start",
                needed="a chance between 0 and 1",
                found=str(self.monthly_start),
                remedy="write for instance 0.10",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingWorld:
    """One draw.

    Parameters
    ----------
    options : Waiting
    level : ndarray of shape (n_persons,)
    employed : ndarray of bool, shape (n_persons, n_months)
    start : ndarray of int, shape (n_persons,)
        Month of the window, −1 for none.
    """

    options: Waiting
    level: Floats
    employed: Bools
    start: Ints

    def frame(self) -> pd.DataFrame:
        """One row per person and month: ``person_id, month, level, employed, started``."""
        n, months = self.employed.shape
        month = np.tile(np.arange(months), n)
        start = np.repeat(self.start, months)
        return pd.DataFrame(
            {
                "person_id": np.repeat(np.arange(n), months),
                "month": month,
                "level": np.repeat(self.level, months),
                "employed": self.employed.ravel(),
                "started": (start != NEVER) & (start <= month),
            }
        )


def simulate_waiting(options: Waiting | None = None) -> WaitingWorld:
    """Live through the window.

    Examples
    --------
    >>> world = simulate_waiting(Waiting(n_persons=5, n_months=10))
    >>> world.employed.shape, world.frame().shape
    ((5, 10), (50, 5))
    """
    options = options or Waiting()
    rng = np.random.Generator(np.random.PCG64(options.seed))
    level = rng.random(options.n_persons)
    start = np.full(options.n_persons, NEVER)
    employed = np.zeros((BURN_IN + options.n_months, options.n_persons), dtype=bool)
    for row in range(len(employed)):
        month, before = row - BURN_IN, _before(employed, row)
        drawn = rng.random((2, options.n_persons))
        if month >= options.first_start:
            starts = (start == NEVER) & (drawn[0] < chance_to_start(options, level, before, month))
            start[starts] = month
        employed[row] = drawn[1] < _chance_employed(level, before, start, month)
    return WaitingWorld(options=options, level=level, employed=employed[BURN_IN:].T, start=start)


def waiting_panel(world: WaitingWorld, connection: BaseBackend) -> Panel:
    """Panel of a draw: employment under one contract, one accompaniment, everybody seen always."""
    n, months = world.employed.shape
    frame = world.frame()
    employed = frame["employed"].to_numpy(dtype=np.int32)
    started = frame["started"].to_numpy(dtype=np.int32)
    kind, code = Kind.ACCOMPANIMENT, Accompaniment.JOB_SEARCH
    table = pa.table(
        {
            PERSON: frame["person_id"].to_numpy(dtype=np.int64),
            MONTH: (frame["month"].to_numpy() + FIRST).astype(np.int32),
            Kind.EMPLOYMENT: employed,
            state_column(Kind.EMPLOYMENT, "cdi"): employed,
            kind: started,
            state_column(kind, code): started,
        }
    )
    persons = pa.table({PERSON: np.arange(n), "level": world.level})
    states: dict[str, tuple[str, ...]] = {Kind.EMPLOYMENT: ("cdi",), kind: (code,)}
    last = FIRST + months - 1
    return Panel(
        connection=connection,
        table=connection.create_table(ibis.util.gen_name("waiting"), table, temp=True),
        persons=connection.create_table(ibis.util.gen_name("waiting"), persons, temp=True),
        states=states,
        attributes={"level": "number"},
        first=FIRST,
        last=last,
        n_persons=n,
        coverage=tuple(Coverage(source="waiting", kind=k, first=FIRST, last=last) for k in states),
        operator_declared=frozenset(),
        mapping_hash="",
        ledger=Ledger(),
    )


def chance_to_start(options: Waiting, level: Floats, before: Floats, month: int) -> Floats:
    """Chance of starting in a month, of those who have not.

    Parameters
    ----------
    options : Waiting
    level : ndarray of shape (n,)
    before : ndarray of shape (3, n)
        Employed one, two and three months before.
    month : int
    """
    odds = np.log(options.monthly_start / (1 - options.monthly_start))
    season = SEASON * np.sin(month)
    return np.asarray(
        1 / (1 + np.exp(-(odds + season + START_LEVEL * level + np.array(START_LASTS) @ before)))
    )


def effect_of_start(months: int) -> Floats:
    """:math:`D_h` in percentage points for h from 0 to ``months``: started then, against never.

    >>> effect_of_start(3).round(2).tolist()
    [-5.0, -7.4, -9.2, 4.27]
    """
    path = np.zeros(months + 1)
    for h in range(months + 1):
        lasting = sum(b * path[h - k] for k, b in enumerate(LASTS, start=1) if k <= h)
        path[h] = _step(np.array([h]))[0] + lasting
    return 100 * path


def waiting_truth(
    options: Waiting | None = None, *, entries: tuple[int, int], months: int, n_persons: int
) -> pd.DataFrame:
    """Effects on those who start in some months, by months since.

    Against never starting the effect is exact. Against waiting it is what those who start would have
    lived had they been kept from it in their month and free to start in any later one: their chances,
    month after month, are followed for so many persons.

    Parameters
    ----------
    options : Waiting
    entries : tuple of int
        First and last month of start.
    months : int
    n_persons : int

    Returns
    -------
    DataFrame
        ``month, never, waiting`` (pp).
    """
    options = options or Waiting()
    never = effect_of_start(months)
    waited, n_starts = np.zeros(months + 1), 0
    rng = np.random.Generator(np.random.PCG64(options.seed))
    for entry in range(entries[0], entries[1] + 1):
        later, n = _later_starts(options, entry, months, n_persons, rng)
        n_starts += n
        for h in range(1, months + 1):
            waited[h:] += later[h] * never[: months + 1 - h]
    return pd.DataFrame(
        {"month": np.arange(months + 1), "never": never, "waiting": never - waited / n_starts}
    )


def _later_starts(
    options: Waiting, entry: int, months: int, n_persons: int, rng: np.random.Generator
) -> tuple[Floats, int]:
    """How many of those who start in a month would start 1, 2, … months later, kept from it then."""
    level = rng.random(n_persons)
    start = np.full(n_persons, NEVER)
    employed = np.zeros((BURN_IN + entry + months + 1, n_persons), dtype=bool)
    mine = np.zeros(n_persons, dtype=bool)
    later = np.zeros(months + 1)
    for row in range(len(employed)):
        month, before = row - BURN_IN, _before(employed, row)
        drawn = rng.random((2, n_persons))
        if month >= options.first_start:
            chance = chance_to_start(options, level, before, month)
            starts = (start == NEVER) & (drawn[0] < chance)
            if month == entry:
                mine = starts
            else:
                start[starts] = month
                later[max(month - entry, 0)] = (starts & mine).sum()
        employed[row] = drawn[1] < _chance_employed(level, before, start, month)
    return later, int(mine.sum())


def _before(employed: Bools, row: int) -> Floats:
    """Employment one, two and three months before, none before the first month."""
    none = np.zeros(employed.shape[1])
    return np.stack(
        [employed[row - k] if row >= k else none for k in range(1, len(LASTS) + 1)]
    ).astype(float)


def _chance_employed(level: Floats, before: Floats, start: Ints, month: int) -> Floats:
    since = np.where(start == NEVER, -1, month - start)
    return np.asarray(BASE + LEVEL * level + np.array(LASTS) @ before + _step(since))


def _step(since: Ints) -> Floats:
    """What being started adds to the month's chance, 0 before."""
    return np.where(since < 0, 0.0, np.where(since < LOCK_IN_MONTHS, LOCK_IN, AFTER))
