r"""Difference in differences, two groups and two periods at a time.

Estimand
--------
Average effect on the treated, by months since the start: for each cohort that starts together, and
over cohorts by their share of the treated.

Equation
--------
For cohort :math:`g` and :math:`e` months since its start, with :math:`b` the last month observed
before it,

.. math:: \hat\theta_{g,e} = \big(\bar y^{1}_{g+e}-\bar y^{1}_{b}\big)
                            -\big(\bar y^{0}_{g+e}-\bar y^{0}_{b}\big)

and :math:`\hat\theta_e = \sum_g \hat p_g\hat\theta_{g,e}/\sum_g\hat p_g` over the cohorts observed then.

Identification
--------------
Without treatment the mean outcome of the treated would have moved as that of the comparison
(parallel trends); nobody changes before the start (no anticipation); the treatment of some leaves the
outcome of the comparison alone (no displacement).

Inference
---------
Influence functions, summed by person (or market): a never-treated person who serves several cohorts
counts once. The shares of cohorts are estimated and their influence is added (Callaway & Sant'Anna
2021). ``small_sample`` multiplies the covariance by G/(G−1); off, standard errors are those of the R
package ``did``. By market, Student's t with G−1 degrees of freedom. On a matched design, weights of
comparisons are taken as given.

Edge cases
----------
An outcome that accumulates since entry is refused: a lasting gap would be counted every month.
A month in which some unit of a cohort is not observed is not reported for that cohort.
Months before the start are compared with the same base month: effects there should be nil. The base
month itself is not reported. Irregular periods keep their own distances. A cohort observed in no
month before its start is refused. Outcomes that do not vary have NaN standard errors.

References
----------
Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001. Sant'Anna & Zhao (2020),
doi:10.1016/j.jeconom.2020.06.003.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.design.rollout.stacked import stack
from whatworks.errors import DesignRefused, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.options import typed
from whatworks.stats.differences import average_over_cohorts, two_by_two
from whatworks.stats.uncertainty import Influence, cluster_sums, sums_by_number
from whatworks.vocabulary import ENTRY_MONTH, MARKET, PERSON, TREATED, WEIGHT, Supply

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoByTwoDiD:
    """Difference in differences by cohort and month since the start, and over cohorts.

    Parameters
    ----------
    cluster : str
        ``"person"`` or ``"market"``.
    small_sample : bool
        Multiply the covariance by G/(G−1), G the number of clusters.

    Examples
    --------
    >>> TwoByTwoDiD(cluster="market").small_sample
    True
    """

    cluster: Literal["person", "market"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.PRE_MONTHS})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.cluster, ("person", "market"), what="cluster")

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by cohort and month.

        Parameters
        ----------
        design : Design
            With months before entry; cohorts are reported when the design supplies never-treated
            units, else all entries count as one cohort on the clock of entry.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``att``: over all cohorts (``cohort`` −1), then by cohort.

        Raises
        ------
        DesignRefused
            When the design lacks months before entry, or a cohort has none.
        """
        if Supply.ROLLOUT in design.supplies:
            design = stack(design)
        if design.outcomes.accumulates:
            raise DesignRefused(
                what="TwoByTwoDiD",
                needed="an outcome of the month itself",
                found=f"{design.outcomes.name!r}, which accumulates since entry",
                remedy="ask for the monthly outcome: a lasting gap would be counted every month",
            )
        markets = {Supply.MARKETS} if self.cluster == "market" else set()
        require(design, self.needs | markets, method="TwoByTwoDiD")
        units = design.units
        label = units[PERSON if self.cluster == "person" else MARKET].to_numpy()
        labels = np.unique(label, return_inverse=True)[1].astype(np.int64)
        entry = units[ENTRY_MONTH].to_numpy()
        if Supply.NEVER_TREATED not in design.supplies:
            entry = np.zeros_like(entry)
        cohorts = [_Cohort.of(design, entry == g, labels, name=int(g)) for g in np.unique(entry)]
        overall = _over_cohorts(cohorts, design, labels, entry)
        by_cohort = cohorts if Supply.NEVER_TREATED in design.supplies else []
        terms = [t for part in (overall, *by_cohort) for t in part.terms]
        effect = np.concatenate([part.effect for part in (overall, *by_cohort)])
        influence = np.concatenate([p.influence for p in (overall, *by_cohort)], axis=1)
        n = influence.shape[0]
        factor = n / (n - 1) if self.small_sample and n > 1 else 1.0
        uncertainty = Influence(
            values=influence,
            cluster=np.arange(n),
            factor=factor if n > 1 else float("nan"),
            level=self.cluster,
        )
        return Estimate(
            method="TwoByTwoDiD",
            options=asdict(self),
            effects=effects_table(
                terms,
                effect,
                uncertainty.covariance(),
                unit=design.outcomes.unit,
                df=float(n - 1) if self.cluster == "market" else np.inf,
            ),
            uncertainty=uncertainty,
            ledger=design.ledger,
        )


