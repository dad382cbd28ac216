r"""Subclassification: units of one month grouped by quantiles of their propensity.

Estimand
--------
ATT, ATC or ATE. Quantiles are those of the units the effect is of: treated, untreated, or all.

Equation
--------
.. math:: \hat\tau = \sum_s \frac{W_s}{\sum_r W_r}(\bar y_{ts}-\bar y_{cs})

over subclasses s, with :math:`W_s` the weight of their treated (ATT), untreated (ATC) or both (ATE).

Edge cases
----------
A subclass short of an arm takes the nearest units of its neighbours, so that each month's subclasses
hold ``least`` units of each arm. In a month that has too few units for that, subclasses that lack an arm
are left out and counted.

References
----------
Rosenbaum & Rubin (1984), doi:10.2307/2288398. Cochran (1968), doi:10.2307/2528036.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from whatworks.design.choosing.propensity import Propensity, as_propensity
from whatworks.design.choosing.sets import crossed, from_sets
from whatworks.design.comparison import Chosen, as_names, cells
from whatworks.design.parts import Candidates
from whatworks.errors import OptionError
from whatworks.options import typed
from whatworks.stats.subclass import filled, quantile_subclasses


@dataclass(frozen=True, slots=True, kw_only=True)
class Subclassification:
    """Units of one month and of like propensity, as sets.

    Parameters
    ----------
    count : int
        Subclasses.
    least : int
        Units of each arm that a subclass holds at least.
    exact : tuple of str
        Covariates on which the units of a subclass must agree.
    propensity : Propensity or str, optional
        How the probability is modelled; a name is short for a `Propensity` of that model.

    Raises
    ------
    OptionError
        On fewer than one subclass, or ``least`` below 1; from ``choose``, when the ATO is asked.
    DesignRefused
        From ``choose``: when a covariate separates treated from untreated, or no subclass holds both.

    Examples
    --------
    >>> Subclassification(count=10).least
    1
    """

    count: int = 6
    least: int = 1
    exact: tuple[str, ...] = ()
    propensity: Any = None

    def __post_init__(self) -> None:
        typed(self)
        object.__setattr__(self, "exact", as_names(self.exact, what="exact"))
        model = Propensity() if self.propensity is None else as_propensity(self.propensity)
        object.__setattr__(self, "propensity", model)
        if self.count < 1 or self.least < 1:
            raise OptionError(
                what="Subclassification",
                needed="count and least of 1 or more",
                found=f"count={self.count}, least={self.least}",
                remedy="write for instance count=6, least=1",
            )

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        cell = cells(candidates, self.exact, what="exact")
        fitted = self.propensity.fit(candidates)
        inside = fitted.supported & ~np.isnan(fitted.linear)
        number = np.full(cell.size, -1, dtype=np.int64)
        if (inside & candidates.sought).any():
            score = fitted.probability[inside]
            number[inside] = quantile_subclasses(
                score,
                candidates.weight[inside],
                candidates.sought[inside],
                count=self.count,
            )
            number = self._filled(candidates, cell, fitted.probability, number)
        return from_sets(
            candidates,
            crossed(cell, number),
            reason="no_comparison",
            what="subclassification",
            propensity=fitted,
        )

    def _filled(
        self,
        candidates: Candidates,
        cell: np.ndarray[tuple[int], np.dtype[np.int64]],
        score: np.ndarray[tuple[int], np.dtype[np.float64]],
        number: np.ndarray[tuple[int], np.dtype[np.int64]],
    ) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Subclasses with units of both arms, month by month where both suffice."""
        found = number.copy()
        rows = np.flatnonzero(number >= 0)
        rows = rows[np.argsort(cell[rows], kind="stable")]
        for some in np.split(rows, np.flatnonzero(np.diff(cell[rows])) + 1):
            treated = candidates.treated[some]
            fewest = min(int(treated.sum()), int((~treated).sum()))
            if fewest >= self.count * self.least:
                found[some] = filled(
                    number[some], treated, score[some], count=self.count, least=self.least
                )
        return found
