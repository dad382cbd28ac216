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
from whatworks.estimate.controlled import not_negative
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.rollouts import Cells, Rollout, estimate_of_cells
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.did.stacks import SubExperiment, corrective_weight, sub_experiment
from whatworks.stats.did.summed import summed_by_cluster
from whatworks.vocabulary import Supply

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
    controls : str
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
    >>> StackedDiD(before=2, after=3).controls
    'not_yet_treated'
    """

    before: int | None = None
    after: int | None = None
    controls: Literal["not_yet_treated", "never_treated"] = "not_yet_treated"
    weighting: Literal["corrective", "regression"] = "corrective"
    anticipation: int = 0
    cluster: Literal["person", "market"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.controls, ("not_yet_treated", "never_treated"), what="controls")
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
        markets = {Supply.MARKETS} if self.cluster == "market" else set()
        require(design, self.needs | markets, method="StackedDiD")
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
        cells = self._cells(rollout, stacks, periods)
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
        if self.controls == "never_treated":
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

    def _cells(
        self, rollout: Rollout, stacks: dict[int, SubExperiment], periods: dict[int, Ints]
    ) -> Cells:
        n = rollout.n_clusters
        cohorts = np.array(list(stacks), dtype=np.int64)
        share = np.array([s.share for s in stacks.values()])
        sizes = [periods[int(g)].size for g in cohorts]
        uncertainty = summed_by_cluster(
            lambda rows: _influence(rows, stacks, share.sum(), rollout.start.size),
            n_terms=sum(sizes) + cohorts.size,
            cluster=rollout.cluster,
            n_clusters=n,
            factor=(n / (n - 1) if n > 1 else float("nan")) if self.small_sample else 1.0,
            level=rollout.level,
        )
        numbers = np.repeat([s.size for s in stacks.values()], sizes, axis=0)
        return Cells(
            cohort=np.repeat(cohorts, sizes),
            period=np.concatenate([periods[int(g)] for g in cohorts]),
            effect=np.concatenate([s.effect for s in stacks.values()]),
            n_treated=numbers[:, 0],
            n_comparison=numbers[:, 1],
            cohorts=cohorts,
            share=share / share.sum(),
            uncertainty=uncertainty,
            last=int(rollout.periods[-1]),
            anticipation=self.anticipation,
            df=float(n - 1) if rollout.level == "market" else np.inf,
        )


def _influence(
    rows: Ints, stacks: dict[int, SubExperiment], total: float, n_units: int
) -> Floats:
    """Influence of some units on effects, then on what cohorts count for."""
    place = np.full(n_units, -1)
    place[rows] = np.arange(rows.size)
    parts, shares = [], []
    for s in stacks.values():
        here = place[s.rows]
        held = here >= 0
        effects = np.zeros((rows.size, s.effect.size))
        effects[here[held]] = s.influence[held]
        share = np.zeros(rows.size)
        share[here[held]] = s.share_influence[held]
        parts.append(effects)
        shares.append(share)
    moved = np.column_stack(shares)
    wanted = np.array([s.share for s in stacks.values()]) / total
    # Shares add up to one: what a unit adds to all of them moves none.
    moved = (moved - moved.sum(axis=1, keepdims=True) * wanted) / total
    return np.hstack([*parts, moved])


def _ledger(rollout: Rollout, stacks: dict[int, SubExperiment]) -> Ledger:
    """Units that serve in no sub-experiment, by why."""
    serves = np.zeros(rollout.start.size, dtype=bool)
    for s in stacks.values():
        serves[s.rows] = True
    ledger = rollout.ledger
    treated = rollout.start <= rollout.periods[-1]
    of_stack = np.isin(rollout.start, list(stacks))
    for name, arm in (("stacked_treated", treated), ("stacked_comparison", ~treated)):
        lost = arm & ~serves
        reasons = {
            "incomplete_panel": int((lost & (of_stack | ~treated)).sum()),
            "outside_window": int((lost & ~of_stack & treated).sum()),
        }
        ledger = ledger.add(
            "estimate", name, unit="units", before=int(arm.sum()), dropped=reasons
        )
    return ledger
