"""Nearest neighbours: each treated unit against the untreated most alike that month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whatworks.design.comparison import (
    Chosen,
    Matches,
    arms_sought,
    as_names,
    by_arm,
    cells,
    from_matches,
    on_line,
)
from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.stats.logit import CERTAIN, fit_logit
from whatworks.stats.neighbours import nearest_in_space, whiten

Floats = NDArray[np.float64]
Metric = Literal["linear_propensity", "propensity", "mahalanobis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestNeighbours:
    """Nearest comparisons of the same calendar month, with replacement, every tie kept.

    Parameters
    ----------
    ratio : int
        Comparisons per treated unit; more when several are equally near.
    metric : str
        ``"linear_propensity"``: log-odds of entering that month, by logistic regression on the
        covariates with an intercept per month, converged to machine precision;
        ``"propensity"``: the probability itself; ``"mahalanobis"``: distance under the covariance
        of all candidates.
    caliper_sd : float, optional
        Greatest distance, in standard deviations of the score over the candidates whose
        probability is neither 0 nor 1 (for Mahalanobis, the distance itself). Treated units with
        nobody within reach are left out and counted.
    exact : tuple of str
        Covariates on which treated and comparison must agree.

    Raises
    ------
    OptionError
        On a ratio below 1, a caliper not above 0 or an unknown metric.
    DesignRefused
        From ``choose``: when a covariate separates treated from untreated, or nobody is left.

    References
    ----------
    Rosenbaum & Rubin (1983), doi:10.1093/biomet/70.1.41; Austin (2011), doi:10.1002/pst.433 for calipers
    of 0.2 standard deviations of the log-odds.

    Examples
    --------
    >>> NearestNeighbours(ratio=3, caliper_sd=0.2).metric
    'linear_propensity'
    """

    ratio: int = 1
    metric: Metric = "linear_propensity"
    caliper_sd: float | None = None
    exact: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "exact", as_names(self.exact, what="exact"))
        choice(self.metric, ("linear_propensity", "propensity", "mahalanobis"), what="metric")
        if self.ratio < 1 or (self.caliper_sd is not None and not self.caliper_sd > 0):
            raise OptionError(
                what="NearestNeighbours",
                needed="ratio of 1 or more and caliper_sd above 0",
                found=f"ratio={self.ratio}, caliper_sd={self.caliper_sd}",
                remedy="write for instance ratio=3, caliper_sd=0.2",
            )

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        cell = cells(candidates, self.exact, what="exact")
        propensity = None
        if self.metric == "mahalanobis":
            matches = self._in_space(candidates, cell)
        else:
            linear = _log_odds(candidates)
            possible = np.abs(linear) < CERTAIN
            propensity = expit(linear)
            score = propensity if self.metric == "propensity" else linear
            spread = float(score[possible].std(ddof=1)) if possible.sum() > 1 else np.nan
            reach = np.inf if self.caliper_sd is None else self.caliper_sd * spread
            matches = on_line(score, cell, candidates, ratio=self.ratio, caliper=reach)
        if not matches.unit.size:
            raise DesignRefused(
                what="nearest neighbours",
                needed="at least one treated unit with a comparison",
                found=f"{int(candidates.sought.sum())} units, none with a comparison within reach",
                remedy="widen the caliper or match exactly on fewer covariates",
            )
        reason = "no_comparison" if self.caliper_sd is None else "no_match_in_caliper"
        return from_matches(candidates, matches, reason=reason, propensity=propensity)

    def _in_space(self, candidates: Candidates, cell: NDArray[np.int64]) -> Matches:
        points = whiten(candidates.covariates, weight=candidates.weight)
        if not points.shape[1]:
            raise DesignRefused(
                what="the Mahalanobis distance",
                needed="a covariate that varies",
                found="none",
                remedy="name covariates in the question, or use exact comparisons",
            )
        found = {}
        for arm in arms_sought(candidates):
            mine, theirs = candidates.treated == arm, candidates.treated != arm
            found[arm] = nearest_in_space(
                points[mine],
                points[theirs],
                cell_treated=cell[mine],
                cell_comparison=cell[theirs],
                ratio=self.ratio,
                caliper=np.inf if self.caliper_sd is None else self.caliper_sd,
            )
        return by_arm(candidates, found)


def _log_odds(candidates: Candidates) -> Floats:
    """Log-odds of treatment, a month's intercept included; NaN in months that lack an arm."""
    names, month = np.unique(candidates.cell, return_inverse=True)
    with_treated, with_others = (
        np.bincount(month[arm], minlength=names.size) > 0
        for arm in (candidates.treated, ~candidates.treated)
    )
    rows = (with_treated & with_others)[month]
    linear = np.full(rows.size, np.nan)
    if not rows.any():
        return linear
    fitted = fit_logit(
        candidates.covariates[rows],
        candidates.treated[rows],
        group=np.unique(candidates.cell[rows], return_inverse=True)[1].astype(np.int64),
        weight=candidates.weight[rows],
    )
    if fitted.separated:
        raise DesignRefused(
            what="the propensity of treatment",
            needed="treated and untreated units that covariates cannot tell apart without error",
            found="a treated unit whose probability is 1, which covariates predict perfectly",
            remedy="leave out the covariate that defines the treatment, or merge its rare levels",
        )
    if not fitted.converged:
        raise DesignRefused(
            what="the propensity of treatment",
            needed="a logistic regression that reaches its maximum",
            found="one that did not, most often because a covariate's values are of very unequal size",
            remedy="rescale or leave out that covariate",
        )
    linear[rows] = fitted.linear
    return linear
