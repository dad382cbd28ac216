r"""Effects of help and of the share of competitors helped, where markets overlap and the draw is known.

Estimand
--------
:math:`\mu(z,k)`, the mean outcome were everyone in arm :math:`z` and met a share of class :math:`k`, where the
share met in market :math:`m` is :math:`s_m=\sum_{m'}W_{mm'}p_{m'}` and :math:`W` says who competes with whom
(`whatworks.design.markets.record.Competition`). A class stands at the mean share met in it under the draw;
the pure control, at 0, is a share met of at most ``near_zero``. Terms are those of the house; averages
weigh classes by their markets.

Equation
--------
.. math:: \hat\mu(d)=\sum_i\frac{1\{D_i=d\}Y_i}{\pi_i(d)}\Big/\sum_i\frac{1\{D_i=d\}}{\pi_i(d)},\qquad
          D_i=(Z_i,k(s_{m(i)}))

(Hájek; with ``means="horvitz_thompson"`` divided by the number of people instead), with chances
:math:`\pi` of the known draw: shares change places among the markets of a stratum, then who is assigned
within each (`stats.displacement.exposure_law`). They are exact where all orders of shares are no more than
``draws``, and otherwise means over that many draws.

Identification
--------------
The draw, and the exposure: outcomes hang on own assignment and on the class of the share met, nothing
else. Nothing is assumed of outcomes. Vary :math:`W`: see `vary_competition`.

Inference
---------
The conservative variance of Aronow & Samii, products of people never in two exposures together being bounded
by Young's inequality. What is estimated of a covariance matrix may have directions of negative
variance: these are brought to zero. Student's t with as many degrees of freedom as markets less exposures.

Edge cases
----------
Exposures that no one was in are not told. People with no chance of some exposure that is told (their
stratum has no market without anyone assigned) are left out and counted: effects are over those who could
have been in all. Without anyone near a share met of zero, ``direct`` alone is told.

References
----------
Aronow & Samii (2017), doi:10.1214/16-AOAS1005.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.design.markets.identified import require_shares
from whatworks.design.markets.record import Competition
from whatworks.design.markets.shares import Shares
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
)
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.displacement.exposure_law import (
    CANNOT,
    DrawnShares,
    Exposure,
    ExposureLaw,
    classes,
    drawn_shares,
    exposure_law,
    exposure_means,
    met,
)
from whatworks.stats.uncertainty import Covariance
from whatworks.vocabulary import ELIGIBLE, TREATED, WEIGHT, Supply, Unidentified

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST_MARKETS: Final = 3
"""Markets in which an exposure is seen, below which it is not told."""
THIRDS: Final = (1 / 3, 2 / 3)
"""Of the shares met under the draw, at which classes are cut when none are given."""
ARMS: Final = {ASSIGNED: 1, UNASSIGNED: 0, INELIGIBLE: CANNOT}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureMapping:
    """Responses to own assignment and to the class of the share of competitors assigned.

    Parameters
    ----------
    cuts : tuple of float
        Shares met between which classes lie, each class up to and with its upper cut; by default thirds
        of the shares met under the draw.
    near_zero : float
        Share met up to which nobody is held to compete.
    means : str
        ``"hajek"`` or ``"horvitz_thompson"``.
    draws : int
        Of shares among markets.

    Examples
    --------
    >>> ExposureMapping(cuts=(0.2, 0.4), near_zero=0.02).means
    'hajek'
    """

    cuts: tuple[float, ...] = ()
    near_zero: float = 0.0
    means: Literal["hajek", "horvitz_thompson"] = "hajek"
    draws: int = 2_000

    needs: ClassVar[frozenset[Supply]] = frozenset(
        {Supply.COMPETITION, Supply.DRAWN_SATURATION, Supply.MARKETS}
    )

    def __post_init__(self) -> None:
        typed(self)
        choice(self.means, ("hajek", "horvitz_thompson"), what="means")
        cuts = np.array(self.cuts, dtype=float)
        if not ((cuts > self.near_zero) & (cuts < 1)).all() or (np.diff(cuts) <= 0).any():
            raise OptionError(
                what="ExposureMapping(cuts=...)",
                needed="increasing shares between near_zero and 1",
                found=f"{self.cuts}, near_zero={self.near_zero}",
                remedy="write for instance cuts=(0.2, 0.4), near_zero=0.02",
            )
        if not 0 <= self.near_zero < 0.5 or self.draws < 100:
            raise OptionError(
                what="ExposureMapping",
                needed="near_zero from 0 to below 0.5, draws of 100 or more",
                found=f"near_zero={self.near_zero}, draws={self.draws}",
                remedy="write for instance near_zero=0.02, draws=2000",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate responses at every month of the design.

        Parameters
        ----------
        design : Design
            Of drawn shares, with who competes with whom across markets.
        rng : Generator, optional
            Draws shares again where their orders are too many to enumerate; seeded by default.

        Returns
        -------
        Estimate
            As `estimate_of_responses`. Extras: ``exposures`` (by arm and class: share met, markets and
            people seen in it, least and mean chance), ``exact`` (whether chances are), ``lifted`` (part of the
            variance added to make it one, by month), ``competition`` (what W comes from).

        Raises
        ------
        DisplacementRefused
            As `require_shares`; ``NO_SATURATION_VARIATION`` where shares met fall in one class.
        DesignRefused
            When markets and competition do not name the same places.
        """
        require(design, self.needs, method="ExposureMapping")
        shares = require_shares(design, method="ExposureMapping", pure_control=False, across=True)
        people = _People.of(design, shares)
        rng = np.random.default_rng(0) if rng is None else rng
        law, at, kept = _law(self, people, rng)
        found = [_Month.of(self, people, law, kept, design, month) for month in design.outcomes.months]
        return estimate_of_responses(
            _responses(found, law, at, people),
            method="ExposureMapping",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=_ledger(design, people, kept),
            extras={
                "exposures": _exposures(people, law, at),
                "exact": people.exact,
                "lifted": {m.month: m.lifted for m in found},
                "competition": people.source,
            },
        )


