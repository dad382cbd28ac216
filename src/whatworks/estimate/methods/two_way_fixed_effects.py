r"""Two-way fixed effects: what is still often printed, to be shown beside a method that holds.

Estimand
--------
With ``by="simple"`` one number, the coefficient of being treated: an average of effects by cohort and period
with weights that nobody chose, some of them possibly negative. With ``by="dynamic"`` one coefficient by
months since the start, each mixed with the effects of other months.

Equation
--------
.. math:: y_{it} = \alpha_i + \lambda_t + \beta D_{it} + \varepsilon_{it},\qquad\text{or}\qquad
          \sum_{e\neq-1}\beta_e\,1\{t-g_i=e\}\ \text{in place of}\ \beta D_{it}

Identification
--------------
Parallel trends, no anticipation, no displacement, and the same effect in every cohort and month since the
start (``simple``), or in every cohort (``dynamic``). Where effects grow, or differ between cohorts, units
treated earlier serve as comparison and their growing effect is subtracted.

Inference
---------
Clustered by person or market; ``small_sample`` multiplies the covariance by
(N−1)/(N−K)·G/(G−1), with K the coefficients and the periods, as ``fixest`` does (`estimate.two_way`). By
market, Student's t with G−1 degrees of freedom. The fit is that of ``linearmodels``.

Edge cases
----------
Evidence refuses it alone or first (`whatworks.weigh`). ``extras["weights"]`` holds the weights of cohorts and
periods in the simple coefficient, negative ones counted and summed; ``extras["decomposition"]`` the
comparisons of two groups it averages, None where units are missing here and there. Months before ``first``
or after ``last`` are put together with it. Without units never treated and without such a bin the dynamic
coefficients are not told, and the design is refused. It holds every observation in memory several times:
about 5 s and 1.5 GB for a million of them.

References
----------
Goodman-Bacon (2021), doi:10.1016/j.jeconom.2021.03.014. de Chaisemartin & D'Haultfœuille (2020),
doi:10.1257/aer.20181169. Sun & Abraham (2021), doi:10.1016/j.jeconom.2020.09.006.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.estimate.rollouts import Rollout
from whatworks.estimate.two_way import LaidOut, two_way
from whatworks.options import typed
from whatworks.stats.did.two_way import Swept, apart
from whatworks.stats.uncertainty import Covariance
from whatworks.vocabulary import NEVER, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TOLD: Final = 1e-9
"""Share of a column's variation that effects must leave for its coefficient to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoWayFixedEffects:
    """Regression on unit and period effects, for comparison with methods that hold.

    Parameters
    ----------
    cluster : str
        ``"person"`` or ``"market"``.
    by : str
        ``"simple"``: one coefficient; ``"dynamic"``: one by months since the start, the month before it
        being the reference.
    first, last : int, optional
        With ``"dynamic"``: months beyond which all are put together.
    small_sample : bool
        Multiply the covariance by (N−1)/(N−K)·G/(G−1).

    Raises
    ------
    OptionError
        On an unknown word, or bins that do not hold the months −2 and 0.

    Examples
    --------
    >>> TwoWayFixedEffects(by="dynamic", last=12).by
    'dynamic'
    """

    cluster: Literal["person", "market"] = "person"
    by: Literal["simple", "dynamic"] = "simple"
    first: int | None = None
    last: int | None = None
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.cluster, ("person", "market"), what="cluster")
        choice(self.by, ("simple", "dynamic"), what="by")
        for name, wrong, needed in (
            ("first", self.first is not None and self.first > -2, "-2 or less"),
            ("last", self.last is not None and self.last < 0, "0 or more"),
        ):
            if wrong or (self.by == "simple" and getattr(self, name) is not None):
                raise OptionError(
                    what=name,
                    needed=f"with by='dynamic', {needed}",
                    found=f"{getattr(self, name)} with by={self.by!r}",
                    remedy="leave it out, or choose by='dynamic'",
                )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate the two-way regression.

        Parameters
        ----------
        design : Design
            A rollout; observations may be missing.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``average`` (month 0), or ``att`` by month; over all cohorts (``cohort`` −1).

        Raises
        ------
        DesignRefused
            When the design is no rollout, or coefficients cannot be told from the effects.
        """
        require(design, self.needs, method="TwoWayFixedEffects", cluster=self.cluster)
        rollout = Rollout.of(design, cluster=self.cluster, gaps="keep")
        laid = LaidOut.of(rollout)
        seen = laid.swept.count > 0
        months, columns = self._columns(laid.since, laid.starts, seen=seen)
        _raise_if_not_told(laid.swept, columns)
        unit, period = np.nonzero(~np.isnan(rollout.values))
        fit = two_way(
            rollout.values[unit, period],
            columns[:, laid.units.cohort[unit], period].T.astype(float),
            unit=unit,
            period=period,
            cluster=rollout.cluster[unit],
            weight=None if (rollout.weight == rollout.weight[0]).all() else rollout.weight[unit],
            small_sample=self.small_sample,
        )
        covariance = fit.covariance
        if _flat(rollout.values):
            covariance = np.zeros_like(covariance)  # what is left is rounding, not variation
        return Estimate(
            method="TwoWayFixedEffects",
            options=asdict(self),
            effects=effects_table(
                _rows(self.by, months, columns, laid),
                fit.coefficient,
                covariance,
                unit=design.outcomes.unit,
                df=float(fit.n_clusters - 1) if self.cluster == "market" else np.inf,
            ),
            uncertainty=Covariance(matrix=covariance),
            ledger=rollout.ledger,
            extras={
                "weights": laid.weights(rollout),
                "decomposition": laid.decomposition(rollout),
            },
        )

    def _columns(self, since: Ints, starts: Ints, *, seen: Bools) -> tuple[Ints, Bools]:
        """Months, and the cells in which each coefficient's column is one."""
        if self.by == "simple":
            return np.zeros(1, dtype=np.int64), ((since >= 0) & seen)[None]
        some = seen & (starts < NEVER)[:, None]
        binned = np.clip(
            since,
            since[some].min() if self.first is None else self.first,
            since[some].max() if self.last is None else self.last,
        )
        months = np.unique(binned[some])
        months = months[months != -1]
        return months, some & (binned == months[:, None, None])


