"""What a doubly robust method fits on the way: who enters, and what would have become of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whatworks.errors import DesignRefused
from whatworks.estimate.columns import Units
from whatworks.stats.augmented import Tilt, tilt
from whatworks.stats.fitted import FittedScore
from whatworks.stats.learners import LOGIT, content_order, cross_probability, deal
from whatworks.stats.logit import LogitLink, fit_logit
from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entering:
    """Probability of entering, and the equation behind it.

    Parameters
    ----------
    probability : ndarray of shape (n,)
        NaN where none could be fitted.
    equation : FittedScore or None
        Slope one; None when each unit was predicted by others.
    """

    probability: Floats
    equation: FittedScore | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitting:
    """Folds of units by cluster, and the order in which rows reach a learner.

    Parameters
    ----------
    fold : ndarray of int, shape (n,)
    order : ndarray of int, shape (n,)
    seed : int
    """

    fold: Ints
    order: Ints
    seed: int

    @classmethod
    def of(cls, units: Units, order: Ints, *, folds: int, rng: np.random.Generator) -> Splitting:
        """Deal the clusters of units into folds; what units hold decides, never their labels."""
        fold = deal(units.cluster, units.treated, order, folds=folds, rng=rng)
        return cls(fold=fold, order=order, seed=int(rng.integers(2**31)))


def ordered(units: Units, outcomes: Floats) -> Ints:
    """Order of units by what they hold."""
    values = np.nan_to_num(outcomes, nan=np.inf)
    return content_order([units.treated, units.group, *units.covariates.T, *values.T])


def entering(units: Units, learner: Any, splitting: Splitting | None) -> Entering:
    """Fit the probability of entering on units at their sampling weights.

    Raises
    ------
    DesignRefused
        When covariates tell treated from untreated without error.
    """
    if splitting is not None:
        chance = cross_probability(
            learner,
            units.covariates,
            units.treated,
            group=units.group,
            weight=units.sampling,
            fold=splitting.fold,
            order=splitting.order,
            seed=splitting.seed,
        )
        return Entering(probability=chance, equation=None)
    rows = np.flatnonzero(units.supported(np.ones(units.treated.size, dtype=bool)))
    chance = np.full(units.treated.size, np.nan)
    if not rows.size:
        return Entering(probability=chance, equation=None)
    group = np.unique(units.group[rows], return_inverse=True)[1].astype(np.int64)
    x, d, w = units.covariates[rows], units.treated[rows], units.sampling[rows]
    fit = fit_logit(x, d, group=group, weight=w)
    if fit.separated or not fit.converged:
        raise DesignRefused(
            what="the propensity of treatment",
            needed="treated and untreated units that covariates cannot tell apart without error",
            found="a treated unit whose probability is 1, or a regression without a maximum",
            remedy="leave out the covariate that defines the treatment, or merge its rare levels",
        )
    chance[rows] = expit(fit.linear)
    _, score, curvature = LogitLink().terms(fit.linear, d.astype(float))
    n = units.treated.size
    equation = FittedScore(
        basis=_among((x - fit.centre) / fit.spread, rows, n),
        group=_among(group, rows, n),
        score=_among(w * score, rows, n),
        curvature=_among(w * curvature, rows, n),
        slope=np.ones(n),
    )
    return Entering(probability=chance, equation=equation)


def _among(values: NDArray[Any], rows: Ints, n: int) -> NDArray[Any]:
    found = np.zeros((n, *values.shape[1:]), dtype=values.dtype)
    found[rows] = values
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Weights of the population and of its arms, among those with overlap.

    Parameters
    ----------
    tilt : Tilt
        Sampling weights included; slopes in the log-odds. Zero for those left out.
    trimmed : ndarray of bool, shape (n,)
        Left out because the probability that their weight divides by is below the bound.
    unfitted : ndarray of bool, shape (n,)
        Left out because no probability could be fitted.
    """

    tilt: Tilt
    trimmed: Bools
    unfitted: Bools


def overlap(units: Units, chance: Floats, *, estimand: str, trim: float) -> Overlap:
    """Weights of a population, units beyond the bound left out.

    What is bounded is what weights divide by: 1−e for the ATT, e for the ATC, both for the ATE, neither
    for the ATO.

    Raises
    ------
    DesignRefused
        When a weight divides by zero and no bound was set, or nobody of an arm is left.
    """
    unfitted = np.isnan(chance)
    e = np.where(unfitted, 0.5, chance)
    divides = {
        Estimand.ATT: 1 - e,
        Estimand.ATC: e,
        Estimand.ATE: np.minimum(e, 1 - e),
        Estimand.ATO: np.ones_like(e),
    }[Estimand(estimand)]
    trimmed = ~unfitted & (divides < trim)
    zero = ~unfitted & ~trimmed & (divides <= 0)
    if zero.any():
        raise DesignRefused(
            what="weights by the propensity",
            needed="probabilities strictly between 0 and 1, or a bound",
            found=f"{int(zero.sum())} units with a probability of 0 or 1",
            remedy="set the bound, for instance trim=0.01, and describe who is left out",
        )
    kept = ~unfitted & ~trimmed
    if not (kept & units.treated).any() or not (kept & ~units.treated).any():
        raise DesignRefused(
            what="weights by the propensity",
            needed="treated and untreated units with overlap",
            found=f"{int((kept & units.treated).sum())} treated and "
            f"{int((kept & ~units.treated).sum())} untreated",
            remedy="lower the bound trim, or widen eligibility and the window of entries",
        )
    inside = np.where(kept, e, 0.5)
    found = tilt(estimand, units.treated, inside).times(np.where(kept, units.sampling, 0.0))
    by_log_odds = inside * (1 - inside)
    return Overlap(
        tilt=replace(
            found,
            target_slope=found.target_slope * by_log_odds,
            balance_slope=found.balance_slope * by_log_odds,
        ),
        trimmed=trimmed,
        unfitted=unfitted,
    )


__all__ = ["LOGIT", "Entering", "Overlap", "Splitting", "entering", "ordered", "overlap"]
