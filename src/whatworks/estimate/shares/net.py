r"""Net effects: what is left of the gains of some once the losses of others are counted.

Estimand
--------
At each share :math:`p` of the eligible assigned, per 100 assigned: the net among the eligible
:math:`N(p)=100(DE+SNT/p)`, over the whole competing pool :math:`N_\omega(p,k)`, and per 100 who took part
(if assignment acts through taking part only). Apart from it, three ratios that are often taken for one
another, each with its definition: :math:`-SNT/DE` (``spillover_over_direct``), what others lose over
what the assigned gain (``displacement_ratio``), and one less the net over the direct effect
with next to nobody else helped (``structural_displacement``).

Identification
--------------
That of the estimate: shares that vary, some of them zero, and nothing crossing from market to market.

Inference
---------
What is linear in cells has its standard error from their joint covariance. Ratios have the set of
values not rejected (Fieller), which may be unbounded; the point is then suppressed. Quantiles are those
of Student's t with the degrees of freedom of the responses.

Edge cases
----------
A share outside those observed is refused. Within, cells are joined by straight lines. A share of one
arm tells what that arm tells. Who competes and cannot be assigned is either seen, or shown twice: as
losing nothing, and as losing what the eligible who were not assigned lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks import doors
from whatworks.design.markets.identified import require_shares
from whatworks.design.record import Design
from whatworks.errors import DisplacementRefused, OptionError, choice
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.at_shares import FITS, Terms, terms_of
from whatworks.estimate.shares.net_rows import (
    LEVELS,
    RATIOS,
    Money,
    Place,
    found_at,
    lack_of_fit,
    level_rows,
    ratio_row,
    rows_of,
    set_of,
    why_missing,
)
from whatworks.estimate.shares.responses import ASSIGNED, RESPONSES, UNASSIGNED, Responses
from whatworks.stats.displacement.ratios import RatioSet
from whatworks.stats.uncertainty import Uncertainty
from whatworks.vocabulary import Unidentified

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

COLUMNS: Final = (
    *("fit", "quantity", "share", "pool", "estimate", "std_error"),
    *("set_kind", "low", "high", "band_low", "band_high"),
    *("numerator", "denominator", "read", "code"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetEffects:
    """What is left in net, by share and by fit.

    Parameters
    ----------
    table : DataFrame
        A row per quantity: ``fit`` (``saturated``, ``pooled``, ``linear``), ``quantity``, ``share``,
        ``pool`` (whose losses count: ``eligible_only``, ``everyone_exposed``, ``seen``; empty where it
        does not matter), ``estimate, std_error, set_kind, low, high`` (95 %), ``band_low, band_high`` (of
        all shares at once), ``numerator, denominator`` of ratios, ``read`` (``observed`` or ``between``
        two shares, or of the ``fit``), ``code`` (why there is no point: a word of
        `whatworks.vocabulary.Unidentified`). First what is linear in cells
        (`whatworks.estimate.shares.net_rows.LEVELS`), then ratios.
    uncertainty : Uncertainty
        Of the levels, in the order of their rows.
    sets : tuple of RatioSet
        Of the ratios, in the order of their rows.
    lack_of_fit : DataFrame
        ``fit, statistic, df1, df2, p_value``: whether the fits that smooth over shares hold.
    month : int
    group : str
    unit : str
        Of the outcome; effects are in it, nets in it per 100 persons.
    mean_share : float
        Average share of the markets where somebody was assigned.
    pool_share : float
        Part of the competing pool that is eligible; NaN where not known.
    cost, value : float
        Of a participant and of a job; NaN where not given.
    df : float
    """

    table: pd.DataFrame
    uncertainty: Uncertainty
    sets: tuple[RatioSet, ...]
    lack_of_fit: pd.DataFrame
    month: int
    group: str
    unit: str
    mean_share: float
    pool_share: float
    cost: float
    value: float
    df: float

    def covariance(self) -> Floats:
        """Covariance of the levels, in the order of their rows."""
        return self.uncertainty.covariance()

    def tidy(self) -> pd.DataFrame:
        """A copy of the table."""
        return self.table.copy()

    def at(
        self, quantity: str, *, share: float, fit: str = "saturated", pool: str = ""
    ) -> pd.Series:
        """One row of the table.

        Raises
        ------
        OptionError
            When there is no such row.
        """
        t = self.table
        here = (t["quantity"] == quantity) & (t["fit"] == fit) & (t["pool"] == pool)
        found = t[here & np.isclose(t["share"], share)]
        if found.empty:
            raise OptionError(
                what="NetEffects.at",
                needed="a quantity, a share, a fit and a pool of the table",
                found=f"{quantity!r}, {share:g}, {fit!r}, {pool!r}",
                remedy="see .table for what there is",
            )
        return found.iloc[0]

    def plot(self, kind: str = "net", *, ax: Axes | None = None) -> Axes:
        """Nets per 100 by share (``"net"``), or what both arms gain and lose (``"responses"``)."""
        choice(kind, ("net", "responses"), what="kind")
        drawn = getattr(doors.report(), f"plot_{kind}")
        axes: Axes = drawn(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        return str(self.table.round(4).to_html(index=False))


def net(
    estimate: Estimate,
    design: Design,
    *,
    at: float | Sequence[float] | None = None,
    month: int | None = None,
    group: str = "all",
    pool_share: float | None = None,
    cost: float | None = None,
    value: float | None = None,
) -> NetEffects:
    r"""Net effects of an estimate by arm and share.

    Parameters
    ----------
    estimate : Estimate
        Of a method that gives responses, such as `whatworks.SaturationRegression`.
    design : Design
        The one it was fitted on: who took part is read from it, and the pool where it knows it.
    at : float or sequence of float, optional
        Shares assigned; by default those observed, and their mean over markets.
    month : int, optional
        Months since entry; by default the last.
    group : str
        A group of the responses.
    pool_share : float, optional
        :math:`\omega`, part of those who compete that is eligible; by default read off the markets of
        the design, where they say it.
    cost, value : float, optional
        Of a participant, and of a job, in the same money.

    Raises
    ------
    DisplacementRefused
        ``NET_CLAIM_WITHOUT_DESIGN`` for an estimate that knows nothing of others; ``NO_PURE_CONTROL``,
        ``EXTRAPOLATED_P``, and the refusals of `whatworks.design.markets.identified.require_shares`.
    OptionError
        For a pool share outside 0 to 1, a cost below 0 or a value not above it.

    Examples
    --------
    >>> from whatworks.worlds import FiniteJobs, simulate_jobs
    >>> people = simulate_jobs(FiniteJobs(n_markets=40, seed=4)).frame
    >>> design = Design.from_cross_section(people, treatment="treated", outcome="y", market="market",
    ...     saturation="saturation", stratum="stratum", randomised=True)
    >>> from whatworks.estimate.methods.saturation_regression import SaturationRegression
    >>> found = net(SaturationRegression().fit(design), design, at=0.5, pool_share=0.5)
    >>> bool(found.at("net_assigned", share=0.5)["low"] < 6.785)
    True
    """
    responses = _responses(estimate, design)
    month = int(responses.month.max()) if month is None else month
    omega = _pool_share(design) if pool_share is None else pool_share
    money = _money(design, omega, cost, value, responses.df)
    terms = terms_of(responses, design, month=month, group=group)
    shares, mean_share = _shares(terms, at)
    told = [
        (Place(fit, share, read, why_missing(terms, here, read)), row)
        for fit, share in product(FITS, shares)
        for here, read in found_at(terms, fit, share)
        for row in rows_of(terms, here, fit=fit, money=money)
    ]
    levels = [(p, r) for p, r in told if r.quantity in LEVELS]
    ratios = [(p, r) for p, r in told if r.quantity in RATIOS]
    nothing = np.zeros(terms.values.size)
    forms = np.array([nothing if r.over is None else r.over for _, r in levels])
    uncertainty = terms.uncertainty.combine(forms)
    sets = tuple(set_of(terms, row, money) for _, row in ratios)
    effect = [np.nan if r.over is None else terms.value(r.over) for _, r in levels]
    rows = level_rows(levels, np.array(effect), uncertainty, money.df)
    rows += [ratio_row(place, row, found) for (place, row), found in zip(ratios, sets, strict=True)]
    return NetEffects(
        table=pd.DataFrame(rows, columns=list(COLUMNS)),
        uncertainty=uncertainty,
        sets=sets,
        lack_of_fit=lack_of_fit(terms, responses.df),
        month=month,
        group=group,
        unit=design.outcomes.unit,
        mean_share=mean_share,
        pool_share=omega,
        cost=money.cost,
        value=money.value,
        df=responses.df,
    )


def per_hundred(unit: str) -> float:
    """By how much effects in a unit are multiplied to be told for 100 persons: points already are."""
    return 1.0 if unit == "pp" else 100.0


def _responses(estimate: Estimate, design: Design) -> Responses:
    found = estimate.extras.get(RESPONSES)
    if not isinstance(found, Responses):
        raise DisplacementRefused(
            code=Unidentified.NET_CLAIM_WITHOUT_DESIGN,
            what="a net effect",
            needed="an estimate by arm and share of the market assigned",
            found=f"one of {estimate.method}, which compares those helped with others and says "
            "nothing of what others lost",
            remedy="fit a method for saturations on markets of which some were left without; or read "
            "the break-even displacement, which needs none",
        )
    require_shares(design, method="net", fewest=1)
    if not found.anchored:
        raise DisplacementRefused(
            code=Unidentified.NO_PURE_CONTROL,
            what="a net effect",
            needed="outcomes of markets in which nobody was assigned",
            found="shares all above zero",
            remedy="bring pure-control markets; direct effects and slopes can be told without",
        )
    return found


def _pool_share(design: Design) -> float:
    """Eligible part of the pool, over all markets; NaN where the design does not say it."""
    if design.markets is None:
        return float("nan")
    pool = design.markets.table[["seekers", "eligible"]].dropna().sum()
    return float(pool["eligible"] / pool["seekers"]) if pool["seekers"] > 0 else float("nan")


def _money(
    design: Design, omega: float, cost: float | None, value: float | None, df: float
) -> Money:
    if not (np.isnan(omega) or 0 < omega <= 1):
        raise OptionError(
            what="pool_share",
            needed="a share above 0, at most 1",
            found=f"{omega:g}",
            remedy="divide the eligible by all who compete for the same jobs",
        )
    for name, given, least in (("cost", cost, 0.0), ("value", value, np.nextafter(0, 1))):
        if given is not None and not given >= least:
            raise OptionError(
                what=name,
                needed="a sum of money" + (" above 0" if least else ", at least 0"),
                found=f"{given:g}",
                remedy="write what a participant costs and what a job is worth in the same money",
            )
    return Money(
        cost=float("nan") if cost is None else float(cost),
        value=float("nan") if value is None else float(value),
        scale=per_hundred(design.outcomes.unit),
        pool_share=omega,
        df=df,
    )


def _shares(terms: Terms, at: float | Sequence[float] | None) -> tuple[tuple[float, ...], float]:
    """Shares asked for, within those observed; and the mean one."""
    assigned = terms.shares(ASSIGNED)
    known = np.unique(np.concatenate([assigned, terms.shares(UNASSIGNED)]))
    known = known[known > 0]
    if not assigned.size or not known.size:
        raise OptionError(
            what="net",
            needed="a month and a group of the responses",
            found=f"month {terms.month}, group {terms.group!r}",
            remedy="see the responses of the estimate for what there is",
        )
    weight = np.array([terms.responses.weight.get(float(s), 0.0) for s in known])
    mean = float(weight @ known / weight.sum()) if weight.sum() > 0 else float(known.mean())
    mean = next((float(s) for s in known if np.isclose(s, mean)), mean)
    if at is None:
        return tuple(sorted({*(float(s) for s in known), mean})), mean
    asked = tuple(float(s) for s in ([at] if isinstance(at, int | float) else at))
    beyond = [s for s in asked if not known[0] - 1e-9 <= s <= known[-1] + 1e-9]
    if beyond:
        raise DisplacementRefused(
            code=Unidentified.EXTRAPOLATED_P,
            what="a net effect at a share of " + ", ".join(f"{s:g}" for s in beyond),
            needed=f"a share among those observed, from {known[0]:g} to {known[-1]:g}",
            found="none beyond them",
            remedy="ask at a share that some market had; the next wave can draw others",
        )
    near = [next((float(k) for k in known if np.isclose(k, s)), s) for s in asked]
    return tuple(near), mean
