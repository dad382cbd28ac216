"""What every estimator is: frozen options, what it needs, one act."""

from __future__ import annotations

from collections.abc import Set
from typing import ClassVar, Protocol

import numpy as np

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.estimate.record import Estimate
from whatworks.vocabulary import ELIGIBLE, Clock, Supply


class Estimator(Protocol):
    """Options in the constructor, and ``fit``. Nothing else."""

    needs: ClassVar[frozenset[Supply]]

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate on a design; ``rng`` serves methods that draw at random."""
        ...


_LIFTED_BY = {
    Supply.MATCHES: "match the design first, with design.matched(using=...)",
    Supply.WEIGHTS: "match or weight the design first, with design.matched(using=...)",
    Supply.COVARIATES: "name covariates known before entry",
    Supply.PRE_MONTHS: "bring outcomes of the months before entry",
    Supply.ROLLOUT: "make the design with Design.from_panel, and do not stack it",
    Supply.NEVER_TREATED: "bring units never treated",
    Supply.COHORTS: "stack the cohorts of a rollout, with whatworks.stack(design)",
    Supply.DOSE: "name the column of the dose, with Design.from_panel(..., dose=)",
    Supply.INDEPENDENT_UNITS: "choose errors='person': the same persons appear in several units",
    Supply.MARKETS: "name the column of the labour market",
    Supply.SATURATION: "name the column of the share assigned by design in each market",
    Supply.DRAWN_SATURATION: "say randomised=True if that share was drawn at random; else use a method "
    "for shares that were not",
    Supply.TAKE_UP: "name the column of who took part, with took_part=",
    Supply.COMPETITION: "say who competes with whom across markets",
    Supply.ENDINGS: "make the design with whatworks.vacancies, which reads when waits ended",
}

_OF_POOLS = frozenset({Supply.SATURATION, Supply.DRAWN_SATURATION, Supply.COMPETITION})
"""Supplies of methods that read what becomes of those who could not be treated."""


def require(
    design: Design,
    needs: Set[Supply],
    *,
    method: str,
    cluster: str = "person",
    everyone: bool = False,
) -> None:
    """Raise when a design lacks what a method needs, naming it and what would bring it.

    Parameters
    ----------
    design : Design
    needs : set of Supply
    method : str
    cluster : str
        What errors are summed over: ``"market"`` needs markets as well.
    everyone : bool
        Whether the method reads what becomes of those who could not be treated.

    Raises
    ------
    DesignRefused
        Also while outcomes are not opened.
    """
    if not isinstance(design, Design):
        raise DesignRefused(
            what=method,
            needed="a design",
            found=f"a {type(design).__name__}",
            remedy="make one with compare, roll_out, Design.from_cross_section or Design.from_panel",
        )
    if not design.outcomes.opened:
        raise DesignRefused(
            what=method,
            needed="a design whose outcomes are opened",
            found="one whose outcomes nobody has read",
            remedy="look at the design, then open it on its panel with design.open(panel)",
        )
    markets = {Supply.MARKETS} if cluster == "market" else set()
    missing = sorted((needs | markets) - design.supplies)
    if missing:
        raise DesignRefused(
            what=method,
            needed=f"a design that supplies {missing[0]}",
            found="one that supplies " + (", ".join(sorted(design.supplies)) or "none of these"),
            remedy=_LIFTED_BY[missing[0]],
        )
    of_all = everyone or bool(needs & _OF_POOLS)
    if ELIGIBLE in design.units and not of_all and not design.units[ELIGIBLE].all():
        raise DesignRefused(
            what=method,
            needed="units who could all have been treated",
            found=f"{int((~design.units[ELIGIBLE]).sum())} who could not",
            remedy="keep the eligible rows only; methods for saturations read the others too",
        )
    if design.outcomes.clock is Clock.CALENDAR and Supply.ROLLOUT not in needs:
        raise DesignRefused(
            what=method,
            needed="outcomes by month since entry",
            found="a rollout: outcomes by calendar period",
            remedy="stack its cohorts first, with whatworks.stack(design)",
        )
