r"""Markets with a finite number of jobs, where helping some takes jobs from others.

Seekers of market :math:`m` search with weight :math:`w_i = (1+\beta Z_i)\,e^{b x_i}`. Were jobs
unlimited, seeker :math:`i` would find one with probability :math:`1 - e^{-w_i t_m}`. The number of
jobs is

.. math:: J_m = (1-d)\,\sum_i (1 - e^{-w_i t_m}) + d\,\sum_i (1 - e^{-e^{b x_i} t_m}),

so that with displacement :math:`d = 1` it is what it would have been with nobody helped, and with
:math:`d = 0` each gain is a new job. They go to the :math:`J_m` seekers with the largest
:math:`\log w_i + \text{Gumbel}_i`: successive draws proportional to :math:`w_i` without replacement
(Plackett–Luce). Saturations are randomised among markets of a stratum, assignment among eligible
seekers of a market, as in Crépon, Duflo, Gurgand, Rathelot & Zamora (2013, doi:10.1093/qje/qjt001).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.errors import OptionError
from whatworks.vocabulary import MARKET, PERSON, SATURATION, STRATUM, TREATED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POOL_SHAPE: Final = 6.0
"""Shape of the gamma law of pool sizes."""
POOL_SMALLEST: Final = 60
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
_LAW: Final = _WEIGHTS / _WEIGHTS.sum()
"""Gauss–Hermite weights of the standard normal law at `_NODES`."""
_STEPS: Final = 200
"""Halvings of an interval; beyond the precision of a float64."""


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
        :math:`d`, from 0 (each gain is a new job) to 1 (each gain is someone's loss).
    shock : float
        :math:`\sigma`, standard deviation of the log of market conditions.
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

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise _bad("seed", "at least 0", str(self.seed))
        for name in ("eligible_share", "displacement"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise _bad(name, "a share from 0 to 1", str(value))
        if not 0 < self.base_share < 1:
            raise _bad("base_share", "a share strictly between 0 and 1", str(self.base_share))
        if not self.saturations or not all(0 <= p <= 1 for p in self.saturations):
            raise _bad("saturations", "shares from 0 to 1", str(self.saturations))
        if self.n_markets < 1 or self.n_markets % len(self.saturations):
            raise _bad("n_markets", f"a multiple of {len(self.saturations)}", str(self.n_markets))


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteJobsWorld:
    """One draw.

    Parameters
    ----------
    options : FiniteJobs
    pool : DataFrame
        Every seeker: ``person_id, market, stratum, saturation, eligible, treated, x, y``;
        ``treated`` is assignment, ``y`` is 1 with a job.
    """

    options: FiniteJobs
    pool: pd.DataFrame

    @property
    def frame(self) -> pd.DataFrame:
        """The eligible, ready for ``Design.from_cross_section``: ``pool`` without the others."""
        kept = self.pool[self.pool["eligible"] == 1]
        return kept.drop(columns="eligible").reset_index(drop=True)


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
    sizes, saturation, stratum = _markets(options, rng)
    market = np.repeat(np.arange(options.n_markets), sizes)
    x = rng.standard_normal(market.size)
    eligible = rng.random(market.size) < options.eligible_share
    treated = _assign(saturation, market, eligible, rng)
    shocks = np.exp(options.shock * rng.standard_normal(options.n_markets))
    time = _no_help_time(options) * shocks[market]
    employed = _match(options, market=market, treated=treated, x=x, time=time, rng=rng)
    pool = pd.DataFrame(
        {
            PERSON: np.arange(market.size),
            MARKET: market,
            STRATUM: stratum[market],
            SATURATION: saturation[market],
            "eligible": eligible.astype(np.int64),
            TREATED: treated.astype(np.int64),
            "x": x,
            "y": employed.astype(np.float64),
        }
    )
    return FiniteJobsWorld(options=options, pool=pool)


def jobs_truth(options: FiniteJobs | None = None) -> pd.DataFrame:
    r"""Effects in large markets without shocks, in closed form.

    Returns
    -------
    DataFrame
        A row per saturation ``p``: ``direct`` :math:`\mu(1,p)-\mu(0,p)`, ``spillover``
        :math:`\mu(0,p)-\mu(0,0)`, ``total`` :math:`\mu(1,p)-\mu(0,0)`, ``net_eligible`` (jobs per
        100 assigned, among the eligible) and ``net_pool`` (over all seekers; both NaN at 0), all
        but the last two in shares. Cells that no one is in, ``direct`` and ``total`` at 0 and
        ``spillover`` at 1, are limits of large markets.

    Notes
    -----
    With :math:`G_z(t) = E[1-e^{-(1+\beta z)e^{bx}t}]`, :math:`G_0(t_0)=h_0` sets :math:`t_0`, and
    :math:`\omega p\,G_1(t)+(1-\omega p)\,G_0(t) = h_0+(1-d)\,\omega p\,(G_1(t_0)-h_0)` sets
    :math:`t(p)`; :math:`\mu(z,p)=G_z(t(p))`. Net jobs per 100 assigned over the pool are
    :math:`100(1-d)(G_1(t_0)-h_0)` at every saturation.
    """
    options = options or FiniteJobs()
    omega, h0 = options.eligible_share, options.base_share
    micro = _found(options, _no_help_time(options), helped=True) - h0
    rows = []
    for p in options.saturations:
        share = omega * p
        jobs = h0 + (1 - options.displacement) * share * micro
        time = _time_for(options, jobs, helped_share=share)
        one, zero = (_found(options, time, helped=helped) for helped in (True, False))
        total, spillover = one - h0, zero - h0
        rows.append(
            {
                SATURATION: p,
                "direct": one - zero,
                "spillover": spillover,
                "total": total,
                "net_eligible": 100 * (total + spillover * (1 - p) / p) if p else np.nan,
                "net_pool": 100 * (total + spillover * (1 - share) / share) if share else np.nan,
            }
        )
    return pd.DataFrame(rows)


def displacement_at(tightness: float, *, elasticity: float = 1.27) -> float:
    r"""Displacement :math:`d(\theta) = 1/(1+\theta^\iota)` of a market of tightness :math:`\theta`.

    One minus the elasticity to search effort of the matching function
    :math:`SV/(S^\iota+V^\iota)^{1/\iota}` (den Haan, Ramey & Watson 2000,
    doi:10.1257/aer.90.3.482).

    >>> round(displacement_at(0.5), 3)
    0.707
    """
    return float(1 / (1 + tightness**elasticity))


def _markets(options: FiniteJobs, rng: np.random.Generator) -> tuple[Ints, Floats, Ints]:
    """Pool sizes in increasing order, saturations shuffled within strata of neighbours in size."""
    drawn = rng.gamma(POOL_SHAPE, options.mean_pool / POOL_SHAPE, options.n_markets)
    sizes = np.sort(np.maximum(np.round(drawn), POOL_SMALLEST)).astype(np.int64)
    arms = len(options.saturations)
    offered = np.tile(options.saturations, (options.n_markets // arms, 1))
    return sizes, rng.permuted(offered, axis=1).ravel(), np.arange(options.n_markets) // arms


def _assign(
    saturation: Floats, market: Ints, eligible: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Assign at random each market's share of its eligible, rounded up or down by chance."""
    count = np.bincount(market, eligible, minlength=saturation.size)
    places = np.floor(saturation * count + rng.random(saturation.size))
    key = np.where(eligible, rng.random(market.size), 2.0)
    return eligible & (_rank(market, key) < np.minimum(places, count)[market])


