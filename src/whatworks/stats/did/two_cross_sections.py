r"""Two groups and two periods, rows seen in one of them: effects on the treated and their influence.

Rows before (:math:`t=0`) and after (:math:`t=1`), of treated (:math:`d=1`) and comparisons, make four
arms; the composition of each group is the same in both periods. :math:`\hat m_{dt}(x)=z'\hat\beta_{dt}`
is the line of an arm, :math:`\bar z_{dt}` its mean regressors, :math:`\bar z` those of all treated rows,
:math:`\omega=w\,p/(1-p)` the comparisons' weight, and :math:`\Delta_t a_t=a_1-a_0`. Every function takes
and gives the same things; several outcomes of the same rows at once. A unit seen in both periods gives
two rows: sum their influences.

References
----------
Sant'Anna & Zhao (2020), doi:10.1016/j.jeconom.2020.06.003. Abadie (2005),
doi:10.1111/0034-6527.00321.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.two_groups import (
    Line,
    Odds,
    TwoByTwo,
    fit_line,
    inverted,
    odds_by_logit,
    odds_by_tilting,
    regressors,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WHO = {
    (False, False): "the comparisons before",
    (False, True): "the comparisons after",
    (True, False): "the treated before",
    (True, True): "the treated after",
}


def traditional(
    outcome: Floats, *, after: Bools, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    r"""Doubly robust and locally efficient: logistic odds, a least-squares line in each arm.

    .. math:: \hat\theta = \Delta_t\Big[\bar z'(\hat\beta_{1t}-\hat\beta_{0t})
              - \frac{\sum_{d=0,t}\omega(y-\hat m_{0t})}{\sum_{d=0,t}\omega}\Big]

    Parameters
    ----------
    outcome : ndarray of shape (n, m)
    after : ndarray of bool, shape (n,)
        Whether the row is of the later period.
    treated : ndarray of bool, shape (n,)
        Whether it is of the group treated in it; every arm has rows.
    covariates : ndarray of shape (n, k)
    weight : ndarray of shape (n,)
        Sampling weights.

    Returns
    -------
    TwoByTwo

    Raises
    ------
    DesignRefused
        When covariates are collinear in an arm, or separate the groups.
    """
    rows = _Rows.of(outcome, after, treated, covariates, weight)
    odds = odds_by_logit(rows.z, treated, weight=weight)
    everyone = rows.mean(treated)
    effect, influence, moved, slope = rows.blank(), rows.none(), rows.flat(), rows.flat()
    for arm, sign in rows.periods():
        own, line = rows.line(treated & arm), rows.line(~treated & arm)
        gap, push, lean = rows.gap(odds, arm, line)
        effect += sign * (everyone @ (own.slopes - line.slopes) - gap)
        slope += sign * (own.slopes - line.slopes)
        influence += sign * rows.through(treated & arm, own, everyone)
        influence -= sign * rows.through(~treated & arm, line, everyone - lean)
        influence -= sign * push
        moved += sign * (rows.z.T @ push)
    influence += rows.spread(everyone, slope) - odds.estimated(rows.z, moved)
    return TwoByTwo(effect=effect, influence=influence, trimmed=odds.trimmed)


def traditional_one_regression(
    outcome: Floats, *, after: Bools, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    r"""Doubly robust with lines of the comparisons alone; less precise than `traditional`.

    .. math:: \hat\theta = \Delta_t\Big[\frac{\sum_{d=1,t}w(y-\hat m_{0t})}{\sum_{d=1,t}w}
              - \frac{\sum_{d=0,t}\omega(y-\hat m_{0t})}{\sum_{d=0,t}\omega}\Big]

    Arguments and result are those of `traditional`.
    """
    rows = _Rows.of(outcome, after, treated, covariates, weight)
    odds = odds_by_logit(rows.z, treated, weight=weight)
    effect, influence, moved = rows.blank(), rows.none(), rows.flat()
    for arm, sign in rows.periods():
        line = rows.line(~treated & arm)
        gap, push, lean = rows.gap(odds, arm, line)
        level, own = rows.level(treated & arm, line)
        effect += sign * (level - gap)
        influence += sign * (own - push)
        influence -= sign * rows.through(~treated & arm, line, rows.mean(treated & arm) - lean)
        moved += sign * (rows.z.T @ push)
    influence -= odds.estimated(rows.z, moved)
    return TwoByTwo(effect=effect, influence=influence, trimmed=odds.trimmed)


def improved(
    outcome: Floats, *, after: Bools, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    """`traditional` with odds by tilting and the comparisons' lines weighted by them.

    Doubly robust in inference too: estimating odds and lines moves nothing to first order. Arguments
    and result are those of `traditional`; also refused when no weights balance the groups.
    """
    rows = _Rows.of(outcome, after, treated, covariates, weight)
    odds = odds_by_tilting(rows.z, treated, weight=weight)
    everyone = rows.mean(treated)
    effect, influence, slope = rows.blank(), rows.none(), rows.flat()
    for arm, sign in rows.periods():
        own = rows.line(treated & arm)
        line = rows.line(~treated & arm, weight=odds.weight)
        gap, push, _ = rows.gap(odds, arm, line)
        effect += sign * (everyone @ (own.slopes - line.slopes) - gap)
        slope += sign * (own.slopes - line.slopes)
        influence += sign * (rows.level(treated & arm, own)[1] - push)
    influence += rows.spread(everyone, slope)
    return TwoByTwo(effect=effect, influence=influence, trimmed=odds.trimmed)


def improved_one_regression(
    outcome: Floats, *, after: Bools, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    """`improved` with lines of the comparisons alone; less precise.

    Arguments and result are those of `traditional`.
    """
    rows = _Rows.of(outcome, after, treated, covariates, weight)
    odds = odds_by_tilting(rows.z, treated, weight=weight)
    effect, influence = rows.blank(), rows.none()
    for arm, sign in rows.periods():
        line = rows.line(~treated & arm, weight=odds.weight)
        gap, push, _ = rows.gap(odds, arm, line)
        level, own = rows.level(treated & arm, line)
        effect += sign * (level - gap)
        influence += sign * (own - push)
    return TwoByTwo(effect=effect, influence=influence, trimmed=odds.trimmed)


def regression(
    outcome: Floats, *, after: Bools, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    r"""Outcome regression: what the comparisons' lines say of all treated rows is taken away.

    .. math:: \hat\theta = \Delta_t\big[\bar y_{1t} - \bar z'\hat\beta_{0t}\big]

    Arguments and result are those of `traditional`.
    """
    rows = _Rows.of(outcome, after, treated, covariates, weight)
    everyone = rows.mean(treated)
    effect, influence, slope = rows.blank(), rows.none(), rows.flat()
    for arm, sign in rows.periods():
        line = rows.line(~treated & arm)
        level, own = rows.level(treated & arm, None)
        effect += sign * (level - everyone @ line.slopes)
        slope -= sign * line.slopes
        influence += sign * (own - rows.through(~treated & arm, line, everyone))
    influence += rows.spread(everyone, slope)
    return TwoByTwo(effect=effect, influence=influence)


def standardised_inverse_probability(
    outcome: Floats, *, after: Bools, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    r"""Inverse probability weighting with weights brought to one in each arm (Hájek).

    .. math:: \hat\theta = \Delta_t\Big[\bar y_{1t}
              - \frac{\sum_{d=0,t}\omega y}{\sum_{d=0,t}\omega}\Big]

    Arguments and result are those of `traditional`.
    """
    rows = _Rows.of(outcome, after, treated, covariates, weight)
    odds = odds_by_logit(rows.z, treated, weight=weight)
    effect, influence, moved = rows.blank(), rows.none(), rows.flat()
    for arm, sign in rows.periods():
        gap, push, _ = rows.gap(odds, arm, None)
        level, own = rows.level(treated & arm, None)
        effect += sign * (level - gap)
        influence += sign * (own - push)
        moved += sign * (rows.z.T @ push)
    influence -= odds.estimated(rows.z, moved)
    return TwoByTwo(effect=effect, influence=influence, trimmed=odds.trimmed)


def inverse_probability(
    outcome: Floats, *, after: Bools, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    r"""Inverse probability weighting as Abadie (2005) wrote it: weights do not sum to one.

    .. math:: \hat\theta = \Delta_t \frac{\sum_{t}(wd-\omega)y}{\hat\pi\hat\lambda_t\sum_i w_i},\qquad
              \hat\pi=\frac{\sum_{d=1} w}{\sum_i w_i},\quad \hat\lambda_t=\frac{\sum_t w}{\sum_i w_i}

    Arguments and result are those of `traditional`. Adding a constant to every outcome moves the
    effect: prefer `standardised_inverse_probability`.
    """
    rows = _Rows.of(outcome, after, treated, covariates, weight)
    odds = odds_by_logit(rows.z, treated, weight=weight)
    total, mine = weight.sum(), weight * treated
    effect, influence, moved = rows.blank(), rows.none(), rows.flat()
    for arm, sign in rows.periods():
        now = weight * arm
        scale = total / (mine.sum() * now.sum())
        part = scale * (((mine - odds.used) * arm)[:, None] * outcome)
        level = part.sum(axis=0)
        effect += sign * level
        apart = weight / total - mine / mine.sum() - now / now.sum()
        influence += sign * (part + np.outer(apart, level))
        moved += sign * scale * (rows.z.T @ ((odds.used * arm)[:, None] * outcome))
    influence -= odds.estimated(rows.z, moved)
    return TwoByTwo(effect=effect, influence=influence, trimmed=odds.trimmed)


def two_way_fixed_effects(
    outcome: Floats, *, after: Bools, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    r"""Slope on :math:`d\times t` in least squares on :math:`d, t, d\times t, x`.

    Not doubly robust: it is the effect only when that line is right and effects do not vary with
    covariates. Arguments and result are those of `traditional`.
    """
    both = (treated & after).astype(float)
    z = regressors(covariates, weight=weight)
    design = np.column_stack([both, treated, after, z])
    weighted = design * weight[:, None]
    inverse = inverted(weighted.T @ design, of="the rows compared")
    slopes = inverse @ (weighted.T @ outcome)
    influence = (weighted @ inverse[0])[:, None] * (outcome - design @ slopes)
    return TwoByTwo(effect=slopes[0], influence=influence)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of four arms and the pieces every estimator is made of."""

    z: Floats
    outcome: Floats
    after: Bools
    treated: Bools
    weight: Floats

    @classmethod
    def of(
        cls, outcome: Floats, after: Bools, treated: Bools, covariates: Floats, weight: Floats
    ) -> _Rows:
        return cls(regressors(covariates, weight=weight), outcome, after, treated, weight)

    def blank(self) -> Floats:
        return np.zeros(self.outcome.shape[1])

    def none(self) -> Floats:
        return np.zeros(self.outcome.shape)

    def flat(self) -> Floats:
        return np.zeros((self.z.shape[1], self.outcome.shape[1]))

    def periods(self) -> tuple[tuple[Bools, float], tuple[Bools, float]]:
        """Rows of each period and the sign they enter a difference with."""
        return (self.after, 1.0), (~self.after, -1.0)

    def share(self, arm: Bools) -> Floats:
        mine = self.weight * arm
        return np.asarray(mine / mine.sum())

    def mean(self, arm: Bools) -> Floats:
        """Mean regressors of an arm."""
        return np.asarray(self.share(arm) @ self.z)

    def line(self, arm: Bools, *, weight: Floats | None = None) -> Line:
        first = int(np.argmax(arm))
        who = WHO[bool(self.treated[first]), bool(self.after[first])]
        w = self.weight if weight is None else weight
        return fit_line(self.z[arm], self.outcome[arm], weight=w[arm], of=who)

    def residual(self, line: Line | None) -> Floats:
        return self.outcome if line is None else self.outcome - self.z @ line.slopes

    def level(self, arm: Bools, line: Line | None) -> tuple[Floats, Floats]:
        """Mean residual of an arm, and each row's influence on it."""
        share, residual = self.share(arm), self.residual(line)
        mean = share @ residual
        return mean, share[:, None] * (residual - mean)

    def gap(self, odds: Odds, arm: Bools, line: Line | None) -> tuple[Floats, Floats, Floats]:
        """Weighted mean residual of comparisons, its influence, and their mean regressors."""
        mine = odds.used * arm
        share, residual = mine / mine.sum(), self.residual(line)
        mean = share @ residual
        return mean, share[:, None] * (residual - mean), share @ self.z

    def through(self, arm: Bools, line: Line, direction: Floats) -> Floats:
        """Influence of an arm's rows on what its line says in a direction."""
        along = self.weight * arm * (self.z @ (line.inverse @ direction))
        return np.asarray(along[:, None] * self.residual(line))

    def spread(self, everyone: Floats, slope: Floats) -> Floats:
        """Influence of the treated's own covariates on what is averaged over them."""
        return self.share(self.treated)[:, None] * ((self.z - everyone) @ slope)
