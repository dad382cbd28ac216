r"""Pair matching: each treated unit takes the most alike untreated still free.

Estimand
--------
ATT or ATC: matches are sought for one arm, which must not be short of the other.

Equation
--------
As in `NearestNeighbours`, without replacement and greedily: units choose in a declared order, each the
nearest comparison of its month and cell not yet taken; with ``ratio`` above 1 everyone chooses once
before anyone chooses again.

Edge cases
----------
Among equally near comparisons the first in the data is taken, the convention of the field's software;
``order="data"`` follows the rows. Whoever finds no free comparison within reach is left out and counted.

References
----------
Rosenbaum & Rubin (1985), doi:10.1080/00031305.1985.10479383. Rubin (1973), doi:10.2307/2529684.
Abadie & Spiess (2022), doi:10.1080/01621459.2020.1840383 for what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.near_options import check_reach, hold, nearness_of
from whatworks.design.choosing.nearness import (
    SCORES,
    Measured,
    Metric,
    chosen_near,
    too_many,
)
from whatworks.design.comparison import Chosen, Matches, arms_sought, by_arm
from whatworks.design.parts import Candidates
from whatworks.errors import OptionError, choice
from whatworks.options import typed
from whatworks.stats.greedy import InSpace, OnLine, Reach, closest_first, in_turn
from whatworks.stats.neighbours import TooManyPairsError, cell_members, pairs_of
from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ORDERS: Final = ("largest", "smallest", "closest", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMatching:
    """Nearest comparisons of the same calendar month, each serving once.

    Parameters
    ----------
    ratio : int
        Comparisons per treated unit, at most.
    metric, on, caliper_sd, calipers, exact, propensity
        As in `NearestNeighbours`.
    order : str or int, optional
        Who chooses first: the ``"largest"`` or ``"smallest"`` propensity, the ``"closest"`` of all
        pairs still possible, the first in the ``"data"``; a whole number draws the order from that
        seed, whatever the order of rows. By default, where a propensity was fitted, whoever is
        hardest to match (the largest of the treated; of the untreated, for the ATC, the smallest),
        else the closest.

    Raises
    ------
    OptionError
        On a ratio below 1, a caliper not above 0, an unknown metric or order; from ``choose``, when
        the ATE is asked, or an order by a propensity that the metric does not fit.
    DesignRefused
        From ``choose``: when a covariate separates treated from untreated, or nobody is left.

    Examples
    --------
    >>> PairMatching(caliper_sd=0.2, order="closest").ratio
    1
    """

    ratio: int = 1
    metric: Metric = "linear_propensity"
    on: tuple[str, ...] = ()
    caliper_sd: float | None = None
    calipers: tuple[Any, ...] = ()
    exact: tuple[str, ...] = ()
    propensity: Any = None
    order: str | int | None = None

    def __post_init__(self) -> None:
        typed(self)
        if isinstance(self.order, str):
            choice(self.order, ORDERS, what="order")
        check_reach(self, ratio=self.ratio, example=1)
        hold(self)

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        arms = arms_sought(candidates)
        if len(arms) > 1:
            raise OptionError(
                what="estimand",
                needed="ATT or ATC where each comparison serves once",
                found=repr(candidates.estimand),
                remedy="use NearestNeighbours or full matching for the ATE",
            )
        measured = nearness_of(self).measure(candidates)
        sides = candidates.treated == arms[0], candidates.treated != arms[0]
        turn = self._turn(candidates, measured)
        unit: list[Ints] = []
        comparison: list[Ints] = []
        for mine, theirs in cell_members(measured.cell[sides[0]], measured.cell[sides[1]]):
            ours, others = np.flatnonzero(sides[0])[mine], np.flatnonzero(sides[1])[theirs]
            one, other = self._greedy(measured, ours, others, turn)
            unit.append(mine[one])
            comparison.append(theirs[other])
        pairs = pairs_of(unit, comparison, n_treated=int(sides[0].sum()))
        matches: Matches = by_arm(candidates, {arms[0]: pairs})
        return chosen_near(candidates, matches, measured)

    def _greedy(
        self, measured: Measured, mine: Ints, theirs: Ints, turn: Floats | None
    ) -> tuple[Ints, Ints]:
        """Pairs of one cell, as positions in it."""
        points = measured.points[mine], measured.points[theirs]
        free: OnLine | InSpace
        if measured.on_line and not measured.widths.size:
            free = OnLine(points[0][:, 0], points[1][:, 0], caliper=measured.caliper)
        else:
            reach = Reach(
                caliper=measured.caliper,
                keys=(measured.keys[mine], measured.keys[theirs]),
                widths=measured.widths,
            )
            try:
                free = InSpace(points[0], points[1], reach=reach)
            except TooManyPairsError as many:
                raise too_many(many.count) from None
        if turn is None:
            return closest_first(free, mine.size, ratio=self.ratio)
        order: Sequence[int] = np.argsort(turn[mine], kind="stable").tolist()
        return in_turn(free, order, ratio=self.ratio)

    def _turn(self, candidates: Candidates, measured: Measured) -> Floats | None:
        """What units are sorted by before they choose; None when the closest goes first."""
        n = candidates.treated.size
        fitted = measured.propensity
        order = self.order
        if order is None:
            hardest = "smallest" if candidates.estimand == Estimand.ATC else "largest"
            order = "closest" if fitted is None else hardest
        if order == "closest":
            return None
        if order == "data":
            return np.arange(n, dtype=float)
        if isinstance(order, int):
            by_values = np.lexsort((candidates.weight, *candidates.covariates.T, candidates.cell))
            drawn = np.empty(n)
            drawn[by_values] = np.random.default_rng(order).permutation(n)
            return drawn
        if fitted is None:
            raise OptionError(
                what="order",
                needed="a propensity to sort by: a metric or a caliper among " + ", ".join(SCORES),
                found=f"order={order!r} with metric={self.metric!r}",
                remedy="name a propensity, or choose order='closest'",
            )
        return -fitted.linear if order == "largest" else fitted.linear
