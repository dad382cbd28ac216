r"""Totals of territories: what is left in net, seen from everybody who competes there.

Estimand
--------
Net jobs per 100 participants over the whole pool of treated territories, the ineligible and those who
took no part included: what the programme adds to the territory, less what it takes from anyone in it.

Equation
--------
With :math:`\hat\theta` the effect on the mean outcome of all members of the pool, and :math:`\pi` the
participants per member of it,

.. math:: N = 100\,\hat\theta/\pi,\qquad
          \mathrm{MDE}(N)=(t_{.975}+t_{.8})\,\mathrm{se}(\hat\theta)\cdot 100/\pi .

Identification
--------------
That of the method on territories; nothing crosses their borders; participants are counted in files, not
in a sample.

Inference
---------
That of the estimate, which is only rescaled. Few in a pool take part: the smallest effect such totals can
detect is usually enormous, and is told beside every estimate. A total that is not different from 0 then
says nothing.

Edge cases
----------
Effects of points are per 100 already. What the estimate does not tell stays NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from whatworks.design.record import Design
from whatworks.errors import OptionError, expect
from whatworks.estimate.cells import CELLS, Cells
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.net import per_hundred
from whatworks.vocabulary import MARKET, MONTH

Floats = NDArray[np.float64]

TOTALS: Final = "market_totals"
"""Key of an estimate's extras under which its totals lie."""
NET: Final = "net_pool"
PER_HUNDRED: Final = "/ 100"
"""Unit of effects: jobs, or whatever the outcome counts, per 100 participants."""
POWER: Final = 0.8
_SCALED: Final = ("estimate", "std_error", "conf_low", "conf_high", "band_low", "band_high")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTotals:
    """Net per 100 participants from totals of territories.

    Parameters
    ----------
    participants : float
        Per member of the pool of treated territories.
    month : int
        Periods since the start at which totals are set against other estimates.
    table : DataFrame
        ``month, net, std_error, conf_low, conf_high, p_value, mde``: per 100 participants, over all
        cohorts; ``mde`` is what 80 tests in 100 at 5 % would find.
    territories : tuple of str
        In the order of the clusters of the uncertainty; empty where not known.
    """

    participants: float
    month: int
    table: pd.DataFrame
    territories: tuple[str, ...] = ()

    @property
    def mde(self) -> float:
        """Smallest net effect that would be found at `month`, per 100 participants."""
        here = (self.table[MONTH] == self.month).to_numpy()
        return float(self.table["mde"].to_numpy(dtype=float)[here][0])


def participation(design: Design) -> float:
    """Participants per member of the pool, over treated markets, from the markets of a design.

    Raises
    ------
    OptionError
        When the design does not know who competes and who is treated in its markets.
    """
    expect(design, Design, what="participation", remedy="give a design with markets")
    known = (
        None if design.markets is None else design.markets.table[["seekers", "treated"]].dropna()
    )
    under = None if known is None else known[known["treated"] > 0]
    if under is None or under.empty:
        raise OptionError(
            what="participation",
            needed="markets with their seekers and how many of them are treated",
            found="none" if known is None else f"{len(known)} of them, nobody treated",
            remedy="say participants= as a number: participants over all who compete",
        )
    return float(under["treated"].sum() / under["seekers"].sum())


