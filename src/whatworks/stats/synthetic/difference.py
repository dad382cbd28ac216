r"""Synthetic difference in differences: weights of units and of periods, and effects by period.

References
----------
Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), Algorithms 1 to 4, doi:10.1257/aer.20190159.
Clarke, Pailañir, Athey & Imbens (2024), doi:10.1177/1536867X241297914, for effects by period.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.synthetic.frank_wolfe import GAIN, early_stopped_weights
from whatworks.stats.synthetic.simplex import simplex_weights

Floats = NDArray[np.float64]
Solver = Literal["exact", "frank_wolfe"]

TIME_PENALTY: Final = 1e-6
"""Penalty on weights of periods, in standard deviations of a period's change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsAndPeriods:
    """Weights of one cohort's comparison.

    Parameters
    ----------
    unit : ndarray of shape (n_donors,)
    period : ndarray of shape (n_before,)
    """

    unit: Floats
    period: Floats


def noise_level(before: Floats, mass: Floats) -> float:
    """Standard deviation of the donors' changes from a period to the next, before the start."""
    change = np.diff(before, axis=1)
    share = mass / (mass.sum() * change.shape[1])
    apart = change - float((share[:, None] * change).sum())
    n = mass.sum() * change.shape[1]
    return float(np.sqrt((share[:, None] * apart**2).sum() * n / (n - 1)))


def unit_penalty(noise: float, *, n_treated: float, n_after: int) -> float:
    r""":math:`\zeta=(N_1T_1)^{1/4}\hat\sigma`, the penalty on weights of units (their eq. 5)."""
    return float((n_treated * n_after) ** 0.25 * noise)


def sdid_weights(
    donors: Floats,
    treated: Floats,
    *,
    n_before: int,
    mass: Floats,
    zeta: float,
    noise: float,
    solver: Solver,
) -> UnitsAndPeriods:
    r"""Weights of donors and of periods before the start, each with an intercept.

    .. math::
       \hat\omega &= \arg\min_{\omega,\omega_0}\sum_{s<g}\Big(\omega_0+\sum_j\omega_jy_{js}-\bar y_s\Big)^2
                    +\zeta^2T_0\sum_j\omega_j^2/m_j\\
       \hat\lambda &= \arg\min_{\lambda,\lambda_0}\sum_jm_j\Big(\lambda_0+\sum_{s<g}\lambda_sy_{js}
                    -\bar y_{j,post}\Big)^2+\zeta_\lambda^2N_0\sum_s\lambda_s^2

    Parameters
    ----------
    donors : ndarray of shape (n_donors, n_periods)
        Periods before the start, then from it on.
    treated : ndarray of shape (n_periods,)
        Mean of the treated.
    n_before : int
    mass : ndarray of shape (n_donors,)
    zeta, noise : float
        `unit_penalty` and `noise_level`.
    solver : str
        ``"exact"``, or ``"frank_wolfe"`` as the R package ``synthdid`` stops.
    """
    before, after = donors[:, :n_before], donors[:, n_before:].mean(axis=1)
    level = before.T - before.mean(axis=1)
    unit = _solved(
        level,
        treated[:n_before] - treated[:n_before].mean(),
        penalty=zeta**2 * n_before,
        least=(GAIN * noise) ** 2,
        mass=mass,
        solver=solver,
    )
    share = mass / mass.sum()
    root = np.sqrt(mass)
    period = _solved(
        (before - share @ before) * root[:, None],
        (after - share @ after) * root,
        penalty=(TIME_PENALTY * noise) ** 2 * float(mass.sum()),
        least=(GAIN * noise) ** 2,
        mass=np.ones(n_before),
        solver=solver,
    )
    return UnitsAndPeriods(unit=unit, period=period)


def _solved(
    columns: Floats, target: Floats, *, penalty: float, least: float, mass: Floats, solver: Solver
) -> Floats:
    if solver == "frank_wolfe":
        return early_stopped_weights(columns, target, penalty=penalty, least=least, mass=mass)
    return simplex_weights(columns, target, penalty=penalty, mass=mass)


def sdid_path(gap: Floats, period: Floats) -> Floats:
    r"""Gap of each period less its weighted mean before the start.

    .. math:: \hat\tau_t = (\bar y_t-\hat\omega'y_t) - \sum_{s<g}\hat\lambda_s(\bar y_s-\hat\omega'y_s)

    Parameters
    ----------
    gap : ndarray of shape (..., n_periods)
        Treated less synthetic.
    period : ndarray of shape (n_before,)
        Weights of periods before the start.

    Returns
    -------
    ndarray of shape (..., n_periods)
        Its mean from the start on is the synthetic difference in differences.
    """
    return np.asarray(gap - (gap[..., : period.size] @ period)[..., None])
