r"""Markets with a finite number of jobs, where helping some takes jobs from others.

Seekers of market :math:`m` search with weight :math:`w_i = (1+\beta D_i)\,e^{b x_i}`, :math:`D_i`
telling who takes part. Were jobs unlimited, seeker :math:`i` would find one with probability
:math:`1 - e^{-w_i t_m}`. The number of jobs is

.. math:: J_m = (1-d)\,\sum_i (1 - e^{-w_i t_m}) + d\,\sum_i (1 - e^{-e^{b x_i} t_m}),

so that with displacement :math:`d = 1` it is what it would have been with nobody helped, and with
:math:`d = 0` each gain is a new job. They go to the :math:`J_m` seekers with the largest
:math:`\log w_i + \text{Gumbel}_i`: successive draws proportional to :math:`w_i` without replacement
(Plackett–Luce). Saturations are randomised among markets of a stratum, assignment among eligible
seekers of a market, as in Crépon, Duflo, Gurgand, Rathelot & Zamora (2013, doi:10.1093/qje/qjt001).

Each way in which real data are unlike that is an option with its own truth: tightness that moves
displacement, and saturation with it; take-up; surveys that sample arms unevenly, or one arm alone;
assignment by the covariate; seekers who cross the border of their market; help to employers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.design.markets.competition import Competition
from whatworks.design.markets.record import ELIGIBLE_SEEKERS, SEEKERS
from whatworks.errors import OptionError
from whatworks.stats.displacement.net import displacement_at
from whatworks.vocabulary import (
    MARKET,
    PERSON,
    SATURATION,
    STRATUM,
    TIGHTNESS,
    TOOK_PART,
    TREATED,
    WEIGHT,
)
from whatworks.worlds.jobs.borders import competing, on_a_circle, searched
from whatworks.worlds.jobs.hiring import assign, hire, jobs_there, take_part, whole
from whatworks.worlds.jobs.options import (
    Employers,
    FiniteJobs,
    Sampling,
    TakeUp,
    Tightness,
    fill_rate_at,
)
from whatworks.worlds.jobs.truth import (
    Conditions,
    jobs_truth,
    jobs_truth_by_tightness,
    means,
    times,
)
from whatworks.worlds.jobs.vacancies import employers_truth, support

__all__ = [
    "Employers",
    "FiniteJobs",
    "FiniteJobsWorld",
    "Sampling",
    "TakeUp",
    "Tightness",
    "displacement_at",
    "employers_truth",
    "fill_rate_at",
    "jobs_truth",
    "jobs_truth_by_tightness",
    "market_truth",
    "simulate_jobs",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

POOL_SHAPE: Final = 6.0
"""Shape of the gamma law of pool sizes."""
POOL_SMALLEST: Final = 60
ELIGIBLE_COLUMN: Final = "eligible"
SAMPLED: Final = "sampled"
SHOCK: Final = "shock"
ADDED: Final = "jobs_added"
_VARIANTS: Final = 1
"""Branch of the seed from which variants draw, so that they leave the rest as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteJobsWorld:
    """One draw.

    Parameters
    ----------
    options : FiniteJobs
    pool : DataFrame
        Every seeker: ``person_id, market, stratum, saturation, eligible, treated, x, y``;
        ``treated`` is assignment, ``y`` is 1 with a job. Where the options tell them: ``tightness``,
        ``took_part``, and ``sampled`` with ``weight``, the inverse of the chance of being surveyed.
    markets : DataFrame
        A row per market: ``market, stratum, saturation, seekers, eligible, treated, tightness,
        displacement, shock`` (factor on search time, which no file holds) and ``jobs_added`` (by
        employers, per seeker).
    vacancies : DataFrame or None
        Where employers are helped, as `whatworks.worlds.jobs.vacancies.support` makes them.
    crossing : csr_array of shape (n_markets, n_markets) or None
        Where seekers of each market look for a job.
    """

    options: FiniteJobs
    pool: pd.DataFrame
    markets: pd.DataFrame
    vacancies: pd.DataFrame | None = None
    crossing: csr_array | None = None

    @property
    def frame(self) -> pd.DataFrame:
        """The eligible who were surveyed, ready for ``Design.from_cross_section``."""
        kept = self.pool[self.pool[ELIGIBLE_COLUMN] == 1]
        if SAMPLED in kept:
            kept = kept[kept[SAMPLED] == 1].drop(columns=SAMPLED)
        return kept.drop(columns=ELIGIBLE_COLUMN).reset_index(drop=True)

    def competition(self) -> Competition:
        """Which share of the competition that seekers of each market meet comes from each market.

        Raises
        ------
        OptionError
            Where nobody crosses the border of a market.
        """
        if self.crossing is None:
            raise OptionError(
                what="competition",
                needed="a world in which some seekers cross borders",
                found="one in which nobody does",
                remedy="simulate with crossing= above 0",
            )
        size = self.markets[SEEKERS].to_numpy(dtype=float)
        return competing(self.crossing, size, self.markets[MARKET].to_numpy())


