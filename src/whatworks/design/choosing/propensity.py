"""The propensity of treatment, fitted once for every comparison that rests on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.options import from_table, typed
from whatworks.stats.binary import Link
from whatworks.stats.fitted import FittedScore, UnscaledScore
from whatworks.stats.learners import check_learner, content_order, cross_probability, deal_alike
from whatworks.stats.logit import CERTAIN, Logit, LogitLink, fit_logit
from whatworks.stats.probit import Probit, ProbitLink, fit_probit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)
Discard = Literal["none", "treated", "untreated", "both"]

REGRESSIONS: Final[Mapping[str, Callable[..., Logit | Probit]]] = MappingProxyType(
    {"logit": fit_logit, "probit": fit_probit}
)
LINKS: Final[Mapping[str, Link]] = MappingProxyType({"logit": LogitLink(), "probit": ProbitLink()})


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPropensity:
    r"""Probabilities of treatment, and the equation they solve.

    Parameters
    ----------
    probability : ndarray of shape (n,)
        NaN where none was fitted: in months that lack an arm, and outside the support when the
        model was fitted again within it.
    linear : ndarray of shape (n,)
        The linear predictor of a logit or probit; log-odds for a classifier, cut at ±20.
    certain : ndarray of bool, shape (n,)
        Probability of 0 or 1 for every purpose.
    supported : ndarray of bool, shape (n,)
        False for those set apart as outside the common support.
    equation : UnscaledScore or None
        Estimating equation, rows as the candidates, slope zero; None for a classifier.
    """

    probability: Floats
    linear: Floats
    certain: Bools
    supported: Bools
    equation: UnscaledScore | None

    @property
    def fitted(self) -> FittedScore | None:
        """The equation of all candidates, its regressors on one scale."""
        return None if self.equation is None else self.equation.whole()

    def with_slope(self, slope: Floats) -> tuple[FittedScore, ...]:
        r"""The equation behind weights that move with it; empty for a classifier.

        Parameters
        ----------
        slope : ndarray of shape (n,)
            :math:`\partial w_i/\partial\eta_i`, in the linear predictor.
        """
        fitted = self.fitted
        return () if fitted is None else (replace(fitted, slope=slope),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Propensity:
    """How the probability of treatment is modelled, and whom the comparison is confined to.

    Parameters
    ----------
    model : str or classifier
        ``"logit"`` or ``"probit"``, with an intercept per month and converged to machine precision;
        or a scikit-learn classifier, as an object or by its full name and options
        (``"sklearn.ensemble.RandomForestClassifier(min_samples_leaf=20)"``).
    folds : int
        1 fits and predicts on the same units; more predicts each unit by a model fitted on the
        other folds. Units alike in every covariate share a fold, whatever the order of rows.
    discard : str
        Arm confined to the common support: ``"none"``, ``"treated"`` (those beyond the range of
        the untreated), ``"untreated"`` (beyond that of the treated), or ``"both"``.
    reestimate : bool
        Fit again among those kept.
    seed : int
        Of the folds, and of classifiers that draw.

    Raises
    ------
    OptionError
        On an unknown model, discard, or fewer than one fold.

    References
    ----------
    Rosenbaum & Rubin (1983), doi:10.1093/biomet/70.1.41; Chernozhukov et al. (2018),
    doi:10.1111/ectj.12097 for cross-fitting.

    Examples
    --------
    >>> Propensity(model="probit", discard="both").folds
    1
    """

    model: Any = "logit"
    folds: int = 1
    discard: Discard = "none"
    reestimate: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        typed(self)
        choice(self.discard, ("none", "treated", "untreated", "both"), what="discard")
        if self.folds < 1:
            raise OptionError(
                what="folds",
                needed="1, or more to predict each unit by the others",
                found=str(self.folds),
                remedy="write for instance folds=5",
            )
        if isinstance(self.model, str) and "." not in self.model:
            choice(self.model, REGRESSIONS, what="propensity model")
        else:
            check_learner(
                self.model, regression="logit", method="predict_proba", what="propensity model"
            )

    def fit(self, candidates: Candidates) -> FittedPropensity:
        """Fit on candidates.

        Raises
        ------
        DesignRefused
            When a covariate separates treated from untreated, the climb does not end, or folds
            are more than there are different units.
        """
        found = self._fit(candidates, np.ones(candidates.treated.size, dtype=bool))
        if self.discard == "none":
            return found
        kept = self._kept(candidates.treated, found.linear)
        if self.reestimate:
            found = self._fit(candidates, kept)
        return replace(found, supported=kept)

    def _kept(self, treated: Bools, linear: Floats) -> Bools:
        """Those within the range of the other arm."""
        kept = np.ones(treated.size, dtype=bool)
        for name, arm in (("treated", treated), ("untreated", ~treated)):
            other = linear[~arm & ~np.isnan(linear)]
            if self.discard in {name, "both"} and other.size:
                kept &= (
                    ~arm | np.isnan(linear) | ((linear >= other.min()) & (linear <= other.max()))
                )
        return kept

    def _fit(self, candidates: Candidates, among: Bools) -> FittedPropensity:
        rows = among & _months_with_both(candidates.cell, candidates.treated & among, among)
        linear = np.full(rows.size, np.nan)
        equation = None
        if rows.any() and isinstance(self.model, str) and self.model in REGRESSIONS:
            linear, equation = self._regression(candidates, rows)
        elif rows.any():
            with np.errstate(divide="ignore"):
                linear[rows] = np.clip(logit(self._learned(candidates, rows)), -CERTAIN, CERTAIN)
        probit = self.model == "probit" if isinstance(self.model, str) else False
        probability = ndtr(linear) if probit else expit(linear)
        certain = np.abs(logit(probability) if probit else linear) >= CERTAIN
        return FittedPropensity(
            probability=probability,
            linear=linear,
            certain=certain | np.isnan(linear),
            supported=np.ones(rows.size, dtype=bool),
            equation=equation,
        )

    def _regression(
        self, candidates: Candidates, rows: Bools
    ) -> tuple[Floats, UnscaledScore | None]:
        """Linear predictor, and the equation where one model serves all units."""
        linear = np.full(rows.size, np.nan)
        if self.folds > 1:
            part = np.full(rows.size, -1, dtype=np.int64)
            part[rows] = self._dealt(candidates, rows)
            for fold in range(self.folds):
                out = part == fold
                linear[out] = self._outside(candidates, rows & ~out, out)
            return linear, None
        treated, weight = _among(candidates.treated, rows), _among(candidates.weight, rows)
        group = _numbered(_among(candidates.cell, rows))
        found = REGRESSIONS[self.model](
            _among(candidates.covariates, rows), treated, group=group, weight=weight
        )
        _refuse(found)
        linear[rows] = found.linear
        _, score, curvature = LINKS[self.model].terms(found.linear, treated.astype(float))
        equation = FittedScore(
            basis=candidates.covariates,
            group=_spread(group, rows),
            score=_spread(weight * score, rows),
            curvature=_spread(weight * curvature, rows),
            slope=np.zeros(rows.size),
            whole=found.information,
        )
        return linear, UnscaledScore(
            equation=equation, centre=found.centre, spread=found.spread, among=rows
        )

    def _learned(self, candidates: Candidates, rows: Bools) -> Floats:
        """Probability of each of ``rows``, by a classifier of others."""
        covariates, group = candidates.covariates[rows], _numbered(candidates.cell[rows])
        treated, weight = candidates.treated[rows], candidates.weight[rows]
        return cross_probability(
            self.model,
            covariates,
            treated,
            group=group,
            weight=weight,
            fold=self._dealt(candidates, rows) if self.folds > 1 else None,
            order=content_order([group, *covariates.T, treated, weight]),
            seed=self.seed,
        )

    def _dealt(self, candidates: Candidates, rows: Bools) -> Ints:
        """Fold of each of ``rows``; units alike in every covariate share one."""
        columns = [candidates.cell[rows], *candidates.covariates[rows].T]
        return deal_alike(columns, folds=self.folds, seed=self.seed)

    def _outside(self, candidates: Candidates, rows: Bools, out: Bools) -> Floats:
        """Linear predictor of some units by a model fitted on others; NaN in months these lack."""
        rows = rows & _months_with_both(candidates.cell, candidates.treated & rows, rows)
        if not rows.any():
            return np.full(int(out.sum()), np.nan)
        months = np.unique(candidates.cell[rows])
        found = REGRESSIONS[self.model](
            candidates.covariates[rows],
            candidates.treated[rows],
            group=np.searchsorted(months, candidates.cell[rows]),
            weight=candidates.weight[rows],
        )
        _refuse(found)
        place = np.minimum(np.searchsorted(months, candidates.cell[out]), months.size - 1)
        linear = found.intercepts[place] + candidates.covariates[out] @ found.slopes
        return np.where(months[place] == candidates.cell[out], linear, np.nan)


def as_propensity(model: Any) -> Propensity:
    """Options of a propensity from what a study file or a caller wrote: a name, a table, or itself."""
    if isinstance(model, Propensity):
        return model
    return from_table(Propensity, model) if isinstance(model, Mapping) else Propensity(model=model)


def _months_with_both(cell: Ints, treated: Bools, among: Bools) -> Bools:
    """Rows of months in which some of ``among`` are treated and some are not."""
    low = int(cell.min(initial=0))
    if int(cell.max(initial=0)) - low > cell.size:
        cell = _numbered(cell)
        low = 0
    month = cell - low
    n_months = int(month.max(initial=0)) + 1
    both = np.bincount(month[treated], minlength=n_months) > 0
    both &= np.bincount(month[among & ~treated], minlength=n_months) > 0
    return np.asarray(both[month])


def _numbered(cell: Ints) -> Ints:
    if cell.size and cell.min() == cell.max():
        return np.zeros(cell.size, dtype=np.int64)
    return np.unique(cell, return_inverse=True)[1].astype(np.int64)


def _among(values: NDArray[Scalar], rows: Bools) -> NDArray[Scalar]:
    """Values of some rows; the array itself, not a copy, where they are all of them."""
    return values if rows.all() else values[rows]


def _spread(values: NDArray[Scalar], rows: Bools) -> NDArray[Scalar]:
    """Values of some rows among all, 0 elsewhere."""
    if rows.all():
        return values
    found = np.zeros((rows.size, *values.shape[1:]), dtype=values.dtype)
    found[rows] = values
    return found


def _refuse(found: Logit | Probit) -> None:
    if found.separated:
        raise DesignRefused(
            what="the propensity of treatment",
            needed="treated and untreated units that covariates cannot tell apart without error",
            found="a treated unit whose probability is 1, which covariates predict perfectly",
            remedy="leave out the covariate that defines the treatment, or merge its rare levels",
        )
    if not found.converged:
        raise DesignRefused(
            what="the propensity of treatment",
            needed="a regression that reaches its maximum",
            found="one that did not, most often because a covariate's values are of very unequal size",
            remedy="rescale or leave out that covariate",
        )
