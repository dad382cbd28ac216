r"""Effects of help and of the share of competitors helped, where markets overlap and the draw is known.

Estimand
--------
:math:`\mu(z,k)`, the mean outcome were everyone in arm :math:`z` and met a share of class :math:`k`. The
share met in market :math:`m` is :math:`s_m=\sum_{m'}W_{mm'}p_{m'}`, where :math:`W` says who competes with
whom (`whatworks.design.markets.competition.Competition`). A class stands at the mean share met in it under
the draw; the pure control, at 0, is a share met of at most ``near_zero``. Terms are those of the house;
averages weigh classes by their markets.

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
The conservative variance of Aronow & Samii, products of people never in two exposures together being
bounded by Young's inequality. What is estimated of a covariance matrix may have directions of negative
variance: these are brought to zero. The more exposures neighbours can never be in together, the larger the
bound: on a circle of markets that each meet the next, standard errors of direct effects are 1.4 times
their spread in simulations. Between months, markets carry their own correlation. Student's t with
as many degrees of freedom as markets less exposures.

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

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.markets.attach import competing
from whatworks.design.markets.competition import Competition
from whatworks.design.markets.identified import require_shares
from whatworks.design.record import Design
from whatworks.errors import OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.overlapping import Exposed, People, exposed
from whatworks.estimate.shares.responses import (
    ASSIGNED,
    INELIGIBLE,
    UNASSIGNED,
    Responses,
    estimate_of_responses,
)
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.displacement.exposure_law import CANNOT, ExposureMeans, exposure_means
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAMES: Final = {1: ASSIGNED, 0: UNASSIGNED, CANNOT: INELIGIBLE}


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
            people seen in it, least and mean chance), ``exact`` (whether chances are), ``lifted`` (part of
            the variance added to make it one, by month), ``competition`` (what W comes from).

        Raises
        ------
        DisplacementRefused
            As `require_shares`; ``NO_SATURATION_VARIATION`` where shares met fall in one class.
        DesignRefused
            When markets and competition do not name the same places.
        """
        require(design, self.needs, method="ExposureMapping")
        shares = require_shares(design, method="ExposureMapping", pure_control=False, across=True)
        people = People.of(design, shares)
        found = exposed(
            people,
            cuts=np.array(self.cuts, dtype=float),
            near_zero=self.near_zero,
            draws=self.draws,
            rng=np.random.default_rng(0) if rng is None else rng,
        )
        hajek = self.means == "hajek"
        told = [_of_month(people, found, design, t, hajek=hajek) for t in design.outcomes.months]
        return estimate_of_responses(
            _responses(told, found, people),
            method="ExposureMapping",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=_ledger(design, people, found),
            extras={
                "exposures": _exposures(told[-1], found),
                "exact": found.exact,
                "lifted": {m.month: m.means.lifted for m in told},
                "competition": people.source,
            },
        )


def vary_competition(
    design: Design,
    competitions: Mapping[str, Competition],
    *,
    method: ExposureMapping | None = None,
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
        other = competing(design, competition)
        effects = (method or ExposureMapping()).fit(other).tidy()
        effects.insert(0, "competition", name)
        rows.append(effects)
    return pd.concat(rows, ignore_index=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Month:
    """Means at one month, and who they are of."""

    month: int
    means: ExposureMeans
    middle: float
    n_units: Ints
    n_markets: Ints


def _of_month(people: People, found: Exposed, design: Design, month: int, *, hajek: bool) -> _Month:
    """Means by exposure at one month."""
    weight = people.weight * design.outcomes.counted(month) * found.kept[people.market]
    y = np.where(weight > 0, design.outcomes.at(month), 0.0)
    # A ratio of means moves as outcomes are moved; about their middle it loses no digits.
    middle = float(weight @ y / weight.sum()) if hajek and weight.any() else 0.0
    y = y - middle
    met_by = found.level[people.market]
    n, parts, n_units, everyone = people.n_markets, [], [], []
    for exposure in found.law.exposures:
        mine = (people.arm == exposure.arm) & (met_by == exposure.level) & (weight > 0)
        here = np.flatnonzero(mine)
        m, w, v = people.market[here], weight[here], y[here]
        powers = (np.ones(here.size), w, w * v, w * w, w * w * v, w * w * v * v)
        parts.append([np.bincount(m, power, n) for power in powers])
        n_units.append(here.size)
        everyone.append(weight[(people.arm == CANNOT) == (exposure.arm == CANNOT)].sum())
    seen, counts, sums, ones, products, twos = np.array(parts).transpose(1, 0, 2)
    means = exposure_means(
        found.law,
        counts=counts,
        sums=sums,
        squares=(ones, products, twos),
        people=np.array(everyone),
        hajek=hajek,
    )
    return _Month(
        month=month,
        means=means,
        middle=middle,
        n_units=np.array(n_units, dtype=np.int64),
        n_markets=(seen > 0).sum(axis=1).astype(np.int64),
    )


def _responses(told: list[_Month], found: Exposed, people: People) -> Responses:
    exposures, k = found.law.exposures, len(found.law.exposures)
    markets = np.bincount(found.level[found.kept])
    weight = {float(a): float(markets[e.level]) for e, a in zip(exposures, found.at, strict=True)}
    return Responses(
        arm=np.array([NAMES[e.arm] for e in exposures] * len(told), dtype=object),
        saturation=np.tile(found.at, len(told)),
        month=np.repeat([m.month for m in told], k).astype(np.int64),
        group=np.array(["all"] * (k * len(told)), dtype=object),
        mean=np.concatenate([m.means.mean + m.middle for m in told]),
        n_units=np.concatenate([m.n_units for m in told]),
        n_markets=np.concatenate([m.n_markets for m in told]),
        uncertainty=Influence(
            values=np.hstack([m.means.influence for m in told])[people.place],
            cluster=np.arange(people.n_markets),
            level="market",
        ),
        weight={share: n for share, n in weight.items() if share > 0},
        df=float(max(1, int(found.kept.sum()) - k)),
    )


def _exposures(month: _Month, found: Exposed) -> pd.DataFrame:
    """Each exposure: the share it stands at, who was in it, and how likely it was."""
    law = found.law
    chance = law.chance[:, found.kept]
    return pd.DataFrame(
        {
            "arm": [NAMES[e.arm] for e in law.exposures],
            "saturation": found.at,
            "n_units": month.n_units,
            "n_markets": month.n_markets,
            "least_chance": chance.min(axis=1),
            "mean_chance": chance.mean(axis=1),
        }
    )


def _ledger(design: Design, people: People, found: Exposed) -> Ledger:
    """The design's ledger, and units that had no chance of some exposure."""
    out = int((~found.kept)[people.market].sum())
    if not out:
        return design.ledger
    return design.ledger.add(
        "estimate",
        "exposures",
        unit="units",
        before=people.market.size,
        dropped={"no_chance_of_exposure": out},
    )
