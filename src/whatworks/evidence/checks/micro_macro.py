"""Do whole territories gain what the comparison of persons says, or is some of it taken from others?

The micro side is its net where the estimate knows what others lost, else the effect on those helped, which
counts the losses of the comparison as gains. The macro side is the net per 100 participants read from totals
of territories (`whatworks.market_totals`). Both per 100 participants; where they come from the same
territories, their difference has the error of both together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from whatworks.design.record import Design
from whatworks.errors import WhatworksError
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.market_totals import NET, TOTALS, MarketTotals
from whatworks.estimate.shares.net import net, per_hundred
from whatworks.estimate.shares.responses import RESPONSES, Responses
from whatworks.evidence.grading import at_least
from whatworks.evidence.record import Finding
from whatworks.stats.intervals import wald
from whatworks.stats.uncertainty import Influence, Uncertainty
from whatworks.vocabulary import MARKET, Verdict

FAILS_BELOW: Final = 0.05
STRAINED_BELOW: Final = 0.10
POWER: Final = 0.8
REFERENCE: Final = (
    "Crépon, Duflo, Gurgand, Rathelot & Zamora (2013), doi:10.1093/qje/qjt001; "
    "Gautier, Muller, van der Klaauw, Rosholm & Svarer (2018), doi:10.1086/697513"
)
_POOLS: Final = ("seen", "eligible_only")
"""Whose losses the micro net counts: everyone's where the ineligible are seen, else the eligible's."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One number per 100 participants, alone in its uncertainty."""

    value: float
    uncertainty: Uncertainty
    claims: str

    @property
    def variance(self) -> float:
        return float(self.uncertainty.covariance()[0, 0])


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Micro less macro per 100 participants, and whether totals could have told a full displacement.

    Fails below a p-value of 5 %. Where they do not differ, it holds only if a difference as large as the
    whole micro effect would be found 80 times in 100; else it is not testable, and the smallest
    difference that would be found is told.
    """
    whole = next((e for e in estimates if TOTALS in e.extras), None)
    persons = next((e for e in estimates if TOTALS not in e.extras), None)
    if whole is None or persons is None:
        return None
    totals = whole.extras[TOTALS]
    micro, macro = _micro(design, persons), _macro(whole, totals)
    shared = _covariance(micro, macro, design, totals)
    gap = micro.value - macro.value
    variance = micro.variance + macro.variance - 2 * shared
    error = float(np.sqrt(variance)) if variance > 0 else float("nan")
    df = _df(macro)
    p_value = float(wald(gap, error, df=df).p_value)
    law = stats.norm if np.isinf(df) else stats.t(df)
    mde = error * float(law.ppf(0.975) + law.ppf(POWER))
    verdict = at_least(p_value, holds=STRAINED_BELOW, strained=FAILS_BELOW)
    if verdict is Verdict.HOLDS and mde > abs(micro.value):
        verdict = Verdict.NOT_TESTABLE
    return Finding(
        check="micro_macro",
        verdict=verdict,
        statistic=p_value,
        threshold=FAILS_BELOW,
        reference=REFERENCE,
        facts={
            "micro": micro.value,
            "macro": macro.value,
            "gap": gap,
            "p_value": p_value,
            "found_from": mde,
            "total_from": totals.mde,
        },
        table=_table(micro, macro, gap=gap, error=error, df=df),
    )


def _micro(design: Design, estimate: Estimate) -> _Side:
    """What persons say: their net where it is told, else the effect on those helped."""
    responses = estimate.extras.get(RESPONSES)
    if isinstance(responses, Responses) and responses.anchored:
        told = _net_of(design, estimate)
        if told is not None:
            return told
    terms = set(estimate.effects["term"])
    term = "direct" if "direct" in terms else estimate.term
    month = design.question.primary
    rows = estimate.effects
    here = (rows["term"] == term) & (rows["cohort"] == -1) & (rows["group"] == "all")
    month = month if (here & (rows["month"] == month)).any() else int(rows.loc[here, "month"].max())
    scale = per_hundred(design.outcomes.unit)
    form = np.zeros((1, len(rows)))
    at = int(np.flatnonzero((here & (rows["month"] == month)).to_numpy())[0])
    form[0, at] = scale
    point = scale * float(rows["estimate"].iloc[at])
    return _Side(point, estimate.uncertainty.combine(form), "direct")


def _net_of(design: Design, estimate: Estimate) -> _Side | None:
    """Net per 100 at the mean share, None where the design does not tell it."""
    try:
        found = net(estimate, design)
    except WhatworksError:
        return None
    levels = found.table.iloc[: len(found.covariance())]
    for pool in _POOLS:
        quantity = "net_pool" if pool == "seen" else "net_assigned"
        here = (levels["quantity"] == quantity) & (levels["fit"] == "saturated")
        here &= np.isclose(levels["share"], found.mean_share) & levels["estimate"].notna()
        if pool == "seen":
            here &= levels["pool"] == pool
        if here.any():
            at = int(np.flatnonzero(here.to_numpy())[0])
            form = np.zeros((1, len(levels)))
            form[0, at] = 1.0
            return _Side(float(levels["estimate"].iloc[at]), found.uncertainty.combine(form), "net")
    return None


def _macro(estimate: Estimate, totals: MarketTotals) -> _Side:
    """What territories say."""
    rows = estimate.effects
    here = (rows["term"] == NET) & (rows["cohort"] == -1) & (rows["month"] == totals.month)
    at = int(np.flatnonzero(here.to_numpy())[0])
    form = np.zeros((1, len(rows)))
    form[0, at] = 1.0
    return _Side(float(rows["estimate"].iloc[at]), estimate.uncertainty.combine(form), "net")


def _covariance(micro: _Side, macro: _Side, design: Design, totals: MarketTotals) -> float:
    """Covariance of the two where they are sums over the same territories, in one order; else 0.

    Left out, it makes the test err on the side of saying nothing: what a territory lives moves both alike.
    """
    one, two = micro.uncertainty, macro.uncertainty
    if not isinstance(one, Influence) or not isinstance(two, Influence) or one.level != "market":
        return 0.0
    here = tuple(str(m) for m in np.unique(design.units[MARKET].to_numpy(dtype=object).astype(str)))
    same = here == totals.territories and one.cluster.size == two.cluster.size == len(here)
    if not same or not np.array_equal(one.cluster, two.cluster):
        return 0.0
    return float(np.sqrt(one.factor * two.factor) * (one.values[:, 0] @ two.values[:, 0]))


def _df(macro: _Side) -> float:
    """Territories less one, where the macro side is a sum over them: few say little of their own spread."""
    held = macro.uncertainty
    return float(held.cluster.size - 1) if isinstance(held, Influence) else float("inf")


def _table(micro: _Side, macro: _Side, *, gap: float, error: float, df: float) -> pd.DataFrame:
    """Both sides and their difference, per 100 participants."""
    value = np.array([micro.value, macro.value, gap])
    spread = np.array([np.sqrt(micro.variance), np.sqrt(macro.variance), error])
    ends = wald(value, spread, df=df)
    return pd.DataFrame(
        {
            "side": ["micro", "macro", "difference"],
            "claims": [micro.claims, macro.claims, ""],
            "estimate": value,
            "std_error": spread,
            "conf_low": ends.low,
            "conf_high": ends.high,
        }
    )
