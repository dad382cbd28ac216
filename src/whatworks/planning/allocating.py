"""How markets are best shared out between shares, and which shares tell what."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final, Literal

import numpy as np
import pandas as pd

from whatworks.errors import OptionError, choice
from whatworks.planning.assumed import Assumed
from whatworks.planning.terms import UNASSIGNED, cells, contrasts_of, degrees, errors
from whatworks.planning.trial import Trial
from whatworks.stats.planning import power as law
from whatworks.stats.planning.varying_sizes import best_allocation

Goal = Literal["effects", "direct", "spillover", "total", "overall", "net"]
GOALS: Final = ("effects", "direct", "spillover", "total", "overall", "net")
"""What an allocation is best for; ``effects`` are totals and spillovers, as the paper has it."""


def allocate(
    shares: Sequence[float],
    assumed: Assumed,
    *,
    goal: Goal = "effects",
    stratum_size: int | None = None,
) -> Trial:
    r"""Trial whose markets are shared out so that the sum of variances by share is least.

    .. math:: q_t^* = \sqrt{B_t}\big/\textstyle\sum_s\sqrt{B_s}

    Parameters
    ----------
    shares : sequence of float
    assumed : Assumed
    goal : str
        ``"effects"`` (totals and spillovers), ``"direct"``, ``"spillover"``, ``"total"``, ``"overall"`` or
        ``"net"``, each share counting alike.
    stratum_size : int, optional
        Markets of a stratum, at least one at each share; by default twice as many as shares. Parts are
        rounded to it by largest remainders.

    Examples
    --------
    >>> even = Assumed.of_share(0.2, sizes=(90,) * 200, icc=0.02)
    >>> allocate((0, 0.25, 0.5, 0.75), even, stratum_size=12).per_stratum
    (4, 3, 2, 3)
    """
    choice(goal, GOALS, what="goal")
    trial = Trial(shares=tuple(shares))
    size = 2 * len(trial.shares) if stratum_size is None else stratum_size
    if size < len(trial.shares):
        raise OptionError(
            what="stratum_size",
            needed=f"{len(trial.shares)} markets or more, one at each share",
            found=repr(size),
            remedy="enlarge strata, or draw fewer shares",
        )
    return Trial(
        shares=trial.shares, per_stratum=_rounded(optimum(trial.shares, assumed, goal=goal), size)
    )


def optimum(
    shares: Sequence[float], assumed: Assumed, *, goal: Goal = "effects"
) -> tuple[float, ...]:
    """Parts of markets before they are rounded to strata; see `allocate`."""
    trial = Trial(shares=tuple(shares))
    contrasts = contrasts_of(trial, assumed)
    wanted = ("total", "spillover") if goal == "effects" else (goal,)
    rows = [
        k
        for k, (term, group) in enumerate(zip(contrasts.terms, contrasts.groups, strict=True))
        if term in wanted and group != "all"
    ]
    if not rows:
        raise OptionError(
            what="goal",
            needed="a term that these shares identify",
            found=f"{goal!r} with shares {trial.shares}",
            remedy="add markets at share 0, or aim at 'direct'",
        )
    variance = cells(trial, assumed, contrasts, np.ones(len(trial.shares))).told
    found = best_allocation(
        contrasts.forms[rows], contrasts.share, variance=variance, weight=np.ones(len(rows))
    )
    return tuple(found.tolist())


def compare_trials(
    assumed: Assumed,
    *,
    among: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
    pick: Sequence[int] = (1, 2, 3),
    goal: Goal = "effects",
    target: float = 0.8,
) -> pd.DataFrame:
    """Every choice of positive shares beside pure control, each at its best allocation.

    Fewer shares tell the averages better; more tell how effects change with the share. Nothing is chosen
    here: it depends on what is to be known.

    Returns
    -------
    DataFrame
        A row per choice: ``shares, pure_control`` (part of markets), then the smallest detectable
        ``direct, spillover, total, net`` on average over shares, and ``slope``, the smallest detectable
        change of spillovers from the lowest to the highest share; NaN where not identified.
    """
    rows = []
    for size in pick:
        for chosen in combinations(sorted(among), size):
            shares = (0.0, *chosen)
            parts = optimum(shares, assumed, goal=_possible(goal, chosen))
            rows.append(_compared(shares, parts, assumed, target=target))
    return pd.DataFrame(rows)


def _possible(goal: Goal, chosen: tuple[float, ...]) -> Goal:
    """The goal, or totals where everybody is assigned and nothing else is told."""
    alone = chosen == (1.0,)
    return "total" if alone and goal in ("direct", "spillover") else goal


def _compared(
    shares: tuple[float, ...], parts: tuple[float, ...], assumed: Assumed, *, target: float
) -> dict[str, object]:
    trial = Trial(shares=shares)
    contrasts = contrasts_of(trial, assumed, allocation=parts)
    told = cells(trial, assumed, contrasts, np.array(parts)).told
    least = law.detectable(errors(contrasts.forms, told), target=target, df=degrees(assumed))
    found = {
        term: value
        for term, group, value in zip(contrasts.terms, contrasts.groups, least, strict=True)
        if group == "all"
    }
    row: dict[str, object] = {"shares": shares[1:], "pure_control": parts[0]}
    row |= {term: found.get(term, np.nan) for term in ("direct", "spillover", "total", "net")}
    mine = np.flatnonzero((contrasts.arm == UNASSIGNED) & (contrasts.share > 0))
    slope = np.nan
    if mine.size > 1:
        form = np.zeros((1, contrasts.arm.size))
        form[0, [mine[0], mine[-1]]] = (-1.0, 1.0)
        slope = float(law.detectable(errors(form, told), target=target, df=degrees(assumed))[0])
    return row | {"slope": slope}


def _rounded(parts: tuple[float, ...], size: int) -> tuple[int, ...]:
    """Whole markets of a stratum, at least one each, by largest remainders."""
    spare = np.array(parts) * size - 1
    spare = np.maximum(spare, 0.0)
    left = size - len(parts)
    scaled = spare / spare.sum() * left if spare.sum() > 0 else spare
    counts = np.floor(scaled + 1e-9)
    order = np.argsort(-(scaled - counts), kind="stable")
    counts[order[: left - int(counts.sum())]] += 1
    return tuple(int(c) + 1 for c in counts)
