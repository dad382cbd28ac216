r"""Stacked difference in differences.

Estimand
--------
Average effect on the treated by month since the start, over the same cohorts at every month: those
whose whole window lies within the periods observed (trimmed average).

Equation
--------
Each cohort :math:`a` that starts with ``before`` periods before and ``after`` after it makes a
sub-experiment with units clean over the window. With corrective weights, the regression with effects of
unit-by-stack and of period-by-stack

.. math:: y_{iat}=\alpha_{ia}+\lambda_{at}+\sum_{e\ne b}\beta_e\,D_{ia}1\{t-a=e\}+\varepsilon_{iat},\qquad
          Q_a=\frac{N^1_a/N^1}{N^0_a/N^0}\ \text{for the comparison, 1 for the treated}

gives :math:`\hat\beta_e=\sum_a\frac{N^1_a}{N^1}\hat\delta_{a,e}`, the average of the two-by-two
differences, which is how it is computed. ``weighting="regression"`` leaves the weights out (Cengiz et
al.): cohorts then count as :math:`N^1_aN^0_a/(N^1_a+N^0_a)`, an average of effects that is not that of the
treated.

Identification
--------------
Parallel trends of each cohort and of its comparison over its window; nobody reacts before the start (less
``anticipation``); the treatment of some leaves the outcome of others alone.

Inference
---------
Influences summed by person (or market) across sub-experiments: one who serves several counts once.
What cohorts count for is estimated and adds its influence. With ``weighting="regression"`` standard
errors are those of the stacked regression clustered by person; with corrective weights they are not those
of a regression that takes the weights as given. ``small_sample`` multiplies the covariance by G/(G−1). By
market, Student's t with G−1 degrees of freedom.

Edge cases
----------
Cohorts whose window is not wholly observed, or that have no clean comparison, are left out and
counted. Within a sub-experiment only units observed throughout the window take part; one may serve in
another. ``before`` and ``after`` left unsaid are the longest with which no cohort is left out. The period
from which changes are counted has no row. Outcomes that do not vary have NaN standard errors.

References
----------
Wing, Freedman & Hollingsworth (2024), doi:10.3386/w32054. Cengiz et al. (2019), doi:10.1093/qje/qjz014.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.by_cohort import CohortEffects, Shares, cells_of_cohorts, shares
from whatworks.estimate.controlled import not_negative
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.rollouts import Rollout
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.did.stacks import SubExperiment, corrective_weight, sub_experiment
from whatworks.vocabulary import CONTROLS, Control, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedDiD:
    """Differences in differences of cohorts, each beside clean units, averaged over one set of cohorts.

    Parameters
    ----------
    before, after : int, optional
        Periods of the window on each side of the start.
    control : str
        ``"not_yet_treated"``: whoever starts after the window, or never; ``"never_treated"``.
    weighting : str
        ``"corrective"``: cohorts count as their treated; ``"regression"``: as precision has it.
    anticipation : int
        Periods before the start in which units may react already.
    cluster : str
        ``"person"`` or ``"market"``.
    small_sample : bool
        Multiply the covariance by G/(G−1).

    Examples
    --------
    >>> StackedDiD(before=2, after=3).control
    'not_yet_treated'
    """

    before: int | None = None
    after: int | None = None
    control: Control = "not_yet_treated"
    weighting: Literal["corrective", "regression"] = "corrective"
    anticipation: int = 0
    cluster: Literal["person", "market"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.control, CONTROLS, what="control")
        choice(self.weighting, ("corrective", "regression"), what="weighting")
        choice(self.cluster, ("person", "market"), what="cluster")
        not_negative(self.anticipation, what="anticipation")
        not_negative(self.after or 0, what="after")
        if self.before is not None and self.before <= self.anticipation:
            raise OptionError(
                what="before",
                needed=f"more periods than those of anticipation ({self.anticipation})",
                found=str(self.before),
                remedy="lengthen the window before the start",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by cohort and period, and by month since the start over cohorts.

        Parameters
        ----------
        design : Design
            A rollout.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``att``; extras ``corrective_weights``: :math:`Q_a` by cohort.

        Raises
        ------
        DesignRefused
            When the design is no rollout, or no cohort has both a whole window and a comparison.
        """
        require(design, self.needs, method="StackedDiD", cluster=self.cluster)
        rollout = Rollout.of(
            design, cluster=self.cluster, gaps="keep", anticipation=self.anticipation
        )
        before, after = self._window(rollout)
        stacks: dict[int, SubExperiment] = {}
        periods: dict[int, Ints] = {}
        for g in (int(g) for g in rollout.cohorts):
            whole = g - before >= rollout.periods[0] and g + after <= rollout.periods[-1]
            window = (rollout.periods >= g - before) & (rollout.periods <= g + after)
            early = np.flatnonzero(rollout.periods[window] < g - self.anticipation)
            made = self._stack(rollout, g, window, early, after) if whole and early.size else None
            if made is not None:
                stacks[g] = made
                periods[g] = np.delete(rollout.periods[window], early[-1])
        if not stacks:
            raise DesignRefused(
                what="StackedDiD",
                needed=f"a cohort observed from {before} periods before its start to {after} after, "
                "and units clean over that window",
                found=f"none among {rollout.cohorts.size}",
                remedy="shorten before or after",
            )
        cells = cells_of_cohorts(
            rollout,
            [_part(g, periods[g], stacks[g]) for g in stacks],
            counted=_counted(stacks, rollout.start.size),
            anticipation=self.anticipation,
            small_sample=self.small_sample,
        )
        masses = np.array([s.mass for s in stacks.values()])
        extras = {
            "window": (before, after),
            "corrective_weights": dict(
                zip(stacks, corrective_weight(masses).tolist(), strict=True)
            ),
        }
        return estimate_of_cells(
            cells,
            method="StackedDiD",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=_ledger(rollout, stacks),
            extras=extras,
        )

    def _window(self, rollout: Rollout) -> tuple[int, int]:
        """Periods on each side; where unsaid, the longest that every cohort has."""
        first, last = int(rollout.cohorts[0]), int(rollout.cohorts[-1])
        before = first - int(rollout.periods[0]) if self.before is None else self.before
        after = int(rollout.periods[-1]) - last if self.after is None else self.after
        return before, after

    def _stack(
        self, rollout: Rollout, cohort: int, window: Bools, early: Ints, after: int
    ) -> SubExperiment | None:
        """Sub-experiment of one cohort, None where an arm is empty."""
        clear = cohort + after + self.anticipation
        if self.control == "never_treated":
            clear = max(clear, int(rollout.periods[-1]))
        seen = np.isfinite(rollout.values[:, window]).all(axis=1)
        rows = np.flatnonzero(seen & ((rollout.start == cohort) | (rollout.start > clear)))
        treated = rollout.start[rows] == cohort
        if not treated.any() or treated.all():
            return None
        return sub_experiment(
            rollout.values[np.ix_(rows, window)],
            treated,
            base=int(early[-1]),
            weight=rollout.weight[rows],
            rows=rows,
            corrective=self.weighting == "corrective",
        )


