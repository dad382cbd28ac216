r"""Efficient estimation when the time of treatment was drawn.

Estimand
--------
Average effect by months since the start, over cohorts by their size; and one average over all cells.

Equation
--------
With :math:`\hat\theta` the difference of means between cohorts treated and not treated yet, and
:math:`\hat X` the same difference in the last period before the start,

.. math:: \hat\theta_\beta=\hat\theta-\beta\hat X,\qquad
          \beta^*=\frac{\widehat{\mathrm{Cov}}(\hat X,\hat\theta)}{\widehat{\mathrm{Var}}(\hat X)}

for each effect. ``adjustment="efficient"`` takes :math:`\beta^*`; ``"change"`` takes 1, which is Callaway &
Sant'Anna's estimator, or Sun & Abraham's with ``control="last_treated"``; ``"none"`` takes 0.

Identification
--------------
Who starts when was drawn at random: parallel trends would not do, since :math:`\beta^*\hat X` is nil on
average only under the draw. The design must say so (`DesignClass.RANDOMISED`), or ``drawn=True``
assert it. Nobody reacts before the start; the treatment of some leaves the outcome of others alone.

Inference
---------
Over the draw, units being given: covariances within cohorts (Neyman), from which ``refined`` takes away
what outcomes before anyone is treated tell of how effects differ between units. Where these differ in
other ways both are too large rather than too small. Estimating :math:`\beta^*`
changes nothing to first order. The normal law.

Edge cases
----------
Where whole markets were drawn, make the design of markets: units here are what was drawn. Units not
observed in every period, and cohorts of one unit, are left out and counted. Without units never treated
the last cohort is what others are compared with until it starts. Outcomes that do not vary have NaN
standard errors.

References
----------
Roth & Sant'Anna (2023), doi:10.1086/726581.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.estimate.rollouts import Rollout
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.did.random_timing import Paths, timed
from whatworks.stats.uncertainty import Covariance
from whatworks.vocabulary import NEVER, DesignClass, Supply

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NAME: Final = "RandomTiming"
BETAS: Final = {"efficient": None, "change": 1.0, "none": 0.0}
AVERAGES: Final = ("simple", "cohort", "period")


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomTiming:
    """Effects by month since a start that was drawn at random.

    Parameters
    ----------
    by : str
        What the row ``average`` is: ``"simple"``, over cells by size; ``"cohort"``, over cohorts;
        ``"period"``, over calendar periods.
    adjustment : str
        For the difference before the start: ``"efficient"``, ``"change"`` or ``"none"``.
    control : str
        ``"not_yet_treated"``, or ``"last_treated"``: the last cohort alone, or those never treated.
    drawn : bool
        Assert that the timing was drawn at random, where the design does not say so.
    refined : bool
        Standard errors that use how effects differ; else Neyman's, which are never too small.

    Examples
    --------
    >>> RandomTiming(drawn=True).adjustment
    'efficient'
    """

    by: Literal["simple", "cohort", "period"] = "simple"
    adjustment: Literal["efficient", "change", "none"] = "efficient"
    control: Literal["not_yet_treated", "last_treated"] = "not_yet_treated"
    drawn: bool = False
    refined: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.by, AVERAGES, what="by")
        choice(self.adjustment, BETAS, what="adjustment")
        choice(self.control, ("not_yet_treated", "last_treated"), what="control")

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by month since the start, and their average.

        Parameters
        ----------
        design : Design
            A rollout whose timing was drawn.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``att`` by month over all cohorts, then ``average``; extras ``beta``: what of the
            difference before the start was taken away, by row.

        Raises
        ------
        DesignRefused
            When the design is no rollout, nothing says that timing was drawn, or nobody is left to
            compare.
        """
        require(design, self.needs, method=NAME)
        if design.design_class is not DesignClass.RANDOMISED and not self.drawn:
            raise DesignRefused(
                what=NAME,
                needed="a start drawn at random",
                found=f"a design of class {design.design_class}",
                remedy="choose a method that asks for parallel trends only, or assert the draw "
                "with drawn=True",
            )
        rollout = Rollout.of(design, cluster="person", gaps="drop")
        start = np.where(rollout.start > rollout.periods[-1], NEVER, rollout.start)
        names, number, size = np.unique(start, return_inverse=True, return_counts=True)
        kept = size[number] > 1
        if (size > 1).sum() < len((0, 1)):
            raise DesignRefused(
                what=NAME,
                needed="two cohorts of more than one unit",
                found=f"{int((size > 1).sum())} among {names.size}",
                remedy="bring more units",
            )
        paths = Paths.of(
            rollout.values[kept],
            start[kept],
            weight=rollout.weight[kept],
            periods=rollout.periods,
        )
        return self._estimate(paths, start[kept], design, _ledger(rollout, kept))

    def _estimate(
        self, paths: Paths, start: NDArray[np.int64], design: Design, ledger: Ledger
    ) -> Estimate:
        months = np.unique((paths.periods - paths.start[:, None])[paths.told])
        held = [paths.weights_of_month(int(e)) for e in months] + [paths.weights(self.by)]
        last_only = self.control == "last_treated"
        found = timed(paths, held, beta=BETAS[self.adjustment], last_only=last_only)
        matrix = found.refined if self.refined else found.neyman
        places = [("att", int(e)) for e in months] + [("average", 0)]
        terms: list[dict[str, Any]] = []
        for (term, month), cells in zip(places, held, strict=True):
            used = _used(paths, cells, last_only=last_only)
            counts = [int(np.isin(start, paths.start[arm]).sum()) for arm in used]
            terms.append(
                {
                    "term": term,
                    "cohort": -1,
                    "month": month,
                    "group": "all",
                    "n_treated": counts[0],
                    "n_comparison": counts[1],
                }
            )
        return Estimate(
            method=NAME,
            options=asdict(self),
            effects=effects_table(terms, found.effect, matrix, unit=design.outcomes.unit),
            uncertainty=Covariance(matrix=matrix),
            ledger=ledger,
            extras={
                "beta": dict(zip((f"{t} {m}" for t, m in places), found.beta.tolist(), strict=True))
            },
        )


def _used(paths: Paths, cells: Floats, *, last_only: bool) -> tuple[Bools, Bools]:
    """Cohorts whose effect is read, and cohorts compared with."""
    read = cells > 0
    others = np.arange(paths.start.size) == paths.start.size - 1
    if not last_only:
        others = paths.start > paths.periods[np.logical_or.reduce(read, axis=0)].min()
    return np.asarray(np.logical_or.reduce(read, axis=1)), np.asarray(others)


def _ledger(rollout: Rollout, kept: Bools) -> Ledger:
    """Ledger with units alone in their cohort."""
    ledger = rollout.ledger
    treated = rollout.start <= rollout.periods[-1]
    for name, arm in (("compared_treated", treated), ("compared_comparison", ~treated)):
        ledger = ledger.add(
            "estimate",
            name,
            unit="units",
            before=int(arm.sum()),
            dropped={"alone_in_cohort": int((arm & ~kept).sum())},
        )
    return ledger
