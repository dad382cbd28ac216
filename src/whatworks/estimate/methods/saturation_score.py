r"""Effects of help and of its share in a market, from shares and help that nobody drew.

Estimand
--------
:math:`\mu(z,p)`, the mean outcome of arm :math:`z` were the share :math:`p` of every market treated, on a
grid of shares within those seen; hence DE(p), and SNT(p), TT(p), TCE(p) where enough markets have
(almost) nobody treated. Averages over shares weigh each by the number of markets nearest to it.

Equation
--------
Within each market, the mean of each arm for people alike, doubly robust (`stats.displacement.market_means`):

.. math:: \hat\mu_z(m)=\bar y^{\,\omega}_{zm}+(\bar x_m-\bar x^{\,\omega}_{zm})'\hat\beta_z,\qquad
          \omega_i=w_i/\hat e_i .

Between markets, these means on the share and its generalised propensity, averaged over all markets
(`stats.displacement.dose_response`), :math:`X_m` being means of covariates, tightness and moderators:

.. math:: \hat\mu_z(m)=q\{p_m,\hat\eta(X_m)\}'\delta_z+u_m,\qquad
          \hat\mu(z,p)=\sum_m a_m\,q\{p,\hat\eta(X_m)\}'\hat\delta_z\Big/\sum_m a_m .

By default :math:`q` is a polynomial in the share and in the predictor :math:`\hat\eta` of its law, with
their product (``between="index"``, the propensity function of Imai & van Dyk). Hirano & Imbens' own
polynomial, in the value of the density, is ``"density"``: a density is the same on either side of its
mode, so that it tells markets with more of a cause from those with less only through the share, and
leaves a good part of even a linear confounding.

Identification
--------------
Within markets, help depends on covariates held and on chance. Between them, the share depends on
:math:`X_m` and on chance: nothing else moves both the share and what becomes of people. Markets do not
act on one another. Markets alike are seen at different shares. None of it is drawn: read ``overlap``,
``balance`` and ``sensitivity`` in the extras, months before entry (which are estimated too, and should
show nothing), and `placebo_pool`.

Inference
---------
Influence by market, which sums what a market says of the curve, of the mean over markets, of the law of
the share, and of slopes common to markets; what is left of each market is divided by
:math:`\sqrt{1-h}`. Student's t with as many degrees of freedom as markets less coefficients.

Edge cases
----------
Fewer than 40 markets, shares asked outside those seen, or markets seen near a share that are unlike two
thirds of the others: refused. Markets of a share of at most ``near_zero`` stand for markets without
anyone treated when there are at least five; otherwise ``direct`` alone is told. Markets treated in full
tell the treated of share 1, when there are five. A market in which an arm is not seen tells the other.

References
----------
Ferracci, Jolivet & van den Berg (2014), doi:10.1162/REST_a_00385; Forastiere, Airoldi & Mealli (2021),
doi:10.1080/01621459.2020.1768100; Hirano & Imbens (2004), doi:10.1002/0470090456.ch7; Imai & van Dyk
(2004), doi:10.1198/016214504000001187.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.markets.identified import require_shares
from whatworks.design.markets.shares import Shares, by_cell
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, DisplacementRefused, OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.responses import (
    ASSIGNED,
    INELIGIBLE,
    UNASSIGNED,
    Responses,
    estimate_of_responses,
    share_label,
)
from whatworks.options import typed
from whatworks.stats.displacement.common_support import explained, imbalance, nearest, supported
from whatworks.stats.displacement.confounding import e_value, robustness_value
from whatworks.stats.displacement.dose_response import (
    BETWEEN,
    Between,
    Scored,
    dose_response,
    scored,
)
from whatworks.stats.displacement.market_means import (
    WITHIN,
    Entry,
    MarketMeans,
    Slopes,
    Within,
    by_market,
    entry,
    market_means,
    slopes_within,
)
from whatworks.stats.displacement.share_law import LAWS, Law
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import ELIGIBLE, TIGHTNESS, TREATED, WEIGHT, Supply, Unidentified

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST_MARKETS: Final = 40
FEWEST_AT_A_SHARE: Final = 5
"""Markets without anyone treated, or treated in full, for these to be a share of their own."""
LEAST_SUPPORT: Final = 1 / 3
"""Share of markets that must be like some market seen near a share."""
QUANTILES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the shares seen, at which responses are told when none are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationScore:
    """Responses to the share of a market treated, by a generalised propensity.

    Parameters
    ----------
    at : tuple of float
        Shares strictly between 0 and 1 at which to tell responses; by default five quantiles of those
        seen, rounded to a hundredth.
    within : str
        ``"doubly_robust"``, ``"regression"`` or ``"weighting"`` within markets.
    between : str
        ``"index"``, ``"density"``, ``"regression"``, ``"weighting"`` or ``"doubly_robust"`` between them.
    law : str
        Of the share: ``"logit_normal"``, ``"beta"`` or ``"normal"``.
    degree : int
        Of the polynomial in the share, 1 to 3.
    near_zero : float
        Share up to which a market stands for one without anyone treated.
    weigh : str
        Each market counts as its people (``"persons"``) or all alike (``"markets"``): two estimands.

    Examples
    --------
    >>> SaturationScore(at=(0.2, 0.5)).between
    'index'
    """

    at: tuple[float, ...] = ()
    within: Within = "doubly_robust"
    between: Between = "index"
    law: Law = "logit_normal"
    degree: int = 2
    near_zero: float = 0.0
    weigh: Literal["persons", "markets"] = "persons"

    needs: ClassVar[frozenset[Supply]] = frozenset(
        {Supply.COVARIATES, Supply.MARKETS, Supply.SATURATION}
    )

    def __post_init__(self) -> None:
        typed(self)
        choice(self.within, WITHIN, what="within")
        choice(self.between, BETWEEN, what="between")
        choice(self.law, LAWS, what="law")
        choice(self.weigh, ("persons", "markets"), what="weigh")
        asked = np.array(self.at, dtype=float)
        if not ((asked > 0) & (asked < 1)).all() or np.unique(asked).size < asked.size:
            raise OptionError(
                what="SaturationScore(at=...)",
                needed="distinct shares strictly between 0 and 1",
                found=str(self.at),
                remedy="write for instance at=(0.1, 0.2, 0.3); 0 and 1 are told where markets have them",
            )
        if not 1 <= self.degree <= 3 or not 0 <= self.near_zero < 0.5:
            raise OptionError(
                what="SaturationScore",
                needed="degree from 1 to 3, near_zero from 0 to below 0.5",
                found=f"degree={self.degree}, near_zero={self.near_zero}",
                remedy="write for instance degree=2, near_zero=0.02",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate responses at every month of the design, months before entry as a placebo.

        Parameters
        ----------
        design : Design
            With covariates, markets and the share of each under treatment.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            As `estimate_of_responses`. Extras: ``overlap`` (by share: markets near it, share of markets
            like one of them, variance of shares explained), ``balance`` (correlation of each column
            of markets with the share, before and with the score held), ``sensitivity`` (robustness values and
            E-values of spillovers), ``least_chance`` within markets.

        Raises
        ------
        DisplacementRefused
            ``TOO_FEW_MARKETS``, ``EXTRAPOLATED_P``, ``P_COLLINEAR`` (no overlap), and as
            `require_shares`.
        """
        require(design, self.needs, method="SaturationScore")
        known = _Known.of(self, design)
        cells: list[_Cell] = []
        least = np.inf
        for month in design.outcomes.months:
            means, chance = _means(self, design, known, month)
            least = np.fmin(least, chance.least)
            cells += list(_cells(self, known, means, month))
        responses = _responses(cells, known)
        estimate = estimate_of_responses(
            responses,
            method="SaturationScore",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=known.ledger(design),
            extras={
                "overlap": known.overlap,
                "balance": known.balance,
                "least_chance": float(least),
            },
        )
        extras = {**estimate.extras, "sensitivity": _sensitivity(estimate, responses)}
        return replace(estimate, extras=extras)