def _match(
    options: FiniteJobs,
    *,
    market: Ints,
    treated: NDArray[np.bool_],
    x: Floats,
    time: Floats,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Who gets the jobs of each market."""
    base = np.exp(options.slope * x)
    weight = base * np.where(treated, 1 + options.effect, 1.0)
    with_help, without = (np.bincount(market, -np.expm1(-w * time)) for w in (weight, base))
    jobs = (1 - options.displacement) * with_help + options.displacement * without
    jobs = np.floor(jobs + rng.random(jobs.size))
    key = np.log(weight) + rng.gumbel(size=x.size)
    return np.asarray(_rank(market, -key) < jobs[market])


def _rank(market: Ints, key: Floats) -> Ints:
    """Rank from 0 of each key in its market, smallest first; ``market`` is sorted."""
    order = np.lexsort((key, market))
    first = np.searchsorted(market, market)
    rank = np.empty(market.size, dtype=np.int64)
    rank[order] = np.arange(market.size) - first
    return rank


def _found(options: FiniteJobs, time: float, *, helped: bool) -> float:
    """Share who find a job by ``time`` in an unlimited market."""
    weight = (1 + options.effect * helped) * np.exp(options.slope * _NODES)
    return float(_LAW @ -np.expm1(-weight * time))


def _no_help_time(options: FiniteJobs) -> float:
    return _time_for(options, options.base_share, helped_share=0.0)


def _time_for(options: FiniteJobs, share: float, *, helped_share: float) -> float:
    """Search time at which this share of a market has a job, by bisection."""
    low, high = 0.0, 1.0
    while _mixed(options, high, helped_share) < share:
        high *= 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _mixed(options, middle, helped_share) < share else (low, middle)
        )
    return (low + high) / 2


def _mixed(options: FiniteJobs, time: float, helped_share: float) -> float:
    return helped_share * _found(options, time, helped=True) + (1 - helped_share) * _found(
        options, time, helped=False
    )


def _bad(what: str, needed: str, found: str) -> OptionError:
    return OptionError(what=what, needed=needed, found=found, remedy="correct the option")
