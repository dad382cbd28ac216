"""The question, written before any outcome is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from whatworks.errors import OptionError, choice
from whatworks.months import to_index
from whatworks.vocabulary import COMMUNE, DEPARTEMENT, ZONE, Estimand, LaterStarts, Versus

LEVELS: Final = (COMMUNE, ZONE, DEPARTEMENT)
"""Territories a question may be limited to."""
Arms = tuple[str, str, int | None, int | None]


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
        ``"no_accompaniment"``: persons in none that month, whatever other type they had before.
        ``"never_in_window"``: persons in none over the whole panel. Allowed, and a caution stays on
        the design, for this conditions on the future (Fredriksson & Johansson 2008, *Journal of
        Business & Economic Statistics* 26(4), 435–445).
        The code of another accompaniment: those who enter that one in the same month (Lechner 2001,
        doi:10.1007/978-3-642-57615-7_3).
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
        (``"birth_month.age"``), a state ``k`` months before (``"employment.lag1"``), months spent in
        a state over the ``k`` months before (``"employment.months12"``), and the other terms of
        ``whatworks.design.covariates``. Empty means every attribute, and for every kind of state but
        accompaniment the lags 1, 2, 3 and 6, the last 6, 12 and 24 months and the spells of the
        longest of them, as far as the history reaches; and how tight the labour market was.
    territories : tuple of str
        Where a person lives the month before entry, in any of these: ``"departement=08"``,
        ``"zone=2103"``, ``"commune=08105"``.
    ages : tuple of (int, int), optional
        Youngest and oldest age at entry, in completed years, both included.
    born : str
        Attribute that holds the month of birth.
    washout : int, optional
        Months before entry without the types that must be absent: all of them for
        ``not_yet_started`` and ``never_in_window``, the treatment for ``no_accompaniment``, the two
        types for a pair. By default they must never have been there, as far as the panel sees; with
        a number a person may enter several times.
    elapsed_in : str, optional
        State in which a person must be the month before entry, and in whose elapsed months treated
        and comparison are aligned exactly.
    elapsed_band : int
        Months of elapsed duration taken as equal.
    after, within : str and int, optional
        A sequence: the treatment is entered by persons who were in ``after`` during the ``within``
        months before. Comparisons were too, in the same months, and have not entered the treatment.
    stay_at_least, stay_at_most : int, optional
        Months of stay that define the treatment. Everyone compared began it in the same month. Who
        is treated is told at the landmark, the first month in which the length is known, and months
        since entry are counted from there: nobody is taken for treated by months yet to come.
        Covariates come from before the stay began.
    later_starts : str
        ``"keep"``: comparisons that start later remain what they were, the effect is of now against
        waiting. ``"censor"``: they leave at that month, and those who remain stand for them.
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
    territories: tuple[str, ...] = ()
    ages: tuple[int, int] | None = None
    born: str = "birth_month"
    washout: int | None = None
    elapsed_in: str | None = None
    elapsed_band: int = 1
    after: str | None = None
    within: int | None = None
    stay_at_least: int | None = None
    stay_at_most: int | None = None
    later_starts: str = LaterStarts.KEEP
    covariates: tuple[str, ...] = ()
    placebo_months: tuple[int, int] | None = None
    first_entry: str | None = None
    last_entry: str | None = None
    title: str = ""

    def __post_init__(self) -> None:
        for name in ("months", "eligible", "territories", "ages", "covariates", "placebo_months"):
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
        choice(self.estimand, tuple(Estimand), what="estimand")
        choice(self.later_starts, tuple(LaterStarts), what="later_starts")
        self._check_horizons()
        self._check_entries()
        self._check_rules()
        self._check_definition()

    @property
    def other_type(self) -> str | None:
        """Accompaniment whose entrants are the comparison, or None."""
        return None if self.versus in tuple(Versus) else self.versus

    @property
    def arms(self) -> Arms:
        """What tells who is treated and who is compared, eligibility and washout apart."""
        return (self.treatment, self.versus, self.stay_at_least, self.stay_at_most)

    @property
    def landmark(self) -> tuple[str | None, int]:
        """Accompaniment whose length of stay is the treatment, and months from its start to entry."""
        if self.stay_at_least is not None:
            return self.treatment, self.stay_at_least
        if self.stay_at_most is not None:
            return self.treatment, self.stay_at_most + 1
        return None, 0

    def _check_horizons(self) -> None:
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
        window = self.placebo_months
        if window is not None and (len(window) != 2 or not window[0] <= window[1] < 0):
            raise OptionError(
                what="placebo_months",
                needed="two months before entry, the earlier first, both negative",
                found=repr(self.placebo_months),
                remedy="write for instance (-24, -13)",
            )

    def _check_entries(self) -> None:
        first, last = self.first_entry, self.last_entry
        if first and last and to_index(last) < to_index(first):
            raise OptionError(
                what="last_entry",
                needed="a month not before first_entry",
                found=f"{first} to {last}",
                remedy="exchange or correct the two months",
            )

    def _check_rules(self) -> None:
        for place in self.territories:
            level, _, code = place.partition("=")
            if level not in LEVELS or not code:
                raise OptionError(
                    what="territories",
                    needed="level=code, the level one of " + ", ".join(LEVELS),
                    found=repr(place),
                    remedy="write for instance 'departement=08'",
                )
        if self.ages is not None and (len(self.ages) != 2 or self.ages[0] > self.ages[1]):
            raise OptionError(
                what="ages",
                needed="the youngest and the oldest age, in years",
                found=repr(self.ages),
                remedy="write for instance (25, 49)",
            )
        counted = ("washout", "within", "elapsed_band", "stay_at_least", "stay_at_most")
        for name in counted:
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise OptionError(
                    what=name,
                    needed="a whole number of months, 1 or more",
                    found=repr(value),
                    remedy="write such a number or leave it out",
                )

    def _check_definition(self) -> None:
        """Sequences and lengths of stay: one of them, whole, and with a comparison that has a clock."""
        if (self.after is None) != (self.within is None):
            raise OptionError(
                what="after",
                needed="'after' and 'within' together",
                found="one of the two",
                remedy="write for instance after='job_search', within=12",
            )
        given = [n for n in ("after", "stay_at_least", "stay_at_most") if getattr(self, n)]
        if len(given) > 1:
            raise OptionError(
                what="treatment",
                needed="at most one of after, stay_at_least and stay_at_most",
                found=" and ".join(given),
                remedy="ask them as several questions",
            )
        same = {self.treatment, self.after} & {self.versus} or {self.treatment} & {self.after}
        if same:
            raise OptionError(
                what="versus",
                needed="accompaniments that differ",
                found=f"{min(str(s) for s in same)!r} in two parts",
                remedy="name another one",
            )
        allowed = self.versus == Versus.NOT_YET_STARTED
        if given == ["after"]:
            allowed = self.versus != Versus.NEVER_IN_WINDOW
        if given and not allowed:
            raise OptionError(
                what=f"versus with {given[0]}",
                needed="'not_yet_started': those at the same landmark who have not met the definition",
                found=repr(self.versus),
                remedy="leave versus out, or leave out the definition of the treatment",
            )