def placebo_pool(
    design: Design, *, cannot_compete: str, method: SaturationScore | None = None
) -> Estimate:
    """The same method on people who do not compete for the same jobs: no spillover is expected there.

    Parameters
    ----------
    design : Design
    cannot_compete : str
        Covariate that is 1 for them and 0 for others.
    method : SaturationScore, optional

    Returns
    -------
    Estimate

    Raises
    ------
    OptionError
        When it is no covariate of the design, or has other values.
    """
    values = design.units[cannot_compete].to_numpy() if cannot_compete in design.covariates else None
    if values is None or not np.isin(values, (0.0, 1.0)).all():
        raise OptionError(
            what="cannot_compete",
            needed="a covariate of the design that is 0 or 1",
            found=repr(cannot_compete),
            remedy="add it to the covariates, 1 for people who cannot compete for the same jobs",
        )
    rows = np.flatnonzero(values == 1)
    units = design.units.iloc[rows].reset_index(drop=True).drop(columns=cannot_compete)
    confined = replace(
        design,
        units=units.assign(unit_id=np.arange(rows.size)),
        covariates=tuple(name for name in design.covariates if name != cannot_compete),
        outcomes=design.outcomes.of(rows.astype(np.int64)),
        ledger=design.ledger.add(
            "estimate",
            "placebo_pool",
            unit="units",
            before=len(design.units),
            dropped={"can_compete": len(design.units) - rows.size},
        ),
        fitted=(),
        seal=None,
    )
    return (method or SaturationScore()).fit(confined)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is read once for all months: markets, who is in them, and the law of their shares."""

    shares: Shares
    treated: Bools
    eligible: Bools
    weight: Floats
    covariates: Floats
    count: Floats
    inside: Scored
    none: Scored | None
    full: Scored | None
    at: Floats
    overlap: pd.DataFrame
    balance: pd.DataFrame

    @classmethod
    def of(cls, asked: SaturationScore, design: Design) -> _Known:
        timed = design.markets is not None and bool(
            np.isfinite(design.markets.table[TIGHTNESS].to_numpy(dtype=float)).any()
        )
        shares = require_shares(
            design, method="SaturationScore", pure_control=False, by_tightness=timed
        )
        units, p = design.units, shares.saturation
        _enough(shares)
        eligible = np.ones(len(units), dtype=bool)
        if ELIGIBLE in units:
            eligible = units[ELIGIBLE].to_numpy(dtype=bool)
        weight = units[WEIGHT].to_numpy(dtype=float)
        covariates = units[list(design.covariates)].to_numpy(dtype=float)
        size = np.bincount(shares.cell, weight * eligible, p.size)
        if not (size > 0).all():
            raise DesignRefused(
                what="SaturationScore",
                needed="someone in every market who could have been treated",
                found=f"{int((size == 0).sum())} markets without",
                remedy="leave those markets out before",
            )
        inside = (p > asked.near_zero) & (p < 1)
        at = _grid(asked, p[inside])
        columns, names = _of_markets(design, shares, covariates, weight * eligible, size)
        count = size if asked.weigh == "persons" else np.ones(p.size)
        laws = [
            scored(p, columns, members, law=asked.law if members is inside else None)
            if members is inside or members.sum() >= FEWEST_AT_A_SHARE
            else None
            for members in (inside, p <= asked.near_zero, p == 1)
        ]
        if laws[0] is None or not all(law is None or law.converged for law in laws):
            raise _no_overlap("a law of the share without a maximum", explained(laws[0]))  # type: ignore[arg-type]  # the first is always fitted
        return cls(
            shares=shares,
            treated=units[TREATED].to_numpy(),
            eligible=eligible,
            weight=weight,
            covariates=covariates,
            count=count,
            inside=laws[0],
            none=laws[1],
            full=laws[2],
            at=at,
            overlap=_overlap(laws, at, count),
            balance=pd.DataFrame(
                {
                    "covariate": names,
                    **dict(zip(("before", "after"), imbalance(laws[0], weight=count), strict=True)),
                }
            ),
        )

    def ledger(self, design: Design) -> Any:
        """The design's ledger, and units of markets at a share too few have."""
        told = [law.members for law in (self.inside, self.none, self.full) if law is not None]
        out = int((~np.any(told, axis=0))[self.shares.cell].sum())
        if not out:
            return design.ledger
        n = len(design.units)
        return design.ledger.add(
            "estimate", "shares", unit="units", before=n, dropped={"share_of_few_markets": out}
        )


