r"""How soon vacancies are filled, withdrawal being another ending, by arm or by share of the market helped.

Estimand
--------
By days since posting: the share of jobs filled, and the share withdrawn, of helped vacancies less the
others (``filled``, ``withdrawn``, in points); and the mean days without a hire within a horizon
(``days_to_fill``), a vacancy withdrawn counting for the whole of it. In a design of hires by origin the
first share is that of those hires, and others (``filled_otherwise``) compete with them. Where the share of
each market helped was drawn, differences between neighbours would count as gains the hires taken from the
others: then, of the share filled, ``direct``, ``spillover`` (on vacancies nobody helped with, in markets
where others were), ``total`` and ``overall``.

Equation
--------
.. math:: \hat F_k(t)=\sum_{s\le t}\hat S(s^-)\frac{dN_k(s)}{Y(s)},\qquad
          \hat S(t)=\prod_{s\le t}\Bigl(1-\frac{dN(s)}{Y(s)}\Bigr),\qquad
          \hat m=\tau-\int_0^\tau\hat F_1(t)\,dt

with the design's weights, :math:`Y(s)` being what is open and watched just before *s*.

Identification
--------------
That of the design (drawn, or comparable given its weights), and of watching: how long a vacancy was watched
says nothing of when it would have ended. Files that end on one day give that. Withdrawal is a competing
ending, never censoring: a job withdrawn is filled by nobody.

Inference
---------
Influence functions of Aalen and Johansen's estimator, summed by employer or by market (market always, where
shares were drawn), factor G/(G−1). Weights are taken as known.

Edge cases
----------
Beyond the last day on which an arm has something open and watched, its share is not known: NaN. Vacancies
posted before the files began count from then on. An arm of a single cluster leaves standard errors NaN,
and so do arms in which everything ended alike.

References
----------
Aalen & Johansen (1978), Scandinavian Journal of Statistics 5(3), 141–150. Zhao, Claggett, Tian et al.
(2016), doi:10.1111/biom.12384. Algan, Crépon & Glover (2020), "Are active labor market policies directed
at firms effective?", J-PAL working paper.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.design.vacancies.endings import Endings
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.estimate.shares.responses import (
    ASSIGNED,
    UNASSIGNED,
    Responses,
    estimate_of_responses,
)
from whatworks.estimate.shares.saturations import (
    EVERYONE,
    MARKETS,
    ONE_ARMED,
    Saturated,
    market_table,
    saturated_units,
    weight_of_shares,
)
from whatworks.options import typed
from whatworks.stats.competing_risks import Waits, incidence, mean_within
from whatworks.stats.displacement.contrasts import Cells, cells_of
from whatworks.stats.uncertainty import Influence, factor_of_clusters, sums_by_number
from whatworks.vocabulary import MARKET, PERSON, TREATED, WEIGHT, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CURVES: Final = "curves"
"""Key of an estimate's extras: shares filled, withdrawn and open, by arm and day."""
DAYS_TO_FILL: Final = "days_to_fill"