def simulate_jobs(options: FiniteJobs | None = None) -> FiniteJobsWorld:
    """Draw markets, seekers, assignments, and who gets the jobs there are.

    Examples
    --------
    >>> world = simulate_jobs(FiniteJobs(n_markets=10, seed=1))
    >>> sorted(world.frame)
    ['market', 'person_id', 'saturation', 'stratum', 'treated', 'x', 'y']
    """
    options = options or FiniteJobs()
    rng = np.random.Generator(np.random.PCG64(options.seed))
    branch = np.random.SeedSequence(options.seed, spawn_key=(_VARIANTS,))
    variants = np.random.Generator(np.random.PCG64(branch))
    markets = _markets(options, rng, variants)
    market = np.repeat(np.arange(options.n_markets), markets[SEEKERS])
    x = rng.standard_normal(market.size)
    eligible = rng.random(market.size) < options.eligible_share
    saturation = markets[SATURATION].to_numpy()
    leaning = options.selection * x if options.selection else None
    treated = assign(saturation, market, eligible, rng, leaning=leaning)
    markets[SHOCK] = np.exp(options.shock * rng.standard_normal(options.n_markets))
    for name, who in ((ELIGIBLE_SEEKERS, eligible), (TREATED, treated)):
        markets[name] = np.bincount(market, who, minlength=len(markets)).astype(np.int64)
    helped = take_part(options.take_up, x=x, eligible=eligible, treated=treated, rng=variants)
    crossing = on_a_circle(options, variants) if options.crossing else None
    place = market if crossing is None else searched(crossing, market, variants)
    base = np.exp(options.slope * x)
    weight = base * np.where(helped, 1 + options.effect, 1.0)
    offered = jobs_there(
        place,
        base=base,
        weight=weight,
        time=times(options, markets[TIGHTNESS].to_numpy()) * markets[SHOCK].to_numpy(),
        displacement=markets["displacement"].to_numpy(),
    )
    jobs = whole(offered, rng)
    vacancies, added = support(options, jobs, markets, variants)
    markets[ADDED] = added / markets[SEEKERS]
    employed = hire(place, jobs=jobs + added, weight=weight, rng=rng)
    pool = _columns(options, markets, market, eligible, treated)
    pool = pool.assign(x=x, y=employed.astype(np.float64))
    if options.take_up is not None:
        pool[TOOK_PART] = helped.astype(np.int64)
    if options.sampling is not None:
        pool = _surveyed(options.sampling, pool, variants)
    return FiniteJobsWorld(
        options=options, pool=pool, markets=markets, vacancies=vacancies, crossing=crossing
    )


def market_truth(world: FiniteJobsWorld) -> pd.DataFrame:
    r"""Effects in each market as it was drawn, were it large.

    Returns
    -------
    DataFrame
        ``market, saturation, tightness``, then ``direct``, ``spillover``, ``total`` (against nobody
        assigned anywhere, in shares), ``spillover_ineligible``, ``jobs`` (per seeker, against nobody
        assigned) and ``mean_assigned, mean_unassigned, mean_none``.
    """
    table, options = world.markets, world.options
    asked = Conditions(
        saturation=table[SATURATION].to_numpy(),
        time=times(options, table[TIGHTNESS].to_numpy()) * table[SHOCK].to_numpy(),
        displacement=table["displacement"].to_numpy(),
        added=table[ADDED].to_numpy(),
        crossing=world.crossing,
        size=table[SEEKERS].to_numpy(dtype=float),
    )
    nobody = Conditions(
        saturation=np.zeros(len(table)),
        time=asked.time,
        displacement=asked.displacement,
        added=asked.added,
        crossing=asked.crossing,
        size=asked.size,
    )
    found, none = means(options, asked), means(options, nobody)
    return table[[MARKET, SATURATION, TIGHTNESS]].assign(
        direct=found["assigned"] - found["unassigned"],
        spillover=found["unassigned"] - none["unassigned"],
        total=found["assigned"] - none["unassigned"],
        spillover_ineligible=found["ineligible"] - none["ineligible"],
        jobs=found["jobs"] - none["jobs"],
        mean_assigned=found["assigned"],
        mean_unassigned=found["unassigned"],
        mean_none=none["unassigned"],
    )


