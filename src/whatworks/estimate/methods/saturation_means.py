r"""Averages of markets by arm and share: a two-stage randomised saturation without a model.

Estimand
--------
:math:`\mu(z,p)`, the mean over markets of the mean outcome of arm :math:`z` where the share :math:`p` was
drawn, and its contrasts DE(p), SNT(p), TT(p), TCE(p). ``average_over="markets"``: each market counts
once; ``"persons"``: each counts as its (eligible) persons. These are two estimands, and differ where
effects go with the size of markets; which one it is stands in the options and in
``extras["average_over"]``.

Equation
--------
.. math:: \hat\mu(z,p)=\frac{\sum_{c:p_c=p}\omega_c\bar Y_c(z)}{\sum_{c:p_c=p}\omega_c}

over markets that have the arm. With ``within_strata`` first within strata, then over them, each weighing
as its markets; a stratum that lacks a cell met elsewhere is left out, and counted.

Identification
--------------
Shares drawn at random between markets, assignment within; no market's outcome depends on another's
assignment. No covariates: nothing else is held.

Inference
---------
Of the draw: the covariance of the means of markets of one share, both arms together, over their number.
It is conservative for the markets of the trial. Degrees of freedom of Welch and Satterthwaite, effect by
effect. Within strata, the spread of contrasts between strata. Joint tests (``extras["tests"]``) are
chi-square: Jiang, Imai & Malani's of direct effects (``no_direct``), of what the share moves in either
arm (``flat``), and of their average over shares (``average_direct``).

Edge cases
----------
A market of one arm counts for that arm; such markets are in ``extras["one_armed"]``. One market of a share
has a mean and no variance (NaN). Without pure control, direct effects only.

References
----------
Hudgens & Halloran (2008), doi:10.1198/016214508000000292. Jiang, Imai & Malani (2023),
arXiv:2011.07677. Basse & Feller (2018), doi:10.1080/01621459.2017.1323641. Imai, King & Nall
(2009), doi:10.1214/08-STS274.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.joint_tests import TESTS, joint_tests
from whatworks.estimate.shares.responses import (
    ASSIGNED,
    INELIGIBLE,
    UNASSIGNED,
    Responses,
    estimate_of_responses,
)
from whatworks.estimate.shares.saturations import (
    EVERYONE,
    MARKETS,
    ONE_ARMED,
    Months,
    Saturated,
    market_table,
    months_of,
    saturated_units,
    weight_of_shares,
)
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.displacement.contrasts import Cells, cells_of
from whatworks.stats.displacement.degrees import Welch
from whatworks.stats.displacement.group_averages import (
    ArmMeans,
    Averages,
    arm_means,
    averages,
    averages_within,
)
from whatworks.stats.threads import one_thread
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

AVERAGE_OVER = ("markets", "persons")


@dataclass(frozen=True, slots=True)
class _Part:
    """Averages of the eligible, or of those who could not be assigned, in months alike."""

    eligible: bool
    months: tuple[int, ...]
    cells: Cells
    n_units: Ints
    found: Averages


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationMeans:
    """Direct, spillover and total effects as differences of averages of markets.

    Parameters
    ----------
    average_over : str
        ``"markets"``, each counting once, or ``"persons"``.
    within_strata : bool
        Average within the strata of the draw first.

    Examples
    --------
    >>> SaturationMeans().average_over
    'markets'
    """

    average_over: Literal["markets", "persons"] = "markets"
    within_strata: bool = False

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.MARKETS, Supply.DRAWN_SATURATION})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.average_over, AVERAGE_OVER, what="average_over")

    @one_thread()
    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Average by arm and share.

        Parameters
        ----------
        design : Design
            With markets and the share drawn for each.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Terms ``direct``, ``spillover``, ``total``, ``overall``; ``group`` is ``all`` or the share.

        Raises
        ------
        DesignRefused
            Without markets, shares drawn, or enough markets; within strata, when none has every cell.
        """
        require(design, self.needs, method="SaturationMeans")
        units = saturated_units(design, method="SaturationMeans")
        kept, ledger = self._strata(units, design.ledger)
        parts = [
            self._part(units, months, eligible=eligible, strata=kept)
            for months in months_of(design, units)
            for eligible in (True, False)
            if (units.eligible == eligible).any()
        ]
        responses = self._responses(parts, units, kept)
        return estimate_of_responses(
            responses,
            method="SaturationMeans",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=ledger,
            extras={
                TESTS: joint_tests(responses, families={}, df=_residual(responses)),
                MARKETS: market_table(units),
                ONE_ARMED: units.shares.one_armed,
                "average_over": self.average_over,
            },
        )

    def _strata(self, units: Saturated, ledger: Ledger) -> tuple[Ints | None, Ledger]:
        """Number of the stratum of each market, −1 for those left out; the ledger with how many units."""
        if not self.within_strata:
            return None, ledger
        whole = _whole_strata(units)
        if not (whole >= 0).any():
            raise DesignRefused(
                what="SaturationMeans(within_strata=True)",
                needed="strata in which every arm and share is met",
                found="none",
                remedy="choose within_strata=False, or SaturationRegression, which holds strata",
            )
        lost = whole[units.market] < 0
        if lost.any():
            ledger = ledger.add(
                "estimate",
                "whole_strata",
                unit="units",
                before=int(lost.size),
                dropped={"stratum_without_cell": int(lost.sum())},
            )
        return whole, ledger

    def _part(
        self, units: Saturated, months: Months, *, eligible: bool, strata: Ints | None
    ) -> _Part:
        weight = units.weight * months.counted
        rows = np.flatnonzero((units.eligible == eligible) & (weight > 0))
        cells = cells_of(units.assigned[rows] & eligible, units.share[rows])
        means = arm_means(
            months.values[rows],
            weight[rows],
            cells.number,
            units.market[rows],
            n_cells=cells.n,
            n_markets=units.n_markets,
        )
        size = means.mass if self.average_over == "persons" else (means.mass > 0).astype(float)
        return _Part(
            eligible=eligible,
            months=months.months,
            cells=cells,
            n_units=np.bincount(cells.number, minlength=cells.n).astype(np.int64),
            found=_averaged(means, size, strata),
        )

    def _responses(self, parts: list[_Part], units: Saturated, strata: Ints | None) -> Responses:
        places = [
            (part, cell, m)
            for part in parts
            for m in range(len(part.months))
            for cell in range(part.cells.n)
        ]
        influence = np.column_stack([p.found.influence[:, c, m] for p, c, m in places])
        group, level = _varying_among(parts, units, strata)
        return Responses(
            arm=np.array([_arm(p, c) for p, c, _ in places], dtype=object),
            saturation=np.array([p.cells.share[c] for p, c, _ in places]),
            month=np.array([p.months[m] for p, _, m in places], dtype=np.int64),
            group=np.full(len(places), EVERYONE, dtype=object),
            mean=np.array([p.found.mean[c, m] for p, c, m in places]),
            n_units=np.array([p.n_units[c] for p, c, _ in places]),
            n_markets=np.array([p.found.n_markets[c] for p, c, _ in places]),
            uncertainty=Influence(
                values=influence,
                cluster=np.arange(influence.shape[0]),
                level=level,
            ),
            weight=weight_of_shares(units),
            df=float(max(int(np.bincount(group).min()) - 1, 1)),
            degrees=Welch(influence=influence, group=group),
            p_values=units.shares.p_values,
        )


