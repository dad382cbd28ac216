r"""Doubly robust effects: outcome regressions, corrected by weighted residuals.

Estimand
--------
Average effect by month since entry over the treated (ATT), the untreated (ATC), everyone sampled (ATE),
or the overlap population (ATO), in which a unit weighs as much as it could have been in either arm.

Equation
--------
.. math:: \hat\theta = \frac{\sum a_i[\hat m_1(x_i)-\hat m_0(x_i)]}{\sum a_i}
   + \frac{\sum_{d_i=1} b_i\{y_i-\hat m_1(x_i)\}}{\sum_{d_i=1} b_i}
   - \frac{\sum_{d_i=0} b_i\{y_i-\hat m_0(x_i)\}}{\sum_{d_i=0} b_i}

with :math:`a=d,\ b=d+(1-d)\hat e/(1-\hat e)` for the ATT; see `whatworks.stats.augmented` for the
others. On a matched or weighted design :math:`b` are its weights; elsewhere :math:`\hat e` is fitted, with
an intercept per month of entry.

Identification
--------------
Given covariates and month of entry, who enters is unrelated to what would have become of them otherwise;
either the outcome regressions or the propensity (or weights) are right; overlap; what some are given takes
nothing from the others.

Inference
---------
With ``folds=1``, a logistic and least-squares regressions, whose own estimation is counted: standard errors
stay right when only one of the two models is. With more, every unit is predicted by models fitted on
clusters of other folds (Chernozhukov et al. 2018), and the efficient score alone remains. Influence
is summed by person or market, with the factor G/(G−1). Folds are dealt from ``rng`` over clusters in the
order of what they hold: neither row order nor labels change a number.

Edge cases
----------
``trim`` leaves out, and counts, units for whom what their weight divides by is below it: the estimand becomes
that of the rest. A unit without outcome in a month, or censored by then, is left out of that month. A
month of entry without both arms (in every fold) is left out and counted. An arm of a single cluster, or, with
``folds=1``, of no more units than coefficients, leaves standard errors NaN. Outcomes that do not vary have
NaN standard errors, intervals and p-values.

References
----------
Robins, Rotnitzky & Zhao (1994), doi:10.1080/01621459.1994.10476818. Chernozhukov et al. (2018),
doi:10.1111/ectj.12097. Li, Morgan & Zaslavsky (2018), doi:10.1080/01621459.2016.1260466. Crump et al.
(2009), doi:10.1093/biomet/asn055, for trimming.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.comparison import as_names
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.columns import Curve, Seen, Units, moves_with_weights, weighted
from whatworks.estimate.groups import by_group
from whatworks.estimate.nuisance import (
    LOGIT,
    Entering,
    Overlap,
    Splitting,
    entering,
    ordered,
    overlap,
)
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.options import typed
from whatworks.stats.adjustment import regress
from whatworks.stats.augmented import Augmented, Tilt, augmented
from whatworks.stats.learners import check_learner, cross_outcomes, is_regression
from whatworks.vocabulary import Estimand, Supply

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoublyRobust:
    """Augmented weighting by month since entry, with any learners.

    Parameters
    ----------
    propensity : str or classifier, optional
        ``"logit"``, a scikit-learn classifier, or one written out,
        ``"sklearn.ensemble.RandomForestClassifier(min_samples_leaf=20)"``. By default the weights of the
        design, and ``"logit"`` where it has none.
    outcome : str or regressor
        ``"least_squares"``, a scikit-learn regressor, or one written out.
    folds : int
        1 fits and predicts on the same units; learners other than the two regressions need 2 or more.
    trim : float
        Least probability that a weight may divide by.
    cluster : str
        ``"person"`` or ``"market"``.
    by : tuple of str
        Covariates by whose values effects are told apart, declared beforehand.

    Raises
    ------
    OptionError
        On an unknown learner, a bound outside 0 to ½, or a learner that would predict what it was
        fitted on.

    Examples
    --------
    >>> DoublyRobust(outcome="sklearn.linear_model.Ridge(alpha=1.0)", folds=5).trim
    0.0
    """

    propensity: Any = None
    outcome: Any = "least_squares"
    folds: int = 1
    trim: float = 0.0
    cluster: Literal["person", "market"] = "person"
    by: tuple[str, ...] = ()

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.COVARIATES})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.cluster, ("person", "market"), what="cluster")
        object.__setattr__(self, "by", as_names(self.by, what="by"))
        learner = LOGIT if self.propensity is None else self.propensity
        check_learner(learner, regression=LOGIT, method="predict_proba", what="propensity")
        check_learner(self.outcome, regression="least_squares", method="predict", what="outcome")
        if self.folds < 1 or not 0 <= self.trim < 0.5:
            raise OptionError(
                what="DoublyRobust",
                needed="folds of 1 or more, trim from 0 to below 0.5",
                found=f"folds={self.folds}, trim={self.trim}",
                remedy="write for instance folds=5, trim=0.01",
            )
        if self.folds == 1 and not (is_regression(learner) and is_regression(self.outcome)):
            raise OptionError(
                what="folds",
                needed="2 or more with a learner of one's own, lest it predict what it was fitted on",
                found="1",
                remedy="write for instance folds=5",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects at every month of the design.

        Parameters
        ----------
        design : Design
            With covariates; matched, weighted, or neither.
        rng : Generator, optional
            Deals the folds; seeded by default.

        Returns
        -------
        Estimate
            One row per month, term ``att``, ``atc``, ``ate`` or ``ato``; then by group.

        Raises
        ------
        DesignRefused
            When the design has no covariates or no overlap, or has weights and a propensity was
            asked for as well.
        """
        require(design, self.needs, method="DoublyRobust", cluster=self.cluster)
        rng = np.random.default_rng(0) if rng is None else rng
        if self.by:
            alone = replace(self, by=())
            return by_group(lambda d: alone.fit(d, rng=rng), design, self.by, method=self)
        units = Units.of(design, cluster=self.cluster)
        splitting = (
            Splitting.of(units, ordered(units, design.outcomes.values), folds=self.folds, rng=rng)
            if self.folds > 1
            else None
        )
        work = _Work.of(self, design, units, splitting)
        curve = Curve.blank(units.n_clusters, len(design.outcomes.months))
        for seen in units.seen(design, work.kept):
            work.fill(curve, seen, self.outcome)
        effects, uncertainty = curve.read(design, cluster=self.cluster)
        return Estimate(
            method="DoublyRobust",
            options=asdict(self),
            effects=effects,
            uncertainty=uncertainty,
            ledger=units.ledger(design, work.lost),
            extras={"trimmed": int(work.lost["outside_overlap"].sum())},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is fitted once for all months of outcome."""

    design: Design
    units: Units
    tilt: Tilt
    entering: Entering | None
    splitting: Splitting | None
    lost: dict[str, Bools]

    @classmethod
    def of(
        cls, asked: DoublyRobust, design: Design, units: Units, splitting: Splitting | None
    ) -> _Work:
        estimand = design.question.estimand
        if not weighted(design):
            learner = LOGIT if asked.propensity is None else asked.propensity
            chance = entering(units, learner, splitting)
            among = overlap(units, chance.probability, estimand=estimand, trim=asked.trim)
            return cls(
                design=design,
                units=units,
                tilt=among.tilt,
                entering=chance,
                splitting=splitting,
                lost=_lost(among),
            )
        if asked.propensity is not None or asked.trim:
            raise DesignRefused(
                what="DoublyRobust",
                needed="weights from one place",
                found="a design with weights, and a propensity or a bound asked for as well",
                remedy="leave propensity and trim out, or begin from the design without weights",
            )
        nil = np.zeros(units.treated.size)
        target = units.target(estimand)
        moving = Tilt(
            target=target,
            balance=units.weight,
            target_slope=nil if estimand == Estimand.ATE else (target > 0).astype(float),
            balance_slope=np.ones_like(nil),
        )
        apart = ~units.supported(nil == 0)
        return cls(
            design=design,
            units=units,
            tilt=moving,
            entering=None,
            splitting=splitting,
            lost={"outside_overlap": nil > 0, "no_comparison": apart},
        )

    @property
    def kept(self) -> Bools:
        """Units that take part."""
        return ~(self.lost["outside_overlap"] | self.lost["no_comparison"])

    def fill(self, curve: Curve, seen: Seen, learner: Any) -> None:
        """Effects and influence of the months of one pattern."""
        units = self.units
        if self.splitting is None:
            weight = units.sampling * seen.factor
            arms = [
                regress(seen.values, units.covariates, group=units.group, weight=weight * arm)
                for arm in (~units.treated, units.treated)
            ]
            fitted = [a.predict(units.covariates, units.group) for a in arms]
        else:
            fitted = [
                cross_outcomes(
                    learner,
                    seen.values,
                    units.covariates,
                    group=units.group,
                    weight=units.sampling * seen.factor * arm,
                    fold=self.splitting.fold,
                    order=self.splitting.order,
                    seed=self.splitting.seed,
                )
                for arm in (~units.treated, units.treated)
            ]
            known = np.isfinite(fitted[0]).all(axis=1) & np.isfinite(fitted[1]).all(axis=1)
            seen = replace(seen, factor=seen.factor * known)
        inside = (seen.factor > 0)[:, None]
        fitted = [np.where(inside, m, 0.0) for m in fitted]
        own = np.where(units.treated[:, None], fitted[1], fitted[0])
        residual = np.where(inside, seen.values - own, 0.0)
        tilt = self.tilt.times(seen.factor)
        found = augmented(
            fitted[1] - fitted[0],
            residual,
            units.treated,
            target=tilt.target,
            balance=tilt.balance,
        )
        influence = found.influence + self._weights_estimated(found, tilt, seen.factor)
        if self.splitting is None:
            for arm, fit, sign in (
                (~units.treated, arms[0], -1.0),
                (units.treated, arms[1], 1.0),
            ):
                mine = tilt.balance * arm
                toward = tilt.target / tilt.target.sum() - mine / mine.sum()
                leverage = fit.leverage(units.covariates, units.group, target=toward)
                influence += sign * leverage[:, None] * fit.residual
                if np.count_nonzero(fit.weight) <= fit.rank:  # every unit fitted: nothing varies
                    influence[:] = np.nan
        curve.fill(seen, units, effect=found.effect, influence=influence)

    def _weights_estimated(self, found: Augmented, tilt: Tilt, factor: Floats) -> Floats:
        """Influence of the estimation of the propensity, or of the design's weights."""
        if self.entering is not None and self.entering.equation is None:
            return np.zeros_like(found.influence)
        moved = (
            tilt.target_slope[:, None] * found.by_target
            + tilt.balance_slope[:, None] * found.by_balance
        )
        if self.entering is not None and self.entering.equation is not None:
            return self.entering.equation.correction(moved)
        return moves_with_weights(self.design.fitted, by_weight=moved, factor=np.ones_like(factor))


def _lost(among: Overlap) -> dict[str, Bools]:
    return {"outside_overlap": among.trimmed, "no_comparison": among.unfitted}
