"""What is true in a rollout where jobs are finite, month after month since a market opened."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.vocabulary import MARKET, MONTH, SATURATION, TIGHTNESS
from whatworks.worlds.jobs.options import bad
from whatworks.worlds.jobs.rollout import (
    BURN_IN,
    FIRST_TREATED,
    NOT_ENROLLED,
    OPENED,
    JobsRollout,
    JobsRolloutWorld,
    month_draws,
    search_time,
    simulate_rollout,
)
from whatworks.worlds.jobs.search import LAW, NODES, rising_root

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TERMS: Final = ("direct", "spillover", "total", "net_pool")


def rollout_truth(options: JobsRollout | None = None, *, months: int = 12) -> pd.DataFrame:
    r"""Effects in large markets without shocks, enrolment being drawn.

    Who works is followed at each node of the covariate's law, among the enrolled and the others, in a
    market that opened and in the same one had it not.

    Returns
    -------
    DataFrame
        ``tightness, saturation, month`` (since opening), ``direct`` (enrolled against the others of
        their market), ``spillover`` (those against the same market not opened; eligible or not), ``total``,
        in shares, and ``net_pool``: persons at work that month, in all, per 100 enrolled.

    Raises
    ------
    OptionError
        When enrolment is selected on history: no closed form; see `simulated_rollout_truth`.
    """
    options = options or JobsRollout()
    if options.selection:
        raise bad("selection", "0: enrolment drawn", f"{options.selection:g}")
    values = options.tightness or (np.nan,)
    tables = [
        _followed(options, tightness=value, saturation=p, months=months)
        for value in values
        for p in options.saturations
    ]
    return pd.concat(tables, ignore_index=True)


def _followed(
    options: JobsRollout, *, tightness: float, saturation: float, months: int
) -> pd.DataFrame:
    """One market that opens, and its double that does not."""
    time = float(search_time(options, np.array(tightness)))
    displacement = options.displaced_at(tightness)
    # Where nobody is helped jobs last as long as search would: a steady state in closed form.
    found = -np.expm1(-np.exp(options.slope * NODES) * time)
    never = found / (options.leaves + found)
    one, zero = never.copy(), never.copy()
    share = options.eligible_share * saturation
    rows = []
    for k in range(months + 1):
        effect = float(options.effect_since(np.array(k)))
        one, zero = _month(options, one, zero, share, effect=effect, time=time, lost=displacement)
        mean_one, mean_zero, mean_none = (float(LAW @ state) for state in (one, zero, never))
        rows.append(
            {
                TIGHTNESS: tightness,
                SATURATION: saturation,
                MONTH: k,
                "direct": mean_one - mean_zero,
                "spillover": mean_zero - mean_none,
                "total": mean_one - mean_none,
                "net_pool": 100 * (share * mean_one + (1 - share) * mean_zero - mean_none) / share,
            }
        )
    return pd.DataFrame(rows)


def _month(
    options: JobsRollout,
    one: Floats,
    zero: Floats,
    share: float,
    *,
    effect: float,
    time: float,
    lost: float,
) -> tuple[Floats, Floats]:
    """Shares at work at each node after a month, of the helped and of the others."""
    base = np.exp(options.slope * NODES)
    helped, others = share * (1 - one), (1 - share) * (1 - zero)

    def hires(at: Floats, gain: float) -> Floats:
        clock = np.asarray(at)[..., None]
        found = helped * -np.expm1(-(1 + gain) * base * clock) + others * -np.expm1(-base * clock)
        return np.asarray(found @ LAW)

    start = np.array(time)
    jobs = (1 - lost) * hires(start, effect) + lost * hires(start, 0.0)
    closing = rising_root(lambda at: hires(at, effect), np.asarray(jobs))
    stay = 1 - options.leaves
    return (
        stay * one + (1 - one) * -np.expm1(-(1 + effect) * base * closing),
        stay * zero + (1 - zero) * -np.expm1(-base * closing),
    )


def simulated_rollout_truth(
    options: JobsRollout | None = None, *, months: int = 12, draws: int = 20
) -> pd.DataFrame:
    """Effects by living the same chances with and without the programme, and alone without help.

    Each enrolled person lives three times: as it was; alone without help in the same market, whose
    last hire is what it was; and in markets that never open. Works for any selection.

    Parameters
    ----------
    options : JobsRollout
        Its markets are the more like large ones, the larger its pools.
    months : int
    draws : int
        Worlds, from successive seeds.

    Returns
    -------
    DataFrame
        ``month``, ``direct`` and ``total`` (on the enrolled), ``spillover`` (on the eligible of opened
        markets who were not enrolled), ``net_pool``, each with its simulation error ``…_error``.
    """
    options = options or JobsRollout()
    found = np.stack(
        [_three_lives(replace(options, seed=options.seed + k), months) for k in range(draws)]
    )
    table = pd.DataFrame(found.mean(axis=0), columns=list(TERMS))
    error = found.std(axis=0, ddof=1) / np.sqrt(draws)
    for at, name in enumerate(TERMS):
        table[f"{name}_error"] = error[:, at]
    table.insert(0, MONTH, np.arange(months + 1))
    return table


def _three_lives(options: JobsRollout, months: int) -> Floats:
    """Terms of one world, shape (months + 1, n_terms)."""
    world = simulate_rollout(options)
    never = simulate_rollout(options, programme=False).employed
    alone = _alone(world)
    people = world.persons
    opened = people[OPENED].to_numpy()
    enrolled = people[FIRST_TREATED].to_numpy() != NOT_ENROLLED
    other = (people["eligible"].to_numpy() == 1) & ~enrolled & (opened != NOT_ENROLLED)
    gained = world.employed.astype(np.int8) - never
    rows = np.full((months + 1, len(TERMS)), np.nan)
    for k in range(months + 1):
        at = opened + k - 1
        seen = (opened != NOT_ENROLLED) & (at < options.n_months)
        here, near = np.flatnonzero(enrolled & seen), np.flatnonzero(other & seen)
        everyone = np.flatnonzero(seen)
        if not here.size:
            continue
        direct = world.employed[at[here], here].mean() - alone[at[here], here].mean()
        rows[k] = (
            direct,
            gained[at[near], near].mean() if near.size else np.nan,
            gained[at[here], here].mean(),
            100 * gained[at[everyone], everyone].sum() / here.size,
        )
    return rows


def _alone(world: JobsRolloutWorld) -> Bools:
    """Work of everyone had each alone not been helped, in markets otherwise as they were."""
    options, people = world.options, world.persons
    rng = month_draws(options)
    market = people[MARKET].to_numpy()
    base = options.slope * people["x"].to_numpy()
    enrolled = people[FIRST_TREATED].to_numpy()
    alone = world.employed.copy()
    work = before = np.zeros(len(people), dtype=bool)
    for month in range(1 - BURN_IN, options.n_months + 1):
        rng.standard_normal(world.markets.shape[0])
        leaves, gumbel = rng.random(len(people)) < options.leaves, rng.gumbel(size=len(people))
        if month < 1:
            continue
        # Until enrolled, the life alone is the life.
        helped = (enrolled != NOT_ENROLLED) & (enrolled <= month)
        now = world.employed[month - 1]
        # Without the job one was given, the best of those turned away has it.
        bars = world.bars[month - 1]
        bar = np.where(now & ~before, bars[1][market], bars[0][market])
        found = ~work & (base + gumbel >= bar)
        work, before = np.where(helped, (work & ~leaves) | found, now), now
        alone[month - 1] = work
    return alone
