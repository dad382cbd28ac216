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

By default :math:`q` has a polynomial in the share, what markets are, the square of the predictor
:math:`\hat\eta` of the law of the share and its product with the share (``between="index"``, after the
propensity function of Imai & van Dyk). Hirano & Imbens' own polynomial, in the value of the density, is
``"density"``: a density is the same on either side of its mode, so that it tells markets with more of a
cause from those with less only through the share, and leaves a good part of even a linear confounding.

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
anyone treated when there are at least five, and three more than columns of what markets are; otherwise
``direct`` alone is told. As many markets treated in full tell the treated of share 1. A market in which
an arm is not seen tells the other.

References
----------
Ferracci, Jolivet & van den Berg (2014), doi:10.1162/REST_a_00385; Forastiere, Airoldi & Mealli (2021),
doi:10.1080/01621459.2020.1768100; Hirano & Imbens (2004), doi:10.1002/0470090456.ch7; Imai & van Dyk
(2004), doi:10.1198/016214504000001187.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DisplacementRefused, OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.responses import (
    ASSIGNED,
    UNASSIGNED,
    Responses,
    estimate_of_responses,
)
from whatworks.estimate.shares.scored_markets import (
    FEWEST_AT_A_SHARE,
    FEWEST_MARKETS,
    METHOD,
    ArmMeans,
    Laws,
    ScoredMarkets,
    arm_means,
    laws_of_shares,
)
from whatworks.options import typed
from whatworks.stats.displacement.common_support import nearest
from whatworks.stats.displacement.confounding import e_value, robustness_value
from whatworks.stats.displacement.dose_response import BETWEEN, Between, Scored, dose_response
from whatworks.stats.displacement.market_means import WITHIN, Within, by_market
from whatworks.stats.displacement.share_law import LAWS, Law
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import Supply, Unidentified

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

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
        known = ScoredMarkets.of(design)
        laws = laws_of_shares(
            known,
            _grid(self, known.shares.saturation),
            law=self.law,
            near_zero=self.near_zero,
            by_persons=self.weigh == "persons",
        )
        cells: list[_Cell] = []
        least = np.inf
        for month in design.outcomes.months:
            arms = arm_means(known, design, month, within=self.within)
            least = min([least, *(arm.least for arm in arms.values() if arm.least <= least)])
            cells += _cells(self, laws, arms, month)
        responses = _responses(cells, known, laws)
        estimate = estimate_of_responses(
            responses,
            method=METHOD,
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=laws.ledger(known, design.ledger),
            extras={
                "overlap": laws.overlap,
                "balance": laws.balance,
                "least_chance": least if np.isfinite(least) else float("nan"),
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
    values = (
        design.units[cannot_compete].to_numpy() if cannot_compete in design.covariates else None
    )
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


def _grid(asked: SaturationScore, shares: Floats) -> Floats:
    """Shares to tell responses at, within those seen."""
    seen = shares[(shares > asked.near_zero) & (shares < 1)]
    if seen.size < FEWEST_MARKETS // 2 or np.unique(seen).size < asked.degree + 2:
        raise DisplacementRefused(
            code=Unidentified.NO_SATURATION_VARIATION,
            what=METHOD,
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
    asked: SaturationScore, laws: Laws, arms: dict[str, ArmMeans], month: int
) -> Iterator[_Cell]:
    """Second stage at one month: each arm at each share."""
    for arm, of_arm in arms.items():
        parts: list[tuple[Scored | None, Floats]] = [(laws.inside, laws.at)]
        if arm != ASSIGNED:
            parts.append((laws.none, np.zeros(1)))
        if arm != UNASSIGNED:
            parts.append((laws.full, np.ones(1)))
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
                weight=laws.count,
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


def _responses(cells: list[_Cell], known: ScoredMarkets, laws: Laws) -> Responses:
    shares = known.shares
    influence = by_market(
        np.column_stack([cell.influence for cell in cells]), shares.of_cell, shares.names.size
    )
    members = laws.inside.members
    near = np.bincount(nearest(shares.saturation[members], laws.at), minlength=laws.at.size).astype(
        float
    )
    weight = dict(zip(laws.at.tolist(), near.tolist(), strict=True))
    if laws.full is not None:
        weight[1.0] = float(laws.full.members.sum())
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
    columns = ("estimate", "std_error", "conf_low", "conf_high")
    effect, error, low, high = (rows[name].to_numpy(dtype=float) for name in columns)
    none = (responses.arm == UNASSIGNED) & (responses.saturation == 0)
    base = dict(zip(responses.month[none].tolist(), responses.mean[none].tolist(), strict=True))
    before = rows["month"].map(base).to_numpy(dtype=float)
    positive = (before > 0) & (before + effect > 0)
    safe = np.where(positive, before, 1.0)
    nearer = np.where((low <= 0) & (high >= 0), 0.0, np.where(effect > 0, low, high))
    values = [np.where(positive, e_value(1 + v / safe), np.nan) for v in (effect, nearer)]
    found = {
        "month": rows["month"].to_numpy(),
        "group": rows["group"].to_numpy(),
        "estimate": effect,
        "robustness": robustness_value(effect / error, df=responses.df),
        "robustness_of_interval": robustness_value(effect / error, df=responses.df, level=0.95),
        "e_value": values[0],
        "e_value_of_interval": values[1],
    }
    return pd.DataFrame(found)
