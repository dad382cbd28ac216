r"""Coarsened exact comparisons: everyone who agrees once covariates are cut into bins.

Estimand
--------
ATT, ATC or ATE, on the units whose bins hold both arms: the effect is one on those that can be compared.

Equation
--------
.. math:: \hat\tau = \sum_s \frac{W_s}{\sum_r W_r}(\bar y_{ts}-\bar y_{cs})

over cells s of the bins, with :math:`W_s` the weight of their treated (ATT), untreated (ATC) or both (ATE).

Edge cases
----------
Bins are those of all candidates; units must also share the month. A value on a cut belongs to the bin
above. A covariate that does not vary is one bin. Cells that lack an arm are left out and counted. With
``pairs``, each cell is split into pairs of the least total Mahalanobis distance (within arms, over the
covariates agreed on), as many as its smaller arm allows; for the ATT or ATC only.

References
----------
Iacus, King & Porro (2012), doi:10.1093/pan/mpr013.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.coarsening import ALWAYS, Coarsened, as_coarsened
from whatworks.design.choosing.nearness import columns
from whatworks.design.choosing.sets import from_sets, one_arm, values_first
from whatworks.design.comparison import Chosen, as_names
from whatworks.design.parts import Candidates
from whatworks.errors import choice
from whatworks.options import typed
from whatworks.stats.bins import RULES
from whatworks.stats.distances import mahalanobis_pooled
from whatworks.stats.flow import pairs_in_cells
from whatworks.stats.subclass import rows_numbered, sets_of_both

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarsenedExact:
    """Everyone of one month whose covariates fall into the same bins, as sets.

    Parameters
    ----------
    on : tuple of str
        Covariates on which to agree once coarsened; empty means all of them.
    rule : str
        Of the numbers for which ``coarsened`` says nothing: ``"sturges"``, ``"fd"``, ``"scott"`` or
        ``"none"``. Categories are left as they are.
    coarsened : tuple of Coarsened
        How single covariates are coarsened.
    pairs : bool
        Split each cell into pairs, so that each unit counts once.

    Raises
    ------
    OptionError
        On an unknown rule; from ``choose``, when a name is not a covariate of the design, the ATO is
        asked, or the ATE with ``pairs``.
    DesignRefused
        From ``choose``: when no cell holds both arms.

    Examples
    --------
    >>> CoarsenedExact(coarsened=(Coarsened(of="age", cuts=(25, 50)),)).rule
    'sturges'
    """

    on: tuple[str, ...] = ()
    rule: str = "sturges"
    coarsened: tuple[Any, ...] = ()
    pairs: bool = False

    def __post_init__(self) -> None:
        typed(self)
        object.__setattr__(self, "on", as_names(self.on, what="on"))
        object.__setattr__(self, "coarsened", as_coarsened(self.coarsened))
        choice(self.rule, (*RULES, *ALWAYS), what="rule")

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        which = columns(candidates, self.on, what="on")
        named = {one.of: one for one in self.coarsened}
        rest = {candidates.names[k].split("=")[0]: candidates.names[k] for k in which}
        keys: list[Any] = [candidates.cell]
        for name, label in rest.items():
            default = Coarsened(of=name, rule=self.rule if label == name else "none")
            keys += named.pop(name, default).codes(candidates)
        for one in named.values():  # coarsened, so agreed on, though 'on' leaves it out
            keys += one.codes(candidates)
        number = rows_numbered(keys)
        if self.pairs:
            number = self._paired(candidates, sets_of_both(number, candidates.treated), which)
        return from_sets(
            candidates,
            number,
            reason="no_comparison",
            what="coarsened exact comparisons",
            used=(*rest, *named) if self.on else None,
        )

    def _paired(self, candidates: Candidates, number: Ints, which: list[int]) -> Ints:
        """Cells split into pairs."""
        arm = one_arm(candidates, what="pairs=True")
        rows = values_first(candidates)
        rows = rows[number[rows] >= 0]
        points = mahalanobis_pooled(
            candidates.covariates[:, which], treated=candidates.treated, weight=candidates.weight
        )
        mine, theirs = (rows[candidates.treated[rows] == side] for side in (arm, not arm))
        one, other = pairs_in_cells((points[mine], points[theirs]), (number[mine], number[theirs]))
        found = np.full(number.size, -1, dtype=np.int64)
        found[mine[one]] = np.arange(one.size)
        found[theirs[other]] = np.arange(one.size)
        return found