def vary_competition(
    design: Design, competitions: Mapping[str, Competition], *, method: ExposureMapping | None = None
) -> pd.DataFrame:
    """Effects under several accounts of who competes with whom, side by side.

    Parameters
    ----------
    design : Design
    competitions : mapping of str to Competition
    method : ExposureMapping, optional

    Returns
    -------
    DataFrame
        Rows of ``effects`` with ``competition``, its name, first.
    """
    rows = []
    for name, competition in competitions.items():
        if design.markets is None:
            raise DesignRefused(
                what="vary_competition",
                needed="a design with markets",
                found="one without",
                remedy="name the column of the labour market",
            )
        other = replace(
            design,
            markets=replace(design.markets, competition=competition),
            supplies=design.supplies | {Supply.COMPETITION},
        )
        effects = (method or ExposureMapping()).fit(other).tidy()
        effects.insert(0, "competition", name)
        rows.append(effects)
    return pd.concat(rows, ignore_index=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _People:
    """Units by market, in the order in which chance takes markets, which labels do not decide."""

    market: Ints
    arm: Ints
    weight: Floats
    share: Floats
    stratum: Ints
    size: Floats
    competition: csr_array
    source: str
    n_markets: int
    exact: bool = False

    @classmethod
    def of(cls, design: Design, shares: Shares) -> _People:
        n = shares.names.size
        if shares.saturation.size != n:
            raise DesignRefused(
                what="ExposureMapping",
                needed="one share a market",
                found=f"{shares.saturation.size} shares of {n} markets, by month of entry",
                remedy="keep one month of entry, or make a market of each market in each month",
            )
        units = design.units
        eligible = np.ones(len(units), dtype=bool)
        if ELIGIBLE in units:
            eligible = units[ELIGIBLE].to_numpy(dtype=bool)
        treated, weight = units[TREATED].to_numpy(), units[WEIGHT].to_numpy(dtype=float)
        arm = np.where(eligible, treated, CANNOT).astype(np.int64)
        size = np.bincount(shares.cell, weight * eligible, n)
        if shares.stratum is not None and (shares.stratum < 0).any():
            raise DesignRefused(
                what="ExposureMapping",
                needed="markets each in one stratum",
                found=f"{int((shares.stratum < 0).sum())} in several",
                remedy="give the stratum within which shares were drawn",
            )
        some = np.bincount(shares.cell, weight * treated, n)
        y = np.nan_to_num(design.outcomes.values[:, -1])
        total = np.bincount(shares.cell, weight * y, n)
        order = np.lexsort((total, some, size, shares.saturation))
        place = np.empty(n, dtype=np.int64)
        place[order] = np.arange(n)
        stratum = np.zeros(n, dtype=np.int64)
        if shares.stratum is not None:
            first = np.unique(shares.stratum[order], return_index=True)[1]
            stratum = np.argsort(np.argsort(first))[shares.stratum[order]].astype(np.int64)
        matrix, source = _matrix(design, shares)
        return cls(
            market=place[shares.cell],
            arm=arm,
            weight=weight,
            share=shares.saturation[order],
            stratum=stratum,
            size=size[order],
            competition=csr_array(matrix[order][:, order]),
            source=source,
            n_markets=n,
        )


def _matrix(design: Design, shares: Shares) -> tuple[csr_array, str]:
    """Weights among the markets of the design, in their alphabetical order."""
    competition = None if design.markets is None else design.markets.competition
    if competition is None:
        raise DesignRefused(
            what="ExposureMapping",
            needed="who competes with whom across markets",
            found="no weights",
            remedy="say it, with whatworks.competing",
        )
    places = {name: at for at, name in enumerate(competition.names)}
    lacking = [name for name in shares.names if str(name) not in places]
    rows = np.array([places[str(name)] for name in shares.names if str(name) in places])
    chosen = csr_array(competition.weights)[rows][:, rows]
    outside = np.flatnonzero(np.asarray(chosen.sum(axis=1)).ravel() < 1 - 1e-6)
    if lacking or outside.size:
        raise DesignRefused(
            what="ExposureMapping",
            needed="competition among markets whose share is known",
            found=f"{len(lacking)} markets without weights, {outside.size} that meet competition from "
            "markets without a share",
            remedy="bring units of those markets, or weights among these ones only",
        )
    return csr_array(chosen), competition.source


def _law(
    asked: ExposureMapping, people: _People, rng: np.random.Generator
) -> tuple[ExposureLaw, Floats, Bools]:
    """Chances of exposures seen, the share at which each class stands, and who could be in them all."""
    drawn = drawn_shares(people.share, people.stratum, draws=asked.draws, rng=rng)
    object.__setattr__(people, "exact", drawn.exact)
    shares_met = met(drawn.shares, people.competition)
    edges = _edges(asked, shares_met)
    seen = classes(
        met(people.share[None], people.competition), edges, near_zero=asked.near_zero
    )[0]
    exposures = []
    for level in range(edges.size + 2):
        for arm in ARMS.values():
            here = (seen[people.market] == level) & (people.arm == arm)
            n_markets = np.unique(people.market[here]).size
            if n_markets >= FEWEST_MARKETS and not (arm == 1 and level == 0):
                exposures.append(Exposure(arm=arm, level=level))
    if len({e.level for e in exposures}) < 2:
        raise DisplacementRefused(
            code=Unidentified.NO_SATURATION_VARIATION,
            what="ExposureMapping",
            needed=f"{FEWEST_MARKETS} markets in each of two classes of the share met",
            found="one class",
            remedy="choose other cuts, or bring markets whose competitors are treated less",
        )
    law = exposure_law(
        drawn,
        people.competition,
        tuple(exposures),
        edges,
        near_zero=asked.near_zero,
        size=people.size,
    )
    kept = (law.chance > 0).all(axis=0)
    at = _standing(shares_met, law)
    if np.unique(people.market[kept[people.market]]).size < people.n_markets / 2:
        raise DesignRefused(
            what="ExposureMapping",
            needed="markets half of which or more could have met every class of share",
            found=f"{int(kept.sum())} of {people.n_markets}",
            remedy="widen the classes with cuts= and near_zero=",
        )
    return law, at, kept


def _edges(asked: ExposureMapping, shares_met: Floats) -> Floats:
    if asked.cuts:
        return np.array(asked.cuts, dtype=float)
    positive = shares_met[shares_met > asked.near_zero + 1e-12]
    levels = np.unique(np.round(positive, 9)) if positive.size else positive
    if levels.size <= len(THIRDS) + 1:  # each share met is a class of its own
        return np.asarray((levels[1:] + levels[:-1]) / 2)
    told = np.unique(np.round(np.quantile(positive, THIRDS), 3))
    return told[(told > asked.near_zero) & (told < 1)]


def _standing(shares_met: Floats, law: ExposureLaw) -> Floats:
    """Mean share met under the draw in the class of each exposure; the pure control stands at 0."""
    found = [
        0.0 if e.level == 0 else round(float(shares_met[law.level == e.level].mean()), 6)
        for e in law.exposures
    ]
    return np.array(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Month:
    month: int
    mean: Floats
    covariance: Floats
    n_units: Ints
    n_markets: Ints
    lifted: float

    @classmethod
    def of(
        cls,
        asked: ExposureMapping,
        people: _People,
        law: ExposureLaw,
        kept: Bools,
        design: Design,
        month: int,
    ) -> _Month:
        weight = people.weight * design.outcomes.counted(month) * kept[people.market]
        y = np.where(weight > 0, design.outcomes.at(month), 0.0)
        hajek = asked.means == "hajek"
        middle = float(weight @ y / weight.sum()) if hajek and weight.any() else 0.0
        y = y - middle
        seen = classes(
            met(people.share[None], people.competition),
            _edges_of(law, asked, people),
            near_zero=asked.near_zero,
        )[0]
        parts: list[list[Floats]] = [[] for _ in range(5)]
        n_units, n_markets, everyone = [], [], []
        for exposure in law.exposures:
            here = np.flatnonzero(
                (people.arm == exposure.arm) & (seen == exposure.level)[people.market] & (weight > 0)
            )
            m, w, v = people.market[here], weight[here], y[here]
            for k, value in enumerate((w, w * v, w * w, w * w * v, w * w * v * v)):
                parts[k].append(np.bincount(m, value, people.n_markets))
            n_units.append(here.size)
            n_markets.append(np.unique(m).size)
            can = (people.arm == CANNOT) == (exposure.arm == CANNOT)
            everyone.append(weight[can].sum())
        counts, sums, ones, products, twos = (np.array(part) for part in parts)
        found = exposure_means(
            law,
            counts=counts,
            sums=sums,
            squares=(ones, products, twos),
            people=np.array(everyone),
            hajek=hajek,
        )
        return cls(
            month=month,
            mean=found.mean + middle,
            covariance=found.covariance,
            n_units=np.array(n_units, dtype=np.int64),
            n_markets=np.array(n_markets, dtype=np.int64),
            lifted=found.lifted,
        )
