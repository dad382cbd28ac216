r"""Doubly robust difference in differences, one cohort and two periods at a time.

Estimand
--------
Average effect on the treated of one cohort, in each period against one base period.

Equation
--------
On units seen in both periods, with :math:`\Delta y` the change since the base, :math:`\hat m` the line of
the comparisons' changes on covariates and :math:`\hat\omega=w\,\hat p/(1-\hat p)`,

.. math:: \hat\theta = \frac{\sum_{d=1} w(\Delta y-\hat m)}{\sum_{d=1} w}
                     - \frac{\sum_{d=0}\hat\omega(\Delta y-\hat m)}{\sum_{d=0}\hat\omega}

``improved`` fits the odds by tilting (they make covariates agree exactly) and the line by least squares at
those weights; ``traditional`` fits a logistic regression and plain least squares; ``regression`` keeps the
line alone, ``standardised_inverse_probability`` the odds alone, and ``inverse_probability`` the odds with
weights that do not sum to one (Abadie 2005). On units seen once, each period has its own line in each
group (locally efficient), and who is in a group must not change from one period to the other.

Identification
--------------
Given covariates, untreated outcomes would have moved alike in both groups; some comparisons are like each
treated; nobody reacts before the start; the treatment of some leaves the outcome of others alone. The first
two methods need only one of their two models to be right.

Inference
---------
Influence functions with the estimation of odds and lines, summed by person or by market; ``improved``
needs no such term. ``small_sample`` multiplies the covariance by G/(G−1); off, standard errors are those
of the R package ``DRDID``, except that the term of the comparisons' line before has the sign its
derivative has, on units seen once. By market, Student's t with G−1 degrees of freedom.

Edge cases
----------
The shape of the data decides: where every unit is seen in one period only they are repeated
cross-sections, otherwise a panel, of which units not seen in every period are left out and counted. The two
are never mixed. Several cohorts are refused. Comparisons of propensity 0.995 or more carry no weight in
means (as in ``DRDID``), and are counted in the ledger. Covariates collinear in a group, or that tell the
treated from every comparison, are refused. The base period is not reported. Outcomes that do not vary
have NaN standard errors.

References
----------
Sant'Anna & Zhao (2020), doi:10.1016/j.jeconom.2020.06.003. Abadie (2005),
doi:10.1111/0034-6527.00321. Heckman, Ichimura & Todd (1997), doi:10.2307/2971733.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, choice
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.by_cohort import CohortEffects, cells_of_cohorts, shares_of_units
from whatworks.estimate.cells import Cells
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.rollouts import Rollout
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.did import two_cross_sections, two_periods
from whatworks.stats.did.two_groups import TwoByTwo
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Adjustment = Literal[
    "improved",
    "traditional",
    "regression",
    "inverse_probability",
    "standardised_inverse_probability",
]
NAME: Final = "DoublyRobustDiD"
NOISE: Final = 1e-12
"""Share of the largest outcome below which a change is rounding."""
FOLLOWED: Final[dict[str, Callable[..., TwoByTwo]]] = {
    "improved": two_periods.improved,
    "traditional": two_periods.traditional,
    "regression": two_periods.regression,
    "inverse_probability": two_periods.inverse_probability,
    "standardised_inverse_probability": two_periods.standardised_inverse_probability,
}
SEEN_ONCE: Final[dict[str, Callable[..., TwoByTwo]]] = {
    "improved": two_cross_sections.improved,
    "traditional": two_cross_sections.traditional,
    "regression": two_cross_sections.regression,
    "inverse_probability": two_cross_sections.inverse_probability,
    "standardised_inverse_probability": two_cross_sections.standardised_inverse_probability,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoublyRobustDiD:
    """Difference in differences of one cohort, adjusted for covariates.

    Parameters
    ----------
    adjustment : str
        ``"improved"``, ``"traditional"``, ``"regression"``, ``"inverse_probability"`` or
        ``"standardised_inverse_probability"``.
    base : int, optional
        Period every other is compared with; by default the last one before the start.
    cluster : str
        ``"person"`` or ``"market"``.
    small_sample : bool
        Multiply the covariance by G/(G−1), G the number of clusters.

    Examples
    --------
    >>> DoublyRobustDiD(adjustment="traditional").cluster
    'person'
    """

    adjustment: Adjustment = "improved"
    base: int | None = None
    cluster: Literal["person", "market"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.adjustment, tuple(FOLLOWED), what="adjustment")
        choice(self.cluster, ("person", "market"), what="cluster")

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate the effect in every period but the base.

        Parameters
        ----------
        design : Design
            A rollout of one cohort; its covariates are adjusted for.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``att``. ``extras["shape"]`` is ``"panel"`` or ``"repeated_cross_sections"``.

        Raises
        ------
        DesignRefused
            When the design is no rollout of one cohort, a group is not observed, covariates are
            collinear, or they separate the groups.
        """
        require(design, self.needs, method=NAME, cluster=self.cluster)
        once = bool((np.isfinite(design.outcomes.values).sum(axis=1) <= 1).all())
        rollout = Rollout.of(design, cluster=self.cluster, gaps="keep" if once else "drop")
        treated = _one_cohort(rollout)
        base = self._base(rollout)
        read = np.flatnonzero(np.arange(rollout.periods.size) != base)
        estimator = (SEEN_ONCE if once else FOLLOWED)[self.adjustment]
        told = (_apart if once else _together)(rollout, estimator, treated, base, read)
        return estimate_of_cells(
            _cells(told, rollout, read, small_sample=self.small_sample),
            method=NAME,
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=_with_trimmed(rollout, told),
            extras={"shape": "repeated_cross_sections" if once else "panel"},
        )

    def _base(self, rollout: Rollout) -> int:
        """Column of the base period."""
        periods, start = rollout.periods, int(rollout.cohorts[0])
        known = np.flatnonzero(periods < start)
        if self.base is None:
            return int(known[-1])
        here = np.flatnonzero(periods[known] == self.base)
        if not here.size:
            raise DesignRefused(
                what="base",
                needed="a period observed before the start",
                found=f"period {self.base}, while treatment starts in {start}",
                remedy="leave base out, or name one of " + ", ".join(map(str, periods[known])),
            )
        return int(here[0])