@dataclass(frozen=True, slots=True, kw_only=True)
class FillingTimes:
    """Shares of vacancies filled and withdrawn by days since posting, and mean days to fill.

    Parameters
    ----------
    cluster : str
        ``"employer"`` or ``"market"``: whose vacancies may be alike.
    horizon : int, optional
        Days within which the mean is taken; by default the last of the design.

    Raises
    ------
    OptionError
        On an unknown cluster, or a horizon below one day.

    Examples
    --------
    >>> FillingTimes(cluster="market", horizon=60).horizon
    60
    """

    cluster: Literal["employer", "market"] = "employer"
    horizon: int | None = None

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ENDINGS})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.cluster, ("employer", "market"), what="cluster")
        if self.horizon is not None and self.horizon < 1:
            raise OptionError(
                what="horizon",
                needed="one day or more",
                found=repr(self.horizon),
                remedy="write for instance horizon=60",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate on a design of vacancies.

        Parameters
        ----------
        design : Design
            As `whatworks.vacancies` makes it.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            ``month`` holds days since posting. Terms ``filled``, ``withdrawn`` and ``days_to_fill`` (with
            hires by origin: ``hires_unemployed`` or the like, ``withdrawn``, ``filled_otherwise``); or, where
            shares of markets were drawn, those of `whatworks.estimate.shares.responses`.

        Raises
        ------
        DesignRefused
            When the design has no endings, no markets and ``cluster="market"``, or shares that tell nothing.
        """
        require(design, self.needs, method="FillingTimes", cluster=self.cluster)
        endings = design.outcomes.endings
        if endings is None or endings.time.size != len(design.units):
            raise DesignRefused(
                what="FillingTimes",
                needed="when the wait of each unit ended",
                found="a design whose outcomes lost it on the way",
                remedy="make the design with whatworks.vacancies",
            )
        if Supply.DRAWN_SATURATION in design.supplies:
            return self._by_share(design, endings)
        return self._by_arm(design, endings)

    def _by_arm(self, design: Design, endings: Endings) -> Estimate:
        """Helped less others."""
        units = design.units
        by_employer = self.cluster == "employer"
        names, cluster = np.unique(
            units[PERSON if by_employer else MARKET].to_numpy(), return_inverse=True
        )
        treated, weight = units[TREATED].to_numpy(), units[WEIGHT].to_numpy(dtype=float)
        days = design.outcomes.months
        horizon = days[-1] if self.horizon is None else self.horizon
        arms = [
            _arm(endings, np.flatnonzero(rows), weight, days=days, horizon=float(horizon))
            for rows in (treated, ~treated)
        ]
        sums = [
            sums_by_number(arm.influence, cluster[arm.rows], n_clusters=names.size) for arm in arms
        ]
        few = min(np.unique(cluster[arm.rows]).size for arm in arms) < 2
        uncertainty = Influence(
            values=np.full_like(sums[0], np.nan) if few else sums[0] - sums[1],
            cluster=names if by_employer else np.arange(names.size),
            factor=factor_of_clusters(names.size),
            level="person" if by_employer else "market",
        )
        return Estimate(
            method="FillingTimes",
            options=asdict(self),
            effects=_effects(
                arms[0].value - arms[1].value,
                uncertainty,
                _terms(endings.names, days, horizon),
                counts=(arms[0].rows.size, arms[1].rows.size),
                df=np.inf if by_employer else float(names.size - 1),
            ),
            uncertainty=uncertainty,
            ledger=design.ledger,
            extras={
                CURVES: _curves(
                    [ASSIGNED, UNASSIGNED],
                    [np.nan, np.nan],
                    days,
                    [a.value for a in arms],
                    endings.names,
                )
            },
        )

    def _by_share(self, design: Design, endings: Endings) -> Estimate:
        """Shares filled, by arm and share of the market helped."""
        units = saturated_units(design, method="FillingTimes")
        cells = cells_of(units.assigned, units.share)
        days = design.outcomes.months
        weight = design.units[WEIGHT].to_numpy(dtype=float)
        arms = [
            _arm(endings, units.order[cells.number == cell], weight, days=days)
            for cell in range(cells.n)
        ]
        responses = _responses(units, cells, arms, days)
        return estimate_of_responses(
            responses,
            method="FillingTimes",
            options=asdict(self),
            unit="pp",
            ledger=design.ledger,
            extras={
                CURVES: _curves(
                    [ASSIGNED if z else UNASSIGNED for z in cells.assigned],
                    cells.share.tolist(),
                    days,
                    [a.value for a in arms],
                    endings.names,
                ),
                MARKETS: market_table(units),
                ONE_ARMED: units.shares.one_armed,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    """What was read of one arm: shares by kind of ending and day, then mean days to fill."""

    rows: Ints
    value: Floats
    influence: Floats


def _arm(
    endings: Endings,
    rows: Ints,
    weight: Floats,
    *,
    days: tuple[int, ...],
    horizon: float | None = None,
) -> _Arm:
    entry = endings.entry[rows]
    waits = Waits.of(
        endings.time[rows],
        endings.kind[rows],
        weight=weight[rows],
        entry=entry if (entry >= 0).any() else None,
    )
    kinds = range(1, len(endings.names) + 1)
    shares = [incidence(waits, kind=kind, at=days) for kind in kinds]
    value = [100.0 * read.value for read in shares]
    moved = [100.0 * read.influence for read in shares]
    if horizon is not None:
        mean = mean_within(waits, kind=1, horizon=horizon)
        value.append(mean.value)
        moved.append(mean.influence)
    return _Arm(rows=rows, value=np.concatenate(value), influence=np.hstack(moved))


def _responses(
    units: Saturated, cells: Cells, arms: list[_Arm], days: tuple[int, ...]
) -> Responses:
    """Shares filled by cell and day, with their influence by market."""
    per = len(days)
    place = np.empty(units.order.size, dtype=np.int64)
    place[units.order] = units.market
    sums = [
        sums_by_number(a.influence[:, :per], place[a.rows], n_clusters=units.n_markets)
        for a in arms
    ]
    return Responses(
        arm=np.repeat(np.where(cells.assigned, ASSIGNED, UNASSIGNED).astype(object), per),
        saturation=np.repeat(cells.share, per),
        month=np.tile(np.array(days, dtype=np.int64), cells.n),
        group=np.full(cells.n * per, EVERYONE, dtype=object),
        mean=np.concatenate([a.value[:per] for a in arms]),
        n_units=np.repeat([a.rows.size for a in arms], per),
        n_markets=np.repeat([np.unique(place[a.rows]).size for a in arms], per),
        uncertainty=Influence(
            values=np.sqrt(factor_of_clusters(units.n_markets)) * np.hstack(sums),
            cluster=np.arange(units.n_markets),
            level="market",
        ),
        weight=weight_of_shares(units),
        df=float(units.n_markets - 1),
        p_values=units.shares.p_values,
    )


def _curves(
    arm: list[str],
    share: list[float],
    days: tuple[int, ...],
    values: list[Floats],
    names: tuple[str, ...],
) -> pd.DataFrame:
    """Shares that ended in each way, or are open, of each arm, by day."""
    per = len(days)
    ended = {
        name: np.concatenate([v[k * per : (k + 1) * per] for v in values])
        for k, name in enumerate(names)
    }
    return pd.DataFrame(
        {
            "arm": np.repeat(np.array(arm, dtype=object), per),
            "saturation": np.repeat(share, per),
            "day": np.tile(days, len(arm)),
            **ended,
            "open": 100.0 - np.sum(list(ended.values()), axis=0),
        }
    )


def _terms(names: tuple[str, ...], days: tuple[int, ...], horizon: int) -> list[tuple[str, int]]:
    """Term and day of each effect: kinds of endings by day, then the mean."""
    return [*((name, day) for name in names for day in days), (DAYS_TO_FILL, horizon)]


def _effects(
    value: Floats,
    uncertainty: Influence,
    named: list[tuple[str, int]],
    *,
    counts: tuple[int, int],
    df: float,
) -> pd.DataFrame:
    """Shares in points, then days: two units, two tables."""
    terms: list[dict[str, Any]] = [
        {
            "term": term,
            "cohort": -1,
            "month": day,
            "group": "all",
            "n_treated": counts[0],
            "n_comparison": counts[1],
        }
        for term, day in named
    ]
    frames = []
    for rows, unit in ((np.arange(len(terms) - 1), "pp"), (np.array([len(terms) - 1]), "days")):
        own = Influence(
            values=uncertainty.values[:, rows],
            cluster=uncertainty.cluster,
            factor=uncertainty.factor,
            level=uncertainty.level,
        )
        frames.append(
            effects_table(
                [terms[row] for row in rows],
                value[rows],
                own.covariance(),
                unit=unit,
                df=df,
                influence=own,
            )
        )
    return pd.concat(frames, ignore_index=True)
