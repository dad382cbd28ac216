r"""Triple difference.

Estimand
--------
Average effect on the treated that are eligible, by cohort and period; over cohorts, by their share of
the eligible observed then.

Equation
--------
With :math:`b` the last period before the start, :math:`(g,1)` the eligible of cohort :math:`g`,
:math:`(g,0)` its others, and :math:`c` a cohort not treated,

.. math:: \hat\theta_{g,t} = \hat\theta^{g,t}_{(g,1),(g,0)} + \hat\theta^{g,t}_{(g,1),(c,1)}
                           - \hat\theta^{g,t}_{(g,1),(c,0)}

each a difference in differences of :math:`y_t-y_b` given covariates of :math:`(g,1)`: doubly robust
(Sant'Anna & Zhao), by regression or by inverse probability. With ``control="not_yet_treated"`` every
cohort treated later gives such an estimate; they are averaged by weights of least variance, not pooled:
the eligible share differs from cohort to cohort, and pooling would then not tell the effect.

Identification
--------------
Without treatment, and given covariates, the gap between eligible and others would have moved alike in
the cohort and in those it is compared with: trends of the eligible need not be parallel. The others of a
treated cohort are left alone by the treatment; nobody reacts before the start (less ``anticipation``).

Inference
---------
Influences of the three parts combined, summed by person or by market; the shares of cohorts add theirs.
``small_sample`` multiplies the covariance by G/(G−1). By market, Student's t with G−1 degrees of freedom.

Edge cases
----------
Units not observed in every period are left out and counted; so are cohorts one of whose four groups is
empty. Effects before the start are compared with the same base and should be nil. Without covariates
other than eligibility the points are those of the triple interaction of a regression. Outcomes that do
not vary have NaN standard errors.

References
----------
Ortiz-Villavicencio & Sant'Anna (2025), arXiv:2505.09942. Olden & Møen (2022), doi:10.1093/ectj/utac010.
Sant'Anna & Zhao (2020), doi:10.1016/j.jeconom.2020.06.003.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice, suggestion
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.by_cohort import CohortEffects, cells_of_cohorts, shares_of_units
from whatworks.estimate.controlled import not_negative
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.rollouts import Rollout
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.did import two_periods
from whatworks.stats.did.triple import precision_weights, triple
from whatworks.stats.did.two_groups import TwoByTwo
from whatworks.vocabulary import CONTROLS, NEVER, Control, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NAME: Final = "TripleDifference"
ROUNDING: Final = 1e-12
"""Change, relative to the largest outcome, that counts as none."""
FORMULAS: Final[Mapping[str, Callable[..., TwoByTwo]]] = {
    "doubly_robust": two_periods.traditional,
    "regression": two_periods.regression,
    "inverse_probability": two_periods.standardised_inverse_probability,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TripleDifference:
    """Effects on the eligible, from three differences in differences.

    Parameters
    ----------
    eligible : str
        Covariate that is 1 for units the treatment can concern, 0 for others.
    adjustment : str
        ``"doubly_robust"``, ``"regression"`` or ``"inverse_probability"``.
    control : str
        ``"never_treated"``, or ``"not_yet_treated"``: every cohort until it starts.
    anticipation : int
        Periods before the start in which units may react already.
    cluster : str
        ``"person"`` or ``"market"``.
    small_sample : bool
        Multiply the covariance by G/(G−1).

    Examples
    --------
    >>> TripleDifference(eligible="under_26").adjustment
    'doubly_robust'
    """

    eligible: str = "eligible"
    adjustment: Literal["doubly_robust", "regression", "inverse_probability"] = "doubly_robust"
    control: Control = "never_treated"
    anticipation: int = 0
    cluster: Literal["person", "market"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT, Supply.COVARIATES})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.adjustment, FORMULAS, what="adjustment")
        choice(self.control, CONTROLS, what="control")
        choice(self.cluster, ("person", "market"), what="cluster")
        not_negative(self.anticipation, what="anticipation")

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects on the eligible by cohort and period, and by month since the start.

        Parameters
        ----------
        design : Design
            A rollout with eligibility among its covariates.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``att``; counts of treated are those of the eligible.

        Raises
        ------
        OptionError
            When the design has no such covariate, or it is not 0 or 1.
        DesignRefused
            When the design is no rollout, or no cohort has its four groups.
        """
        require(design, self.needs, method=NAME, cluster=self.cluster)
        rollout = Rollout.of(
            design, cluster=self.cluster, gaps="drop", anticipation=self.anticipation
        )
        eligible, covariates = self._eligible(rollout, design.covariates)
        found = [self._cohort(rollout, int(g), eligible, covariates) for g in rollout.cohorts]
        parts = [part for part in found if part is not None]
        if not parts:
            raise DesignRefused(
                what=NAME,
                needed="eligible and other units, in a cohort and among those not treated then",
                found=f"none of {rollout.cohorts.size} cohorts with all four",
                remedy="choose control='not_yet_treated', or another method",
            )
        kept = np.array([part.cohort for part in parts])
        cells = cells_of_cohorts(
            rollout,
            parts,
            counted=shares_of_units(rollout, kept, counts=eligible),
            anticipation=self.anticipation,
            small_sample=self.small_sample,
        )
        return estimate_of_cells(
            cells,
            method=NAME,
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=_ledger(rollout, kept),
        )

    def _eligible(self, rollout: Rollout, names: tuple[str, ...]) -> tuple[Bools, Floats]:
        """Who is eligible, and the other covariates."""
        if self.eligible not in names:
            raise OptionError(
                what="eligible",
                needed="one of the design's covariates: " + ", ".join(names),
                found=repr(self.eligible),
                remedy=suggestion(self.eligible, names) or "name it among covariates=",
            )
        column = names.index(self.eligible)
        values = rollout.covariates[:, column]
        if not np.isin(values, (0.0, 1.0)).all() or np.unique(values).size < len((0, 1)):
            raise OptionError(
                what=f"covariate {self.eligible!r}",
                needed="0 and 1, both of them",
                found=f"{np.unique(values).size} values",
                remedy="write 1 for units the treatment can concern, 0 for others",
            )
        return values == 1, np.delete(rollout.covariates, column, axis=1)

    def _cohort(
        self, rollout: Rollout, cohort: int, eligible: Bools, covariates: Floats
    ) -> CohortEffects | None:
        """Effects of one cohort, None where one of the four groups is empty."""
        periods, start = rollout.periods, rollout.start
        base = int(np.flatnonzero(periods < cohort - self.anticipation)[-1])
        read = np.delete(np.arange(periods.size), base)
        used = np.flatnonzero((start == cohort) | (start > cohort))
        change = rollout.values[np.ix_(used, read)] - rollout.values[used, [base]][:, None]
        change[np.abs(change) < ROUNDING * np.abs(rollout.values).max()] = 0.0
        told: list[tuple[Bools, Ints, TwoByTwo]] = []
        for until, names in self._comparisons(rollout, cohort):
            columns = np.maximum(periods[read], periods[base]) < until
            rows = np.flatnonzero((start[used] == cohort) | np.isin(start[used], names))
            arms = 2 * (start[used][rows] == cohort) + eligible[used][rows]
            if columns.any() and np.unique(arms).size == 2 * 2:
                result = triple(
                    change[np.ix_(rows, columns)],
                    mine=start[used][rows] == cohort,
                    eligible=eligible[used][rows],
                    covariates=covariates[used][rows],
                    weight=rollout.weight[used][rows],
                    formula=FORMULAS[self.adjustment],
                )
                told.append((columns, rows, result))
        if not told:
            return None
        mine = int((eligible & (start == cohort)).sum())
        return _combined(told, cohort, periods[read], used, mine, weight=rollout.weight[used])

    def _comparisons(self, rollout: Rollout, cohort: int) -> list[tuple[int, Ints]]:
        """Comparison cohorts, with the first period in which each may react."""
        later = np.unique(rollout.start[rollout.start > cohort])
        never = later[later > rollout.periods[-1] + self.anticipation]
        told = [(NEVER, never)] if never.size else []
        if self.control == "not_yet_treated":
            others = later[later <= rollout.periods[-1] + self.anticipation]
            told += [(int(c) - self.anticipation, np.array([c])) for c in others]
        return told