@dataclass(frozen=True, slots=True)
class _Told:
    """What the periods read tell, one column each."""

    effect: Floats
    influence: Floats
    n_treated: Ints
    n_comparison: Ints
    trimmed: Ints


def _one_cohort(rollout: Rollout) -> Bools:
    """Who is treated, where one cohort is and somebody is left to be compared with."""
    treated = rollout.start <= rollout.periods[-1]
    if rollout.cohorts.size != 1 or treated.all():
        raise DesignRefused(
            what=NAME,
            needed="one cohort, and units treated later than the last period or never",
            found=f"{rollout.cohorts.size} cohorts and {int((~treated).sum())} such units",
            remedy="choose CallawaySantAnna for several cohorts, or keep one of them",
        )
    return np.asarray(treated)


def _together(
    rollout: Rollout, estimator: Callable[..., TwoByTwo], treated: Bools, base: int, read: Ints
) -> _Told:
    """Units followed: every period at once, as changes since the base."""
    values = rollout.values
    change = values[:, read] - values[:, [base]]
    change[np.abs(change) < NOISE * np.abs(values).max()] = 0.0
    found = estimator(change, treated=treated, covariates=rollout.covariates, weight=rollout.weight)
    n = int(treated.sum())
    return _Told(
        effect=found.effect,
        influence=found.influence,
        n_treated=np.full(read.size, n),
        n_comparison=np.full(read.size, treated.size - n),
        trimmed=np.full(read.size, found.trimmed),
    )


def _apart(
    rollout: Rollout, estimator: Callable[..., TwoByTwo], treated: Bools, base: int, read: Ints
) -> _Told:
    """Units seen once: each period with the base, period after period."""
    seen = np.isfinite(rollout.values)
    outcome = np.where(seen, rollout.values, 0.0).sum(axis=1)
    if estimator is not two_cross_sections.inverse_probability:  # which a shift would move
        outcome = outcome - outcome.min()
    n_cells = read.size
    effect, influence = np.empty(n_cells), np.zeros((treated.size, n_cells))
    counts = np.zeros((3, n_cells), dtype=np.int64)
    for k, at in enumerate(read):
        rows = np.flatnonzero(seen[:, base] | seen[:, at])
        after, mine = seen[rows, at], treated[rows]
        _four_arms(after, mine, period=int(rollout.periods[at]))
        found = estimator(
            outcome[rows, None],
            after=after,
            treated=mine,
            covariates=rollout.covariates[rows],
            weight=rollout.weight[rows],
        )
        effect[k], influence[rows, k] = found.effect[0], found.influence[:, 0]
        counts[:, k] = mine.sum(), (~mine).sum(), found.trimmed
    return _Told(effect, influence, counts[0], counts[1], counts[2])


def _four_arms(after: Bools, treated: Bools, *, period: int) -> None:
    """Refuse a pair of periods in one of which a group is not observed."""
    sizes = [int((a & d).sum()) for a in (~after, after) for d in (treated, ~treated)]
    if min(sizes) == 0:
        raise DesignRefused(
            what=NAME,
            needed=f"treated and comparison units in the base period and in period {period}",
            found="{} and {} in the base, {} and {} in the period".format(*sizes),
            remedy="choose another base, or leave out the periods in which a group is not observed",
        )


def _cells(told: _Told, rollout: Rollout, read: Ints, *, small_sample: bool) -> Cells:
    everyone = np.arange(rollout.start.size)
    alone = CohortEffects(
        cohort=int(rollout.cohorts[0]),
        periods=rollout.periods[read],
        effect=told.effect,
        rows=everyone,
        influence=told.influence,
        n_treated=told.n_treated,
        n_comparison=told.n_comparison,
    )
    return cells_of_cohorts(
        rollout,
        [alone],
        counted=shares_of_units(
            rollout, rollout.cohorts, counts=np.ones_like(everyone, dtype=bool)
        ),
        anticipation=0,
        small_sample=small_sample,
    )


def _with_trimmed(rollout: Rollout, told: _Told) -> Ledger:
    """Ledger with the comparisons that carry no weight: units followed, rows of units seen once."""
    if not told.trimmed.any():
        return rollout.ledger
    followed = np.ptp(told.trimmed) == 0 and np.ptp(told.n_comparison) == 0
    before, lost = (
        (told.n_comparison[0], told.trimmed[0])
        if followed
        else (told.n_comparison.sum(), told.trimmed.sum())
    )
    return rollout.ledger.add(
        "estimate",
        "overlap",
        unit="units",
        before=int(before),
        dropped={"propensity_too_high": int(lost)},
    )