def _enough(shares: Shares) -> None:
    if shares.names.size < FEWEST_MARKETS:
        raise DisplacementRefused(
            code=Unidentified.TOO_FEW_MARKETS,
            what="SaturationScore",
            needed=f"at least {FEWEST_MARKETS} markets whose share was not drawn",
            found=f"{shares.names.size}",
            remedy="bring further markets, or draw shares: methods for drawn shares do with fewer",
        )


def _grid(asked: SaturationScore, seen: Floats) -> Floats:
    """Shares to tell responses at, within those seen."""
    if seen.size < FEWEST_MARKETS // 2 or np.unique(seen).size < asked.degree + 2:
        raise DisplacementRefused(
            code=Unidentified.NO_SATURATION_VARIATION,
            what="SaturationScore",
            needed=f"{FEWEST_MARKETS // 2} markets treated in part, at {asked.degree + 2} shares or more",
            found=f"{seen.size} at {np.unique(seen).size}",
            remedy="bring markets treated to further shares; where shares take few values that were "
            "drawn, use SaturationRegression",
        )
    low, high = float(seen.min()), float(seen.max())
    if not asked.at:
        told = np.round(np.quantile(seen, QUANTILES), 2)
        return np.unique(told[(told >= low) & (told <= high) & (told > 0) & (told < 1)])
    at = np.sort(np.array(asked.at, dtype=float))
    if at[0] < low or at[-1] > high:
        raise DisplacementRefused(
            code=Unidentified.EXTRAPOLATED_P,
            what="SaturationScore(at=...)",
            needed=f"shares within those seen, {low:.3g} to {high:.3g}",
            found=f"{at[0]:g} to {at[-1]:g}",
            remedy="ask for shares within them; nothing tells what happens beyond",
        )
    return at