def _combined(
    told: list[tuple[Bools, Ints, TwoByTwo]],
    cohort: int,
    periods: Ints,
    used: Ints,
    n_eligible: int,
    *,
    weight: Floats,
) -> CohortEffects:
    """One effect per period from what each comparison cohort tells of it."""
    known = np.flatnonzero(np.any([columns for columns, _, _ in told], axis=0))
    effect = np.empty(known.size)
    influence = np.zeros((used.size, known.size))
    others = np.zeros(known.size, dtype=np.int64)
    for k, t in enumerate(known):
        here = [(int(c[:t].sum()), rows, found) for c, rows, found in told if c[t]]
        each = np.zeros((used.size, len(here)))
        for j, (column, rows, found) in enumerate(here):
            each[rows, j] = found.influence[:, column]
        weights = precision_weights(each, weight=weight)
        effect[k] = weights @ [found.effect[column] for column, _, found in here]
        influence[:, k] = each @ weights
        others[k] = np.unique(np.concatenate([rows for _, rows, _ in here])).size - n_eligible
    return CohortEffects(
        cohort=cohort,
        periods=periods[known],
        effect=effect,
        rows=used,
        influence=influence,
        n_treated=np.full(known.size, n_eligible),
        n_comparison=others,
    )


def _ledger(rollout: Rollout, kept: Ints) -> Ledger:
    """Ledger with cohorts that no four groups tell of."""
    treated = rollout.start <= rollout.periods[-1]
    lost = treated & ~np.isin(rollout.start, kept)
    return rollout.ledger.add(
        "estimate",
        "compared_treated",
        unit="units",
        before=int(treated.sum()),
        dropped={"no_comparison": int(lost.sum())},
    )
