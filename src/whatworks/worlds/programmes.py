"""What is imagined: the six accompaniments, who enters them, and what they really do.

Every chance is a product of table entries, and unobserved differences between persons are a few
mass points (Heckman & Singer 1984, doi:10.2307/1911491), so that a simulated month is made of
multiplications and comparisons only: the same bits on every processor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from whatworks.errors import OptionError
from whatworks.months import to_index, to_label
from whatworks.vocabulary import Accompaniment

HISTORY: Final = 24
"""Months seen before anyone may enter."""
ENTRIES: Final = 12
"""Months during which persons enter."""
FOLLOW_UP: Final = 24
"""Months seen after the last entry."""
WINDOW: Final = HISTORY + ENTRIES + FOLLOW_UP
ENTRY_MONTHS: Final = range(HISTORY, HISTORY + ENTRIES)
"""Months of the window, counted from 0, in which a person may enter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How the monthly chance of entering depends on what is seen before the month.

    Each field multiplies the base chance; 1 leaves it alone.

    Parameters
    ----------
    months_worked : tuple of 4 floats
        By months employed among the last twelve: 0, 1 to 3, 4 to 6, 7 or more.
    just_worked : float
        When employed the month before.
    woman : float
    ages : tuple of 3 floats
        Under 30, 30 to 44, 45 or more when entries begin.
    education : tuple of 5 floats
        From no schooling certificate to higher education.
    slack : float
        In the slackest market; it goes linearly to ``2 - slack`` in the tightest.
    """

    months_worked: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    just_worked: float = 1.0
    woman: float = 1.0
    ages: tuple[float, float, float] = (1.0, 1.0, 1.0)
    education: tuple[float, float, float, float, float] = (1.0, 1.0, 1.0, 1.0, 1.0)
    slack: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """One accompaniment.

    Parameters
    ----------
    accompaniment : Accompaniment
    monthly_entry : float
        Base chance that an eligible person enters in a month.
    selection : Selection
    stay : tuple of (int, int)
        Shortest and longest stay in months, all lengths between equally likely.
    lock_in, after : float
        Factor on the monthly chance of finding an ordinary job, during the stay and just after it.
    fade : int
        Months after the stay over which ``after`` goes linearly back to 1; 0 when it lasts.
    quality : float
        Factor, from entry on, on the chances that a job found is permanent and that a fixed term
        lasts six months or more.
    contract : str, optional
        Code of the programme's own contract of employment, held during the stay.
    """

    accompaniment: Accompaniment
    monthly_entry: float
    selection: Selection
    stay: tuple[int, int]
    lock_in: float = 1.0
    after: float = 1.0
    fade: int = 0
    quality: float = 1.0
    contract: str | None = None


_NEAR_JOBS: Final = Selection(
    months_worked=(0.55, 1.1, 1.6, 2.0),
    just_worked=1.3,
    woman=0.9,
    ages=(1.2, 1.0, 0.8),
    education=(0.6, 0.8, 1.0, 1.2, 1.5),
    slack=0.85,
)
_FAR_FROM_JOBS: Final = Selection(
    months_worked=(1.3, 0.8, 0.5, 0.3),
    just_worked=0.5,
    woman=1.0,
    ages=(0.8, 1.0, 1.2),
    education=(1.5, 1.25, 1.0, 0.7, 0.5),
    slack=1.2,
)

PROGRAMMES: Final = (
    Programme(
        accompaniment=Accompaniment.JOB_SEARCH,
        monthly_entry=0.0100,
        selection=_NEAR_JOBS,
        stay=(4, 6),
        lock_in=0.85,
        after=1.5,
        fade=18,
    ),
    Programme(
        accompaniment=Accompaniment.AIDED_CONTRACT,
        monthly_entry=0.0071,
        contract="aided",
        selection=replace(_FAR_FROM_JOBS, months_worked=(1.1, 1.1, 0.9, 0.6), just_worked=0.7),
        stay=(9, 12),
        lock_in=0.35,
        after=1.5,
        quality=1.15,
    ),
    Programme(
        accompaniment=Accompaniment.WORK_INTEGRATION,
        monthly_entry=0.0082,
        contract="iae",
        selection=replace(_FAR_FROM_JOBS, woman=0.7),
        stay=(8, 14),
        lock_in=0.45,
        after=1.6,
        fade=48,
    ),
    Programme(
        accompaniment=Accompaniment.SOCIAL_PARTICIPATION,
        monthly_entry=0.0060,
        selection=replace(_FAR_FROM_JOBS, woman=1.25, ages=(0.6, 0.9, 1.5)),
        stay=(6, 10),
        lock_in=0.95,
        after=1.1,
    ),
    Programme(
        accompaniment=Accompaniment.ACCESS_TO_RIGHTS,
        monthly_entry=0.0064,
        selection=replace(_FAR_FROM_JOBS, woman=1.15),
        stay=(4, 8),
    ),
    Programme(
        accompaniment=Accompaniment.INTENSIVE_INTEGRATED,
        monthly_entry=0.0069,
        selection=replace(_FAR_FROM_JOBS, ages=(1.0, 1.0, 1.0)),
        stay=(9, 12),
        lock_in=0.7,
        after=1.85,
        quality=1.5,
    ),
)
"""Base chances are set so that each type takes in about 5 % of persons over the entry months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departement:
    """Options of a simulated département.

    Parameters
    ----------
    seed : int
    n_persons : int
    n_markets : int
        Employment zones, from the slackest to the tightest.
    first : str
        First month of the window, ``YYYY-MM``. The window has 60 months: 24 of history, 12 of
        entries, 24 of follow-up.
    programmes : tuple of Programme
        At most one per type; their tables are the effect curves.

    Examples
    --------
    >>> Departement(n_persons=1).last
    '2023-12'
    """

    seed: int = 6
    n_persons: int = 2_400
    n_markets: int = 5
    first: str = "2019-01"
    programmes: tuple[Programme, ...] = PROGRAMMES

    def __post_init__(self) -> None:
        least = (("n_persons", self.n_persons, 1), ("n_markets", self.n_markets, 1))
        for name, value, minimum in (*least, ("seed", self.seed, 0)):
            if value < minimum:
                raise OptionError(
                    what=name,
                    needed=f"at least {minimum}",
                    found=str(value),
                    remedy="write a larger number",
                )
        names = [p.accompaniment for p in self.programmes]
        if len(set(names)) < len(names):
            raise OptionError(
                what="programmes",
                needed="each accompaniment once",
                found=f"{len(names) - len(set(names))} of them repeated",
                remedy="keep one programme per accompaniment",
            )
        to_index(self.first)

    @property
    def last(self) -> str:
        """Last month of the window, ``YYYY-MM``."""
        return to_label(to_index(self.first) + WINDOW - 1)

    def without_effects(self) -> Departement:
        """Return the same département, in which no programme changes anyone's chances."""
        idle = (replace(p, lock_in=1.0, after=1.0, fade=0, quality=1.0) for p in self.programmes)
        return replace(self, programmes=tuple(idle))