def _of_markets(
    design: Design, shares: Shares, covariates: Floats, weight: Floats, size: Floats
) -> tuple[Floats, list[str]]:
    """A constant, and what markets are, each column that varies in its standard deviations."""
    n = shares.saturation.size
    columns = by_market(weight[:, None] * covariates, shares.cell, n) / size[:, None]
    named = list(zip(design.covariates, columns.T, strict=True))
    if design.markets is not None:
        for name in (TIGHTNESS, *design.markets.moderators):
            found = by_cell(design, shares, name)
            if np.isfinite(found).any():
                named.append((name, found))
    unknown = [name for name, column in named if not np.isfinite(column).all()]
    if unknown:
        raise DesignRefused(
            what=f"SaturationScore: {unknown[0]!r} of markets",
            needed="a number for every market",
            found="markets without",
            remedy="complete the table of markets, or leave those markets out before",
        )
    wide = [(name, column - column.mean()) for name, column in named]
    spread = [float(np.sqrt(c @ c / n)) for _, c in wide]
    scale = [float(np.abs(column).max()) for _, column in named]
    kept = [k for k in range(len(wide)) if spread[k] > 1e-10 * scale[k]]
    told = [np.ones(n), *(wide[k][1] / spread[k] for k in kept)]
    return np.column_stack(told), [wide[k][0] for k in kept]


