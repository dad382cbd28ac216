r"""Group-time effects of a rollout, by Callaway and Sant'Anna.

Estimand
--------
For each cohort :math:`g` that starts together and each period :math:`t`, the average effect on those
treated: :math:`ATT(g,t)=E[Y_t(g)-Y_t(\infty)\mid G=g]`; by months since the start, over cohorts by their
share of all units. `whatworks.aggregate` averages the same effects by cohort, by period, over all, over
cohorts observed long enough, or by the user's weights.

Equation
--------
With :math:`\Delta_i=Y_{it}-Y_{ib}` the change since the base period, :math:`C` the comparison,
:math:`\beta` the regression of :math:`\Delta` on covariates :math:`x` over :math:`C`, and :math:`o_i`
the odds, given :math:`x`, of belonging to :math:`g` rather than to :math:`C` (logit),

.. math:: \widehat{ATT}(g,t) = \frac{\sum_g w_i(\Delta_i-x_i'\beta)}{\sum_g w_i}
                     - \frac{\sum_C w_io_i(\Delta_i-x_i'\beta)}{\sum_C w_io_i}

for ``doubly_robust``; ``regression`` leaves out the second term, ``inverse_probability`` sets
:math:`\beta=0`. Without covariates the three are one: a difference of mean changes.

Identification
--------------
Given covariates, which are constant or held at a period before anyone is treated, the mean outcome of a
cohort without treatment would have moved as that of its comparison (parallel trends); nobody reacts
more than ``anticipation`` periods before the start; every kind of unit of a cohort is found in its
comparison too (overlap); the treatment of some leaves the outcome of others alone (no displacement).
``doubly_robust`` asks that either regression or odds be right.

Inference
---------
Influence functions, summed by person or by market (a person has one market: clustering by market is
clustering by both); those of the regression, of the odds and of the shares of cohorts are in them.
``small_sample`` multiplies the covariance by G/(G−L); off, standard errors are those of the R packages
``did`` and ``DRDID``. L is 1, and by market, where all of a market's units start together, the number of
distinct starts (untreated included): the mean of each is estimated on its own markets. By market,
Student's t with G−L degrees of freedom. Where persons are too many for
their influences to be held, the covariance is added up instead. `whatworks.bootstrap` redraws the same
influences with multipliers.

Edge cases
----------
The comparison is by default whoever has *not yet* started, never-treated units included: those who will
never be reached are often unlike the others, may be none, and being never treated is known only
afterwards. Units that start after the last period are untreated throughout. Where everyone starts within
the periods, ``not_yet_treated`` reads the periods before the last cohort starts, for which that cohort is
the comparison only; ``never_treated`` is refused: leave out the periods from the last start on to the same
end. A unit treated from the first period on has no period before, and is left out and counted; so are,
with ``gaps="drop"``, units not observed in some period. A cohort of fewer units than covariates plus five
is refused by name. A cell without comparison, whose comparison's covariates repeat each other, or in which
somebody's probability reaches 0.999, has no effect (NaN): `extras["undefined"]` names it, the ledger
counts it, and averages leave it out. Comparisons of a probability of 0.995 or more carry no weight by
their odds, and are counted, as in DRDID. With a universal base the base cell is zero, without an error.
With ``gaps="keep"`` units may lack periods, or be seen once: a cell compares the levels of those seen in
its two periods, rows of four arms, and holds only if who is seen does not depend on the outcome. Doubly
robust errors on such units differ from DRDID's by a sign that its derivative does not have, in a term that
vanishes where the odds are right.

References
----------
Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001. Sant'Anna & Zhao (2020),
doi:10.1016/j.jeconom.2020.06.003.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.comparison import as_names
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice, suggestion
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.cells import Cells
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.rollouts import Rollout
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.did.accumulated import (
    Sampled,
    uncertainty_of_cells,
    uncertainty_of_panel,
)
from whatworks.stats.did.followed import ByStart, Followed
from whatworks.stats.did.group_time import (
    BASES,
    METHODS,
    NEVER_TREATED,
    CellEffects,
    GroupTimes,
    Method,
    group_times,
)
from whatworks.stats.did.panel_cells import panel_cells
from whatworks.stats.did.repeated_cells import repeated_cells
from whatworks.stats.uncertainty import Uncertainty
from whatworks.vocabulary import CONTROLS, Control, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST: Final = 5
"""Units a cohort needs beside one for each covariate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallawaySantAnna:
    """Effects by cohort and period of a rollout, and by months since the start.

    Parameters
    ----------
    control : str
        ``"not_yet_treated"``: whoever has not started by the period read, nor by its base; or
        ``"never_treated"``: whoever does not start within the periods.
    adjustment : str
        ``"doubly_robust"``, ``"regression"`` or ``"inverse_probability"``.
    base_period : str
        What effects before the start are compared with: ``"varying"``, the period just before each;
        ``"universal"``, the last period before the start, as effects after it are.
    anticipation : int
        Periods before the start in which units may react already.
    covariates : tuple of str, optional
        Those of the design to adjust for; all by default, an empty tuple for none.
    cluster : str
        ``"person"`` or ``"market"``: what errors are summed over.
    gaps : str
        ``"drop"``: units not observed in every period are left out and counted; ``"keep"``: they
        count in the periods in which they are.
    small_sample : bool
        Multiply the covariance by G/(G−L), G the number of clusters and L the means they give.

    Raises
    ------
    OptionError
        On an unknown word, or a negative anticipation.

    Examples
    --------
    >>> CallawaySantAnna(base_period="universal").control
    'not_yet_treated'
    """

    control: Control = "not_yet_treated"
    adjustment: Method = "doubly_robust"
    base_period: Literal["varying", "universal"] = "varying"
    anticipation: int = 0
    covariates: tuple[str, ...] | None = None
    cluster: Literal["person", "market"] = "person"
    gaps: Literal["drop", "keep"] = "drop"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.control, CONTROLS, what="control")
        choice(self.adjustment, METHODS, what="adjustment")
        choice(self.base_period, BASES, what="base_period")
        choice(self.cluster, ("person", "market"), what="cluster")
        choice(self.gaps, ("drop", "keep"), what="gaps")
        if self.covariates is not None:
            as_names(self.covariates, what="covariates")
        if self.anticipation < 0:
            raise OptionError(
                what="anticipation",
                needed="a number of periods, 0 or more",
                found=str(self.anticipation),
                remedy="count periods before the start as positive",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by cohort and period.

        Parameters
        ----------
        design : Design
            A rollout (`Design.from_panel`).
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``att``: by month since the start over all cohorts (``cohort`` −1), then by cohort.

        Raises
        ------
        DesignRefused
            When the design is no rollout, nobody can be compared, or a cohort is too small.
        OptionError
            When a covariate is not held by the design.
        """
        require(design, self.needs, method="CallawaySantAnna", cluster=self.cluster)
        rollout = Rollout.of(
            design, cluster=self.cluster, gaps=self.gaps, anticipation=self.anticipation
        )
        used = self._used(design)
        last = int(rollout.periods[-1])
        by_start = ByStart.of(rollout.start, last=last + self.anticipation)
        cells = group_times(
            by_start.starts,
            rollout.periods,
            control=self.control,
            base_period=self.base_period,
            anticipation=self.anticipation,
        )
        self._accept(by_start, cells, rollout.periods, n_covariates=len(used))
        cohorts = np.unique(cells.cohort)
        g, lost = rollout.n_clusters, _lost(rollout, by_start)
        sampled = Sampled(
            by_start=by_start,
            cohorts=cohorts,
            weight=rollout.weight,
            cluster=rollout.cluster,
            n_clusters=g,
            factor=_factor(g, lost if self.small_sample else 0),
            level=rollout.level,
        )
        effects, uncertainty = self._fitted(rollout, used, cells, sampled)
        if not np.isfinite(effects.effect[cells.at != cells.base]).any():
            raise _nothing_left(effects)
        return estimate_of_cells(
            Cells(
                cohort=cells.cohort,
                period=cells.period,
                effect=effects.effect,
                n_treated=effects.n_treated,
                n_comparison=effects.n_comparison,
                cohorts=cohorts,
                share=sampled.shares(),
                uncertainty=uncertainty,
                last=int(cells.period.max()),
                anticipation=self.anticipation,
                df=float(g - lost) if self.cluster == "market" else np.inf,
            ),
            method="CallawaySantAnna",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=_counted(rollout.ledger, effects, cells, rollout.periods),
            extras={"undefined": _undefined(effects, cells)},
        )

    def _used(self, design: Design) -> Ints:
        """Columns of the covariates adjusted for."""
        if self.covariates is None:
            return np.arange(len(design.covariates))
        for name in self.covariates:
            if name not in design.covariates:
                raise OptionError(
                    what="covariates",
                    needed="covariates of the design: "
                    + (", ".join(design.covariates) or "it has none"),
                    found=repr(name),
                    remedy=suggestion(name, design.covariates) or "make the design with it",
                )
        return np.array([design.covariates.index(name) for name in self.covariates], dtype=np.int64)

    def _accept(
        self, by_start: ByStart, cells: GroupTimes, periods: Ints, *, n_covariates: int
    ) -> None:
        """Refuse a rollout without comparison, and cohorts too small to be read."""
        untreated = by_start.starts > periods[-1] + self.anticipation
        if self.control == NEVER_TREATED and not untreated.any():
            raise DesignRefused(
                what="CallawaySantAnna(control='never_treated')",
                needed="units that do not start within the periods",
                found="none: all of them start",
                remedy="choose control='not_yet_treated', or leave out of the table the periods from "
                "the last start on: the last to start are then untreated throughout",
            )
        if not cells.cohort.size:
            raise DesignRefused(
                what="CallawaySantAnna",
                needed="a cohort with a period before its start, and units that start later or never",
                found=f"{by_start.starts.size} cohorts, none with both",
                remedy="lengthen the panel, or bring units that start later",
            )
        least = n_covariates + FEWEST
        read = np.isin(by_start.starts, cells.cohort) | (
            untreated & (self.control == NEVER_TREATED)
        )
        small = [
            f"{'untreated' if g > periods[-1] else g} ({size})"
            for g, size in zip(by_start.starts[read], by_start.sizes[read], strict=True)
            if size < least
        ]
        if small:
            raise DesignRefused(
                what="CallawaySantAnna",
                needed=f"{least} units or more in every cohort: {FEWEST} beside one per covariate",
                found="cohorts (units) " + ", ".join(small),
                remedy="leave those cohorts out of the table, join them to their neighbours, or adjust "
                "for fewer covariates",
            )

    def _fitted(
        self, rollout: Rollout, used: Ints, cells: GroupTimes, sampled: Sampled
    ) -> tuple[CellEffects, Uncertainty]:
        """Effects and their uncertainty, of units followed throughout or of units with gaps."""
        whole = used.size == rollout.covariates.shape[1]
        covariates = rollout.covariates if whole else rollout.covariates[:, used]
        if self.gaps == "drop":
            followed = Followed.of(
                rollout.values,
                covariates=covariates,
                weight=rollout.weight,
                by_start=sampled.by_start,
            )
            fitted = panel_cells(followed, cells, method=self.adjustment)
            return fitted.effects, uncertainty_of_panel(fitted, sampled)
        effects = repeated_cells(
            rollout.values,
            start=rollout.start,
            covariates=covariates,
            weight=rollout.weight,
            cells=cells,
            method=self.adjustment,
        )
        return effects, uncertainty_of_cells(effects.influence, cells.cohort.size, sampled)


def _lost(rollout: Rollout, by_start: ByStart) -> int:
    """Degrees of freedom that means take: one per start where markets start whole, else one."""
    if rollout.level == "person":
        return 1
    last = np.zeros(rollout.n_clusters, dtype=by_start.place.dtype)
    last[rollout.cluster] = by_start.place
    whole = bool((last[rollout.cluster] == by_start.place).all())
    return by_start.starts.size if whole else 1


def _factor(n_clusters: int, lost: int) -> float:
    return n_clusters / (n_clusters - lost) if n_clusters > max(lost, 1) else float("nan")


def _undefined(effects: CellEffects, cells: GroupTimes) -> pd.DataFrame:
    """Cells without effect and why: ``cohort, month, reason``."""
    lost = [k for k, why in enumerate(effects.undefined) if why]
    return pd.DataFrame(
        {
            "cohort": cells.cohort[lost],
            "month": (cells.period - cells.cohort)[lost],
            "reason": [effects.undefined[k] for k in lost],
        }
    )


def _counted(ledger: Ledger, effects: CellEffects, cells: GroupTimes, periods: Ints) -> Ledger:
    """Ledger with periods that nobody can be compared in, and cells that have no effect."""
    beyond = int((periods > cells.period.max()).sum())
    ledger = ledger.add(
        "estimate",
        "periods_compared",
        unit="periods",
        before=periods.size,
        dropped={"no_comparison": beyond},
    )
    reasons = {why: effects.undefined.count(why) for why in sorted(set(effects.undefined)) if why}
    ledger = ledger.add(
        "estimate", "cells", unit="cells", before=cells.cohort.size, dropped=reasons
    )
    if effects.trimmed is None or not effects.trimmed.any():
        return ledger
    # A unit counts once in every cell it is a comparison of.
    return ledger.add(
        "estimate",
        "overlap",
        unit="units",
        before=int(effects.n_comparison.sum()),
        dropped={"propensity_too_high": int(effects.trimmed.sum())},
    )


def _nothing_left(effects: CellEffects) -> DesignRefused:
    counts = {why: effects.undefined.count(why) for why in sorted(set(effects.undefined)) if why}
    return DesignRefused(
        what="CallawaySantAnna",
        needed="a cell in which the cohort can be compared",
        found=", ".join(f"{n} cells with {why.replace('_', ' ')}" for why, n in counts.items()),
        remedy="no overlap: adjust for fewer or coarser covariates, or choose adjustment='regression'; "
        "collinear: drop covariates that repeat others",
    )
