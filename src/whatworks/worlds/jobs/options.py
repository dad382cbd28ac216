"""Options of a world of finite jobs, and of what may be unlike a clean experiment in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from whatworks.errors import OptionError
from whatworks.stats.displacement.net import ELASTICITY, displacement_at


def fill_rate_at(tightness: float, *, elasticity: float = ELASTICITY) -> float:
    r"""Share of vacancies filled, :math:`M/V = (1+\theta^\iota)^{-1/\iota}`, by the same matching.

    >>> round(fill_rate_at(1.0), 3)
    0.579
    """
    return float((1 + tightness**elasticity) ** (-1 / elasticity))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tightness:
    r"""Markets of unlike tightness: displacement, and how many find a job, go with it.

    Parameters
    ----------
    values : tuple of float
        Vacancies per seeker :math:`\theta`; as many markets have each.
    level : float
        :math:`\kappa`: search brings :math:`\theta^\kappa` times as many offers.
    moves_saturation : float
        From −1 to 1, correlation of saturation with the log of tightness; other than 0, saturations
        are decided, not drawn by strata, and comparing markets is confounded.
    """

    values: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)
    level: float = 0.0
    moves_saturation: float = 0.0

    def __post_init__(self) -> None:
        if not self.values or not all(value > 0 for value in self.values):
            raise bad("tightness", "positive numbers of vacancies per seeker", str(self.values))
        if not -1 <= self.moves_saturation <= 1:
            raise bad("moves_saturation", "from -1 to 1", str(self.moves_saturation))


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeUp:
    """Who takes part, of those assigned and of the eligible who are not.

    Parameters
    ----------
    assigned, unassigned : float
        Shares at an average covariate; a positive second one makes non-compliance two-sided.
    leaning : float
        How much the covariate moves the log odds of taking part.
    """

    assigned: float = 0.45
    unassigned: float = 0.0
    leaning: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.unassigned < self.assigned <= 1:
            raise bad(
                "take_up",
                "shares from 0 to 1, larger among the assigned",
                f"{self.assigned} assigned and {self.unassigned} unassigned",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """A survey of the eligible, in which shares assigned are not those of the design.

    Parameters
    ----------
    rates : tuple of (float, float, float)
        A saturation, the share surveyed of its assigned, and of its unassigned. Saturations not told
        are surveyed whole.
    one_armed : tuple of (float, float)
        A saturation, and the share of its markets in which no unassigned person answered.
    """

    rates: tuple[tuple[float, float, float], ...] = ()
    one_armed: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not all(0 < rate <= 1 for row in self.rates for rate in row[1:]):
            raise bad("rates", "shares above 0, up to 1", str(self.rates))
        if not 0 <= self.one_armed[1] < 1:
            raise bad("one_armed", "a share of markets below 1", str(self.one_armed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Employers:
    r"""Help to employers: jobs added, some of them taken from other firms.

    Parameters
    ----------
    saturations : tuple of float
        Shares of the employers of a market supported; each stratum of employers has one market of
        each.
    additional : float
        :math:`\varphi`, vacancies filled in addition per supported vacancy.
    from_others : float
        Of those, the share that other firms of the market leave unfilled instead.
    vacancies_each : int
        Vacancies an employer posts.
    """

    saturations: tuple[float, ...] = (0.0, 0.5)
    additional: float = 0.1
    from_others: float = 0.0
    vacancies_each: int = 3

    def __post_init__(self) -> None:
        shares = (*self.saturations, self.additional, self.from_others)
        if not self.saturations or not all(0 <= share <= 1 for share in shares):
            raise bad("employers", "shares from 0 to 1", str(shares))
        if self.vacancies_each < 1:
            raise bad("vacancies_each", "at least 1", str(self.vacancies_each))


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteJobs:
    r"""Options of a world of finite jobs.

    Parameters
    ----------
    seed : int
    n_markets : int
        A multiple of the number of saturations.
    mean_pool : float
        Average number of seekers of a market; gamma law of shape 6, at least 60.
    eligible_share : float
        :math:`\omega`, share of seekers who may be assigned.
    saturations : tuple of float
        Shares of the eligible assigned; each stratum has one market of each.
    effect : float
        :math:`\beta`, by how much help multiplies search, less one.
    base_share : float
        :math:`h_0`, share who find a job when nobody is helped.
    slope : float
        :math:`b`, how much the covariate moves search.
    displacement : float
        :math:`d`, from 0 (each gain is a new job) to 1 (each gain is someone's loss). Not read where
        `tightness` is told.
    shock : float
        :math:`\sigma`, standard deviation of the log of market conditions.
    vacancy_response : float
        :math:`\varepsilon`: displacement is multiplied by :math:`1-\varepsilon`; at 1, firms have
        opened as many vacancies as searchers call for, and nobody is displaced.
    selection : float
        How much the covariate moves assignment within a market; 0 draws it.
    crossing : float
        Share of seekers who look for a job in one of two neighbouring markets instead of theirs, which
        is the share of jobs filled from outside.
    tightness, take_up, sampling, employers : optional
        Variants, each told by its own record.
    """

    seed: int = 0
    n_markets: int = 235
    mean_pool: float = 180.0
    eligible_share: float = 0.5
    saturations: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    effect: float = 0.5
    base_share: float = 0.3
    slope: float = 0.5
    displacement: float = 0.7
    shock: float = 0.1
    vacancy_response: float = 0.0
    selection: float = 0.0
    crossing: float = 0.0
    tightness: Tightness | None = None
    take_up: TakeUp | None = None
    sampling: Sampling | None = None
    employers: Employers | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise bad("seed", "at least 0", str(self.seed))
        for name in ("eligible_share", "displacement", "vacancy_response", "crossing"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise bad(name, "a share from 0 to 1", str(value))
        if not 0 < self.base_share < 1:
            raise bad("base_share", "a share strictly between 0 and 1", str(self.base_share))
        if self.effect <= -1:
            raise bad("effect", "more than -1", str(self.effect))
        if not self.saturations or not all(0 <= p <= 1 for p in self.saturations):
            raise bad("saturations", "shares from 0 to 1", str(self.saturations))
        arms = [self.saturations, self.employers.saturations if self.employers else (0.0,)]
        for shares in arms:
            if self.n_markets < 1 or self.n_markets % len(shares):
                raise bad("n_markets", f"a multiple of {len(shares)}", str(self.n_markets))
        if self.crossing and self.n_markets < FEWEST_ROUND:
            raise bad("n_markets", f"at least {FEWEST_ROUND} where some cross", str(self.n_markets))

    def displaced_at(self, tightness: float) -> float:
        """Displacement of a market, vacancies having responded; its tightness is read where told."""
        told = self.displacement if self.tightness is None else displacement_at(tightness)
        return (1 - self.vacancy_response) * told


FEWEST_ROUND: Final = 3
"""Markets on a circle on which each has two neighbours."""


def bad(what: str, needed: str, found: str) -> OptionError:
    """Refusal of an option out of range."""
    return OptionError(what=what, needed=needed, found=found, remedy="correct the option")
