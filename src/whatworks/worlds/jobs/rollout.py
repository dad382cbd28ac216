r"""A programme that opens market after market, where each month's jobs are finite.

Month by month, whoever has no job looks for one with weight :math:`w_i=(1+\beta_kH_i)e^{bx_i}`,
:math:`k` being the months since a person was enrolled, and jobs lost by chance put people back among
those who look. The jobs of market :math:`m` in month :math:`t`,

.. math:: J_{mt} = (1-d_m)\sum_i(1-e^{-w_it_m}) + d_m\sum_i(1-e^{-e^{bx_i}t_m}),

sum over those who look *that month*, so that what one finds, another looks for in the months that
follow. A market opens once and for all: that month a share of its eligible is enrolled, at random, or
those who worked least lately; slack markets may open first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.stats.displacement.net import displacement_at
from whatworks.vocabulary import MARKET, PERSON, SATURATION, TIGHTNESS
from whatworks.worlds.jobs.hiring import assign, hired_above, jobs_there, whole
from whatworks.worlds.jobs.options import bad
from whatworks.worlds.jobs.search import Search

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOT_ENROLLED: Final = 0
"""``first_treated`` of persons never enrolled, and ``opened`` of markets that never open."""
BURN_IN: Final = 36
"""Months lived before the window, from nobody at work, so that it opens in a steady state."""
RECENT: Final = 6
"""Months of history that select."""
POOL_SHAPE: Final = 6.0
POOL_SMALLEST: Final = 60
PERIOD: Final = "period"
OPENED: Final = "opened"
FIRST_TREATED: Final = "first_treated"
_MONTHS_BRANCH: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRollout:
    r"""Options of a rollout where jobs are finite.

    Parameters
    ----------
    seed : int
    n_markets : int
    mean_pool : float
        Average number of persons of a market; gamma law of shape 6, at least 60.
    n_months : int
        Months are numbered from 1.
    openings : tuple of (int, float)
        Month of opening and share of markets of each cohort; the others never open.
    saturations : tuple of float
        Shares of the eligible enrolled, in turn among markets that open.
    eligible_share : float
    effect : tuple of float
        :math:`\beta_k` by month since enrolment, that of enrolment first; the last one goes on.
    base_share : float
        Share of those who look who find a job in a month when nobody is helped, at an average market.
    leaves : float
        Chance that a job ends in a month.
    slope : float
    displacement : float
        Not read where `tightness` is told.
    tightness : tuple of float
        Vacancies per seeker; as many markets have each. Empty: all alike.
    level : float
        :math:`\kappa`: search brings :math:`\theta^\kappa` times as many offers.
    slack_first : float
        From 0 to 1, how surely slack markets open before tight ones.
    selection : float
        By how much a month worked among the last six lowers the log odds of being enrolled.
    shock : float
        Standard deviation of the log of a market's conditions, each month anew.
    """

    seed: int = 0
    n_markets: int = 60
    mean_pool: float = 180.0
    n_months: int = 30
    openings: tuple[tuple[int, float], ...] = ((11, 0.3), (17, 0.3))
    saturations: tuple[float, ...] = (0.5,)
    eligible_share: float = 0.5
    effect: tuple[float, ...] = (-0.3, -0.3, 1.0)
    base_share: float = 0.08
    leaves: float = 0.04
    slope: float = 0.5
    displacement: float = 0.7
    tightness: tuple[float, ...] = ()
    level: float = 0.0
    slack_first: float = 0.0
    selection: float = 0.0
    shock: float = 0.05

    def __post_init__(self) -> None:
        if self.seed < 0 or self.n_markets < 1:
            raise bad("n_markets", "at least 1, and a seed of at least 0", str(self.n_markets))
        for name in ("eligible_share", "displacement", "slack_first", "leaves", "base_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise bad(name, "a share from 0 to 1", str(getattr(self, name)))
        if not self.saturations or not all(0 < p <= 1 for p in self.saturations):
            raise bad("saturations", "shares above 0, up to 1", str(self.saturations))
        months = [month for month, _ in self.openings]
        if len(set(months)) < len(months) or not all(
            RECENT < month <= self.n_months for month in months
        ):
            raise bad(
                "openings", f"distinct months after {RECENT}, up to {self.n_months}", str(months)
            )
        shares = [share for _, share in self.openings]
        if min((0.0, *shares)) < 0 or sum(shares) > 1:
            raise bad("openings", "shares of markets of at most 1 in all", str(shares))
        if not self.effect or min(self.effect) <= -1:
            raise bad("effect", "numbers above -1, one at least", str(self.effect))
        if not all(value > 0 for value in self.tightness):
            raise bad("tightness", "positive numbers", str(self.tightness))

    @classmethod
    def of_size(cls, *, persons: int | None = None, seed: int | None = None) -> JobsRollout:
        """The default world with about so many persons, in markets of 150.

        >>> JobsRollout.of_size(persons=3_000, seed=1).n_markets
        20
        """
        plain = cls(mean_pool=150.0, tightness=(0.5, 1.0, 2.0))
        markets = plain.n_markets if persons is None else max(6, round(persons / plain.mean_pool))
        return replace(plain, n_markets=markets, seed=plain.seed if seed is None else seed)

    def displaced_at(self, tightness: float) -> float:
        """Displacement of a market."""
        return displacement_at(tightness) if self.tightness else self.displacement

    def effect_since(self, months: Ints) -> Floats:
        r""":math:`\beta_k` by months since enrolment, 0 before."""
        curve = np.array(self.effect)
        return np.where(months >= 0, curve[np.clip(months, 0, curve.size - 1)], 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRolloutWorld:
    r"""One draw.

    Parameters
    ----------
    options : JobsRollout
    persons : DataFrame
        ``person_id, market, eligible, x, first_treated`` (month of enrolment, 0 for none),
        ``opened`` (month in which the market opens, 0 for never), ``saturation, tightness``.
    markets : DataFrame
        ``market, seekers`` (its persons), ``tightness, displacement, opened, saturation``.
    employed : ndarray of bool, shape (n_months, n_persons)
    bars : ndarray of shape (n_months, 2, n_markets)
        What :math:`\log w_i+\text{Gumbel}_i` had to pass to be hired that month: of someone who was not, and
        of someone who was.
    """

    options: JobsRollout
    persons: pd.DataFrame
    markets: pd.DataFrame
    employed: Bools
    bars: Floats

    @property
    def frame(self) -> pd.DataFrame:
        """Eligible persons by month, ready for ``Design.from_panel``.

        ``person_id, market, period, first_treated, opened, saturation, tightness, x, y``, sorted by
        person then period; ``y`` is 1 at work.
        """
        kept = np.flatnonzero(self.persons["eligible"].to_numpy() == 1)
        people = self.persons.iloc[kept].drop(columns="eligible")
        months = self.options.n_months
        table = people.loc[people.index.repeat(months)].reset_index(drop=True)
        table[PERIOD] = np.tile(np.arange(1, months + 1), kept.size)
        return table.assign(y=self.employed[:, kept].T.ravel().astype(np.float64))


def simulate_rollout(
    options: JobsRollout | None = None, *, programme: bool = True
) -> JobsRolloutWorld:
    """Live through the months.

    Parameters
    ----------
    options : JobsRollout, optional
    programme : bool
        False: the same persons and the same chances, in markets that never open.

    Examples
    --------
    >>> world = simulate_rollout(JobsRollout(n_markets=6, mean_pool=60))
    >>> world.employed.shape[0], sorted(world.markets["opened"].unique().tolist())
    (30, [0, 11, 17])
    """
    options = options or JobsRollout()
    rng = np.random.Generator(np.random.PCG64(options.seed))
    markets = _markets(options, rng)
    n = int(markets["seekers"].sum())
    market = np.repeat(np.arange(options.n_markets), markets["seekers"])
    x = rng.standard_normal(n)
    eligible = rng.random(n) < options.eligible_share
    if not programme:
        markets = markets.assign(**{OPENED: NOT_ENROLLED, SATURATION: 0.0})
    lived = _live(options, markets, market=market, x=x, eligible=eligible)
    persons = pd.DataFrame(
        {
            PERSON: np.arange(n),
            MARKET: market,
            "eligible": eligible.astype(np.int64),
            "x": x,
            FIRST_TREATED: lived.enrolled,
        }
    )
    for name in (OPENED, SATURATION, TIGHTNESS):
        persons[name] = markets[name].to_numpy()[market]
    return JobsRolloutWorld(
        options=options,
        persons=persons,
        markets=markets,
        employed=lived.employed,
        bars=lived.bars,
    )


@dataclass(frozen=True, slots=True)
class _Lived:
    employed: Bools
    enrolled: Ints
    bars: Floats


def month_draws(options: JobsRollout) -> np.random.Generator:
    """Chances of successive months, the same whatever the programme."""
    branch = np.random.SeedSequence(options.seed, spawn_key=(_MONTHS_BRANCH,))
    return np.random.Generator(np.random.PCG64(branch))


def search_time(options: JobsRollout, tightness: Floats) -> Floats:
    """Search time of a month without shocks, by market."""
    search = Search(effect=0.0, slope=options.slope)
    moved = np.where(np.isnan(tightness), 1.0, tightness) ** options.level
    return np.asarray(search.time_without_help(options.base_share) * moved)


def _live(
    options: JobsRollout, markets: pd.DataFrame, *, market: Ints, x: Floats, eligible: Bools
) -> _Lived:
    """Enrolment, then work, month after month."""
    rng = month_draws(options)
    n, months = market.size, options.n_months
    time = search_time(options, markets[TIGHTNESS].to_numpy())
    displacement = markets["displacement"].to_numpy()
    opened, saturation = markets[OPENED].to_numpy(), markets[SATURATION].to_numpy()
    base = np.exp(options.slope * x)
    work, enrolled = np.zeros(n, dtype=bool), np.full(n, NOT_ENROLLED, dtype=np.int64)
    employed = np.zeros((months, n), dtype=bool)
    bars = np.zeros((months, 2, time.size))
    for month in range(1 - BURN_IN, months + 1):
        shock = np.exp(options.shock * rng.standard_normal(time.size))
        leaves, gumbel = rng.random(n) < options.leaves, rng.gumbel(size=n)
        whom, rounding = rng.spawn(2)
        if month in opened and month > 0:
            lately = employed[max(month - 1 - RECENT, 0) : month - 1].sum(axis=0)
            share = np.where(opened == month, saturation, 0.0)
            leaning = -options.selection * lately if options.selection else None
            enters = assign(share, market, eligible, whom, leaning=leaning)
            enrolled[enters] = month
        since = np.where(enrolled > NOT_ENROLLED, month - enrolled, -1)
        weight = base * (1 + options.effect_since(since))
        looks = np.flatnonzero(~work)
        jobs = jobs_there(
            market[looks],
            base=base[looks],
            weight=weight[looks],
            time=time * shock,
            displacement=displacement,
        )
        key = np.log(weight[looks]) + gumbel[looks]
        hired, passed = hired_above(market[looks], key, jobs=whole(jobs, rounding))
        work = work & ~leaves
        work[looks[hired]] = True
        if month > 0:
            employed[month - 1], bars[month - 1] = work, passed
    return _Lived(employed=employed, enrolled=enrolled, bars=bars)


def _markets(options: JobsRollout, rng: np.random.Generator) -> pd.DataFrame:
    """Sizes, tightness, and when each market opens."""
    n = options.n_markets
    drawn = rng.gamma(POOL_SHAPE, options.mean_pool / POOL_SHAPE, n)
    sizes = np.maximum(np.round(drawn), POOL_SMALLEST).astype(np.int64)
    tightness = np.full(n, np.nan)
    if options.tightness:
        tightness = rng.permutation(np.resize(np.array(options.tightness), n))
    by_slack = np.argsort(np.argsort(np.where(np.isnan(tightness), 0.0, tightness))) / n
    rho = options.slack_first
    order = np.argsort(rho * by_slack + (1 - rho) * rng.random(n), kind="stable")
    opened, saturation = np.full(n, NOT_ENROLLED, dtype=np.int64), np.zeros(n)
    done = 0
    for month, share in options.openings:
        here = order[done : done + round(share * n)]
        opened[here] = month
        saturation[here] = np.resize(np.array(options.saturations), here.size)
        done += here.size
    return pd.DataFrame(
        {
            MARKET: np.arange(n),
            "seekers": sizes,
            TIGHTNESS: tightness,
            "displacement": [options.displaced_at(value) for value in tightness],
            OPENED: opened,
            SATURATION: saturation,
        }
    )
