"""Vacancies whose days of filling are drawn from known hazards, helped employers taking from the others.

In a market of which the share *p* of vacancies is helped, the daily chance of filling is ``base`` × (1 +
``gain``) for those, and ``base`` × (1 − ``loss`` × p) for the others; every vacancy is withdrawn with a
daily chance of its own. Each outcome by a day is then known in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

UNEMPLOYED = {True: 0.7, False: 0.5}
"""Share of hires from unemployment, of helped vacancies and of the others."""


@dataclass(frozen=True, kw_only=True)
class Employers:
    seed: int = 0
    n_markets: int = 120
    per_market: int = 40
    shares: tuple[float, ...] = (0.0, 0.5)
    base: float = 0.02
    gain: float = 0.6
    loss: float = 0.4
    withdrawal: float = 0.01
    spread: float = 0.1
    """Standard deviation of the log of a market's chance of filling."""


def hazards(options: Employers, *, helped: bool, share: float) -> float:
    return options.base * ((1 + options.gain) if helped else (1 - options.loss * share))


def world(options: Employers) -> pd.DataFrame:
    rng = np.random.default_rng(options.seed)
    k = len(options.shares)
    stratum = np.arange(options.n_markets) // k
    share = np.concatenate(
        [rng.permutation(options.shares) for _ in range(-(-options.n_markets // k))]
    )[: options.n_markets]
    market = np.repeat(np.arange(options.n_markets), options.per_market)
    n = market.size
    order = np.lexsort((rng.random(n), market)) % options.per_market
    helped = order < (share * options.per_market).round()[market]
    tight = rng.lognormal(size=options.n_markets)
    luck = np.exp(options.spread * rng.standard_normal(options.n_markets))
    chance = np.where(
        helped,
        hazards(options, helped=True, share=0.0),
        [hazards(options, helped=False, share=p) for p in share[market]],
    )
    chance = np.minimum(chance * luck[market], 0.5)
    fill = rng.geometric(chance)
    gone = rng.geometric(options.withdrawal, n)
    posted = rng.integers(0, 60, n)
    out_of_work = rng.random(n) < np.where(helped, UNEMPLOYED[True], UNEMPLOYED[False])
    table = pd.DataFrame(
        {
            "market": market,
            "stratum": stratum[market],
            "share": share[market],
            "tightness": tight[market].round(6),
            "employer": market * 1_000 + rng.integers(0, options.per_market // 2, n),
            "helped": helped.astype(int),
            "posted": posted,
            "filled": np.where(fill <= gone, posted + fill, np.nan),
            "gone": np.where(gone < fill, posted + gone, np.nan),
        }
    )
    origin = np.where(out_of_work, "unemployed", "poached").astype(object)
    table["origin"] = np.where(table["filled"].notna(), origin, None)
    return table


def filled_by(options: Employers, day: int, *, helped: bool, share: float) -> float:
    """Share filled by a day, in percent; markets' luck averaged over."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    luck = np.exp(options.spread * nodes)
    h = np.minimum(hazards(options, helped=helped, share=share) * luck, 0.5)
    # Filling comes first on a day when both happen.
    stays = (1 - h) * (1 - options.withdrawal)
    share_filled = h * (1 - stays**day) / (1 - stays)
    return float(100 * weights @ share_filled / weights.sum())


def truth(
    options: Employers, *, day: int, share: float = 0.5, origin: str | None = None
) -> dict[str, float]:
    def mean(*, helped: bool, p: float) -> float:
        part = 1.0 if origin is None else UNEMPLOYED[helped]
        return part * filled_by(options, day, helped=helped, share=p)

    one, zero, none = (
        mean(helped=True, p=share),
        mean(helped=False, p=share),
        mean(helped=False, p=0.0),
    )
    total, spillover = one - none, zero - none
    return {
        "direct": one - zero,
        "spillover": spillover,
        "total": total,
        "overall": share * total + (1 - share) * spillover,
    }
