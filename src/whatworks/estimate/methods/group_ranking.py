r"""Group ranking: who gains most, ranked on one half of the persons and measured on the other.

Estimand
--------
At one month since entry, effects in groups of equal size from those predicted to gain least
(``gates_1``) to those predicted to gain most, the last less the first, and the effect over all; over the
population of the design (ATT, ATC, ATE, ATO). Groups are those of a prediction, good or bad: not the
effect of any trait.

Equation
--------
On one half :math:`A` of the persons, :math:`\hat S(x)=\hat m_1(x)-\hat m_0(x)`; on the other, in group
:math:`G_k` of :math:`\hat S`,

.. math:: \hat\gamma_k = \frac{\sum_{G_k} a_i\hat S(x_i)}{\sum_{G_k} a_i}
   + \frac{\sum_{G_k,d_i=1} b_i\hat e_{1i}}{\sum_{G_k,d_i=1} b_i}
   - \frac{\sum_{G_k,d_i=0} b_i\hat e_{0i}}{\sum_{G_k,d_i=0} b_i}

with weights as in `whatworks.stats.augmented`; repeated over splits, medians reported.

Identification
--------------
That of doubly robust effects; randomisation makes it hold by design.

Inference
---------
Medians over splits of points, and of bounds at level 97.5 %, whose level is then at least 95 %; p-values are
twice the median. Standard errors are medians; their correlation is the mean over splits. Bands are joint over
groups. Splits are dealt by person (or market) from ``rng`` over what they hold.

Edge cases
----------
A group without both arms in a split is undefined in it; one undefined in more than half of the splits is NaN.
Equal predictions are told apart at random. Outcomes that do not vary have NaN standard errors.

References
----------
Chernozhukov, Demirer, Duflo & Fernández-Val (2025), doi:10.3982/ECTA19303. Semenova & Chernozhukov (2021),
doi:10.1093/ectj/utaa027, for doubly robust scores.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.columns import Seen, Units, weighted
from whatworks.estimate.nuisance import LOGIT, Splitting, entering, ordered, overlap
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.options import typed
from whatworks.stats.augmented import Tilt
from whatworks.stats.learners import LEAST_SQUARES, check_learner, cross_outcomes, first_places
from whatworks.stats.ranking import (
    best_line,
    cut,
    joint_critical_value,
    mean_correlation,
    measured,
    medians,
    traits_of_ends,
)
from whatworks.stats.uncertainty import Covariance, sums_by_number
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIMARY: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRanking:
    """Effects in groups ranked by predicted effect, honestly.

    Parameters
    ----------
    n_groups : int
    splits : int
        Times the sample is halved.
    outcome : str or regressor
        ``"least_squares"``, a scikit-learn regressor, or one written out,
        ``"sklearn.ensemble.RandomForestRegressor(min_samples_leaf=20)"``.
    propensity : str or classifier, optional
        By default the weights of the design, and ``"logit"`` where it has none.
    month : int
        Since entry; −1 for the question's primary month.
    cluster : str
        ``"person"`` or ``"market"``.

    Raises
    ------
    OptionError
        On fewer than two groups, no split, or an unknown learner.

    Examples
    --------
    >>> GroupRanking(n_groups=5, splits=250).month
    -1
    """

    n_groups: int = 4
    splits: int = 100
    outcome: Any = LEAST_SQUARES
    propensity: Any = None
    month: int = PRIMARY
    cluster: Literal["person", "market"] = "person"

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.COVARIATES})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.cluster, ("person", "market"), what="cluster")
        learner = LOGIT if self.propensity is None else self.propensity
        check_learner(learner, regression=LOGIT, method="predict_proba", what="propensity")
        check_learner(self.outcome, regression=LEAST_SQUARES, method="predict", what="outcome")
        if self.n_groups < 2 or self.splits < 1:
            raise OptionError(
                what="GroupRanking",
                needed="n_groups of 2 or more, splits of 1 or more",
                found=f"n_groups={self.n_groups}, splits={self.splits}",
                remedy="write for instance n_groups=4, splits=100",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Rank and measure, split after split.

        Parameters
        ----------
        design : Design
            With covariates; matched, weighted, randomised, or with overlap.
        rng : Generator, optional
            Deals the halves; seeded by default.

        Returns
        -------
        Estimate
            Term ``att`` and the like over ``all``; term ``gates`` by group; term ``difference``, the last
            group less the first. ``extras["blp"]`` tests heterogeneity (best linear predictor),
            ``extras["clan"]`` compares the covariates of the last and first groups.

        Raises
        ------
        DesignRefused
            When the design has no covariates or no overlap, or the month is not in it.
        """
        require(design, self.needs, method="GroupRanking", cluster=self.cluster)
        rng = np.random.default_rng(0) if rng is None else rng
        column = self._column(design)
        units = Units.of(design, cluster=self.cluster)
        seen = next((s for s in units.seen(design) if column in s.columns), None)
        if seen is None:
            raise DesignRefused(
                what="GroupRanking",
                needed="treated and untreated units whose outcome is seen in that month",
                found="none",
                remedy="choose an earlier month",
            )
        values = seen.values[:, seen.columns == column]
        order = ordered(units, design.outcomes.values)
        found = [
            self._split(design, units, seen, values, order=order, rng=rng)
            for _ in range(self.splits)
        ]
        return self._estimate(design, units, found, month=design.outcomes.months[column])

    def _column(self, design: Design) -> int:
        months = design.outcomes.months
        month = self.month
        if month == PRIMARY:
            month = design.question.primary if design.question.primary in months else months[-1]
        if month not in months:
            raise DesignRefused(
                what="GroupRanking",
                needed="a month since entry of the design",
                found=f"{month}, outside {months[0]} to {months[-1]}",
                remedy="choose one of them, or lengthen the question's months",
            )
        return months.index(month)

    def _split(
        self,
        design: Design,
        units: Units,
        seen: Seen,
        values: Floats,
        *,
        order: Ints,
        rng: np.random.Generator,
    ) -> _Split:
        """Rank by one half, measure on the other."""
        halves = Splitting.of(units, order, folds=2, rng=rng)
        # Fold 1 is predicted from fold 0, and fold 0 from nobody.
        one_way = Splitting(fold=np.where(halves.fold == 1, 1, -1), order=order, seed=halves.seed)
        tilt = self._tilt(design, units, one_way)
        fitted = [
            cross_outcomes(
                self.outcome,
                values,
                units.covariates,
                group=units.group,
                weight=units.sampling * seen.factor * arm,
                fold=one_way.fold,
                order=order,
                seed=one_way.seed,
            )[:, 0]
            for arm in (~units.treated, units.treated)
        ]
        inside = (one_way.fold == 1) & (seen.factor > 0)
        inside &= np.isfinite(fitted[0]) & np.isfinite(fitted[1])
        tie = rng.permutation(units.n_clusters)[
            np.argsort(np.argsort(first_places(units.cluster, order)))
        ]
        return _Split.of(
            tilt.times(np.where(inside, seen.factor, 0.0)),
            gap=np.where(inside, fitted[1] - fitted[0], 0.0),
            residual=np.where(
                inside, values[:, 0] - np.where(units.treated, fitted[1], fitted[0]), 0.0
            ),
            units=units,
            tie=tie[units.cluster],
            n_groups=self.n_groups,
        )

    def _tilt(self, design: Design, units: Units, splitting: Splitting) -> Tilt:
        estimand = design.question.estimand
        if not weighted(design):
            learner = LOGIT if self.propensity is None else self.propensity
            chance = entering(units, learner, splitting).probability
            # Those who rank have no probability of their own: half of the units at least.
            return overlap(units, chance, estimand=estimand, trim=0.0).tilt
        if self.propensity is not None:
            raise DesignRefused(
                what="GroupRanking",
                needed="weights from one place",
                found="a design with weights, and a propensity asked for as well",
                remedy="leave propensity out, or begin from the design without weights",
            )
        nil = np.zeros(units.treated.size)
        return Tilt(
            target=units.target(estimand),
            balance=units.weight,
            target_slope=nil,
            balance_slope=nil,
        )

    def _estimate(
        self, design: Design, units: Units, found: list[_Split], *, month: int
    ) -> Estimate:
        points = np.array([s.points for s in found])
        covariances = np.array([s.covariance for s in found])
        errors = np.sqrt(np.einsum("sii->si", covariances))
        read = medians(points, errors)
        correlation = mean_correlation(covariances)
        matrix = correlation * np.outer(read.std_error, read.std_error)
        counts = np.median([s.counts for s in found], axis=0).astype(int)
        names = [f"gates_{k + 1}" for k in range(self.n_groups)]
        labels = [
            (design.question.estimand.lower(), "all"),
            *(("gates", name) for name in names),
            ("difference", f"{names[-1]} - {names[0]}"),
        ]
        terms = [
            {
                "term": term,
                "cohort": -1,
                "month": month,
                "group": group,
                "n_treated": int(t),
                "n_comparison": int(c),
            }
            for (term, group), (t, c) in zip(labels, counts, strict=True)
        ]
        gates = slice(1, self.n_groups + 1)
        bands = [read.low.copy(), read.high.copy()]
        joint = medians(
            points[:, gates],
            errors[:, gates],
            critical=joint_critical_value(correlation[gates, gates]),
        )
        bands[0][gates], bands[1][gates] = joint.low, joint.high
        effects = effects_table(terms, read.estimate, matrix, unit=design.outcomes.unit).assign(
            conf_low=read.low,
            conf_high=read.high,
            band_low=bands[0],
            band_high=bands[1],
            p_value=read.p_value,
        )
        return Estimate(
            method="GroupRanking",
            options=asdict(self),
            effects=effects,
            uncertainty=Covariance(matrix=matrix),
            ledger=units.ledger(
                design, {"no_comparison": ~units.supported(np.ones(units.treated.size, dtype=bool))}
            ),
            extras={"blp": _blp(found), "clan": _clan(found, design.covariates)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Split:
    """What one split measured: overall, groups, last less first; heterogeneity; traits."""

    points: Floats
    covariance: Floats
    counts: Ints
    slope: tuple[float, float]
    traits: Floats
    trait_errors: Floats

    @classmethod
    def of(
        cls,
        tilt: Tilt,
        *,
        gap: Floats,
        residual: Floats,
        units: Units,
        tie: Ints,
        n_groups: int,
    ) -> _Split:
        inside = (tilt.target > 0) | (tilt.balance > 0)
        group = np.full(gap.size, -1)
        group[inside] = cut(gap[inside], tie[inside], mass=tilt.target[inside], n_groups=n_groups)
        points, columns, counts = [], [], []
        for member in (inside, *(group == k for k in range(n_groups))):
            found, moved = measured(tilt, member, gap, residual, units.treated)
            points.append(found)
            columns.append(moved)
            counts.append(
                [int((member & units.treated).sum()), int((member & ~units.treated).sum())]
            )
        points.append(points[-1] - points[1])
        columns.append(columns[-1] - columns[1])
        counts.append([counts[1][0] + counts[-1][0], counts[1][1] + counts[-1][1]])
        slope, along = best_line(tilt, inside, gap, residual, units.treated)
        sums = sums_by_number(
            np.column_stack([*columns, along]), units.cluster, n_clusters=units.n_clusters
        )
        g = int(np.unique(units.cluster[inside]).size)
        factor = g / (g - 1) if g > 1 else float("nan")
        covariance = factor * (sums.T @ sums)
        traits, errors = traits_of_ends(units.covariates, group, tilt.target, last=n_groups - 1)
        return cls(
            points=np.array(points),
            covariance=covariance[:-1, :-1],
            counts=np.array(counts),
            slope=(slope, float(np.sqrt(covariance[-1, -1]))),
            traits=traits,
            trait_errors=errors,
        )


def _blp(found: list[_Split]) -> pd.DataFrame:
    """Slope of effects in their prediction, medians over splits: one row."""
    read = medians(np.array([[s.slope[0]] for s in found]), np.array([[s.slope[1]] for s in found]))
    return pd.DataFrame(
        {
            "term": ["heterogeneity"],
            "estimate": read.estimate,
            "std_error": read.std_error,
            "conf_low": read.low,
            "conf_high": read.high,
            "p_value": read.p_value,
        }
    )


def _clan(found: list[_Split], names: tuple[str, ...]) -> pd.DataFrame:
    """Covariates of the groups predicted to gain most and least, medians over splits."""
    means = np.median([s.traits for s in found], axis=0)
    read = medians(
        np.array([s.traits[2] for s in found]), np.array([s.trait_errors for s in found])
    )
    return pd.DataFrame(
        {
            "covariate": list(names),
            "mean_most": means[0],
            "mean_least": means[1],
            "difference": read.estimate,
            "conf_low": read.low,
            "conf_high": read.high,
            "p_value": read.p_value,
        }
    )
