r"""Outcomes less each unit's own past, then compared as one cross-section per period.

Before the start of a cohort, the mean of a unit's outcomes, or its own line through them, is what it
would go on with: :math:`\dot y_{it}=y_{it}-\bar y_{i,\text{pre}}`, or
:math:`\ddot y_{it}=y_{it}-\hat a_i-\hat b_i t`. What is left is compared across units.

References
----------
Lee & Wooldridge (2023), doi:10.2139/ssrn.4516518.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.two_groups import TwoByTwo, fit_line, odds_by_logit, regressors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROUNDING = 1e-12
"""What is left, relative to the largest outcome, that counts as nothing."""
COMPARISONS = "the comparisons"


def rolled(values: Floats, periods: Ints, *, before: Bools, detrend: bool) -> Floats:
    """Outcomes from the start on, less what each unit's past lets one expect.

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
        Finite.
    periods : ndarray of int, shape (n_periods,)
        Not always evenly spaced.
    before : ndarray of bool, shape (n_periods,)
        Periods of the past: one at least, two with ``detrend``.
    detrend : bool
        Expect the unit's own line rather than its mean.

    Returns
    -------
    ndarray of shape (n, number of other periods)
    """
    past = values[:, before]
    level = past.mean(axis=1, keepdims=True)
    left = values[:, ~before] - level
    if detrend:
        told = periods[before] - periods[before].mean()
        slope = (past - level) @ (told / (told @ told))
        left -= np.outer(slope, periods[~before] - periods[before].mean())
    left[np.abs(left) < ROUNDING * np.abs(values).max(initial=0.0)] = 0.0
    return np.asarray(left)


def weighted_regression(
    change: Floats, *, treated: Bools, covariates: Floats, weight: Floats
) -> TwoByTwo:
    r"""Doubly robust by a regression of the comparisons weighted by the odds of treatment.

    .. math:: \hat\theta=\frac{\sum_{d=1}w(\dot y-z'\hat\beta)}{\sum_{d=1}w},\qquad
              \hat\beta=\arg\min\sum_{d=0}\omega(\dot y-z'\beta)^2,\quad \omega=w\,\hat p/(1-\hat p)

    Arguments and result are those of `whatworks.stats.did.two_periods.traditional`.

    References
    ----------
    Wooldridge (2007), doi:10.1016/j.jeconom.2007.02.002. Słoczyński & Wooldridge (2018),
    doi:10.1017/S0266466617000056.
    """
    z = regressors(covariates, weight=weight)
    odds = odds_by_logit(z, treated, weight=weight)
    among = ~treated
    line = fit_line(z[among], change[among], weight=odds.used[among], of=COMPARISONS)
    residual = change - z @ line.slopes
    residual[np.abs(residual) < ROUNDING * np.abs(change).max(initial=0.0)] = 0.0
    share = weight * treated / (weight * treated).sum()
    effect = share @ residual
    along = odds.used * (z @ (line.inverse @ (share @ z)))
    influence = share[:, None] * (residual - effect) - along[:, None] * residual
    influence -= odds.estimated(z, z.T @ (along[:, None] * residual))
    return TwoByTwo(effect=effect, influence=influence, trimmed=odds.trimmed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """Effects under homoskedastic normal errors across units.

    Parameters
    ----------
    effect : ndarray of shape (m,)
    covariance : ndarray of shape (m, m)
    df : int
        Of Student's t, exact for every linear combination of effects.
    """

    effect: Floats
    covariance: Floats
    df: int


def exact_regression(change: Floats, *, treated: Bools, covariates: Floats) -> Exact | None:
    r"""Regression adjustment with its exact law, given covariates, for any number of treated.

    .. math:: \hat\theta=\bar y_1-\bar z_1'\hat\beta_0,\qquad
              \widehat V=\hat\Sigma\Big(\frac1{n_1}+\bar z_1'(Z_0'Z_0)^{-1}\bar z_1\Big)

    :math:`\hat\Sigma` from residuals of the line of each arm, over :math:`n-2(k+1)`; from those of the
    comparisons alone, over :math:`n_0-k-1`, where the treated are too few to have a line.

    Parameters
    ----------
    change : ndarray of shape (n, m)
    treated : ndarray of bool, shape (n,)
    covariates : ndarray of shape (n, k)

    Returns
    -------
    Exact or None
        None where no degree of freedom is left.
    """
    z = regressors(covariates, weight=np.ones(treated.size))
    n_treated, size = int(treated.sum()), z.shape[1]
    ones = np.ones(treated.size)
    line = fit_line(z[~treated], change[~treated], weight=ones[~treated], of=COMPARISONS)
    left = change[~treated] - z[~treated] @ line.slopes
    products, df = left.T @ left, treated.size - n_treated - size
    if n_treated > size or size == 1:
        own = fit_line(z[treated], change[treated], weight=ones[treated], of="the treated")
        apart = change[treated] - z[treated] @ own.slopes
        products, df = products + apart.T @ apart, df + n_treated - size
    if df <= 0:
        return None
    centre = z[treated].mean(axis=0)
    length = 1 / n_treated + centre @ line.inverse @ centre
    return Exact(
        effect=change[treated].mean(axis=0) - centre @ line.slopes,
        covariance=length * products / df,
        df=df,
    )