def market_totals(
    estimate: Estimate,
    *,
    participants: float,
    design: Design | None = None,
    month: int | None = None,
) -> Estimate:
    """Net effects per 100 participants, from the effect on the outcomes of whole territories.

    Parameters
    ----------
    estimate : Estimate
        On a rollout of territories (`whatworks.territories`), the mean outcome of everyone who competes
        there, in or out of the programme: of SyntheticDiD, CallawaySantAnna or another method of that
        family.
    participants : float
        Participants per member of the pool in treated territories, above 0 and at most 1, from the
        programme's files; see `participation`.
    design : Design, optional
        The one the estimate was fitted on: names its territories, so that an estimate on persons of the
        same ones can be compared with their covariance.
    month : int, optional
        Periods since the start at which totals are set against other estimates; by default the last.

    Returns
    -------
    Estimate
        The same, per 100 participants: term ``net_pool`` in place of ``att``. Extras ``market_totals``:
        `MarketTotals`, with the smallest effect that could be found.

    Raises
    ------
    OptionError
        For participants outside 0 to 1, an estimate of arms rather than of territories, or a month it
        does not tell.

    Examples
    --------
    >>> import whatworks as ww
    >>> from whatworks.worlds import Pilots, simulate_pilots
    >>> persons = ww.Design.from_panel(simulate_pilots(Pilots(seed=4)).frame, unit="unit",
    ...     period="period", first_treated="first_treated", outcome="outcome", market="zone")
    >>> land = ww.territories(persons)
    >>> whole = ww.CallawaySantAnna().fit(land)
    >>> totals = market_totals(whole, participants=0.1, design=land)
    >>> bool(np.isclose(totals.at(3)["estimate"], whole.at(3)["estimate"] * 1_000))
    True
    """
    expect(estimate, Estimate, what="market_totals", remedy="fit a method on territories first")
    if not 0 < participants <= 1:
        raise OptionError(
            what="participants",
            needed="participants per member of the pool, above 0 and at most 1",
            found=f"{participants:g}",
            remedy="divide participants by all who compete in the territories treated",
        )
    if "att" not in set(estimate.effects["term"]) or estimate.at(_last(estimate)).empty:
        raise OptionError(
            what="market_totals",
            needed="effects on treated territories, term att",
            found="terms " + ", ".join(sorted(set(estimate.effects["term"]))),
            remedy="fit SyntheticDiD or CallawaySantAnna on whatworks.territories(design)",
        )
    unit = str(estimate.effects["unit"].iloc[0])
    scale = per_hundred(unit) / participants
    effects = estimate.effects.assign(
        unit=PER_HUNDRED, term=estimate.effects["term"].replace("att", NET)
    )
    for name in _SCALED:
        effects[name] = estimate.effects[name] * scale
    table = _table(effects, df=_df(estimate))
    chosen = int(table[MONTH].max()) if month is None else month
    if chosen not in set(table[MONTH]):
        raise OptionError(
            what="month",
            needed="a period since the start that the estimate tells",
            found=str(month),
            remedy="see .effects for what there is",
        )
    found = MarketTotals(
        participants=float(participants),
        month=chosen,
        table=table,
        territories=() if design is None else tuple(str(m) for m in design.units[MARKET]),
    )
    extras = {k: v for k, v in estimate.extras.items() if k != CELLS}
    return replace(
        estimate,
        effects=effects,
        uncertainty=estimate.uncertainty.combine(scale * np.eye(len(effects))),
        extras={**extras, TOTALS: found},
    )


def _last(estimate: Estimate) -> int:
    """Last period since the start over all cohorts."""
    rows = estimate.effects
    return int(rows.loc[(rows["term"] == "att") & (rows["cohort"] == -1), MONTH].max())


def _df(estimate: Estimate) -> float:
    """Degrees of freedom of its intervals."""
    cells = estimate.extras.get(CELLS)
    return float(cells.df) if isinstance(cells, Cells) else float("inf")


def _table(effects: pd.DataFrame, *, df: float) -> pd.DataFrame:
    """Net effects from the start on, with the smallest that would be found."""
    rows = effects[(effects["term"] == NET) & (effects["cohort"] == -1) & (effects[MONTH] >= 0)]
    law = stats.norm if np.isinf(df) else stats.t(df)
    reach = float(law.ppf(0.975) + law.ppf(POWER))
    told = rows[[MONTH, "estimate", "std_error", "conf_low", "conf_high", "p_value"]]
    told = told.rename(columns={"estimate": "net"})
    return told.assign(mde=reach * told["std_error"]).reset_index(drop=True)
