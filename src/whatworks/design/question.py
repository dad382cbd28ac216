"""The question, written before any outcome is opened."""

from __future__ import annotations

from dataclasses import dataclass

from whatworks.errors import OptionError, choice
from whatworks.months import to_index
from whatworks.vocabulary import Estimand, Versus


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What does ``treatment`` do to ``outcome``, against whom, for whom, and when?

    Parameters
    ----------
    treatment : str
        Code of an accompaniment: one of the six types or any declared lever.
    outcome : str
        Identifier of a registered outcome; its definition is part of the question.
    versus : str
        ``"not_yet_started"``: persons eligible in the same calendar month who have started no
        accompaniment by the end of it. They may start later: the effect is of starting now
        rather than later or never (Sianesi 2004, doi:10.1162/003465304323023723).
    estimand : str
        ``"ATT"``: average over those who entered.
    months : tuple of int
        Horizons read in the report, in months since entry; the last one bounds the follow-up.
    primary : int, optional
        The horizon declared primary, by default the last.
    eligible : tuple of str
        Panel states a person must be in during the month before entry, e.g. ``("benefit_rsa",)``.
    covariates : tuple of str
        Terms known before entry: an attribute (``"sex"``), its age at entry
        (``"birth_month.age"``), a state ``k`` months before (``"employment.lag1"``), or months
        spent in a state over the ``k`` months before (``"employment.months12"``).
        Empty means every attribute, and for every kind of state but accompaniment the lags 1, 2, 3
        and 6 and the last 6, 12 and 24 months, as far as the history reaches.
    placebo_months : tuple of (int, int)
        First and last month before entry over which treated and comparison are compared where no
        effect can exist. Lagged months matched upon belong outside it.
    first_entry, last_entry : str, optional
        ``YYYY-MM`` bounds of entry months.
    title : str
        Words of the evaluator, printed as they are.

    Examples
    --------
    >>> Question(treatment="job_search", outcome="employment_presence", months=(6, 12)).primary
    12
    """

    treatment: str
    outcome: str
    versus: str = Versus.NOT_YET_STARTED
    estimand: str = Estimand.ATT
    months: tuple[int, ...] = (6, 12, 18, 24)
    primary: int = -1
    eligible: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    placebo_months: tuple[int, int] | None = None
    first_entry: str | None = None
    last_entry: str | None = None
    title: str = ""

    def __post_init__(self) -> None:
        for name in ("months", "eligible", "covariates", "placebo_months"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
            elif value is not None and not isinstance(value, tuple):
                raise OptionError(
                    what=name,
                    needed="a list",
                    found=f"a single {type(value).__name__}",
                    remedy=f"write [{value!r}]",
                )
        choice(self.versus, tuple(Versus), what="versus")
        choice(self.estimand, tuple(Estimand), what="estimand")
        whole = all(type(m) is int for m in self.months)
        if (
            not self.months
            or not whole
            or sorted(set(self.months)) != list(self.months)
            or self.months[0] < 0
        ):
            raise OptionError(
                what="months",
                needed="increasing whole months after entry",
                found=repr(self.months),
                remedy="write for instance (6, 12, 18, 24)",
            )
        if self.primary == -1:
            object.__setattr__(self, "primary", self.months[-1])
        if self.primary not in self.months:
            raise OptionError(
                what="primary",
                needed=f"one of the question's months {self.months}",
                found=repr(self.primary),
                remedy="choose the horizon on which the conclusion rests",
            )
        if (
            self.first_entry
            and self.last_entry
            and to_index(self.last_entry) < to_index(self.first_entry)
        ):
            raise OptionError(
                what="last_entry",
                needed="a month not before first_entry",
                found=f"{self.first_entry} to {self.last_entry}",
                remedy="exchange or correct the two months",
            )
        window = self.placebo_months
        if window is not None and (len(window) != 2 or not window[0] <= window[1] < 0):
            raise OptionError(
                what="placebo_months",
                needed="two months before entry, the earlier first, both negative",
                found=repr(self.placebo_months),
                remedy="write for instance (-24, -13)",
            )
