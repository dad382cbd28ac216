r"""Exact comparisons: each unit against everyone of the other arm in its month and cell.

Estimand
--------
ATT, ATC or ATE, on the units whose cell holds both arms.

Equation
--------
.. math:: \hat\tau = \sum_s \frac{W_s}{\sum_r W_r}(\bar y_{ts}-\bar y_{cs})

over cells s, with :math:`W_s` the weight of their treated (ATT), untreated (ATC) or both (ATE).

Edge cases
----------
Cells that lack an arm are left out and counted. No pair is listed: sums by cell are enough, whatever
the number of units.

References
----------
Angrist (1998), doi:10.2307/2998558.
"""

from __future__ import annotations

from dataclasses import dataclass

from whatworks.design.choosing.sets import from_sets
from whatworks.design.comparison import Chosen, as_names, cells
from whatworks.design.parts import Candidates
from whatworks.options import typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """Everyone who agrees on the named covariates, as sets.

    Parameters
    ----------
    on : tuple of str
        Covariates on which treated and comparison must agree; empty means all of them.

    Raises
    ------
    OptionError
        From ``choose``: when a name is not a covariate of the design, or the ATO is asked.
    DesignRefused
        From ``choose``: when no unit has a comparison in its cell.

    Examples
    --------
    >>> Exact(on=("sex", "employment.lag1")).on
    ('sex', 'employment.lag1')
    """

    on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        typed(self)
        object.__setattr__(self, "on", as_names(self.on, what="Exact(on=...)"))

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        used = self.on or candidates.names
        number = cells(candidates, used, what="Exact(on=...)")
        return from_sets(
            candidates, number, reason="no_comparison", what="exact comparisons", used=used
        )