def _markets(
    options: FiniteJobs, rng: np.random.Generator, variants: np.random.Generator
) -> pd.DataFrame:
    """Pool sizes in increasing order, saturations shuffled within strata of neighbours in size."""
    n = options.n_markets
    drawn = rng.gamma(POOL_SHAPE, options.mean_pool / POOL_SHAPE, n)
    sizes = np.sort(np.maximum(np.round(drawn), POOL_SMALLEST)).astype(np.int64)
    arms = len(options.saturations)
    offered = np.tile(options.saturations, (n // arms, 1))
    saturation = rng.permuted(offered, axis=1).ravel()
    stratum = np.arange(n) // arms
    told, tightness = options.tightness, np.full(n, np.nan)
    if told is not None:
        tightness = variants.permutation(np.resize(np.array(told.values), n))
        if told.moves_saturation:
            saturation = _by_tightness(options, tightness, told.moves_saturation, variants)
            stratum = np.zeros(n, dtype=np.int64)
    return pd.DataFrame(
        {
            MARKET: np.arange(n),
            STRATUM: stratum,
            SATURATION: saturation,
            SEEKERS: sizes,
            TIGHTNESS: tightness,
            "displacement": [options.displaced_at(value) for value in tightness],
        }
    )


def _by_tightness(
    options: FiniteJobs, tightness: Floats, correlation: float, rng: np.random.Generator
) -> Floats:
    """Saturations in the order of a number correlated with the log of tightness."""
    log = np.log(tightness)
    spread = log.std()
    level = (log - log.mean()) / spread if spread else np.zeros(log.size)
    order = correlation * level + np.sqrt(1 - correlation**2) * rng.standard_normal(log.size)
    offered = np.sort(np.resize(np.array(options.saturations), log.size))
    return np.asarray(offered[np.argsort(np.argsort(order))])


def _columns(
    options: FiniteJobs, markets: pd.DataFrame, market: Ints, eligible: Bools, treated: Bools
) -> pd.DataFrame:
    """What is known of every seeker before outcomes."""
    table: dict[str, Ints | Floats] = {
        PERSON: np.arange(market.size),
        MARKET: market,
        STRATUM: markets[STRATUM].to_numpy()[market],
        SATURATION: markets[SATURATION].to_numpy()[market],
        ELIGIBLE_COLUMN: eligible.astype(np.int64),
        TREATED: treated.astype(np.int64),
    }
    if options.tightness is not None:
        table[TIGHTNESS] = markets[TIGHTNESS].to_numpy()[market]
    return pd.DataFrame(table)


def _surveyed(sampling: Sampling, pool: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Who answered, and the inverse of their chance of being asked."""
    saturation, treated = pool[SATURATION].to_numpy(), pool[TREATED].to_numpy() == 1
    rate = np.ones(len(pool))
    for share, assigned, unassigned in sampling.rates:
        here = saturation == share
        rate[here] = np.where(treated[here], assigned, unassigned)
    asked = rng.random(len(pool)) < rate
    share, lost = sampling.one_armed
    table = pool.groupby(MARKET)[SATURATION].first()
    at = table.index[table == share].to_numpy()
    silent = rng.permutation(at)[: round(lost * at.size)]
    answered = asked & (treated | ~pool[MARKET].isin(silent).to_numpy())
    weight = 1 / rate
    return pool.assign(**{SAMPLED: answered.astype(np.int64), WEIGHT: weight})
