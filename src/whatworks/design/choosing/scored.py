"""Candidates with their probability of entering, for the comparisons that weight by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.kept import restrict
from whatworks.design.choosing.propensity import FittedPropensity, Propensity
from whatworks.design.choosing.weighting import lost_months, rows_of_both, scatter, spread_out
from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused
from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST = 1e-8
"""Probability of being where one is below which a unit's weight means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Units that take part, and the model of their entering, fitted on them alone.

    Parameters
    ----------
    units : Candidates
    rows : ndarray of int
        Their positions among all candidates.
    model : Propensity
    found : FittedPropensity
        Rows as the units.
    lost : mapping of reason to ndarray of bool
        Among all candidates.
    """

    units: Candidates
    rows: Ints
    model: Propensity
    found: FittedPropensity
    lost: Mapping[str, Bools]

    @classmethod
    def of(cls, candidates: Candidates, model: Propensity, *, what: str) -> Scored:
        """Fit in months that hold both arms; those outside the support, if asked, are left out.

        Raises
        ------
        DesignRefused
            When no month holds both arms, or covariates separate them.
        """
        rows = rows_of_both(candidates, what=what)
        units = candidates if rows.size == candidates.treated.size else restrict(candidates, rows)
        lost = lost_months(candidates, rows)
        found = model.fit(units)
        fitted = cls(units=units, rows=rows, model=model, found=found, lost=lost)
        return fitted.without(candidates, ~found.supported, reason="outside_support", what=what)

    @property
    def probability(self) -> Floats:
        """Of entering, shape (n,)."""
        return self.found.probability

    def without(self, candidates: Candidates, out: Bools, *, reason: str, what: str) -> Scored:
        """The model fitted again without some units, who are counted as lost.

        A fit on units that take no part would leave their share of its uncertainty behind.
        """
        if not out.any():
            return self
        gone = np.zeros(candidates.treated.size, dtype=bool)
        gone[self.rows[out]] = True
        kept = self.rows[~out]
        rows = kept[rows_of_both(restrict(candidates, kept), what=what)]
        units, model = restrict(candidates, rows), replace(self.model, discard="none")
        counted = np.logical_or.reduce([gone, *self.lost.values()])
        late = {name: mask & ~counted for name, mask in lost_months(candidates, rows).items()}
        lost = {name: mask | late.get(name, False) for name, mask in self.lost.items()}
        return Scored(
            units=units,
            rows=rows,
            model=model,
            found=model.fit(units),
            lost={**lost, reason: gone},
        )

    def density(self) -> Floats:
        """Derivative of the probability in the linear predictor; 0 where no equation was fitted."""
        if self.found.equation is None:
            return np.zeros(self.rows.size)
        if self.model.model == "probit":
            return np.asarray(np.exp(-0.5 * self.found.linear**2) / np.sqrt(2 * np.pi))
        return self.probability * (1.0 - self.probability)

    def refuse_certain(self, probability: Floats, *, estimand: str, what: str) -> None:
        """Refuse weights of units whom the model does not expect where they are.

        Raises
        ------
        DesignRefused
        """
        treated = self.units.treated
        own = np.where(treated, probability, 1.0 - probability)
        if estimand in {Estimand.ATT, Estimand.ATC}:
            own[treated == (estimand == Estimand.ATT)] = 1.0
        unexpected = int((own < LEAST).sum())
        if unexpected:
            raise DesignRefused(
                what=what,
                needed="units that each had some chance of being in their arm",
                found=f"{unexpected} whom the model gives none",
                remedy="bound the probability (bounds='crump'), cross-fit a classifier with folds=5, "
                "or use a logistic regression",
            )

    def chosen(self, candidates: Candidates, *, weight: Floats, slope: Floats) -> Chosen:
        """What these units stand for, among all candidates."""
        n = candidates.treated.size
        return Chosen(
            weight=scatter(weight, self.rows, n),
            propensity=scatter(self.probability, self.rows, n, elsewhere=np.nan),
            fitted=tuple(spread_out(f, self.rows, n) for f in self.found.with_slope(slope)),
            lost=self.lost,
        )
