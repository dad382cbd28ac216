r"""Effect of a treatment by its dose, such as hours of accompaniment, by differences in differences.

Estimand
--------
``att``: average effect on the treated whatever their dose, by months since the start (over all cohorts,
then by cohort). ``att_dose``: :math:`ATT(d)`, the effect of receiving dose :math:`d`, over a grid of doses.
``acrt_dose``: :math:`ACRT(d)=\partial ATT(d)/\partial d`, what one unit of dose more would add at
:math:`d`. ``average`` and ``acrt``: their means over the doses received, :math:`ATT^o` and
:math:`ACRT^o`. The dose is where an effect is read, never a result.

Equation
--------
For cohort :math:`g` and period :math:`t`, with :math:`b` the last period observed before the start and
:math:`\psi` B-splines of the dose,

.. math::

    \widehat{ATT}_{g,t}(d)=\psi(d)'\hat\beta_{g,t}-\bar{\Delta y}_{0,t},\qquad
    \widehat{ACRT}_{g,t}(d)=\psi'(d)'\hat\beta_{g,t},\qquad
    \widehat{ACRT}{}^o_{g,t}=\frac{\sum_{G_i=g} w_i\psi'(D_i)'\hat\beta_{g,t}}{\sum_{G_i=g} w_i}

where :math:`\hat\beta_{g,t}` is least squares of :math:`y_t-y_b` on :math:`\psi(D)` in the cohort and
:math:`\bar{\Delta y}_{0,t}` the mean change of the untreated. With ``by="average"`` cells from the start on
are averaged within each cohort, and cohorts by their share of the treated; with ``by="dynamic"``, by month
since the start.

Identification
--------------
Parallel trends (without treatment, those of any dose would have changed as the untreated did) and no
anticipation give :math:`ATT(d|d)`: the effect of dose :math:`d` on those who received it. To compare doses,
and to read :math:`ACRT` as an effect of the dose, needs **strong** parallel trends: had everyone received
dose :math:`d`, those who received another would have changed as those who received it. Where people choose
hours by what they expect of them, it fails, and the slope mixes effect and choice. Months before the start
do not test it. The estimate carries it in ``extras["conditions"]``.

Inference
---------
Influence of each unit, summed by person or market; the chance in the doses received and in the shares of
cohorts counts; knots and grid are taken as given. Heteroskedasticity-robust without ``small_sample``, which
multiplies the covariance by G/(G−1). Bands are joint over the grid of doses, or over months. By market,
Student's t with G−1 degrees of freedom. A curve of too few splines is biased, and errors do not say it.

Edge cases
----------
Units that lack some period are left out and counted. A cohort whose doses do not tell the splines apart
is refused by name: fewer knots, or a lower degree. Splines and grid are those of all the doses received:
where a cohort received a narrower range, its curve is extended by its own polynomial, and its error grows.
Treated units without a positive dose are refused by `Design.from_panel`. Outcomes that do not vary have
NaN standard errors.

References
----------
Callaway, Goodman-Bacon & Sant'Anna (2024), arXiv:2107.02637. Callaway & Sant'Anna (2021),
doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Final, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import OptionError, choice
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.dosed import Dosed, dosed_cells
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.estimate.rollouts import Rollout
from whatworks.options import typed
from whatworks.stats.uncertainty import Influence, factor_of_clusters
from whatworks.vocabulary import CONTROLS, Control, Supply

Floats = NDArray[np.float64]

BY: Final = ("average", "dynamic")
CONDITIONS: Final = ("parallel_trends", "no_anticipation", "strong_parallel_trends")
"""What the estimate supposes, the last one to compare doses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuousDose:
    """Effects by dose, on a rollout that says the dose of each treated unit.

    Parameters
    ----------
    degree : int
        Of the splines; 1 for straight lines between knots.
    knots : int
        Knots between the least and the greatest dose, at even quantiles of the doses received.
    grid : tuple of float
        Quantiles of the doses received at which curves are read; a dose is rounded to three digits.
    by : str
        ``"average"``: curves over all periods from the start on; ``"dynamic"``: one per month since it.
    control : str
        ``"never_treated"`` in the periods observed, or ``"not_yet_treated"``.
    cluster : str
        ``"person"`` or ``"market"``.
    small_sample : bool
        Multiply the covariance by G/(G−1), G the number of clusters.

    Raises
    ------
    OptionError
        On unknown names, a degree below 1, or quantiles outside (0, 1) or not increasing.

    Examples
    --------
    >>> ContinuousDose(degree=1).grid[:2]
    (0.05, 0.1)
    """

    degree: int = 3
    knots: int = 0
    grid: tuple[float, ...] = tuple(k / 20 for k in range(1, 20))
    by: Literal["average", "dynamic"] = "average"
    control: Control = "never_treated"
    cluster: Literal["person", "market"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.DOSE, Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.by, BY, what="by")
        choice(self.control, CONTROLS, what="control")
        choice(self.cluster, ("person", "market"), what="cluster")
        if self.degree < 1 or self.knots < 0:
            raise OptionError(
                what="degree and knots",
                needed="a degree of at least 1, and at least 0 knots",
                found=f"{self.degree} and {self.knots}",
                remedy="choose degree=1, 2 or 3",
            )
        inside = all(isinstance(q, int | float) and 0 < q < 1 for q in self.grid)
        if not self.grid or not inside or sorted(set(self.grid)) != list(self.grid):
            raise OptionError(
                what="grid",
                needed="increasing quantiles between 0 and 1",
                found=f"{len(self.grid)} numbers that are not",
                remedy="write for instance (0.1, 0.25, 0.5, 0.75, 0.9)",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by month, and their curves over the dose.

        Parameters
        ----------
        design : Design
            A rollout made with ``Design.from_panel(..., dose=)``.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Rows of ``att`` by month and cohort; then ``average`` (with ``by="average"``) and
            ``acrt``; then ``att_dose`` and ``acrt_dose``, the dose as ``group``. Rows of an average
            have month 0. ``acrt`` is in units of the outcome per unit of dose.

        Raises
        ------
        DesignRefused
            When the design is no rollout or says no dose, nobody can be compared with, or a cohort's
            doses do not tell the splines apart.
        """
        require(design, self.needs, method="ContinuousDose", cluster=self.cluster)
        rollout = Rollout.of(design, cluster=self.cluster)
        dosed = dosed_cells(
            rollout,
            degree=self.degree,
            knots=self.knots,
            later=self.control == "not_yet_treated",
            by_month=self.by == "dynamic",
            factor=factor_of_clusters(rollout.n_clusters, small_sample=self.small_sample),
        )
        overall = estimate_of_cells(
            dosed.cells,
            method="ContinuousDose",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=rollout.ledger,
            extras={"conditions": CONDITIONS},
        )
        return self._with_curves(overall, dosed, unit=design.outcomes.unit)

    def _with_curves(self, overall: Estimate, dosed: Dosed, *, unit: str) -> Estimate:
        """The estimate by month, with what is read along the dose."""
        doses = dosed.grid(self.grid)
        told = [f"{d:g}" for d in doses]
        basis = _padded(dosed.basis.values(doses))
        slopes = _padded(dosed.basis.slopes(doses))
        average = () if self.by == "dynamic" else (("average", dosed.level()),)
        groups = [
            ((*average, ("acrt", dosed.slope())), "month", ["all"]),
            ((("att_dose", basis), ("acrt_dose", slopes)), "group", told),
        ]
        effects, uncertainty = overall.effects, cast("Influence", overall.uncertainty)
        for curves, along, labels in groups:
            for term, weights in curves:
                table, influence = _read(
                    dosed, term, weights, labels=labels, along=along, unit=unit
                )
                effects = pd.concat([effects, table], ignore_index=True)
                joined = np.hstack([uncertainty.values, influence.values])
                uncertainty = replace(uncertainty, values=joined)
        return replace(overall, effects=effects, uncertainty=uncertainty)


def _padded(splines: Floats) -> Floats:
    """Readings of the coefficients of a curve, neither mean read."""
    return np.hstack([splines, np.zeros((splines.shape[0], 2))])


def _read(
    dosed: Dosed, term: str, weights: Floats, *, labels: Sequence[str], along: str, unit: str
) -> tuple[pd.DataFrame, Influence]:
    """Rows of one term: linear readings of the coefficients of each average."""
    n_averages = dosed.coefficients.shape[0]
    every = np.kron(np.eye(n_averages), weights).astype(np.float64)
    influence = dosed.uncertainty.combine(every)
    rows: list[dict[str, Any]] = [
        {
            "term": term,
            "cohort": -1,
            "month": int(month),
            "group": label,
            "n_treated": int(treated),
            "n_comparison": int(comparison),
        }
        for month, treated, comparison in zip(
            dosed.months, dosed.n_treated, dosed.n_comparison, strict=True
        )
        for label in labels
    ]
    table = effects_table(
        rows,
        (dosed.coefficients @ weights.T).ravel(),
        influence.covariance(),
        unit=unit,
        df=dosed.cells.df,
        influence=influence,
        along=along,
    )
    return table, influence
