r"""Vacancies as rows, and what helping employers fill theirs does to the others.

Of :math:`v` vacancies of supported employers, :math:`v\varphi` are filled in addition; the share
:math:`\kappa` of those hires comes from other firms, whose vacancies stay empty instead. With
:math:`s` the share of a market's vacancies under support,

.. math:: TT=\varphi,\qquad SNT=-\kappa\varphi\frac{s}{1-s},\qquad DE=TT-SNT,

and the market has :math:`100\,\varphi\,(1-\kappa)` more jobs per 100 supported vacancies.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.vocabulary import MARKET, SATURATION, STRATUM, TIGHTNESS, TREATED
from whatworks.worlds.jobs.hiring import assign, rank_within, whole
from whatworks.worlds.jobs.options import Employers, FiniteJobs, fill_rate_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

VACANCY: Final = "vacancy_id"
EMPLOYER: Final = "employer"
POSTED: Final = "posted"
FILLED: Final = "filled"
WITHDRAWN: Final = "withdrawn"
POSTING_DAYS: Final = 30
"""Days over which vacancies are posted."""
FOLLOWED_DAYS: Final = 90
"""Days a vacancy is followed after it is posted."""
WITHDRAWN_SHARE: Final = 0.6
"""Of vacancies not filled: taken back within the days followed."""


def support(
    options: FiniteJobs, jobs: Floats, markets: pd.DataFrame, rng: np.random.Generator
) -> tuple[pd.DataFrame | None, Floats]:
    """Vacancies of every market, and the jobs that support adds to each.

    Parameters
    ----------
    options : FiniteJobs
    jobs : ndarray of shape (n_markets,)
        Jobs without support, in whole numbers.
    markets : DataFrame
    rng : Generator

    Returns
    -------
    vacancies : DataFrame or None
        ``vacancy_id, market, stratum, saturation, employer, treated, posted, filled, withdrawn`` and
        ``tightness`` where told: ``saturation`` is the share of the market's employers supported by
        design, ``treated`` the employer's support, the last three days (NaN where it did not happen:
        a vacancy neither filled nor withdrawn is still open 90 days after it was posted). None where
        employers are not in the world.
    added : ndarray of shape (n_markets,)
    """
    told = options.employers
    if told is None:
        return None, np.zeros(len(markets))
    tightness = markets[TIGHTNESS].to_numpy()
    rate = np.array([fill_rate_at(1.0 if np.isnan(value) else value) for value in tightness])
    posted = np.maximum(np.ceil(jobs / rate), 2 * told.vacancies_each).astype(np.int64)
    market = np.repeat(np.arange(posted.size), posted)
    employer = _employers(market, posted, told.vacancies_each)
    saturation, stratum = _saturations(told, posted.size, rng)
    owner = pd.Series(market).groupby(employer).first().to_numpy()
    helped = assign(saturation, owner, np.ones(owner.size, dtype=bool), rng)[employer]
    without = rank_within(market, rng.random(market.size)) < jobs[market]
    filled = _with_support(told, market, helped=helped, filled=without, rng=rng)
    n = posted.size
    added = _counted(market, filled, n) - _counted(market, without, n)
    table = pd.DataFrame(
        {
            VACANCY: np.arange(market.size),
            MARKET: market,
            STRATUM: stratum[market],
            SATURATION: saturation[market],
            EMPLOYER: employer,
            TREATED: helped.astype(np.int64),
            **_days(filled, rng),
        }
    )
    if options.tightness is not None:
        table[TIGHTNESS] = tightness[market]
    return table, added


def employers_truth(options: FiniteJobs) -> pd.DataFrame:
    """Effects of support on the chance that a vacancy is filled within the days followed.

    Returns
    -------
    DataFrame
        A row per share of employers supported: ``saturation, direct, spillover, total`` (in shares;
        ``spillover`` and ``direct`` are NaN where all are supported) and ``net`` (jobs of the market
        per 100 supported vacancies, NaN at 0), where seekers are not rationed.
    """
    told = options.employers or Employers()
    s = np.array(told.saturations)
    others = np.where(s < 1, 1 - s, np.nan)
    spillover = -told.from_others * told.additional * s / others
    total = np.full(s.size, told.additional)
    net = np.where(s > 0, 100 * told.additional * (1 - told.from_others), np.nan)
    return pd.DataFrame(
        {
            SATURATION: s,
            "direct": total - spillover,
            "spillover": spillover,
            "total": total,
            "net": net,
        }
    )


def _employers(market: Ints, posted: Ints, each: int) -> Ints:
    """Number of the employer of each vacancy: successive ones of a market are of one employer."""
    within = np.arange(market.size) - np.repeat(np.cumsum(posted) - posted, posted)
    count = -(-posted // each)
    return np.asarray((np.cumsum(count) - count)[market] + within // each)


def _saturations(told: Employers, n: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Shares shuffled within strata of markets next to each other in size."""
    arms = len(told.saturations)
    offered = np.tile(told.saturations, (n // arms, 1))
    return rng.permuted(offered, axis=1).ravel(), np.arange(n) // arms


def _with_support(
    told: Employers, market: Ints, *, helped: Bools, filled: Bools, rng: np.random.Generator
) -> Bools:
    """Fill some of the vacancies of the supported in addition, and empty some of the others."""
    n = int(market[-1]) + 1
    wanted = whole(told.additional * _counted(market, helped, n), rng)
    more = _some(market, helped & ~filled, wanted, rng)
    gained = _counted(market, more, n)
    lost = _some(market, ~helped & filled, whole(told.from_others * gained, rng), rng)
    return (filled | more) & ~lost


def _counted(market: Ints, who: Bools, n: int) -> Floats:
    """How many of each market."""
    return np.bincount(market[who], minlength=n).astype(np.float64)


def _some(market: Ints, among: Bools, wanted: Floats, rng: np.random.Generator) -> Bools:
    """So many of each market, at random among those who may be."""
    key = np.where(among, rng.random(market.size), 2.0)
    return np.asarray(among & (rank_within(market, key) < wanted[market]))


def _days(filled: Bools, rng: np.random.Generator) -> dict[str, Floats]:
    """When each vacancy was posted, filled or taken back."""
    posted = np.floor(POSTING_DAYS * rng.random(filled.size))
    # Most are filled in the first weeks: the square of a uniform.
    after = np.floor(FOLLOWED_DAYS * rng.random(filled.size) ** 2)
    back = ~filled & (rng.random(filled.size) < WITHDRAWN_SHARE)
    late = np.floor(FOLLOWED_DAYS * rng.random(filled.size))
    return {
        POSTED: posted,
        FILLED: np.where(filled, posted + after, np.nan),
        WITHDRAWN: np.where(back, posted + late, np.nan),
    }