def _overlap(laws: list[Scored | None], at: Floats, count: Floats) -> pd.DataFrame:
    """By share: markets near it, and share of markets like one of them; refused where these are few."""
    rows = []
    for law, where in zip(laws, (at, np.zeros(1), np.ones(1)), strict=True):
        if law is None:
            continue
        near = np.bincount(nearest(law.share, where)[law.members], minlength=where.size)
        alike = supported(law, where, weight=count)
        rows += [
            (float(p), int(n), float(s)) for p, n, s in zip(where, near, alike, strict=True)
        ]
    inside = laws[0]
    told = explained(inside) if inside is not None else float("nan")
    if min(row[2] for row in rows) < LEAST_SUPPORT:
        worst = min(rows, key=lambda row: row[2])
        raise _no_overlap(
            f"{worst[1]} markets near the share {worst[0]:g}, like {worst[2]:.0%} of all", told
        )
    table = pd.DataFrame(rows, columns=["saturation", "n_markets", "supported"])
    return table.assign(explained=told).sort_values("saturation", ignore_index=True)


def _no_overlap(found: str, told: float) -> DisplacementRefused:
    return DisplacementRefused(
        code=Unidentified.P_COLLINEAR,
        what="SaturationScore: overlap of shares",
        needed=f"markets near each share that are like at least {LEAST_SUPPORT:.0%} of all",
        found=f"{found}; what markets are explains {told:.0%} of their shares",
        remedy="ask for fewer or other shares with at=, keep to kinds of markets seen at different "
        "shares, or draw the shares of the next wave",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    """Means of an arm by market, and influences on what is common to markets."""

    means: MarketMeans
    common: Floats
    units: Ints


def _means(
    asked: SaturationScore, design: Design, known: _Known, month: int
) -> tuple[dict[str, _Arm], Entry]:
    """First stage at one month."""
    y, factor = design.outcomes.at(month), design.outcomes.counted(month)
    n, cell = known.shares.saturation.size, known.shares.cell
    weight = known.weight * factor
    # About their mean, outcomes lose no digits to what all have.
    middle = float(np.nansum(weight * np.nan_to_num(y)) / weight.sum()) if weight.any() else 0.0
    y = np.where(weight > 0, y - middle, 0.0)
    of_eligible = weight * known.eligible
    weigh = asked.within != "regression"
    chance = entry(
        known.covariates if weigh else known.covariates[:, :0],
        known.treated,
        market=cell,
        weight=of_eligible,
        n_markets=n,
    )
    if not weigh:
        nil = np.zeros((n, known.covariates.shape[1]))
        chance = replace(chance, apart=np.zeros_like(known.covariates), influence=nil)
    found: dict[str, _Arm] = {}
    for arm, rows in (
        (ASSIGNED, known.eligible & known.treated),
        (UNASSIGNED, known.eligible & ~known.treated),
        (INELIGIBLE, ~known.eligible),
    ):
        if not (rows & (weight > 0)).any():
            continue
        seen = weight * rows
        plain = arm == INELIGIBLE
        slopes = Slopes(
            slopes=np.zeros(known.covariates.shape[1]),
            influence=np.zeros((n, known.covariates.shape[1])),
        )
        if not plain and asked.within != "weighting":
            slopes = slopes_within(y, known.covariates, market=cell, weight=seen, n_markets=n)
        means = market_means(
            y,
            known.covariates,
            in_arm=rows,
            market=cell,
            weight=weight * rows if plain else of_eligible,
            chance=chance,
            treated=arm == ASSIGNED,
            slopes=None if plain or asked.within == "weighting" else slopes,
            weigh=weigh and not plain,
            n_markets=n,
        )
        found[arm] = _Arm(
            means=replace(means, mean=means.mean + middle),
            common=np.hstack([slopes.influence, chance.influence]),
            units=np.bincount(cell[seen > 0], minlength=n).astype(np.int64),
        )
    return found, chance


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    arm: str
    saturation: float
    month: int
    mean: float
    influence: Floats
    n_units: int
    n_markets: int
    parameters: int


def _cells(
    asked: SaturationScore, known: _Known, arms: dict[str, _Arm], month: int
) -> Iterator[_Cell]:
    """Second stage at one month: each arm at each share."""
    for arm, of_arm in arms.items():
        parts: list[tuple[Scored | None, Floats]] = [(known.inside, known.at)]
        if arm != ASSIGNED:
            parts.append((known.none, np.zeros(1)))
        if arm != UNASSIGNED:
            parts.append((known.full, np.ones(1)))
        for law, at in parts:
            if law is None:
                continue
            seen = law.members & np.isfinite(of_arm.means.mean)
            if seen.sum() < FEWEST_AT_A_SHARE:
                continue
            found = dose_response(
                of_arm.means.mean,
                law,
                at,
                weight=known.count,
                how=asked.between,
                degree=asked.degree,
            )
            whole = found.influence + of_arm.common @ (of_arm.means.slope.T @ found.gain)
            for k, share in enumerate(at):
                yield _Cell(
                    arm=arm,
                    saturation=float(share),
                    month=month,
                    mean=float(found.mean[k]),
                    influence=whole[:, k],
                    n_units=int(of_arm.units[seen].sum()),
                    n_markets=int(seen.sum()),
                    parameters=found.parameters,
                )


def _responses(cells: list[_Cell], known: _Known) -> Responses:
    shares = known.shares
    influence = by_market(
        np.column_stack([cell.influence for cell in cells]), shares.of_cell, shares.names.size
    )
    members = known.inside.members
    near = np.bincount(
        nearest(shares.saturation[members], known.at), minlength=known.at.size
    ).astype(float)
    weight = dict(zip(known.at.tolist(), near.tolist(), strict=True))
    if known.full is not None:
        weight[1.0] = float(known.full.members.sum())
    return Responses(
        arm=np.array([c.arm for c in cells], dtype=object),
        saturation=np.array([c.saturation for c in cells]),
        month=np.array([c.month for c in cells], dtype=np.int64),
        group=np.array(["all"] * len(cells), dtype=object),
        mean=np.array([c.mean for c in cells]),
        n_units=np.array([c.n_units for c in cells], dtype=np.int64),
        n_markets=np.array([c.n_markets for c in cells], dtype=np.int64),
        uncertainty=Influence(
            values=influence, cluster=np.arange(shares.names.size), level="market"
        ),
        weight=weight,
        df=float(shares.names.size - max(c.parameters for c in cells)),
    )


def _sensitivity(estimate: Estimate, responses: Responses) -> pd.DataFrame:
    """Robustness values of every spillover, and E-values where outcomes have a ratio."""
    rows = estimate.effects[estimate.effects["term"] == "spillover"]
    t = (rows["estimate"] / rows["std_error"]).to_numpy(dtype=float)
    base = {
        int(m): float(v)
        for m, v in zip(
            responses.month[(responses.arm == UNASSIGNED) & (responses.saturation == 0)],
            responses.mean[(responses.arm == UNASSIGNED) & (responses.saturation == 0)],
            strict=True,
        )
    }
    before = rows["month"].map(base).to_numpy(dtype=float)
    positive = (before > 0) & (before + rows["estimate"].to_numpy(dtype=float) > 0)
    safe = np.where(positive, before, 1.0)
    nearest_to_none = np.where(
        (rows["conf_low"] <= 0) & (rows["conf_high"] >= 0),
        0.0,
        np.where(rows["estimate"] > 0, rows["conf_low"], rows["conf_high"]),
    )
    ratios = [1 + v / safe for v in (rows["estimate"].to_numpy(dtype=float), nearest_to_none)]
    found = [np.where(positive, e_value(r), np.nan) for r in ratios]
    return pd.DataFrame(
        {
            "month": rows["month"].to_numpy(),
            "group": rows["group"].to_numpy(),
            "estimate": rows["estimate"].to_numpy(),
            "robustness": robustness_value(t, df=responses.df),
            "robustness_of_interval": robustness_value(t, df=responses.df, level=0.95),
            "e_value": found[0],
            "e_value_of_interval": found[1],
        }
    )


__all__ = ["SaturationScore", "placebo_pool", "share_label"]
