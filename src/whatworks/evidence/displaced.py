"""What can be said of what others lost, and what can be said when nothing can be.

Four cases: shares of markets drawn at random, shares that vary, markets only, nothing. In all but the
first nothing net is claimed. What is then told needs no measure of displacement: how much of the effect
could be taken from others before helping no longer pays; bounds, each with its assumption; and what is
left of the effect if others lost what they lost elsewhere, which is a scenario and no estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from whatworks.design.markets.identified import why_not
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, DisplacementRefused
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.at_shares import LINEAR
from whatworks.estimate.shares.net import NetEffects, net, per_hundred
from whatworks.estimate.shares.responses import ASSIGNED, RESPONSES, UNASSIGNED, Responses
from whatworks.evidence.record import OF_OTHERS, Displacement, Lack, Stakes
from whatworks.evidence.scenarios import programme_of, scenarios
from whatworks.stats.displacement.bounds import bounds, break_even
from whatworks.vocabulary import (
    MARKET,
    SATURATION,
    TOOK_PART,
    TREATED,
    WEIGHT,
    DesignClass,
    Supply,
    Unidentified,
)

ENDS: Final = ("estimate", "conf_low", "conf_high")
_LEVEL: Final = float(stats.norm.ppf(0.975))
_POINTS: Final = 100.0


def displaced(design: Design, estimates: Sequence[Estimate], stakes: Stakes) -> Displacement:
    """The statement on displacement of an evidence.

    Parameters
    ----------
    design : Design
    estimates : sequence of Estimate
        The first is the primary one; effects on others are those of the first that tells any.
    stakes : Stakes

    Returns
    -------
    Displacement
    """
    own = next((e for e in estimates if e.effects["term"].isin(("direct", *OF_OTHERS)).any()), None)
    rows = None if own is None else _told(own.effects)
    code = _code(design, rows)
    found = None if own is None else _net(own, design, stakes)
    gain = _gain(own if own is not None else estimates[0], design)
    left = gain is not None and found is None and stakes.scarce_jobs
    return Displacement(
        measured=code == "measured",
        code=code,
        facts={
            "markets": int(design.units[MARKET].nunique()),
            "shares": int(design.units[SATURATION].nunique()),
        },
        effects=None if rows is None else rows.reset_index(drop=True),
        stakes=stakes,
        gain=None if gain is None else tuple(float(gain[end]) for end in ENDS),  # type: ignore[arg-type] # three ends
        lacks=_lacks(design, own, found),
        net=found,
        break_even=_break_even(gain, design, stakes) if gain is not None else None,
        bounds=_bounds(gain, own, design, stakes) if left and gain is not None else None,
        scenarios=_scenarios(gain, design, stakes) if left and gain is not None else None,
    )


def _told(effects: pd.DataFrame) -> pd.DataFrame:
    """Effects on those helped and on others; lines in the share are read at shares, by the net effects."""
    named = effects["term"].isin(("direct", *OF_OTHERS))
    return effects[named & ~effects["group"].str.endswith(LINEAR)]


def _code(design: Design, rows: pd.DataFrame | None) -> str:
    """Which of the cases a design and its effects are."""
    if rows is not None:
        if not rows["term"].isin(OF_OTHERS).any():
            return "direct_only"
        drawn = design.design_class is DesignClass.RANDOMISED
        return "measured" if drawn else "saturation_not_randomised"
    n_markets = int(design.units[MARKET].nunique())
    if n_markets < 2:
        return "one_market" if n_markets else "not_measured"
    if not design.units[SATURATION].notna().any():
        return "markets_only"
    varies = design.units[SATURATION].nunique() > 1
    return "not_read" if varies else "no_saturation_variation"


def _net(estimate: Estimate, design: Design, stakes: Stakes) -> NetEffects | None:
    """Net effects where they may be claimed."""
    if not isinstance(estimate.extras.get(RESPONSES), Responses):
        return None
    try:
        return net(
            estimate,
            design,
            pool_share=stakes.pool_share,
            cost=stakes.cost,
            value=stakes.value,
        )
    except DesignRefused:
        return None


def _lacks(design: Design, estimate: Estimate | None, found: NetEffects | None) -> tuple[Lack, ...]:
    """Typed reasons: of the design, of cells with one arm, of ratios without a point."""
    refusal = why_not(design, method="net")
    if isinstance(refusal, DisplacementRefused):
        return (Lack(code=refusal.code),)
    if estimate is None or found is None:
        return (Lack(code=Unidentified.NET_CLAIM_WITHOUT_DESIGN),)
    told = [Unidentified(c) for c in found.table["code"].unique() if c]
    return tuple(Lack(code=code) for code in told if code is not Unidentified.EXTRAPOLATED_P)


def _gain(estimate: Estimate, design: Design) -> pd.Series | None:
    """What those helped have above their neighbours, at the primary horizon: no claim on others."""
    rows = estimate.effects
    here = (rows["cohort"] == -1) & (rows["group"] == "all")
    here &= rows["term"] == ("direct" if (rows["term"] == "direct").any() else estimate.term)
    month = design.question.primary
    at = here & (rows["month"] == month)
    chosen = rows[at if at.any() else here & (rows["month"] == rows.loc[here, "month"].max())]
    if chosen.empty or not np.isfinite(chosen.iloc[0]["estimate"]):
        return None
    return chosen.iloc[0]


def _break_even(gain: pd.Series, design: Design, stakes: Stakes) -> pd.DataFrame | None:
    """Share of the observed direct effect that may be taken from others; exact, by inversion."""
    if stakes.cost is None or stakes.value is None or not stakes.scarce_jobs:
        return None
    scale = per_hundred(design.outcomes.unit) / _POINTS
    # The interval printed is Student's or that of a method: its width says what variance inverts to it.
    error = scale * (gain["conf_high"] - gain["conf_low"]) / (2 * _LEVEL)
    cost = stakes.cost * _took_part(design)
    found = break_even(scale * gain["estimate"], error**2, cost=cost, value=stakes.value)
    code = "" if found.separated else str(Unidentified.DENOMINATOR_NOT_SEPARATED)
    told = (found.point, found.kind, found.low, found.high, code)
    columns = ["quantity", "estimate", "set_kind", "low", "high", "code", "cost", "value"]
    row = ("break_even_direct", *told, cost, stakes.value)
    return pd.DataFrame([row], columns=columns)


def _took_part(design: Design) -> float:
    """Participants per person assigned, beyond those there would be without: what a cost is paid for."""
    if Supply.TAKE_UP not in design.supplies:
        return 1.0
    units = design.units
    treated, weight = units[TREATED].to_numpy(bool), units[WEIGHT].to_numpy(float)
    took = units[TOOK_PART].to_numpy(float)
    rates = [np.average(took[arm], weights=weight[arm]) for arm in (treated, ~treated)]
    return float(rates[0] - rates[1])


def _bounds(
    gain: pd.Series, estimate: Estimate | None, design: Design, stakes: Stakes
) -> pd.DataFrame:
    """Bounds on what is left per 100 helped, under each assumption, with the error of the effect."""
    top = _top(design)
    share, assigned, unassigned = _level(gain, estimate, design, stakes, told=np.isfinite(top))
    rows = []
    for ends in ENDS:
        shift = gain[ends] - gain["estimate"]
        found = bounds(
            gain[ends],
            share=share,
            assigned=assigned,
            unassigned=unassigned - shift,
            top=top if np.isfinite(top) else _POINTS / per_hundred(design.outcomes.unit),
        )
        rows.append(pd.DataFrame([(b.assumption, b.low, b.high) for b in found]))
    point, low, high = rows
    return pd.DataFrame(
        {
            "assumption": point[0],
            "low": point[1],
            "high": point[2],
            "conf_low": np.minimum(low[1], high[1]),
            "conf_high": np.maximum(low[2], high[2]),
        }
    )


def _top(design: Design) -> float:
    """Most that the outcome of a unit can be, known for shares and points; else NaN."""
    values = design.outcomes.values
    for top in (1.0, _POINTS):
        if np.isin(values[np.isfinite(values)], (0.0, top)).all():
            return top
    return float("nan")


def _level(
    gain: pd.Series,
    estimate: Estimate | None,
    design: Design,
    stakes: Stakes,
    *,
    told: bool,
) -> tuple[float, float, float]:
    """Share helped, and mean outcomes of those helped and of their neighbours, where known."""
    nothing = (float("nan"),) * 3
    units = design.units
    share = float(units[SATURATION].mean()) if units[SATURATION].notna().any() else np.nan
    share = share if stakes.share is None else stakes.share
    if not told or not 0 < share <= 1:
        return nothing
    found = None if estimate is None else estimate.extras.get(RESPONSES)
    if isinstance(found, Responses):
        means = [_of_arm(found, arm) for arm in (ASSIGNED, UNASSIGNED)]
        return share, means[0], means[1]
    months = design.outcomes.months
    month = int(gain["month"])
    column = months.index(month) if month in months else len(months) - 1
    treated = units[TREATED].to_numpy(bool)
    value, weight = design.outcomes.values[treated, column], units[WEIGHT].to_numpy()[treated]
    seen = np.isfinite(value) & (weight > 0)
    if not seen.any():
        return nothing
    mean = float(np.average(value[seen], weights=weight[seen]))
    return share, mean, mean - float(gain["estimate"])


def _of_arm(responses: Responses, arm: str) -> float:
    """Mean of an arm over positive shares, each weighing as its markets."""
    here = (responses.arm == arm) & (responses.saturation > 0) & (responses.group == "all")
    here &= responses.month == responses.month.max()
    if not here.any():
        return float("nan")
    weight = np.array([responses.weight.get(float(s), 0.0) for s in responses.saturation[here]])
    return float(np.average(responses.mean[here], weights=weight)) if weight.any() else np.nan


def _scenarios(gain: pd.Series, design: Design, stakes: Stakes) -> pd.DataFrame | None:
    """What is left under published magnitudes of the same kind of programme, if there are any."""
    programme = stakes.programme or programme_of(design.question.treatment)
    if not programme:
        return None
    per_100 = per_hundred(design.outcomes.unit) * float(gain["estimate"])
    return scenarios(per_100, programme=programme, vacancies_per_seeker=stakes.tightness)
