"""Exact comparisons: each treated unit against every untreated of the same month and cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whatworks.design.comparison import Chosen, as_names, cells, from_matches, on_line
from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """All comparisons that agree on the named covariates, each with an equal part.

    Parameters
    ----------
    on : tuple of str
        Covariates on which treated and comparison must agree; empty means all of them.

    Raises
    ------
    OptionError
        From ``choose``: when a name is not a covariate of the design.
    DesignRefused
        From ``choose``: when no treated unit has a comparison in its cell.

    References
    ----------
    Angrist (1998), doi:10.2307/2998558.

    Examples
    --------
    >>> Exact(on=("sex", "employment.lag1")).on
    ('sex', 'employment.lag1')
    """

    on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", as_names(self.on, what="Exact(on=...)"))

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        cell = cells(candidates, self.on or candidates.names, what="Exact(on=...)")
        # Equal scores within a cell are all ties: everyone in the cell is a match.
        matches = on_line(np.zeros(cell.size), cell, candidates, ratio=1)
        if not matches.unit.size:
            raise DesignRefused(
                what="exact comparisons",
                needed="a treated unit with a comparison in its cell",
                found=f"{int(candidates.treated.sum())} treated units, each alone in its cell",
                remedy="match exactly on fewer covariates, or use nearest neighbours",
            )
        return from_matches(
            candidates, matches, reason="no_comparison", used=self.on or candidates.names
        )
