"""What became of others, as rounded tables: net effects, ratios, break-even, bounds, scenarios.

Everything printed, drawn or filed about others comes from these frames, so that no two disagree.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from whatworks.estimate.shares.at_shares import BETWEEN
from whatworks.estimate.shares.net import NetEffects, per_hundred
from whatworks.estimate.shares.net_rows import ELIGIBLE_ONLY
from whatworks.evidence.record import Evidence
from whatworks.report import frames
from whatworks.report.numbers import (
    P_VALUE_DECIMALS,
    SHARE_DECIMALS,
    Scale,
    rounded_columns,
    scale_of,
)

EFFECTS: Final = ("direct", "spillover", "total", "overall")
NETS: Final = ("net_assigned", "net_pool", "net_participants")
MONEY: Final = ("cost_per_net_job",)
RATIO_DECIMALS: Final = 2
_NUMBERS: Final = ("estimate", "std_error", "low", "high", "band_low", "band_high")
_OF_NET: Final = ("fit", "quantity", "share", "pool", *_NUMBERS, "set_kind", "read", "code")
_STEPS: Final = 61
"""Points of the line of break-even, from nothing taken from others to half more than the gain."""
_MOST_TAKEN: Final = 1.5


def net_of(evidence: Evidence) -> NetEffects | None:
    """Net effects of an evidence, where they may be claimed."""
    return evidence.displacement.net


def scale_of_net(found: NetEffects) -> Scale:
    """Scale of the effects of net effects that stand alone, without an evidence."""
    effects = found.table["quantity"].isin(EFFECTS)
    return scale_of(found.unit, found.table.loc[effects, "std_error"])


def per_hundred_scale(evidence: Evidence) -> Scale:
    """Scale of nets per 100 persons, as coarse as their effects are for one."""
    return for_a_hundred(frames.common_scale(evidence))


def for_a_hundred(scale: Scale) -> Scale:
    """Scale of nets per 100 persons, from that of effects on one."""
    fewer = 0 if per_hundred(scale.unit) == 1 else 2
    return Scale(unit=scale.unit, decimals=max(scale.decimals - fewer, 0))


def decimals_of(evidence: Evidence, quantity: str) -> int:
    """Decimals of a quantity of net effects."""
    return _decimals(frames.common_scale(evidence), quantity)


def _decimals(scale: Scale, quantity: str) -> int:
    if quantity in EFFECTS:
        return scale.decimals
    if quantity in NETS:
        return for_a_hundred(scale).decimals
    return 0 if quantity in MONEY else RATIO_DECIMALS


def net_table(evidence: Evidence) -> pd.DataFrame:
    """Every quantity by fit and share, rounded; empty where no net is told."""
    found = net_of(evidence)
    if found is None:
        return pd.DataFrame(columns=[*_OF_NET])
    return rounded_net(found, frames.common_scale(evidence))


def rounded_net(found: NetEffects, scale: Scale) -> pd.DataFrame:
    """Every quantity of net effects, rounded.

    Numerators and denominators are left out: they would tell the point of a ratio that has none.
    """
    table = found.table[[*_OF_NET]].copy()
    for quantity in table["quantity"].unique():
        here = table["quantity"] == quantity
        places = _decimals(scale, str(quantity))
        for name in _NUMBERS:
            finer = places + (name == "std_error")
            table.loc[here, name] = table.loc[here, name].astype(float).round(finer) + 0.0
    return table.assign(share=table["share"].round(4))


def responses(evidence: Evidence) -> pd.DataFrame:
    """Both arms against markets left alone, by share and fit; cells where they were met only."""
    return responses_in(net_table(evidence))


def responses_in(table: pd.DataFrame) -> pd.DataFrame:
    """`responses`, from a table of net effects."""
    kept = table[table["quantity"].isin(["total", "spillover"])]
    kept = kept[(kept["read"] != BETWEEN) & kept["estimate"].notna()]
    columns = ["quantity", "fit", "share", "estimate", "low", "high", "band_low", "band_high"]
    return kept[columns].reset_index(drop=True)


def nets(evidence: Evidence) -> pd.DataFrame:
    """Net per 100 by share, fit, and whose losses are counted."""
    return nets_in(net_table(evidence))


def nets_in(table: pd.DataFrame) -> pd.DataFrame:
    """`nets`, from a table of net effects."""
    pools = table[table["quantity"] == "net_pool"]
    if pools.empty:
        pools = table[table["quantity"] == "net_assigned"].assign(pool=ELIGIBLE_ONLY)
    columns = ["pool", "fit", "share", "estimate", "low", "high", "read", "code"]
    return pools[columns].reset_index(drop=True)


def ratios(evidence: Evidence) -> pd.DataFrame:
    """Ratios at the mean share, by quantity, pool and fit."""
    found, table = net_of(evidence), net_table(evidence)
    if found is None:
        return table
    kept = ~table["quantity"].isin([*EFFECTS, "net_assigned", "net_pool", "net_participants"])
    here = table[kept & np.isclose(table["share"].astype(float), round(found.mean_share, 4))]
    here = here[here["set_kind"] != "undefined"]
    return here.drop(columns=["std_error", "band_low", "band_high"]).reset_index(drop=True)


def lack_of_fit(evidence: Evidence) -> pd.DataFrame:
    """Whether fits that smooth over shares hold, rounded: ``fit, p_value``."""
    found = net_of(evidence)
    if found is None:
        return pd.DataFrame(columns=["fit", "p_value"])
    table = found.lack_of_fit[["fit", "p_value"]].dropna()
    return rounded_columns(table.reset_index(drop=True), P_VALUE_DECIMALS, "p_value")


def break_even(evidence: Evidence) -> pd.DataFrame:
    """Share of the gain that may be taken before helping no longer pays; empty without a cost."""
    found = evidence.displacement.break_even
    if found is None:
        return pd.DataFrame(columns=["quantity", "estimate", "set_kind", "low", "high", "code"])
    rounded = rounded_columns(found, SHARE_DECIMALS, "estimate", "low", "high")
    return rounded_columns(rounded, 0, "cost", "value")


def bounds(evidence: Evidence) -> pd.DataFrame:
    """Bounds on the net per 100 under each assumption; empty where the net is measured."""
    found = evidence.displacement.bounds
    columns = ["low", "high", "conf_low", "conf_high"]
    if found is None:
        return pd.DataFrame(columns=["assumption", *columns])
    return rounded_columns(found, per_hundred_scale(evidence).decimals, *columns)


def scenarios(evidence: Evidence) -> pd.DataFrame:
    """Published magnitudes and what they would leave; empty where the net is measured."""
    found = evidence.displacement.scenarios
    if found is None:
        return pd.DataFrame(columns=["study", "source", "share_lost", "left", "fr", "en"])
    rounded = rounded_columns(found, SHARE_DECIMALS, "share_lost")
    return rounded_columns(rounded, per_hundred_scale(evidence).decimals, "left")


def line_of_break_even(evidence: Evidence) -> pd.DataFrame:
    """Money left per person helped by the share of the gain taken from others; empty without a cost."""
    known, gain = evidence.displacement.break_even, evidence.displacement.gain
    if known is None or gain is None:
        return pd.DataFrame(columns=["taken", "left", "low", "high"])
    cost, value = float(known["cost"].iloc[0]), float(known["value"].iloc[0])
    worth = value * per_hundred(frames.common_scale(evidence).unit) / 100
    taken = np.linspace(0, _MOST_TAKEN, _STEPS)
    made = {
        name: worth * effect * (1 - taken) - cost
        for name, effect in zip(("left", "low", "high"), gain, strict=True)
    }
    line = pd.DataFrame({"taken": taken, **made})
    ends = line[["low", "high"]].to_numpy()
    line = line.assign(low=ends.min(axis=1), high=ends.max(axis=1))
    return rounded_columns(rounded_columns(line, 4, "taken"), 0, "left", "low", "high")