def _raise_if_not_told(swept: Swept, columns: Bools) -> None:
    """Refuse coefficients that unit and period effects, or one another, explain away."""
    product = apart(swept, columns).product
    size = np.sqrt((columns * swept.weight).sum(axis=(1, 2)))
    lowest = np.linalg.eigvalsh(product / np.outer(size, size))[0]
    if not lowest > TOLD:
        raise DesignRefused(
            what="TwoWayFixedEffects",
            needed="units never treated, or months put together with first= or last=",
            found="months since the start that units and periods explain already",
            remedy="choose first= or last=, or by='simple'",
        )


def _flat(values: Floats) -> bool:
    return bool(np.nanmax(values) - np.nanmin(values) <= 1e-12 * np.nanmax(np.abs(values)))


def _rows(by: str, months: Ints, columns: Bools, laid: LaidOut) -> list[dict[str, Any]]:
    """Rows of the effects: observations of each month, and the untreated ones of the same periods."""
    rows = []
    for month, cells in zip(months, columns, strict=True):
        same_periods = np.broadcast_to(cells.any(axis=0), cells.shape)
        others = same_periods & (laid.since < 0) & ~cells
        rows.append(
            {
                "term": "average" if by == "simple" else "att",
                "cohort": -1,
                "month": int(month),
                "group": "all",
                "n_treated": int(laid.swept.count[cells].sum()),
                "n_comparison": int(laid.swept.count[others].sum()),
            }
        )
    return rows