def _part(cohort: int, periods: Ints, stack: SubExperiment) -> CohortEffects:
    n_treated, n_comparison = (np.full(periods.size, n) for n in stack.size)
    return CohortEffects(
        cohort=cohort,
        periods=periods,
        effect=stack.effect,
        rows=stack.rows,
        influence=stack.influence,
        n_treated=n_treated,
        n_comparison=n_comparison,
    )


def _counted(stacks: dict[int, SubExperiment], n_units: int) -> Shares:
    """What sub-experiments count for; their masses are homogeneous: units add up to the total."""
    moved = np.zeros((n_units, len(stacks)))
    for k, s in enumerate(stacks.values()):
        moved[s.rows, k] = s.share_influence
    return shares(moved, moved.sum(axis=0), weight=moved.sum(axis=1))


def _ledger(rollout: Rollout, stacks: dict[int, SubExperiment]) -> Ledger:
    """Treated units whose effect is not read, and others that serve nobody, by why."""
    serves = np.zeros(rollout.start.size, dtype=bool)
    for s in stacks.values():
        serves[s.rows] = True
    treated = rollout.start <= rollout.periods[-1]
    of_stack = np.isin(rollout.start, list(stacks))
    ledger = rollout.ledger.add(
        "estimate",
        "stacked_treated",
        unit="units",
        before=int(treated.sum()),
        dropped={
            "outside_window": int((treated & ~of_stack).sum()),
            "incomplete_panel": int((of_stack & ~serves).sum()),
        },
    )
    return ledger.add(
        "estimate",
        "stacked_comparison",
        unit="units",
        before=int((~treated).sum()),
        dropped={"incomplete_panel": int((~treated & ~serves).sum())},
    )