def _arm(part: _Part, cell: int) -> str:
    if not part.eligible:
        return INELIGIBLE
    return ASSIGNED if part.cells.assigned[cell] else UNASSIGNED


def _averaged(means: ArmMeans, size: Floats, strata: Ints | None) -> Averages:
    if strata is None:
        return averages(means, size)
    return averages_within(means, size, strata)


def _residual(responses: Responses) -> float:
    """Residual degrees of freedom of joint tests: chi-square, but for contrasts of few strata."""
    held = responses.uncertainty
    paired = isinstance(held, Influence) and held.level == "matched_set"
    return responses.df if paired else np.inf


def _varying_among(
    parts: list[_Part], units: Saturated, strata: Ints | None
) -> tuple[Ints, Literal["market", "matched_set"]]:
    """What the variance of each cluster is estimated among, and what a cluster is."""
    share = np.unique(units.shares.by_market, return_inverse=True)[1].astype(np.int64)
    if strata is None:
        return share, "market"
    n_clusters = parts[0].found.influence.shape[0]
    if n_clusters != share.size:
        return np.zeros(n_clusters, dtype=np.int64), "matched_set"
    return np.unique((strata + 1) * (share.max() + 1) + share, return_inverse=True)[1], "market"


def _whole_strata(units: Saturated) -> Ints:
    """Strata that hold whole markets and every cell, numbered from 0, by market; −1 for the others."""
    n = units.n_markets
    low, high = np.full(n, np.iinfo(np.int64).max), np.full(n, -1)
    np.minimum.at(low, units.market, units.stratum)
    np.maximum.at(high, units.market, units.stratum)
    split = np.zeros(int(units.stratum.max()) + 1, dtype=bool)
    split[units.stratum[(low != high)[units.market]]] = True
    mine = units.eligible
    cells = cells_of(units.assigned[mine], units.share[mine])
    met = np.zeros((split.size, cells.n), dtype=bool)
    met[units.stratum[mine], cells.number] = True
    whole = met.all(axis=1) & ~split
    number = np.where(whole, np.cumsum(whole) - 1, -1)
    return np.asarray(number[high], dtype=np.int64)