@dataclass(frozen=True, slots=True)
class _Cohort:
    """Effects of one cohort (or of all) at the months it is observed, base month left out."""

    terms: list[dict[str, Any]]
    months: Ints
    effect: Floats
    influence: Floats

    @classmethod
    def of(cls, design: Design, rows: Bools, labels: Ints, *, name: int) -> _Cohort:
        months = np.array(design.outcomes.months)
        values = design.outcomes.values
        seen = ~np.isnan(values[rows]).any(axis=0)
        before = np.flatnonzero(seen & (months < 0))
        if not before.size:
            raise DesignRefused(
                what="TwoByTwoDiD",
                needed="a month before entry in which every unit is observed",
                found="a cohort with none",
                remedy="shorten the placebo window or drop that cohort",
            )
        base = before[-1]
        read = np.flatnonzero(seen & (np.arange(months.size) != base))
        mine = values[rows]
        change = mine[:, read] - mine[:, [base]]
        change[np.abs(change) < 1e-12 * np.abs(mine[:, seen]).max(initial=0.0)] = 0.0
        treated = design.units[TREATED].to_numpy()[rows]
        cell = two_by_two(change, treated, weight=design.units[WEIGHT].to_numpy()[rows])
        counts = int(treated.sum()), int((~treated).sum())
        return cls(
            [_term(name, int(m), counts) for m in months[read]],
            months[read],
            cell.effect,
            sums_by_number(cell.influence, labels[rows], n_clusters=int(labels.max()) + 1),
        )


def _term(cohort: int, month: int, counts: tuple[int, int]) -> dict[str, Any]:
    return {
        "term": "att",
        "cohort": cohort,
        "month": month,
        "group": "all",
        "n_treated": counts[0],
        "n_comparison": counts[1],
    }


def _over_cohorts(cohorts: list[_Cohort], design: Design, labels: Ints, entry: Ints) -> _Cohort:
    """Average over the cohorts observed in each month, by their share of the treated."""
    weight = design.units[WEIGHT].to_numpy() * design.units[TREATED].to_numpy()
    names = np.unique(entry)
    mine = weight[:, None] * (entry[:, None] == names[None, :])
    indicator, _ = cluster_sums(mine / weight.sum(), labels)
    months = np.unique(np.concatenate([c.months for c in cohorts]))
    effect = np.empty(months.size)
    influence = np.empty((indicator.shape[0], months.size))
    terms = []
    for k, month in enumerate(months):
        known = np.array([month in c.months for c in cohorts])
        place = [
            int(np.flatnonzero(c.months == month)[0]) if ok else 0
            for c, ok in zip(cohorts, known, strict=True)
        ]
        effects = np.array([c.effect[p] for c, p in zip(cohorts, place, strict=True)])
        parts = np.column_stack([c.influence[:, p] for c, p in zip(cohorts, place, strict=True)])
        effect[k], influence[:, k] = average_over_cohorts(
            effects, parts, indicator=indicator, known=known
        )
        counts = [
            sum(int(c.terms[p][name]) for c, p, ok in zip(cohorts, place, known, strict=True) if ok)
            for name in ("n_treated", "n_comparison")
        ]
        terms.append(_term(-1, int(month), (counts[0], counts[1])))
    return _Cohort(terms, months, effect, influence)
